"""Occurrences that moved, ended or have another id now: which of them take place, and which are left out."""

from typing import Any

from syncer.model.calendar import Event, Exclusion, Link
from syncer.rules import decide, family, series
from syncer.rules.decide import Farewell
from syncer.rules.family import Known
from tests.rules.builders import MEETING_ID, NOW, at, event, link, on, sight, tombstone, zone_of

START = "2026-11-23T08:00:00Z"
PLACE = ("m1", START)
RULE = ("RRULE:FREQ=DAILY",)
ENDED = ("RRULE:FREQ=DAILY;COUNT=2",)
LONG_AGO: dict[str, Any] = {"starts": at(-900), "ends": at(-899)}


def master(**changes: Any) -> Event:
    return event("m1", **{"recurrence": RULE, "ical_uid": "m1@x", **changes})


def exception(event_id: str = "x1", **changes: Any) -> Event:
    return event(event_id, **{"recurring_event_id": "m1", "original_start": START, **changes})


def cancelled(event_id: str = "x1") -> Event:
    return tombstone(event_id, recurring_event_id="m1", original_start=START)


def known(*links: Link, excluded: tuple[tuple[str, str], ...] = (), **children: list[Link]) -> Known:
    return Known({one.event_id: one for one in links}, children, frozenset(excluded))


def test_a_series_that_is_over_is_not_still_there_when_its_meeting_is_to_go() -> None:
    # A full read would not make a link of it, so reading its calendar anew would never end.
    read = decide.with_end(master(recurrence=ENDED, **LONG_AGO), sight())
    assert isinstance(decide.link(read, None, sight()), decide.Pass)
    bare = master(recurrence=ENDED, **LONG_AGO)
    assert decide.farewell(bare, MEETING_ID, sight()) is Farewell.ELSEWHERE


def test_an_occurrence_that_moved_into_the_past_does_not_take_place_where_it_was() -> None:
    told = family.tell([exception(**LONG_AGO)], known(link(master())), sight())
    assert told.excluded == [Exclusion(*PLACE, "x1", MEETING_ID)]
    assert told.stirred == {MEETING_ID}


def test_one_that_was_in_the_past_already_is_let_be() -> None:
    past = exception(original_start="2026-10-01T08:00:00Z", **LONG_AGO)
    told = family.tell([past], known(link(master())), sight())
    assert (told.excluded, told.stirred) == ([], set())


def test_what_is_cancelled_with_its_series_is_not_kept_as_excluded() -> None:
    told = family.tell([cancelled(), tombstone("m1")], known(link(master()), excluded=(PLACE,)), sight())
    assert (told.excluded, told.ended) == ([], ["m1"])


def test_an_occurrence_that_has_another_id_now_is_not_left_out_for_its_former_one() -> None:
    before = known(link(master()), link(exception()), m1=[link(exception())])
    told = family.tell([cancelled(), exception("x2")], before, sight())
    assert told.excluded == []
    assert [(type(one).__name__, getattr(one, "event_id", "x2")) for one in told.decisions] == [
        ("Drop", "x1"),
        ("Put", "x2"),
    ]


def test_a_former_id_stays_when_the_new_one_is_not_seen_clearly() -> None:
    before = known(link(master()), link(exception()), m1=[link(exception())])
    told = family.tell([exception("x2", has_details=False)], before, sight())
    assert [type(one) for one in told.decisions] == [decide.Pass]


def test_a_series_that_became_all_day_leaves_out_no_instants_of_before() -> None:
    days = link(master(starts=on("2026-12-01"), ends=on("2026-12-02")), excluded=(START, "2026-12-03"))
    aim = series.wanted(days, [days], zones=zone_of)
    assert aim is not None
    assert aim.recurrence == (*RULE, "EXDATE;VALUE=DATE:20261203")


def test_a_place_is_ahead_by_its_day() -> None:
    assert decide.is_ahead("2026-11-20", NOW)
    assert decide.is_ahead("2026-11-20T01:00:00Z", NOW)
    assert not decide.is_ahead("2026-11-19T23:00:00Z", NOW)
