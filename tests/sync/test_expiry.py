"""410 and its kin, at every point of a read and with series in the gap: nothing is lost, and nothing goes too soon."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from syncer.simulator.google import feed, instances, listing
from syncer.store import tenants
from tests.simulator.google_stage import ANA, BO
from tests.sync import judged
from tests.sync.stage import GRACE, Acted, Booked, list_anew
from tests.sync.test_splits import FIFTH, FOURTH, SERIES, THIRD, instance, settle, split, timed


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Google gives two entries a page, however many are asked for."""
    monkeypatch.setattr(listing, "MAX_RESULTS_CAP", 2)


@pytest.fixture
async def series(stage: Acted) -> Booked:
    """A weekly series, followed, with an occurrence renamed, one cancelled, and two single events beside it."""
    booked = await stage.book(**SERIES)
    await stage.edit(await instance(stage, booked, FOURTH), summary="Retro")
    await stage.delete(await instance(stage, booked, FIFTH))
    await stage.book("First")
    await stage.book("Second")
    await stage.follow()
    return booked


async def forget(stage: Acted) -> None:
    await stage.google.control("POST", "forget", {"before": None})


async def much_happens(stage: Acted, series: Booked) -> None:
    """What a gap may hold: an occurrence back, one cancelled, one moved, and the series cut in two."""
    await stage.edit(await instance(stage, series, FIFTH), status="confirmed")
    await stage.delete(await instance(stage, series, "2099-12-09T09:00:00Z"))
    await stage.edit(await instance(stage, series, FOURTH), start=timed(24, 9), end=timed(24, 10))
    await split(stage, series, THIRD, fields={"summary": "Later"})


@pytest.mark.parametrize("pages", range(4))
async def test_a_token_that_dies_at_any_page_of_the_changes_loses_nothing(
    stage: Acted, series: Booked, small_pages: None, pages: int
) -> None:
    await much_happens(stage, series)
    await _die_after(stage, pages)
    await settle(stage)
    assert await judged.differences(stage, series) == []


async def _die_after(stage: Acted, pages: int) -> None:
    """After so many pages of a listing Google takes no sync token and no page token from before, once."""
    real, left = feed.page, [pages]

    def dies(world: Any, calendar: Any, asked: Any, view: Any, **more: Any) -> Any:
        if calendar.id == ANA and view is not None and left[0] >= 0:
            left[0] -= 1
            if left[0] < 0:
                world.forget(None)
        return real(world, calendar, asked, view, **more)

    patch = pytest.MonkeyPatch()
    patch.setattr(feed, "page", dies)
    try:
        await stage.follow()
    finally:
        patch.undo()


async def test_a_full_read_whose_pages_die_begins_again_and_keeps_what_was_there(
    stage: Acted, series: Booked, small_pages: None
) -> None:
    await forget(stage)
    await stage.follow()
    await stage.set_google_faults(next={"server_error": 1})
    await stage.look(ANA)
    await much_happens(stage, series)
    await stage.tools.database.run(
        "UPDATE syncer.calendar SET page_token = page_token || 'x' WHERE google_id = $1", ANA
    )
    await list_anew(stage.tools, stage.project)
    await stage.restart()
    await settle(stage)
    assert await judged.differences(stage, series) == []


@pytest.mark.parametrize("fault", ["expire_sync_token", "malformed_sync_token"])
@pytest.mark.parametrize("times", [1, 2, 5])
async def test_a_token_refused_again_and_again_loses_nothing(
    stage: Acted, series: Booked, fault: str, times: int
) -> None:
    await much_happens(stage, series)
    await stage.set_google_faults(next={fault: times})
    for _ in range(times + 1):
        await settle(stage)
        await stage.edit(await instance(stage, series, "2099-12-02T09:00:00Z"), summary="Kick-off")
    await settle(stage)
    assert await judged.differences(stage, series) == []


async def test_after_weeks_a_series_is_as_its_events_say(stage: Acted, series: Booked) -> None:
    await stage.google.control("PUT", "faults", {"settings": {"tombstone_days": 14, "exceptions_vanish": True}})
    first = await stage.book("Third")
    await stage.follow()
    await much_happens(stage, series)
    await stage.delete(first)
    await stage.pass_time(timedelta(days=60))
    await forget(stage)
    await settle(stage)
    assert await judged.differences(stage, series) == []
    assert (await stage.meeting(first))["state"] == "deleted"


async def test_what_was_known_stays_until_a_full_read_is_complete(
    stage: Acted, series: Booked, small_pages: None
) -> None:
    await forget(stage)
    await stage.look(ANA)
    before = {(row["event_id"], row["conference_id"]) for row in await stage.rows("link")}
    await stage.set_google_faults(chance={"empty_page": 1.0})
    await stage.look(ANA)
    await stage.set_google_faults(chance={})
    assert {(row["event_id"], row["conference_id"]) for row in await stage.rows("link")} == before
    await settle(stage)
    assert await judged.differences(stage, series) == []


# Changed pins.


async def _new_subject(stage: Acted) -> None:
    await stage.google.call(
        "POST", f"calendars/{ANA}/acl", {"role": "owner", "scope": {"type": "user", "value": BO}}, user=ANA
    )
    await _set(stage, "UPDATE syncer.calendar SET credential = $1 WHERE google_id = $2", f"file:{BO}.json", ANA)


