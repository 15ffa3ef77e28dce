"""One worker at a time has the right to serve a project, and knows when it has lost it."""

import asyncio
from uuid import uuid4

from syncer.store import calendars, leases
from tests.store.rows import LEASE_SECONDS, NOW, Held, a_commit_under_way, a_page, connected, take


async def renewed(held: Held) -> frozenset[int]:
    return await leases.renew(held.database, held.lease.owner, [held.lease], lease_seconds=LEASE_SECONDS, now=NOW)


async def test_a_held_lease_cannot_be_taken(held: Held) -> None:
    assert await take(held.database) == []


async def test_a_lease_that_ran_out_is_taken_under_a_new_epoch(held: Held) -> None:
    taken = await held.taken_over()
    assert (taken.epoch, taken.owner != held.lease.owner) == (held.lease.epoch + 1, True)
    assert await renewed(held) == frozenset()


async def test_a_lease_that_ran_out_and_was_not_taken_is_renewed(held: Held) -> None:
    await held.run_out()
    assert await renewed(held) == {held.lease.project_id}
    assert await take(held.database) == []


async def test_an_owner_does_not_take_over_from_itself(held: Held) -> None:
    await held.run_out()
    assert await take(held.database, held.lease.owner, [held.lease.project_id]) == []


async def test_a_lease_that_its_owner_was_never_told_of_is_taken_anew_at_once(held: Held) -> None:
    (taken,) = await take(held.database, held.lease.owner)
    assert taken.epoch == held.lease.epoch + 1


async def test_a_released_lease_is_free_at_once(held: Held) -> None:
    await leases.release(held.database, held.lease.owner)
    assert len(await take(held.database)) == 1


async def test_a_release_gives_back_nobody_elses_lease(held: Held) -> None:
    taken = await held.taken_over()
    await leases.release(held.database, held.lease.owner)
    assert await take(held.database) == []
    assert await held.database.value("SELECT owner FROM syncer.lease") == taken.owner


async def test_of_many_who_take_at_once_one_gets_each_lease(held: Held) -> None:
    await held.database.run("INSERT INTO syncer.project (slug) SELECT 'p' || n FROM generate_series(1, 20) n")
    await held.run_out()
    taken = await asyncio.gather(*[take(held.database, uuid4()) for _ in range(6)])
    got = [lease.project_id for one in taken for lease in one]
    assert len(got) == len(set(got))
    got += [lease.project_id for lease in await take(held.database)]
    assert len(set(got)) == 21


async def test_a_lease_is_not_taken_in_the_middle_of_a_commit(held: Held) -> None:
    await held.run_out()
    async with a_commit_under_way(held):
        assert await take(held.database) == []
    assert len(await take(held.database)) == 1


async def test_a_commit_waits_for_a_take_over_under_way_and_then_writes_nothing(held: Held) -> None:
    async with connected(held.dsn) as heir:
        taking = heir.transaction()
        await taking.start()
        await heir.execute("SELECT FROM syncer.lease FOR UPDATE")
        await heir.execute("UPDATE syncer.lease SET owner = $1, epoch = epoch + 1", uuid4())
        page = calendars.commit_page(held.database, held.lease, held.key, a_page(("event2", "meeting2")))
        commit = asyncio.create_task(page)
        await held.until_waiting(1)
        await taking.commit()
        (outcome,) = await asyncio.gather(commit, return_exceptions=True)
    assert type(outcome).__name__ == "FencedOut"
    assert await held.database.value("SELECT count(*) FROM syncer.link") == 1


async def test_a_renewal_is_not_held_up_by_a_commit(held: Held) -> None:
    async with a_commit_under_way(held), asyncio.timeout(5):
        assert await renewed(held) == {held.lease.project_id}


async def test_a_commit_is_not_held_up_by_a_renewal(held: Held) -> None:
    async with connected(held.dsn) as owner, owner.transaction(), asyncio.timeout(5):
        await owner.execute("UPDATE syncer.lease SET until = syncer.clock() + interval '1 minute'")
        assert await calendars.commit_page(held.database, held.lease, held.key, a_page(("event2", "meeting2")))


async def test_the_clock_of_an_unmarked_cluster_cannot_be_set(held: Held) -> None:
    apart = "SELECT abs(extract(epoch FROM syncer.clock() - clock_timestamp())) > 3000"
    assert not await held.database.value(apart)
    assert (await leases.clock_shift(held.database)).total_seconds() == 0
    await held.database.run("INSERT INTO syncer.test_clock (shift) VALUES (interval '1 hour')")
    assert await held.database.value(apart)
    assert (await leases.clock_shift(held.database)).total_seconds() == 3600


async def test_there_is_one_clock_only(held: Held) -> None:
    await held.database.run("INSERT INTO syncer.test_clock (shift) VALUES (interval '1 hour')")
    assert len(await take(held.database)) == 1
