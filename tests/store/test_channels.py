"""Channels are rows before they are requests, only the newest of a calendar stays, and what is of no use is stopped."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from syncer.store import channels
from syncer.store.channels import Setback
from tests.store.rows import NOW, Held
from tests.store.test_notified import DAY, a_channel, an_ask

STATES = "SELECT state FROM syncer.channel WHERE channel_id = $1"
LATER = NOW + timedelta(days=7)
ADDRESS = "https://sync.example.org/notifications/google"


async def opened(held: Held, channel_id: UUID) -> bool:
    return await channels.opened(held.database, channel_id, "resource", expires_at=LATER, renew_at=LATER)


async def an_open_channel(held: Held) -> UUID:
    channel_id = await a_channel(held)
    assert await opened(held, channel_id)
    return channel_id


async def state(held: Held, channel_id: UUID) -> str | None:
    found: str | None = await held.database.value(STATES, channel_id)
    return found


async def due(held: Held) -> list[int]:
    found = await channels.due(held.database, [held.key.tenant_id], limit=9)
    return sorted(one.key.calendar_id for one in found)


async def test_every_calendar_is_due_for_a_channel_once_it_is_there(held: Held) -> None:
    assert await due(held) == [held.key.calendar_id, held.other.calendar_id]
    await an_open_channel(held)
    assert await due(held) == [held.other.calendar_id]


async def test_what_is_asked_for_is_not_asked_for_again_at_once(held: Held) -> None:
    await a_channel(held)
    assert await due(held) == [held.other.calendar_id]
    await a_channel(held, held.other, again_seconds=0.0)
    assert await due(held) == [held.other.calendar_id]


async def test_without_the_lease_nothing_is_asked_for(held: Held) -> None:
    await held.taken_over()
    assert not await channels.ask(held.database, held.lease, an_ask(held.key))
    assert await held.database.value("SELECT count(*) FROM syncer.channel") == 0
    assert len(await due(held)) == 2


@pytest.mark.parametrize(
    "sql",
    ["UPDATE syncer.calendar SET state = 'paused'", "DELETE FROM syncer.calendar"],
    ids=["paused", "gone"],
)
async def test_of_a_calendar_that_is_not_served_nothing_is_asked_for(held: Held, sql: str) -> None:
    await held.database.run(sql)
    assert await due(held) == []
    assert not await channels.ask(held.database, held.lease, an_ask(held.key))


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE syncer.calendar SET state = 'paused'",
        "DELETE FROM syncer.calendar",
        "UPDATE syncer.calendar SET subject = 'bo@x.test'",
        "UPDATE syncer.calendar SET google_id = google_id || '.old'",
        "UPDATE syncer.tenant SET state = 'paused'",
        "UPDATE syncer.tenant SET credential = 'file:other.json'",
    ],
)
async def test_a_channel_that_is_of_no_use_any_more_is_to_be_stopped(held: Held, sql: str) -> None:
    is_open, is_asked = await an_open_channel(held), await a_channel(held)
    await held.database.run(sql)
    assert [await state(held, one) for one in (is_open, is_asked)] == ["stopping"] * 2
    # Also one that Google answers for only now.
    assert not await opened(held, is_asked)
    found = await channels.to_stop(held.database, held.lease.project_id, limit=9)
    assert {one.channel_id for one in found} == {is_open, is_asked}
    assert {(one.credential, one.subject) for one in found} == {("file:key.json", "ana@x.test")}


async def test_a_look_that_fails_keeps_the_channel(held: Held) -> None:
    channel_id = await an_open_channel(held)
    await held.database.run("UPDATE syncer.calendar SET state = 'parked', failures = 1, next_look_at = '2099-01-01'")
    assert await state(held, channel_id) == "open"


async def test_of_several_the_one_that_was_asked_for_last_stays(held: Held) -> None:
    first, second = await a_channel(held), await a_channel(held)
    assert await opened(held, second)
    assert not await opened(held, first)
    assert (await state(held, first), await state(held, second)) == ("stopping", "open")


async def test_the_old_one_is_stopped_only_when_the_new_one_is_open(held: Held) -> None:
    old, new = await an_open_channel(held), await a_channel(held)
    assert await state(held, old) == "open"
    assert await opened(held, new)
    assert await state(held, old) == "stopping"


async def test_a_channel_that_was_refused_leaves_no_row_and_one_in_doubt_does(held: Held) -> None:
    for may_exist, left in ((False, None), (True, "stopping")):
        channel_id = await a_channel(held)
        await channels.failed(held.database, channel_id, Setback(may_exist, LATER, 3, not may_exist, "why"))
        assert await state(held, channel_id) == left
    row = await held.database.first("SELECT * FROM syncer.watch WHERE calendar_id = $1", held.key.calendar_id)
    assert row is not None
    assert (row["due_at"], row["failures"], row["is_unwatchable"], row["reason"]) == (LATER, 3, False, "why")


async def test_what_nobody_can_name_is_not_to_be_stopped_yet(held: Held) -> None:
    channel_id = await a_channel(held)
    await held.database.run("UPDATE syncer.channel SET state = 'stopping'")
    assert await channels.to_stop(held.database, held.lease.project_id, limit=9) == []
    await held.database.run("UPDATE syncer.channel SET resource_id = 'resource'")
    (one,) = await channels.to_stop(held.database, held.lease.project_id, limit=9)
    await channels.not_stopped(held.database, one.channel_id, failures=1, again_at=LATER)
    assert await channels.to_stop(held.database, held.lease.project_id, limit=9) == []
    await channels.stopped(held.database, channel_id)
    assert await state(held, channel_id) is None


async def test_another_address_makes_a_calendar_due_and_keeps_its_channel_until_then(held: Held) -> None:
    channel_id = await an_open_channel(held)
    await channels.settle(held.database, held.lease, ADDRESS)
    assert await due(held) == [held.other.calendar_id]
    await channels.settle(held.database, held.lease, "https://elsewhere.example.org/notifications/google")
    assert len(await due(held)) == 2
    assert await state(held, channel_id) == "open"


async def test_without_an_address_channels_are_stopped(held: Held) -> None:
    channel_id = await an_open_channel(held)
    await channels.settle(held.database, held.lease, None)
    assert await state(held, channel_id) == "stopping"


async def test_a_channel_that_is_over_goes_and_its_calendar_is_due(held: Held) -> None:
    channel_id = await an_open_channel(held)
    await held.database.run("UPDATE syncer.channel SET expires_at = '2000-01-01'")
    await channels.settle(held.database, held.lease, ADDRESS)
    assert await state(held, channel_id) is None
    assert len(await due(held)) == 2


async def test_whoever_lost_the_lease_settles_nothing(held: Held) -> None:
    channel_id = await an_open_channel(held)
    await held.taken_over()
    await channels.settle(held.database, held.lease, None)
    assert await state(held, channel_id) == "open"


async def test_a_silent_channel_is_replaced_if_it_was_open_then(held: Held) -> None:
    await an_open_channel(held)
    opened_at = await held.database.value("SELECT opened_at FROM syncer.channel")
    assert await channels.replace(held.database, [(held.key, opened_at - timedelta(seconds=1))]) == []
    assert await channels.replace(held.database, [(held.key, opened_at + timedelta(seconds=1))]) == [held.key]
    assert len(await due(held)) == 2


async def test_a_forgotten_tenant_leaves_no_channel(held: Held) -> None:
    await an_open_channel(held)
    await held.database.run("DELETE FROM syncer.history")
    await held.database.run("DELETE FROM syncer.tenant")
    assert await held.database.value("SELECT count(*) FROM syncer.channel") == 0


async def test_how_a_calendar_is_told_of(held: Held) -> None:
    before = await channels.standing(held.database, held.key)
    assert before is not None
    assert (before.state, before.has_any, before.told_at) == (None, False, None)
    await an_open_channel(held)
    await a_channel(held, lasts_seconds=DAY)
    view = await channels.standing(held.database, held.key)
    assert view is not None
    assert (view.state, view.expires_at, view.has_any) == ("open", LATER, True)
