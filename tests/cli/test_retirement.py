"""What is removed takes no meeting along: it stays at the provider, and what was done to it stays on record."""

import asyncio
import sys

import asyncpg
import pytest

from syncer.store import tenants
from syncer.store.database import Database
from syncer.store.tenants import NewCalendar
from tests.cli.conftest import ANA, Rows, Served, Terminal, acme
from tests.cli.outside import until
from tests.cli.process import answered_on_a_terminal, environment, started

BO = "bo@tenant-a.test"
REMOVE = ("calendar", "remove", "acme", ANA)


def meeting(rows: Rows, meeting_id: str, *google_ids: str, state: str = "live", slug: str = "acme") -> None:
    """A meeting of a tenant that events on these calendars refer to, driven by the first."""
    rows.run(
        "WITH owner AS (SELECT tenant_id, account_id FROM syncer.tenant WHERE slug = $3), made AS ("
        "  INSERT INTO syncer.conference (tenant_id, account_id, meeting_id, state, applied_version, driver_event_id, "
        "    driver_calendar_id) SELECT tenant_id, account_id, $1, $2, 1, $1, (SELECT calendar_id FROM syncer.calendar "
        "    JOIN owner USING (tenant_id) WHERE google_id = ($4::text[])[1]) FROM owner "
        "  RETURNING tenant_id, account_id, meeting_id, conference_id), owned AS ("
        "  INSERT INTO syncer.meeting_owner (account_id, meeting_id, tenant_id) "
        "    SELECT account_id, meeting_id, tenant_id FROM made ON CONFLICT DO NOTHING) "
        "INSERT INTO syncer.link (tenant_id, calendar_id, event_id, conference_id, generation, event) "
        "SELECT tenant_id, calendar_id, $1, conference_id, 1, '{}' FROM made JOIN syncer.calendar USING (tenant_id) "
        "WHERE google_id = ANY ($4) AND $2 <> 'leaving'",
        meeting_id,
        state,
        slug,
        list(google_ids),
    )


@pytest.fixture
def two_calendars(a_calendar: str, rows: Rows) -> None:
    rows.stored(lambda database: tenants.add_calendar(database, "acme", NewCalendar(BO, subject=BO)))


def state(rows: Rows, meeting_id: str, slug: str = "acme") -> str:
    found: str = rows.value(
        "SELECT c.state FROM syncer.conference c JOIN syncer.tenant USING (tenant_id) "
        "WHERE meeting_id = $1 AND slug = $2",
        meeting_id,
        slug,
    )
    return found


def test_a_removed_calendar_leaves_its_meetings_alone_and_on_record(
    two_calendars: None, rows: Rows, terminal: Terminal
) -> None:
    meeting(rows, "81", ANA)
    meeting(rows, "82", BO)
    meeting(rows, "83", ANA, state="leaving")
    answer = terminal(*REMOVE, "--yes")
    assert "2 meetings stay at the provider as they are" in answer.out
    assert [one["google_id"] for one in terminal("calendar", "list", "acme", "--json").document] == [BO]
    listed = terminal("conference", "list", "acme", "--state", "detached", "--json").document
    assert sorted(one["meeting_id"] for one in listed) == ["81", "83"]
    assert state(rows, "82") == "live"
    told = terminal("conference", "history", "acme", "81").out
    assert f"Event 81 on {ANA} no longer refers to the meeting: its calendar was removed." in told
    assert "no longer ours to touch" in told
    assert (
        rows.value("SELECT count(*) FROM syncer.conference WHERE wanted_version > applied_version OR is_in_doubt") == 0
    )


def test_a_meeting_with_another_event_is_driven_by_that_and_never_deleted_with_it(
    two_calendars: None, rows: Rows, terminal: Terminal
) -> None:
    meeting(rows, "81", ANA, BO)
    assert terminal(*REMOVE, "--yes", "--json").document["meetings_that_stay"] == 0
    assert rows.value(
        "SELECT state = 'live' AND wanted_version > applied_version AND was_detached FROM syncer.conference"
    )


def test_who_watched_a_meeting_drives_it_when_its_owner_goes(a_calendar: str, rows: Rows, terminal: Terminal) -> None:
    async def write(database: Database) -> None:
        await tenants.add_tenant(database, acme("other"))
        await tenants.add_calendar(database, "other", NewCalendar(BO))

    rows.stored(write)
    meeting(rows, "81", ANA)
    meeting(rows, "81", BO, state="watched", slug="other")
    meeting(rows, "82", ANA)
    terminal("tenant", "remove", "acme", "--yes")
    assert rows.value("SELECT array_agg(slug) FROM syncer.meeting_owner JOIN syncer.tenant USING (tenant_id)") == [
        "other"
    ]
    due = "SELECT is_in_doubt AND wanted_version > applied_version FROM syncer.conference WHERE state = 'watched'"
    assert rows.value(due)


def test_nothing_goes_before_somebody_has_said_so(a_calendar: str, rows: Rows, terminal: Terminal) -> None:
    meeting(rows, "81", ANA)
    for command in (REMOVE, ("tenant", "remove", "acme"), ("tenant", "remove", "acme", "--forget")):
        answer = terminal(*command)
        assert (answer.code, answer.out, "say --yes" in answer.err) == (2, "", True)
        assert "1 meeting stays at the provider as it is" in answer.err
    assert rows.value("SELECT count(*) FROM syncer.calendar") == 1
    assert rows.value("SELECT state FROM syncer.tenant") == "active"


