"""Marks on calendars: each telling is another one, none goes that was not seen, and workers are told of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from syncer.model.calendar import CalendarKey
from syncer.store import channels, notified
from syncer.store.channels import Ask
from syncer.store.hearing import Ear
from syncer.store.notified import Known, Mark
from tests.store.rows import Held, connected
from tests.waiting import until

DAY = 86_400.0


def an_ask(key: CalendarKey, **fields: object) -> Ask:
    made = {
        "channel_id": uuid4(),
        "key": key,
        "secret_hash": b"h" * 32,
        "address": "https://sync.example.org/notifications/google",
        "credential": "file:key.json",
        "subject": "ana@x.test",
        "lasts_seconds": DAY,
        "again_seconds": 300.0,
    }
    return Ask(**{**made, **fields})  # type: ignore[arg-type]


async def a_channel(held: Held, key: CalendarKey | None = None, **fields: object) -> UUID:
    """One that was asked for."""
    asked = an_ask(key or held.key, **fields)
    assert await channels.ask(held.database, held.lease, asked)
    return asked.channel_id


async def known(held: Held, channel_id: UUID) -> Known:
    return (await notified.known(held.database, [channel_id]))[channel_id]


async def marks(held: Held) -> list[Mark]:
    return [mark async for page in notified.pages(held.database, [held.lease.project_id]) for mark in page]


@pytest.fixture
async def told(held: Held) -> Known:
    """A channel of the first calendar."""
    return await known(held, await a_channel(held))


async def test_a_channel_is_found_before_its_watch_is_answered(held: Held, told: Known) -> None:
    assert (told.key, told.project_id, told.secret_hash) == (held.key, held.lease.project_id, b"h" * 32)
    assert (told.is_live, told.is_unnamed) == (True, True)
    assert await notified.known(held.database, [uuid4()]) == {}


async def test_a_channel_that_is_over_is_not_live(held: Held) -> None:
    assert not (await known(held, await a_channel(held, lasts_seconds=0.0))).is_live


async def test_each_telling_is_another_mark(held: Held, told: Known) -> None:
    assert await notified.mark(held.database, [told, told]) == {held.key}
    (first,) = await marks(held)
    await notified.mark(held.database, [told])
    (second,) = await marks(held)
    assert first.key == second.key == held.key
    assert second.number > first.number


async def test_a_mark_that_moved_since_it_was_seen_stays(held: Held, told: Known) -> None:
    await notified.mark(held.database, [told])
    (first,) = await marks(held)
    await notified.mark(held.database, [told])
    await notified.forget(held.database, [(first.key, first.number)])
    (second,) = await marks(held)
    await notified.forget(held.database, [(second.key, second.number)])
    assert await marks(held) == []


async def test_marks_are_read_in_pages(held: Held) -> None:
    sql = "INSERT INTO syncer.notified (tenant_id, calendar_id) SELECT $1, n FROM generate_series(1, 2500) AS n"
    await held.database.run(sql, held.key.tenant_id)
    found = await marks(held)
    assert [mark.key.calendar_id for mark in found] == list(range(1, 2501))


async def test_other_projects_marks_are_not_read(held: Held, told: Known) -> None:
    await notified.mark(held.database, [told])
    assert [page async for page in notified.pages(held.database, [held.lease.project_id + 1])] == []


async def test_a_calendar_that_is_gone_is_not_marked_and_leaves_no_mark(held: Held, told: Known) -> None:
    other = await known(held, await a_channel(held, held.other))
    await notified.mark(held.database, [told, other])
    await held.database.run("DELETE FROM syncer.calendar WHERE calendar_id = $1", held.key.calendar_id)
    assert [mark.key for mark in await marks(held)] == [held.other]
    assert await notified.mark(held.database, [told, other]) == {held.other}
    await held.database.run("INSERT INTO syncer.notified VALUES ($1, 9999)", held.key.tenant_id)
    await notified.prune(held.database)
    assert [mark.key for mark in await marks(held)] == [held.other]


async def test_a_resource_is_named_once(held: Held, told: Known) -> None:
    for name in ("first", "second"):
        await notified.name_resources(held.database, {told.channel_id: name})
    assert await held.database.value("SELECT resource_id FROM syncer.channel") == "first"
    assert not (await known(held, told.channel_id)).is_unnamed


async def test_a_mark_waits_for_no_pull_and_no_pull_for_it(held: Held, told: Known) -> None:
    async with connected(held.dsn) as connection, connection.transaction():
        await connection.execute("SELECT FROM syncer.calendar ORDER BY calendar_id FOR NO KEY UPDATE")
        async with asyncio.timeout(1.5):
            await notified.mark(held.database, [told])
        async with connected(held.dsn) as other, other.transaction():
            await other.execute("SELECT FROM syncer.notified FOR UPDATE")
            await connection.execute("UPDATE syncer.calendar SET time_zone = 'Europe/Paris'")


async def test_two_receivers_that_mark_the_same_calendars_never_wait_for_each_other_for_ever(held: Held) -> None:
    both = [await known(held, await a_channel(held, key)) for key in (held.key, held.other)]
    await asyncio.gather(
        *(notified.mark(held.database, both[::step]) for step in (1, -1) for _ in range(50)),
    )
    assert {mark.key for mark in await marks(held)} == {held.key, held.other}


class Ears:
    """What an ear heard."""

    def __init__(self, held: Held) -> None:
        self.heard: list[str] = []
        self.begun = 0
        self.ear = Ear(held.database, notified.CHANNEL, heard=self.heard.append, begun=self._begin)

    def _begin(self) -> None:
        self.begun += 1

    async def until(self, count: int) -> None:
        await until(lambda: len(self.heard) >= count)


@pytest.fixture
async def ears(held: Held) -> AsyncIterator[Ears]:
    made = Ears(held)
    await made.ear.beat()
    yield made
    made.ear.close()


async def test_a_project_is_told_once_for_each_statement(held: Held, told: Known, ears: Ears) -> None:
    other = await known(held, await a_channel(held, held.other))
    await notified.mark(held.database, [told, other])
    await ears.until(1)
    await notified.mark(held.database, [other])
    await ears.until(2)
    assert ears.heard == [str(held.lease.project_id)] * 2


async def test_a_connection_that_was_cut_is_made_again_and_that_is_told(held: Held, told: Known, ears: Ears) -> None:
    await ears.ear.beat()
    cut = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND query IN ('SELECT', 'LISTEN \"syncer_notified\"')"
    )
    await held.database.run(cut)
    async with asyncio.timeout(10):
        await ears.ear.gone.wait()
    await ears.ear.beat()
    assert ears.begun == 2
    await notified.mark(held.database, [told])
    await ears.until(1)
