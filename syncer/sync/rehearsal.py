"""Rehearsal: what reading a calendar from the start would change. It looks as a pull does, and writes nothing."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import assert_never

from msgspec import structs

from syncer.model.calendar import Calendar, Cursor, Event, Link, Page, Policy
from syncer.rules import decide, reading
from syncer.store import calendars
from syncer.sync import page, pull
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
class Rehearsal:
    """What would come of a full read. entries: events seen. passed_over: of them, those that could not be used."""

    entries: int
    passed_over: int
    coming: tuple[Foreseen, ...]
    changing: tuple[Foreseen, ...]
    going: tuple[Foreseen, ...]

    @property
    def is_quiet(self) -> bool:
        return not (self.coming or self.changing or self.going)


async def rehearse(tools: Tools, policy: Policy, calendar: Calendar, tell: Callable[[int], None]) -> Rehearsal:
    """Reads a calendar from the start and says what would change. tell: called with how many entries came.

    calendar: with its stored cursor, for what its links were made under. Raises OutsideError or OperatorError.
    """
    since = tools.clock() - policy.window
    sight = decide.Sight(calendar, policy, True, reading.is_repinned(calendar, policy), since, tools.zone)
    known: dict[str, Link] = {}
    decided: dict[str, decide.Decision] = {}
    set_aside: set[str] = set()
    async for read in _pages(tools, policy, calendar):
        sight = structs.replace(sight, sees_details=read.sees_details)
        decided |= await _decided(tools, calendar, read.events, sight, known)
        set_aside |= {entry.event_id for entry in read.set_aside}
        tell(len(read.events) + len(read.set_aside))
    entries = len(decided.keys() | set_aside)
    left = await calendars.left_behind(tools.database, calendar.key, _NEVER)
    named = decided.keys() | set_aside
    orphans = [orphan for orphan in decide.orphans(left, sight.since) if orphan.event_id not in named]
    found = await page.verified(tools, orphans, sight)
    decided |= await _decided(tools, calendar, found, sight, known)
    return _foreseen(decided, known, entries, len(set_aside))


async def _decided(
    tools: Tools, calendar: Calendar, events: Sequence[Event], sight: decide.Sight, known: dict[str, Link]
) -> dict[str, decide.Decision]:
    """What some entries mean, by event id; `known` gets the links that they have."""
    (found,) = await page.known_of_each(tools, [(calendar.key, events)])
    known |= found.links | {link.event_id: link for links in found.children.values() for link in links}
    return _by_event((await page.tell(events, found, sight)).decisions)


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


def _foreseen(decided: dict[str, decide.Decision], known: dict[str, Link], entries: int, passed_over: int) -> Rehearsal:
    coming: list[Foreseen] = []
    changing: list[Foreseen] = []
    going: list[Foreseen] = []
    for event_id, decision in decided.items():
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
    return Rehearsal(entries, passed_over, tuple(coming), tuple(changing), tuple(going))
