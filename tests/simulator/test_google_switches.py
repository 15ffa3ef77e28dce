"""Conditions on reads, lives of tokens and tombstones, and the switches where Google's documentation leaves it open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.simulator.google_batches import call, read, send
from tests.simulator.google_stage import ANA, BO, Stage, a_stage, events

WINDOW = {"timeMin": "2026-01-01T00:00:00Z", "timeMax": "2030-01-01T00:00:00Z"}


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with a_stage() as made:
        yield made


async def settle(stage: Stage, **settings: Any) -> None:
    await stage.control("PUT", "faults", {"settings": settings})


async def now(stage: Stage) -> datetime:
    return datetime.fromisoformat((await stage.control("GET", "clock"))["now"])


async def later(stage: Stage, **span: float) -> None:
    await stage.control("PUT", "clock", {"now": (await now(stage) + timedelta(**span)).isoformat()})


async def test_what_the_caller_has_already_is_not_sent_again(stage: Stage) -> None:
    event = await stage.insert()
    listing = (await stage.call("GET", events())).body
    for path, etag in ((events(ANA, event["id"]), event["etag"]), (events(), listing["etag"])):
        reply = await stage.call("GET", path, headers={"If-None-Match": etag})
        assert (reply.status, reply.body, reply.headers["ETag"]) == (304, None, etag)
        conditional = call("GET", path, headers={"If-None-Match": etag})
        (part,) = read(await send(stage, [conditional], user=ANA))
        assert (part.status, part.body, part.headers["ETag"]) == (304, b"", etag)
        assert (await stage.call("GET", path, headers={"If-None-Match": '"0"'})).status == 200
    await stage.insert()
    assert (await stage.call("GET", events(), headers={"If-None-Match": listing["etag"]})).status == 200


async def test_sync_tokens_end_with_age_when_that_is_set(stage: Stage) -> None:
    token = await stage.sync_token()
    await later(stage, days=400)
    assert (await stage.call("GET", events(), syncToken=token)).status == 200
    await settle(stage, sync_token_days=7)
    assert (await stage.call("GET", events(), syncToken=token)).reason == "fullSyncRequired"
    token = await stage.sync_token()
    await later(stage, days=6)
    assert (await stage.call("GET", events(), syncToken=token)).status == 200


async def test_a_quiet_calendar_keeps_its_token_unless_tokens_move(stage: Stage) -> None:
    await stage.control("PUT", "clock", {"now": "2026-12-01T09:10:00Z"})
    first = await stage.sync_token()
    assert await stage.sync_token(syncToken=first) == first
    await settle(stage, moving_sync_tokens=True)
    moved = await stage.sync_token(syncToken=first)
    assert moved != first
    assert (await stage.call("GET", events(), syncToken=moved)).status == 200


async def test_a_window_or_a_lower_bound_costs_the_token_unless_set_otherwise(stage: Stage) -> None:
    bound = {"updatedMin": (await now(stage) - timedelta(days=1)).isoformat()}
    for query in (WINDOW, bound):
        assert "nextSyncToken" not in (await stage.pages(**query))[-1]
    await settle(stage, time_max_ends_sync=False, updated_min_ends_sync=False)
    for query in (WINDOW, bound):
        assert "nextSyncToken" in (await stage.pages(**query))[-1]
    assert "nextSyncToken" not in (await stage.pages(orderBy="updated"))[-1]


async def test_how_far_back_updated_min_reaches_can_be_set(stage: Stage) -> None:
    bound = (await now(stage) - timedelta(days=10)).isoformat()
    assert (await stage.call("GET", events(), updatedMin=bound)).status == 200
    await settle(stage, updated_min_days=5)
    reply = await stage.call("GET", events(), updatedMin=bound)
    assert (reply.status, reply.reason, reply.location) == (410, "updatedMinTooLongAgo", "updatedMin")


async def test_tombstones_keep_details_only_where_asked_and_only_while_that_is_set(stage: Stage) -> None:
    query = {"showDeleted": "true"}
    token = await stage.sync_token(**query)
    event = await stage.insert(attendees=[{"email": BO}])
    await stage.call("DELETE", events(ANA, event["id"]), sendUpdates="all")
    (detailed,) = (await stage.pages(syncToken=token, **query))[0]["items"]
    assert (detailed["status"], detailed["summary"]) == ("cancelled", "Review")
    await settle(stage, detailed_tombstones=False)
    (bare,) = (await stage.pages(syncToken=token, **query))[0]["items"]
    assert set(bare) == {"kind", "etag", "id", "status"}


async def test_tombstones_leave_full_listings_in_time_but_keep_their_ids(stage: Stage) -> None:
    event = await stage.insert(id="abcde")
    await stage.call("DELETE", events(ANA, event["id"]))
    await settle(stage, tombstone_days=30)
    assert len((await stage.pages(showDeleted="true"))[0]["items"]) == 1
    await later(stage, days=31)
    assert (await stage.pages(showDeleted="true"))[0]["items"] == []
    assert (await stage.call("GET", events(ANA, event["id"]))).body["status"] == "cancelled"
    again = await stage.call("POST", events(), {"id": "abcde", "start": event["start"], "end": event["end"]})
    assert (again.status, again.reason) == (409, "duplicate")


async def test_a_method_may_be_named_in_a_header(stage: Stage) -> None:
    event = await stage.insert()
    path, headers = events(ANA, event["id"]), {"X-HTTP-Method-Override": "PATCH"}
    assert (await stage.call("POST", path, {"summary": "New"}, headers=headers)).body["summary"] == "New"
