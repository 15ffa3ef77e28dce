"""Values for tests of the rules, each made in one line; what a test does not name is ordinary."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, settings
from msgspec import structs

from syncer.model.calendar import (
    Calendar,
    CalendarKey,
    ConferenceSolution,
    Cursor,
    Event,
    Link,
    Matcher,
    Page,
    Policy,
    Shown,
    Status,
    When,
)
from syncer.model.conference import Conference, Meeting, State, Wanted
from syncer.rules import decide

LAW = settings(derandomize=True, deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TODAY = NOW.date()
ZONES = frozenset({"Europe/Zurich", "Europe/Paris", "UTC"})
ANA = "ana@tenant-a.test"
BO = "bo@tenant-b.test"
URL = "https://meet.example.org/j/81234567890?pwd=a1"
NEW_URL = "https://meet.example.org/j/81234567890?pwd=b2"
MEETING_ID = "81234567890"
OTHER_ID = "80000000001"
ADD_ON = Matcher(solution_type="addOn", solution_name="Example Meeting")


def zone_of(name: str) -> tzinfo | None:
    return ZoneInfo(name) if name in ZONES else None


def key(calendar_id: int = 1, tenant_id: int = 1) -> CalendarKey:
    return CalendarKey(tenant_id, calendar_id)


def policy(*matchers: Matcher, **changes: Any) -> Policy:
    return replace(Policy(matchers=matchers or (ADD_ON,)), **changes)


def cursor(**changes: Any) -> Cursor:
    return structs.replace(Cursor(sync_token="s1", generation=1, is_full_read=False), **changes)


def calendar(**changes: Any) -> Calendar:
    ordinary = Calendar(key(), ANA, ANA, "file:key.json", frozenset({ANA}), cursor())
    return structs.replace(ordinary, **changes)


def at(hours: float = 0.0, *, time_zone: str | None = None) -> When:
    """So many hours after NOW."""
    return When(at=NOW + timedelta(hours=hours), time_zone=time_zone)


def on(text: str) -> When:
    return When(day=date.fromisoformat(text))


def solution(meeting_id: str | None = MEETING_ID, **changes: Any) -> ConferenceSolution:
    return structs.replace(ConferenceSolution(meeting_id, "addOn", "Example Meeting", (URL,)), **changes)


def event(event_id: str = "e1", **changes: Any) -> Event:
    """Ana's own event an hour from now, with our meeting."""
    ordinary = Event(
        event_id=event_id,
        etag='"1"',
        status=Status.CONFIRMED,
        has_details=True,
        organizer=ANA,
        is_organizer_self=True,
        title="Design review",
        starts=at(1),
        ends=at(2),
        created_at=NOW - timedelta(days=1),
        attendee_count=2,
        solution=solution(),
        shown=Shown(join_urls=(URL,)),
    )
    return structs.replace(ordinary, **changes)


def tombstone(event_id: str = "e1", **changes: Any) -> Event:
    """A bare one, as incremental reads give it."""
    return structs.replace(Event(event_id, '"2"', Status.CANCELLED, has_details=False), **changes)


def link(read: Event | None = None, *, calendar_id: int = 1, meeting_id: str = MEETING_ID, **changes: Any) -> Link:
    read = event() if read is None else read
    return structs.replace(Link(key(calendar_id), read.event_id, 1, meeting_id, read, 1), **changes)


def sight(**changes: Any) -> decide.Sight:
    since = NOW - timedelta(days=1)
    ordinary = decide.Sight(calendar(), policy(), sees_details=True, is_repinned=False, since=since, zones=zone_of)
    return structs.replace(ordinary, **changes)


def meeting(**changes: Any) -> Meeting:
    return structs.replace(Meeting(MEETING_ID, join_url=URL), **changes)


def wanted(**changes: Any) -> Wanted:
    ordinary = Wanted("Design review", None, at(1), at(2), None, ANA, 2)
    return structs.replace(ordinary, **changes)


def conference(**changes: Any) -> Conference:
    ordinary = Conference(
        tenant_id=1,
        conference_id=7,
        account_id=1,
        meeting_id=MEETING_ID,
        is_owner=True,
        state=State.LIVE,
        wanted_version=3,
        applied_version=2,
        applied=wanted(),
        meeting=meeting(holds=wanted()),
    )
    return structs.replace(ordinary, **changes)


def page(**changes: Any) -> Page:
    return structs.replace(Page((), (), None, "s2", sees_details=True), **changes)


def entry(event_id: str = "e1", **changes: Any) -> dict[str, Any]:
    """An Event resource as Google tells it; a change to None takes the field away."""
    told: dict[str, Any] = {
        "kind": "calendar#event",
        "etag": '"1"',
        "id": event_id,
        "status": "confirmed",
        "created": "2026-11-10T08:02:11.000Z",
        "summary": "Canary title",
        "organizer": {"email": ANA, "self": True},
        "start": {"dateTime": "2026-11-25T10:00:00+01:00", "timeZone": "Europe/Zurich"},
        "end": {"dateTime": "2026-11-25T10:45:00+01:00", "timeZone": "Europe/Zurich"},
    }
    return {name: value for name, value in {**told, **changes}.items() if value is not None}


def answer(*entries: Any, **changes: Any) -> bytes:
    """An answer of events.list that holds these entries."""
    envelope = {"kind": "calendar#events", "accessRole": "owner", "nextSyncToken": "s2", "items": list(entries)}
    return json.dumps({**envelope, **changes}).encode()
