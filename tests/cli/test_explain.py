"""`calendar explain`, `calendar release` and `conference history` say how things stand and why."""

import pytest

from tests.cli.conftest import ANA, Rows, Terminal

_SERVED = "UPDATE syncer.lease SET until = syncer.clock() + interval '1 hour', owner = gen_random_uuid(), epoch = 1"
_READ = "UPDATE syncer.calendar SET sync_token = 't', generation = 1, is_full_read = false"
_APPLIED = (
    '{"title": "Review", "description": "s3cret", "starts": {"day": "2099-12-02"}, "ends": {"day": "2099-12-03"}}'
)
_MEETING = '{"join_url": "https://m.test/j/81?pwd=s3cret#s3cret", "passcode": "s3cret", "dial_in": ["s3cret"]}'


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


def link(rows: Rows, meeting_id: str) -> None:
    """An event on its driver's calendar refers to the meeting."""
    rows.run(
        "INSERT INTO syncer.link (tenant_id, calendar_id, event_id, conference_id, generation, event) "
        "SELECT tenant_id, driver_calendar_id, driver_event_id, conference_id, 1, '{}' "
        "FROM syncer.conference WHERE meeting_id = $1",
        meeting_id,
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
            "UPDATE syncer.calendar SET state = 'parked', reason = 'No access.'",
            "parked (No access). `syncer check` says",
            id="parked",
        ),
        pytest.param(
            "UPDATE syncer.calendar SET state = 'parked'", f"`syncer calendar resume acme {ANA}` has it", id="unparking"
        ),
        pytest.param(
            "UPDATE syncer.calendar SET state = 'parked'",
            f"credential is wrong, `syncer calendar remove acme {ANA}`, then `syncer calendar add`",
            id="correcting",
        ),
        pytest.param(
            "UPDATE syncer.calendar SET state = 'paused'", f"`syncer calendar resume acme {ANA}`", id="paused"
        ),
        pytest.param(
            "UPDATE syncer.calendar SET generation = 0, sync_token = NULL, is_full_read = true",
            "It has not been read yet: its first read is due.",
            id="not read",
        ),
        pytest.param(
            "UPDATE syncer.calendar SET generation = 0, sync_token = NULL, is_full_read = true, state = 'parked'",
            "It has not been read yet: its first read comes with its next look.",
            id="not read, parked",
        ),
        pytest.param(
            "UPDATE syncer.calendar SET sync_token = NULL, is_full_read = true, state = 'parked'",
            "A full read comes with its next look, for its sync token",
            id="full read, parked",
        ),
        pytest.param(
            "UPDATE syncer.calendar SET generation = 0, sync_token = NULL, is_full_read = true, state = 'paused'",
            "It has not been read yet: its first read comes when it is served again.",
            id="not read, paused",
        ),
        pytest.param(
            "UPDATE syncer.calendar SET sync_token = NULL, is_full_read = true",
            "A full read is due",
            id="full read due",
        ),
        pytest.param(
            "UPDATE syncer.calendar SET is_full_read = true", "are asked for by name", id="full read has missed some"
        ),
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
        pytest.param(
            "UPDATE syncer.calendar SET sees_details = false",
            "share the calendar with the account",
            id="sees too little",
        ),
        pytest.param(
            "UPDATE syncer.calendar SET state = 'parked', failures = 2, reason = 'g.test answered 400 invalid_grant; "
            "the consent was revoked or has expired: let the user consent again'",
            "let the user consent again). `syncer check` says what to mend",
            id="parked with advice",
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


def test_a_push_that_waits_for_its_providers_limit_is_explained(
    a_read_calendar: str, rows: Rows, terminal: Terminal
) -> None:
    spent = "updating the meeting: what the provider grants, 1 update a day, is used up for now"
    conference(rows, "81", wanted_version=2, reason=spent)
    rows.run("UPDATE syncer.conference SET next_try_at = syncer.clock() + interval '10 minutes'")
    told = explained(terminal)
    assert f"Meeting 81 waits for its push ({spent}); it is tried again at" in " ".join(told.split())
    shown = terminal("conference", "show", "acme", "81").out
    assert "waits for room" in shown
    assert "1 update a day" in shown


def test_notes_are_told_by_kind(a_read_calendar: str, rows: Rows, terminal: Terminal) -> None:
    for kind in ("set_aside", "guest"):
        rows.run(
            "INSERT INTO syncer.note SELECT tenant_id, calendar_id, $1, $1, 'e', 'its start is no time' "
            "FROM syncer.calendar",
            kind,
        )
    text = explained(terminal)
    assert "Set aside: set_aside (its start is no time)." in text
    assert "1 entry is a guest copy" in text


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


@pytest.mark.parametrize("arguments", [("list", "acme"), ("show", "acme", "81")], ids=["list", "show"])
@pytest.mark.parametrize("form", [(), ("--json",)], ids=["human", "json"])
def test_what_admits_to_a_meeting_is_not_printed(
    a_read_calendar: str, rows: Rows, terminal: Terminal, arguments: tuple[str, ...], form: tuple[str, ...]
) -> None:
    conference(rows, "81", applied=_APPLIED, meeting=_MEETING)
    out = terminal("conference", *arguments, *form).out
    assert "81" in out
    assert "s3cret" not in out


def test_a_meeting_is_shown_with_title_times_and_join_url(a_read_calendar: str, rows: Rows, terminal: Terminal) -> None:
    conference(rows, "81", applied=_APPLIED, meeting=_MEETING)
    shown = terminal("conference", "show", "acme", "81", "--json").document["conference"]
    assert (shown["title"], shown["starts"]["day"], shown["join_url"]) == (
        "Review",
        "2099-12-02",
        "https://m.test/j/81?…",
    )
    human = terminal("conference", "show", "acme", "81").out
    assert all(text in human for text in ("Review", "2099-12-02", "https://m.test/j/81?…"))


def test_a_read_back_that_fails_says_nothing_against_a_meeting(
    a_read_calendar: str, rows: Rows, terminal: Terminal
) -> None:
    conference(rows, "81", failures=1, reason="reading the meeting back: the endpoint answered 503")
    text = explained(terminal)
    assert f"Calendar {ANA} of tenant acme is up to date." in text
    assert "Meeting 81 is read back again, which failed once (reading the meeting back: the endpoint" in text


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        pytest.param(
            {"reason": "the meeting is locked."}, "Meeting 81 stays as it is (the meeting is locked)", id="refused"
        ),
        pytest.param(
            {"state": "gone", "reason": "the provider has no such meeting"},
            "Meeting 81 is gone (the provider has no such meeting)",
            id="gone",
        ),
    ],
)
def test_a_meeting_that_cannot_be_as_wanted_is_told(
    a_read_calendar: str, rows: Rows, terminal: Terminal, columns: dict[str, str], sentence: str
) -> None:
    conference(rows, "81", **columns)
    conference(rows, "82")
    link(rows, "81")
    text = explained(terminal)
    assert f"Calendar {ANA} of tenant acme is not up to date." in text
    assert "It drives 2 meetings, 1 of which cannot be made as wanted." in text
    assert f"{sentence}" in text
    assert "What is refused, gone or held stays so until then or until a person acts." in text
    assert "`syncer conference history acme 81` tells more." in text
    assert terminal("calendar", "explain", "acme", ANA, "--json").document["is_up_to_date"] is False


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        pytest.param(
            {"failures": 400, "reason": "held after 400 failures in a row, updating the meeting: it is away"},
            "Meeting 81 waits for a person (held after 400 failures in a row, updating the meeting: it is away): "
            "`syncer conference retry acme 81` has it pushed again.",
            id="held",
        ),
        pytest.param(
            {"failures": 3, "reason": "writing back to an event: g.test answered 403 requiredAccessLevel"},
            "Meeting 81 is as wanted, but its events do not all show it (writing back to an event: g.test answered 403",
            id="not shown",
        ),
        pytest.param(
            {"state": "held", "was_released": True, "reason": "the meeting is locked"},
            "Not deleted: meeting 81 (the meeting is locked); `syncer conference retry acme 81` tries again.",
            id="deletion refused",
        ),
    ],
)
def test_what_waits_for_a_remedy_is_told_with_it(
    a_read_calendar: str, rows: Rows, terminal: Terminal, columns: dict[str, object], sentence: str
) -> None:
    conference(rows, "81", **columns)
    text = explained(terminal)
    assert "is not up to date" in text
    assert sentence in text


