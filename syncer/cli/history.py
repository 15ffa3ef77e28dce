"""What was done to a meeting, when and why, in sentences made from the rows of its history. Knows no clock."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from syncer.cli.output import listed, span
from syncer.model.conference import Wanted

if TYPE_CHECKING:
    from syncer.store.overview import Happening

# What is known of each kind. One that stands here and nowhere in the code is of rows that an older version left.
_SENTENCES: Mapping[str, str] = {
    "linked": "{event} refers to {meeting}",
    "registered": "a backend registered the meeting, whose event is awaited",
    "unlinked": "{event} no longer refers to the meeting",
    "excluded": "the occurrence of {occurrence} is not part of the meeting any more, by {event}",
    "read_anew": "the calendar is read from the start",
    "deleted": "the meeting was deleted at its provider",
    "gone": "the provider has no such meeting (any more)",
    "rejected": "the provider refused the change, which is not repeated",
    "retry": "the call failed, and is tried again later",
    "waits": "nothing was sent, for there is no room now; it is tried again later",
    "gave_up": "the provider failed it for so long that it waits for a person now",
    "retried": "a person asked for it to be tried again at once",
    "stale": "the provider had taken a later revision from us already; ours changed nothing",
    "read_back": "the meeting was read back at its provider",
    "held": "its deletion is held for a person",
    "released": "a person let its deletion through",
    "handed_over": "another tenant drives the meeting now",
    "leaving": "no event is left; the meeting is deleted after the grace if its event is really gone",
    "kept": "the meeting is kept",
    "wrote_back": "{event} was given what its provider says now",
    "write_back_refused": "{event} could not be given what its provider says",
    "took_back": "our lines were taken out of {event}, which has the meeting no more",
    "detached": "the meeting is no longer ours to touch",
    "set_aside": "{event} cannot be used",
}
# In the order in which they are told.
_FACTS: Mapping[str, str] = {
    "during": "while {}",
    "handed_on": "time has passed over the event that decided, another one decides, so it is pushed again",
    "drifted": "it differs from what is wanted, so it is pushed again",
    "revision": "revision {}",
    "rung": "in its {}",
    "rungs": "tried: its {}",
    "refused": "not possible: its {}",
    "not_held": "its provider does not hold the {} as wanted",
    "left_out": "there are too many: of the {} only the latest are told to its provider",
    "grace_seconds": "a grace of {}",
}
_NAMES: Mapping[str, str] = {
    "starts": "start",
    "ends": "end",
    "time_zone": "time zone",
    "attendee_count": "number of guests",
    "recurrence": "repetition",
    "overrides": "single occurrences",
    "further": "further part of the series",
    "excluded": "cancelled occurrences",
    "conferenceData": "conference",
}
_TIMES = frozenset({"starts", "ends"})
# Told by the sentence itself, not behind it.
_WOVEN: Mapping[str, frozenset[str]] = {
    "changed": frozenset({"changed", "starts", "ends", "started", "page", "seen_by"}),
    "linked": frozenset({"page", "seen_by"}),
    "unlinked": frozenset({"page", "seen_by"}),
    "detached": frozenset({"page", "seen_by"}),
    "updated": frozenset({"changed", "revision", "ms", "found", "is_join_url_new"}),
    "excluded": frozenset({"occurrence"}),
}
_AFTER_A_PUSH = frozenset({"wrote_back", "write_back_refused"})


def lines(happenings: "Sequence[Happening]", *, is_of_many: bool = False) -> list[str]:
    """A line each, with its time in UTC, in the order given, which is oldest first.

    is_of_many: not all of one meeting, so each names its own.
    """
    told = []
    for place, one in enumerate(happenings):
        text = sentence(one, wrote_back=_wrote_back(one, happenings[place + 1 :]))
        is_named = not is_of_many or (one.meeting_id or "") in text
        told.append(f"{one.at:%Y-%m-%d %H:%M:%S} UTC  {text if is_named else f'Meeting {one.meeting_id}: {text}'}")
    return told


def sentence(happening: "Happening", *, wrote_back: bool | None = None) -> str:
    """One happening. Kinds and facts that are not known here are told by their names.

    wrote_back: an event was written to after it and before the next update; None when nobody knows.
    """
    tell = _TOLD.get(happening.kind)
    if tell is None:
        text = _SENTENCES.get(happening.kind, happening.kind.replace("_", " ")).format(
            event=_event(happening), meeting=_meeting(happening), occurrence=_occurrence(happening)
        )
    else:
        text = tell(happening)
    if happening.kind == "updated" and wrote_back is False:
        text += ", nothing written back" if "join URL" in text else "; nothing written back"
    if happening.detail.get("reason"):
        text += f": {str(happening.detail['reason']).rstrip('.')}"
    facts = [*_sight(happening), *_facts(happening)]
    return f"{text[:1].upper()}{text[1:]} ({'; '.join(facts)})." if facts else f"{text[:1].upper()}{text[1:]}."


def _changed(happening: "Happening") -> str:
    """`event e of organizer ana@… was moved to Thu 26 Nov 10:00 (Europe/Paris), its title changed`."""
    detail, names, at = happening.detail, _names_of(happening), happening.at
    told = []
    if "starts" in names and detail.get("starts"):
        before = f"from {_when(detail['started'], at)} " if detail.get("started") else ""
        told = [f"was moved {before}to {_when(detail['starts'], at)}"]
    elif "ends" in names and detail.get("ends"):
        told = [f"ends {_when(detail['ends'], at)} now"]
    others = [named(name) for name in names if not (told and name in _TIMES)]
    if others:
        told.append(f"{'its' if told else 'had its'} {listed(others)} changed")
    return f"{_event(happening)} {', '.join(told) or 'was changed by people'}"


def _updated(happening: "Happening") -> str:
    """`meeting 81 was updated to revision 7 in 0.21 s: start and end; join URL unchanged`."""
    detail, names = happening.detail, _names_of(happening)
    revision = f" to revision {detail['revision']}" if "revision" in detail else ""
    took = f" in {detail['ms'] / 1000:.2f} s" if "ms" in detail else ""
    found = f" (found {detail['found']})" if detail.get("found") else ""
    is_whole = set(names) >= set(Wanted.__struct_fields__)
    what = f": {'all of it' if is_whole else listed([named(name) for name in names])}" if names else ""
    link = "; join URL {}".format("new" if detail["is_join_url_new"] else "unchanged") if _says_url(detail) else ""
    return f"{_meeting(happening)} was updated{revision}{took}{found}{what}{link}"


_TOLD: "Mapping[str, Callable[[Happening], str]]" = {"changed": _changed, "updated": _updated}


def _says_url(detail: Mapping[str, Any]) -> bool:
    return detail.get("is_join_url_new") is not None


def _wrote_back(happening: "Happening", later: "Sequence[Happening]") -> bool:
    """Whether an event was written to, or was to be, before the meeting's next update."""
    for one in [one for one in later if one.meeting_id == happening.meeting_id]:
        if one.kind == "updated":
            return False
        if one.kind in _AFTER_A_PUSH or "writing back" in str(one.detail.get("during", "")):
            return True
    return False


