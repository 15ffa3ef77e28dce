"""The judge finds what is wrong, calls right what is right, and shares no code with what it judges."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from syncer.simulator.demo.town import Town
from syncer.simulator.judge.verdict import Standing
from syncer.simulator.people.edits import external_key, now_ms
from syncer.simulator.people.faces import event_path
from syncer.simulator.people.record import Kind, Reference
from tests.simulator.towns import (
    a_crowd,
    a_town,
    event_of,
    follow_by_hand,
    meeting_of,
    patch,
    some_event,
    verdict,
)

Bug = Callable[[Town, Reference], Awaitable[None]]


async def not_moved(built: Town, where: Reference) -> None:
    meant = built.world.record.meant[where]
    starts = {"start": "2026-01-01T10:00:00Z", "end": "2026-01-01T11:00:00Z", "all_day": False}
    await built.world.vendors[where.tenant].change(str(meant.meeting_id), starts)


async def deleted(built: Town, where: Reference) -> None:
    await built.world.vendors[where.tenant].delete(meeting_of(built, where))


async def made_twice(built: Town, where: Reference) -> None:
    meeting = {"title": "Twice", "start": "2026-12-01T10:00:00Z", "end": "2026-12-01T11:00:00Z"}
    account = built.accounts[where.tenant]
    headers = {"Authorization": f"Bearer {account['api_token']}"}
    body = {"external_key": external_key(where), **meeting}
    async with built.session.post(f"{built.vendor_root}v1/meetings", json=body, headers=headers) as response:
        assert response.status == 201


async def title_overwritten(built: Town, where: Reference) -> None:
    await patch(built, where, {"summary": "Something else"})
    await built.world.vendors[where.tenant].change(meeting_of(built, where), {"title": "Something else"})


async def passcode_old(built: Town, where: Reference) -> None:
    await built.world.vendors[where.tenant].change(meeting_of(built, where), {"passcode": "nobody"})


async def left_over(built: Town, where: Reference) -> None:
    owner = built.world.place_of(where).owner
    await built.world.google[owner].call("DELETE", event_path(where.calendar_id, where.event_id))
    built.world.record.remove(where, now_ms())


async def location_overwritten(built: Town, where: Reference) -> None:
    await patch(built, where, {"location": "Nowhere"})


async def event_vanished(built: Town, where: Reference) -> None:
    meant = built.world.record.meant[where]
    await left_over(built, where)
    built.world.record.put(where, meant, now_ms())


@pytest.mark.parametrize(
    ("bug", "standing", "word"),
    [
        pytest.param(not_moved, Standing.WRONG, "start", id="a meeting not moved"),
        pytest.param(deleted, Standing.LOST, "gone", id="one deleted"),
        pytest.param(made_twice, Standing.DOUBLED, "more than once", id="one made twice"),
        pytest.param(title_overwritten, Standing.WRONG, "lost its people's title", id="a title overwritten"),
        pytest.param(location_overwritten, Standing.WRONG, "location", id="a location overwritten"),
        pytest.param(passcode_old, Standing.WRONG, "passcode", id="an old passcode shown"),
        pytest.param(left_over, Standing.WRONG, "left over", id="one left over"),
        pytest.param(event_vanished, Standing.WRONG, "existence", id="an event deleted by a machine"),
    ],
)
async def test_a_planted_bug_is_found(bug: Bug, standing: Standing, word: str) -> None:
    async with a_town() as built:
        await follow_by_hand(built)
        where = some_event(built)
        meeting = meeting_of(built, where)

        await bug(built, where)

        said = await verdict(built)
        assert said.standings[where.tenant, meeting] is standing
        assert {finding.standing for finding in said.findings} == {standing}
        assert any(word in finding.sentence for finding in said.findings)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_world_that_followed_all_edits_is_right(seed: int) -> None:
    async with a_town(seed=seed, calendars=3) as built:
        await a_crowd(built, edits=60, seed=seed).work(1.0)
        assert not (await verdict(built)).is_right

        await follow_by_hand(built)

        said = await verdict(built)
        assert [finding.sentence for finding in said.findings] == []
        assert said.is_right


async def test_a_world_that_nobody_followed_is_wrong_everywhere() -> None:
    async with a_town(tenants=1, events=3) as built:
        said = await verdict(built)

        assert said.count(Standing.WRONG) == 6


async def test_held_meetings_must_live_until_they_are_released() -> None:
    async with a_town() as built:
        await follow_by_hand(built)
        where = some_event(built)
        meeting = (where.tenant, meeting_of(built, where))
        await left_over(built, where)

        assert (await verdict(built, held=frozenset({meeting}))).standings[meeting] is Standing.HELD
        assert not (await verdict(built)).is_right
        await built.world.vendors[where.tenant].delete(meeting[1])
        assert (await verdict(built, held=frozenset({meeting}))).standings[meeting] is Standing.LOST
        assert (await verdict(built)).is_right


async def test_who_comes_back_after_the_grace_may_find_the_meeting_gone() -> None:
    async with a_town() as built:
        await follow_by_hand(built)
        where = some_event(built)
        meant = built.world.record.meant[where]
        await deleted(built, where)
        assert not (await verdict(built)).is_right

        gone_ms = now_ms()
        built.world.record.remove(where, gone_ms)
        built.world.record.put(where, meant, gone_ms + 5000)

        assert (await verdict(built)).is_right


async def test_a_copy_may_drive_only_when_its_elder_was_away() -> None:
    async with a_town(tenants=1, calendars=1, events=1) as built:
        crowd = a_crowd(built, edits=0)
        where = some_event(built)
        person = crowd.person(where.calendar_id)
        await crowd.act(person, Kind.DUPLICATE)
        await follow_by_hand(built)
        copy = next(iter(built.world.copies))
        title = (await event_of(built, copy))["summary"]
        await built.world.vendors[where.tenant].change(meeting_of(built, where), {"title": title})
        assert not (await verdict(built)).is_right

        built.world.busy.add(copy)
        await crowd.act(person, Kind.UNDELETE)

        assert (await verdict(built)).is_right


async def test_a_copy_may_drive_that_the_service_knew_before_its_elder() -> None:
    async with a_town(tenants=1, calendars=1, events=1) as built:
        crowd = a_crowd(built, edits=0)
        where = some_event(built)
        await crowd.act(crowd.person(where.calendar_id), Kind.DUPLICATE)
        await follow_by_hand(built)
        copy = next(iter(built.world.copies))
        title = (await event_of(built, copy))["summary"]
        await built.world.vendors[where.tenant].change(meeting_of(built, where), {"title": title})
        before, after = built.clock.now(), built.clock.now() + timedelta(seconds=1)

        assert (await built.judge(grace_ms=0, known_at={copy: before, where: after})).is_right
        assert not (await built.judge(grace_ms=0, known_at={copy: after, where: before})).is_right


async def test_guests_copies_never_count() -> None:
    async with a_town(tenants=2, calendars=1, events=1) as built:
        where = some_event(built)
        guest = next(place for place in built.world.places if place.tenant != where.tenant)
        await patch(built, where, {"attendees": [{"email": guest.calendar_id}]})
        await follow_by_hand(built)

        said = await verdict(built)

        assert [finding.sentence for finding in said.findings] == []
        assert len(said.standings) == 2


def test_the_judge_shares_no_code_with_what_it_judges() -> None:
    program = (
        "import sys, syncer.simulator.judge.rules, syncer.simulator.judge.reading\n"
        "print([m for m in sys.modules if m.startswith(('syncer.rules', 'syncer.store', 'syncer.clients',"
        " 'syncer.model', 'syncer.sync', 'syncer.run'))])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
