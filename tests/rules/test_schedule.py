"""Each calendar comes due once a cycle, at its own phase; none is handed out twice, none is lost."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.model.calendar import CalendarKey
from syncer.rules.schedule import Schedule, first_due
from tests.rules.builders import LAW, NOW, key

CYCLE = 60.0
KEYS = [key(number) for number in range(1, 6)]
ALL = frozenset(KEYS)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def scheduled(*keys: CalendarKey) -> Schedule:
    """All of them are due now."""
    schedule = Schedule(CYCLE)
    schedule.keep(keys, NOW, urgent=frozenset(keys))
    return schedule


def handed_out(*keys: CalendarKey) -> Schedule:
    schedule = scheduled(*keys)
    assert set(schedule.due(NOW, 99)) == set(keys)
    return schedule


def test_urgent_calendars_are_due_at_once() -> None:
    assert set(scheduled(*KEYS).due(NOW, 99)) == ALL


def test_after_a_restart_calendars_come_due_over_the_cycle() -> None:
    schedule = Schedule(CYCLE)
    schedule.keep([key(number) for number in range(600)], NOW)
    found = [len(schedule.due(after(second), 999)) for second in range(1, 61)]
    assert sum(found) == 600
    assert max(found) < 60


def test_a_calendar_has_the_same_phase_after_each_restart() -> None:
    phases = {round(first_due(KEYS[0], NOW.timestamp() + later, CYCLE) % CYCLE, 3) for later in (0, 7.5, 3600, 86_400)}
    assert len(phases) == 1


def test_no_more_are_handed_out_than_asked_for_and_the_longest_due_first() -> None:
    schedule = handed_out(*KEYS)
    for late, one in enumerate(KEYS):
        schedule.postpone(one, after(10 - late))
    assert schedule.due(after(99), 2) == [KEYS[4], KEYS[3]]
    assert schedule.due(after(99), 99) == [KEYS[2], KEYS[1], KEYS[0]]


def test_what_is_handed_out_is_not_due_until_something_is_said_of_it() -> None:
    assert handed_out(*KEYS).due(after(9999), 99) == []


def test_a_calendar_in_a_hurry_is_due_now_but_not_twice_at_a_time() -> None:
    schedule = handed_out(KEYS[0])
    schedule.hurry(KEYS[0], NOW)
    assert schedule.due(after(9999), 99) == []
    schedule.looked(KEYS[0], NOW, NOW)
    schedule.hurry(KEYS[0], NOW)
    assert schedule.due(NOW, 99) == [KEYS[0]]


def test_a_look_makes_a_calendar_due_in_the_next_cycle() -> None:
    schedule = handed_out(KEYS[0])
    schedule.looked(KEYS[0], NOW, after(1))
    assert schedule.looked_at(KEYS[0]) == NOW.timestamp()
    assert schedule.due(after(1 + CYCLE / 4 - 0.01), 9) == []
    assert schedule.due(after(1 + CYCLE * 5 / 4), 9) == [KEYS[0]]


def test_each_calendar_is_due_once_in_each_cycle() -> None:
    schedule = handed_out(*KEYS)
    for one in KEYS:
        schedule.looked(one, NOW, NOW)
    times: dict[CalendarKey, list[int]] = {one: [] for one in KEYS}
    for second in range(1, 601):
        for one in schedule.due(after(second), 99):
            times[one].append(second)
            schedule.looked(one, after(second), after(second + 0.2))
    assert all(len(seen) in (9, 10) for seen in times.values())
    assert all(later - sooner == CYCLE for seen in times.values() for sooner, later in pairwise(seen))


def test_a_calendar_given_back_is_due_then() -> None:
    schedule = handed_out(KEYS[0])
    schedule.give_back(KEYS[0], after(5))
    assert schedule.due(after(4), 9) == []
    assert schedule.due(after(5), 9) == [KEYS[0]]


@pytest.mark.parametrize("said", ["looked", "postponed"])
def test_giving_back_does_not_undo_what_was_said(said: str) -> None:
    schedule = handed_out(KEYS[0])
    if said == "looked":
        schedule.looked(KEYS[0], NOW, NOW)
    else:
        schedule.postpone(KEYS[0], after(CYCLE / 4))
    schedule.give_back(KEYS[0], after(1))
    assert schedule.due(after(CYCLE / 4 - 1), 9) == []


def test_a_calendar_is_due_when_it_was_last_put_off_to() -> None:
    schedule = scheduled(KEYS[0])
    schedule.postpone(KEYS[0], after(9))
    schedule.postpone(KEYS[0], after(3))
    assert schedule.due(after(2), 9) == []
    assert schedule.due(after(3), 9) == [KEYS[0]]
    assert schedule.due(after(9), 9) == []


def test_a_calendar_can_be_brought_forward_to_before_now() -> None:
    schedule = handed_out(KEYS[0])
    schedule.postpone(KEYS[0], datetime.fromtimestamp(0, UTC))
    assert schedule.due(NOW, 9) == [KEYS[0]]


def test_a_calendar_that_is_no_longer_served_is_forgotten() -> None:
    schedule = scheduled(*KEYS)
    schedule.keep(KEYS[:1], NOW)
    gone = KEYS[1]
    schedule.looked(gone, NOW, NOW)
    schedule.postpone(gone, NOW)
    schedule.give_back(gone, NOW)
    assert len(schedule) == 1
    assert schedule.looked_at(gone) == float("-inf")
    assert schedule.due(after(9999), 9) == KEYS[:1]


def test_what_is_kept_keeps_its_time() -> None:
    schedule = handed_out(*KEYS)
    schedule.postpone(KEYS[0], after(30))
    schedule.keep(KEYS, after(1), urgent=ALL)
    assert schedule.due(after(29), 9) == []


def test_the_next_due_time_is_never_late() -> None:
    schedule = handed_out(*KEYS)
    assert schedule.next_due() == float("inf")
    schedule.postpone(KEYS[0], after(30))
    schedule.postpone(KEYS[1], after(20))
    assert schedule.next_due() == after(20).timestamp()


# Laws


@LAW
@given(st.integers(1, 10**9), st.integers(1, 10**9), st.floats(0, 4e9), st.sampled_from([1.0, 60.0, 3600.0]))
def test_a_first_turn_lies_within_the_running_cycle(tenant: int, calendar: int, now: float, cycle: float) -> None:
    assert now <= first_due(key(calendar, tenant), now, cycle) <= now + cycle


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["due", "looked", "postpone", "give back", "keep"]),
        st.sets(st.sampled_from(KEYS)),
        st.integers(0, 90),
    ),
    max_size=30,
)


def act(schedule: Schedule, what: str, keys: set[CalendarKey], now: datetime) -> None:
    for one in sorted(keys, key=lambda known: known.calendar_id):
        if what == "looked":
            schedule.looked(one, now, now)
        elif what == "postpone":
            schedule.postpone(one, now + timedelta(seconds=5))
        elif what == "give back":
            schedule.give_back(one, now + timedelta(seconds=5))


@LAW
@given(ACTS)
def test_none_is_handed_out_twice_and_none_is_lost(acts: list[tuple[str, set[CalendarKey], int]]) -> None:
    schedule, served, out, now = scheduled(*KEYS), set(KEYS), set[CalendarKey](), NOW
    for what, keys, seconds in acts:
        now += timedelta(seconds=seconds)
        act(schedule, what, keys, now)
        if what == "due":
            found = schedule.due(now, len(keys))
            assert len(found) == len(set(found))
            assert set(found) <= served - out
            out |= set(found)
        elif what == "keep":
            schedule.keep(keys, now)
            served, out = set(keys), out & keys
        else:
            out -= keys
    assert set(schedule.due(now + timedelta(seconds=2 * CYCLE), 99)) == served - out
    assert len(schedule) == len(served)
