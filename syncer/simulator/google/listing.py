"""The parameters of `events.list`, read and checked, and which entries they let through."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from syncer.simulator.google import refusals, times
from syncer.simulator.google.parameters import Query
from syncer.simulator.google.switches import Switches
from syncer.simulator.google.times import Json
from syncer.simulator.google.world import Calendar, Entry

MAX_RESULTS = 250
MAX_RESULTS_CAP = 2500
NOT_WITH_SYNC_TOKEN = (
    "iCalUID",
    "orderBy",
    "privateExtendedProperty",
    "q",
    "sharedExtendedProperty",
    "timeMin",
    "timeMax",
    "updatedMin",
)
NO_TOKEN_AFTER = tuple(name for name in NOT_WITH_SYNC_TOKEN if name != "timeMin")
PINNED = (
    "singleEvents",
    "maxResults",
    "eventTypes",
    "maxAttendees",
    "showHiddenInvitations",
    "timeZone",
    "showDeleted",
)
DAYS_BY_FREQUENCY = {"DAILY": 1, "WEEKLY": 7, "MONTHLY": 31, "YEARLY": 366}
RULE_PART = re.compile(r"([A-Z]+)=([^;]*)")


@dataclass(frozen=True, slots=True)
class ListQuery:
    """A checked query: what it asks for, and its two fingerprints.

    sync_token, page_token: their texts, empty when they were not given. pinned: of what must stay the same for a
    sync token. whole: of everything but tokens, for page tokens.
    """

    max_results: int
    show_deleted: bool
    sync_token: str
    page_token: str
    gives_token: bool
    is_ordered: bool
    pinned: str
    whole: str
    time_min: datetime | None = None
    time_max: datetime | None = None
    updated_min: datetime | None = None
    filters: dict[str, list[str]] = field(default_factory=dict)


def read(query: Query, subject: str, switches: Switches) -> ListQuery:
    """The list query in a request's parameters.

    subject: the caller, to whom tokens belong. switches: which parameters cost the sync token.
    Raises Refusal for what Google refuses.
    """
    _check_combinations(query)
    time_min, time_max = query.instant("timeMin"), query.instant("timeMax")
    if time_min and time_max and time_max <= time_min:
        raise refusals.time_range_empty()
    return ListQuery(
        max_results=min(query.count("maxResults") or MAX_RESULTS, MAX_RESULTS_CAP),
        show_deleted=query.flag("showDeleted"),
        sync_token=query.text("syncToken"),
        page_token=query.text("pageToken"),
        gives_token=not any(query.has(name) for name in _no_token_after(switches)),
        is_ordered=query.text("orderBy") == "updated",
        pinned=_fingerprint(query, PINNED, subject),
        whole=_fingerprint(query, PINNED + NOT_WITH_SYNC_TOKEN, subject),
        time_min=time_min,
        time_max=time_max,
        updated_min=query.instant("updatedMin"),
        filters={
            name: query.all(name)
            for name in ("iCalUID", "q", "privateExtendedProperty", "sharedExtendedProperty", "eventTypes")
            if query.has(name)
        },
    )


def _no_token_after(switches: Switches) -> list[str]:
    kept = {"timeMax": switches.time_max_ends_sync, "updatedMin": switches.updated_min_ends_sync}
    return [name for name in NO_TOKEN_AFTER if kept.get(name, True)]


def _check_combinations(query: Query) -> None:
    if query.flag("singleEvents"):
        raise refusals.invalid(
            "This simulator does not expand series: ask with singleEvents=false.", parameter="singleEvents"
        )
    if query.text("orderBy") not in ("", "updated"):
        message = "The requested ordering is not available for the particular query."
        raise refusals.invalid(message, parameter="orderBy")
    if not query.has("syncToken"):
        return
    for name in NOT_WITH_SYNC_TOKEN:
        if query.has(name):
            raise refusals.not_with_sync_token(name)
    if query.has("showDeleted") and not query.flag("showDeleted"):
        raise refusals.not_with_sync_token("showDeleted")


def _fingerprint(query: Query, names: tuple[str, ...], subject: str) -> str:
    asked = [subject, *([name, query.all(name)] for name in names if query.has(name))]
    return hashlib.blake2b(orjson.dumps(asked), digest_size=6).hexdigest()


def lets_through(calendar: Calendar, entry: Entry, asked: ListQuery) -> bool:
    """Whether a listing without sync token shows this entry."""
    is_deletion_shown = asked.show_deleted or asked.updated_min is not None
    if entry.is_cancelled and not is_deletion_shown and not _is_excluded_instance(calendar, entry):
        return False
    if asked.updated_min is not None:
        updated_at = times.instant(entry.resource.get("updated"))
        if updated_at is not None and updated_at < asked.updated_min:
            return False
    return _is_in_window(calendar, entry.resource, asked) and _matches(entry.resource, asked.filters)


def _is_excluded_instance(calendar: Calendar, entry: Entry) -> bool:
    master_id = entry.resource.get("recurringEventId")
    if master_id is None:
        return False
    master = calendar.entries.get(master_id)
    return master is None or not master.is_cancelled


def _is_in_window(calendar: Calendar, resource: Json, asked: ListQuery) -> bool:
    zone = calendar.time_zone
    starts_at = times.instant_of(resource.get("start"), zone)
    ends_at = times.instant_of(resource.get("end"), zone)
    if asked.time_min and starts_at and ends_at:
        last_end_at = _series_end(resource, starts_at, ends_at) if resource.get("recurrence") else ends_at
        if last_end_at is not None and last_end_at <= asked.time_min:
            return False
    return not (asked.time_max and starts_at and starts_at >= asked.time_max)


def _series_end(resource: Json, starts_at: datetime, ends_at: datetime) -> datetime | None:
    """The latest possible end of a series, by its rule alone; None when it may go on for ever."""
    if any(not line.startswith(("RRULE", "EXDATE", "EXRULE")) for line in resource["recurrence"]):
        return None
    rules = [dict(RULE_PART.findall(line)) for line in resource["recurrence"] if line.startswith("RRULE")]
    bounds = [_last_start(rule, starts_at) for rule in rules]
    known = [bound for bound in bounds if bound is not None]
    if len(known) < len(bounds):
        return None
    try:
        return max([starts_at, *known]) + (ends_at - starts_at)
    except OverflowError:
        return None


def _last_start(rule: dict[str, str], starts_at: datetime) -> datetime | None:
    try:
        if "UNTIL" in rule:
            until = datetime.strptime(rule["UNTIL"][:8], "%Y%m%d").replace(tzinfo=UTC)
            return until + timedelta(days=1)
        count, interval = int(rule["COUNT"]), int(rule.get("INTERVAL", "1"))
        return starts_at + timedelta(days=DAYS_BY_FREQUENCY[rule["FREQ"]] * count * interval)
    except (KeyError, ValueError, OverflowError):
        return None


def _matches(resource: Json, filters: dict[str, list[str]]) -> bool:
    return all(_matches_one(resource, name, wanted) for name, wanted in filters.items())


def _matches_one(resource: Json, name: str, wanted: list[str]) -> bool:
    if name == "iCalUID":
        return resource.get("iCalUID") == wanted[-1]
    if name == "eventTypes":
        return resource.get("eventType", "default") in wanted
    if name == "q":
        return wanted[-1].lower() in _searched_text(resource)
    side = "private" if name == "privateExtendedProperty" else "shared"
    properties: dict[str, Any] = resource.get("extendedProperties", {}).get(side, {})
    return all(properties.get(text.partition("=")[0]) == text.partition("=")[2] for text in wanted)


def _searched_text(resource: Json) -> str:
    texts = [str(resource.get(name) or "") for name in ("summary", "description", "location")]
    people = [*resource.get("attendees", []), resource.get("organizer", {})]
    texts += [str(row.get(name) or "") for row in people for name in ("email", "displayName")]
    return "\n".join(texts).lower()
