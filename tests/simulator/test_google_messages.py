"""Messages of the simulated Google: what is told to whom, and each switch of what happens to them on their way."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest

from tests.simulator.ears import SECONDS, Ear, a_listened_stage, an_ear, notes, quiet, settle, stop, watch, watched
from tests.simulator.google_batches import call, read, send
from tests.simulator.google_stage import ANA, BO, CLEO, ROOM, Stage, a_stage, events

QUICK = {"first_pause_seconds": 0.001}


@pytest.fixture
async def both() -> AsyncIterator[tuple[Stage, Ear]]:
    async with a_listened_stage() as made:
        yield made


async def patch(stage: Stage, event: Any, user: str = ANA, **fields: Any) -> Any:
    calendar = ANA if user == ANA else user
    return (await stage.call("PATCH", events(calendar, event["id"]), fields, user=user)).status


async def told(stage: Stage, ear: Ear) -> list[str]:
    """What has come since the last time, with nothing on its way any more: the channels, whatever their order."""
    await quiet(stage)
    channels = sorted(one.channel_id for one in ear.heard if one.state == "exists")
    ear.heard.clear()
    return channels


async def test_a_commit_is_told_once_to_the_calendar_of_each_copy(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    for user in (ANA, BO, CLEO):
        await watched(stage, ear, user, user=user, id=user.partition("@")[0])
    await watched(stage, ear, ROOM, id="room")

    event = await stage.insert(attendees=[{"email": BO}])
    assert await told(stage, ear) == ["ana", "bo"]
    await patch(stage, event, location="here")
    assert await told(stage, ear) == ["ana", "bo"]
    await patch(stage, event, attendees=[{"email": CLEO}])
    assert await told(stage, ear) == ["ana", "bo", "cleo"]
    own = {"attendeesOmitted": True, "attendees": [{"email": CLEO, "responseStatus": "accepted"}]}
    assert await patch(stage, event, CLEO, **own) == 200
    assert await told(stage, ear) == ["ana", "cleo"]
    assert await patch(stage, event, CLEO, reminders={"useDefault": False}) == 200
    assert await told(stage, ear) == ["cleo"]
    await stage.call("POST", events(ANA, event["id"], "move"), destination=ROOM)
    assert await told(stage, ear) == ["ana", "cleo", "room"]
    await stage.call("DELETE", events(ROOM, event["id"]))
    assert await told(stage, ear) == ["cleo", "room"]


async def test_what_changes_nothing_is_not_told(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    event = await stage.insert()
    await watched(stage, ear)
    await patch(stage, event, summary=event["summary"])
    await stage.call("PATCH", events(ANA, event["id"]), {"location": "x"}, headers={"If-Match": '"0"'})
    await patch(stage, event, start={"date": "never"})
    await stage.pages()
    await stage.call("GET", events(ANA, event["id"]))
    assert await told(stage, ear) == []


async def test_what_is_loaded_and_split_is_told(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    await watched(stage, ear, id="ana")
    series = {
        "id": "series1",
        "start": {"dateTime": "2026-12-01T09:00:00Z", "timeZone": "UTC"},
        "end": {"dateTime": "2026-12-01T10:00:00Z", "timeZone": "UTC"},
        "recurrence": ["RRULE:FREQ=DAILY;COUNT=9"],
    }
    await stage.control("POST", f"calendars/{ANA}/load", {"events": [series, {**series, "id": "series2"}]})
    assert await told(stage, ear) == ["ana"]
    split = {"calendar": ANA, "event_id": "series1", "at": "2026-12-03T09:00:00Z"}
    await stage.control("POST", "split", split)
    assert await told(stage, ear) == ["ana"]


async def test_a_guests_answer_that_a_fault_makes_is_told(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    event = await stage.insert(attendees=[{"email": BO}])
    await watched(stage, ear, id="ana")
    await stage.control("PUT", "faults", {"next": {"touch_before_patch": 1}})
    headers = {"If-Match": event["etag"]}
    assert (await stage.call("PATCH", events(ANA, event["id"]), {"location": "x"}, headers=headers)).status == 412
    assert await told(stage, ear) == ["ana"]


async def test_each_commit_of_a_batch_is_told(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    await stage.control("PUT", "faults", {"settings": {"batch_conflicts": False}})
    made = [await stage.insert() for _ in range(3)]
    await watched(stage, ear, id="ana")
    reply = await send(stage, [call("PATCH", events(ANA, one["id"]), {"location": "x"}) for one in made], user=ANA)
    assert [inner.status for inner in read(reply)] == [200] * 3
    assert await told(stage, ear) == ["ana"] * 3


async def test_numbers_grow_with_gaps_and_messages_keep_their_order(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    await watched(stage, ear)
    for _ in range(20):
        await stage.insert()
    await quiet(stage)
    numbers = [one.number for one in ear.heard]
    assert (len(numbers), numbers[0]) == (21, 1)
    assert numbers == sorted(set(numbers))
    assert any(later > earlier + 1 for earlier, later in pairwise(numbers))


async def test_the_diary_joins_a_message_to_the_edit_that_it_tells_of(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    channel = await watched(stage, ear)
    await stage.insert(attendees=[{"email": BO}])
    await quiet(stage)
    entries = (await stage.control("GET", "diary?after=0"))["entries"]
    (edit,) = [entry for entry in entries if entry.get("change")]
    (note,) = [entry for entry in entries if entry.get("state") == "exists"]
    assert note["change_number"] >= edit["change_number"]
    assert edit["n"] < note["n"]
    assert note["born_ms"] <= note["monotonic_ms"]
    expected = {"channel_id": channel["id"], "calendar_id": ANA, "subject": ANA, "status": 204, "actor": "google"}
    expected |= {"fate": "taken", "attempt": 1, "copy": False, "number": ear.heard[-1].number}
    assert expected.items() <= note.items()


async def test_the_sync_message_comes_after_the_answer_unless_it_is_to_come_first(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    ear.may_answer.clear()
    async with asyncio.timeout(SECONDS / 2):
        assert (await watch(stage, ear)).status == 200
    ear.may_answer.set()
    await ear.until(1)
    await settle(stage, sync_first=True)
    assert (await watch(stage, ear)).status == 200
    assert len(ear.heard) == 2
    assert (await stage.control("GET", "notifications"))["waiting"] == 0


async def test_an_answer_does_not_wait_for_ever_for_the_sync_message(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    ear.may_answer.clear()
    await settle(stage, sync_first=True, answer_seconds=0.05)
    assert (await watch(stage, ear)).status == 200
    assert (await quiet(stage))["counts"]["unanswered"] == 1
    ear.may_answer.set()


async def test_lost_messages_do_not_come(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    await settle(stage, loss=1.0)
    await watched(stage, ear)
    await stage.insert()
    counts = (await quiet(stage))["counts"]
    assert (ear.heard, counts["announced"], counts["lost"], counts["sent"]) == ([], 2, 2, 0)
    assert [(note["fate"], note["status"], note["attempt"]) for note in await notes(stage)] == [("lost", 0, 0)] * 2


async def test_doubled_messages_come_twice_under_one_number(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    await watched(stage, ear)
    await settle(stage, duplicate=1.0)
    await stage.insert()
    counts = (await quiet(stage))["counts"]
    assert (counts["duplicated"], len(ear.heard)) == (1, 3)
    assert ear.heard[1].number == ear.heard[2].number
    assert [note["copy"] for note in await notes(stage)] == [False, False, True]


async def test_one_change_may_be_told_by_several_messages(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    await watched(stage, ear)
    await settle(stage, several=1.0)
    await stage.insert()
    assert (await quiet(stage))["counts"]["several"] == 1
    assert len({one.number for one in ear.heard}) == 3


async def test_a_message_that_is_held_back_is_overtaken_by_the_next(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    await watched(stage, ear)
    await settle(stage, reorder=1.0, reorder_seconds=60)
    await stage.insert()
    await settle(stage, reorder=0.0)
    await stage.insert()
    await quiet(stage)
    numbers = [one.number for one in ear.heard]
    assert numbers[0] < numbers[2] < numbers[1]


async def test_a_message_that_nothing_overtakes_comes_all_the_same(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    await settle(stage, reorder=1.0, reorder_seconds=0.01)
    await watched(stage, ear)
    await stage.insert()
    assert (await quiet(stage))["counts"]["reordered"] == 2
    assert sorted(ear.states()) == ["exists", "sync"]


async def test_messages_come_as_late_as_is_set(both: tuple[Stage, Ear]) -> None:
    stage, _ = both
    await settle(stage, delay_seconds=[0.05, 0.1])
    await watched(stage, both[1])
    await stage.insert()
    await quiet(stage)
    for note in await notes(stage):
        assert note["monotonic_ms"] - note["born_ms"] >= 49


async def test_four_statuses_are_tried_again_until_the_message_is_taken(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    await settle(stage, **QUICK)
    ear.statuses = [500, 502, 503, 504]
    await watched(stage, ear)
    found = await quiet(stage)
    assert len({one.number for one in ear.heard}) == 1
    assert found["answered"] == {"204": 1, "500": 1, "502": 1, "503": 1, "504": 1}
    assert {name: found["counts"][name] for name in ("announced", "sent", "retried", "taken", "dropped")} == {
        "announced": 1,
        "sent": 5,
        "retried": 4,
        "taken": 1,
        "dropped": 0,
    }
    attempts = [(note["status"], note["attempt"], note["fate"]) for note in await notes(stage)]
    again = [(500 + at, number, "again") for number, at in enumerate((0, 2, 3, 4), 1)]
    assert attempts == [*again, (204, 5, "taken")]


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_these_answers_take_a_message(both: tuple[Stage, Ear], status: int) -> None:
    stage, ear = both
    ear.statuses = [status]
    await watched(stage, ear)
    counts = (await quiet(stage))["counts"]
    assert (counts["sent"], counts["taken"]) == (1, 1)


@pytest.mark.parametrize("status", [203, 206, 301, 307, 400, 401, 404, 410, 429, 501, 505])
async def test_any_other_answer_drops_it(both: tuple[Stage, Ear], status: int) -> None:
    stage, ear = both
    ear.statuses = [status]
    await watched(stage, ear)
    counts = (await quiet(stage))["counts"]
    assert (counts["sent"], counts["dropped"], len(ear.heard)) == (1, 1, 1)


async def test_a_message_is_given_up_after_so_many_attempts(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    await settle(stage, attempts=3, **QUICK)
    ear.statuses = [503] * 10
    await watched(stage, ear)
    counts = (await quiet(stage))["counts"]
    assert (counts["sent"], counts["retried"], counts["dropped"]) == (3, 2, 1)


async def test_a_message_that_nobody_answers_is_dropped_or_tried_again(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    async with an_ear() as gone:
        address = gone.address
    await watched(stage, ear, address=address)
    assert (await quiet(stage))["answered"] == {"none": 1}
    await settle(stage, retry_unanswered=True, attempts=3, **QUICK)
    await watched(stage, ear, address=address)
    assert (await quiet(stage))["answered"] == {"none": 4}


async def test_a_message_that_waits_for_its_next_attempt_keeps_back_no_other(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    await settle(stage, first_pause_seconds=30)
    await watched(stage, ear)
    ear.statuses = [503]
    await stage.insert()
    await stage.insert()
    heard = await ear.until(3)
    assert heard[1].number < heard[2].number
    assert (await quiet(stage, waiting=1))["counts"]["taken"] == 2


async def test_a_stopped_channel_may_still_bring_so_many(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    await settle(stage, after_stop=2)
    channel = await watched(stage, ear)
    assert (await stop(stage, channel)).status == 204
    for _ in range(4):
        await stage.insert()
    found = await quiet(stage)
    assert (ear.states(), found["counts"]["after_stop"]) == (["sync", "exists", "exists"], 2)


async def test_a_message_on_its_way_when_its_channel_is_stopped_is_withdrawn(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    channel = await watched(stage, ear)
    ear.may_answer.clear()
    await stage.insert()
    await ear.until(2)
    await stage.insert()
    await stop(stage, channel)
    ear.may_answer.set()
    assert (await quiet(stage))["counts"]["withdrawn"] == 1
    assert ear.states() == ["sync", "exists"]


async def test_a_channel_may_go_silent_though_it_lives(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    silent = await watched(stage, ear)
    await settle(stage, falls_silent=1.0)
    await stage.insert()
    await settle(stage, falls_silent=0.0)
    named, loud = await watched(stage, ear), await watched(stage, ear)
    await settle(stage, silent=[named["id"]])
    await stage.insert()
    found = await quiet(stage)
    assert [ear.states(one["id"]) for one in (silent, named, loud)] == [["sync"], ["sync"], ["sync", "exists"]]
    assert (found["counts"]["silent"], found["channels"]["live"]) == (3, 3)
    await settle(stage, silent=[])
    await stage.insert()
    await quiet(stage)
    assert [ear.states(one["id"])[-1] for one in (silent, named)] == ["sync", "exists"]


async def test_a_calendar_may_be_told_of_nothing(both: tuple[Stage, Ear]) -> None:
    stage, ear = both
    await watched(stage, ear)
    assert await stage.control("POST", f"calendars/{ANA}/tell", {"times": 3}) == {"told": 3}
    await quiet(stage)
    assert ear.states() == ["sync", "exists", "exists", "exists"]
    assert (await stage.request("POST", "simulator/calendars/x@y.test/tell")).status == 404
    assert (await stage.request("POST", f"simulator/calendars/{ANA}/tell", {"times": 0})).status == 400


@pytest.mark.parametrize(
    "wrong", [{"loss": 1.1}, {"loss": "much"}, {"delay_seconds": [2, 1]}, {"attempts": 0}, {"louder": True}], ids=str
)
async def test_a_setting_that_cannot_be_is_refused_and_changes_nothing(both: tuple[Stage, Ear], wrong: Any) -> None:
    stage, _ = both
    before = await stage.control("GET", "notifications")
    reply = await stage.request("PUT", "simulator/notifications", {"duplicate": 0.5} | wrong)
    assert reply.status == 400
    assert reply.body["error"].startswith("The settings of notifications cannot be so: ")
    assert await stage.control("GET", "notifications") == before


async def told_by(seed: int) -> list[Any]:
    """What became of the messages of one and the same run, whatever its ids, each channel by itself."""
    async with a_listened_stage(seed) as (stage, ear):
        mishaps = dict.fromkeys(("loss", "duplicate", "several", "reorder"), 0.3)
        await settle(stage, **mishaps, falls_silent=0.02, reorder_seconds=0.01, delay_seconds=[0, 0.002])
        place = {}
        for number, user in enumerate((ANA, BO, ANA)):
            place[(await watched(stage, ear, user, user=user))["id"]] = number
        for _ in range(15):
            await stage.insert(attendees=[{"email": BO}])
        await quiet(stage)
        fates = Counter(
            (place[note["channel_id"]], note["state"], note["number"], note["fate"], note["copy"])
            for note in await notes(stage)
        )
        assert len(ear.heard) == sum(count for (*_, fate, _copy), count in fates.items() if fate == "taken")
        return sorted(fates.items())


async def test_two_runs_with_one_seed_send_the_same() -> None:
    first = await told_by(7)
    assert await told_by(7) == first
    assert await told_by(8) != first
    assert {fate for (*_, fate, _), _ in first} >= {"taken", "lost"}


async def test_messages_end_with_the_simulator() -> None:
    async with an_ear() as ear:
        ear.statuses = [503]
        async with a_stage() as stage:
            await settle(stage, first_pause_seconds=3600)
            await watch(stage, ear)
            await ear.until(1)
            await stage.insert()
        assert ear.states()[0] == "sync"
