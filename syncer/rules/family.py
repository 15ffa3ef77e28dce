"""Family: what the entries of one page mean together, masters, exceptions and exclusions among them."""

from collections.abc import Iterable, Sequence
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
    """What these entries of one calendar mean. An entry that stands twice counts as it stands last.

    events: masters among them as `decide.with_end` gives them.
    """
    latest = {event.event_id: event for event in events}
    decisions = {event_id: decide.link(event, known.links.get(event_id), sight) for event_id, event in latest.items()}
    seen = _Seen(latest, decisions, known, sight, _taking_place(decisions.values()))
    told = Told(decisions=list(decisions.values()))
    for event_id, event in latest.items():
        if event.recurring_event_id is not None:
            _tell_exception(told, event, seen)
        elif event.is_cancelled:
            _tell_end(told, event, seen)
        elif event.recurrence and seen.is_new(event_id) and not sight.calendar.cursor.is_full_read:
            _ask_for_more(told, event)
    return told


def asks_for(events: Sequence[Event]) -> list[str]:
    """Event ids of the masters whose families must be known to tell what the entries mean."""
    return sorted(
        {event.recurring_event_id for event in events if event.recurring_event_id is not None}
        | {event.event_id for event in events if event.is_cancelled and event.recurring_event_id is None}
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """The entries, each as it stands last, with what each means by itself. taking_place: occurrences with a meeting."""

    events: dict[str, Event]
    decisions: dict[str, decide.Decision]
    known: Known
    sight: decide.Sight
    taking_place: frozenset[Occurrence]

    def is_new(self, event_id: str) -> bool:
        """The event gets its first link."""
        return isinstance(self.decisions[event_id], decide.Put) and event_id not in self.known.links

    def is_gone(self, master_id: str) -> bool:
        """The master is deleted, or moved away: nothing is to be remembered of its occurrences."""
        return master_id in self.events and self.events[master_id].is_cancelled

    def meeting_of(self, master_id: str) -> str | None:
        """The meeting that the master is linked to, if it is."""
        decision = self.decisions.get(master_id)
        if isinstance(decision, decide.Put):
            return decision.meeting_id
        link = self.known.links.get(master_id)
        return link.meeting_id if link is not None else None

    def others_of(self, master_id: str) -> list[Link]:
        """Links of the master's exceptions that are not among the entries."""
        return [child for child in self.known.children.get(master_id, ()) if child.event_id not in self.events]


def _taking_place(decisions: Iterable[decide.Decision]) -> frozenset[Occurrence]:
    events = [decision.event for decision in decisions if isinstance(decision, decide.Put)]
    return frozenset(place for event in events if (place := _place(event)) is not None)


def _place(event: Event) -> Occurrence | None:
    if event.recurring_event_id is None or event.original_start is None:
        return None
    return event.recurring_event_id, event.original_start


def _tell_exception(told: Told, event: Event, seen: _Seen) -> None:
    master_id, decision = event.recurring_event_id or "", seen.decisions[event.event_id]
    meeting_id, place = seen.meeting_of(master_id), _place(event)
    is_stirred = isinstance(decision, decide.Drop) or (isinstance(decision, decide.Put) and decision.is_news)
    takes_place = decide.takes_place(event, decision, seen.sight) if place is not None else None
    if place is not None and takes_place is not None:
        is_stirred |= takes_place == (place in seen.known.excluded)
        _tell_place(told, Exclusion(*place, event.event_id, meeting_id if is_stirred else None), seen)
        _tell_former_id(told, event, seen)
    if is_stirred and meeting_id is not None:
        told.stirred.add(meeting_id)
    if meeting_id is None and seen.is_new(event.event_id):
        _ask_for_more(told, event)


def _tell_place(told: Told, one: Exclusion, seen: _Seen) -> None:
    """one: what is to be written down if the occurrence does not take place."""
    place = (one.master_id, one.original_start)
    if place in seen.taking_place:
        # Whatever an entry under its former id says.
        told.included += [place] if place in seen.known.excluded else []
    elif not seen.is_gone(one.master_id):
        told.excluded.append(one)


def _tell_former_id(told: Told, event: Event, seen: _Seen) -> None:
    # After a split an exception may come under a new id, and nothing more is said of the old one.
    for child in seen.others_of(event.recurring_event_id or ""):
        if child.event.original_start == event.original_start:
            told.decisions.append(decide.Drop(child.event_id, _CALLED_OTHERWISE))


def _tell_end(told: Told, event: Event, seen: _Seen) -> None:
    for child in seen.others_of(event.event_id):
        told.decisions.append(decide.Drop(child.event_id, _SERIES_DELETED))
    if any(master_id == event.event_id for master_id, _ in seen.known.excluded):
        told.ended.append(event.event_id)


def _ask_for_more(told: Told, event: Event) -> None:
    if event.ical_uid:
        told.strangers.add(event.ical_uid)
