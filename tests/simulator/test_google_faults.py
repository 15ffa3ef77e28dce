"""Faults of calls, connections, batches and the token endpoint: each strikes when it is told to, and is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.simulator.google_batches import call, read, send
from tests.simulator.google_stage import ANA, BO, END, PEOPLE, START, Reply, Stage, a_stage, events

BODY = {"summary": "Review", "start": START, "end": END}
JSON = {"Content-Type": "application/json"}
CUT = (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with a_stage() as made:
        await made.token(ANA)
        yield made


async def insists(stage: Stage, *kinds: str, **settings: Any) -> None:
    await stage.control("PUT", "faults", {"next": dict.fromkeys(kinds, 1), "settings": settings})


async def happened(stage: Stage) -> dict[str, int]:
    counts = (await stage.control("GET", "faults"))["happened"]
    return {kind: count for kind, count in counts.items() if count}


async def last(stage: Stage) -> Any:
    return (await stage.control("GET", "diary?after=0"))["entries"][-1]


async def listings(stage: Stage, count: int = 3) -> Reply:
    return await send(stage, [call("GET", events(ANA), maxResults=number + 1) for number in range(count)], user=ANA)


async def test_a_rate_limit_is_told_as_403_or_429_without_a_time_to_wait(stage: Stage) -> None:
    await stage.control("PUT", "faults", {"next": {"rate_limited": 12}})
    replies = [await stage.call("GET", events()) for _ in range(12)]
    assert {(reply.status, reply.reason) for reply in replies} == {
        (403, "rateLimitExceeded"),
        (429, "rateLimitExceeded"),
    }
    assert replies[0].body["error"]["errors"][0]["domain"] == "usageLimits"
    assert not any("Retry-After" in reply.headers for reply in replies)
    await insists(stage, "rate_limited", retry_after_seconds=7)
    assert (await stage.call("GET", events())).headers["Retry-After"] == "7"


async def test_a_good_token_may_be_refused_once(stage: Stage) -> None:
    await insists(stage, "token_refused")
    assert [(await stage.call("GET", events())).status for _ in range(2)] == [401, 200]
    assert await happened(stage) == {"token_refused": 1}


async def test_a_sync_token_may_be_found_malformed(stage: Stage) -> None:
    token = await stage.sync_token()
    await insists(stage, "malformed_sync_token")
    reply = await stage.call("GET", events(), syncToken=token)
    assert (reply.status, reply.reason, reply.location) == (400, "invalid", "syncToken")
    assert (await stage.call("GET", events(), syncToken=token)).status == 200


@pytest.mark.parametrize("kind", ["short_page", "empty_page"])
async def test_pages_may_be_short_or_empty_and_nothing_is_lost(stage: Stage, kind: str) -> None:
    token = await stage.sync_token()
    made = [(await stage.insert(summary=str(number)))["id"] for number in range(5)]
    for query in ({}, {"syncToken": token}):
        await insists(stage, kind)
        pages = await stage.pages(maxResults=4, **query)
        assert len(pages[0]["items"]) == {"short_page": 2, "empty_page": 0}[kind]
        assert [row["id"] for page in pages for row in page["items"]] == made
        assert ["nextSyncToken" in page for page in pages] == [False] * (len(pages) - 1) + [True]


@pytest.mark.parametrize("kind", ["short_page", "empty_page"])
async def test_even_the_last_page_may_be_followed_by_an_empty_one(stage: Stage, kind: str) -> None:
    token = await stage.sync_token()
    await stage.insert()
    for query in ({}, {"syncToken": token}):
        await insists(stage, kind)
        first, *_, newest = await stage.pages(**query)
        assert "nextPageToken" in first
        assert await stage.changes(newest["nextSyncToken"]) == []


async def test_a_slow_answer_comes(stage: Stage) -> None:
    await insists(stage, "slow", slow_seconds=0.05)
    began = asyncio.get_running_loop().time()
    assert (await stage.call("GET", events())).status == 200
    assert asyncio.get_running_loop().time() - began >= 0.05


async def test_a_connection_may_be_cut_in_the_middle_of_a_body(stage: Stage) -> None:
    await insists(stage, "cut_body")
    with pytest.raises(CUT):
        await stage.call("GET", events())
    assert (await last(stage))["fault"] == "cut_body"
    await insists(stage, "cut_body")
    with pytest.raises(CUT):
        await listings(stage)
    assert (await listings(stage)).status == 200


async def test_a_write_may_be_done_and_its_answer_lost(stage: Stage) -> None:
    event = await stage.insert()
    await insists(stage, "lost_answer")
    assert (await stage.call("GET", events())).status == 200
    with pytest.raises(CUT):
        await stage.call("PATCH", events(ANA, event["id"]), {"summary": "New"})
    assert {name: (await last(stage))[name] for name in ("status", "change", "fault")} == {
        "status": 200,
        "change": True,
        "fault": "lost_answer",
    }
    assert (await stage.call("GET", events(ANA, event["id"]))).body["summary"] == "New"


async def test_a_batch_may_be_done_and_its_answer_lost(stage: Stage) -> None:
    await insists(stage, "lost_answer")
    with pytest.raises(CUT):
        await send(stage, [call("POST", events(ANA), BODY, headers=JSON), call("GET", events(ANA))], user=ANA)
    assert len((await stage.pages())[0]["items"]) == 1


@pytest.mark.parametrize(
    ("kind", "status", "word"),
    [
        ("batch_401", 401, "authError"),
        ("batch_403", 403, "forbidden"),
        ("batch_413", 413, "<html>"),
        ("batch_429", 429, "rateLimitExceeded"),
        ("batch_502", 502, "<html>"),
        ("batch_html", 200, "<html>"),
    ],
)
async def test_a_batch_may_be_turned_away_before_anything_is_done(
    stage: Stage, kind: str, status: int, word: str
) -> None:
    await insists(stage, kind)
    reply = await send(stage, [call("POST", events(ANA), BODY, headers=JSON)], user=ANA)
    assert reply.status == status
    assert word in str(reply.body)
    assert {name: (await last(stage))[name] for name in ("kind", "status", "fault")} == {
        "kind": "batch",
        "status": status,
        "fault": kind,
    }
    assert (await stage.pages())[0]["items"] == []


async def test_a_batch_may_be_answered_in_another_order(stage: Stage) -> None:
    await insists(stage, "batch_disorder")
    answers = read(await listings(stage, 5))
    numbers = [int(answer.content_id.removeprefix("<response-").removesuffix(">")) for answer in answers]
    assert sorted(numbers) == [1, 2, 3, 4, 5]
    assert numbers != sorted(numbers)
    assert (await last(stage))["batch_fault"] == "batch_disorder"


async def test_a_batch_of_one_cannot_be_out_of_order(stage: Stage) -> None:
    await insists(stage, "batch_disorder")
    await listings(stage, 1)
    assert await happened(stage) == {}


async def test_a_part_of_the_answer_may_be_missing(stage: Stage) -> None:
    await insists(stage, "batch_part_missing")
    assert len(read(await listings(stage))) == 2


@pytest.mark.parametrize("parts", [1, 3])
async def test_an_answer_may_carry_anothers_id(stage: Stage, parts: int) -> None:
    await insists(stage, "batch_wrong_id")
    given = [answer.content_id for answer in read(await listings(stage, parts))]
    assert len(given) == parts
    assert given != [f"<response-{number + 1}>" for number in range(parts)]


async def test_a_batchs_answer_may_break_off(stage: Stage) -> None:
    await insists(stage, "batch_truncated")
    reply = await listings(stage)
    assert (reply.status, reply.body.endswith(b"--\r\n")) == (200, False)


async def test_faults_of_calls_strike_single_parts(stage: Stage) -> None:
    await insists(stage, "server_error")
    statuses = sorted(answer.status for answer in read(await listings(stage)))
    assert statuses[:2] == [200, 200]
    assert statuses[2] >= 500


@pytest.mark.parametrize(("kind", "statuses"), [("token_server_error", {500, 503}), ("token_rate_limited", {429})])
async def test_the_token_endpoint_may_fail_for_a_while(stage: Stage, kind: str, statuses: set[int]) -> None:
    grant = await stage.control("POST", "users", {"email": ANA})
    form = {name: grant[name] for name in ("client_id", "client_secret", "refresh_token")}
    await stage.control("PUT", "faults", {"next": {kind: 8}})

    async def ask(**headers: str) -> int:
        async with stage.session.post(
            grant["token_uri"], data={**form, "grant_type": "refresh_token"}, headers=headers
        ) as reply:
            return reply.status

    assert await ask(**PEOPLE) == 200
    assert {await ask() for _ in range(8)} == statuses
    assert await ask() == 200


async def test_people_are_spared_and_every_kind_is_counted(stage: Stage) -> None:
    kinds = list((await stage.control("GET", "faults"))["happened"])
    await stage.control("PUT", "faults", {"chance": dict.fromkeys(kinds, 1.0)})
    assert (await stage.call("POST", events(), BODY, headers=PEOPLE)).status == 200
    answers = read(await send(stage, [call("GET", events(ANA))] * 2, user=ANA, headers=PEOPLE))
    assert [answer.status for answer in answers] == [200, 200]
    assert await happened(stage) == {}


@pytest.mark.parametrize(
    "settings",
    [
        {"batch_limit": 0},
        {"batch": 1},
        {"slow_seconds": -1},
        {"slow_seconds": None},
        {"typhoon": 1},
        {"batch_limit": 1.5},
    ],
)
async def test_a_setting_that_makes_no_sense_is_refused_and_nothing_is_set(stage: Stage, settings: Any) -> None:
    before = await stage.control("GET", "faults")
    body = {"settings": {"patch_weight": 3, **settings}, "next": {"slow": 1}}
    reply = await stage.request("PUT", "simulator/faults", body)
    assert (reply.status, reply.body["error"].endswith(".")) == (400, True)
    assert await stage.control("GET", "faults") == before


async def test_the_same_seed_strikes_at_the_same_calls() -> None:
    async def history(seed: int) -> list[int]:
        async with a_stage(seed) as stage:
            await stage.control("PUT", "faults", {"chance": {"server_error": 0.3, "rate_limited": 0.2}})
            return [(await stage.call("GET", events(BO), user=BO)).status for _ in range(30)]

    assert await history(5) == await history(5)
    assert await history(5) != await history(6)
