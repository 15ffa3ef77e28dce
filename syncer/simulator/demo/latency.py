"""How long each edit took to show on the other side, by the servers' own diaries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from syncer.simulator.people.record import Edit, Json, Kind, Meant, SeriesKind
from syncer.simulator.people.world import instant


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
        later = [other for other in edits[place:] if other.meeting_id == edit.meeting_id]
        if edit.kind is Kind.CHANGE_AT_PROVIDER:
            shown_ms = _first(write_backs.get(edit.where.event_id, ()), edit.sent_ms)
        elif edit.where.event_id in copies or isinstance(edit.kind, SeriesKind):
            # Of series nothing is measured: one call may answer many edits of it.
            shown_ms = None
        else:
            shown_ms = _shown_ms(edit, later, calls.get(edit.meeting_id, ()), accepted_ms)
        found.append(Followed(edit, None if shown_ms is None else shown_ms - accepted_ms))
    return found


def percentile(values: Iterable[float], share: float) -> float | None:
    """The value that this share (0.0 to 1.0) of them does not exceed, None of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None


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
    if edit.kind is Kind.UNDELETE:
        # The meeting is as it was: there is no call to wait for.
        return None
    is_gone = edit.meant is None or edit.meant.meeting_id is None
    fitting = [call for call in calls if _is_gone(call) if is_gone] or [
        call for call in calls for other in later if other.meant is not None and _holds(call, other, other.meant)
    ]
    return _first(fitting, accepted_ms)


def _is_gone(call: Json) -> bool:
    return bool(call["action"] == "delete")


def _holds(call: Json, edit: Edit, meant: Meant) -> bool:
    """Whether a call left the meeting as the person meant it."""
    held: Mapping[str, object] | None = call["holds"]
    return held is not None and (
        held["title"] == meant.title
        and held["organizer"] == edit.where.calendar_id
        and held["attendee_count"] == meant.guests
        and _moment(str(held["start"])) == _meant_moment(meant.starts)
        and _moment(str(held["end"])) == _meant_moment(meant.ends)
    )


def _moment(text: str) -> date:
    return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)


def _meant_moment(when: Json) -> date:
    return date.fromisoformat(when["date"]) if "date" in when else instant(when, "UTC")
