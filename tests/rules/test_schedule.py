"""Each calendar comes due once a cycle, at its own phase; none is handed out twice, none is lost."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.rules.schedule import Schedule, phase
from tests.rules.builders import LAW, NOW, key

CYCLE = 60.0
SLOTS = range(5)
ALL = frozenset(SLOTS)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def scheduled(*slots: int) -> Schedule:
    """All of them are due now."""
    schedule = Schedule(CYCLE)
    for slot in slots:
        schedule.keep(slot, key(slot + 1), NOW, is_urgent=True)
    return schedule


def handed_out(*slots: int) -> Schedule:
    schedule = scheduled(*slots)
    assert set(schedule.due(NOW, 99)) == set(slots)
    return schedule


def test_urgent_calendars_are_due_at_once() -> None:
    assert set(scheduled(*SLOTS).due(NOW, 99)) == ALL


def test_after_a_restart_calendars_come_due_over_the_cycle() -> None:
    schedule = Schedule(CYCLE)
    for slot in range(600):
        schedule.keep(slot, key(slot), NOW, is_urgent=False)
    found = [len(schedule.due(after(second), 999)) for second in range(1, 61)]
    assert sum(found) == 600
    assert max(found) < 60


def test_a_calendar_has_its_turn_at_the_same_time_after_each_restart() -> None:
    turns = set[int]()
    for later in (0, 7, 3600, 86_400):
        schedule = Schedule(CYCLE)
        schedule.keep(0, key(1), after(later), is_urgent=False)
        turn = next(second for second in range(later, later + 62) if schedule.due(after(second), 1))
        turns.add(turn % 60)
    assert len(turns) == 1


def test_no_more_are_handed_out_than_asked_for_and_the_longest_due_first() -> None:
    schedule = handed_out(*SLOTS)
    for late, one in enumerate(SLOTS):
        schedule.postpone(one, after(10 - late))
    assert schedule.due(after(99), 2) == [SLOTS[4], SLOTS[3]]
    assert schedule.due(after(99), 99) == [SLOTS[2], SLOTS[1], SLOTS[0]]


def test_what_is_handed_out_is_not_due_until_something_is_said_of_it() -> None:
    assert handed_out(*SLOTS).due(after(9999), 99) == []


def test_a_calendar_in_a_hurry_is_due_now_but_not_twice_at_a_time() -> None:
    schedule = handed_out(SLOTS[0])
    schedule.hurry(SLOTS[0], NOW)
    assert schedule.due(after(9999), 99) == []
    schedule.looked([SLOTS[0]], NOW, NOW)
    schedule.hurry(SLOTS[0], NOW)
    assert schedule.due(NOW, 99) == [SLOTS[0]]


def test_a_look_makes_a_calendar_due_in_the_next_cycle() -> None:
    schedule = handed_out(SLOTS[0])
    schedule.looked([SLOTS[0]], NOW, after(1))
    assert schedule.looked_at(SLOTS[0]) == NOW.timestamp()
    assert schedule.due(after(1 + CYCLE / 4 - 0.01), 9) == []
    assert schedule.due(after(1 + CYCLE * 5 / 4), 9) == [SLOTS[0]]


def test_each_calendar_is_due_once_in_each_cycle() -> None:
    schedule = handed_out(*SLOTS)
    for one in SLOTS:
        schedule.looked([one], NOW, NOW)
    times: dict[int, list[int]] = {one: [] for one in SLOTS}
    for second in range(1, 601):
        for one in schedule.due(after(second), 99):
            times[one].append(second)
            schedule.looked([one], after(second), after(second + 0.2))
    apart = [later - sooner for seen in times.values() for sooner, later in pairwise(seen)]
    assert all(CYCLE * 0.75 <= seconds <= CYCLE * 1.25 + 1 for seconds in apart)
    assert len(set(apart)) > 10


def test_a_calendar_given_back_is_due_then() -> None:
    schedule = handed_out(SLOTS[0])
    schedule.give_back(SLOTS[0], after(5))
    assert schedule.due(after(4), 9) == []
    assert schedule.due(after(5), 9) == [SLOTS[0]]


@pytest.mark.parametrize("said", ["looked", "postponed"])
def test_giving_back_does_not_undo_what_was_said(said: str) -> None:
    schedule = handed_out(SLOTS[0])
    if said == "looked":
        schedule.looked([SLOTS[0]], NOW, NOW)
    else:
        schedule.postpone(SLOTS[0], after(CYCLE / 4))
    schedule.give_back(SLOTS[0], after(1))
    assert schedule.due(after(CYCLE / 4 - 1), 9) == []


def test_a_calendar_is_due_when_it_was_last_put_off_to() -> None:
    schedule = scheduled(SLOTS[0])
    schedule.postpone(SLOTS[0], after(9))
    schedule.postpone(SLOTS[0], after(3))
    assert schedule.due(after(2), 9) == []
    assert schedule.due(after(3), 9) == [SLOTS[0]]
    assert schedule.due(after(9), 9) == []


def test_a_calendar_can_be_brought_forward_to_before_now() -> None:
    schedule = handed_out(SLOTS[0])
    schedule.postpone(SLOTS[0], datetime.fromtimestamp(0, UTC))
    assert schedule.due(NOW, 9) == [SLOTS[0]]


def test_a_calendar_that_is_no_longer_served_is_forgotten() -> None:
    schedule = scheduled(*SLOTS)
    schedule.looked([1], NOW, NOW)
    for slot in SLOTS[1:]:
        schedule.drop(slot)
    assert schedule.looked_at(1) == float("-inf")
    assert schedule.due(after(9999), 9) == [0]


def test_a_calendar_that_is_served_again_has_its_turn_again() -> None:
    schedule = scheduled(*SLOTS)
    schedule.drop(0)
    schedule.keep(0, key(1), NOW, is_urgent=True)
    assert schedule.due(NOW, 99).count(0) == 1


def test_what_comes_due_about_the_same_time_is_asked_for_together() -> None:
    schedule = handed_out(*SLOTS)
    assert schedule.next_due() == float("inf")
    schedule.postpone(SLOTS[0], after(30))
    schedule.postpone(SLOTS[1], after(20))
    assert after(20).timestamp() <= schedule.next_due() <= after(21).timestamp()


# Laws


@LAW
@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_a_phase_lies_within_the_cycle(tenant: int, calendar: int) -> None:
    assert 0 <= phase(key(calendar, tenant)) < 1


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["due", "looked", "postpone", "give back", "hurry"]),
        st.sets(st.sampled_from(SLOTS)),
        st.integers(0, 90),
    ),
    max_size=30,
)


def act(schedule: Schedule, what: str, slots: set[int], now: datetime) -> None:
    for slot in sorted(slots):
        if what == "looked":
            schedule.looked([slot], now, now)
        elif what == "postpone":
            schedule.postpone(slot, now + timedelta(seconds=5))
        elif what == "give back":
            schedule.give_back(slot, now + timedelta(seconds=5))
        elif what == "hurry":
            schedule.hurry(slot, now)


@LAW
@given(ACTS)
def test_none_is_handed_out_twice_and_none_is_lost(acts: list[tuple[str, set[int], int]]) -> None:
    schedule, out, now = scheduled(*SLOTS), set[int](), NOW
    for what, slots, seconds in acts:
        now += timedelta(seconds=seconds)
        act(schedule, what, slots, now)
        if what == "due":
            found = schedule.due(now, len(slots))
            assert len(found) == len(set(found))
            assert not set(found) & out
            out |= set(found)
        elif what != "hurry":
            out -= slots
    assert set(schedule.due(now + timedelta(seconds=2 * CYCLE), 99)) == ALL - out
