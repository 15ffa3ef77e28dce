"""When time has passed over the event that drives a meeting, the next one drives it, though nobody changed anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.simulator.google_stage import ANA
from tests.sync.stage import Acted, Booked

TOMORROW = (datetime.now(UTC) + timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0)
DAY = timedelta(days=1)


def at(when: datetime) -> dict[str, Any]:
    return {"dateTime": when.isoformat().replace("+00:00", "Z"), "timeZone": "Europe/Zurich"}


def span(when: datetime) -> dict[str, Any]:
    return {"start": at(when), "end": at(when + timedelta(hours=1))}


async def a_series_with_a_later_half(stage: Acted) -> Booked:
    booked = await stage.book("Weekly", **span(TOMORROW), recurrence=["RRULE:FREQ=DAILY;COUNT=9"])
    await stage.follow()
    cut = {"calendar": ANA, "event_id": booked.event_id, "at": at(TOMORROW + 3 * DAY)["dateTime"]}
    await stage.google.control("POST", "split", {**cut, "fields": {"summary": "Later"}})
    return booked


async def an_event_with_a_later_copy(stage: Acted) -> Booked:
    booked = await stage.book("Weekly", **span(TOMORROW))
    await stage.follow()
    await stage.edit(await stage.duplicate(booked), summary="Later", **span(TOMORROW + 5 * DAY))
    return booked


@pytest.mark.parametrize("is_series", [True, False], ids=["halves of a series", "copies"])
@pytest.mark.parametrize("is_failing", [True, False], ids=["the provider fails at first", "at once"])
async def test_the_next_event_drives_once_the_driver_is_over(
    stage: Acted, *, is_series: bool, is_failing: bool
) -> None:
    booked = await (a_series_with_a_later_half(stage) if is_series else an_event_with_a_later_copy(stage))
    await stage.follow()
    assert (await stage.meeting(booked))["title"] == "Weekly"

    await stage.pass_time(4 * DAY)
    if is_failing:
        await stage.vendor.set_faults(next={"server_error": 1})
        await stage.read_back()
        await stage.pass_time(DAY / 4)
    await stage.read_back()
    await stage.follow()

    assert (await stage.meeting(booked))["title"] == "Later"
    before = len(await stage.calls("update"))
    await stage.read_back()
    await stage.follow()
    assert len(await stage.calls("update")) == before
