"""No limit of a provider is broken by all workers together, whoever is killed when."""

import random
from dataclasses import dataclass, field

import pytest

from syncer.model.budget import CallLimit
from syncer.rules.calling import BEGINS_SECONDS, Scope, Settled, Stock, Taken, Wish
from syncer.store import calls
from tests.store.rows import Held

HOLD_SECONDS = 12.0
SECOND = Scope("second", 1, 3, CallLimit(3, 1))
MINUTE = Scope("minute", 60, 20, CallLimit(20, 60))
DAY = Scope("day", 86_400, 60, CallLimit(60, 86_400))
SCOPES = (SECOND, MINUTE, DAY)


@dataclass
class World:
    """One account, a clock that only tests move, and when its provider took in calls."""

    held: Held
    account_id: int
    chance: random.Random
    now: float = 0.0
    came_at: list[float] = field(default_factory=list)

    async def pass_time(self, seconds: float) -> None:
        self.now += seconds
        await self.held.database.run("UPDATE syncer.test_clock SET shift = $1 * interval '1 second'", self.now)

    def most_within(self, seconds: float) -> int:
        came, most, first = sorted(self.came_at), 0, 0
        for last, at in enumerate(came):
            while at - came[first] >= seconds:
                first += 1
            most = max(most, last - first + 1)
        return most


@pytest.fixture
async def world(held: Held) -> World:
    await held.database.run("INSERT INTO syncer.test_clock (shift) VALUES (interval '0')")
    # Time stands still between two steps of a test.
    await held.database.run(
        "CREATE OR REPLACE FUNCTION syncer.clock() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE AS "
        "$$ SELECT timestamptz '2099-12-01 00:00:00Z' + (SELECT shift FROM syncer.test_clock) $$"
    )
    account_id = await held.database.value("SELECT min(account_id) FROM syncer.provider_account")
    return World(held, account_id, random.Random(1))


@dataclass
class Worker:
    """One that calls as often as it may, until it is killed."""

    world: World
    stock: Stock = field(default_factory=Stock)
    under_way: list[tuple[float, Taken]] = field(default_factory=list)

    async def live_on(self) -> None:
        """Ends the calls that were answered by now, and begins as many as there is room for."""
        world, chance = self.world, self.world.chance
        for one in [one for one in self.under_way if one[0] <= world.now]:
            self.under_way.remove(one)
            self.stock.give_back(one[1], world.now)
        asked = [SCOPES] * chance.randint(0, 8)
        wishes = self.stock.wishes(asked, world.now)
        if wishes:
            told = self.stock.settled(world.now)
            await self.put(wishes, await self.reserve(told, wishes))
        for scopes in asked:
            taken = self.stock.take(scopes, world.now)
            if taken is not None:
                answered_at = world.now + chance.uniform(0.0, HOLD_SECONDS - BEGINS_SECONDS)
                # Also of a worker that is killed meanwhile.
                world.came_at.append(chance.uniform(world.now, answered_at))
                self.under_way.append((answered_at, taken))

    async def reserve(self, told: list[Settled], wishes: list[Wish]) -> list[calls.Reserved]:
        world = self.world
        return await calls.reserve(world.held.database, world.account_id, told, wishes, hold_seconds=HOLD_SECONDS)

    async def put(self, wishes: list[Wish], reserved: list[calls.Reserved]) -> None:
        now = self.world.now
        for wish, one in zip(wishes, reserved, strict=True):
            room_at = now + min(one.room_in_seconds, wish.scope.seconds)
            self.stock.put(wish, one.slot, one.calls, now=now, room_at=room_at)


@pytest.mark.parametrize("seed", range(8))
async def test_no_limit_is_broken_by_workers_that_are_killed(world: World, seed: int) -> None:
    world.chance = chance = random.Random(seed)
    workers = [Worker(world) for _ in range(3)]
    for _ in range(150):
        place = chance.randrange(3)
        if chance.random() < 0.05:
            workers[place] = Worker(world)
        await workers[place].live_on()
        await world.pass_time(chance.choice([0.0, 0.05, 0.3, 0.9, 3.0, 45.0]))
    assert [world.most_within(scope.seconds) <= scope.most for scope in SCOPES] == [True] * 3
    # What is granted can be used, but for what the killed have held.
    assert len(world.came_at) > DAY.most // 3


async def granted(world: World, count: int, scope: Scope = DAY) -> calls.Reserved:
    (one,) = await calls.reserve(
        world.held.database, world.account_id, [], [Wish(scope, count)], hold_seconds=HOLD_SECONDS
    )
    return one


async def test_a_days_calls_outlive_the_worker_that_made_them(world: World) -> None:
    assert (await granted(world, 100)).calls == 60
    await world.pass_time(86_400.0)
    assert (await granted(world, 1)).calls == 0
    await world.pass_time(HOLD_SECONDS + 86_400.0 / 60)
    assert (await granted(world, 100)).calls == 60


async def test_it_is_told_when_there_may_be_room(world: World) -> None:
    first = await granted(world, 100)
    assert 86_400 < first.room_in_seconds <= HOLD_SECONDS + 86_400 * 61 / 60
    await world.pass_time(first.room_in_seconds)
    assert (await granted(world, 1)).calls == 1


async def test_what_was_not_used_goes_back_at_once(world: World) -> None:
    first = await granted(world, 100)
    told = Settled("day", 86_400, first.slot, unused=59, ended=1, age=0.0)
    await calls.reserve(world.held.database, world.account_id, [told], [], hold_seconds=HOLD_SECONDS)
    assert (await granted(world, 100)).calls == 59


async def test_accounts_are_counted_apart(world: World) -> None:
    await granted(world, 100)
    world.account_id = await world.held.database.value(
        "INSERT INTO syncer.provider_account (provider, credential) VALUES ('webhook', 'file:other') "
        "RETURNING account_id"
    )
    assert (await granted(world, 100)).calls == 60


async def test_an_account_that_is_gone_is_granted_nothing(world: World) -> None:
    wish = [Wish(DAY, 1)]
    assert await calls.reserve(world.held.database, 2**40, [], wish, hold_seconds=HOLD_SECONDS) == []


async def test_what_counts_no_longer_is_forgotten(world: World) -> None:
    await granted(world, 1, SECOND)
    await granted(world, 1, DAY)
    await world.pass_time(60.0)
    await calls.prune(world.held.database)
    assert [row["scope"] for row in await world.held.database.fetch("SELECT scope FROM syncer.provider_spend")] == [
        "day"
    ]
