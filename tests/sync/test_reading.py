"""What is read: page by page, all of it, and never more out of it than was clearly seen."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs

from syncer.model.conference import State
from syncer.model.errors import FencedOut, Unreachable, Unreadable
from syncer.simulator.google import listing
from syncer.store import conferences
from syncer.store.conferences import Noted
from syncer.sync import pull, sweep
from tests.simulator.google_stage import ANA, BO, ROOM, conference
from tests.sync.stage import GRACE, TIMES, Acted, Booked, list_anew, slot_of

PERSON = {"email": ANA}


def loaded(number: int, **fields: Any) -> dict[str, Any]:
    """An entry as it is put in by the load of the simulator."""
    return {
        "id": f"entry{number:05d}",
        "summary": f"Entry {number}",
        "organizer": PERSON,
        "creator": PERSON,
        "conferenceData": conference(f"{number:05d}"),
        **TIMES,
        **fields,
    }


async def load(stage: Acted, *entries: dict[str, Any]) -> None:
    await stage.google.control("POST", f"calendars/{ANA}/load", {"events": list(entries)})


async def forget(stage: Acted) -> None:
    """Google forgets all sync tokens: 410 from now on."""
    await stage.google.control("POST", "forget", {"before": None})


async def seen_by(stage: Acted, calendar: str) -> sweep.Changed:
    """A look at a calendar in which something has changed."""
    (seen,) = await sweep.sweep(stage.tools, stage.project, [slot_of(stage.project, stage.ids[calendar])])
    assert isinstance(seen, sweep.Changed)
    return seen


async def links(stage: Acted) -> set[str]:
    return {row["event_id"] for row in await stage.rows("link")}


async def cursor(stage: Acted) -> Any:
    """Ana's calendar, as its row has it."""
    return next(row for row in await stage.rows("calendar") if row["google_id"] == ANA)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Google gives three entries a page, however many are asked for."""
    monkeypatch.setattr(listing, "MAX_RESULTS_CAP", 3)


async def test_an_expired_token_loses_no_change_of_the_gap(stage: Acted, booked: Booked) -> None:
    gone = await stage.book("Gone")
    await stage.follow()
    await stage.edit(booked, summary="Renamed")
    await stage.delete(gone)
    added = await stage.book("Added")
    await forget(stage)
    await stage.follow()
    await stage.follow()
    assert {row["title"] for row in [await stage.meeting(booked), await stage.meeting(added)]} == {"Renamed", "Added"}
    assert await links(stage) == {booked.event_id, added.event_id}
    assert "read_anew" in await stage.told()


async def test_an_event_that_a_full_read_does_not_list_is_asked_for_before_it_goes(
    stage: Acted, booked: Booked
) -> None:
    past = {"start": {"dateTime": "2020-01-01T10:00:00Z"}, "end": {"dateTime": "2020-01-01T11:00:00Z"}}
    await stage.edit(booked, **past)
    await forget(stage)
    await stage.follow()
    await stage.follow()
    assert [row["event_id"] for row in await stage.requests("GET") if row["event_id"]] == [booked.event_id]
    assert await links(stage) == {booked.event_id}
    assert (await stage.meeting(booked))["start"] == "2020-01-01T10:00:00+00:00"


async def test_a_full_read_that_shows_free_and_busy_only_removes_nothing(stage: Acted, booked: Booked) -> None:
    await _narrow(stage)
    await stage.follow()
    await stage.follow()
    await stage.pass_time(GRACE * 2)
    await stage.follow()
    assert await links(stage) == {booked.event_id}
    assert (await stage.meeting(booked))["state"] == "live"


async def test_an_event_deleted_while_nothing_could_be_seen_is_deleted_later(stage: Acted, booked: Booked) -> None:
    await _narrow(stage)
    await stage.delete(booked)
    await stage.follow()
    await stage.follow()
    await stage.google.call("POST", f"calendars/{ANA}/acl", _rule("owner"), user=ANA)
    await stage.google.control("POST", "forget", {"before": None})
    for _ in range(4):
        await stage.pass_time(GRACE)
        await stage.follow()
    assert (await stage.meeting(booked))["state"] == "deleted"


async def test_an_event_that_free_and_busy_does_not_find_is_not_gone(stage: Acted, booked: Booked) -> None:
    await stage.tools.database.run("UPDATE syncer.link SET event_id = 'notfound'")
    await _narrow(stage)
    await stage.follow()
    assert await links(stage) == {"notfound"}


async def _narrow(stage: Acted) -> None:
    """The worker's grant on Ana's calendar is Bo's from now on, and Bo sees free and busy only."""
    reply = await stage.google.call("POST", f"calendars/{ANA}/acl", _rule("freeBusyReader"), user=ANA)
    assert reply.status == 200, reply.body
    await stage.tools.database.run(
        "UPDATE syncer.calendar SET credential = $1 WHERE google_id = $2", f"file:{BO}.json", ANA
    )
    await list_anew(stage.tools, stage.project)


def _rule(role: str) -> dict[str, Any]:
    return {"role": role, "scope": {"type": "user", "value": BO}}


