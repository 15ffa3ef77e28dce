"""`conference show` says whose a meeting is, what drives it, what its provider does not hold and what nobody reads."""

import json

import pytest

from tests.cli.conftest import Rows, Terminal
from tests.cli.test_explain import conference, link

_UNREADABLE = json.dumps({"recurrence": ["RRULE:FREQ=SECONDLY"], "starts": {"day": "2099-12-02"}})
_OWNED = (
    "INSERT INTO syncer.meeting_owner (account_id, meeting_id, tenant_id) "
    "SELECT account_id, meeting_id, tenant_id FROM syncer.conference"
)


@pytest.fixture
def a_driven_conference(a_calendar: str, rows: Rows) -> str:
    conference(rows, "81")
    link(rows, "81")
    rows.run(_OWNED)
    return a_calendar


def updated(rows: Rows, **detail: object) -> None:
    rows.run(
        "INSERT INTO syncer.history (tenant_id, at, kind, conference_id, detail) "
        "SELECT tenant_id, syncer.clock(), 'updated', conference_id, $1 FROM syncer.conference",
        json.dumps(detail),
    )


def test_the_owner_and_the_driver_are_explained(a_driven_conference: str, terminal: Terminal) -> None:
    shown = " ".join(terminal("conference", "show", "acme", "81").out.split())
    assert "acme, which alone changes and deletes it" in shown
    assert "it drives until it goes" in shown
    assert terminal("conference", "show", "acme", "81", "--json").document["particulars"]["owner"] == "acme"


def test_what_there_is_nothing_to_say_of_is_left_out(a_driven_conference: str, terminal: Terminal) -> None:
    for command in (("conference", "show", "acme", "81"), ("calendar", "show", "acme", a_driven_conference)):
        lines = terminal(*command).out.splitlines()
        assert [line for line in lines if len(line.split("  ")) < 2] == []
        assert any(line.split("  ", 1)[0] == "failures in a row" and line.endswith(" 0") for line in lines)


def test_what_a_provider_does_not_hold_is_shown_until_it_does(
    a_driven_conference: str, rows: Rows, terminal: Terminal
) -> None:
    updated(rows, changed=["overrides"], revision=7, not_held=["overrides", "further"])
    shown = " ".join(terminal("conference", "show", "acme", "81").out.split())
    assert "not held there single occurrences and further part of the series" in shown
    updated(rows, changed=["overrides"], revision=8)
    assert "single occurrences" not in terminal("conference", "show", "acme", "81").out
    assert terminal("conference", "show", "acme", "81", "--json").document["particulars"]["not_held"] == []


def test_a_rule_that_nobody_can_read_is_shown(a_driven_conference: str, rows: Rows, terminal: Terminal) -> None:
    rows.run("UPDATE syncer.link SET event = $1", _UNREADABLE)
    shown = " ".join(terminal("conference", "show", "acme", "81").out.split())
    assert "event81: " in shown
    assert "more often than daily" in shown
    assert "SECONDLY" not in shown
