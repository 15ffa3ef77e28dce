"""Whether Google tells of a calendar is said in a sentence, and receivers do not start where they would do nothing."""

import pytest

from tests.cli.conftest import ANA, Rows, Terminal

CHANNEL = """
INSERT INTO syncer.channel (channel_id, tenant_id, calendar_id, secret_hash, address, credential, state, expires_at)
SELECT gen_random_uuid(), tenant_id, calendar_id, sha256('s3cret'), 'https://sync.example.org/', 'file:x', $1,
       syncer.clock() + interval '3 days 1 minute'
FROM syncer.calendar
"""
SOON = "UPDATE syncer.watch SET due_at = syncer.clock() + interval '2 days 1 minute'"
FAILED = "UPDATE syncer.watch SET failures = 2, reason = 'www.googleapis.com answered 404 notFound'"
NEVER = "UPDATE syncer.watch SET failures = 1, is_unwatchable = true, reason = 'no'"
TOLD = "INSERT INTO syncer.notified (tenant_id, calendar_id) SELECT tenant_id, calendar_id FROM syncer.calendar"


def explained(terminal: Terminal) -> str:
    answer = terminal("calendar", "explain", "acme", ANA)
    assert answer.code == 0
    return answer.out


def test_where_no_calendar_is_told_of_nothing_is_said_of_it(a_calendar: str, terminal: Terminal) -> None:
    assert "Google" not in explained(terminal)


@pytest.mark.parametrize(
    ("state", "statements", "sentence", "word"),
    [
        ("open", [SOON], "Google tells of its changes until ", "until "),
        ("open", [SOON], ", and is asked for longer at 20", "until "),
        (
            "open",
            [SOON, FAILED],
            "; asking for longer failed (www.googleapis.com answered 404 notFound) and is",
            "until ",
        ),
        ("asked", [], "Google is being asked to tell of it; it is looked at by the clock.", "asked for"),
        ("stopping", [], "Google is yet to be asked to tell of it; it is looked at by the clock.", "not yet"),
        ("stopping", [SOON, FAILED], "Google tells nothing of it, for asking failed (www.googleapis.com", "not yet"),
        ("stopping", [SOON, NEVER], "Google tells nothing of such a calendar, so it is", "none for such a calendar"),
        ("open", [TOLD], "waits for the look that it asks for.", "until "),
    ],
)
def test_it_is_said_whether_google_tells_of_a_calendar(
    a_calendar: str, rows: Rows, terminal: Terminal, state: str, statements: list[str], sentence: str, word: str
) -> None:
    rows.run(CHANNEL, state)
    for statement in statements:
        rows.run(statement)
    assert sentence in explained(terminal)
    shown = terminal("calendar", "show", "acme", ANA).out
    (line,) = [line for line in shown.splitlines() if line.startswith("told of by Google")]
    assert line.removeprefix("told of by Google").strip().startswith(word.strip())


def test_of_a_paused_calendar_nothing_is_said(a_calendar: str, rows: Rows, terminal: Terminal) -> None:
    rows.run(CHANNEL, "open")
    rows.run("UPDATE syncer.calendar SET state = 'paused'")
    assert "Google" not in explained(terminal)


def test_a_receiver_needs_the_workers_database(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SYNCER_DATABASE_URL", raising=False)
    answer = terminal("receive")
    assert answer.code == 2
    assert "`syncer receive` needs SYNCER_DATABASE_URL" in answer.err


def test_a_receiver_that_takes_no_calls_does_not_start(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCER_LISTEN", "off")
    answer = terminal("receive")
    assert (answer.code, "SYNCER_LISTEN=off" in answer.err) == (2, True)


@pytest.mark.parametrize(
    ("url", "is_fit"),
    [
        ("https://sync.example.org/notifications/google", True),
        ("https://sync.example.org:8443/a/b", True),
        ("http://127.0.0.1:8470/notifications/google", True),
        ("http://[::1]:8470/notifications/google", True),
        ("http://sync.example.org/notifications/google", False),
        ("sync.example.org/notifications/google", False),
        ("https://sync.example.org/?secret=s3cret", False),
        ("https://user:s3cret@sync.example.org/", False),
        ("https:///notifications/google", False),
    ],
)
def test_an_address_that_google_would_not_take_is_refused_at_the_start(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, url: str, is_fit: bool
) -> None:
    monkeypatch.setenv("SYNCER_NOTIFICATIONS_URL", url)
    answer = terminal("tenant", "list")
    assert (answer.code == 0) is is_fit
    assert "s3cret" not in answer.err
    assert is_fit or "SYNCER_NOTIFICATIONS_URL" in answer.err
