"""Rehearsal: what reading a calendar from the start would change. It looks as a pull does, and writes nothing."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from msgspec import structs

from syncer.model.calendar import Calendar, Cursor, Event, Link, Page, Policy
from syncer.rules import decide, family, reading
from syncer.store import calendars
from syncer.sync import names, page, pull
from syncer.sync.tools import Tools

# No generation is as late: all links are asked for.
_NEVER = 2**62


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One link that would come, go or change. reason: why it would go."""

    event_id: str
    meeting_id: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One occurrence of a series, by its original start, that would be part of its meeting no more, or again."""

    master_id: str
    meeting_id: str
    original_start: str


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What would come of a full read. entries: events seen. passed_over: of them, those that could not be used.

    excluded, included: occurrences that would take place in their meeting no more, and again.
    """

    entries: int
    passed_over: int
    coming: tuple[Foreseen, ...]
    changing: tuple[Foreseen, ...]
    going: tuple[Foreseen, ...]
    excluded: tuple[Occurrence, ...] = ()
    included: tuple[Occurrence, ...] = ()

    @property
    def is_quiet(self) -> bool:
        return not (self.coming or self.changing or self.going or self.excluded or self.included)


@dataclass(slots=True)
class _Seen:
    """What was seen so far, by event id; of occurrences by master and original start, None for one that was known."""

    known: dict[str, Link] = field(default_factory=dict)
    decided: dict[str, decide.Decision] = field(default_factory=dict)
    set_aside: set[str] = field(default_factory=set)
    excluded: dict[family.Occurrence, str | None] = field(default_factory=dict)
    included: set[family.Occurrence] = field(default_factory=set)


async def rehearse(tools: Tools, policy: Policy, calendar: Calendar, tell: Callable[[int], None]) -> Rehearsal:
    """Reads a calendar from the start and says what would change. tell: called with how many entries came.

    calendar: with its stored cursor, for what its links were made under. Raises OutsideError or OperatorError.
    """
    since = tools.clock() - policy.window
    sight = decide.Sight(calendar, policy, True, reading.is_repinned(calendar, policy), since, tools.zone)
    seen = _Seen()
    async for read in _pages(tools, policy, calendar):
        sight = structs.replace(sight, sees_details=read.sees_details)
        await _decide(tools, calendar, read.events, sight, seen)
        seen.set_aside |= {entry.event_id for entry in read.set_aside}
        tell(len(read.events) + len(read.set_aside))
    entries = len(seen.decided.keys() | seen.set_aside)
    await _decide(tools, calendar, await _missed(tools, calendar, sight, seen), sight, seen)
    return _foreseen(seen, entries)


async def _missed(tools: Tools, calendar: Calendar, sight: decide.Sight, seen: _Seen) -> list[Event]:
    """What a full read would ask for by name, asked for."""
    named = seen.decided.keys() | seen.set_aside
    orphans: list[Link] = []
    async for left in calendars.left_behind(tools.database, calendar.key, _NEVER):
        orphans += [orphan for orphan in decide.orphans(left, sight.since) if orphan.event_id not in named]
    gone = await calendars.excluded_before(tools.database, calendar.key, _NEVER)
    ahead = [one for one in gone if one.event_id not in named and decide.is_ahead(one.original_start, sight.since)]
    read = await names.asked(tools, calendar, [one.event_id for one in ahead])
    back = [event for event in read.values() if event is not None and not event.is_cancelled]
    return [*await names.verified(tools, orphans, sight), *back]


async def _decide(tools: Tools, calendar: Calendar, events: Sequence[Event], sight: decide.Sight, seen: _Seen) -> None:
    """What some entries mean, and what is known of them."""
    (found,) = await page.known_of_each(tools, [(calendar.key, events)])
    seen.known |= found.links | {link.event_id: link for links in found.children.values() for link in links}
    told = await page.tell(events, found, sight)
    seen.decided |= _by_event(told.decisions)
    for one in told.excluded:
        place = (one.master_id, one.original_start)
        seen.excluded[place] = None if place in found.excluded else one.meeting_id
    seen.included |= set(told.included)


def _by_event(decisions: Sequence[decide.Decision]) -> dict[str, decide.Decision]:
    return {
        decision.event.event_id if isinstance(decision, decide.Put) else decision.event_id: decision
        for decision in decisions
    }


async def _pages(tools: Tools, policy: Policy, calendar: Calendar) -> AsyncIterator[Page]:
    calendar = structs.replace(calendar, cursor=Cursor())
    calendar = structs.replace(calendar, cursor=reading.begun(calendar, policy, tools.clock()))
    while True:
        read = await pull.next_page(tools, calendar)
        yield read
        calendar = structs.replace(calendar, cursor=reading.advanced(calendar, read, policy))
        if calendar.cursor.page_token is None:
            return


def _foreseen(seen: _Seen, entries: int) -> Rehearsal:
    known = seen.known
    coming: list[Foreseen] = []
    changing: list[Foreseen] = []
    going: list[Foreseen] = []
    for event_id, decision in seen.decided.items():
        before = known.get(event_id)
        match decision:
            case decide.Put(_, meeting_id, is_news, _):
                if before is None or before.meeting_id != meeting_id:
                    coming.append(Foreseen(event_id, meeting_id))
                elif is_news:
                    changing.append(Foreseen(event_id, meeting_id))
                if before is not None and before.meeting_id != meeting_id:
                    going.append(Foreseen(event_id, before.meeting_id, "the event refers to another meeting now"))
            case decide.Drop(_, reason, _):
                going.append(Foreseen(event_id, known[event_id].meeting_id, reason))
            case decide.Note() | decide.Pass():
                pass
            case _:
                assert_never(decision)
    out = [Occurrence(place[0], meeting_id, place[1]) for place, meeting_id in seen.excluded.items() if meeting_id]
    back = [Occurrence(one, known[one].meeting_id, start) for one, start in sorted(seen.included) if one in known]
    links = (tuple(coming), tuple(changing), tuple(going))
    return Rehearsal(entries, len(seen.set_aside), *links, excluded=tuple(out), included=tuple(back))
