"""A plan says what the rules would do: messages first, the rest by the clock, within what is granted."""

import pytest

from syncer.simulator import plan as planning
from syncer.simulator.plan import Plan, Wishes, polling


def planned(**wishes: float) -> Plan:
    usual = {"calendars": 2_000, "changes_a_day": 5.0, "sample": 40}
    *_, found = planning.plan(Wishes(**{**usual, **wishes}))  # type: ignore[arg-type]
    assert found is not None
    return found


def test_a_plan_stays_within_the_days_requests() -> None:
    found = planned(per_day=100_000)
    assert found.is_enough
    assert found.requests_a_day == pytest.approx(found.of_messages + found.of_refresh + found.of_renewals)


def test_messages_make_changes_seen_at_once() -> None:
    assert planned(loss=0.0).p95_seconds < 5 < planned(loss=1.0).p95_seconds


def test_lost_messages_are_found_by_the_clock() -> None:
    found = planned(loss=0.3)
    assert found.p99_seconds <= found.longest_interval_seconds


def test_without_messages_there_are_no_channels_to_pay_for() -> None:
    found = planned(loss=1.0)
    assert (found.of_renewals, found.of_messages) == (0.0, 0.0)


def test_fewer_requests_make_changes_wait_longer() -> None:
    assert planned(per_day=20_000).mean_seconds > 2 * planned(per_day=200_000).mean_seconds


def test_too_many_changes_are_said_to_be_too_many() -> None:
    assert not planned(calendars=100_000, changes_a_day=50.0).is_enough


def test_the_same_seed_gives_the_same_plan() -> None:
    assert planned(seed=7) == planned(seed=7)


def test_looks_at_fixed_intervals_wait_half_an_interval() -> None:
    assert polling(Wishes(100, 5.0), 24 * 100) == (1800.0, 3420.0, 3564.0)
