"""Builders for tests of the conferencing simulator: a served vendor with one account, and signed calls to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import orjson
from aiohttp import ClientSession
from jsonschema import Draft202012Validator
from standardwebhooks import Webhook

from syncer.simulator.clock import SimulatedClock
from syncer.simulator.conferencing import ConferencingSimulator
from syncer.simulator.serve import serving

WANTED: dict[str, Any] = {
    "title": "Design review",
    "description": None,
    "start": "2026-12-01T15:00:00+01:00",
    "end": "2026-12-01T15:45:00+01:00",
    "all_day": False,
    "timezone": "Europe/Paris",
    "recurrence": [],
    "organizer": "ana@acme.test",
    "attendee_count": 4,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass(frozen=True, slots=True)
class Vendor:
    """A served conferencing simulator seen from outside, with one account."""

    session: ClientSession
    root: str
    account: dict[str, str]

    async def ask(self, method: str, path: str, **more: Any) -> Reply:
        async with self.session.request(method, self.root + path, **more) as response:
            return Reply(response.status, dict(response.headers), await response.read())

    async def rest(self, method: str, path: str, *, headers: dict[str, str] | None = None, **more: Any) -> Reply:
        bearer = {"Authorization": f"Bearer {self.account['api_token']}"}
        return await self.ask(method, f"v1/{path}", headers=bearer | (headers or {}), **more)

    async def new_meeting(self, **more: Any) -> dict[str, Any]:
        made = await self.rest("POST", "meetings", json=WANTED | more)
        assert made.status == 201, made.body
        return dict(made.json)

    async def meeting(self, meeting_id: str) -> dict[str, Any]:
        return dict((await self.rest("GET", f"meetings/{meeting_id}")).json)

    async def call(self, content: dict[str, Any], *, webhook_id: str, **headers: str) -> Reply:
        body = orjson.dumps(content)
        signed = sign(self.account["webhook_secret"], webhook_id, body) | headers
        return await self.ask("POST", "accounts/acme/hooks/calendar", data=body, headers=signed)

    async def diary(self) -> list[dict[str, Any]]:
        return list((await self.ask("GET", "simulator/diary")).json["entries"])

    async def set_faults(self, **settings: Any) -> None:
        assert (await self.ask("PUT", "simulator/faults", json=settings)).status == 200

    async def happened(self) -> dict[str, int]:
        return dict((await self.ask("GET", "simulator/faults")).json["happened"])


def sign(secret: str, webhook_id: str, body: bytes) -> dict[str, str]:
    """The three headers, signed now."""
    now = datetime.now(UTC)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, now, body.decode()),
        "content-type": "application/json",
    }


def updated(meeting_id: str, *, revision: int, **wanted: Any) -> dict[str, Any]:
    """A call that makes the meeting as WANTED, but for the given fields."""
    content = _content("conference.updated", meeting_id, revision)
    content["data"] |= {"changed": sorted(wanted), "wanted": WANTED | wanted}
    return content


def deleted(meeting_id: str, *, revision: int) -> dict[str, Any]:
    return _content("conference.deleted", meeting_id, revision)


def read(meeting_id: str, *, revision: int = 0) -> dict[str, Any]:
    return _content("conference.read", meeting_id, revision)


def _content(kind: str, meeting_id: str, revision: int) -> dict[str, Any]:
    target = {"tenant": "acme", "revision": revision, "conference": {"id": meeting_id}}
    return {"type": kind, "timestamp": "2026-12-01T09:00:00Z", "data": target}


@asynccontextmanager
async def a_vendor(*, seed: int = 1) -> AsyncIterator[Vendor]:
    """A vendor with the account `acme`, on a free port of this machine."""
    application = ConferencingSimulator(SimulatedClock(), seed).application()
    async with serving(application) as root, ClientSession() as session:
        async with session.post(f"{root}simulator/accounts", json={"slug": "acme"}) as response:
            account = await response.json()
        yield Vendor(session, root, account)


def schema() -> dict[str, Any]:
    """The published schema of the webhook."""
    text = files("syncer.clients.providers").joinpath("webhook.schema.json").read_bytes()
    return dict(orjson.loads(text))


def check(value: Any, anchor: str) -> None:
    """Raises jsonschema's ValidationError unless the value is what the schema says under that anchor."""
    whole = schema()
    Draft202012Validator({"$ref": f"#/$defs/{anchor}", "$defs": whole["$defs"]}).validate(value)
