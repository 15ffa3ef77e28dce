"""How long each edit took to show on the other side, by the servers' own diaries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from syncer.simulator.judge import series
from syncer.simulator.judge.series import Occurrence
from syncer.simulator.people.occasions import SPLITS
from syncer.simulator.people.record import AnyKind, Edit, Json, Kind, Meant, SeriesKind
from syncer.simulator.people.world import instant

_WITHOUT_CALL: frozenset[AnyKind] = frozenset({Kind.UNDELETE, SeriesKind.UNDELETE_SERIES, SeriesKind.DECLINE})
"""The meeting is as it was: there is no call to wait for."""
_OF_TIMES: frozenset[AnyKind] = SPLITS | {SeriesKind.MOVE_SERIES}
_ABOUT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Diaries:
    """What both servers wrote down, oldest first."""

    google: Sequence[Json]
    vendor: Sequence[Json]


@dataclass(frozen=True, slots=True)
class Followed:
    """One edit, and after how many milliseconds the other side showed it; None where no call was needed."""

    edit: Edit
    latency_ms: float | None


def measure(edits: Sequence[Edit], diaries: Diaries) -> list[Followed]:
    """Each edit with its latency.

    From the moment at which the edited server accepted it to the first call after it that leaves the meeting as meant
    by this edit or a later one of the same meeting; for changes at the provider to the first write-back to the event.
    Copies of an event have none: they do not decide while the event itself is there.
    """
    calls = _by(entry for entry in diaries.vendor if entry["face"] == "webhook" and entry["applied"])
    write_backs = _by((entry for entry in diaries.google if is_write_back(entry)), key="event_id")
    people = _by((entry for entry in diaries.google if entry["actor"] == "people"), key="event_id")
    copies = {edit.where.event_id for edit in edits if edit.kind in (Kind.DUPLICATE, SeriesKind.DUPLICATE_SERIES)}
    found = []
    for place, edit in enumerate(edits):
        accepted_ms = _accepted_ms(edit, people.get(edit.where.event_id, ()))
        later = [other for other in edits[place:] if _is_followed_by(edit, other)]
        if edit.kind is Kind.CHANGE_AT_PROVIDER:
            shown_ms = _first(write_backs.get(edit.where.event_id, ()), edit.sent_ms)
        elif edit.where.event_id in copies or edit.kind in _WITHOUT_CALL:
            shown_ms = None
        else:
            shown_ms = _shown_ms(edit, later, calls.get(edit.meeting_id, ()), accepted_ms)
        found.append(Followed(edit, None if shown_ms is None else shown_ms - accepted_ms))
    return found


def percentile(values: Iterable[float], share: float) -> float | None:
    """The value that this share (0.0 to 1.0) of them does not exceed, None of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None


def to_provider_ms(followed: Iterable[Followed]) -> list[float]:
    """From Google's side to the provider's, all edits that call it."""
    return [
        one.latency_ms
        for one in followed
        if one.latency_ms is not None and one.edit.kind is not Kind.CHANGE_AT_PROVIDER
    ]


def is_write_back(entry: Json) -> bool:
    """Whether an entry of Google's diary is an event that the service changed."""
    return bool(entry["actor"] == "client" and entry.get("change"))


def _by(entries: Iterable[Json], key: str = "meeting_id") -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = defaultdict(list)
    for entry in entries:
        found[str(entry[key])].append(entry)
    return dict(found)


def _accepted_ms(edit: Edit, entries: Sequence[Json]) -> float:
    """When the server took it: the time in its diary, which lies between asking and being answered."""
    times = [float(entry["monotonic_ms"]) for entry in entries if entry.get("change")]
    return max((at for at in times if edit.sent_ms <= at <= edit.answered_ms), default=edit.answered_ms)


def _first(entries: Iterable[Json], after_ms: float) -> float | None:
    return next((float(entry["monotonic_ms"]) for entry in entries if entry["monotonic_ms"] > after_ms), None)


def _shown_ms(edit: Edit, later: Sequence[Edit], calls: Iterable[Json], accepted_ms: float) -> float | None:
    if edit.was is not None:
        return _first((call for call in calls if _is_without(call, edit.was)), accepted_ms)
    is_gone = edit.meant is None or edit.meant.meeting_id is None
    fitting = [call for call in calls if _is_gone(call) if is_gone] or [
        call for call in calls for other in later if other.meant is not None and _holds(call, other, other.meant)
    ]
    return _first(fitting, accepted_ms)


def _is_gone(call: Json) -> bool:
    return bool(call["action"] == "delete")


def _is_followed_by(edit: Edit, other: Edit) -> bool:
    """Whether a later edit says what this one said, or itself. Those of series speak of a part of a meeting only."""
    of_series = isinstance(edit.kind, SeriesKind) or isinstance(other.kind, SeriesKind)
    return other.meeting_id == edit.meeting_id and (not of_series or other.where == edit.where)


def _is_without(call: Json, was: Meant) -> bool:
    """Whether a call left the meeting without an occurrence that was taken out of it."""
    starts = _meant_moment(was.starts)
    return call["holds"] is not None and all(found[0] != starts for found in _occurrences(call["holds"], was))


def _occurrences(held: Json, meant: Meant) -> list[Occurrence]:
    """Those of a meeting about the time of an event."""
    at = instant(meant.starts, "UTC")
    try:
        return series.held(held, "UTC", (at - _ABOUT, at + _ABOUT))
    except series.Unjudgeable:
        return []


def _holds(call: Json, edit: Edit, meant: Meant) -> bool:
    """Whether a call left the meeting as the person meant it."""
    held: Json | None = call["holds"]
    if held is None:
        return False
    if meant.master is not None:
        # An instance, of its series' meeting or of one of its own.
        one = (_meant_moment(meant.starts), _meant_moment(meant.ends), " ".join((meant.title or "").split()))
        return one in _occurrences(held, meant)
    is_further = edit.kind in _OF_TIMES and any(_has_times(further, meant) for further in held.get("further", []))
    return is_further or (
        held["title"] == meant.title
        and held["organizer"] == edit.where.calendar_id
        and held["attendee_count"] == meant.guests
        and _has_times(held, meant)
    )


def _has_times(held: Json, meant: Meant) -> bool:
    """Whether a meeting, or a further series of it, begins, ends and repeats as meant; exclusions may be added."""
    return (
        _moment(str(held["start"])) == _meant_moment(meant.starts)
        and _moment(str(held["end"])) == _meant_moment(meant.ends)
        and {*meant.recurrence} <= {*held.get("recurrence", [])}
    )


def _moment(text: str) -> date:
    return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)


def _meant_moment(when: Json) -> date:
    return date.fromisoformat(when["date"]) if "date" in when else instant(when, "UTC")
