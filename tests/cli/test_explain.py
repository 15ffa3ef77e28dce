"""`calendar explain`, `calendar release` and `conference history` say how things stand and why."""

import pytest

from syncer.cli import story
from tests.cli.conftest import ANA, Rows, Terminal

_SERVED = "UPDATE syncer.lease SET until = syncer.clock() + interval '1 hour', owner = gen_random_uuid(), epoch = 1"
_READ = "UPDATE syncer.calendar SET sync_token = 't', generation = 1, is_full_read = false"


def conference(rows: Rows, meeting_id: str, **columns: object) -> None:
    """A conference of `acme`, driven by its calendar, as wanted unless `columns` say otherwise."""
    values = {"wanted_version": 1, "applied_version": 1, "driver_event_id": f"event{meeting_id}", **columns}
    names, marks = ", ".join(values), ", ".join(f"${place}" for place in range(2, len(values) + 2))
    rows.run(
        f"INSERT INTO syncer.conference (tenant_id, account_id, driver_calendar_id, meeting_id, {names}) "  # noqa: S608
        f"SELECT tenant_id, account_id, calendar_id, $1, {marks} "
        "FROM syncer.tenant JOIN syncer.calendar USING (tenant_id)",
        meeting_id,
        *values.values(),
    )


@pytest.fixture
def a_read_calendar(a_calendar: str, rows: Rows) -> str:
    rows.run(_SERVED)
    rows.run(_READ)
    return a_calendar


def explained(terminal: Terminal) -> str:
    answer = terminal("calendar", "explain", "acme", ANA)
    assert answer.code == 0
    return answer.out


def test_a_calendar_that_is_read_and_pushed_is_up_to_date(a_read_calendar: str, rows: Rows, terminal: Terminal) -> None:
    conference(rows, "81")
    assert f"Calendar {ANA} of tenant acme is up to date." in explained(terminal)
    assert terminal("calendar", "explain", "acme", ANA, "--json").document["is_up_to_date"] is True


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        pytest.param(
            "UPDATE syncer.lease SET until = '-infinity'", "No worker serves its project main", id="no worker"
        ),
        pytest.param("UPDATE syncer.tenant SET state = 'paused'", "Tenant acme is paused", id="tenant paused"),
        pytest.param(
            "UPDATE syncer.calendar SET state = 'parked', reason = 'No access.'", "parked (No access).", id="parked"
        ),
        pytest.param(
            "UPDATE syncer.calendar SET generation = 0, sync_token = NULL, is_full_read = true",
            "It has not been read yet",
            id="not read",
        ),
        pytest.param("UPDATE syncer.calendar SET is_full_read = true", "A full read is due", id="full read due"),
        pytest.param(
            "UPDATE syncer.calendar SET page_token = 'p', is_full_read = true",
            "Full read number 1 is under way",
            id="between pages",
        ),
        pytest.param(
            "UPDATE syncer.calendar SET failures = 3, reason = 'x.test: no connection', "
            "next_look_at = syncer.clock() + interval '90 s'",
            "The last 3 looks failed (x.test: no connection).",
            id="failing",
        ),
    ],
)
def test_what_keeps_a_calendar_from_being_up_to_date_is_said(
    a_read_calendar: str, rows: Rows, terminal: Terminal, sql: str, sentence: str
) -> None:
    rows.run(sql)
    text = explained(terminal)
    assert sentence in text
    assert "is not up to date" in text


def test_a_push_that_waits_is_explained(a_read_calendar: str, rows: Rows, terminal: Terminal) -> None:
    conference(rows, "81", wanted_version=2, failures=2, reason="the endpoint answered 503")
    conference(rows, "82", is_in_doubt=True)
    text = explained(terminal)
    assert "Meeting 81 waits for its push, which failed 2 times (the endpoint answered 503)." in text
    assert "Meeting 82 waits for its push; the outcome of its last call is unknown" in text


