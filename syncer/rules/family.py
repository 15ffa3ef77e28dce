"""Family: what the entries of one page mean together, masters, exceptions and exclusions among them."""

from collections.abc import Container, Sequence
from dataclasses import dataclass, field

from syncer.model.calendar import Event, Exclusion, Link
from syncer.rules import decide

Occurrence = tuple[str, str]
"""A master's event id and an original start (`occurrence.canonical`)."""

_SERIES_DELETED = "its series was deleted, or moved away"
_CALLED_OTHERWISE = "its occurrence goes by another id now"


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of a page's entries.

    links: by event id, of entries and of the masters of exceptions. children: links of exceptions by their master's
    event id. excluded: occurrences that are written down as not taking place.
    """

    links: dict[str, Link] = field(default_factory=dict)
    children: dict[str, list[Link]] = field(default_factory=dict)
    excluded: frozenset[Occurrence] = frozenset()


@dataclass(slots=True)
class Told:
    """What a page says.

    excluded: occurrences that do not take place in their master's meeting; included: those that do again; ended:
    masters that are gone, with all that was excluded of them. stirred: meetings whose occurrences changed though no
    event of their own did. strangers: iCalUIDs of series of which more must be read, for what was not written down
    before is never sent again.
    """

    decisions: list[decide.Decision] = field(default_factory=list)
    excluded: list[Exclusion] = field(default_factory=list)
    included: list[Occurrence] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    stirred: set[str] = field(default_factory=set)
    strangers: set[str] = field(default_factory=set)


def tell(events: Sequence[Event], known: Known, sight: decide.Sight) -> Told:
    """What these entries of one calendar mean. An entry that stands twice counts as it stands last."""
    told = Told()
    latest = {event.event_id: event for event in events}
    decisions = {
        event.event_id: decide.link(event, known.links.get(event.event_id), sight) for event in latest.values()
    }
    for event_id, event in latest.items():
        decision = decisions[event_id]
        told.decisions.append(decision)
        if event.recurring_event_id is not None:
            _tell_exception(told, event, decision, known, decisions, sight)
            _tell_former_id(told, event, known, latest.keys())
        elif event.is_cancelled:
            _tell_end(told, event, known, latest.keys())
        elif event.recurrence and _is_new(decision, known) and not sight.calendar.cursor.is_full_read:
            _ask_for_more(told, event)
    return told


def asks_for(events: Sequence[Event]) -> list[str]:
    """Event ids of the masters whose families must be known to tell what the entries mean."""
    return sorted(
        {event.recurring_event_id for event in events if event.recurring_event_id is not None}
        | {event.event_id for event in events if event.is_cancelled and event.recurring_event_id is None}
    )


def _tell_exception(
    told: Told,
    event: Event,
    decision: decide.Decision,
    known: Known,
    decisions: dict[str, decide.Decision],
    sight: decide.Sight,
) -> None:
    master_id = event.recurring_event_id or ""
    meeting_id = _meeting_of(master_id, known, decisions)
    is_stirred = isinstance(decision, decide.Drop) or (isinstance(decision, decide.Put) and decision.is_news)
    if event.original_start is not None:
        place = (master_id, event.original_start)
        takes_place = decide.takes_place(event, decision, sight)
        if takes_place is False:
            is_stirred |= place not in known.excluded
            told.excluded.append(Exclusion(*place, event.event_id, meeting_id if is_stirred else None))
        elif takes_place and place in known.excluded:
            is_stirred = True
            told.included.append(place)
    if is_stirred and meeting_id is not None:
        told.stirred.add(meeting_id)
    if meeting_id is None and _is_new(decision, known):
        _ask_for_more(told, event)


def _tell_former_id(told: Told, event: Event, known: Known, on_page: Container[str]) -> None:
    # After a split an exception may come under a new id, and nothing more is said of the old one.
    for child in known.children.get(event.recurring_event_id or "", ()):
        is_same = child.event.original_start == event.original_start is not None
        if is_same and child.event_id not in on_page:
            told.decisions.append(decide.Drop(child.event_id, _CALLED_OTHERWISE))


def _tell_end(told: Told, event: Event, known: Known, on_page: Container[str]) -> None:
    for child in known.children.get(event.event_id, ()):
        if child.event_id not in on_page:
            told.decisions.append(decide.Drop(child.event_id, _SERIES_DELETED))
    if any(master_id == event.event_id for master_id, _ in known.excluded):
        told.ended.append(event.event_id)


def _meeting_of(master_id: str, known: Known, decisions: dict[str, decide.Decision]) -> str | None:
    decision = decisions.get(master_id)
    if isinstance(decision, decide.Put):
        return decision.meeting_id
    link = known.links.get(master_id)
    return link.meeting_id if link is not None else None


def _is_new(decision: decide.Decision, known: Known) -> bool:
    return isinstance(decision, decide.Put) and decision.event.event_id not in known.links


def _ask_for_more(told: Told, event: Event) -> None:
    if event.ical_uid:
        told.strangers.add(event.ical_uid)
