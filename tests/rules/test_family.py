"""What the entries of one page mean together: masters, exceptions and exclusions."""

import time
from typing import Any

import pytest

from syncer.model.calendar import Event, Exclusion, Link, Status
from syncer.rules import family
from syncer.rules.decide import Drop, Put
from syncer.rules.family import Known
from tests.rules.builders import BO, MEETING_ID, OTHER_ID, calendar, cursor, event, link, sight, solution, tombstone

START = "2026-11-23T08:00:00Z"
PLACE = ("m1", START)
RULE = ("RRULE:FREQ=DAILY",)
READ_WHOLE = sight(calendar=calendar(cursor=cursor(is_full_read=True, sync_token=None)))


def master(**changes: Any) -> Event:
    return event("m1", **{"recurrence": RULE, "ical_uid": "m1@x", **changes})


def exception(**changes: Any) -> Event:
    return event("m1_1", **{"recurring_event_id": "m1", "original_start": START, "ical_uid": "m1@x", **changes})


def cancelled() -> Event:
    return tombstone("m1_1", recurring_event_id="m1", original_start=START)


def known(*links: Link, excluded: tuple[tuple[str, str], ...] = (), **children: list[Link]) -> Known:
    return Known({one.event_id: one for one in links}, children, frozenset(excluded))


LINKED = known(link(master()))
GONE = Exclusion(*PLACE, "m1_1", MEETING_ID)


def test_a_cancelled_occurrence_is_left_out_and_the_meeting_of_its_series_hears_of_it() -> None:
    told = family.tell([cancelled()], LINKED, sight())
    assert (told.excluded, told.stirred) == ([GONE], {MEETING_ID})


def test_it_is_left_out_as_well_when_its_master_comes_after_it_on_the_page() -> None:
    told = family.tell([cancelled(), master()], known(), sight())
    assert (told.excluded, told.stirred) == ([GONE], {MEETING_ID})


def test_it_is_written_down_also_when_nothing_is_known_of_its_master() -> None:
    told = family.tell([cancelled()], known(), sight())
    assert (told.excluded, told.stirred) == ([Exclusion(*PLACE, "m1_1")], set())


def test_told_again_it_is_no_news() -> None:
    told = family.tell([cancelled()], known(link(master()), excluded=(PLACE,)), sight())
    assert (told.excluded, told.stirred) == ([Exclusion(*PLACE, "m1_1")], set())


@pytest.mark.parametrize("swapped", [None, solution("aaa-bbbb", key_type="hangoutsMeet", name="Google Meet")])
def test_an_occurrence_whose_conference_was_taken_off_is_left_out(swapped: Any) -> None:
    told = family.tell([exception(solution=swapped)], known(link(master()), link(exception())), sight())
    assert told.excluded == [GONE]
    assert [type(one) for one in told.decisions] == [Drop]


def test_an_occurrence_with_another_meeting_stirs_its_master_too() -> None:
    told = family.tell([exception(solution=solution(OTHER_ID))], LINKED, sight())
    assert (told.excluded, told.stirred) == ([], {MEETING_ID})
    assert isinstance(told.decisions[0], Put)
    assert told.decisions[0].meeting_id == OTHER_ID


@pytest.mark.parametrize(
    ("read", "seen"),
    [
        pytest.param(exception(solution=None), sight(sees_details=False), id="narrowed access"),
        pytest.param(exception(solution=None, has_details=False), sight(), id="a private stub"),
        pytest.param(exception(solution=None, organizer=BO, is_organizer_self=False), sight(), id="a guest's copy"),
    ],
)
def test_what_is_not_seen_clearly_leaves_nothing_out(read: Event, seen: Any) -> None:
    assert family.tell([read], LINKED, seen).excluded == []


def test_an_occurrence_that_is_brought_back_takes_place_again() -> None:
    told = family.tell([exception()], known(link(master()), excluded=(PLACE,)), sight())
    assert (told.excluded, told.included, told.stirred) == ([], [PLACE], {MEETING_ID})


def test_a_master_that_goes_takes_its_exceptions_with_it() -> None:
    own = link(exception(solution=solution(OTHER_ID)), meeting_id=OTHER_ID)
    before = known(link(master()), excluded=(("m1", "2026-12-01"),), m1=[own])
    told = family.tell([tombstone("m1")], before, sight())
    assert [(type(one), one.event_id) for one in told.decisions if isinstance(one, Drop)] == [
        (Drop, "m1"),
        (Drop, "m1_1"),
    ]
    assert told.ended == ["m1"]