def _event(happening: "Happening") -> str:
    """`event e of organizer ana@…`, and on which calendar where that is not the organizer's own."""
    calendar = happening.calendar or happening.detail.get("calendar")
    if happening.event_id is None:
        return "an event"
    organizer = f" of organizer {happening.organizer}" if happening.organizer else ""
    where = f" on {calendar}" if calendar and calendar != happening.organizer else ""
    return f"event {happening.event_id}{organizer}{where}"


def _meeting(happening: "Happening") -> str:
    return f"meeting {happening.meeting_id}" if happening.meeting_id else "the meeting"


def _sight(happening: "Happening") -> list[str]:
    """Where a change was seen."""
    by, page = happening.detail.get("seen_by"), happening.detail.get("page")
    told = [f"by {by}"] if by else []
    told += [f"{'' if told else 'on '}page {page}"] if page else []
    return [f"seen {', '.join(told)}"] if told else []


def _facts(happening: "Happening") -> list[str]:
    detail = dict(happening.detail)
    woven = _WOVEN.get(happening.kind, frozenset()) | {"reason", "calendar"}
    names = [name for name in _FACTS if name in detail] + [name for name in detail if name not in _FACTS]
    return [_fact(name, detail[name]) for name in names if name not in woven and detail[name] not in (None, [])]


def _fact(name: str, value: object) -> str:
    if name == "grace_seconds" and isinstance(value, int | float):
        value = span(timedelta(seconds=value))
    parts = value if isinstance(value, list) else [value]
    is_named = name in ("rung", "rungs", "refused", "not_held", "left_out")
    text = listed([named(str(part)) if is_named else str(part) for part in parts])
    return _FACTS.get(name, f"{name.replace('_', ' ')} {{}}").format(text)


def _names_of(happening: "Happening") -> list[str]:
    changed = happening.detail.get("changed")
    return [str(name) for name in changed] if isinstance(changed, list) else []


def named(name: str) -> str:
    """The name of a field of what is wanted, or of a way to write back, as people say it."""
    return _NAMES.get(name, name.replace("_", " "))


def _occurrence(happening: "Happening") -> str:
    """A canonical original start, `2026-11-26` or `2026-11-26T09:00:00Z`."""
    text = str(happening.detail.get("occurrence", ""))
    return _when({"at" if "T" in text else "day": text}, happening.at) if text else "one day"


def _when(when: Mapping[str, Any], at: datetime) -> str:
    """A stored time as `Thu 26 Nov 10:00 (Europe/Paris)`, with its year where that is not the year of `at`."""
    day = when.get("day")
    if day is not None:
        return _dated(date.fromisoformat(str(day)), at)
    moment = datetime.fromisoformat(str(when["at"]))
    zone = _zone(when.get("time_zone"))
    local = moment.astimezone(zone or UTC)
    return f"{_dated(local.date(), at)} {local:%H:%M} ({when['time_zone'] if zone else 'UTC'})"


def _dated(day: date, at: datetime) -> str:
    return f"{day:%a} {day.day} {day:%b}" + (f" {day.year}" if day.year != at.year else "")


def _zone(name: object) -> ZoneInfo | None:
    try:
        return ZoneInfo(str(name)) if name else None
    except (KeyError, OSError, ValueError):  # unknown, unreadable or no name at all: told in UTC
        return None
