"""No limit is broken by all workers together, whoever is killed when; and what is granted can be used."""

import random
from dataclasses import dataclass, field
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.model.budget import Lane, Limits, Spend
from syncer.rules.budget import Budget
from tests.rules.builders import LAW

TODAY = date(2026, 12, 1)
LIMITS = Limits(per_minute=120, per_user_minute=60, per_day=1000)
BEAT_SECONDS = 5.0


def reserved(limits: Limits = LIMITS, spent: Spend | None = None, now: float = 0.0, today: date = TODAY) -> Budget:
    """A worker that has just taken the lease and written down its first reservation."""
    budget = Budget(limits, spent, now=now, today=today)
    budget.reserve(budget.spent(now=now, today=today, beat_seconds=BEAT_SECONDS))
    return budget


def asked(count: int, weight: int = 1, user: str = "ana") -> list[tuple[str, int]]:
    return [(user, weight)] * count


def used(budget: Budget, count: int, now: float) -> None:
    budget.begin(count, asked(count), now=now)
    budget.end(count, now=now)


def test_nothing_begins_before_it_is_written_down() -> None:
    assert Budget(LIMITS, None, now=0.0, today=TODAY).room(Lane.URGENT, now=0.0) == 0


def test_no_more_begins_than_was_reserved() -> None:
    budget = reserved(Limits(per_minute=6000))
    room = budget.room(Lane.URGENT, now=0.0)
    assert room == 1000
    used(budget, room, 0.0)
    assert budget.room(Lane.URGENT, now=0.0) == 0


def test_a_new_reservation_gives_room_again() -> None:
    budget = reserved()
    used(budget, budget.room(Lane.URGENT, now=0.0), 0.0)
    budget.reserve(budget.spent(now=5.0, today=TODAY, beat_seconds=BEAT_SECONDS))
    assert budget.room(Lane.URGENT, now=5.0) == 50


def test_a_request_counts_from_its_sending_until_a_minute_after_its_answer() -> None:
    budget = reserved(Limits(per_minute=50))
    budget.begin(50, asked(50), now=0.0)
    budget.end(50, now=30.0)
    budget.reserve(budget.spent(now=30.0, today=TODAY, beat_seconds=BEAT_SECONDS))
    assert budget.room(Lane.URGENT, now=90.9) == 0
    assert budget.room_at(Lane.URGENT, 1, now=60.0) == 91.0
    assert budget.room(Lane.URGENT, now=91.0) == 50


def test_who_comes_after_counts_as_spent_what_was_reserved() -> None:
    spent = Spend(minute=40, reserved=60, day=TODAY, day_count=200)
    budget = reserved(spent=spent)
    assert budget.room(Lane.URGENT, now=0.0) == 20
    assert budget.day_count == 260


def test_yesterdays_requests_are_not_counted_today() -> None:
    spent = Spend(minute=0, reserved=0, day=TODAY - timedelta(days=1), day_count=1000)
    assert not reserved(spent=spent).is_day_spent(Lane.URGENT)


def test_a_spent_day_ends_when_the_next_begins() -> None:
    budget = reserved(spent=Spend(minute=0, reserved=0, day=TODAY, day_count=1000))
    assert budget.is_day_spent(Lane.URGENT)
    assert budget.room(Lane.URGENT, now=0.0) == 0
    budget.reserve(budget.spent(now=1.0, today=TODAY + timedelta(days=1), beat_seconds=BEAT_SECONDS))
    assert not budget.is_day_spent(Lane.BACKFILL)
    assert budget.room(Lane.URGENT, now=1.0) > 0


@pytest.mark.parametrize(("lane", "room"), [(Lane.URGENT, 30), (Lane.REFRESH, 27), (Lane.BACKFILL, 20)])
def test_each_lane_leaves_room_for_those_above_it(lane: Lane, room: int) -> None:
    assert reserved(Limits(per_minute=30)).room(lane, now=0.0) == room


def test_a_user_has_a_quarter_of_what_one_may_ask() -> None:
    budget = reserved()
    used(budget, 14, 0.0)
    assert budget.crowded([("ana", 1), ("bo", 1)], now=1.0) == []
    used(budget, 1, 1.0)
    assert budget.crowded([("ana", 1), ("bo", 1)], now=2.0) == [0]


