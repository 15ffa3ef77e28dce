"""A tenant's life with secrets and texts in it: a real worker at DEBUG, all faults, every command; and what is seen."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from syncer.cli.application import invoke
from syncer.run import metrics, notifications, receiver, registration
from syncer.simulator.google.faults import KINDS
from syncer.simulator.google.replies import Reply
from syncer.simulator.google.requests import Asked
from tests.run.worker import leave, until, until_row, until_titled, variables
from tests.security.canaries import Canary
from tests.simulator.google_stage import ANA, BO, CLEO
from tests.simulator.watching import Watcher
from tests.sync.stage import Acted, Booked, a_stage

TITLE, DESCRIPTION, PLACE = "canary-title-5a1f", "canary-description-5a1f", "canary-place-5a1f"
PASSCODE, GUEST, GUEST_NAME = "cnry*5a1f7", "canary-guest-5a1f@example.org", "Canary Guest 5a1f"
FORGED = "canary-forged-5a1f"
TEXTS = {
    kind: Canary(kind, text)
    for kind, text in (
        ("title", TITLE),
        ("description", DESCRIPTION),
        ("place", PLACE),
        ("passcode", PASSCODE),
        ("guest", GUEST),
        ("guest's name", GUEST_NAME),
    )
}
# Those that strike any look; the others need a batch, a patch or more than one page.
_FAULTS = 8
# What fails again and again is tried again later each time.
_BACKOFF_SECONDS = 60.0
WATCHED = "SELECT count(*) > 0 FROM syncer.channel WHERE state = 'open'"
WROTE_BACK = "SELECT count(*) > 0 FROM syncer.history WHERE kind = 'wrote_back'"
_COLUMNS = """
SELECT relname || '.' || attname AS name FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
WHERE relnamespace = 'syncer'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
    AND attnum > 0 AND NOT attisdropped ORDER BY 1
"""


@dataclass(slots=True)
class Listener(Watcher):
    """A witness that keeps what the worker proves itself with. secrets: by what they are."""

    secrets: dict[str, set[str]] = field(default_factory=lambda: {"access token": set(), "channel secret": set()})

    def __call__(self, asked: Asked, reply: Reply) -> None:
        Watcher.__call__(self, asked, reply)
        if asked.is_from_people:
            return
        bearer = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if bearer:
            self.secrets["access token"].add(bearer)
        if asked.path.endswith("/events/watch"):
            self.secrets["channel secret"].add(orjson.loads(asked.body)["token"])


@dataclass(frozen=True, slots=True)
class Life:
    """What there is to look at. environ: the worker's. log: what it says. postgres_log: from where it was ours."""

    stage: Acted
    folder: Path
    environ: Mapping[str, str]
    root: str
    log: Path
    postgres_log: Path
    postgres_said: int
    grants: tuple[Mapping[str, str], ...]
    listener: Listener
    api_key: str

    def secrets(self) -> dict[str, Canary]:
        """Every kind of secret there was, by kind and number."""
        ring = json.loads((self.folder / "ring.json").read_text())
        kinds: dict[str, list[str]] = {
            "ring key": [key["key"] for key in ring["keys"]],
            "signing secret": [self.stage.vendor.account["webhook_secret"]],
            "signing secret, bare": [self.stage.vendor.account["webhook_secret"].removeprefix("whsec_")],
            "API key": [self.api_key, self.api_key.rpartition("_")[2]],
            "database password": [str(urlsplit(self.stage.dsn).password)],
            "private key": [line for grant in self.grants for line in grant.get("private_key", "").splitlines()[1:-1]],
            "refresh token": [grant["refresh_token"] for grant in self.grants if "refresh_token" in grant],
            "client secret": [grant["client_secret"] for grant in self.grants if "client_secret" in grant],
            **{kind: sorted(texts) for kind, texts in self.listener.secrets.items()},
        }
        assert all(kinds.values()), kinds.keys()
        # The last line of a key is short.
        long = {kind: [text for text in texts if len(text) >= 12] for kind, texts in kinds.items()}
        return {f"{kind} {n}": Canary(kind, text) for kind, texts in long.items() for n, text in enumerate(texts)}

    async def sinks(self) -> dict[str, str]:
        """Everything that somebody may come to see, by what it is; columns of the database as `table.column`."""
        async with aiohttp.ClientSession() as session:
            shown = {"metrics": await scraped(session, self.root), "refusals": await refusals(session, self.root)}
        said = {"postgres": self.postgres_log.read_bytes()[self.postgres_said :].decode("utf-8", "replace")}
        return shown | said | await self.told() | {"log": self.log.read_text()} | await self.columns()

    async def columns(self) -> dict[str, str]:
        """All columns of all tables, as text: what a dump would hold."""
        database = self.stage.tools.database
        shown: dict[str, str] = {}
        for row in await database.fetch(_COLUMNS):
            table, column = row["name"].split(".")
            sql = f"SELECT coalesce(string_agg({column}::text, chr(10)), '') FROM syncer.{table}"  # noqa: S608
            shown[row["name"]] = str(await database.value(sql))
        return shown

    async def told(self) -> dict[str, str]:
        """What each command says."""
        meetings = [row["meeting_id"] for row in await self.stage.rows("conference")]
        return await asyncio.to_thread(self._told, meetings)

    def _told(self, meetings: list[str]) -> dict[str, str]:
        plain = (
            ("tenant", "list"),
            ("tenant", "show", "acme"),
            ("project", "list"),
            ("project", "show", "main"),
            ("calendar", "list"),
            *[("calendar", verb, "acme", whose) for verb in ("show", "explain") for whose in (ANA, BO)],
            ("config", "show"),
            ("keys", "list"),
            ("tenant", "key", "list", "acme"),
            ("check",),
            *[("conference", "history", "acme", meeting_id) for meeting_id in meetings],
        )
        open_to_whoever_runs_it = (
            ("conference", "list"),
            *[("conference", "show", "acme", meeting_id) for meeting_id in meetings],
        )
        with in_environ(self.environ):
            said = {"commands": "".join(both_ways(command) for command in plain)}
            said["conferences"] = "".join(both_ways(command) for command in open_to_whoever_runs_it)
            said["mistakes"] = ran("tenant", "show", "nobody") + ran("conference", "show", "acme", "none")
        with in_environ({**self.environ, "SYNCER_DATABASE_URL": closed(self.stage.dsn)}):
            said["mistakes"] += ran("check") + ran("tenant", "list", "--json") + ran("run")
        return said


