"""Work that waits at the same moment is done in one go."""

import asyncio
from collections.abc import Sequence

import pytest

from syncer.model.errors import StoreRefused, StoreUnavailable
from syncer.together import Together
from tests.waiting import until


class Work:
    """Doubles numbers; refuses those below zero, and stops at a closed gate."""

    def __init__(self) -> None:
        self.goes: list[list[int]] = []
        self.begun = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, asked: Sequence[int]) -> list[int | StoreRefused]:
        self.goes.append(list(asked))
        self.begun.set()
        await self.gate.wait()
        return [number * 2 if number >= 0 else StoreRefused("below zero") for number in asked]


def together(work: Work, *, at_once: int = 1) -> Together[int, int]:
    return Together(work, broken_off=lambda: StoreUnavailable("broken off"), most=10, at_once=at_once)


async def test_what_waits_at_the_same_moment_goes_together_up_to_the_limit() -> None:
    work = Work()
    double = together(work)

    assert await asyncio.gather(*(double(number) for number in range(12))) == [number * 2 for number in range(12)]
    assert work.goes == [list(range(10)), [10, 11]]


async def test_what_comes_meanwhile_goes_next() -> None:
    work = Work()
    double = together(work)
    work.gate.clear()
    first = asyncio.create_task(double(1))
    await work.begun.wait()
    later = [asyncio.create_task(double(number)) for number in (2, 3)]
    await until(lambda: len(double) == 2)
    work.gate.set()

    assert await asyncio.gather(first, *later) == [2, 4, 6]
    assert work.goes == [[1], [2, 3]]


async def test_one_refusal_is_its_own() -> None:
    double = together(Work())

    outcomes = await asyncio.gather(*(double(number) for number in (1, -1, 2)), return_exceptions=True)

    assert [str(outcome) for outcome in outcomes] == ["2", "below zero", "4"]


async def test_who_waits_behind_a_leader_that_is_cancelled_learns_that_nobody_knows() -> None:
    work = Work()
    double = together(work)
    work.gate.clear()
    leader, other = asyncio.create_task(double(1)), asyncio.create_task(double(2))
    await work.begun.wait()
    leader.cancel()

    with pytest.raises(StoreUnavailable, match="broken off"):
        await other
    assert leader.cancelled() or leader.cancelling()


async def test_who_gives_up_before_its_go_is_left_out() -> None:
    work = Work()
    double = together(work)
    work.gate.clear()
    first = asyncio.create_task(double(1))
    await work.begun.wait()
    gone, stays = asyncio.create_task(double(2)), asyncio.create_task(double(3))
    await until(lambda: len(double) == 2)
    gone.cancel()
    work.gate.set()

    assert await stays == 6
    assert await first == 2
    assert work.goes == [[1], [3]]


@pytest.mark.parametrize("at_once", [1, 2, 4])
async def test_every_piece_is_done_once_however_many_goes_are_under_way(at_once: int) -> None:
    work = Work()
    double = together(work, at_once=at_once)

    found = await asyncio.gather(*(double(number) for number in range(95)))

    assert found == [number * 2 for number in range(95)]
    assert sorted(number for go in work.goes for number in go) == list(range(95))
    assert all(work.goes)
    assert len(double) == 0


async def test_a_second_go_does_not_wait_for_the_first() -> None:
    work = Work()
    double = together(work, at_once=2)
    work.gate.clear()
    first = asyncio.create_task(double(1))
    await work.begun.wait()
    second = asyncio.create_task(double(2))
    await until(lambda: len(work.goes) == 2)
    work.gate.set()

    assert [await first, await second] == [2, 4]


async def test_who_goes_away_when_its_turn_to_lead_has_come_hands_it_on() -> None:
    work = Work()
    double = together(work)
    work.gate.clear()
    first = asyncio.create_task(double(1))
    await work.begun.wait()
    gone, stays = asyncio.create_task(double(2)), asyncio.create_task(double(3))
    await until(lambda: len(double) == 2)
    first.add_done_callback(lambda _: gone.cancel())
    work.gate.set()

    assert await asyncio.wait_for(stays, 10) == 6
    assert await first == 2
    assert gone.cancelled()
    assert await double(4) == 8
