"""Pages hold what they say: the commands of the one that shows how to try it out, the statements of another."""

import os
import re
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import asyncpg

ROOT = Path(__file__).parents[1]
TRYING_OUT = ROOT / "docs" / "trying-out.md"
KEPT = ROOT / "docs" / "data.md"
A_TENANT = """
INSERT INTO syncer.project (slug) VALUES ('main');
INSERT INTO syncer.provider_account (provider, credential) VALUES ('webhook', 'file:x');
INSERT INTO syncer.tenant (slug, project_id, account_id, credential)
    SELECT 'acme', project_id, account_id, 'file:x' FROM syncer.project, syncer.provider_account;
INSERT INTO syncer.calendar (tenant_id, google_id) SELECT tenant_id, google_id
    FROM syncer.tenant, unnest('{ana@example.org,bo@example.org}'::text[]) AS google_id;
INSERT INTO syncer.conference (tenant_id, account_id, meeting_id) SELECT tenant_id, account_id, meeting_id
    FROM syncer.tenant, unnest('{anas,both,bos}'::text[]) AS meeting_id;
INSERT INTO syncer.meeting_owner SELECT account_id, meeting_id, tenant_id FROM syncer.conference;
INSERT INTO syncer.link (tenant_id, calendar_id, event_id, conference_id, generation, event)
    SELECT tenant_id, calendar_id, meeting_id, conference_id, 0, '{}'
    FROM syncer.calendar JOIN syncer.conference USING (tenant_id)
    WHERE meeting_id = 'both' OR meeting_id = split_part(google_id, '@', 1) || 's'
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


def script(folder: Path) -> str:
    """All blocks of the page as one script: what serves goes on in the background, to the script's end."""
    google, vendor = free_ports(2)
    parts = ["set -e", "trap 'kill $(jobs -p); wait' EXIT"]
    awaited: list[str] = []
    for block in blocks(TRYING_OUT, "sh"):
        if SERVER.search(block):
            parts.append(f"(\n{SERVER.sub('exec ', block)}) >&2 &")
            awaited += re.findall(r"--port (\d+)", block)
        else:
            parts += [f"until curl -s -o /dev/null http://127.0.0.1:{port}/; do sleep 0.1; done" for port in awaited]
            parts.append(block)
            awaited = []
    text = "\n".join(parts).replace("/tmp/syncer-trying-out", str(folder))  # noqa: S108 (the page's, not ours)
    return text.replace("8090", google).replace("8091", vendor)


def test_the_commands_of_the_page_do_what_it_says(database: str, tmp_path: Path) -> None:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SYNCER_")}
    ours |= {"SYNCER_DATABASE_URL": database, "PATH": f"{Path(sys.executable).parent}:{ours['PATH']}"}

    ran = subprocess.run(
        ["bash", "-c", script(tmp_path / "try")],  # noqa: S607 (the shell of whoever reads the page)
        cwd=ROOT,
        env=ours,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    for shown in (
        "The webhook at 127.0.0.1 answers signed calls.",
        '"title":"Planning the spring"',
        "Passcode: 739152",
        "Calendar ana@acme.test of tenant acme is up to date.",
        "The meeting was deleted at its provider.",
    ):
        assert shown in ran.stdout


async def test_the_statements_of_the_page_do_what_it_says(database: str) -> None:
    tenants, accounts, calendar, tenant = blocks(KEPT, "sql")
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(A_TENANT)
        for statement in (tenants, accounts, calendar):
            await connection.execute(statement)
        row = await connection.fetchrow("SELECT credential, subject, grace FROM syncer.tenant")
        assert row is not None
        assert tuple(row) == ("file:acme-new.json", "admin@example.org", timedelta(hours=1))
        assert await connection.fetchval("SELECT settings->>'url' FROM syncer.provider_account")
        assert await connection.fetchval("SELECT array_agg(google_id) FROM syncer.calendar") == ["bo@example.org"]
        for table in ("conference", "meeting_owner"):
            found = await connection.fetchval(f"SELECT array_agg(meeting_id ORDER BY meeting_id) FROM syncer.{table}")  # noqa: S608
            assert found == ["bos", "both"]
        await connection.execute(tenant)
        assert await connection.fetchval("SELECT count(*) FROM syncer.conference") == 0
    finally:
        await connection.close()
