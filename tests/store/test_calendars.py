"""What rows are made into, and what pages leave behind."""

import asyncio
from contextlib import AsyncExitStack

import asyncpg
import pytest

from syncer.model.errors import StoreRefused, StoreUnavailable
from syncer.store import calendars, roster, tenants
from syncer.store.database import Database, translated
from syncer.store.roster import Moved
from tests.store.rows import Held, a_drop, a_page, add_tenant, connected

NONSENSE = [
    '[{"solution_typo": "addOn"}]',
    "[{}]",
    '["addOn"]',
    '[{"solution_type": 5}]',
    "[null]",
]


@pytest.mark.parametrize("matchers", NONSENSE)
async def test_a_tenant_with_nonsense_for_matchers_is_set_aside_alone(held: Held, matchers: str) -> None:
    other = await add_tenant(held.database, "other")
    await held.database.run("UPDATE syncer.tenant SET matchers = $1 WHERE tenant_id <> $2", matchers.encode(), other)
    found, broken = await calendars.tenants(held.database, held.lease.project_id)
    assert (set(found), [tenant.slug for tenant in broken]) == ({other}, ["acme"])


async def test_a_tenant_with_nonsense_for_settings_is_set_aside_alone(held: Held) -> None:
    await held.database.run("""UPDATE syncer.provider_account SET settings = '{"url": 5}'""")
    found, broken = await calendars.tenants(held.database, held.lease.project_id)
    assert (found, [tenant.slug for tenant in broken]) == ({}, ["acme"])


async def test_a_calendar_with_an_empty_address_is_served(held: Held) -> None:
    await held.database.run("UPDATE syncer.calendar SET addresses = ARRAY[NULL, 'B@x.test']")
    (first, _) = await calendars.served(held.database, held.lease.project_id)
    assert first.addresses == {"a@x.test", "b@x.test"}


@pytest.mark.parametrize(
    ("own", "subject"),
    [
        pytest.param({}, "admin@x.test", id="the tenant's"),
        pytest.param({"subject": "c@x.test"}, "c@x.test", id="its own"),
        pytest.param({"credential": "file:grant.json"}, None, id="a credential of its own speaks for itself"),
    ],
)
async def test_a_calendar_without_a_subject_is_read_as_its_tenants(
    held: Held, own: dict[str, str], subject: str | None
) -> None:
    await add_tenant(held.database, "other", subject="admin@x.test")
    await tenants.add_calendar(held.database, "other", tenants.NewCalendar("c@x.test", **own))  # type: ignore[arg-type]
    served = await calendars.served(held.database, held.lease.project_id)
    assert {calendar.google_id: calendar.subject for calendar in served} == {
        "a@x.test": None,
        "b@x.test": None,
        "c@x.test": subject,
    }


async def test_a_window_that_no_clock_can_go_back_is_refused(held: Held) -> None:
    with pytest.raises(StoreRefused):
        await held.database.run("UPDATE syncer.tenant SET read_window = interval '5000 years'")


async def test_calendars_between_which_events_move_both_ways_do_not_deadlock(held: Held) -> None:
    here, there = a_page(("event1", "meeting1"), ("event3", "meeting3")), a_page(("event2", "meeting2"))
    await calendars.commit_page(held.database, held.lease, held.key, here)
    await calendars.commit_page(held.database, held.lease, held.other, there)
    async with AsyncExitStack() as workers, connected(held.dsn) as blocker:
        lock = blocker.transaction()
        await lock.start()
        await blocker.execute("SELECT FROM syncer.conference WHERE meeting_id = 'meeting2' FOR UPDATE")
        crossing = [
            (held.key, a_page(("event2", "meeting2"), losses=("meeting1",))),
            (held.other, a_page(("event1", "meeting1"), losses=("meeting2",))),
        ]
        commits = []
        for waiting, (key, page) in enumerate(crossing, 1):
            worker = await workers.enter_async_context(Database.opened(held.dsn))
            commits.append(asyncio.create_task(calendars.commit_page(worker, held.lease, key, page)))
            await held.until_waiting(waiting)
        await lock.rollback()
        assert all([await commit for commit in commits])


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.DeadlockDetectedError("deadlock detected"),
        asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"),
        asyncpg.ReadOnlySQLTransactionError("cannot execute UPDATE in a read-only transaction"),
        ConnectionResetError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_passes_is_tried_again_and_parks_nobody(error: Exception) -> None:
    with pytest.raises(StoreUnavailable), translated():
        raise error


