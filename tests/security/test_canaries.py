"""Secrets are nowhere to be seen, and texts of events only where the page on what is kept says; what leaks is found."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import aiohttp
import asyncpg
import pytest
from prometheus_client import Gauge

from syncer.embedded import binaries
from syncer.embedded.account import Account
from syncer.run.listening import Address, Refusal, listening
from syncer.run.receiver import Receiver
from tests.conftest import TEMPLATE, Databases
from tests.security import lived
from tests.security.canaries import Canary, found
from tests.security.lived import FORGED, TEXTS, TITLE, Life, a_life, ran
from tests.test_kept import named

PLANTED = Canary("planted", "canary-planted-77d0")
_ANYWHERE = Address("127.0.0.1", 0)
_PLANT = (
    "import structlog; from syncer import telemetry; telemetry.configure('debug'); "
    "structlog.get_logger().debug('a leak', reason={!r})"
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What one life showed. secrets: all there were. planted: the same sinks after something was put into each.

    dump: of the database by Postgres's own program, None where there is none. after: what was left when the tenant was
    forgotten, by column.
    """

    secrets: dict[str, Canary]
    sinks: dict[str, str]
    planted: dict[str, str]
    dump: str | None
    after: dict[str, str]


@pytest.fixture(scope="module")
def seen(databases: Databases, pg_bin: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    dsn = databases.make(TEMPLATE)
    yield asyncio.run(_seen(dsn, tmp_path_factory.mktemp("life"), databases.server.log_path, pg_bin))
    databases.drop(dsn)


async def _seen(dsn: str, folder: Path, postgres_log: Path, pg_bin: Path | None) -> Seen:
    async with a_life(dsn, folder, postgres_log) as life:
        sinks = await life.sinks()
        secrets = life.secrets()
        dump = await asyncio.to_thread(dumped, dsn, pg_bin)
        planted = await plant(life)
        await asyncio.to_thread(forget, life)
        return Seen(secrets, sinks, planted, dump, await life.columns())


def forget(life: Life) -> None:
    with lived.in_environ(life.environ):
        ran("tenant", "remove", "acme", "--forget", "--yes")


def dumped(dsn: str, pg_bin: Path | None) -> str | None:
    """What `pg_dump` writes, where there is one beside this server's own programs."""
    program = binaries.find(pg_bin, Account.chosen()).folder / "pg_dump"
    if not program.exists():
        return None
    return subprocess.run([program, dsn, "--schema", "syncer"], capture_output=True, text=True, check=True).stdout


async def plant(life: Life) -> dict[str, str]:
    """The sinks after a leak in each of them."""
    connection = await asyncpg.connect(life.stage.dsn)
    try:
        # Which Postgres's log tells too.
        await connection.execute("UPDATE syncer.conference SET reason = $1", PLANTED.text)
        await connection.execute("UPDATE syncer.calendar SET reason = $1, state = 'parked'", PLANTED.text)
    finally:
        await connection.close()
    await asyncio.to_thread(plant_in_log, life)
    sinks = await life.sinks()
    sinks["metrics"], sinks["refusals"] = await planted_in_face(life)
    sinks["mistakes"] = await asyncio.to_thread(mistaken, life)
    return sinks


def plant_in_log(life: Life) -> None:
    with life.log.open("ab") as log:
        subprocess.run([sys.executable, "-c", _PLANT.format(PLANTED.text)], stdout=log, stderr=log, check=True)


async def planted_in_face(life: Life) -> tuple[str, str]:
    """A metric with a label that names somebody, and an answer that tells again what was sent."""
    receiver = Receiver(life.stage.tools)
    Gauge("leak", "A leak", ["who"], registry=receiver.metrics._registry).labels(PLANTED.text).set(1)

    async def refuse(_request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
        raise Refusal(422, f"We do not like {PLANTED.text}.")

    routes = [*receiver.metrics.routes(), aiohttp.web.post("/notifications/google", refuse)]
    async with aiohttp.ClientSession() as session, listening(routes, _ANYWHERE) as address:
        root = f"http://{address}"
        return await lived.scraped(session, root), await lived.refusals(session, root)


def mistaken(life: Life) -> str:
    with lived.in_environ(life.environ):
        return ran("calendar", "show", "acme", PLANTED.text)


def test_no_secret_is_anywhere(seen: Seen) -> None:
    kinds = {canary.kind for canary in seen.secrets.values()}
    assert len(kinds) == 10
    assert found(seen.secrets, seen.sinks) == []
    assert found(seen.secrets, {"dump": seen.dump or ""}) == []
    # The dump is whole, so that there is something to find.
    assert seen.dump is None or found({"title": TEXTS["title"]}, {"dump": seen.dump}) == [("title", "dump")]


def test_every_sink_has_something_in_it(seen: Seen) -> None:
    assert {"metrics", "refusals", "postgres", "commands", "conferences", "mistakes", "log"} <= seen.sinks.keys()
    assert [sink for sink, shown in seen.sinks.items() if "." not in sink and len(shown) < 100] == []
    assert "lease taken" in seen.sinks["log"]
    # What the worker gives Postgres, values and all.
    assert "INSERT INTO syncer.channel" in seen.sinks["postgres"]
    assert TITLE in seen.sinks["postgres"]


def test_text_of_events_is_only_where_the_page_says(seen: Seen) -> None:
    told = {sink for kind, sink in found(TEXTS, seen.sinks)}
    # With log_statement = 'all' Postgres's own log holds whatever a statement is given; titles are a command's to show.
    assert told - {"postgres", "conferences"} == named("Text of events, and what admits to meetings")
    shown = {kind for kind, _ in found(TEXTS, {"conferences": seen.sinks["conferences"]})}
    assert shown == {"title"}


def test_a_guest_is_nowhere(seen: Seen) -> None:
    guests = {kind: TEXTS[kind] for kind in ("guest", "guest's name")}
    assert found(guests, seen.sinks) == []


def test_nobody_is_told_again_what_they_sent(seen: Seen) -> None:
    forged = {"forged": Canary("forged", FORGED)}
    assert found(forged, {name: seen.sinks[name] for name in ("refusals", "log", "metrics")}) == []


@pytest.mark.parametrize(
    "sink",
    [
        *("log", "metrics", "refusals", "commands", "conferences", "mistakes", "postgres"),
        *("conference.reason", "calendar.reason"),
    ],
)
def test_a_planted_leak_is_found(seen: Seen, sink: str) -> None:
    assert found({"planted": PLANTED}, {sink: seen.planted[sink]}) == [("planted", sink)]


def test_a_forgotten_tenant_leaves_nothing_behind(seen: Seen) -> None:
    assert found(seen.secrets | TEXTS, seen.after) == []
    left = [name for name, shown in seen.after.items() if shown and name.split(".")[0] in ("grant", "account_grant")]
    assert left == []


FORMS: list[Callable[[str], str]] = [
    lambda text: text,
    json.dumps,
    lambda text: quote(text, safe=""),
    lambda text: f"\\x{text.encode().hex()}",
    *[lambda text, n=n: base64.b64encode(bytes(n) + text.encode() + bytes(n)).decode() for n in range(4)],
    lambda text: base64.urlsafe_b64encode(b"?>?" + text.encode()).decode(),
]


@pytest.mark.parametrize("form", FORMS)
def test_a_canary_is_found_in_every_form(form: Callable[[str], str]) -> None:
    canary = Canary("kind", 'ca/nary+ \u00e9?>? "5a1f"')
    assert canary.is_in(f"before {form(canary.text)} behind")
    assert not canary.is_in(f"before {form(canary.text[:-4])} behind")