async def test_all_pages_are_read_and_the_token_comes_with_the_last(stage: Acted, small_pages: None) -> None:
    await load(stage, *[loaded(number) for number in range(8)])
    before = await cursor(stage)
    first = await seen_by(stage, ANA)
    assert first.page.next_page_token is not None
    await pull.pull(stage.tools, stage.project, first.calendar, first.page)
    after = await cursor(stage)
    assert len(await links(stage)) == 8
    assert (before["sync_token"] != after["sync_token"], after["page_token"]) == (True, None)


async def test_a_read_that_broke_off_goes_on_at_its_page(stage: Acted, small_pages: None) -> None:
    await load(stage, *[loaded(number) for number in range(8)])
    before = await cursor(stage)
    first = await seen_by(stage, ANA)
    await stage.set_google_faults(next={"server_error": 1})
    with pytest.raises(Unreachable):
        await pull.pull(stage.tools, stage.project, first.calendar, first.page)
    half = await cursor(stage)
    assert (half["sync_token"], half["page_token"] is None) == (before["sync_token"], False)
    assert len(await links(stage)) == 3
    await stage.restart()
    asked = len(await stage.requests("GET"))
    await stage.look(ANA)
    assert len(await links(stage)) == 8
    assert len(await stage.requests("GET")) == asked + 2


async def test_of_calendars_that_are_pulled_together_one_that_fails_fails_alone(stage: Acted) -> None:
    booked = [await stage.book(calendar=calendar) for calendar in (ANA, BO, ROOM)]
    seen = [await seen_by(stage, one.calendar) for one in booked]
    tokenless = structs.replace(seen[1].page, next_sync_token=None)
    broken = [seen[0], structs.replace(seen[1], page=tokenless), seen[2]]
    outcomes = {one.slot: type(done) async for one, done in pull.pull_together(stage.tools, stage.project, broken)}
    assert outcomes == {seen[0].slot: set, seen[1].slot: Unreadable, seen[2].slot: set}
    assert await links(stage) == {booked[0].event_id, booked[2].event_id}
    assert await stage.look(BO) != set()


async def test_nothing_is_pushed_on_half_a_calendar(stage: Acted, small_pages: None) -> None:
    await load(stage, *[loaded(number) for number in range(5)])
    first = await seen_by(stage, ANA)
    await stage.set_google_faults(next={"server_error": 1})
    with pytest.raises(Unreachable):
        await pull.pull(stage.tools, stage.project, first.calendar, first.page)
    await stage.push()
    assert await stage.calls("update") == []


async def test_a_first_read_in_pages_that_broke_off_goes_on_at_its_page(stage: Acted, small_pages: None) -> None:
    await load(stage, *[loaded(number) for number in range(8)])
    await forget(stage)
    await stage.look(ANA)
    first = await seen_by(stage, ANA)
    await stage.set_google_faults(next={"server_error": 1})
    with pytest.raises(Unreachable):
        await pull.pull(stage.tools, stage.project, first.calendar, first.page)
    await stage.restart()
    await stage.look(ANA)
    row = await cursor(stage)
    assert len(await links(stage)) == 8
    assert (row["generation"], row["is_full_read"]) == (2, False)


async def test_a_worker_that_lost_its_lease_writes_no_page(stage: Acted, booked: Booked) -> None:
    await stage.edit(booked, summary="Renamed")
    first, old = await seen_by(stage, ANA), stage.project
    await stage.restart()
    before = await stage.rows("link"), await stage.rows("history"), await cursor(stage)
    with pytest.raises(FencedOut):
        await pull.pull(stage.tools, old, first.calendar, first.page)
    assert (await stage.rows("link"), await stage.rows("history"), await cursor(stage)) == before


async def test_an_entry_that_cannot_be_used_is_set_aside_and_the_calendar_goes_on(stage: Acted, booked: Booked) -> None:
    await load(stage, loaded(1, summary="half \x00"), loaded(2))
    await stage.follow()
    (note,) = await stage.rows("note")
    assert (note["event_id"], note["kind"]) == ("entry00001", "set_aside")
    assert "NUL" in note["reason"]
    assert await links(stage) == {booked.event_id, "entry00002"}


async def test_an_entry_set_aside_is_tried_again_when_it_changes(stage: Acted) -> None:
    broken = await stage.book("half \x00")
    await stage.follow()
    assert (len(await stage.rows("note")), await links(stage)) == (1, set())
    await stage.edit(broken, summary="Whole")
    await stage.follow()
    assert (await stage.rows("note"), await links(stage)) == ([], {broken.event_id})
    assert (await stage.meeting(broken))["title"] == "Whole"


async def test_an_event_that_breaks_leaves_its_meeting_as_it_was(stage: Acted, booked: Booked) -> None:
    await stage.edit(booked, summary="half \x00")
    await stage.follow()
    await forget(stage)
    await stage.follow()
    await stage.follow()
    assert await links(stage) == {booked.event_id}
    assert (await stage.meeting(booked))["title"] == "Standup"


