"""How a cursor moves, and when a calendar is read from the start."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from syncer.model.calendar import Calendar, Cursor, Matcher, Policy
from syncer.model.errors import Unreadable
from syncer.rules import reading
from tests.rules.builders import LAW, NOW, calendar, cursor, page, policy

OLD = policy()
NEW = policy(Matcher(solution_type="addOn"))
NEWER = policy(Matcher(parameter="realMeetingId"))
MORE = page(next_page_token="p2", next_sync_token=None)


def pinned(under: Policy, **changes: Any) -> Calendar:
    return calendar(cursor=cursor(pin=reading.pin(calendar(), under), **changes))


def looked(ours: Calendar, under: Policy) -> Calendar:
    """The calendar as a look under this policy finds it."""
    return structs.replace(ours, cursor=reading.begun(ours, under, NOW))


def paged(ours: Calendar, under: Policy, *, is_last: bool) -> Calendar:
    """The calendar after one more page."""
    read = page() if is_last else MORE
    return structs.replace(ours, cursor=reading.advanced(ours, read, under))


def test_a_new_calendar_is_read_from_the_start() -> None:
    begun = reading.begun(calendar(cursor=Cursor()), OLD, NOW)
    assert (begun.generation, begun.is_full_read, begun.read_from) == (1, True, NOW - timedelta(days=1))


def test_a_calendar_that_was_read_goes_on_from_its_token() -> None:
    assert reading.begun(pinned(OLD), OLD, NOW) == pinned(OLD).cursor


def test_a_read_that_stopped_between_pages_goes_on_at_its_page() -> None:
    stopped = paged(looked(calendar(cursor=Cursor()), OLD), OLD, is_last=False)
    assert reading.begun(stopped, OLD, NOW + timedelta(hours=1)) == stopped.cursor
    assert stopped.cursor.page_token == "p2"


def test_a_lost_token_begins_a_new_generation() -> None:
    begun = reading.begun(pinned(OLD, sync_token=None, generation=4), OLD, NOW)
    assert (begun.generation, begun.is_full_read) == (5, True)


REPINS = [
    pytest.param({"credential": "env:OTHER"}, {}, id="client"),
    pytest.param({"subject": None}, {}, id="subject"),
    pytest.param({"google_id": "other@tenant-a.test"}, {}, id="calendar"),
    pytest.param({}, {"window": timedelta(days=2)}, id="window"),
    pytest.param({}, {"matchers": NEW.matchers}, id="matchers"),
]


@pytest.mark.parametrize(("of_calendar", "of_policy"), REPINS)
def test_what_a_token_belongs_to_is_read_anew_when_it_changes(
    of_calendar: dict[str, Any], of_policy: dict[str, Any]
) -> None:
    ours, under = structs.replace(pinned(OLD), **of_calendar), replace(OLD, **of_policy)
    begun = reading.begun(ours, under, NOW)
    assert reading.is_repinned(ours, under)
    assert (begun.sync_token, begun.page_token, begun.is_full_read) == (None, None, True)


def test_other_policies_change_no_cursor() -> None:
    assert not reading.is_repinned(pinned(OLD), replace(OLD, grace=timedelta(0), ladder=("location",)))


def test_a_first_read_is_not_repinned() -> None:
    assert not reading.is_repinned(looked(calendar(cursor=Cursor()), OLD), OLD)


def test_the_sync_token_moves_with_the_last_page_only() -> None:
    ours = pinned(OLD)
    between = reading.advanced(ours, MORE, OLD)
    after = reading.advanced(structs.replace(ours, cursor=between), page(), OLD)
    assert (between.sync_token, between.page_token) == ("s1", "p2")
    assert (after.sync_token, after.page_token, after.is_full_read) == ("s2", None, False)


def test_a_last_page_without_a_token_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        reading.advanced(pinned(OLD), page(next_sync_token=None), OLD)


def test_matchers_that_change_stay_a_reason_to_detach_until_the_last_page() -> None:
    ours = looked(pinned(OLD), NEW)
    assert reading.is_repinned(ours, NEW)
    ours = paged(ours, NEW, is_last=False)
    assert reading.is_repinned(ours, NEW)
    ours = paged(ours, NEW, is_last=True)
    assert not reading.is_repinned(ours, NEW)


def test_a_read_under_new_matchers_goes_on_at_its_page() -> None:
    stopped = paged(looked(pinned(OLD), NEW), NEW, is_last=False)
    assert looked(stopped, NEW) == stopped


def test_a_read_under_new_matchers_whose_token_is_lost_still_detaches() -> None:
    ours = paged(looked(pinned(OLD), NEW), NEW, is_last=False)
    ours = structs.replace(ours, cursor=structs.replace(ours.cursor, sync_token=None, page_token=None))
    assert reading.is_repinned(looked(ours, NEW), NEW)


def test_matchers_that_change_between_look_and_last_page_are_not_lost() -> None:
    ours = paged(looked(pinned(OLD), OLD), NEW, is_last=True)
    assert looked(ours, NEW).cursor.is_full_read


def test_matchers_that_change_in_the_first_read_are_not_lost() -> None:
    ours = paged(looked(calendar(cursor=Cursor()), OLD), OLD, is_last=False)
    again = looked(ours, NEW)
    assert again.cursor.generation == ours.cursor.generation + 1
    assert reading.is_repinned(again, NEW)


POLICIES = st.sampled_from([OLD, NEW, NEWER])
STEPS = st.lists(st.tuples(POLICIES, st.sampled_from(["look", "page", "last page", "token lost"])), max_size=12)


def walked(ours: Calendar, under: Policy, step: str) -> Calendar:
    if step == "look":
        return looked(ours, under)
    if step == "token lost":
        lost = structs.replace(ours.cursor, sync_token=None, page_token=None, is_full_read=True)
        return structs.replace(ours, cursor=lost)
    return paged(ours, under, is_last=step == "last page")


@LAW
@given(STEPS, POLICIES)
def test_once_all_is_quiet_the_token_belongs_to_todays_policy(steps: list[tuple[Policy, str]], today: Policy) -> None:
    ours = calendar(cursor=Cursor())
    for under, step in steps:
        ours = walked(looked(ours, under), under, step)
    settled = paged(looked(paged(looked(ours, today), today, is_last=True), today), today, is_last=True)
    assert settled.cursor.pin == reading.pin(ours, today)
    assert reading.begun(settled, today, NOW) == settled.cursor
    assert settled.cursor.generation >= ours.cursor.generation


@LAW
@given(STEPS, POLICIES)
def test_links_made_under_other_matchers_are_never_taken_for_deleted(
    steps: list[tuple[Policy, str]], today: Policy
) -> None:
    ours, made_under = calendar(cursor=Cursor()), set[tuple[Matcher, ...]]()
    for under, step in steps:
        ours = looked(ours, under)
        is_anew = ours.cursor.is_full_read
        ours = walked(ours, under, step)
        if step == "last page" and is_anew:
            made_under = set()  # what a full read has not seen is asked for by name
        if "page" in step:
            made_under.add(under.matchers)
    if made_under - {today.matchers}:
        assert reading.is_repinned(looked(ours, today), today)
