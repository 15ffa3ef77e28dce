"""What a full read should have listed and has not is asked for by name: not all at once, and nothing goes meanwhile."""

import json
from datetime import timedelta
from typing import Any

import pytest

from syncer.simulator.google import feed
from tests.simulator.google_stage import ANA
from tests.sync.stage import GRACE, Acted, slot_of
from tests.sync.test_expiry import _empty
from tests.sync.test_reading import cursor, forget, links, load, loaded

MANY, A_LOOK = 115, 50


@pytest.fixture
async def full(stage: Acted) -> Acted:
    """A calendar with many events, whose sync token is not accepted any more."""
    await load(stage, *[loaded(number) for number in range(MANY)])
    await stage.look(ANA)
    await forget(stage)
    await stage.look(ANA)
    return stage


async def asked(stage: Acted) -> list[str]:
    """Ids of the events that were asked for by name, in order."""
    return [row["event_id"] for row in await stage.requests("GET") if row["event_id"]]


async def test_an_answer_without_anything_asks_for_some_events_at_a_look_and_loses_none(
    full: Acted, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        _empty(broken)
        counts = []
        for _ in range(5):
            await full.look(ANA)
            counts.append(len(await asked(full)))
            assert len(await links(full)) == MANY
    assert counts == [A_LOOK, 2 * A_LOOK, MANY, MANY, MANY]
    assert len(set(await asked(full))) == MANY
    assert (await cursor(full))["is_full_read"] is False


async def test_they_go_in_few_requests(full: Acted, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        _empty(broken)
        await full.look(ANA)
    rows = [row["batch"] for row in await full.requests("GET") if row["event_id"]]
    # 50 in each, and fewer where answers are slow.
    assert (len(rows), len(set(rows)) <= A_LOOK / 4) == (A_LOOK, True)


async def test_the_next_look_waits_a_little(full: Acted, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        _empty(broken)
        key = full.ids[ANA]
        assert await full.look(ANA) == set()
        now = full.tools.clock()
        slot = slot_of(full.project, key)
        assert slot not in full.project.schedule.due(now, 10)
        assert full.project.schedule.due(now + timedelta(seconds=30), 10)


async def test_what_happens_meanwhile_is_followed_and_another_worker_goes_on(
    full: Acted, monkeypatch: pytest.MonkeyPatch
) -> None:
    _once_empty(monkeypatch)
    await full.look(ANA)
    assert (await cursor(full))["is_full_read"] is True
    await full.restart()
    await full.google.call("PATCH", f"calendars/{ANA}/events/entry00075", {"summary": "Renamed"}, user=ANA)
    await full.look(ANA)
    (event,) = [row["event"] for row in await full.rows("link") if row["event_id"] == "entry00075"]
    assert json.loads(event)["title"] == "Renamed"
    await full.look(ANA)
    assert (await cursor(full))["is_full_read"] is False
    assert await links(full) == {f"entry{number:05d}" for number in range(MANY)}
    assert len(await asked(full)) == MANY - 1


def _once_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Google's next answer says that there is nothing."""
    real = feed.page

    def nothing(*arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr(feed, "page", real)
        answer = real(*arguments, **named)
        return {**answer, "items": []}

    monkeypatch.setattr(feed, "page", nothing)


async def test_so_many_that_are_truly_gone_are_held(full: Acted) -> None:
    reply = await full.google.call("POST", f"calendars/{ANA}/clear", user=ANA)
    assert reply.status in (200, 204)
    await forget(full)
    for _ in range(4):
        await full.look(ANA)
    assert await links(full) == set()
    await full.push()
    await full.pass_time(GRACE * 2)
    await full.look(*full.ids)
    await full.push()
    assert {row["state"] for row in await full.rows("conference")} == {"held"}