async def _new_window(stage: Acted) -> None:
    await _set(stage, "UPDATE syncer.tenant SET read_window = interval '3 days'")


async def _new_matchers(stage: Acted) -> None:
    matchers = b'[{"solution_type": "addOn", "solution_name": "Example Meeting"}]'
    await _set(stage, "UPDATE syncer.tenant SET matchers = $1", matchers)


async def _set(stage: Acted, statement: str, *values: object) -> None:
    await stage.tools.database.run(statement, *values)
    await list_anew(stage.tools, stage.project)


@pytest.mark.parametrize("change", [_new_subject, _new_window, _new_matchers])
async def test_a_changed_pin_reads_all_anew_and_keeps_series_as_they_are(
    stage: Acted, series: Booked, change: Callable[[Acted], Awaitable[None]]
) -> None:
    (generation,) = [row["generation"] for row in await stage.rows("calendar") if row["google_id"] == ANA]
    await much_happens(stage, series)
    await change(stage)
    await settle(stage)
    (after,) = [row["generation"] for row in await stage.rows("calendar") if row["google_id"] == ANA]
    assert after == generation + 1
    assert await judged.differences(stage, series) == []


# So many at once.


async def _strict(stage: Acted, **guards: int) -> None:
    await stage.tools.database.run(
        "UPDATE syncer.tenant SET guard_calendar_count = $1, guard_calendar_percent = 30, guard_tenant_count = $2, "
        "guard_tenant_percent = 5",
        guards.get("calendar", 2),
        guards.get("tenant", 50),
    )
    await list_anew(stage.tools, stage.project)


async def _some_series(stage: Acted, count: int = 4, calendar: str = ANA) -> list[Booked]:
    made = [await stage.book(f"Series {number}", calendar=calendar, **SERIES) for number in range(count)]
    for one in made:
        await stage.edit(await instance(stage, one, THIRD), summary="Retro")
    await stage.follow()
    return made


async def test_a_cleared_calendar_of_series_is_held(stage: Acted) -> None:
    await _strict(stage)
    made = await _some_series(stage)
    reply = await stage.google.call("POST", f"calendars/{ANA}/clear", user=ANA)
    assert reply.status in (200, 204), reply.body
    await settle(stage)
    assert {(await stage.meeting(one))["state"] for one in made} == {"live"}
    assert {row["state"] for row in await stage.rows("conference")} == {"held"}
    assert await tenants.release(stage.tools.database, "acme", ANA) == 4
    await settle(stage)
    assert {(await stage.meeting(one))["state"] for one in made} == {"deleted"}


def _empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Google says of every calendar that there is nothing in it, and gives a new sync token."""
    real = feed.page

    def nothing(*arguments: Any, **named: Any) -> Any:
        answer = real(*arguments, **named)
        return {name: value for name, value in answer.items() if name != "nextPageToken"} | {
            "items": [],
            "nextSyncToken": answer.get("nextSyncToken", "broken"),
        }

    monkeypatch.setattr(feed, "page", nothing)


async def test_an_answer_without_anything_takes_nothing_away(
    stage: Acted, series: Booked, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {row["event_id"] for row in await stage.rows("link")}
    await forget(stage)
    with monkeypatch.context() as broken:
        _empty(broken)
        await settle(stage)
    assert {row["event_id"] for row in await stage.rows("link")} == before
    asked = [row["event_id"] for row in await stage.requests("GET") if row["event_id"]]
    assert before <= set(asked)
    assert await judged.differences(stage, series) == []
    await stage.edit(series, summary="Renamed")
    await settle(stage)
    assert (await stage.meeting(series))["title"] == "Renamed"


async def test_a_google_that_knows_nothing_any_more_is_not_believed(
    stage: Acted, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _strict(stage)
    made = await _some_series(stage)
    await forget(stage)
    with monkeypatch.context() as broken:
        _empty(broken)
        broken.setattr(instances, "find", lambda *_: None)
        await settle(stage)
    assert {(await stage.meeting(one))["state"] for one in made} == {"live"}
    assert {row["state"] for row in await stage.rows("conference")} == {"held"}
    await stage.tools.database.run("UPDATE syncer.calendar SET sync_token = 'worthless' WHERE google_id = $1", ANA)
    await stage.restart()
    await settle(stage)
    assert {row["state"] for row in await stage.rows("conference")} == {"live"}
    assert await judged.differences(stage, made[0]) == []


async def test_deletions_over_many_calendars_are_counted_for_the_tenant_and_hour(stage: Acted) -> None:
    await _strict(stage, calendar=50, tenant=2)
    made = [*await _some_series(stage, 2, ANA), *await _some_series(stage, 2, BO)]
    for one in made:
        await stage.delete(one)
        await stage.follow()
    await settle(stage)
    assert [(await stage.meeting(one))["state"] for one in made].count("deleted") == 0
    await stage.pass_time(GRACE * 12)
    await settle(stage)
    assert {(await stage.meeting(one))["state"] for one in made} == {"live"}
