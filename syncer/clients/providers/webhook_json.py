"""The webhook's JSON: changes to bytes, answers to meetings. `webhook.schema.json` is the same for other people.

Unknown fields of an answer pass; every known one has a type and a length, for it comes from a stranger.
"""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from syncer.clients.http import BAD_JSON
from syncer.model.calendar import When
from syncer.model.conference import Change, ChangeKind, Meeting, Override, Series, Wanted
from syncer.rules import occurrence

# A length that Google takes. Source: Calendar API, Event resource, conferenceData.entryPoints: uri 1300, passcode 128.
MeetingId = Annotated[str, Meta(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
WebUrl = Annotated[str, Meta(max_length=1300, pattern=r"^https?://[^\x00-\x20\x7f<>\"]+\Z")]
Passcode = Annotated[str, Meta(max_length=128, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
DialIn = Annotated[str, Meta(max_length=1300, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
# Above it, readers that count in doubles lose exactness. Source: RFC 8259, section 6, on numbers.
Revision = Annotated[int, Meta(ge=0, le=2**53)]

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NAME_OF = {"starts": "start", "ends": "end", "time_zone": "timezone"}
_TYPE_OF = {
    ChangeKind.UPDATE: "conference.updated",
    ChangeKind.DELETE: "conference.deleted",
    ChangeKind.READ: "conference.read",
}


class OverrideAnswer(msgspec.Struct):
    """What one occurrence is instead."""

    original_start: str
    start: str
    end: str
    title: str | None = None
    description: str | None = None


class SeriesAnswer(msgspec.Struct):
    """A further half of a series."""

    start: str
    end: str
    timezone: str | None = None
    recurrence: list[str] = []
    overrides: list[OverrideAnswer] = []


class HeldAnswer(msgspec.Struct):
    """How the meeting is over there. Times: RFC 3339 with an offset, or a date for all-day meetings."""

    title: str | None = None
    description: str | None = None
    start: str | None = None
    end: str | None = None
    timezone: str | None = None
    recurrence: list[str] = []
    organizer: str | None = None
    attendee_count: Annotated[int, Meta(ge=0, lt=2**31)] = 0
    overrides: list[OverrideAnswer] = []
    further: list[SeriesAnswer] = []


class ConferenceAnswer(msgspec.Struct):
    """The meeting as the provider says it is."""

    id: MeetingId
    join_url: WebUrl | None = None
    passcode: Passcode | None = None
    dial_in: Annotated[list[DialIn], Meta(max_length=20)] = []
    revision: Revision | None = None
    holds: HeldAnswer | None = None


class WebhookAnswer(msgspec.Struct):
    """What the receiver says came of it."""

    status: Literal["applied", "unchanged", "not_found", "stale", "replaced"]
    conference: ConferenceAnswer | None = None


class ChangedReference(msgspec.Struct):
    """Which meeting is meant, in the vendor's own words."""

    id: Annotated[str, Meta(min_length=1, max_length=512)]

    def __post_init__(self) -> None:
        # Not by a pattern, which the vendor would be told of with all its escapes.
        if _CONTROL.search(self.id):
            raise ValueError("`id` holds a control character")


class Changed(msgspec.Struct):
    """Meetings that changed at the vendor. tenant: any that shares the account."""

    tenant: str
    conferences: Annotated[list[ChangedReference], Meta(min_length=1, max_length=500)]


class ChangedCall(msgspec.Struct):
    """The way back: look at these meetings."""

    type: Literal["conference.changed"]
    timestamp: Annotated[datetime, Meta(tz=True)]
    content: Changed = msgspec.field(name="data")


class _Sender(msgspec.Struct):
    tenant: str


class _SentCall(msgspec.Struct):
    content: _Sender = msgspec.field(name="data")


class ProblemAnswer(msgspec.Struct):
    """A refusal. Source: RFC 9457. type and code may be anything: nothing else is lost for it."""

    title: str = ""
    detail: str = ""
    type: object = None
    code: object = None


_CODE = re.compile(r"[a-z0-9-]{1,64}")

# Made at import, so that a type msgspec cannot do is found there and not taken for a bad answer.
_ANSWER = msgspec.json.Decoder(WebhookAnswer)
_PROBLEM = msgspec.json.Decoder(ProblemAnswer)
_CHANGED = msgspec.json.Decoder(ChangedCall)
_SENT = msgspec.json.Decoder(_SentCall)


def answer(body: bytes) -> WebhookAnswer:
    """The answer in a body. Raises BAD_JSON, of which msgspec.ValidationError names the place."""
    return _ANSWER.decode(body)


def problem(body: bytes) -> tuple[str, str | None]:
    """The words of a refusal, empty if it has none, and the vendor's code for it.

    That is the last part of its type's path or fragment, or what stands in `code`, if it looks like one. Words never
    become a code, for they may quote an event.
    """
    try:
        told = _PROBLEM.decode(body)
    except BAD_JSON:
        return "", None
    words = ": ".join(part for part in (told.title, told.detail) if part)
    return words, _code(_last_part(told.type)) or _code(told.code)


def _last_part(uri: object) -> str:
    if not isinstance(uri, str) or uri == "about:blank":
        return ""
    scheme, is_of_a_host, rest = uri.partition("://")
    # A host alone says nothing.
    path = re.sub(r"\A[^/#]*", "", rest) if is_of_a_host else scheme
    return re.split("[/#:]", path.rstrip("/"))[-1]


def _code(text: object) -> str | None:
    return text if isinstance(text, str) and _CODE.fullmatch(text) else None


def changed_ids(body: bytes) -> tuple[str, ...]:
    """The ids of the meetings in a call about changes, each once. Raises BAD_JSON."""
    return tuple(dict.fromkeys(conference.id for conference in _CHANGED.decode(body).content.conferences))


def sender(body: bytes) -> str | None:
    """Whom a call says to be from: a tenant's slug. Nothing is proved by it; it says under which secret to check."""
    try:
        return _SENT.decode(body).content.tenant
    except BAD_JSON:
        return None


def request(change: Change, *, sent_at: datetime) -> bytes:
    """The body of a call: exactly what is signed. sent_at: aware UTC, real time."""
    data: dict[str, object] = {
        "tenant": change.tenant,
        "revision": change.revision,
        "conference": {"id": change.meeting_id},
    }
    if change.wanted is not None:
        data["changed"] = [_NAME_OF.get(name, name) for name in change.changed]
        data["wanted"] = _wanted(change.wanted)
    return msgspec.json.encode(
        {
            "type": _TYPE_OF[change.kind],
            "timestamp": sent_at.astimezone(UTC).replace(microsecond=0),
            "data": data,
        }
    )


def meeting(conference: ConferenceAnswer) -> Meeting:
    """The meeting in an answer. Raises ValueError for times that are none."""
    return Meeting(
        meeting_id=conference.id,
        join_url=conference.join_url,
        passcode=conference.passcode,
        dial_in=tuple(conference.dial_in),
        revision=conference.revision,
        holds=None if conference.holds is None else _held(conference.holds),
    )


def _wanted(wanted: Wanted) -> dict[str, object]:
    told: dict[str, object] = {
        "title": wanted.title,
        "description": wanted.description,
        "start": _text(wanted.starts),
        "end": _text(wanted.ends),
        "all_day": wanted.starts.day is not None,
        "timezone": wanted.time_zone,
        "recurrence": wanted.recurrence,
        "organizer": wanted.organizer,
        "attendee_count": wanted.attendee_count,
    }
    if wanted.overrides:
        told["overrides"] = [_override(one) for one in wanted.overrides]
    if wanted.further:
        told["further"] = [_series(one) for one in wanted.further]
    return told


def _series(series: Series) -> dict[str, object]:
    told: dict[str, object] = {
        "start": _text(series.starts),
        "end": _text(series.ends),
        "timezone": series.time_zone,
        "recurrence": series.recurrence,
    }
    if series.overrides:
        told["overrides"] = [_override(one) for one in series.overrides]
    return told


def _override(override: Override) -> dict[str, object]:
    return {
        "original_start": override.original_start,
        "start": _text(override.starts),
        "end": _text(override.ends),
        "title": override.title,
        "description": override.description,
    }


def _held(held: HeldAnswer) -> Wanted | None:
    """None when the provider does not say when the meeting is: half a state cannot be compared."""
    if held.start is None or held.end is None:
        return None
    return Wanted(
        title=_clean(held.title),
        description=_clean(held.description),
        starts=_when(held.start),
        ends=_when(held.end),
        time_zone=_clean(held.timezone),
        organizer=_clean(held.organizer),
        attendee_count=held.attendee_count,
        recurrence=_lines(held.recurrence),
        overrides=_overrides(held.overrides),
        further=tuple(_held_series(one) for one in held.further),
    )


def _held_series(held: SeriesAnswer) -> Series:
    return Series(
        _when(held.start), _when(held.end), _clean(held.timezone), _lines(held.recurrence), _overrides(held.overrides)
    )


def _overrides(held: list[OverrideAnswer]) -> tuple[Override, ...]:
    found = [
        Override(
            occurrence.canonical(_when(one.original_start)),
            _when(one.start),
            _when(one.end),
            _clean(one.title),
            _clean(one.description),
        )
        for one in held
    ]
    return tuple(sorted(found, key=lambda one: one.original_start))


def _lines(held: list[str]) -> tuple[str, ...]:
    return tuple(line.replace("\0", "") for line in held)


def _text(when: When) -> str:
    if when.at is not None:
        return when.at.isoformat()
    return when.day.isoformat() if when.day is not None else ""


def _when(text: str) -> When:
    if len(text) == len("2026-12-01"):
        return When(day=date.fromisoformat(text))
    at = datetime.fromisoformat(text)
    if not 1900 < at.year < 2200:
        raise ValueError("a year that no calendar of ours has")
    return When(at=at)


def _clean(text: str | None) -> str | None:
    """Without NUL, which Postgres takes in no text."""
    return None if text is None else text.replace("\0", "")