def both_ways(command: tuple[str, ...]) -> str:
    return ran(*command) + ran(*command, "--json")


def ran(*arguments: str) -> str:
    """What a command says on both streams; the command itself is no part of it."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        invoke(arguments)
    return out.getvalue()


def closed(dsn: str) -> str:
    """The same address, where nobody listens."""
    parts = urlsplit(dsn)
    return parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:1").geturl()


@contextmanager
def in_environ(environ: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


async def scraped(session: aiohttp.ClientSession, root: str) -> str:
    async with session.get(f"{root}{metrics.PATH}") as response:
        return await response.text()


async def refusals(session: aiohttp.ClientSession, root: str) -> str:
    """What is answered to calls that are no good: nobody is told again what they sent."""
    headers = {"X-Goog-Channel-ID": FORGED, "X-Goog-Channel-Token": FORGED, "webhook-signature": f"v1,{FORGED}"}
    headers["Authorization"] = f"Bearer {FORGED}"
    asked: tuple[tuple[str, str, bytes | None], ...] = (
        ("POST", notifications.PATH, b""),
        ("POST", receiver.PATH, FORGED.encode()),
        ("POST", receiver.PATH, json.dumps({"tenant": "acme", "secret": FORGED}).encode()),
        ("POST", registration.CALENDARS, json.dumps({"calendar": FORGED, "grant": {"refresh_token": FORGED}}).encode()),
        ("GET", f"/{FORGED}", None),
        ("DELETE", metrics.PATH, None),
    )
    said = []
    for verb, path, body in asked:
        async with session.request(verb, f"{root}{path}", data=body, headers=headers) as response:
            said.append(f"{response.status} {dict(response.headers)} {await response.text()}")
    return "\n".join(said)


@asynccontextmanager
async def a_life(dsn: str, folder: Path, postgres_log: Path) -> AsyncIterator[Life]:
    """A tenant that has lived through everything; its worker still runs."""
    listener = Listener(requests=True)
    async with a_stage(dsn, folder, watcher=listener) as stage:
        await leave(stage)
        name = urlsplit(dsn).path[1:]
        await stage.tools.database.run(f"ALTER DATABASE {name} SET log_statement = 'all'")
        said = size_of(postgres_log)
        root = f"http://127.0.0.1:{free_port()}"
        environ = variables(stage) | {
            "SYNCER_LISTEN": root.removeprefix("http://"),
            "SYNCER_NOTIFICATIONS_URL": f"{root}{notifications.PATH}",
            "SYNCER_KEY_RING": str(folder / "ring.json"),
            "SYNCER_LOG_LEVEL": "debug",
            "SYNCER_READ_BACK_SECONDS": "0.5",
        }
        grants, api_key = await seal(stage, folder, environ)
        async with a_process(environ, folder / "log") as log:
            life = Life(stage, folder, environ, root, log, postgres_log, said, grants, listener, api_key)
            await live(stage)
            await register(life)
            yield life


def size_of(path: Path) -> int:
    return path.stat().st_size


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def seal(stage: Acted, folder: Path, environ: Mapping[str, str]) -> tuple[tuple[Mapping[str, str], ...], str]:
    """Has Ana's calendar read with her own grant, the others with a service account; all are sealed. Gives what they
    and Cleo, who is still to come, prove themselves with, and the key of the tenant's backend.
    """
    key = await stage.google.control("POST", "service-accounts", {"domains": ["tenant-a.test"]})
    (folder / "google.json").write_text(json.dumps(key))
    api_key = await asyncio.to_thread(_seal, environ, folder)
    database = stage.tools.database
    await database.run("UPDATE syncer.calendar SET credential = 'sealed:ana', subject = NULL WHERE google_id = $1", ANA)
    await database.run("UPDATE syncer.calendar SET credential = NULL, subject = $2 WHERE google_id <> $1", ANA, ANA)
    await database.run("UPDATE syncer.calendar SET subject = $1 WHERE google_id = $1", BO)
    cleo = await stage.google.control("POST", "users", {"email": CLEO})
    return (key, json.loads((folder / f"{ANA}.json").read_text()), cleo), api_key


async def register(life: Life) -> None:
    """The tenant's backend registers Cleo's calendar, with her grant."""
    grant = {name: life.grants[2][name] for name in ("client_id", "client_secret", "refresh_token", "token_uri")}
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {life.api_key}"}) as session,
        session.post(f"{life.root}{registration.CALENDARS}", json={"calendar": CLEO, "grant": grant}) as response,
    ):
        assert response.status in (200, 201), await response.text()
    await until_row(life.stage, "SELECT count(*) = 4 FROM syncer.calendar WHERE sync_token IS NOT NULL")


def _seal(environ: Mapping[str, str], folder: Path) -> str:
    with in_environ(environ):
        assert invoke(("keys", "new", "--json")) == 0
        for name, path, more in (
            ("google", "google.json", ()),
            ("ana", f"{ANA}.json", ()),
            ("hook", "webhook", ("--provider",)),
        ):
            assert invoke(("tenant", "seal", "acme", name, *more, "--from", str(folder / path), "--json")) == 0
        sealed = ("--credential", "sealed:google", "--provider-credential", "sealed:hook")
        assert invoke(("tenant", "set", "acme", *sealed, "--yes", "--json")) == 0
        return str(json.loads(ran("tenant", "key", "add", "acme", "--json"))["key"])


@asynccontextmanager
async def a_process(environ: Mapping[str, str], log: Path) -> AsyncIterator[Path]:
    """`syncer run` as a process of its own; gives the file of all that it says."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SYNCER_")}
    with log.open("ab") as out:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "syncer", "run"), stdout=out, stderr=out, env=kept | dict(environ)
        )
    try:
        yield log
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def live(stage: Acted) -> None:
    """Events with texts: made, changed, refused, written back to and deleted, with each fault once."""
    texts: dict[str, Any] = {
        "description": DESCRIPTION,
        "location": PLACE,
        "attendees": [{"email": GUEST, "displayName": GUEST_NAME}],
    }
    booked = await stage.book(TITLE, **texts)
    gone = await stage.book(f"{TITLE} gone", **texts)
    theirs = await stage.book(f"{TITLE} theirs", calendar=BO, **texts)
    for one, title in ((booked, TITLE), (theirs, f"{TITLE} theirs")):
        await until_titled(stage, one, title)
    await until_row(stage, WATCHED)
    await strike(stage, booked, theirs)
    await stage.change_meeting(booked, passcode=PASSCODE)
    await until_row(stage, WROTE_BACK)
    await stage.delete(gone)
    await until_row(stage, "SELECT count(*) > 0 FROM syncer.conference WHERE state = 'leaving'")


async def strike(stage: Acted, *booked: Booked) -> None:
    """Each fault of both servers strikes once, and the changes made meanwhile get there all the same."""
    await stage.set_google_faults(next=dict.fromkeys(KINDS, 1))
    await stage.vendor.set_faults(next={"slow": 1, "server_error": 1, "too_many": 1, "lost_answer": 1})
    await stage.google.control("POST", "expire-access-tokens", {"spare_people": True})
    for number, one in enumerate(booked):
        await stage.edit(one, summary=f"{TITLE} changed {number}")

    async def has_struck() -> bool:
        happened: dict[str, int] = (await stage.google.control("GET", "faults"))["happened"]
        return sum(happened.values()) >= _FAULTS

    await until(has_struck, seconds=_BACKOFF_SECONDS)
    await stage.set_google_faults(next={})
    for number, one in enumerate(booked):
        await until_titled(stage, one, f"{TITLE} changed {number}", seconds=_BACKOFF_SECONDS)
