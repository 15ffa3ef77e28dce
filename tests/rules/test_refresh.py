"""Looks by the clock stay within the budget, and go where they find most."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.rules import refresh
from syncer.rules.refresh import Means
from syncer.rules.schedule import Schedule
from tests.rules.builders import LAW, NOW, key

DAY = 86_400.0
COUNTS = st.integers(1, 10**6)
RATES = st.floats(1 / (60 * DAY), 1 / 60)


def means(**more: float) -> Means:
    """A project with the limits that Google documents, at the day's beginning."""
    usual = {"per_minute": 10_000, "per_day": 1_000_000, "day_left": 1_000_000, "day_left_seconds": DAY}
    return Means(**{"urgent_a_second": 0.0, **usual, **more})  # type: ignore[arg-type]


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_looks_by_the_clock_leave_a_tenth_of_the_day() -> None:
    assert refresh.looks_a_second(means()) * DAY == pytest.approx(900_000)


def test_what_follows_from_changes_has_its_part_first() -> None:
    assert refresh.looks_a_second(means(urgent_a_second=6.0)) == pytest.approx(900_000 / DAY - 6.0)


def test_however_much_changes_some_looks_are_left() -> None:
    assert refresh.looks_a_second(means(urgent_a_second=1000.0)) > 2.0


def test_what_is_left_of_a_day_is_not_spent_in_a_rush() -> None:
    assert refresh.looks_a_second(means(day_left_seconds=60.0)) == pytest.approx(2_000_000 / DAY)


def test_no_minute_is_spent_by_looks_alone() -> None:
    assert refresh.looks_a_second(means(per_minute=60)) == pytest.approx(0.9)


def test_a_spent_day_leaves_no_looks() -> None:
    assert refresh.looks_a_second(means(day_left=0)) == 0.0


@LAW
@given(rates=st.lists(RATES, min_size=1, max_size=50), looks=st.floats(0.001, 1000.0))
def test_intervals_never_ask_for_more_looks_than_there_are(rates: list[float], looks: float) -> None:
    found = intervals(rates, looks)
    assert sum(1 / seconds for seconds in found) <= looks * 1.0001


@LAW
@given(rates=st.lists(RATES, min_size=1, max_size=50), looks=st.floats(0.001, 1000.0))
def test_no_calendar_waits_longer_than_five_times_its_even_share(rates: list[float], looks: float) -> None:
    assert max(intervals(rates, looks)) <= 5 * len(rates) / looks * 1.0001


def intervals(rates: list[float], looks: float) -> list[float]:
    weights = [refresh.weight(rate) for rate in rates]
    span, longest = sum(weights) * refresh.seconds_a_look(looks), refresh.longest_seconds(looks, len(rates))
    return [min(longest, span / weight) for weight in weights]


def test_where_more_changes_more_is_looked_at_by_its_square_root() -> None:
    often, seldom = intervals([16 / DAY, 4 / DAY], looks=1.0)
    assert seldom == pytest.approx(often * 2)


def test_nothing_is_looked_at_more_often_than_is_wanted() -> None:
    assert sum(lived(a_schedule(10, looks_a_second=1000.0), 100, frozenset()).values()) <= 10 * 100 / 0.75


@pytest.mark.parametrize("changes_a_day", [1, 5, 48])
def test_how_often_a_calendar_changes_is_learnt(changes_a_day: int) -> None:
    rate, hours = refresh.CHANGES_AT_FIRST, 24 // changes_a_day if changes_a_day < 24 else 1
    for hour in range(24 * 14):
        found = hour % hours == 0
        for _ in range(max(1, changes_a_day // 24)):
            rate = refresh.changes_a_second(rate, found=found, seconds=3600.0 / max(1, changes_a_day // 24))
    assert rate * DAY == pytest.approx(changes_a_day, rel=0.3)


@LAW
@given(before=RATES, found=st.booleans(), seconds=st.floats(0.0, 1e9))
def test_what_is_learnt_stays_within_bounds(before: float, found: bool, seconds: float) -> None:
    rate = refresh.changes_a_second(before, found=found, seconds=seconds)
    assert 1 / (30 * DAY) <= rate <= 1 / 300


def lived(schedule: Schedule, seconds: int, busy: frozenset[int]) -> dict[int, int]:
    """Looks in so many seconds by slot; those that are busy have always changed."""
    looks: dict[int, int] = {}
    for second in range(seconds):
        for slot in schedule.due(after(second), 1000):
            looks[slot] = looks.get(slot, 0) + 1
            schedule.looked([slot], after(second), after(second), found_nothing=slot not in busy)
    return looks


def a_schedule(calendars: int, *, looks_a_second: float) -> Schedule:
    schedule = Schedule(1.0)
    for slot in range(calendars):
        schedule.keep(slot, key(slot), NOW, is_urgent=False)
    paced(schedule, looks_a_second, NOW)
    return schedule


def paced(schedule: Schedule, looks_a_second: float, now: datetime) -> None:
    for _ in schedule.spread(looks_a_second, now):
        pass


def test_a_schedule_looks_as_often_as_it_may() -> None:
    looks = lived(a_schedule(200, looks_a_second=2.0), 2000, frozenset())
    assert 2000 * 2.0 * 0.6 < sum(looks.values()) <= 2000 * 2.0


def test_a_busy_calendar_is_looked_at_more_often() -> None:
    looks = lived(a_schedule(50, looks_a_second=0.05), 40_000, frozenset({7}))
    others = [looks[slot] for slot in range(50) if slot != 7]
    assert looks[7] > 2 * sum(others) / len(others)
    assert min(others) >= 40_000 / (1.25 * 5 * 50 / 0.05) - 1


def test_calendars_that_go_are_counted_no_more() -> None:
    schedule = a_schedule(100, looks_a_second=1.0)
    before = schedule.longest_seconds()
    for slot in range(50):
        schedule.drop(slot)
        schedule.drop(slot)
    assert schedule.longest_seconds() == pytest.approx(before / 2)


def test_turns_come_sooner_once_there_is_more_to_spend() -> None:
    schedule = a_schedule(100, looks_a_second=0.001)
    paced(schedule, 10.0, NOW)
    assert len(schedule.due(after(13), 1000)) == 100


def test_turns_are_not_planned_anew_for_a_little_more() -> None:
    schedule = a_schedule(100, looks_a_second=0.01)
    before = schedule.due(after(2000), 1000)
    again = a_schedule(100, looks_a_second=0.01)
    paced(again, 0.012, NOW)
    assert again.due(after(2000), 1000) == before


def test_what_was_put_off_is_due_then_however_turns_are_planned() -> None:
    schedule = a_schedule(100, looks_a_second=0.001)
    schedule.postpone(7, after(3600))
    paced(schedule, 10.0, NOW)
    assert 7 not in schedule.due(after(3599), 1000)
    assert schedule.due(after(3600), 1000) == [7]
