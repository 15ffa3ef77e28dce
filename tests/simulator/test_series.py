"""People edit series as they edit events: what they mean is in the record, and a meeting that follows is right."""

from __future__ import annotations

from asyncio import TaskGroup
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from syncer.simulator.clock import SimulatedClock
from syncer.simulator.demo import town
from syncer.simulator.demo.town import Town
from syncer.simulator.judge.verdict import Standing
from syncer.simulator.people import edits
from syncer.simulator.people.bodies import timed
from syncer.simulator.people.crowd import Crowd
from syncer.simulator.people.record import CREATIONS, AnyKind, Edit, Json, Kind, Meant, Reference, SeriesKind
from syncer.simulator.people.script import FIRST, SERIES_FIRST, plan
from syncer.simulator.people.world import shifted
from tests.simulator.followers import follow
from tests.simulator.towns import event_of, patch, verdict

ODD = {"opaque_instance_ids": True, "moved_instances_change_id": True, "exceptions_vanish": True}
Planted = Callable[[Town, Reference], Awaitable[None]]


@asynccontextmanager
async def a_town(*, seed: int = 1, calendars: int = 2) -> AsyncIterator[Town]:
    places = town.places(["tenant-1", "tenant-2"], calendars, {})
    async with town.built(places, clock=SimulatedClock(), seed=seed, with_series=True) as built:
        yield built


def a_crowd(built: Town, *, number: int = 0, seed: int = 1) -> Crowd:
    return Crowd(built.world, plan(built.world.places, number, seed, with_series=True), seed)


async def made(built: Town, kind: AnyKind, where: Reference | None = None, *, seed: int = 1) -> Edit:
    """One edit on the first calendar."""
    person = a_crowd(built, seed=seed).person(built.world.places[0].calendar_id)
    return await edits.make(person, kind, where)


async def sentences(built: Town) -> list[str]:
    return [finding.sentence for finding in (await verdict(built)).findings]


def test_series_are_edited_only_where_it_is_wished() -> None:
    places = town.places(["tenant-1"], 2, {})

    plain = Counter(kind for kinds in plan(places, 400, 1).values() for kind in kinds)
    wished = Counter(kind for kinds in plan(places, 400, 1, with_series=True).values() for kind in kinds)

    assert plain.keys() == set(Kind)
    assert wished.keys() == {*Kind, *SeriesKind}


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_all_edits_of_series_are_accepted_and_a_world_that_followed_them_is_right(seed: int) -> None:
    async with a_town(seed=seed) as built:
        if seed > 1:
            await built.google("PUT", "faults", {"settings": ODD})
        crowd = a_crowd(built, number=len(FIRST) + len(SERIES_FIRST) + 40, seed=seed)
        await crowd.work(0.5)
        assert not (await verdict(built)).is_right
        await follow(built)
        assert await sentences(built) == []
        await crowd.work(1.0)

        await follow(built)

        assert await sentences(built) == []


@pytest.mark.parametrize(
    "kind", [kind for kind in SeriesKind if kind.value.endswith(("_instance", "_series", "_bare"))]
)
async def test_each_kind_of_edit_moves_a_meeting_that_was_right(kind: SeriesKind) -> None:
    async with a_town() as built:
        series = await made(built, SeriesKind.CREATE_SERIES)
        await made(built, SeriesKind.CANCEL_INSTANCE, series.where)
        await follow(built)
        assert await sentences(built) == []
        quiet = {SeriesKind.UNDELETE_SERIES, SeriesKind.DUPLICATE_SERIES}

        edit = await made(built, kind, None if kind is SeriesKind.CREATE_SERIES else series.where, seed=4)

        said = await verdict(built)
        assert edit.kind is kind
        assert said.is_right == (kind in quiet) or kind is SeriesKind.DUPLICATE_SERIES
        await follow(built)
        assert await sentences(built) == []


@pytest.mark.parametrize(
    "kind", [Kind.INVITE, Kind.CHANGE_AT_PROVIDER, *(kind for kind in SeriesKind if kind not in CREATIONS)]
)
async def test_nobody_edits_a_series_that_is_over(kind: AnyKind) -> None:
    async with a_town() as built:
        person = a_crowd(built).person(built.world.places[0].calendar_id)
        body: Json = {
            "start": timed(built.clock.now(), "UTC"),
            "end": timed(built.clock.now() + timedelta(hours=1), "UTC"),
        }
        series = await made(built, SeriesKind.CREATE_SERIES)
        await patch(built, series.where, body | {"recurrence": ["RRULE:FREQ=DAILY;COUNT=4"]})
        built.world.settled.add(series.where)
        assert await built.world.target(SeriesKind.RENAME_SERIES, person.place, person.chance) == series.where

        built.clock.set(built.clock.now() + timedelta(days=10))

        assert await built.world.target(kind, person.place, person.chance) is None


