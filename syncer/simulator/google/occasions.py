"""Answers `events.instances`: the occurrences of one series, changed and unchanged ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from syncer.simulator.google import expansion, instances, refusals, render, times, tokens
from syncer.simulator.google.parameters import Query
from syncer.simulator.google.render import View
from syncer.simulator.google.times import Json
from syncer.simulator.google.tokens import PageToken
from syncer.simulator.google.world import Calendar, Entry, World

MAX_RESULTS, MAX_RESULTS_CAP = 250, 2500


def page(world: World, calendar: Calendar, entry: Entry, query: Query, view: View) -> Json:
    """One `calendar#events` answer with instances, by their original starts. Raises Refusal for a bad page token."""
    most = min(query.count("maxResults") or MAX_RESULTS, MAX_RESULTS_CAP)
    place = _place(world, calendar, entry, query.text("pageToken"))
    rows = list(islice(_asked_for(world, calendar, entry, query), place.offset, place.offset + most + 1))
    view = replace(view, bare_tombstones=not world.switches.detailed_tombstones)
    answer = render.envelope(calendar, view.role, view.zone_name)
    answer["items"] = [render.event(calendar, row, view) for row in rows[:most]]
    if len(rows) > most:
        answer["nextPageToken"] = tokens.sealed(world, replace(place, offset=place.offset + most))
    return answer


def _place(world: World, calendar: Calendar, entry: Entry, text: str) -> PageToken:
    first = PageToken(calendar.id, "instances", 0, world.number, entry.resource["id"])
    token = tokens.opened_page(world, text) if text else first
    if token is None or (token.calendar_id, token.mode, token.fingerprint) != (
        first.calendar_id,
        first.mode,
        first.fingerprint,
    ):
        raise refusals.invalid("Invalid page token value.", parameter="pageToken")
    return token


def _asked_for(world: World, calendar: Calendar, entry: Entry, query: Query) -> Iterator[Entry]:
    after, before = query.instant("timeMin"), query.instant("timeMax")
    original = query.text("originalStart")
    for row in _instances(world, calendar, entry):
        if row.is_cancelled and not query.flag("showDeleted"):
            continue
        starts_at = times.instant_of(row.resource.get("start"), calendar.time_zone)
        ends_at = times.instant_of(row.resource.get("end"), calendar.time_zone)
        is_early = after is not None and ends_at is not None and ends_at <= after
        is_late = before is not None and starts_at is not None and starts_at >= before
        if is_early or is_late or (original and not _is_named(calendar, row, original)):
            continue
        yield row


def _is_named(calendar: Calendar, row: Entry, original: str) -> bool:
    wanted: dict[str, Any] = {"dateTime": original} if "T" in original else {"date": original}
    at = times.instant_of(row.resource.get("originalStartTime"), calendar.time_zone)
    return at is not None and at == times.instant_of(wanted, calendar.time_zone)


def _instances(world: World, calendar: Calendar, entry: Entry) -> Iterator[Entry]:
    if not entry.resource.get("recurrence"):
        if not entry.is_cancelled:
            yield entry
        return
    stored = {_original_at(calendar, row): row for _, row in calendar.exceptions_of(entry.resource["id"])}
    for starts_at in _starts(calendar, entry):
        row = stored.pop(starts_at, None)
        if row is not None:
            yield row
        elif not entry.is_cancelled:
            yield instances.at(calendar, entry, starts_at, is_opaque=world.switches.opaque_instance_ids)
    yield from (row for row in stored.values() if not row.is_bare)


def _starts(calendar: Calendar, entry: Entry) -> Iterator[datetime]:
    try:
        yield from expansion.starts(entry.resource, calendar.time_zone)
    except expansion.Unexpandable:
        return


def _original_at(calendar: Calendar, row: Entry) -> datetime:
    found = times.instant_of(row.resource.get("originalStartTime"), calendar.time_zone)
    return found.astimezone(UTC) if found else datetime.max.replace(tzinfo=UTC)
