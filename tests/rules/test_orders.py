"""What "this and following" leaves in a feed means the same in whatever order and on however many pages it comes."""

from itertools import permutations

from msgspec import structs

from syncer.model.calendar import Event, Link
from syncer.rules import decide, family, series
from syncer.rules.family import Known, Occurrence
from tests.rules.builders import MEETING_ID, at, event, link, sight, tombstone, zone_of

FIRST, CUT, LATER, LAST = (f"2026-{day}T07:00:00Z" for day in ("11-20", "11-23", "11-25", "11-27"))
BEFORE = event("m1", recurrence=("RRULE:FREQ=DAILY",), ical_uid="m1@x")
OLD = event("m1_3", recurring_event_id="m1", original_start=LATER, ical_uid="m1@x", title="Retro")

ENDED = structs.replace(BEFORE, recurrence=("RRULE:FREQ=DAILY;UNTIL=20261122T225959Z",))
NEW = structs.replace(BEFORE, event_id="m1_R3", starts=at(72), ends=at(73), ical_uid="m1_R3@x")
RESET = tombstone("m1_3", recurring_event_id="m1", original_start=LATER)
CARRIED = structs.replace(OLD, event_id="m1_R3_3", recurring_event_id="m1_R3", ical_uid="m1_R3@x")
CALLED_OFF = tombstone("m1_R3_4", recurring_event_id="m1_R3", original_start=LAST)
SPLIT = (ENDED, NEW, RESET, CARRIED, CALLED_OFF)


class Book:
    """What is stored, as pages write it down."""

    def __init__(self, *events: Event, excluded: frozenset[Occurrence] = frozenset()) -> None:
        self.links = {one.event_id: link(one) for one in events}
        self.excluded = set(excluded)

    def known(self) -> Known:
        children: dict[str, list[Link]] = {}
        for one in self.links.values():
            if one.event.recurring_event_id is not None:
                children.setdefault(one.event.recurring_event_id, []).append(one)
        return Known(dict(self.links), children, frozenset(self.excluded))

    def write(self, *page: Event) -> None:
        told = family.tell(page, self.known(), sight())
        for decision in told.decisions:
            match decision:
                case decide.Put(read, meeting_id):
                    self.links[read.event_id] = link(read, meeting_id=meeting_id)
                case decide.Drop(event_id):
                    self.links.pop(event_id, None)
        self.excluded -= {*told.included} | {one for one in self.excluded if one[0] in told.ended}
        self.excluded |= {(one.master_id, one.original_start) for one in told.excluded}

    def says(self) -> tuple[object, ...]:
        return sorted(self.links), sorted(self.excluded), {one.meeting_id for one in self.links.values()}


def after(*pages: tuple[Event, ...]) -> tuple[object, ...]:
    book = Book(BEFORE, OLD)
    for page in pages:
        book.write(*page)
    return book.says()


SETTLED = (["m1", "m1_R3", "m1_R3_3"], [("m1", LATER), ("m1_R3", LAST)], {MEETING_ID})


def test_a_split_means_the_same_in_any_order_on_one_page() -> None:
    for order in permutations(SPLIT):
        assert after(order) == SETTLED


def test_a_split_means_the_same_in_any_order_on_two_pages() -> None:
    for order in permutations(SPLIT):
        for cut in range(1, len(order)):
            assert after(order[:cut], order[cut:]) == SETTLED


def test_a_split_that_is_read_twice_means_the_same() -> None:
    for order in permutations(SPLIT):
        assert after(order, order) == SETTLED


def test_a_series_that_goes_leaves_nothing_in_any_order() -> None:
    gone = tombstone("m1"), tombstone("m1_3", recurring_event_id="m1", original_start=LATER)
    for order in permutations((*gone, tombstone("m1_1", recurring_event_id="m1", original_start=FIRST))):
        assert after(order) == ([], [], set())


def test_the_order_of_links_does_not_matter_to_what_is_wanted() -> None:
    links = [link(one) for one in (ENDED, NEW, CARRIED, structs.replace(OLD, original_start=CUT, event_id="m1_2"))]
    aims = [series.wanted(links[0], order, zones=zone_of) for order in permutations(links)]
    assert aims[0] is not None
    assert len(aims[0].further) == 1
    assert all(aim == aims[0] for aim in aims)
