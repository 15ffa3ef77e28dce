"""Family: what the entries of one page mean together, masters, exceptions and exclusions among them."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from syncer.model.calendar import Event, Exclusion, Link
from syncer.rules import decide, provisional

Occurrence = tuple[str, str]
"""A master's event id and an original start (`occurrence.canonical`)."""

_EVENTS_A_STEP = 250
_SERIES_DELETED = "its series was deleted, or moved away"
_CALLED_OTHERWISE = "its occurrence goes by another id now"


@dataclass(frozen=True)
class Known:
    """What is stored of a page's entries.

    links: by event id, of entries and of the masters of exceptions. children: links of exceptions by their master's
    event id. excluded: occurrences that are written down as not taking place. expected: meeting ids of provisional
    links, by event id, of cancelled entries without a link.
    """

    links: dict[str, Link] = field(default_factory=dict)
    children: dict[str, list[Link]] = field(default_factory=dict)
    excluded: frozenset[Occurrence] = frozenset()
    expected: dict[str, str] = field(default_factory=dict)

    @cached_property
    def masters_excluded_from(self) -> frozenset[str]:
        """Event ids of masters with occurrences that do not take place."""
        return frozenset(master_id for master_id, _ in self.excluded)


@dataclass(slots=True)
class Told:
    """What a page says.

    excluded: occurrences that do not take place in their master's meeting; included: those that do again; ended:
    masters that are gone, with all that was excluded of them. stirred: meetings whose occurrences changed though no
    event of their own did, or whose event was gone before it was read. strangers: iCalUIDs of series of which more must
    be read, for what was not written down before is never sent again. doubted: links that another entry speaks of, by
    event id: whether they are there must be asked.
    """

    decisions: list[decide.Decision] = field(default_factory=list)
    excluded: list[Exclusion] = field(default_factory=list)
    included: list[Occurrence] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    stirred: set[str] = field(default_factory=set)
    strangers: set[str] = field(default_factory=set)
    doubted: dict[str, Link] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Nothing more must be read to say what the entries mean."""
        return not self.strangers and not self.doubted


def tell(events: Sequence[Event], known: Known, sight: decide.Sight) -> Told:
    """What these entries of one calendar mean. An entry that stands twice counts as it stands last.

    events: masters among them as `decide.with_end` gives them.
    """
    steps = tell_in_steps(events, known, sight)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            told: Told = end.value
            return told


def tell_in_steps(events: Sequence[Event], known: Known, sight: decide.Sight) -> Generator[None, None, Told]:
    """The same, in steps of some milliseconds between which others may go on."""
    latest = {event.event_id: event for event in events}
    decisions: dict[str, decide.Decision] = {}
    for number, (event_id, event) in enumerate(latest.items(), 1):
        decisions[event_id] = decide.link(event, known.links.get(event_id), sight)
        if number % _EVENTS_A_STEP == 0:
            yield
    seen = _Seen(latest, decisions, known, sight, _taking_place(decisions.values()), _others(latest, known))
    told = Told(decisions=list(decisions.values()), stirred=set(provisional.losses(events, known.expected)))
    for number, (event_id, event) in enumerate(latest.items(), 1):
        if event.recurring_event_id is not None:
            _tell_exception(told, event, seen)
        elif event.is_cancelled:
            _tell_end(told, event, seen)
        elif event.recurrence and seen.is_new(event_id) and not sight.calendar.cursor.lists_all:
            _ask_for_more(told, event)
        if number % _EVENTS_A_STEP == 0:
            yield
    return told


def _others(latest: Mapping[str, Event], known: Known) -> dict[Occurrence, list[Link]]:
    found: dict[Occurrence, list[Link]] = {}
    for links in known.children.values():
        for child in links:
            place = _place(child.event)
            if place is not None and child.event_id not in latest:
                found.setdefault(place, []).append(child)
    return found


def asks_for(events: Sequence[Event]) -> list[str]:
    """Event ids of the masters whose families must be known to tell what the entries mean."""
    return sorted(
        {event.recurring_event_id for event in events if event.recurring_event_id is not None}
        | {event.event_id for event in events if event.is_cancelled and event.recurring_event_id is None}
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """The entries, each as it stands last, with what each means by itself.

    taking_place: occurrences with a meeting. others: links of occurrences that are not among the entries.
    """

    events: dict[str, Event]
    decisions: dict[str, decide.Decision]
    known: Known
    sight: decide.Sight
    taking_place: frozenset[Occurrence]
    others: dict[Occurrence, list[Link]]

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
        _tell_other_ids(told, seen.others.get(place, ()), takes_place=takes_place)
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


def _tell_other_ids(told: Told, others: Iterable[Link], *, takes_place: bool) -> None:
    # After a split an exception may come under a new id, and nothing more is said of the old one. That it takes place
    # no more may be said under its new id, or, late, under its old one: no id tells which of two that is.
    for child in others:
        if takes_place:
            told.decisions.append(decide.Drop(child.event_id, _CALLED_OTHERWISE))
        else:
            told.doubted[child.event_id] = child


def _tell_end(told: Told, event: Event, seen: _Seen) -> None:
    for child in seen.others_of(event.event_id):
        told.decisions.append(decide.Drop(child.event_id, _SERIES_DELETED))
    if event.event_id in seen.known.masters_excluded_from:
        told.ended.append(event.event_id)


def _ask_for_more(told: Told, event: Event) -> None:
    if event.ical_uid:
        told.strangers.add(event.ical_uid)
