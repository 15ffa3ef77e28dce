"""What a meeting is at the simulated conferencing system; knows no HTTP and no clock."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec

BLANK: dict[str, Any] = {
    "description": None,
    "all_day": False,
    "timezone": None,
    "recurrence": [],
    "organizer": None,
    "attendee_count": 0,
}
"""What a new meeting holds where its maker said nothing; title, start and end must be said."""


class Override(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one occurrence of a series is instead; all three times are instants, or all are dates."""

    original_start: str
    start: str
    end: str
    title: str | None
    description: str | None

    def __post_init__(self) -> None:
        """Refuse times that no calendar could show."""
        moment(self.original_start)
        if _is_date(self.start) != _is_date(self.end) or moment(self.end) < moment(self.start):
            raise ValueError("an override's `end` lies before its `start`, or one is a date and the other is not")

    def compared(self) -> "tuple[Override, tuple[date, ...]]":
        """The override with its times fit to be compared."""
        neutral = msgspec.structs.replace(self, original_start="1970-01-01", start="1970-01-01", end="1970-01-01")
        return neutral, (moment(self.original_start), moment(self.start), moment(self.end))


class Series(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A further series of the same meeting: what a split made out of one."""

    start: str
    end: str
    timezone: str | None
    recurrence: tuple[str, ...]
    overrides: tuple[Override, ...] = ()

    def __post_init__(self) -> None:
        """Refuse times that no calendar could show."""
        if self.timezone is not None:
            _check_zone(self.timezone)
        if _is_date(self.start) != _is_date(self.end) or moment(self.end) < moment(self.start):
            raise ValueError("a further series' `end` lies before its `start`, or one is a date and the other is not")

    def compared(self) -> tuple[object, ...]:
        """The series with its times fit to be compared."""
        overrides = tuple(one.compared() for one in self.overrides)
        return moment(self.start), moment(self.end), self.timezone, self.recurrence, overrides


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """How a meeting should be, whole; `start` and `end` are RFC 3339 instants, or dates when it lasts all day."""

    title: str | None
    description: str | None
    start: str
    end: str
    all_day: bool
    timezone: str | None
    recurrence: tuple[str, ...]
    organizer: str | None
    attendee_count: Annotated[int, msgspec.Meta(ge=0)]
    overrides: tuple[Override, ...] = ()
    further: tuple[Series, ...] = ()

    def __post_init__(self) -> None:
        """Refuse times that no calendar could show."""
        if self.timezone is not None:
            _check_zone(self.timezone)
        if self._moment(self.end) < self._moment(self.start):
            raise ValueError("`end` lies before `start`")

    def is_same_as(self, other: "Wanted") -> bool:
        """Whether both say the same meeting, however their instants are written."""
        return self.compared() == other.compared()

    def compared(self) -> "tuple[Wanted, date, date, tuple[object, ...]]":
        """The meeting with its times as instants or dates, fit to be compared."""
        neutral = msgspec.structs.replace(
            self, start="1970-01-01", end="1970-01-01", all_day=True, overrides=(), further=()
        )
        overrides = tuple(one.compared() for one in self.overrides)
        further = tuple(one.compared() for one in self.further)
        return neutral, self._moment(self.start), self._moment(self.end), (overrides, further)

    def _moment(self, text: str) -> date:
        return _parse_date(text) if self.all_day else _parse_instant(text)


def moment(text: str) -> date:
    """The instant or the date that a text names. Raises ValueError with a sentence."""
    return _parse_date(text) if _is_date(text) else _parse_instant(text)


def _is_date(text: str) -> bool:
    return "T" not in text.upper()


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise ValueError("`timezone` is not an IANA zone name") from None


def _parse_date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("an all-day meeting starts and ends on dates like 2026-12-01") from None


def _parse_instant(text: str) -> datetime:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise ValueError("`start` and `end` are RFC 3339 instants with an offset unless `all_day` is true")
    try:
        return parsed.astimezone(UTC)
    except OverflowError:
        raise ValueError("`start` and `end` lie between the years 1 and 9999") from None


class Access(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a vendor's own user may change about the way in: the passcode, and whether the join URL is made anew."""

    passcode: Annotated[str, msgspec.Meta(pattern=r"\A[0-9A-Za-z@*_-]{1,10}\Z")] | msgspec.UnsetType = msgspec.UNSET
    new_join_url: bool = False


@dataclass(frozen=True, slots=True)
class Meeting:
    """A meeting as it stands; `revision` is the greatest one received over the webhook, 0 before the first."""

    id: str
    external_key: str | None
    holds: Wanted
    join_url: str
    passcode: str
    dial_in: tuple[str, ...]
    revision: int
    state: Literal["live", "deleted"]
    created_at: datetime
    updated_at: datetime

    def as_json(self) -> dict[str, Any]:
        """The meeting as the REST face shows it."""
        return {
            "id": self.id,
            "external_key": self.external_key,
            **self.held(),
            **self.way_in(),
            "revision": self.revision,
            "state": self.state,
            "created_at": rfc3339(self.created_at),
            "updated_at": rfc3339(self.updated_at),
        }

    def as_conference(self) -> dict[str, Any]:
        """The meeting as an answer of the webhook face shows it."""
        return {"id": self.id, **self.way_in(), "revision": self.revision, "holds": self.held()}

    def held(self) -> dict[str, Any]:
        """Title, times and the rest as JSON values."""
        plain: dict[str, Any] = msgspec.to_builtins(self.holds)
        return plain

    def way_in(self) -> dict[str, Any]:
        """How people get in: join URL, passcode and dial-in numbers."""
        return {"join_url": self.join_url, "passcode": self.passcode, "dial_in": list(self.dial_in)}


def rfc3339(at: datetime) -> str:
    """An instant as text in UTC, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
