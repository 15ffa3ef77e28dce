"""Channels of the simulated Google: how they are opened, what is refused, who may stop them, when they end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest

from syncer.simulator.google.channels import Opener
from tests.simulator.ears import Ear, a_listened_stage, quiet, settle, stop, watch, watched
from tests.simulator.google_batches import call, read, send
from tests.simulator.google_stage import ANA, BO, CLEO, ROOM, Stage, events

WEEK = timedelta(days=7)


@pytest.fixture
async def both() -> AsyncIterator[tuple[Stage, Ear]]:
    async with a_listened_stage() as made:
        yield made


async def now_of(stage: Stage) -> datetime:
    return datetime.fromisoformat((await stage.control("GET", "clock"))["now"])


async def later(stage: Stage, by: timedelta) -> None:
    await stage.control("PUT", "clock", {"now": (await now_of(stage) + by).isoformat()})


def millis(at: datetime) -> str:
    return str(round(at.timestamp() * 1000))


async def life(stage: Stage, ear: Ear, **fields: Any) -> float:
    """For how many seconds a channel is granted."""
    at = datetime.fromtimestamp(int((await watched(stage, ear, **fields))["expiration"]) / 1000, UTC)
    return (at - await now_of(stage)).total_seconds()


async def test_a_channel_is_answered_with_what_stops_it(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    told = await watched(stage, ear, "primary", id="c-1", token="k=9f2c")
    assert told == {
        "kind": "api#channel",
        "id": "c-1",
        "resourceId": told["resourceId"],
        "resourceUri": "https://www.googleapis.com/calendar/v3/calendars/ana%40tenant-a.test/events?alt=json",
        "token": "k=9f2c",
        "expiration": told["expiration"],
    }
    assert told["resourceId"] == (await watched(stage, ear))["resourceId"]
    assert told["resourceId"] != (await watched(stage, ear, ROOM))["resourceId"]


async def test_the_sync_message_carries_all_headers_and_no_body(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    told = await watched(stage, ear, token="k=9f2c", expiration=millis(datetime(2027, 1, 1, 7, 6, 40, tzinfo=UTC)))
    (heard,) = ear.heard
    assert heard.body == b""
    assert {name: value for name, value in heard.headers.items() if name.startswith("X-Goog")} == {
        "X-Goog-Channel-ID": told["id"],
        "X-Goog-Channel-Token": "k=9f2c",
        "X-Goog-Channel-Expiration": heard.headers["X-Goog-Channel-Expiration"],
        "X-Goog-Resource-ID": told["resourceId"],
        "X-Goog-Resource-URI": told["resourceUri"],
        "X-Goog-Resource-State": "sync",
        "X-Goog-Message-Number": "1",
    }
    assert heard.headers["X-Goog-Channel-Expiration"].endswith(" GMT")
    assert millis(parsedate_to_datetime(heard.headers["X-Goog-Channel-Expiration"])) == told["expiration"]
    assert heard.headers["User-Agent"].startswith("APIs-Google")
    assert heard.headers["Content-Length"] == "0"
    assert "Content-Type" not in heard.headers


async def test_a_channel_without_a_token_brings_none(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    assert "token" not in await watched(stage, ear)
    assert "X-Goog-Channel-Token" not in ear.heard[0].headers


async def test_the_shortest_of_what_is_asked_and_granted_is_a_channels_life(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    now = await now_of(stage)
    assert await life(stage, ear) == pytest.approx(WEEK.total_seconds(), abs=5)
    assert await life(stage, ear, params={"ttl": "600"}) == pytest.approx(600, abs=5)
    assert await life(stage, ear, expiration=millis(now + timedelta(hours=1))) == pytest.approx(3600, abs=5)
    both_given = {"params": {"ttl": "600"}, "expiration": int(millis(now + timedelta(hours=1)))}
    assert await life(stage, ear, **both_given) == pytest.approx(600, abs=5)
    assert await life(stage, ear, params={"ttl": "99999999"}) == pytest.approx(WEEK.total_seconds(), abs=5)
    await settle(stage, longest_seconds=86_400)
    assert await life(stage, ear) == pytest.approx(86_400, abs=5)


@pytest.mark.parametrize(
    "fields",
    [
        {"expiration": "1600000000000"},
        {"expiration": "tomorrow"},
        {"expiration": "9" * 17},
        {"params": {"ttl": "0"}},
        {"params": {"ttl": "-5"}},
        {"params": {"ttl": "a week"}},
    ],
    ids=str,
)
async def test_a_channel_that_ends_before_it_begins_is_refused(both: tuple[Stage, Ear], fields: Any) -> None:
    stage, ear = both
    reply = await watch(stage, ear, **fields)
    assert (reply.status, reply.reason) == (400, "invalid")
    assert reply.body["error"]["message"].startswith("Invalid ttl value for channel")
    assert (await quiet(stage))["channels"]["opened"] == 0


@pytest.mark.parametrize(
    ("fields", "status", "reason"),
    [
        ({"id": None}, 400, "required"),
        ({"id": "x" * 65}, 400, "invalid"),
        ({"id": "a b"}, 400, "invalid"),
        ({"id": 5}, 400, "invalid"),
        ({"type": None}, 400, "invalid"),
        ({"type": "pubsub"}, 400, "invalid"),
        ({"token": "k" * 257}, 400, "invalid"),
        ({"token": "k\r\nX-Goog-Resource-State: exists"}, 400, "invalid"),
        ({"params": "ttl"}, 400, "invalid"),
        ({"address": None}, 400, "required"),
        ({"address": "notifications"}, 400, "invalid"),
        ({"address": "ftp://127.0.0.1/"}, 400, "invalid"),
        ({"address": "http://127.0.0.1:99999/"}, 400, "invalid"),
        ({"address": "https://hooks.example.org/google"}, 401, "push.webhookUrlUnauthorized"),
        ({"address": "http://192.0.2.1/"}, 401, "push.webhookUrlUnauthorized"),
        ({"address": "http://127.0.0.1.example.org/"}, 401, "push.webhookUrlUnauthorized"),
        ({"address": "http://127.0.0.1@hooks.example.org/"}, 401, "push.webhookUrlUnauthorized"),
    ],
    ids=str,
)
async def test_what_is_no_channel_is_refused(both: tuple[Stage, Ear], fields: Any, status: int, reason: str) -> None:
    stage, ear = both
    reply = await watch(stage, ear, **fields)
    assert (reply.status, reply.reason) == (status, reason)
    assert "WWW-Authenticate" not in reply.headers
    assert (await quiet(stage))["channels"]["opened"] == 0


async def test_plain_http_may_be_refused(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    await settle(stage, https_only=True)
    reply = await watch(stage, ear)
    assert (reply.status, reply.reason) == (400, "push.webhookUrlNotHttps")


async def test_the_id_of_a_channel_is_used_once_in_a_project(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    stopped = await watched(stage, ear, id="c-1")
    assert (await watch(stage, ear, ROOM, id="c-1")).reason == "channelIdNotUnique"
    await stop(stage, stopped)
    assert (await watch(stage, ear, id="c-1")).reason == "channelIdNotUnique"
    await watched(stage, ear, id="c-2", params={"ttl": "60"})
    await later(stage, timedelta(minutes=2))
    assert (await watch(stage, ear, id="c-2")).reason == "channelIdNotUnique"
    await settle(stage, reusable_ids=True)
    assert [(await watch(stage, ear, id=channel)).status for channel in ("c-1", "c-2", "c-2")] == [200, 200, 400]


async def test_another_project_may_use_the_same_id(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    await watched(stage, ear, id="c-1")
    grant = await stage.control("POST", "users", {"email": BO, "project": "other"})
    form = {name: grant[name] for name in ("client_id", "client_secret", "refresh_token")}
    async with stage.session.post(grant["token_uri"], data={**form, "grant_type": "refresh_token"}) as reply:
        stage.tokens[BO] = (await reply.json())["access_token"]
    assert (await watch(stage, ear, BO, user=BO, id="c-1")).status == 200


async def test_some_calendars_cannot_be_watched(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    await settle(stage, unwatchable=[ROOM])
    reply = await watch(stage, ear, ROOM)
    assert (reply.status, reply.reason) == (400, "pushNotSupportedForRequestedResource")
    assert reply.body["error"]["message"] == "Push notifications are not supported by this resource."
    assert (await watch(stage, ear)).status == 200


async def test_what_cannot_be_read_cannot_be_watched(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    assert (await watch(stage, ear, "nobody@tenant-a.test")).reason == "notFound"
    assert (await watch(stage, ear, ANA, user=CLEO)).reason == "notFound"
    await stage.control("PUT", f"calendars/{ANA}/acl", {"user": CLEO, "role": "reader"})
    assert (await watch(stage, ear, ANA, user=CLEO)).status == 200


async def test_who_lost_access_is_told_nothing(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    await stage.control("PUT", f"calendars/{ANA}/acl", {"user": CLEO, "role": "reader"})
    channel = await watched(stage, ear, ANA, user=CLEO)
    await stage.insert()
    await stage.control("PUT", f"calendars/{ANA}/acl", {"user": CLEO, "role": "none"})
    await stage.insert()
    await quiet(stage)
    assert ear.states(channel["id"]) == ["sync", "exists"]


async def test_a_stopped_channel_brings_nothing_more(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    stopped, other = await watched(stage, ear), await watched(stage, ear)
    reply = await stop(stage, stopped)
    assert (reply.status, reply.body) == (204, None)
    await stage.insert()
    told = await quiet(stage)
    assert (ear.states(stopped["id"]), ear.states(other["id"])) == (["sync"], ["sync", "exists"])
    assert told["channels"] == {"opened": 2, "live": 1, "stopped": 1, "expired": 0}


async def test_a_stop_may_be_repeated_so_often(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    await settle(stage, repeated_stops=2)
    channel = await watched(stage, ear)
    replies = [await stop(stage, channel) for _ in range(4)]
    assert [reply.status for reply in replies] == [204, 204, 204, 404]
    assert replies[-1].reason == "notFound"


async def test_only_the_same_user_by_the_same_client_stops_a_users_channel(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    await stage.control("PUT", f"calendars/{ANA}/acl", {"user": BO, "role": "owner"})
    channel = await watched(stage, ear)
    assert (await stop(stage, channel, user=BO)).status == 404
    first = stage.tokens.pop(ANA)
    assert (await stop(stage, channel)).status == 404
    stage.tokens[ANA] = first
    assert (await stop(stage, channel | {"resourceId": "another"})).status == 404
    assert (await stop(stage, channel | {"id": "unknown"})).status == 404
    assert (await stop(stage, channel)).status == 204


@pytest.mark.parametrize(
    ("caller", "is_allowed"),
    [
        (Opener("p", ANA, "client-1", is_account=False), True),
        (Opener("p", BO, "client-1", is_account=False), False),
        (Opener("p", ANA, "client-2", is_account=False), False),
        (Opener("p", ANA, "a@p.test", is_account=True), False),
    ],
    ids=str,
)
def test_a_client_of_many_users_stops_what_the_same_user_opened(caller: Opener, is_allowed: bool) -> None:
    assert caller.may_stop(Opener("p", ANA, "client-1", is_account=False)) == is_allowed


async def test_a_stop_without_ids_is_refused(both: tuple[Stage, Ear]) -> None:
    stage, _ = both
    for body in ({}, {"id": "c-1"}, {"resourceId": "r-1"}):
        assert (await stage.call("POST", "channels/stop", body)).reason == "required"


async def test_a_channel_ends_by_the_simulated_clock(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    channel = await watched(stage, ear, params={"ttl": "3600"})
    await later(stage, timedelta(hours=2))
    await stage.insert()
    told = await quiet(stage)
    assert (ear.states(), told["channels"]["expired"]) == (["sync"], 1)
    assert (await stop(stage, channel)).reason == "notFound"
    (shown,) = (await stage.control("GET", "channels"))["channels"]
    assert (shown["id"], shown["state"], shown["calendar_id"]) == (channel["id"], "expired", ANA)
    assert "token" not in shown


async def test_watching_is_no_write(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    event = await stage.insert()
    await stage.control("PUT", "quotas", {"limits": {"calendar_writes": 0}})
    assert (await watch(stage, ear)).status == 200
    await stage.control("PUT", "quotas", {"limits": {"calendar_writes": None}})
    body = {"id": "c-1", "type": "web_hook", "address": ear.address}
    change = call("PATCH", events(ANA, event["id"]), {"location": "here"})
    reply = await send(stage, [call("POST", events(ANA, "watch"), body), change], user=ANA)
    assert [inner.status for inner in read(reply)] == [200, 200]


@pytest.mark.parametrize("sync_first", [True, False])
async def test_channels_opened_in_one_batch_each_bring_their_sync(both: tuple[Stage, Ear], sync_first: bool) -> None:
    stage, ear = both
    await settle(stage, sync_first=sync_first)
    bodies = [{"id": f"c-{number}", "type": "webhook", "address": ear.address} for number in range(20)]
    read(await send(stage, [call("POST", events(ANA, "watch"), body) for body in bodies], user=ANA))
    assert len(ear.heard) == 20 or not sync_first
    await quiet(stage)
    assert sorted(one.channel_id for one in ear.heard) == sorted(body["id"] for body in bodies)


async def test_a_channel_may_be_open_though_the_answer_was_lost(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    await stage.token(ANA)
    await stage.control("PUT", "faults", {"next": {"lost_answer": 1}})
    with pytest.raises(aiohttp.ClientError):
        await watch(stage, ear, id="c-1")
    assert [one.channel_id for one in await ear.until(1)] == ["c-1"]
    assert (await quiet(stage))["channels"]["live"] == 1
