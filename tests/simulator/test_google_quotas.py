"""Quotas: what is counted for whom, what is refused, and that a test can ask by how much a limit was overrun."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.simulator.google_batches import call, read, send
from tests.simulator.google_stage import ANA, BO, PEOPLE, ROOM, Stage, a_stage, events


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with a_stage() as made:
        await made.token(ANA)
        await limited(made, calendar_seconds=60)
        yield made


async def limited(stage: Stage, **limits: int | None) -> None:
    await stage.control("PUT", "quotas", {"limits": limits})


async def tally(stage: Stage, name: str) -> Any:
    return (await stage.control("GET", "quotas"))["tallies"][name]


async def later(stage: Stage, **span: float) -> None:
    now = datetime.fromisoformat((await stage.control("GET", "clock"))["now"])
    await stage.control("PUT", "clock", {"now": (now + timedelta(**span)).isoformat()})


async def gets(stage: Stage, count: int, **query: Any) -> list[int]:
    return [(await stage.call("GET", events(), **query)).status for _ in range(count)]


async def test_googles_documented_limits_hold_by_default(stage: Stage) -> None:
    limits = (await stage.control("GET", "quotas"))["limits"]
    assert (limits["project_per_minute"], limits["user_per_minute"]) == (10_000, 600)
    assert (limits["project_per_day"], limits["calendar_writes"]) == (1_000_000, None)


async def test_above_a_users_minute_calls_are_refused_until_it_has_passed(stage: Stage) -> None:
    await limited(stage, user_per_minute=3)
    assert await gets(stage, 3) == [200] * 3
    refused = [await stage.call("GET", events()) for _ in range(10)]
    assert {(one.status, one.reason) for one in refused} == {(403, "userRateLimitExceeded"), (429, "rateLimitExceeded")}
    await later(stage, seconds=61)
    assert await gets(stage, 1) == [200]
    assert await tally(stage, "user_per_minute") == {"most": 13, "most_by": f"simulator {ANA}", "refused": 10}


async def test_a_minute_slides(stage: Stage) -> None:
    await limited(stage, user_per_minute=2)
    await gets(stage, 1)
    await later(stage, seconds=40)
    assert [status == 200 for status in await gets(stage, 2)] == [True, False]
    await later(stage, seconds=25)
    assert [status == 200 for status in await gets(stage, 2)] == [True, False]


async def test_a_quota_user_counts_instead_of_the_caller_by_parameter_or_header(stage: Stage) -> None:
    await limited(stage, user_per_minute=1)
    assert await gets(stage, 1, quotaUser="a") == [200]
    assert await gets(stage, 1, quotaUser="b") == [200]
    assert (await stage.call("GET", events(), headers={"X-Goog-Quota-User": "c"})).status == 200
    assert await gets(stage, 1) == [200]
    assert (await gets(stage, 1, quotaUser="a"))[0] in (403, 429)


async def test_a_projects_minute_is_shared_by_its_users(stage: Stage) -> None:
    await limited(stage, project_per_minute=2)
    assert (await stage.call("GET", events())).status == 200
    assert (await stage.call("GET", events(BO), user=BO)).status == 200
    assert (await stage.call("GET", events(), quotaUser="x")).reason == "rateLimitExceeded"


async def test_a_projects_day_ends_at_midnight_in_california(stage: Stage) -> None:
    await stage.control("PUT", "clock", {"now": "2026-12-01T20:00:00-08:00"})
    await limited(stage, project_per_day=2)
    assert await gets(stage, 2) == [200, 200]
    await later(stage, hours=3)
    assert (await stage.call("GET", events())).reason == "dailyLimitExceeded"
    await later(stage, hours=2)
    assert await gets(stage, 1) == [200]


async def test_writes_to_one_calendar_are_paced(stage: Stage) -> None:
    await limited(stage, calendar_writes=1)
    event = await stage.insert()
    refused = await stage.call("PATCH", events(ANA, event["id"]), {"summary": "New"})
    assert (refused.status, refused.reason) == (403, "rateLimitExceeded")
    assert await gets(stage, 2) == [200, 200]
    await stage.insert(ROOM)
    await later(stage, seconds=61)
    assert (await stage.call("PATCH", events(ANA, event["id"]), {"summary": "New"})).status == 200


async def test_a_patch_may_weigh_as_much_as_three_calls(stage: Stage) -> None:
    event = await stage.insert()
    await stage.control("PUT", "quotas", {"forget": True})
    await stage.control("PUT", "faults", {"settings": {"patch_weight": 3}})
    await stage.call("PATCH", events(ANA, event["id"]), {"summary": "New"})
    await gets(stage, 1)
    assert (await tally(stage, "user_per_minute"))["most"] == 4


async def test_each_part_of_a_batch_counts(stage: Stage) -> None:
    await limited(stage, user_per_minute=5)
    answers = read(await send(stage, [call("GET", events(ANA), maxResults=number) for number in range(1, 9)], user=ANA))
    assert sorted(answer.status == 200 for answer in answers) == [False] * 3 + [True] * 5
    assert (await tally(stage, "user_per_minute"))["most"] == 8


async def test_a_user_at_a_use_limit_reads_on_but_does_not_write_until_then(stage: Stage) -> None:
    now = datetime.fromisoformat((await stage.control("GET", "clock"))["now"])
    await stage.control("PUT", "quotas", {"use_limit_until": {ANA: (now + timedelta(hours=5)).isoformat()}})
    refused = await stage.call("DELETE", events(ANA, "x"))
    assert (refused.status, refused.reason, refused.body["error"]["message"]) == (
        403,
        "quotaExceeded",
        "Calendar usage limits exceeded.",
    )
    assert await gets(stage, 1) == [200]
    assert (await stage.call("DELETE", events(BO, "x"), user=BO)).status == 404
    await later(stage, hours=5)
    assert (await stage.call("DELETE", events(ANA, "x"))).status == 404


async def test_people_use_no_quota(stage: Stage) -> None:
    await limited(stage, user_per_minute=0, project_per_minute=0, project_per_day=0)
    assert (await stage.call("GET", events(), headers=PEOPLE)).status == 200
    assert (await tally(stage, "user_per_minute"))["most"] == 0


async def test_a_batch_over_two_projects_is_counted(stage: Stage) -> None:
    grant = await stage.control("POST", "users", {"email": BO, "project": "other"})
    form = {name: grant[name] for name in ("client_id", "client_secret", "refresh_token")}
    async with stage.session.post(grant["token_uri"], data={**form, "grant_type": "refresh_token"}) as reply:
        token = (await reply.json())["access_token"]
    other = call("GET", events(BO), headers={"Authorization": f"Bearer {token}"})
    await send(stage, [call("GET", events(ANA)), call("GET", events(ANA))], user=ANA)
    assert (await stage.control("GET", "quotas"))["mixed_batches"] == 0
    await send(stage, [call("GET", events(ANA)), other, other], user=ANA)
    assert (await stage.control("GET", "quotas"))["mixed_batches"] == 1


@pytest.mark.parametrize(
    "body",
    [{"limits": {"x": 1}}, {"limits": {"user_per_minute": -1}}, {"limits": []}, {"limits": {"calendar_seconds": None}},
     {"use_limit_until": {ANA: "tomorrow"}}],
)  # fmt: skip
async def test_a_limit_that_makes_no_sense_is_refused(stage: Stage, body: Any) -> None:
    before = await stage.control("GET", "quotas")
    reply = await stage.request("PUT", "simulator/quotas", body)
    assert (reply.status, reply.body["error"].endswith(".")) == (400, True)
    assert await stage.control("GET", "quotas") == before
