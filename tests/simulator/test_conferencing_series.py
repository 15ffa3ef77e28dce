"""The simulated conferencing system keeps series: overrides and further series are held, shown and compared."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.vendors import Vendor, a_vendor, check, updated

MOVED: dict[str, Any] = {
    "original_start": "2026-12-08T15:00:00+01:00",
    "start": "2026-12-09T15:00:00+01:00",
    "end": "2026-12-09T15:45:00+01:00",
    "title": "Moved",
    "description": None,
}
LATER: dict[str, Any] = {
    "start": "2027-01-05T16:00:00+01:00",
    "end": "2027-01-05T16:45:00+01:00",
    "timezone": "Europe/Paris",
    "recurrence": ["RRULE:FREQ=WEEKLY"],
    "overrides": [MOVED | {"original_start": "2027-01-12T16:00:00+01:00"}],
}
SERIES: dict[str, Any] = {
    "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=5", "EXDATE:20261215T140000Z"],
    "overrides": [MOVED],
    "further": [LATER],
}


async def sent(vendor: Vendor, call: dict[str, Any], webhook_id: str) -> Any:
    check(call, "request")
    reply = await vendor.call(call, webhook_id=webhook_id)
    assert reply.status == 200, reply.body
    check(reply.json, "answer")
    return reply.json


async def test_a_series_is_held_whole_and_shown_to_the_vendors_own_users() -> None:
    async with a_vendor() as vendor:
        meeting = await vendor.new_meeting()
        answer = await sent(vendor, updated(meeting["id"], revision=1, **SERIES), "a")

        shown = (await vendor.rest("GET", f"meetings/{meeting['id']}")).json
        assert answer["status"] == "applied"
        assert {name: answer["conference"]["holds"][name] for name in SERIES} == SERIES
        assert {name: shown[name] for name in SERIES} == SERIES


async def test_the_same_series_written_otherwise_changes_nothing() -> None:
    async with a_vendor() as vendor:
        meeting = await vendor.new_meeting()
        await sent(vendor, updated(meeting["id"], revision=1, **SERIES), "a")
        same = MOVED | {"original_start": "2026-12-08T14:00:00Z", "start": "2026-12-09T09:00:00-05:00"}

        again = await sent(vendor, updated(meeting["id"], revision=2, **SERIES | {"overrides": [same]}), "b")
        other = await sent(vendor, updated(meeting["id"], revision=3, **SERIES | {"overrides": []}), "c")

        assert (again["status"], other["status"]) == ("unchanged", "applied")


async def test_who_says_nothing_of_overrides_takes_them_off() -> None:
    async with a_vendor() as vendor:
        meeting = await vendor.new_meeting()
        await sent(vendor, updated(meeting["id"], revision=1, **SERIES), "a")

        answer = await sent(vendor, updated(meeting["id"], revision=2), "b")

        assert "overrides" not in answer["conference"]["holds"]
        assert "further" not in answer["conference"]["holds"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"overrides": [MOVED | {"start": "tomorrow"}]},
        {"overrides": [MOVED | {"end": "2026-12-09T14:00:00+01:00"}]},
        {"overrides": [MOVED | {"end": "2026-12-09"}]},
        {"overrides": [{**MOVED, "colour": "red"}]},
        {"further": [LATER | {"timezone": "Europe/Nowhere"}]},
        {"further": [LATER | {"end": "2027-01-05"}]},
        {"further": [{"start": LATER["start"]}]},
    ],
)
async def test_a_series_that_no_calendar_could_show_is_refused(wrong: dict[str, Any]) -> None:
    async with a_vendor() as vendor:
        meeting = await vendor.new_meeting()
        refused = await vendor.call(updated(meeting["id"], revision=1, **wrong), webhook_id="a")

        assert refused.status == 422
