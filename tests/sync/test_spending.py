"""No user of a project is asked about more often than Google grants."""

import asyncio
from datetime import date
from uuid import uuid4

import pytest

from syncer.clients.google.batch import Call
from syncer.model.budget import Lane, Limits
from syncer.model.calendar import Lease
from syncer.store.budgets import Standing
from syncer.sync.spending import Spending
from syncer.sync.tenure import Tenure

TODAY = date(2026, 12, 1)
ANA = Call("GET", "", ("", None), user="ana")


async def let_out(lane: Lane, *, per_user_minute: int, cycle_seconds: float) -> int:
    """How many of 200 requests for one user go out together."""
    tenure = Tenure(Lease(1, uuid4(), 1), asyncio.get_running_loop().time() + 60)
    limits = Limits(per_user_minute=per_user_minute)
    spending = Spending(Standing(limits, None), tenure, today=TODAY, cycle_seconds=cycle_seconds)
    spending.reserve(spending.spent(TODAY, 5.0), limits)
    purse, count = spending.purse(lane), 0
    while count < 200 and not purse.crowded([ANA]):
        purse.end(await purse.begin([ANA]))
        count += 1
    return count


@pytest.mark.parametrize("lane", [Lane.URGENT, Lane.BACKFILL])
async def test_what_is_asked_for_one_user_leaves_room_for_two_more_workers_and_looks_by_the_clock(lane: Lane) -> None:
    assert await let_out(lane, per_user_minute=100, cycle_seconds=60) == 25


async def test_looks_by_the_clock_that_come_too_often_for_one_user_are_held_as_well() -> None:
    assert await let_out(Lane.REFRESH, per_user_minute=100, cycle_seconds=2) == 25


async def test_looks_by_the_clock_that_are_rare_enough_need_not_be_counted_by_user() -> None:
    assert await let_out(Lane.REFRESH, per_user_minute=100, cycle_seconds=2.4) == 200