FORMER = link(event("former", recurring_event_id="m1", original_start=START))
OF_TWO_NAMES = known(
    link(master()), m1=[FORMER, link(event("other", recurring_event_id="m1", original_start="2026-11-30T08:00:00Z"))]
)


def test_an_occurrence_that_goes_by_another_id_now_is_not_there_twice() -> None:
    told = family.tell([exception()], OF_TWO_NAMES, sight())
    assert [one.event_id for one in told.decisions if isinstance(one, Drop)] == ["former"]
    assert told.doubted == {}


@pytest.mark.parametrize("read", [cancelled(), exception(solution=None)], ids=["cancelled", "without its meeting"])
def test_an_entry_under_another_id_takes_no_link_away_before_that_was_asked_for(read: Event) -> None:
    told = family.tell([read], OF_TWO_NAMES, sight())
    assert (told.doubted, [one for one in told.decisions if isinstance(one, Drop)]) == ({"former": FORMER}, [])

    is_there = family.tell([FORMER.event, read], OF_TWO_NAMES, sight())
    assert (is_there.doubted, is_there.excluded) == ({}, [])
    assert not any(isinstance(one, Drop) for one in is_there.decisions)

    gone = tombstone("former", recurring_event_id="m1", has_details=False)
    is_gone = family.tell([gone, read], known(link(master()), FORMER, m1=[FORMER]), sight())
    assert [one.event_id for one in is_gone.decisions if isinstance(one, Drop)] == ["former"]
    assert is_gone.excluded == [GONE]


def test_what_the_page_says_of_an_exception_counts_more_than_its_masters_end() -> None:
    told = family.tell([tombstone("m1"), exception()], known(link(master()), m1=[link(exception())]), sight())
    assert [type(one) for one in told.decisions] == [Drop, Put]


MORE = [
    pytest.param([master()], known(), sight(), {"m1@x"}, id="a series gains its first link"),
    pytest.param([master()], LINKED, sight(), set(), id="a series that has a link"),
    pytest.param([master()], known(), READ_WHOLE, set(), id="a full read tells all by itself"),
    pytest.param([exception()], known(), sight(), {"m1@x"}, id="an exception without its master"),
    pytest.param([exception()], known(), READ_WHOLE, {"m1@x"}, id="... on a full read"),
    pytest.param([exception()], LINKED, sight(), set(), id="an exception of a linked master"),
    pytest.param([exception()], known(link(exception())), sight(), set(), id="one that was asked for before"),
    pytest.param([exception(), master()], known(link(master())), sight(), set(), id="its master is on the page"),
    pytest.param([exception(solution=None)], known(), sight(), set(), id="no meeting of ours"),
    pytest.param([event()], known(), sight(), set(), id="a single event"),
]


@pytest.mark.parametrize(("events", "before", "seen", "strangers"), MORE)
def test_more_is_read_of_a_series_only_when_something_may_be_missing(
    events: list[Event], before: Known, seen: Any, strangers: set[str]
) -> None:
    assert family.tell(events, before, seen).strangers == strangers


def test_an_entry_that_stands_twice_counts_as_it_stands_last() -> None:
    told = family.tell([event(title="Old"), event(title="New")], known(), sight())
    assert [one.event.title for one in told.decisions if isinstance(one, Put)] == ["New"]


def test_families_are_asked_for_exceptions_and_for_what_may_have_been_a_master() -> None:
    read = [event(), exception(), tombstone("e9"), event("e10", status=Status.CANCELLED), cancelled()]
    assert family.asks_for(read) == ["e10", "e9", "m1"]


def test_what_thousands_of_exceptions_mean_is_told_in_short_steps() -> None:
    starts = [f"{2027 + number // 365}-01-01T{number % 365:03d}" for number in range(3000)]
    gone = [tombstone(f"x{at}", recurring_event_id="m1", original_start=at) for at in starts]
    links = [link(event(f"x{at}", recurring_event_id="m1", original_start=at)) for at in starts]
    began = time.process_time()
    steps = sum(1 for _ in family.tell_in_steps(gone, known(link(master()), *links, m1=links), sight()))
    assert steps >= 20
    # A hundredth of that when nothing else runs; each against each takes more than a second.
    assert time.process_time() - began < 0.5