async def test_a_meeting_that_was_never_pushed_is_counted_for_its_calendar(held: Held) -> None:
    await calendars.commit_page(held.database, held.lease, held.key, a_drop())
    driver = await held.database.value("SELECT driver_calendar_id FROM syncer.conference")
    assert driver == held.key.calendar_id


async def test_a_page_that_comes_twice_says_the_same(held: Held) -> None:
    page = a_page(("event1", "meeting1"), ("event2", "meeting2"))
    await calendars.commit_page(held.database, held.lease, held.key, page)
    before = await held.database.fetch("SELECT event_id, conference_id, event FROM syncer.link ORDER BY 1")
    await calendars.commit_page(held.database, held.lease, held.key, page)
    assert await held.database.fetch("SELECT event_id, conference_id, event FROM syncer.link ORDER BY 1") == before


@pytest.mark.parametrize("sees", [True, False])
async def test_a_page_says_whether_details_are_seen(held: Held, sees: bool) -> None:
    for said in (sees, None):
        await calendars.commit_page(held.database, held.lease, held.key, a_page(sees_details=said))
    rows = await held.database.fetch("SELECT sees_details FROM syncer.calendar ORDER BY calendar_id")
    assert [row["sees_details"] for row in rows] == [sees, None]


async def test_a_moved_token_is_saved_for_the_read_that_it_goes_back_to(held: Held) -> None:
    generation = await held.database.value("SELECT max(generation) FROM syncer.calendar")
    for other in (generation - 1, generation + 1):
        await roster.save_tokens(held.database, held.lease, [Moved(held.key, other, "newer")])
    assert await held.database.value("SELECT max(sync_token) FROM syncer.calendar") == "token"
    await roster.save_tokens(held.database, held.lease, [Moved(held.key, generation, "newer")])
    assert await held.database.value("SELECT max(sync_token) FROM syncer.calendar") == "newer"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE syncer.calendar SET is_full_read = true",
        "UPDATE syncer.calendar SET page_token = 'p'",
        "UPDATE syncer.calendar SET sync_token = NULL, is_full_read = true",
    ],
    ids=["full read", "page", "asked for"],
)
async def test_a_moved_token_is_not_saved_over_a_read_under_way(held: Held, change: str) -> None:
    generation = await held.database.value("SELECT max(generation) FROM syncer.calendar")
    await held.database.run(change)
    await roster.save_tokens(held.database, held.lease, [Moved(held.key, generation, "newer")])
    assert await held.database.value("SELECT count(*) FROM syncer.calendar WHERE sync_token = 'newer'") == 0


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("google_id = E'a\x07@x.test'", "a_google_id_is_a_calendar_id_and_not_primary"),
        ("subject = 'ana'", "a_subject_is_an_address"),
        ("subject = 'a b@x.test'", "a_subject_is_an_address"),
        ("addresses = '{b@x.test,\"b c@x.test d@x.test\"}'", "addresses_are_addresses"),
        ("credential = 'file:a/b'", "a_credential_is_a_reference"),
    ],
)
async def test_a_row_that_can_never_work_is_refused(held: Held, change: str, constraint: str) -> None:
    with pytest.raises(StoreRefused) as refused:
        await held.database.run(f"UPDATE syncer.calendar SET {change}")  # noqa: S608
    assert refused.value.constraint == constraint