def test_a_person_is_asked_and_can_say_no(a_calendar: str, database: str, rows: Rows) -> None:
    variables = {"SYNCER_DATABASE_URL": database}
    code, shown = answered_on_a_terminal("n\n", *REMOVE, **variables)
    assert (code, "Do it? [y/N]" in shown, "Nothing was changed." in shown) == (1, True, True)
    assert rows.value("SELECT count(*) FROM syncer.calendar") == 1
    code, shown = answered_on_a_terminal("y\n", *REMOVE, **variables)
    assert (code, f"Calendar {ANA} is removed." in shown) == (0, True)
    assert rows.value("SELECT count(*) FROM syncer.calendar") == 0


def test_a_removed_tenant_is_kept_until_it_is_forgotten(a_calendar: str, rows: Rows, terminal: Terminal) -> None:
    meeting(rows, "81", ANA)
    answer = terminal("tenant", "remove", "acme", "--yes", "--json")
    assert answer.document == {"tenant": "acme", "calendars": 1, "meetings_that_stay": 1, "is_forgotten": False}
    assert terminal("tenant", "show", "acme", "--json").document["state"] == "retired"
    for command in (("tenant", "pause", "acme"), ("calendar", "add", "acme", BO)):
        refused = terminal(*command)
        assert (refused.code, "`syncer tenant resume acme` takes it back first" in refused.err) == (1, True)
    assert "was removed already; nothing was changed" in terminal("tenant", "remove", "acme").out
    changed = terminal("tenant", "set", "acme", "--grace", "1h").out
    assert "nobody serves it until `syncer tenant resume acme`" in changed
    assert "A running worker" not in changed
    assert "its calendars must be added anew" in terminal("tenant", "resume", "acme").out
    assert terminal("calendar", "add", "acme", BO).code == 0
    assert terminal("tenant", "remove", "acme", "--forget", "--yes").code == 0
    left = [rows.value(f"SELECT count(*) FROM syncer.{table}") for table in ("tenant", "conference", "history", "link")]  # noqa: S608
    assert left == [0, 0, 0, 0]


def test_a_meeting_is_taken_up_again_when_its_calendar_is_added_again(
    served: Served, rows: Rows, terminal: Terminal
) -> None:
    event_id, meeting_id = served.ana.book(served.account, "Standup")
    with started("run", **served.variables) as worker:
        until(lambda: served.title(meeting_id) == "Standup")
        removed = terminal("calendar", "remove", "acme", served.ana.address, "--yes", "--json")
        assert removed.document["meetings_that_stay"] == 1
        served.ana.edit(event_id, summary="Not ours")
        assert terminal("calendar", "add", "acme", served.ana.address, "--subject", served.ana.address).code == 0
        until(lambda: served.title(meeting_id) == "Not ours")
        assert worker.poll() is None
    assert (served.state(meeting_id), state(rows, meeting_id)) == ("live", "live")


def test_a_worker_outlives_the_calendars_and_tenants_that_go(served: Served, rows: Rows, terminal: Terminal) -> None:
    booked = [served.ana.book(served.account, f"Meeting {number}") for number in range(5)]
    with started("run", **served.variables) as worker:
        until(lambda: served.title(booked[-1][1]) != "New")
        for event_id, _ in booked:
            served.ana.edit(event_id, summary="Changed in the last moment")
        assert terminal("tenant", "remove", "acme", "--forget", "--yes").code == 0
        assert terminal("tenant", "list", "--json").document == []
        rows.stored(lambda database: tenants.add_tenant(database, acme("next")))
        bo = served.outside.person(f"bo-{served.ana.address}")
        rows.run(
            "INSERT INTO syncer.calendar (tenant_id, google_id, subject) SELECT tenant_id, $1, $1 FROM syncer.tenant",
            bo.address,
        )
        rows.run("UPDATE syncer.tenant SET account_id = (SELECT min(account_id) FROM syncer.provider_account)")
        _, other = bo.book(served.account, "Goes on")
        until(lambda: served.title(other) == "Goes on")
        assert worker.poll() is None
    assert {served.state(meeting_id) for _, meeting_id in booked} == {"live"}


async def test_a_page_that_is_being_written_down_meanwhile_is_not_missed(a_read_tenant: str) -> None:
    """One statement alone would see neither the link nor its conference, which then looks as if its event was gone."""
    worker = await asyncpg.connect(a_read_tenant)
    try:
        async with worker.transaction():
            await worker.execute("SELECT FROM syncer.calendar FOR NO KEY UPDATE")
            removing = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "syncer", *REMOVE, "--yes"),
                stdout=asyncio.subprocess.PIPE,
                env=environment(SYNCER_DATABASE_URL=a_read_tenant),
            )
            await _until_blocked(a_read_tenant)
            await worker.execute(
                "WITH made AS (INSERT INTO syncer.conference (tenant_id, account_id, meeting_id) "
                "SELECT tenant_id, account_id, '81' FROM syncer.tenant RETURNING tenant_id, conference_id) "
                "INSERT INTO syncer.link (tenant_id, calendar_id, event_id, conference_id, generation, event) "
                "SELECT tenant_id, calendar_id, 'e', conference_id, 1, '{}' "
                "FROM made JOIN syncer.calendar USING (tenant_id)"
            )
        out, _ = await removing.communicate()
        assert b"1 meeting stays at the provider" in out
        assert await worker.fetchval("SELECT state = 'detached' AND delete_after IS NULL FROM syncer.conference")
    finally:
        await worker.close()


@pytest.fixture
def a_read_tenant(a_calendar: str, database: str) -> str:
    """The address of a database with a calendar that is served."""
    return database


async def _until_blocked(dsn: str) -> None:
    watcher = await asyncpg.connect(dsn)
    try:
        async with asyncio.timeout(20):
            while True:
                if await watcher.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                    return
                await asyncio.sleep(0.02)
    finally:
        await watcher.close()
