"""Why a calendar is or is not up to date, and what happens next, in plain sentences. Knows no database and no clock."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from syncer.cli import channel, history, story
from syncer.cli.output import counted, moment
from syncer.rules import timing

if TYPE_CHECKING:
    from syncer.store.overview import CalendarView, Driven, Note, Standing
    from syncer.store.unread import Unread

_SHOWN = 10
_WRONG_TYPE = re.compile(r"Expected `(?P<wanted>[^`]+)`, got `[^`]+` - at `\$\.(?P<place>[^`]+)`")
_KINDS: Mapping[str, str] = {
    "str": "text",
    "bool": "true or false",
    "int": "a number",
    "array": "a list",
    "object": "an object",
    "datetime": "an instant",
    "date": "a date",
}
_Row = TypeVar("_Row")


def sentences(standing: "Standing") -> list[str]:
    """The whole explanation, most important first. Holds ids, never text of events."""
    calendar = standing.calendar
    verdict = "is up to date" if is_up_to_date(standing) else "is not up to date"
    return [
        f"Calendar {calendar.google_id} of tenant {calendar.tenant} {verdict}.",
        *_of_serving(calendar, standing.at),
        *_of_reading(calendar, standing.at),
        *(channel.sentences(standing.channel, standing.at) if resuming(calendar) is None else ()),
        *_of_pushes(standing),
        *_of_deletions(standing),
        *_of_notes(standing.notes),
        *_of_unread(standing.unread),
        *_of_what_was(standing),
        _of_what_comes(standing),
    ]


def is_up_to_date(standing: "Standing") -> bool:
    """Served, read to its end without failures, and every meeting it drives is as wanted."""
    calendar = standing.calendar
    is_read = calendar.has_sync_token and not calendar.is_between_pages and not calendar.is_full_read
    is_seen = calendar.sees_details is not False
    is_open = any(
        _is_due(one) or one.state == "held" or _is_stuck(one) or _is_held(one) or _is_unshown(one)
        for one in standing.driven
    )
    return _is_looked_at(calendar) and is_read and is_seen and calendar.failures == 0 and not is_open


def reading(calendar: "CalendarView") -> str:
    """In a few words, how far the calendar was read."""
    if calendar.is_between_pages:
        return "full read under way" if calendar.is_full_read else "changes being read"
    if calendar.generation == 0:
        return "not yet"
    if not calendar.has_sync_token:
        return "full read due"
    return "full read under way" if calendar.is_full_read else "to its end"


def next_command(standing: "Standing") -> str:
    """What a person would do next."""
    calendar = standing.calendar
    if (paused := resuming(calendar)) is not None:
        return paused
    if not calendar.is_served:
        return "syncer run"
    if any(_is_guarded(one) for one in standing.driven):
        return _release(calendar)
    held = next((one for one in standing.driven if one.state == "held" or _is_held(one)), None)
    if held is not None:
        return _retry(calendar, held)
    if calendar.failures or calendar.state == "parked":
        return "syncer check"
    telling = [one for one in standing.driven if _is_due(one)] or [one for one in standing.driven if _is_stuck(one)]
    if telling:
        return _history(calendar, telling[0])
    return f"syncer conference list {calendar.tenant}"


def resuming(calendar: "CalendarView") -> str | None:
    """The command that has a paused calendar served again; None for one that is not paused."""
    if calendar.tenant_state == "paused":
        return f"syncer tenant resume {calendar.tenant}"
    return _resume(calendar) if calendar.state == "paused" else None


def _of_serving(calendar: "CalendarView", now: datetime) -> Iterator[str]:
    if calendar.tenant_state == "paused":
        yield (
            f"Tenant {calendar.tenant} is paused: nothing of it is read or changed until "
            f"`syncer tenant resume {calendar.tenant}`."
        )
    if calendar.state == "paused":
        yield (
            f"The calendar is paused{_because(calendar.reason)}: it is neither read nor changed until "
            f"`{_resume(calendar)}`."
        )
    if calendar.state == "parked":
        until = f" until {moment(calendar.next_look_at, now=now)}" if calendar.next_look_at else ""
        yield (
            f"The calendar is parked{until}{_because(calendar.reason)}. `syncer check` says what to mend; after that "
            f"`{_resume(calendar)}` has it looked at again at once. It resumes by itself too: within "
            "seconds when its credential is replaced, and later otherwise. What was read is kept."
        )
        yield (
            f"If its id, subject or credential is wrong, `syncer calendar remove {calendar.tenant} "
            f"{calendar.google_id}`, then `syncer calendar add` with the right one: its meetings stay, and are kept in "
            "step again when their events are found."
        )
    if calendar.is_served:
        yield f"A worker serves its project {calendar.project}."
    else:
        before = "any more; the last one's lease has ended" if calendar.was_served else "yet"
        yield f"No worker serves its project {calendar.project} {before}. `syncer run` starts one."


def _of_reading(calendar: "CalendarView", now: datetime) -> Iterator[str]:
    if calendar.is_between_pages:
        what = f"Full read number {calendar.generation}" if calendar.is_full_read else "A read of its changes"
        yield f"{what} is under way and goes on at the page where it stands."
    elif calendar.generation == 0:
        yield f"It has not been read yet: its first read {_when(calendar)}."
    elif calendar.is_full_read and calendar.has_sync_token:
        yield (
            f"Full read number {calendar.generation} has listed all there is; events that it should have listed and "
            "has not are asked for by name, some at each look, and stay as they were meanwhile."
        )
    elif calendar.is_full_read or not calendar.has_sync_token:
        yield (
            f"A full read {_when(calendar)}, for its sync token is no longer accepted or belongs to other settings; "
            "what was read before stays."
        )
    else:
        change = f"; the last change was seen at {moment(calendar.changed_at, now=now)}" if calendar.changed_at else ""
        yield f"It was read to its end{change}."
    if calendar.sees_details is False:
        yield (
            "The account that reads it may not change its events, and perhaps sees free and busy times only. What is "
            "not shown is not taken for gone, and nothing of it is followed: share the calendar with the account, with "
            "the right to make changes to events. It is then read from the start by itself."
        )
    if calendar.failures:
        reason = _because(calendar.reason) if calendar.state != "parked" else ""
        times = "look" if calendar.failures == 1 else f"{calendar.failures} looks"
        yield f"The last {times} failed{reason}."


def _when(calendar: "CalendarView") -> str:
    """When a read comes."""
    if resuming(calendar):
        return "comes when it is served again"
    return "comes with its next look" if calendar.state == "parked" else "is due"


def _of_pushes(standing: "Standing") -> Iterator[str]:
    kept = [one for one in standing.driven if one.state in ("live", "gone")]
    due = [one for one in kept if one.state == "live" and _is_due(one)]
    stuck = [one for one in kept if _is_stuck(one)]
    if not kept:
        yield "It drives no meeting."
        return
    rest = [f"{counted(len(due), 'push', 'pushes')} to be made"] if due else []
    held = [one for one in kept if _is_held(one)]
    rest += [f"{len(stuck) + len(held)} of which cannot be made as wanted"] if stuck or held else []
    yield f"It drives {counted(len(kept), 'meeting')}, {', '.join(rest) or 'all of them as wanted'}."
    yield from _first(due, lambda one: _of_push(one, standing.at))
    yield from _first(stuck, lambda one: _of_stuck(one, standing.calendar))
    yield from _first(held, lambda one: _of_held(one, standing.calendar))
    failing = [one for one in kept if _is_at_rest(one) and one.failures and not _is_held(one)]
    yield from _first(failing, lambda one: _of_rest(one, standing.at))


def _of_stuck(one: "Driven", calendar: "CalendarView") -> str:
    what = "is gone" if one.state == "gone" else "stays as it is"
    again = f"until an event of it changes or `{_retry(calendar, one)}` asks for it again"
    until = "though an event refers to it" if one.state == "gone" else again
    return f"Meeting {one.meeting_id} {what}{_because(one.reason)}, {until}: `{_history(calendar, one)}` tells more."


def _of_push(one: "Driven", now: datetime) -> str:
    doubt = "; the outcome of its last call is unknown, so it is read back and pushed again" if one.is_in_doubt else ""
    again = f"; it is tried again at {moment(one.next_try_at, now=now)}" if one.next_try_at else ""
    if not one.failures:
        why = f"{_because(one.reason)}{again}" if one.reason and one.next_try_at else ""
        return f"Meeting {one.meeting_id} waits for its push{why}{doubt}."
    return (
        f"Meeting {one.meeting_id} waits for its push, which failed {_times(one)}{_because(one.reason)}{again}{doubt}."
    )


def _of_held(one: "Driven", calendar: "CalendarView") -> str:
    return (
        f"Meeting {one.meeting_id} waits for a person{_because(one.reason)}: `{_retry(calendar, one)}` has it pushed "
        "again. So has a change of its event, or its provider answering when the meeting is read back."
    )


def _of_rest(one: "Driven", now: datetime) -> str:
    if _is_unshown(one):
        again = f"; they are written to again after {moment(one.next_try_at, now=now)}" if one.next_try_at else ""
        return f"Meeting {one.meeting_id} is as wanted, but its events do not all show it{_because(one.reason)}{again}."
    return f"Meeting {one.meeting_id} is read back again, which failed {_times(one)}{_because(one.reason)}."


def _times(one: "Driven") -> str:
    return "once" if one.failures == 1 else f"{one.failures} times"


def _of_deletions(standing: "Standing") -> Iterator[str]:
    held = [one for one in standing.driven if _is_guarded(one)]
    refused = [one for one in standing.driven if one.state == "held" and not _is_guarded(one)]
    leaving = [one for one in standing.driven if one.state == "leaving"]
    if held:
        yield (
            f"{counted(len(held), 'deletion is', 'deletions are')} held for a person, for so many at once look like a "
            f"mistake: `{_release(standing.calendar)}` lets them through. Other changes go on."
        )
        yield from _first(held, lambda one: f"Held: meeting {one.meeting_id}{_because(one.reason)}.")
    if refused:
        yield (
            f"{counted(len(refused), 'deletion was', 'deletions were')} not done by the provider, and "
            f"{'is' if len(refused) == 1 else 'are'} not repeated until a person says so."
        )
        yield from _first(refused, lambda one: _of_refused(one, standing.calendar))
    if leaving:
        yield (
            f"{counted(len(leaving), 'meeting has', 'meetings have')} no event left. Each is deleted once its grace "
            "is over, if its event is really gone then; a move or an undelete in that time brings it back."
        )
        yield from _first(leaving, lambda one: _of_leaving(one, standing.at))


def _of_refused(one: "Driven", calendar: "CalendarView") -> str:
    return f"Not deleted: meeting {one.meeting_id}{_because(one.reason)}; `{_retry(calendar, one)}` tries again."


def _of_leaving(one: "Driven", now: datetime) -> str:
    if one.delete_after is None:
        return f"Leaving: meeting {one.meeting_id}{_because(one.reason)}."
    when = "is over" if one.delete_after <= now else f"lasts until {moment(one.delete_after, now=now)}"
    tried = f"; {counted(one.failures, 'try', 'tries')} failed{_because(one.reason)}" if one.failures else ""
    kept = f"; {one.reason.rstrip('.')}" if one.reason and not one.failures else ""
    again = f", the next try is at {moment(one.next_try_at, now=now)}" if one.reason and one.next_try_at else ""
    return f"Leaving: meeting {one.meeting_id}, whose grace {when}{tried}{kept}{again}."


def _of_notes(notes: "Sequence[Note]") -> Iterator[str]:
    aside = [note for note in notes if note.kind == "set_aside"]
    guests = [note for note in notes if note.kind == "guest"]
    if aside:
        yield (
            f"{counted(len(aside), 'entry is', 'entries are')} set aside, for they cannot be used; "
            "each is tried again when it changes."
        )
        yield from _first(aside, lambda note: f"Set aside: {note.event_id}{_because(_in_words(note.reason))}.")
    if guests:
        yield (
            f"{counted(len(guests), 'entry is a guest copy', 'entries are guest copies')} of a meeting's event; "
            "the organizer's calendar decides, a copy changes nothing."
        )


def _of_unread(unread: "Sequence[Unread]") -> Iterator[str]:
    if unread:
        yield (
            f"{counted(len(unread), 'series has', 'series have')} a rule that cannot be read. It is handed on to the "
            "provider as it stands, and the series is taken never to end."
        )
        yield from _first(
            unread, lambda one: f"Not read: {one.event_id} of meeting {one.meeting_id}{_because(one.reason)}."
        )


def _of_what_was(standing: "Standing") -> Iterator[str]:
    if standing.read_anew is not None:
        at, reason = standing.read_anew.at, standing.read_anew.detail.get("reason")
        yield f"A read from the start was last called for at {moment(at, now=standing.at)}{_because(reason)}."
    if standing.latest:
        yield "What was done last to its meetings:"
        yield from (f"  {line}" for line in history.lines(standing.latest, is_of_many=True))


def _of_what_comes(standing: "Standing") -> str:
    calendar = standing.calendar
    if calendar.tenant_state == "paused" or calendar.state == "paused":
        return "Next: nothing, until it is resumed."
    if not calendar.is_served:
        return "Next: nothing, until a worker runs."
    if calendar.next_look_at is not None and calendar.next_look_at > standing.at:
        return f"Next: it is looked at again at {moment(calendar.next_look_at, now=standing.at)}."
    if calendar.is_between_pages or calendar.is_full_read:
        return "Next: its read goes on with the next look, within a cycle; then the meetings it touched are pushed."
    waits = any(_is_stuck(one) or _is_held(one) or one.state == "held" for one in standing.driven)
    rest = " What is refused, gone or held stays so until then or until a person acts." if waits else ""
    return f"Next: it is looked at within a cycle (SYNCER_CYCLE_SECONDS); what changed is then read and pushed.{rest}"


def _is_due(one: "Driven") -> bool:
    return one.state != "gone" and (one.is_behind or one.is_in_doubt)


def _is_stuck(one: "Driven") -> bool:
    """Its last change was refused and is not repeated, or its provider does not have the meeting any more."""
    return one.state == "gone" or (_is_at_rest(one) and story.is_refused(one.reason, one.failures))


def _is_held(one: "Driven") -> bool:
    """Its provider failed a push for so long that it waits for a person."""
    return _is_at_rest(one) and timing.is_held(one.failures) and not _is_unshown(one)


def _is_guarded(one: "Driven") -> bool:
    """Its deletion is one of so many that a person must release them."""
    return one.state == "held" and not one.was_released


def _is_unshown(one: "Driven") -> bool:
    """It is as wanted, and some event of it could not be told."""
    return _is_at_rest(one) and story.is_unshown(one.reason, one.failures)


def _is_at_rest(one: "Driven") -> bool:
    return one.state == "live" and not _is_due(one)


def _is_looked_at(calendar: "CalendarView") -> bool:
    return calendar.is_served and calendar.state == "active" and calendar.tenant_state == "active"


def _because(reason: str | None) -> str:
    return f" ({reason.rstrip('.')})" if reason else ""


def _in_words(reason: str) -> str:
    """A decoder's report of a wrong type as people would say it; any other reason as it is."""
    found = _WRONG_TYPE.fullmatch(reason)
    if found is None:
        return reason
    kind = found["wanted"].partition(" | ")[0]
    return f"its {found['place']} is not {_KINDS[kind]}" if kind in _KINDS else reason


def _release(calendar: "CalendarView") -> str:
    return f"syncer calendar release {calendar.tenant} {calendar.google_id}"


def _resume(calendar: "CalendarView") -> str:
    return f"syncer calendar resume {calendar.tenant} {calendar.google_id}"


def _retry(calendar: "CalendarView", one: "Driven") -> str:
    return f"syncer conference retry {calendar.tenant} {one.meeting_id}"


def _history(calendar: "CalendarView", one: "Driven") -> str:
    return f"syncer conference history {calendar.tenant} {one.meeting_id}"


def _first(rows: Sequence[_Row], tell: Callable[[_Row], str]) -> Iterator[str]:
    """A sentence for each of the first rows, and how many more there are."""
    yield from (f"  {tell(row)}" for row in rows[:_SHOWN])
    if len(rows) > _SHOWN:
        yield f"  … and {len(rows) - _SHOWN} more."