def test_writes_leave_a_user_room_for_looks() -> None:
    budget = reserved()
    used(budget, 8, 0.0)
    assert budget.crowded([("ana", 3), ("ana", 1), ("bo", 3)], now=1.0) == [0]


def test_a_users_requests_count_for_a_minute_and_hardly_longer() -> None:
    budget = reserved()
    used(budget, 15, 9.0)
    assert budget.crowded([("ana", 1)], now=69.0) == [0]
    assert budget.crowded([("ana", 1)], now=80.0) == []


def test_a_heavy_request_goes_where_the_limit_is_smaller_than_it() -> None:
    assert reserved(Limits(per_user_minute=2)).crowded([("ana", 3)], now=0.0) == []


def test_refusals_slow_the_pace_and_it_climbs_back() -> None:
    budget = reserved(Limits(per_minute=100))
    for _ in range(50):
        budget.refused(now=10.0)
    assert budget.pace(10.0) == pytest.approx(0.7)
    budget.refused(now=15.0)
    assert budget.pace(15.0) == pytest.approx(0.7 * (0.7 + 5 / 300))
    assert budget.pace(400.0) == 1.0


def test_however_often_it_is_refused_some_pace_is_left() -> None:
    budget = reserved(Limits(per_minute=100))
    for second in range(0, 600, 5):
        budget.refused(now=float(second))
    assert budget.room(Lane.URGENT, now=600.0) >= 5


@dataclass
class Google:
    """Counts requests when they come in, some time between sending and answer."""

    came_at: list[float] = field(default_factory=list)

    def most_in_a_minute(self) -> int:
        came, most, first = sorted(self.came_at), 0, 0
        for last, at in enumerate(came):
            while at - came[first] >= 60.0:
                first += 1
            most = max(most, last - first + 1)
        return most


@dataclass
class Row:
    """What the workers write down, one after another."""

    spend: Spend | None = None


def live_a_worker(google: Google, row: Row, chance: random.Random, now: float) -> float:
    """One worker that asks for all it may, until it is killed; gives when that is."""
    budget = Budget(LIMITS, row.spend, now=now, today=TODAY)
    under_way: list[tuple[float, int]] = []
    next_beat, killed_at = now, now + chance.choice([0.0, 2.0, 20.0, 90.0])
    while now < killed_at:
        for answered_at, weight in [one for one in under_way if one[0] <= now]:
            under_way.remove((answered_at, weight))
            budget.end(weight, now=now)
        if now >= next_beat:
            spend = budget.spent(now=now, today=TODAY, beat_seconds=BEAT_SECONDS)
            fate = chance.choice(["written", "written", "written", "answer lost", "lost"])
            if fate != "lost":
                row.spend = spend
            if fate == "written":
                budget.reserve(spend)
            next_beat = now + BEAT_SECONDS
        weight = min(budget.room(chance.choice(list(Lane)), now=now), chance.randint(1, 60))
        if weight:
            answered_at = now + chance.uniform(0.0, 8.0)
            google.came_at += [chance.uniform(now, answered_at)] * weight
            budget.begin(weight, asked(weight), now=now)
            under_way.append((answered_at, weight))
        now += chance.uniform(0.05, 1.0)
    return now


@LAW
@given(seed=st.integers(0, 2**32))
def test_no_limit_is_broken_by_workers_that_are_killed_one_after_another(seed: int) -> None:
    google, row, chance, now = Google(), Row(), random.Random(seed), 0.0
    for _ in range(8):
        now = live_a_worker(google, row, chance, now)
    assert google.most_in_a_minute() <= LIMITS.per_minute
    assert len(google.came_at) <= LIMITS.per_day


def test_the_law_finds_a_reservation_that_is_not_handed_on() -> None:
    found = 0
    for seed in range(20):
        google, row, chance, now = Google(), Row(), random.Random(seed), 0.0
        for _ in range(8):
            now = live_a_worker(google, row, chance, now)
            row.spend = None
        found += google.most_in_a_minute() > LIMITS.per_minute
    assert found