def test_a_refused_deletion_is_not_released_with_guarded_ones(
    a_read_calendar: str, rows: Rows, terminal: Terminal
) -> None:
    conference(rows, "81", state="held", was_released=True)
    conference(rows, "82", state="held")
    assert "1 deletion is held for a person" in explained(terminal)
    assert terminal("calendar", "release", "acme", ANA, "--json").document["released"] == 1


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("Expected `str | null`, got `int` - at `$.summary`", "its summary is not text"),
        ("Expected `array`, got `str` - at `$.attendees`", "its attendees is not a list"),
        ("it ends before it starts", "it ends before it starts"),
    ],
)
def test_an_entry_that_is_set_aside_is_told_in_words(
    a_read_calendar: str, rows: Rows, terminal: Terminal, reason: str, words: str
) -> None:
    rows.run(
        "INSERT INTO syncer.note (tenant_id, calendar_id, event_id, kind, etag, reason) "
        "SELECT tenant_id, calendar_id, 'e1', 'set_aside', '', $1 FROM syncer.calendar",
        reason,
    )
    assert f"Set aside: e1 ({words})." in explained(terminal)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        pytest.param({}, "yes", id="as wanted"),
        pytest.param({"reason": "the meeting is locked"}, "no, refused", id="refused"),
        pytest.param({"failures": 400, "reason": "held after 400 failures"}, "no, waits for a person", id="held"),
        pytest.param(
            {"failures": 2, "reason": "writing back to an event: 403"}, "yes, but not shown", id="not written back"
        ),
        pytest.param({"failures": 1, "reason": "reading the meeting back: 503"}, "yes", id="not read back"),
        pytest.param({"wanted_version": 2, "failures": 2, "reason": "503"}, "2 tries failed", id="failing"),
    ],
)
def test_a_list_says_of_a_meeting_what_explain_says(
    a_read_calendar: str, rows: Rows, terminal: Terminal, columns: dict[str, object], words: str
) -> None:
    conference(rows, "81", **columns)
    assert f"  {words}  " in terminal("conference", "list", "acme").out
    shown = terminal("conference", "show", "acme", "81").out
    (line,) = [line for line in shown.splitlines() if line.startswith("in step")]
    assert line.endswith(f" {words}")


def test_a_detached_meeting_says_why_it_was_and_nothing_older(
    a_read_calendar: str, rows: Rows, terminal: Terminal
) -> None:
    conference(rows, "81", state="detached", reason="the meeting is locked")
    rows.run(
        "INSERT INTO syncer.history (tenant_id, kind, conference_id, detail) SELECT tenant_id, 'detached', "
        "conference_id, '{\"reason\": \"the tenant''s matchers changed\"}' FROM syncer.conference"
    )
    assert terminal("conference", "show", "acme", "81", "--json").document["conference"]["reason"] == (
        "the tenant's matchers changed"
    )
