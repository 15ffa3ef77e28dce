"""gcal-sync, unchanged, keeps a local copy of a simulated calendar, and of a list of calendars."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from gcal_sync.api import GoogleCalendarService, LocalListEventsRequest, SyncEventsRequest
from gcal_sync.auth import AbstractAuth
from gcal_sync.exceptions import ApiException, AuthException
from gcal_sync.model import DateOrDatetime, Event
from gcal_sync.store import InMemoryCalendarStore
from gcal_sync.sync import CalendarEventSyncManager, CalendarListSyncManager

from tests.simulator.google_stage import ANA, CLEO, END, START, Stage, a_stage, events

BEFORE = datetime(2026, 11, 1, tzinfo=UTC)


class Access(AbstractAuth):
    """Tokens for the client, as it wants them."""

    def __init__(self, stage: Stage, token: Callable[[], Awaitable[str]]) -> None:
        super().__init__(stage.session, f"{stage.root}calendar/v3")
        self._token = token

    async def async_get_access_token(self) -> str:
        return await self._token()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with a_stage() as made:
        yield made


@pytest.fixture
def api(stage: Stage) -> GoogleCalendarService:
    return GoogleCalendarService(Access(stage, lambda: stage.token(ANA)))


async def kept(sync: CalendarEventSyncManager) -> dict[str, Event]:
    """What the client knows after another synchronisation, by summary."""
    await sync.run()
    found = await sync.store_service.async_list_events(LocalListEventsRequest(start_time=BEFORE))
    return {event.summary: event for event in found.events}


async def asked(stage: Stage) -> list[Any]:
    """The queries of all listings so far."""
    entries = (await stage.control("GET", "diary?after=0"))["entries"]
    return [entry["query"] for entry in entries if entry["method"] == "GET"]


async def test_it_follows_a_calendar(stage: Stage, api: GoogleCalendarService) -> None:
    sync = CalendarEventSyncManager(api, calendar_id=ANA)
    first, second = await stage.insert(summary="Review"), await stage.insert(summary="Lunch")
    assert set(await kept(sync)) == {"Review", "Lunch"}

    await stage.call("PATCH", events(ANA, first["id"]), {"summary": "Retrospective"})
    await stage.call("DELETE", events(ANA, second["id"]))
    await stage.insert(summary="Dinner", start={"date": "2026-12-03"}, end={"date": "2026-12-04"})

    assert set(await kept(sync)) == {"Retrospective", "Dinner"}
    assert [("syncToken" in query) for query in await asked(stage)] == [False, True]


async def test_it_follows_a_series_with_its_exceptions(stage: Stage, api: GoogleCalendarService) -> None:
    sync = CalendarEventSyncManager(api, calendar_id=ANA)
    series = await stage.insert(summary="Weekly", recurrence=["RRULE:FREQ=WEEKLY;COUNT=3"])
    await stage.call("PATCH", events(ANA, f"{series['id']}_20261208T090000Z"), {"summary": "Moved"})
    await stage.call("DELETE", events(ANA, f"{series['id']}_20261215T090000Z"))

    await sync.run()
    found = await sync.store_service.async_list_events(LocalListEventsRequest(start_time=BEFORE))

    assert [event.summary for event in found.events] == ["Weekly", "Moved"]


async def test_it_starts_anew_when_its_token_is_over(stage: Stage, api: GoogleCalendarService) -> None:
    sync = CalendarEventSyncManager(api, calendar_id=ANA, store=InMemoryCalendarStore())
    await stage.insert(summary="Review")
    await kept(sync)
    await stage.insert(summary="Lunch")
    await stage.control("POST", "forget", {"before": None})

    assert set(await kept(sync)) == {"Review", "Lunch"}
    assert [("syncToken" in query) for query in await asked(stage)] == [False, True, False]


async def test_a_window_of_its_own_gives_a_token_too(stage: Stage, api: GoogleCalendarService) -> None:
    query = SyncEventsRequest(calendar_id=ANA, start_time=datetime(2026, 12, 2, tzinfo=UTC))
    sync = CalendarEventSyncManager(api, request_template=query)
    await stage.insert(summary="Before")
    await stage.insert(summary="After", start={"date": "2026-12-03"}, end={"date": "2026-12-04"})

    assert set(await kept(sync)) == {"After"}
    await stage.insert(summary="Later", start={"date": "2026-12-05"}, end={"date": "2026-12-06"})
    assert set(await kept(sync)) == {"After", "Later"}


async def test_it_writes_and_reads_back(api: GoogleCalendarService) -> None:
    sync = CalendarEventSyncManager(api, calendar_id=ANA)
    starts, ends = (DateOrDatetime(date_time=datetime.fromisoformat(at["dateTime"])) for at in (START, END))
    await sync.store_service.async_add_event(Event(summary="Review", start=starts, end=ends))
    made = (await kept(sync))["Review"]
    assert (made.ical_uuid, made.id) != (None, None)

    await api.async_patch_event(ANA, str(made.id), {"summary": "Retrospective"})
    assert (await api.async_get_event(ANA, str(made.id))).summary == "Retrospective"

    await sync.store_service.async_delete_event(str(made.ical_uuid))
    assert await kept(sync) == {}


async def test_it_follows_a_list_of_calendars(stage: Stage, api: GoogleCalendarService) -> None:
    sync = CalendarListSyncManager(api)
    await sync.run()
    await stage.control("POST", "calendars", {"id": "team@group.tenant-a.test", "owner": ANA, "summary": "Team"})
    await sync.run()

    found = (await sync.store_service.async_list_calendars()).calendars

    assert {(each.summary, each.primary) for each in found} == {(ANA, True), ("Room", False), ("Team", False)}


async def test_it_understands_refusals(stage: Stage, api: GoogleCalendarService) -> None:
    with pytest.raises(ApiException, match="404: Not Found"):
        await api.async_get_calendar(CLEO)

    async def made_up() -> str:
        return "made-up"

    with pytest.raises(AuthException):
        await GoogleCalendarService(Access(stage, made_up)).async_list_calendars()