async def test_a_bare_stub_waits_until_every_calendar_was_looked_at(stage: Acted, booked: Booked) -> None:
    await stage.move_out_of_sight(booked)
    await stage.push(await stage.look(ANA))
    await stage.pass_time(GRACE * 2)
    await stage.push(await stage.look(ANA, BO))
    assert (await stage.meeting(booked))["state"] == "live"
    await stage.look(ROOM)
    await stage.pass_time(timedelta(minutes=10))
    await stage.push()
    assert (await stage.meeting(booked))["state"] == "deleted"


async def test_waiting_for_a_calendar_that_cannot_be_looked_at_costs_less_and_less(
    stage: Acted, booked: Booked
) -> None:
    await stage.move_out_of_sight(booked)
    await stage.push(await stage.look(ANA))
    await stage.pass_time(GRACE * 2)
    before = len(await stage.requests("GET"))
    for _ in range(20):
        await stage.pass_time(timedelta(seconds=2))
        await stage.push()
    assert len(await stage.requests("GET")) - before < 8
    await stage.pass_time(timedelta(days=8))
    await stage.push()
    assert (await stage.meeting(booked))["state"] == "deleted"


async def test_an_event_moved_to_a_paused_calendar_keeps_its_meeting(stage: Acted, booked: Booked) -> None:
    await _set_state(stage, ROOM, "paused")
    await stage.move(booked, ROOM)
    await stage.push(await stage.look(ANA, BO))
    await stage.pass_time(GRACE * 2)
    await stage.push(await stage.look(ANA, BO))
    assert (await stage.meeting(booked))["state"] == "live"
    await _set_state(stage, ROOM, "active")
    await stage.follow()
    assert (await stage.conference(booked))["state"] == "live"


async def _set_state(stage: Acted, google_id: str, state: str) -> None:
    await stage.tools.database.run("UPDATE syncer.calendar SET state = $2 WHERE google_id = $1", google_id, state)
    await list_anew(stage.tools, stage.project)


async def test_a_calendar_paused_in_the_middle_of_a_read_holds_up_no_push(stage: Acted, booked: Booked) -> None:
    await stage.tools.database.run("UPDATE syncer.calendar SET page_token = 'half', state = 'paused'")
    await stage.tools.database.run("UPDATE syncer.conference SET wanted_version = wanted_version + 1")
    await stage.push()
    row = await stage.conference(booked)
    assert row["applied_version"] == row["wanted_version"]


async def test_matchers_that_changed_detach_and_delete_nothing(stage: Acted, booked: Booked) -> None:
    await _set_matchers(stage, '[{"solution_name": "Another"}]')
    await stage.follow()
    await stage.pass_time(GRACE * 2)
    await stage.follow()
    assert (await stage.meeting(booked))["state"] == "live"
    assert (await stage.conference(booked))["state"] == "detached"


async def test_matchers_that_find_another_id_delete_nothing(stage: Acted, booked: Booked) -> None:
    data = (await stage.event(booked))["conferenceData"]
    parameters = {"addOnParameters": {"parameters": {"room": "room-5"}}}
    await stage.swap(booked, {**data, "parameters": parameters})
    await stage.follow()
    await _set_matchers(stage, '[{"parameter": "room"}]')
    await stage.follow()
    await stage.pass_time(GRACE * 2)
    await stage.follow()
    assert (await stage.meeting(booked))["state"] == "live"
    assert (await stage.conference(booked))["state"] == "detached"


async def test_matchers_that_change_back_attach_again(stage: Acted, booked: Booked) -> None:
    await _set_matchers(stage, '[{"solution_name": "Another"}]')
    await stage.follow()
    await _set_matchers(stage, '[{"solution_type": "addOn"}]')
    await stage.edit(booked, summary="Renamed")
    await stage.follow()
    assert (await stage.meeting(booked))["title"] == "Renamed"
    assert (await stage.conference(booked))["state"] == "live"


async def test_a_push_under_way_does_not_undo_a_detachment(stage: Acted, booked: Booked) -> None:
    await stage.edit(booked, summary="Renamed")
    touched = await stage.look(ANA)
    before = await stage.conference(booked)
    await stage.push(touched)
    await stage.tools.database.run(
        "UPDATE syncer.conference SET state = 'detached', wanted_version = wanted_version + 1"
    )
    await _record_as_of(stage, before)
    assert (await stage.conference(booked))["state"] == "detached"


async def _record_as_of(stage: Acted, row: Any) -> None:
    """What a push writes down that had read its conference when the row was so."""
    found = await conferences.one(stage.tools.database, row["tenant_id"], row["conference_id"])
    assert found is not None
    as_it_was = structs.replace(found[0], state=State(row["state"]), wanted_version=row["wanted_version"])
    await conferences.record(stage.tools.database, stage.project.lease, Noted(as_it_was))


async def _set_matchers(stage: Acted, matchers: str) -> None:
    await stage.tools.database.run("UPDATE syncer.tenant SET matchers = $1", matchers.encode())
    await list_anew(stage.tools, stage.project)
