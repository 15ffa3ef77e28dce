"""One project in memory: what the rows say is taken over, and what only we know is kept."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from msgspec import structs

from syncer.model.budget import Limits
from syncer.model.calendar import Calendar, CalendarKey, Cursor, Lease, Matcher, Policy, Tenant
from syncer.store.budgets import Standing
from syncer.sync.spending import Spending
from syncer.sync.tenure import Tenure
from syncer.sync.tools import Project

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
KEY = CalendarKey(1, 1)
TENANT = Tenant(1, "acme", Policy((Matcher(solution_type="addOn"),)), 1, "webhook", (), "file:hook")
CALENDAR = Calendar(KEY, "ana@x.test", None, "file:key", frozenset({"ana@x.test"}), Cursor(sync_token="s1"))
FAILED = structs.replace(CALENDAR, failures=4, next_look_at=NOW + timedelta(minutes=15))


def a_project(*served: Calendar) -> Project:
    tenure = Tenure(Lease(1, uuid4(), 1), 0.0)
    project = Project(tenure, 60, Spending(Standing(Limits(), None), tenure, today=NOW.date(), cycle_seconds=60))
    project.keep_tenants({1: TENANT})
    project.keep_calendars(served, NOW, is_restart=True)
    return project


def due(project: Project, at: datetime = NOW) -> list[CalendarKey]:
    return [project.calendars.key(slot) for slot in project.schedule.due(at, 9)]


def test_a_parked_calendar_waits_for_its_time() -> None:
    project = a_project(FAILED)
    assert due(project, NOW + timedelta(minutes=14)) == []
    assert due(project, NOW + timedelta(minutes=15)) == [KEY]


def test_a_calendar_that_somebody_mended_is_looked_at_at_once() -> None:
    project = a_project(FAILED)
    project.keep_calendars([CALENDAR], NOW, is_restart=False)
    assert due(project) == [KEY]
    assert project.calendars[KEY].failures == 0


def test_a_calendar_that_still_fails_is_not_hurried_by_a_listing() -> None:
    project = a_project(FAILED)
    project.keep_calendars([FAILED], NOW, is_restart=False)
    assert due(project) == []
    assert project.calendars[KEY].failures == 4


def test_a_cursor_that_moved_is_not_set_back_by_a_listing() -> None:
    project = a_project(CALENDAR)
    project.keep_cursor(KEY, Cursor(sync_token="s2"))
    project.keep_calendars([CALENDAR], NOW, is_restart=False)
    assert project.calendars[KEY].cursor.sync_token == "s2"


def test_a_read_that_was_broken_off_goes_on_at_once_after_a_restart() -> None:
    halfway = structs.replace(CALENDAR, cursor=Cursor(sync_token="s1", page_token="p2", is_full_read=False))
    assert due(a_project(halfway)) == [KEY]
