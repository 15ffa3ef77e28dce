"""The bugs that recur in loops like ours, played one by one in the same worlds as syncer."""

from __future__ import annotations

from datetime import timedelta

from tests.peers.conftest import Play, Player, Seen
from tests.peers.loops import (
    ForgetsAtNothingNew,
    JumpsToAFreshToken,
    RunsOnTheFirstOfABurst,
    SavesBeforeItWorks,
    StopsAtAnEmptyPage,
    StopsItsChannelFirst,
)
from tests.peers.test_sample import deleted_event, expired
from tests.sync.stage import Acted


async def test_a_token_that_is_over_is_not_jumped_over(play: Play) -> None:
    assert await play.loop(expired, JumpsToAFreshToken) == ("Standup", "live")
    assert await play.right(expired) == ("Renamed", "deleted")


async def test_a_run_that_breaks_off_loses_nothing(play: Play) -> None:
    async def script(stage: Acted, player: Player) -> Seen:
        booked = await stage.book()
        await player.follow()
        await stage.edit(booked, summary="Renamed")
        await stage.vendor.set_faults(next={"server_error": 1})
        await player.follow()
        await stage.pass_time(timedelta(hours=1))
        await player.follow()
        return ((await stage.meeting(booked))["title"],)

    assert await play.loop(script, SavesBeforeItWorks) == ("Standup",)
    assert await play.right(script) == ("Renamed",)


async def test_an_empty_page_is_not_the_last(play: Play) -> None:
    async def script(stage: Acted, player: Player) -> Seen:
        booked = await stage.book()
        await player.follow()
        await stage.edit(booked, summary="Renamed")
        await stage.set_google_faults(chance={"empty_page": 1.0})
        for _ in range(3):
            await player.follow()
        return ((await stage.meeting(booked))["title"],)

    assert await play.loop(script, StopsAtAnEmptyPage) == ("Standup",)
    assert await play.right(script) == ("Renamed",)


async def test_nothing_new_loses_no_deletion(play: Play) -> None:
    async def script(stage: Acted, player: Player) -> Seen:
        await player.follow()
        await player.follow()
        return await deleted_event(stage, QuietBetween(player))

    assert await play.loop(script, ForgetsAtNothingNew) == ("live",)
    assert await play.right(script) == ("deleted",)


class QuietBetween:
    """Looks once more each time, when nothing has changed."""

    def __init__(self, player: Player) -> None:
        self.message, self.renew, self.wait = player.message, player.renew, player.wait
        self._follow = player.follow

    async def follow(self) -> None:
        await self._follow()
        await self._follow()


async def test_the_last_change_of_a_burst_is_followed(play: Play) -> None:
    async def script(stage: Acted, player: Player) -> Seen:
        booked = await stage.book()
        await player.follow()
        for title in ("One", "Two", "Three"):
            await stage.edit(booked, summary=title)
            await player.message()
        await stage.pass_time(timedelta(days=1))
        await player.wait()
        return ((await stage.meeting(booked))["title"],)

    assert await play.loop(script, RunsOnTheFirstOfABurst) == ("One",)
    assert await play.right(script) == ("Three",)


async def test_a_change_while_a_channel_is_renewed_is_followed(play: Play) -> None:
    async def script(stage: Acted, player: Player) -> Seen:
        booked = await stage.book()
        await player.follow()

        async def edited() -> None:
            await stage.edit(booked, summary="Renamed")
            await player.message()

        await player.renew(edited)
        await stage.pass_time(timedelta(days=1))
        await player.wait()
        return ((await stage.meeting(booked))["title"],)

    assert await play.loop(script, StopsItsChannelFirst) == ("Standup",)
    assert await play.right(script) == ("Renamed",)