async def test_two_people_never_edit_one_series_at_once() -> None:
    async with a_town() as built:
        series = await made(built, SeriesKind.CREATE_SERIES)
        crowd = a_crowd(built, seed=2)
        person = crowd.person(series.where.calendar_id)

        async with TaskGroup() as group:
            group.create_task(crowd.act(person, SeriesKind.MOVE_SERIES))
            group.create_task(crowd.act(person, SeriesKind.RENAME_SERIES))

        touched = Counter(edit.where for edit in built.world.record.edits)
        assert touched[series.where] == 2
        assert touched.total() == 3


@pytest.mark.parametrize("kind", [SeriesKind.SPLIT_API, SeriesKind.SPLIT_UI])
async def test_the_halves_of_a_split_are_one_meeting(kind: SeriesKind) -> None:
    async with a_town() as built:
        series = await made(built, SeriesKind.CREATE_SERIES)
        await follow(built)
        before = await built.world.vendors["tenant-1"].meeting(series.meeting_id)

        await made(built, kind, series.where)
        await follow(built)

        meeting = await built.world.vendors["tenant-1"].meeting(series.meeting_id)
        assert await sentences(built) == []
        assert "further" not in before
        assert len(meeting["further"]) == 1
        await built.world.vendors["tenant-1"].change(series.meeting_id, {"further": []})
        assert "missing" in (await sentences(built))[0]


async def test_a_conference_on_one_instance_only_is_judged_as_that_one() -> None:
    async with a_town() as built:
        once = await made(built, SeriesKind.MEET_ONCE)
        assert once.meant is not None
        assert once.meant.master is not None
        await follow(built)

        assert await sentences(built) == []
        await made(built, Kind.RENAME, once.where)
        assert "title" in (await sentences(built))[0]


async def test_a_guest_who_declines_deletes_nothing() -> None:
    async with a_town() as built:
        series = await made(built, SeriesKind.CREATE_SERIES)
        await made(built, SeriesKind.DECLINE, series.where)
        await follow(built)

        rows = (await event_of(built, series.where))["attendees"]
        assert [row["responseStatus"] for row in rows] == ["declined"]
        assert (await verdict(built)).standings["tenant-1", series.meeting_id] is Standing.RIGHT


async def override_lost(built: Town, where: Reference) -> None:
    await built.world.vendors[where.tenant].change(meeting_of(built, where), {"overrides": []})


async def exclusion_lost(built: Town, where: Reference) -> None:
    rule = list(meant_of(built, where).recurrence)
    await built.world.vendors[where.tenant].change(meeting_of(built, where), {"recurrence": rule})


async def occurrence_doubled(built: Town, where: Reference) -> None:
    meeting = await built.world.vendors[where.tenant].meeting(meeting_of(built, where))
    twin = {name: meeting[name] for name in ("start", "end", "timezone")} | {"recurrence": []}
    await built.world.vendors[where.tenant].change(meeting["id"], {"further": [twin]})


async def called_off_is_back(built: Town, where: Reference) -> None:
    gone = next(one for one, meant in built.world.record.called_off.items() if meant.master == where)
    await patch(built, gone, {"status": "confirmed"})


async def rule_overwritten(built: Town, where: Reference) -> None:
    await patch(built, where, {"recurrence": ["RRULE:FREQ=YEARLY"]})


async def hour_late(built: Town, where: Reference) -> None:
    meant, zone = meant_of(built, where), built.world.place_of(where).time_zone
    late = {
        side: shifted(when, timedelta(days=1), zone) for side, when in (("start", meant.starts), ("end", meant.ends))
    }
    texts = {side: when.get("date") or when["dateTime"] for side, when in late.items()}
    await built.world.vendors[where.tenant].change(meeting_of(built, where), texts)


def meant_of(built: Town, where: Reference) -> Meant:
    return built.world.record.meant[where]


def meeting_of(built: Town, where: Reference) -> str:
    return str(meant_of(built, where).meeting_id)


@pytest.mark.parametrize(
    ("planted", "word"),
    [
        pytest.param(override_lost, "missing", id="a moved instance not moved"),
        pytest.param(exclusion_lost, "surplus", id="a called-off instance that takes place"),
        pytest.param(occurrence_doubled, "surplus", id="an occurrence that is there twice"),
        pytest.param(called_off_is_back, "calling off", id="a called-off instance brought back by a machine"),
        pytest.param(rule_overwritten, "recurrence", id="a rule overwritten"),
        pytest.param(hour_late, "missing", id="a series at another time"),
    ],
)
async def test_a_planted_bug_is_found(planted: Planted, word: str) -> None:
    async with a_town() as built:
        series = await made(built, SeriesKind.CREATE_SERIES)
        await made(built, SeriesKind.CANCEL_INSTANCE, series.where)
        await made(built, SeriesKind.RENAME_INSTANCE, series.where, seed=2)
        await follow(built)
        assert await sentences(built) == []

        await planted(built, series.where)

        assert any(word in sentence for sentence in await sentences(built))


async def test_a_meeting_that_no_part_of_a_series_refers_to_is_left_over() -> None:
    async with a_town() as built:
        series = await made(built, SeriesKind.CREATE_SERIES)
        await follow(built)

        await made(built, SeriesKind.DELETE_SERIES, series.where)

        assert any("left over" in sentence for sentence in await sentences(built))
