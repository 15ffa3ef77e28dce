"""Where more is due than may be looked at, tenants take turns; where it is not, nobody is held up."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from syncer.rules.schedule import Schedule
from tests.rules.builders import LAW, NOW, key

CYCLE = 60.0
BIG, SMALL = 0, 1


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def scheduled(counts: dict[int, int], weights: dict[int, int] | None = None) -> tuple[Schedule, list[int]]:
    """Calendars of these tenants, all due now; gives whose each is, too."""
    tenants = [tenant for tenant, count in counts.items() for _ in range(count)]
    schedule = Schedule(CYCLE, tenant_of=tenants.__getitem__, weight_of=lambda one: (weights or {}).get(one, 1))
    for slot in range(len(tenants)):
        schedule.keep(slot, key(slot + 1), NOW, is_urgent=True)
    return schedule, tenants


def told(counts: dict[int, int]) -> tuple[Schedule, list[int]]:
    """The same, told of and not due."""
    schedule, tenants = scheduled(counts)
    slots = schedule.due(NOW, len(tenants))
    schedule.looked(slots, NOW, NOW)
    for slot in sorted(slots):
        schedule.notified(slot, after(1))
    return schedule, tenants


def test_a_small_tenant_is_looked_at_within_the_first_round() -> None:
    schedule, tenants = scheduled({BIG: 20_000, SMALL: 10})
    rounds = [[tenants[slot] for slot in schedule.due(NOW, 50)] for _ in range(6)]
    # It takes some steps to sort what has come due.
    assert sum(one.count(SMALL) for one in rounds) == 10
    assert [len(one) for one in rounds] == [50] * 6


def test_what_comes_due_later_does_not_wait_behind_all_that_did_before() -> None:
    schedule, tenants = scheduled({BIG: 5000, SMALL: 3})
    for slot in range(5000, 5003):
        schedule.postpone(slot, after(10))
    for second in range(10):
        assert SMALL not in [tenants[slot] for slot in schedule.due(after(second), 10)]
    assert [tenants[slot] for slot in schedule.due(after(11), 10)].count(SMALL) == 3


def test_turns_go_by_weight() -> None:
    schedule, tenants = scheduled({BIG: 500, SMALL: 500}, {SMALL: 4})
    found = [tenants[slot] for slot in schedule.due(NOW, 100)]
    assert found.count(SMALL) == 80


def test_a_tenant_without_room_waits_and_others_do_not() -> None:
    schedule, tenants = scheduled({BIG: 30, SMALL: 30})
    found = schedule.due(NOW, 50, {BIG: 5})
    assert [[tenants[slot] for slot in found].count(tenant) for tenant in (BIG, SMALL)] == [5, 30]
    assert schedule.due(NOW, 50, {BIG: 0}) == []
    assert NOW.timestamp() < schedule.next_due() <= NOW.timestamp() + 1
    assert len(schedule.due(after(1), 50)) == 25


def test_those_who_were_told_of_take_turns_as_well() -> None:
    schedule, tenants = told({BIG: 400, SMALL: 4})
    found = [tenants[slot] for _ in range(2) for slot in schedule.told(after(2), 10)]
    assert (found.count(BIG), found.count(SMALL)) == (16, 4)


def test_all_that_were_told_of_are_handed_out_once() -> None:
    schedule, tenants = told({BIG: 400, SMALL: 4})
    found: list[int] = []
    while schedule.next_told() <= after(2).timestamp():
        found += schedule.told(after(2), 50)
    assert sorted(found) == list(range(len(tenants)))


def test_one_that_waits_for_its_turn_and_goes_for_another_reason_is_handed_out_once() -> None:
    schedule, _ = scheduled({BIG: 40})
    first = schedule.due(NOW, 10)
    waiting = next(slot for slot in range(40) if slot not in first)
    schedule.notified(waiting, NOW)
    assert schedule.told(NOW, 9) == [waiting]
    assert waiting not in schedule.due(NOW, 99)


def test_one_that_is_put_off_or_dropped_while_it_waits_is_not_handed_out() -> None:
    schedule, _ = scheduled({BIG: 40})
    waiting = sorted(set(range(40)) - set(schedule.due(NOW, 10)))
    schedule.postpone(waiting[0], after(100))
    schedule.drop(waiting[1])
    assert set(schedule.due(NOW, 99)) == set(waiting[2:])
    assert schedule.due(after(101), 99) == [waiting[0]]


@LAW
@given(
    counts=st.dictionaries(st.integers(0, 5), st.integers(1, 30), min_size=1),
    limits=st.lists(st.integers(1, 12), min_size=1, max_size=5),
    steps=st.lists(st.floats(0.0, 3.0), min_size=1, max_size=10),
)
def test_each_is_handed_out_once_while_nobody_keeps_up(
    counts: dict[int, int], limits: list[int], steps: list[float]
) -> None:
    schedule, tenants = scheduled(counts)
    found, at = list[int](), 0.0
    while len(found) < len(tenants):
        for limit, step in zip(limits, steps, strict=False):
            at += step
            found += schedule.due(after(at), limit)
    assert sorted(found) == list(range(len(tenants)))
