"""Calendars that were told of go before others, and the last telling of a burst is never lost."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from syncer.rules.schedule import Schedule
from tests.rules.builders import LAW, NOW, key

CYCLE = 3600.0
ONE = 0


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def idle(count: int = 1) -> Schedule:
    """So many calendars, looked at long ago and none of them due."""
    schedule = Schedule(CYCLE)
    for slot in range(count):
        schedule.keep(slot, key(slot + 1), after(-CYCLE), is_urgent=True)
    assert set(schedule.due(after(-CYCLE), count)) == set(range(count))
    for slot in range(count):
        schedule.looked([slot], after(-CYCLE), after(-CYCLE))
        schedule.postpone(slot, after(CYCLE))
    return schedule


def told(count: int = 1) -> Schedule:
    schedule = idle(count)
    for slot in range(count):
        schedule.notified(slot, NOW)
    return schedule


def test_a_calendar_that_was_told_of_is_due_at_once() -> None:
    schedule = told()
    assert schedule.next_told() <= NOW.timestamp()
    assert schedule.told(NOW, 99) == [ONE]
    assert schedule.told(NOW, 99) == []


def test_what_was_not_told_of_is_not_in_the_lane() -> None:
    schedule = idle(3)
    assert (schedule.told(NOW, 99), schedule.next_told()) == ([], float("inf"))


def test_a_lone_few_go_in_small_batches_and_many_in_larger_ones() -> None:
    assert len(told(20).told(NOW, 50)) == 10
    assert len(told(400).told(NOW, 50)) == 50
    assert len(told(20).told(NOW, 3)) == 3


def test_a_burst_is_one_look() -> None:
    schedule = told()
    for _ in range(100):
        schedule.notified(ONE, NOW)
    assert schedule.told(NOW, 99) == [ONE]
    schedule.looked([ONE], NOW, NOW)
    assert schedule.told(after(60), 99) == []
    assert schedule.answered() == [ONE]


def test_told_of_while_it_is_looked_at_it_is_looked_at_once_more_after_the_last() -> None:
    schedule = told()
    assert schedule.told(NOW, 99) == [ONE]
    for _ in range(100):
        schedule.notified(ONE, NOW)
    assert schedule.told(after(60), 99) == []
    schedule.looked([ONE], NOW, after(0.1))
    assert schedule.answered() == []
    assert schedule.told(after(2), 99) == [ONE]
    schedule.looked([ONE], after(2), after(2))
    assert schedule.answered() == [ONE]
    assert schedule.told(after(60), 99) == []


def test_whoever_is_told_of_without_end_is_looked_at_once_a_second() -> None:
    schedule, looks = told(), 0
    for tenth in range(100):
        schedule.notified(ONE, after(tenth / 10))
        if schedule.told(after(tenth / 10), 99):
            looks += 1
            schedule.looked([ONE], after(tenth / 10), after(tenth / 10))
    assert 9 <= looks <= 11


def test_a_look_that_found_nothing_is_followed_by_one_more_and_no_other() -> None:
    schedule = told()
    schedule.told(NOW, 99)
    schedule.looked([ONE], NOW, NOW, found_nothing=True)
    assert schedule.answered() == []
    assert (schedule.due(after(2), 99), schedule.due(after(5), 99)) == ([], [ONE])
    schedule.looked([ONE], after(5), after(5), found_nothing=True)
    assert schedule.answered() == [ONE]
    assert schedule.due(after(60), 99) == []


def test_a_calendar_that_fails_keeps_its_time_and_its_mark() -> None:
    schedule = told()
    schedule.told(NOW, 99)
    schedule.notified(ONE, NOW)
    schedule.postpone(ONE, after(600))
    schedule.notified(ONE, after(1), is_failing=True)
    assert (schedule.told(after(500), 99), schedule.due(after(500), 99)) == ([], [])
    assert schedule.due(after(601), 99) == [ONE]
    assert schedule.answered() == []
    schedule.looked([ONE], after(601), after(601))
    assert schedule.answered() == [ONE]


def test_a_look_that_came_to_nothing_answers_nothing() -> None:
    schedule = told()
    schedule.told(NOW, 99)
    schedule.give_back(ONE, after(1))
    assert (schedule.answered(), schedule.due(after(3), 99)) == ([], [ONE])


def test_told_of_meanwhile_a_calendar_that_is_given_back_is_in_the_lane() -> None:
    schedule = told()
    schedule.told(NOW, 99)
    schedule.notified(ONE, NOW)
    schedule.give_back(ONE, after(1))
    assert schedule.told(after(3), 99) == [ONE]


def test_a_look_by_the_clock_answers_too_if_it_began_later() -> None:
    schedule = told()
    schedule.postpone(ONE, NOW)
    assert schedule.due(after(2), 99) == [ONE]
    schedule.looked([ONE], after(2), after(2))
    assert schedule.answered() == [ONE]
    assert schedule.told(after(60), 99) == []


def test_a_calendar_that_is_dropped_is_not_handed_out() -> None:
    schedule = told()
    schedule.drop(ONE)
    assert (schedule.told(NOW, 99), schedule.is_told(ONE)) == ([], False)
    schedule.notified(ONE, NOW)
    assert schedule.told(NOW, 99) == []
    schedule.keep(ONE, key(1), NOW, is_urgent=False)
    schedule.notified(ONE, NOW)
    assert schedule.told(after(1), 99) == [ONE]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("notified", "told", "due", "looked", "quiet", "postpone", "give_back", "again", "wait")),
        st.integers(0, 3),
    ),
    max_size=60,
)


@LAW
@given(STEPS)
def test_whatever_happens_a_telling_is_followed_by_a_look_that_began_later(steps: list[tuple[str, int]]) -> None:
    """Looks are numbered; a telling is answered only by one that was handed out after it."""
    schedule, now = idle(4), NOW
    told_at, out_at = dict.fromkeys(range(4), -1), dict[int, int]()
    for step, (what, slot) in enumerate(steps):
        now += timedelta(seconds=1 if what == "wait" else 0.01)
        if what == "notified":
            schedule.notified(slot, now)
            told_at[slot] = step
        elif what in ("told", "due"):
            for one in getattr(schedule, what)(now, 2):
                assert one not in out_at
                out_at[one] = step
        elif what in ("looked", "quiet") and slot in out_at:
            schedule.looked([slot], now, now, found_nothing=what == "quiet")
            began = out_at.pop(slot)
            for one in schedule.answered():
                assert (one, began > told_at[one]) == (slot, True)
                told_at[one] = -1
        elif what in ("postpone", "give_back") and slot in out_at:
            getattr(schedule, what)(slot, now + timedelta(seconds=5))
            del out_at[slot]
    # In the end everything is looked at, and nothing is left untold.
    for _ in range(8):
        now += timedelta(seconds=10)
        for one in [*schedule.told(now, 9), *schedule.due(now, 9), *out_at]:
            schedule.looked([one], now, now)
        out_at.clear()
        for one in schedule.answered():
            told_at[one] = -1
    assert set(told_at.values()) == {-1}