def test_notes_are_told_by_kind(a_read_calendar: str, rows: Rows, terminal: Terminal) -> None:
    for kind in ("set_aside", "guest", "series"):
        rows.run(
            "INSERT INTO syncer.note SELECT tenant_id, calendar_id, $1, $1, 'e', 'its start is no time' "
            "FROM syncer.calendar",
            kind,
        )
    text = explained(terminal)
    assert "Set aside: set_aside (its start is no time)." in text
    assert "1 entry is a guest copy" in text
    assert "1 entry belongs to recurring events" in text


def test_held_deletions_are_let_through_once(a_read_calendar: str, rows: Rows, terminal: Terminal) -> None:
    for meeting_id in ("81", "82"):
        conference(rows, meeting_id, state="held", failures=1)
    conference(rows, "83")
    text = explained(terminal)
    assert "2 deletions are held for a person" in text
    assert f"`syncer calendar release acme {ANA}` lets them through" in text
    assert terminal("calendar", "release", "acme", ANA, "--json").document["released"] == 2
    due = "state = 'leaving' AND was_released AND delete_after <= syncer.clock()"
    assert rows.value(f"SELECT count(*) FROM syncer.conference WHERE {due}") == 2  # noqa: S608
    assert "2 meetings have no event left" in explained(terminal)
    assert "A person let its deletion through." in terminal("conference", "history", "acme", "81").out
    again = terminal("calendar", "release", "acme", ANA)
    assert (again.code, "No deletion" in again.out) == (0, True)


def test_history_reads_as_sentences(a_read_calendar: str, rows: Rows, terminal: Terminal) -> None:
    conference(rows, "81")
    for kind, detail in (
        ("linked", b"{}"),
        ("updated", b'{"changed": ["title"], "revision": 2, "ms": 34}'),
        ("retry", b'{"reason": "the endpoint answered 503"}'),
        ("a_new_kind", b'{"odd_fact": 1}'),
    ):
        rows.run(
            "INSERT INTO syncer.history (tenant_id, kind, conference_id, calendar_id, event_id, detail) "
            "SELECT tenant_id, $1, conference_id, driver_calendar_id, driver_event_id, $2::text::jsonb "
            "FROM syncer.conference",
            kind,
            detail.decode(),
        )
    told = [line.partition("UTC  ")[2] for line in terminal("conference", "history", "acme", "81").out.splitlines()]
    assert told == [
        f"Event event81 on {ANA} refers to the meeting.",
        "The meeting was updated at its provider (changed: title; revision 2; 34 ms).",
        "The provider could not be asked or was busy; tried again later: the endpoint answered 503.",
        "A new kind (odd fact 1).",
    ]


def test_a_title_cannot_steer_the_terminal(a_read_calendar: str, rows: Rows, terminal: Terminal) -> None:
    conference(
        rows,
        "81",
        applied='{"title": "\\u001b[2Jgone\\u202e\\nlost"}',
        meeting='{"join_url": "https://m.test/j?pwd=1"}',
    )
    out = terminal("conference", "show", "acme", "81").out
    assert "\ufffd[2Jgone\ufffd\ufffdlost" in out
    assert "\x1b" not in out
    assert "pwd=1" not in out


def test_ids_are_never_cut_or_wrapped(a_calendar: str, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    long = f"c_{'0123456789' * 12}@group.calendar.example.org"
    terminal("calendar", "add", "acme", long)
    assert long in terminal("calendar", "list").out


@pytest.mark.parametrize("state", ["deleted", "gone", "detached", "watched"])
def test_what_is_not_kept_in_step_is_not_called_late(
    a_read_calendar: str, rows: Rows, terminal: Terminal, state: str
) -> None:
    conference(rows, "81", state=state, wanted_version=5)
    assert "is up to date." in explained(terminal)
    assert "push due" not in terminal("conference", "list").out


def test_a_join_url_is_shown_without_its_query() -> None:
    assert story.without_query("https://m.test/j/81?pwd=abc") == "https://m.test/j/81?…"
