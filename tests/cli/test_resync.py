"""A calendar is read anew, paused and resumed when a person says so; a dry run says what would come of it."""

from tests.cli.conftest import ANA, Rows, Served, Terminal
from tests.cli.outside import until
from tests.cli.process import started

_WRITTEN = "SELECT md5(string_agg(x::text, ',')) FROM (SELECT c::text AS x FROM syncer.{} c ORDER BY 1) AS rows"


def written(rows: Rows) -> list[object]:
    """What stands in the tables that a read writes."""
    tables = ("calendar", "conference", "link", "note", "history")
    return [rows.value(_WRITTEN.format(table)) for table in tables]


def test_a_dry_run_says_what_would_change_and_writes_nothing(served: Served, rows: Rows, terminal: Terminal) -> None:
    resync = ("calendar", "resync", "acme", served.ana.address)
    event_id, meeting_id = served.ana.book(served.account, "Standup")
    before = written(rows)
    plan = terminal(*resync, "--dry-run", "--json").document["plan"]
    assert plan["coming"] == [{"event_id": event_id, "meeting_id": meeting_id, "reason": None}]
    assert (plan["entries"], plan["changing"], plan["going"]) == (1, [], [])
    shown = terminal(*resync, "--dry-run").out
    assert "1 link would come, 0 change and 0 go." in shown
    assert event_id in shown
    assert written(rows) == before


def test_a_dry_run_finds_what_was_missed(served: Served, rows: Rows, terminal: Terminal) -> None:
    changing, _ = served.ana.book(served.account, "Changes")
    going, goner = served.ana.book(served.account, "Goes")
    staying, _ = served.ana.book(served.account, "Stays")
    with started("run", **served.variables):
        rows.until("SELECT count(*) = 3 FROM syncer.link")
        until(lambda: served.title(goner) == "Goes")
    served.ana.edit(changing, summary="Changed")
    served.ana.delete(going)
    before = written(rows)
    plan = terminal("calendar", "resync", "acme", served.ana.address, "--dry-run", "--json").document["plan"]
    assert [one["event_id"] for one in plan["changing"]] == [changing]
    assert [one["event_id"] for one in plan["going"]] == [going]
    assert (plan["coming"], staying in str(plan)) == ([], False)
    assert written(rows) == before
    assert "is deleted after the grace" in terminal("calendar", "resync", "acme", served.ana.address, "--dry-run").out


def test_what_no_matcher_takes_any_more_is_counted_before_and_is_not_said_to_be_deleted(
    served: Served, rows: Rows, terminal: Terminal
) -> None:
    for title in ("One", "Two"):
        served.ana.book(served.account, title)
    with started("run", **served.variables):
        rows.until("SELECT count(*) = 2 FROM syncer.link")
    change = ("tenant", "set", "acme", "--matcher", "type=addOn,name=Other", "--window", "2d")
    answer = terminal(*change)
    assert (answer.code, "2 of the 2 meetings of tenant acme would be detached" in answer.err) == (2, True)
    assert rows.value("SELECT read_window = interval '1 day' FROM syncer.tenant")
    assert terminal("tenant", "set", "acme", "--matcher", "name=Example Meeting").code == 0
    answer = terminal(*change, "--yes")
    assert (answer.code, "Of its 2 meetings 2 will be detached." in answer.out) == (0, True)
    assert answer.out.count("are read anew") == 1
    shown = terminal("calendar", "resync", "acme", served.ana.address, "--dry-run").out
    assert "A meeting that no matcher takes any more is detached, never deleted" in shown
    assert "is deleted after the grace" not in shown


