"""However many pushes of one tenant wait for an account, another's next one goes soon, and no place is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from syncer.run.room import Room
from syncer.run.turnstile import Turnstile
from tests.run.worker import until

BIG, SMALL = 1, 2


class Crowd:
    """Work that notes whose it is when it gets a place, and holds it until it is told."""

    def __init__(self, places: int, group: asyncio.TaskGroup) -> None:
        self.went: list[int] = []
        self._over = asyncio.Semaphore(0)
        self._turnstile = Turnstile(places)
        self._group = group
        self._came = self._ended = 0

    async def come(self, *tenant_ids: int) -> list[asyncio.Task[None]]:
        came = self._came + len(tenant_ids)
        tasks = [self._group.create_task(self._work(one)) for one in tenant_ids]
        await until(lambda: self._have(self._came == came))
        return tasks

    async def end(self, count: int) -> None:
        """So many end, one after another; the next one goes when it may."""
        for _ in range(count):
            ended, went = self._ended + 1, min(len(self.went) + 1, self._came)
            self._over.release()
            await until(lambda: self._have(self._ended == ended and len(self.went) == went))  # noqa: B023

    async def leave(self, task: asyncio.Task[None]) -> None:
        """Goes away without a place."""
        task.cancel()
        await asyncio.wait([task])
        self._came -= 1

    async def _have(self, it_is_so: bool) -> bool:
        return it_is_so

    async def _work(self, tenant_id: int) -> None:
        self._came += 1
        async with self._turnstile.place(tenant_id):
            self.went.append(tenant_id)
            await self._over.acquire()
        self._ended += 1


@asynccontextmanager
async def a_crowd(places: int) -> AsyncIterator[Crowd]:
    async with asyncio.TaskGroup() as group:
        yield Crowd(places, group)


async def test_no_more_work_goes_on_than_there_are_places() -> None:
    async with a_crowd(2) as crowd:
        await crowd.come(BIG, BIG, BIG)
        assert len(crowd.went) == 2
        await crowd.end(3)
        assert len(crowd.went) == 3


async def test_tenants_take_turns() -> None:
    async with a_crowd(1) as crowd:
        await crowd.come(BIG, BIG, BIG, BIG, SMALL, SMALL)
        await crowd.end(6)
        assert crowd.went == [BIG, BIG, SMALL, BIG, SMALL, BIG]


async def test_who_goes_away_while_it_waits_takes_no_place_along() -> None:
    async with a_crowd(1) as crowd:
        await crowd.come(BIG)
        (gone,) = await crowd.come(SMALL)
        await crowd.leave(gone)
        await crowd.come(BIG)
        await crowd.end(2)
        assert crowd.went == [BIG, BIG]


async def test_who_goes_away_when_its_turn_has_come_hands_it_on() -> None:
    turnstile, came, went = Turnstile(1), list[int](), list[int]()

    async def work(tenant_id: int) -> None:
        came.append(tenant_id)
        async with turnstile.place(tenant_id):
            went.append(tenant_id)

    async def all_came() -> bool:
        return len(came) == 2

    async with asyncio.TaskGroup() as group:
        async with turnstile.place(BIG):
            gone = group.create_task(work(SMALL))
            group.create_task(work(BIG))
            await until(all_came)
        # The place is handed over by now, and who waited for it has not run yet.
        gone.cancel()
    assert went == [BIG]
    async with turnstile.place(SMALL):
        assert turnstile.is_full


def test_one_tenants_pushes_leave_room_for_anothers_of_the_same_account() -> None:
    room = Room(places=2)
    assert sum(room.enter(7, BIG) for _ in range(1000)) == 200
    assert sum(room.enter(7, SMALL) for _ in range(1000)) == 4


def test_room_that_was_full_is_told_when_there_is_some_again() -> None:
    room = Room(places=2)
    while room.enter(7, BIG):
        pass
    for _ in range(100):
        assert not room.bell.is_set()
        room.leave(7, BIG)
    assert room.bell.is_set()
