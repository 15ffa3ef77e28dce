"""Pages hold what they say: the commands of the one that shows how to try it out, the statement of another."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import asyncpg
import pytest
from aiohttp import web

from syncer.simulator.clock import SimulatedClock
from syncer.simulator.conferencing import ConferencingSimulator
from syncer.simulator.conferencing.changes import Mishap
from syncer.simulator.conferencing.faults import Fault
from syncer.simulator.google import GoogleSimulator
from syncer.simulator.google.faults import KINDS
from syncer.simulator.google.notifying import Notifying
from syncer.simulator.google.quotas import Limits
from syncer.simulator.google.switches import Switches

ROOT = Path(__file__).parents[1]
TRYING_OUT = ROOT / "docs" / "trying-out.md"
SIMULATOR = ROOT / "docs" / "simulator.md"
REGISTRATION = ROOT / "docs" / "registration.md"
KEPT = ROOT / "docs" / "data.md"
A_TENANT = """
INSERT INTO syncer.project (slug) VALUES ('main');
INSERT INTO syncer.provider_account (provider, credential) VALUES ('webhook', 'file:x');
INSERT INTO syncer.tenant (slug, project_id, account_id, credential)
    SELECT 'acme', project_id, account_id, 'file:x' FROM syncer.project, syncer.provider_account;
INSERT INTO syncer.calendar (tenant_id, google_id, credential)
    SELECT tenant_id, google_id, 'file:own'
    FROM syncer.tenant, unnest('{ana@example.org,bo@example.org}'::text[]) AS google_id
"""
SERVER = re.compile(r"^(?=syncer (run|simulate)\b)", re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def free_ports(count: int) -> list[str]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [str(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def scripts(page: Path) -> list[str]:
    """All blocks of a page as commands: programs in Python, and where Node is in its language, as they stand."""
    node = ROOT / "tests" / "node" / "node_modules"
    has_node = shutil.which("node") is not None and (node / "ready").exists()
    beginnings = {
        "sh": "",
        "python": "python3 -W error - <<'END_OF_BLOCK'\n",
        "js": f"ln -s {node} .\nnode --input-type=module - <<'END_OF_BLOCK'\n" if has_node else ": <<'END_OF_BLOCK'\n",
    }
    found = re.findall(r"^```(sh|python|js)\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [beginnings[kind] + text + ("END_OF_BLOCK\n" if beginnings[kind] else "") for kind, text in found]


def script(page: Path, folder: Path) -> str:
    """All blocks of the page as one script: what serves goes on in the background, to the script's end."""
    google, vendor, own = free_ports(3)
    parts = ["set -e", "trap 'kill $(jobs -p); wait' EXIT"]
    for block in scripts(page):
        if SERVER.search(block):
            parts.append(f"(\n{SERVER.sub('exec ', block)}) >&2 &")
        else:
            parts.append(block)
    text = re.sub(r"/tmp/syncer-[a-z-]+", str(folder), "\n".join(parts))  # noqa: S108 (the page's, not ours)
    return text.replace("8090", google).replace("8091", vendor).replace("8092", own)


def run(page: Path, folder: Path, **settings: str) -> str:
    """What the commands of the page print; fails when one of them does."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SYNCER_")}
    ours |= {**settings, "PATH": f"{Path(sys.executable).parent}:{ours['PATH']}"}
    ran = subprocess.run(
        ["bash", "-c", script(page, folder)],  # noqa: S607 (the shell of whoever reads the page)
        cwd=ROOT,
        env=ours,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_commands_of_the_page_do_what_it_says(database: str, tmp_path: Path) -> None:
    printed = run(TRYING_OUT, tmp_path / "try", SYNCER_DATABASE_URL=database, SYNCER_LISTEN="off")

    for shown in (
        "The webhook at 127.0.0.1 answers signed calls.",
        '"title":"Planning the spring"',
        "Passcode: 739152",
        "Calendar ana@acme.test of tenant acme is up to date.",
        "The meeting was deleted at its provider.",
        "Tenant acme: grace changed.",
        "Reading it anew would change no link.",
        "Calendar ana@acme.test is removed.",
    ):
        assert shown in printed


def test_the_requests_of_the_page_on_registration_do_what_it_says(database: str, tmp_path: Path) -> None:
    printed = run(REGISTRATION, tmp_path / "try", SYNCER_DATABASE_URL=database)

    for shown in (
        '{"calendar":"ana@acme.test","state":"active","is_new":true}',
        '{"calendar":"ana@acme.test","state":"active","is_new":false}',
        '"state":"live","expires_at":"',
        '"detail":"The tenant has no such calendar; POST /v1/calendars makes it one.","pointer":"/calendar"',
        '"detail":"Object contains unknown field `callendar`.","pointer":""',
        "204\n",
        "401\n",
        "on ana@acme.test no longer refers to the meeting: the event was deleted",
        '"state": "deleted"',
        "is revoked.",
    ):
        assert shown in printed


def test_the_programs_of_the_simulators_page_find_what_they_look_for(tmp_path: Path) -> None:
    printed = run(SIMULATOR, tmp_path / "try")

    assert printed.count("['Planning']") == 2
    assert "primary ana@tenant-a.test None\nroom Room None\n" in printed
    assert "rate_limit_exceeded" in printed
    assert "429\n" in printed
    assert '"batch_limit":50' in printed
    assert re.search(r"message 1 sync\nmessage \d+ exists\n", printed)
    assert '"loss":0.05,"duplicate":0.0' in printed
    for told in ('"action":"create"', '"title":"Planning"'):
        assert told in printed


def routes(application: web.Application) -> set[str]:
    """The requests of the control face, as the page names them."""
    found = {(route.method, route.resource.canonical) for route in application.router.routes() if route.resource}
    return {
        f"{verb} {path.removeprefix('/simulator/')}"
        for verb, path in found
        if path.startswith("/simulator/") and verb != "HEAD"
    }


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(lambda: routes(GoogleSimulator(SimulatedClock(), 1).application()), id="requests"),
        pytest.param(
            lambda: {
                re.sub(" ", " simulator/", request, count=1)
                for request in routes(ConferencingSimulator(SimulatedClock(), 1).application())
            },
            id="requests of the conferencing system",
        ),
        pytest.param(lambda: set(KINDS), id="faults"),
        pytest.param(lambda: {field.name for field in fields(Switches)}, id="settings"),
        pytest.param(lambda: {field.name for field in fields(Limits)}, id="limits"),
        pytest.param(lambda: set(Notifying.__struct_fields__), id="settings of notifications"),
        pytest.param(lambda: {*Fault, *Mishap}, id="faults of the conferencing system"),
    ],
)
def test_the_simulators_page_names_all_there_is(names: Callable[[], set[str]]) -> None:
    prose = re.sub(r"^```.*?^```", "", SIMULATOR.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"`([^`]+)`", prose))
    assert sorted(names() - named) == []


async def test_the_statement_of_the_page_does_what_it_says(database: str) -> None:
    (statement,) = blocks(KEPT, "sql")
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(A_TENANT)
        await connection.execute(statement)
        rows = await connection.fetch("SELECT google_id, subject, credential FROM syncer.calendar ORDER BY google_id")
    finally:
        await connection.close()
    assert [tuple(row) for row in rows] == [
        ("ana@example.org", "ana@example.org", None),
        ("bo@example.org", None, "file:own"),
    ]
