"""Google's published sample and syncer in the same worlds: which promise each of its faults breaks.

Each fault is played alone, for the worse ones hide the others, and beside the careful loop, which has none of them.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from syncer.model.errors import FencedOut
from syncer.simulator import addon
from syncer.sync import pull
from tests.peers.conftest import Play, Player, Script, Seen
from tests.peers.loops import Loop
from tests.peers.sample import Fault, Sample
from tests.simulator.google_stage import ANA, ROOM
from tests.sync.stage import GRACE, TIMES, Acted, Booked
from tests.sync.test_reading import forget, seen_by


async def sample(play: Play, script: Script, *faults: Fault) -> Seen:
    """What the sample comes to with these faults alone."""
    return await play.loop(script, Sample, faults=frozenset(faults))


async def renamed(stage: Acted, player: Player) -> Seen:
    """An event is renamed."""
    booked = await stage.book()
    await player.follow()
    await stage.edit(booked, summary="Renamed")
    await player.follow()
    meeting = await stage.meeting(booked)
    return meeting["state"], meeting["title"]


async def test_an_update_deletes_no_meeting(play: Play) -> None:
    assert await sample(play, renamed, Fault.DELETES_WHAT_CHANGED) == ("deleted", None)
    assert await play.right(renamed) == ("live", "Renamed")


async def test_the_sample_as_it_is_published_keeps_no_meeting(play: Play) -> None:
    assert await play.loop(renamed, Sample) == ("deleted", None)


async def test_a_change_is_found_however_long_nobody_looked(play: Play) -> None:
    async def script(stage: Acted, player: Player) -> Seen:
        booked = await stage.book()
        await player.follow()
        await stage.edit(booked, summary="Renamed")
        await stage.pass_time(timedelta(days=2))
        await player.follow()
        return ((await stage.meeting(booked))["title"],)

    assert await sample(play, script, Fault.ORDERED_FIRST_READ) == ("Standup",)
    assert await play.right(script) == ("Renamed",)


async def test_an_event_without_a_conference_keeps_no_change_from_others(play: Play) -> None:
    async def script(stage: Acted, player: Player) -> Seen:
        booked = await stage.book()
        await player.follow()
        await stage.google.insert(ANA, summary="Lunch", **TIMES)
        await stage.edit(booked, summary="Renamed")
        await player.follow()
        await player.follow()
        return ((await stage.meeting(booked))["title"],)

    assert await sample(play, script, Fault.NO_NULL_CHECK) == ("Standup",)
    assert await play.right(script) == ("Renamed",)


async def deleted_event(stage: Acted, player: Player) -> Seen:
    """An event is deleted."""
    booked = await stage.book()
    await player.follow()
    await stage.delete(booked)
    await player.follow()
    await stage.pass_time(GRACE * 2)
    await player.follow()
    return ((await stage.meeting(booked))["state"],)


async def test_a_deleted_events_meeting_goes(play: Play) -> None:
    assert await sample(play, deleted_event, Fault.MISSES_TOMBSTONES) == ("live",)
    assert await play.right(deleted_event) == ("deleted",)


async def test_what_was_read_is_not_read_again(play: Play) -> None:
    async def script(stage: Acted, player: Player) -> Seen:
        await stage.book()
        await player.follow()
        before = await whole_reads(stage)
        for _ in range(3):
            await player.follow()
        return (await whole_reads(stage) - before,)

    # Three rounds over two calendars, all of them from the start.
    assert await sample(play, script, Fault.ONE_TOKEN_FOR_ALL) == (6,)
    assert await play.right(script) == (0,)


async def whole_reads(stage: Acted) -> int:
    """How often a calendar was listed from the start."""
    entries = (await stage.google.control("GET", "diary"))["entries"]
    lists = [row for row in entries if row["method"] == "GET" and row["path"].endswith("/events")]
    assert lists
    return sum("syncToken" not in row["query"] for row in lists)


async def test_a_renamed_solution_loses_no_change(play: Play) -> None:
    async def script(stage: Acted, player: Player) -> Seen:
        meeting = await stage.vendor.new_meeting(title=None)
        conference = addon.conference_of(meeting, solution="Example Meeting Plus")
        await stage.google.insert_with_conference(ANA, summary="Review", conferenceData=conference, **TIMES)
        await player.follow()
        return ((await stage.vendor.meeting(meeting["id"]))["title"],)

    assert await sample(play, script, Fault.MATCHES_NAMES) == (None,)
    assert await play.right(script) == ("Review",)


async def expired(stage: Acted, player: Player) -> Seen:
    """The sync token expires with a change and a deletion behind it, and nobody looks for two days."""
    kept, gone = await stage.book(), await stage.book("Gone")
    await player.follow()
    await stage.edit(kept, summary="Renamed")
    await stage.delete(gone)
    await forget(stage)
    await stage.pass_time(timedelta(days=2))
    for _ in range(3):
        await player.follow()
        await stage.pass_time(GRACE)
    return (await stage.meeting(kept))["title"], (await stage.meeting(gone))["state"]


async def test_an_expired_token_loses_neither_changes_nor_deletions(play: Play) -> None:
    assert await sample(play, expired, Fault.SKIPS_THE_GAP) == ("Standup", "live")
    assert await play.right(expired) == ("Renamed", "deleted")


async def test_a_cancelled_instance_leaves_the_series_its_meeting(play: Play) -> None:
    async def script(stage: Acted, player: Player) -> Seen:
        meeting = await stage.vendor.new_meeting()
        zone = {"timeZone": "Europe/Paris"}
        series = await stage.google.insert_with_conference(
            ANA,
            conferenceData=addon.conference_of(meeting, solution="Example Meeting"),
            start={"dateTime": "2099-12-02T10:00:00+01:00", **zone},
            end={"dateTime": "2099-12-02T10:30:00+01:00", **zone},
            recurrence=["RRULE:FREQ=DAILY;COUNT=5"],
        )
        await player.follow()
        instance = Booked(ANA, f"{series['id']}_20991203T090000Z", meeting["id"])
        await stage.edit(instance, status="cancelled")
        await player.follow()
        await stage.pass_time(GRACE * 2)
        await player.follow()
        return ((await stage.meeting(instance))["state"],)

    assert await sample(play, script, Fault.TAKES_AN_INSTANCE_FOR_ITS_SERIES) == ("deleted",)
    assert await play.right(script) == ("live",)


async def test_a_token_that_google_does_not_take_is_got_over_however_it_is_told(play: Play) -> None:
    async def script(stage: Acted, player: Player) -> Seen:
        booked = await stage.book()
        await player.follow()
        if isinstance(player, Loop):
            player.tokens[ANA] = "not-of-google"
        else:
            await stage.tools.database.run("UPDATE syncer.calendar SET sync_token = 'not-of-google'")
            await stage.restart()
        await stage.edit(booked, summary="Renamed")
        for _ in range(3):
            await player.follow()
        return ((await stage.meeting(booked))["title"],)

    assert await sample(play, script, Fault.COMPARES_MESSAGES) == ("Standup",)
    assert await play.right(script) == ("Renamed",)


async def test_of_two_who_overlap_the_older_does_not_win(play: Play) -> None:
    """The careful loop has no lock either: one trigger alone needs none."""

    async def of_loop(stage: Acted, player: Player) -> Seen:
        assert isinstance(player, Loop)
        booked = await stage.book()
        await player.follow()
        await stage.edit(booked, summary="One")
        older = await player.fetch(ANA)
        await stage.edit(booked, summary="Two")
        newer = await player.fetch(ANA)
        await player.apply(newer)
        await player.apply(older)
        for taken in (older, newer):
            player.save(taken)
        await player.follow()
        return ((await stage.meeting(booked))["title"],)

    async def of_syncer(stage: Acted, player: Player) -> Seen:
        booked = await stage.book()
        await player.follow()
        await stage.edit(booked, summary="One")
        older, project = await seen_by(stage, ANA), stage.project
        await stage.restart()
        await stage.edit(booked, summary="Two")
        await player.follow()
        with pytest.raises(FencedOut):
            await pull.pull(stage.tools, project, older.calendar, older.page)
        await player.follow()
        return ((await stage.meeting(booked))["title"],)

    assert await sample(play, of_loop, Fault.HAS_NO_LOCK) == ("One",)
    assert await play.syncer(of_syncer) == ("Two",)


async def test_a_meeting_that_another_event_has_outlives_its_first(play: Play) -> None:
    async def script(stage: Acted, player: Player) -> Seen:
        booked = await stage.book()
        await stage.duplicate(booked, calendar=ROOM)
        await player.follow()
        await stage.delete(booked)
        await player.follow()
        await stage.pass_time(GRACE * 2)
        await player.follow()
        return ((await stage.meeting(booked))["state"],)

    assert await sample(play, script, Fault.KNOWS_ONE_EVENT_ONLY) == ("deleted",)
    assert await play.right(script) == ("live",)
