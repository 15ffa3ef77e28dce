"""How requests to the control face are read and answered, and what is wrong with them told in a sentence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson
from aiohttp import web

from syncer.simulator.google import bodies, grants, times
from syncer.simulator.google.refusals import Refusal
from syncer.simulator.google.series import Cut
from syncer.simulator.google.times import Json
from syncer.simulator.google.world import Calendar, Entry, World

SPLIT_FIELDS = ("summary", "description", "location", "start", "end")

Answering = Callable[[web.Request], Awaitable[Json]]


class Wrong(Exception):
    """A control request that makes no sense; the message is the answer."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def answered(answer: Answering) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The function as aiohttp calls it: its value as JSON, what it raises as a sentence."""

    async def respond(request: web.Request) -> web.Response:
        status = 200
        try:
            body = await answer(request)
        except Wrong as wrong:
            status, body = wrong.status, {"error": str(wrong)}
        except ValueError as wrong_value:
            status, body = 400, {"error": str(wrong_value)}
        return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")

    return respond


async def body_of(request: web.Request) -> dict[str, Any]:
    """The body as a JSON object; an empty one when there is none."""
    text = await request.read()
    try:
        body = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        raise Wrong("The body is no JSON.") from None
    if not isinstance(body, dict):
        raise Wrong("The body is no JSON object.")
    return body


def address_of(body: Json, name: str) -> str:
    """An address in a field, in lower case."""
    value = body.get(name)
    if not isinstance(value, str) or "@" not in value:
        raise Wrong(f"Give an address such as ana@tenant-a.test as {name}.")
    return value.lower()


def domains_of(body: Json) -> frozenset[str]:
    """The field `domains`."""
    domains = body.get("domains")
    if not isinstance(domains, list) or not all(isinstance(name, str) for name in domains):
        raise Wrong("Give the domains whose users the service account may act as, as a list of names.")
    return frozenset(name.lower() for name in domains)


def project_of(body: Json) -> str:
    """The field `project`: the Google Cloud project whose quota a credential uses."""
    project = body.get("project", grants.PROJECT)
    if not isinstance(project, str) or not project:
        raise Wrong("Give the name of a Google Cloud project as project.")
    return project


def instant_of(value: object, name: str) -> datetime | None:
    """An instant, or None for null."""
    at = times.instant(value)
    if value is not None and at is None:
        raise Wrong(f'Give {name} as an instant such as "2026-12-01T09:00:00Z", or null.')
    return at


def split_of(world: World, body: Json) -> tuple[Calendar, Entry, Cut]:
    """Which series is to be split, and how.

    `at`: the original start of the later half's first occurrence, an instant or a date. `fields`: what the later half
    has of its own, of SPLIT_FIELDS. `conference`, `exceptions`: whether it has the conference and the later exceptions
    of the series, both true unless said otherwise.
    """
    calendar = world.calendars.get(str(body.get("calendar", "")).lower())
    entry = calendar.entries.get(str(body.get("event_id", ""))) if calendar else None
    if calendar is None or entry is None or entry.home is not None or entry.is_cancelled:
        raise Wrong("Give the organizer's calendar of a live series as calendar, and its id as event_id.", 404)
    text = str(body.get("at", ""))
    at = times.instant_of({"dateTime": text} if "T" in text else {"date": text}, calendar.time_zone)
    if at is None:
        raise Wrong('Give at as an instant such as "2026-12-01T09:00:00Z", or a date.')
    fields = body.get("fields", {})
    if not isinstance(fields, dict) or not fields.keys() <= set(SPLIT_FIELDS):
        raise Wrong(f"Give fields as an object with some of {', '.join(SPLIT_FIELDS)}.")
    whole = Cut(at, _fields(calendar, fields))
    return (
        calendar,
        entry,
        replace(
            whole,
            has_conference=body.get("conference") is not False,
            keeps_exceptions=body.get("exceptions") is not False,
        ),
    )


def _fields(calendar: Calendar, fields: Json) -> Json:
    try:
        found = bodies.writable(fields)
        return found | {
            side: times.checked(found[side], side, calendar.time_zone) for side in ("start", "end") if side in found
        }
    except Refusal as refusal:
        raise Wrong(f"A field of the later half cannot be read: {refusal}.") from refusal