def test_a_worker_reads_anew_what_it_is_asked_for(served: Served, rows: Rows, terminal: Terminal) -> None:
    _, meeting_id = served.ana.book(served.account, "Standup")
    with started("run", **served.variables) as worker:
        until(lambda: served.title(meeting_id) == "Standup")
        rows.until("SELECT sync_token IS NOT NULL FROM syncer.calendar")
        assert "is read anew with its next look" in terminal("calendar", "resync", "acme", served.ana.address).out
        rows.until("SELECT generation = 2 AND sync_token IS NOT NULL AND NOT is_full_read FROM syncer.calendar")
        assert worker.poll() is None
    assert (
        rows.value("SELECT detail ->> 'reason' FROM syncer.history WHERE kind = 'read_anew'") == "a person asked for it"
    )
    assert rows.value("SELECT count(*) FROM syncer.link") == 1
    assert served.state(meeting_id) == "live"


def test_reading_anew_keeps_what_was_read(a_calendar: str, rows: Rows, terminal: Terminal) -> None:
    rows.run("UPDATE syncer.calendar SET sync_token = 't', is_full_read = false, generation = 3, state = 'parked'")
    assert terminal("calendar", "resync", "acme", ANA).code == 0
    assert rows.value("SELECT sync_token IS NULL AND is_full_read AND state = 'active' FROM syncer.calendar")
    rows.run("UPDATE syncer.calendar SET state = 'paused'")
    told = terminal("calendar", "resync", "acme", ANA)
    assert (told.code, f"after `syncer calendar resume acme {ANA}`, for it is paused" in told.out) == (0, True)
    assert rows.value("SELECT state FROM syncer.calendar") == "paused"


def test_a_calendar_is_paused_and_resumed(a_calendar: str, rows: Rows, terminal: Terminal) -> None:
    assert "is paused now" in terminal("calendar", "pause", "acme", ANA).out
    assert "was paused already" in terminal("calendar", "pause", "acme", ANA).out
    refused = terminal("calendar", "resync", "acme", ANA, "--dry-run")
    assert (refused.code, f"`syncer calendar resume acme {ANA}` first" in refused.err) == (1, True)
    assert "is active now" in terminal("calendar", "resume", "acme", ANA).out
    rows.run("UPDATE syncer.calendar SET state = 'parked', reason = 'No access.', failures = 4")
    assert "looked at again at once" in terminal("calendar", "resume", "acme", ANA).out
    assert rows.value("SELECT state = 'active' AND failures = 0 AND reason IS NULL FROM syncer.calendar")


def test_a_worker_leaves_a_paused_calendar_alone_and_takes_it_up_again(
    served: Served, rows: Rows, terminal: Terminal
) -> None:
    event_id, meeting_id = served.ana.book(served.account, "Standup")
    with started("run", **served.variables):
        until(lambda: served.title(meeting_id) == "Standup")
        assert terminal("calendar", "pause", "acme", served.ana.address).code == 0
        beats = "SELECT owner_clock_at > (SELECT max(at) FROM syncer.history) + interval '1 second' FROM syncer.lease"
        rows.until(beats)
        served.ana.edit(event_id, summary="Meanwhile")
        assert terminal("calendar", "resume", "acme", served.ana.address).code == 0
        until(lambda: served.title(meeting_id) == "Meanwhile")


def test_what_was_refused_is_tried_again(a_calendar: str, rows: Rows, terminal: Terminal) -> None:
    rows.run(
        "INSERT INTO syncer.conference (tenant_id, account_id, meeting_id, state, reason, applied_version) "
        "SELECT tenant_id, account_id, v.meeting_id, v.state, 'refused', 1 FROM syncer.tenant, "
        "(VALUES ('81', 'live'), ('82', 'held'), ('83', 'deleted')) AS v (meeting_id, state)"
    )
    answer = terminal("conference", "retry", "acme", "81")
    assert (answer.code, "asked again at once about meeting 81" in answer.out) == (0, True)
    assert rows.value("SELECT wanted_version > applied_version FROM syncer.conference WHERE meeting_id = '81'")
    assert "left alone; `syncer calendar release`" in terminal("conference", "retry", "acme", "82").out
    assert rows.value("SELECT state FROM syncer.conference WHERE meeting_id = '82'") == "held"
    assert "nothing was changed" in terminal("conference", "retry", "acme", "83").out
    assert terminal("conference", "retry", "acme", "84").code == 1
