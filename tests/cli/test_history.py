"""`conference history` and `calendar explain` tell what was done in sentences, and never a text of an event."""

import re
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import orjson
import pytest

from syncer.cli import history
from syncer.model.conference import Wanted
from syncer.store.overview import Happening
from tests.cli.conftest import ANA, Rows, Terminal
from tests.cli.test_explain import a_read_calendar, conference, explained, link

__all__ = ["a_read_calendar"]  # a fixture

SYNCER = Path(__file__).parents[2] / "syncer"
AT = datetime(2026, 11, 22, 14, 2, 11, tzinfo=UTC)
PARIS = {"at": "2026-11-26T09:00:00Z", "day": None, "time_zone": "Europe/Paris"}
# Where pushes, people and pages name what they write down.
WRITTEN = (
    re.compile(r'Told\(\s*"(\w+)"'),
    re.compile(r"SELECT [\w$.]+, '(\w+)', (?:conference_id|calendar_id|\$5)"),
    re.compile(r"'(\w+)' ELSE '(\w+)' END(?: AS kind|, jsonb)"),
)


def happened(kind: str, *, calendar: str | None = ANA, organizer: str | None = ANA, **detail: Any) -> Happening:
    return Happening(AT, kind, calendar, "e1", detail, "81", organizer)


@pytest.mark.parametrize(
    ("happening", "sentence"),
    [
        pytest.param(happened("linked"), f"Event e1 of organizer {ANA} refers to meeting 81.", id="linked"),
        pytest.param(
            happened("changed", calendar="room@x.test"),
            f"Event e1 of organizer {ANA} on room@x.test was changed by people.",
            id="on another calendar",
        ),
        pytest.param(
            happened("changed", changed=["starts", "ends"], starts=PARIS, seen_by="sweep", page=1),
            f"Event e1 of organizer {ANA} was moved to Thu 26 Nov 10:00 (Europe/Paris) (seen by sweep, page 1).",
            id="moved",
        ),
        pytest.param(
            happened(
                "changed", changed=["starts", "title"], started={"day": "2026-11-30"}, starts={"day": "2027-01-02"}
            ),
            f"Event e1 of organizer {ANA} was moved from Mon 30 Nov to Sat 2 Jan 2027, its title changed.",
            id="moved by days and renamed",
        ),
        pytest.param(
            happened("changed", changed=["ends"], ends={"at": "2026-11-26T09:30:00Z", "time_zone": "No/Where"}),
            f"Event e1 of organizer {ANA} ends Thu 26 Nov 09:30 (UTC) now.",
            id="shortened, in a zone that nobody knows",
        ),
        pytest.param(
            happened("changed", organizer=None, changed=["title", "description", "attendee_count"], page=2),
            f"Event e1 on {ANA} had its title, description and number of guests changed (seen on page 2).",
            id="renamed",
        ),
        pytest.param(
            happened("updated", changed=["starts", "ends"], revision=7, ms=210),
            "Meeting 81 was updated to revision 7 in 0.21 s: start and end; nothing written back.",
            id="updated",
        ),
        pytest.param(
            happened("updated", changed=["overrides"], revision=8, ms=9, is_join_url_new=False),
            "Meeting 81 was updated to revision 8 in 0.01 s: single occurrences; "
            "join URL unchanged, nothing written back.",
            id="updated, told of its join URL",
        ),
        pytest.param(
            happened("updated", changed=list(Wanted.__struct_fields__), revision=1, ms=2010),
            "Meeting 81 was updated to revision 1 in 2.01 s: all of it; nothing written back.",
            id="told of all",
        ),
        pytest.param(
            happened("leaving", grace_seconds=600.0),
            "No event is left; the meeting is deleted after the grace if its event is really gone (a grace of 10 min).",
            id="leaving",
        ),
        pytest.param(
            happened("updated", revision=8, found="by reading back"),
            "Meeting 81 was updated to revision 8 (found by reading back); nothing written back.",
            id="found",
        ),
        pytest.param(
            happened("excluded", occurrence="2026-11-26T09:00:00Z"),
            "The occurrence of Thu 26 Nov 09:00 (UTC) is not part of the meeting any more, "
            f"by event e1 of organizer {ANA}.",
            id="excluded",
        ),
        pytest.param(
            happened("updated", changed=["overrides"], revision=7, ms=210, not_held=["overrides", "title"]),
            "Meeting 81 was updated to revision 7 in 0.21 s: single occurrences; nothing written back (its provider "
            "does not hold the single occurrences and title as wanted).",
            id="a provider that holds less",
        ),
        pytest.param(
            happened("took_back"),
            f"Our lines were taken out of event e1 of organizer {ANA}, which has the meeting no more.",
            id="took back",
        ),
        pytest.param(
            happened("wrote_back", rung="conferenceData"),
            f"Event e1 of organizer {ANA} was given what its provider says now (in its conference).",
            id="wrote back",
        ),
        pytest.param(
            happened("retry", reason="the endpoint answered 503.", during="updating the meeting"),
            "The call failed, and is tried again later: the endpoint answered 503 (while updating the meeting).",
            id="retry",
        ),
        pytest.param(
            happened("unlinked", calendar=None, organizer=None, reason="its calendar was removed", calendar_id=None),
            "Event e1 no longer refers to the meeting: its calendar was removed.",
            id="unlinked",
        ),
        pytest.param(happened("a_new_kind", odd_fact=1), "A new kind (odd fact 1).", id="a kind of a later version"),
    ],
)
def test_each_happening_is_a_sentence(happening: Happening, sentence: str) -> None:
    assert history.lines([happening]) == [f"2026-11-22 14:02:11 UTC  {sentence}"]


def test_of_many_meetings_each_line_names_its_own() -> None:
    other = Happening(AT, "wrote_back", ANA, "e2", {"rung": "location"}, "82", None)
    told = history.lines([happened("updated", revision=2), other, happened("deleted")], is_of_many=True)
    assert [line.partition("UTC  ")[2] for line in told] == [
        "Meeting 81 was updated to revision 2; nothing written back.",
        f"Meeting 82: Event e2 on {ANA} was given what its provider says now (in its location).",
        "Meeting 81: The meeting was deleted at its provider.",
    ]


def test_every_kind_that_is_written_down_has_a_sentence() -> None:
    sources = [*SYNCER.glob("sync/*.py"), *SYNCER.glob("store/queries/*.sql"), *SYNCER.glob("store/migrations/*.sql")]
    texts = [path.read_text("utf-8") for path in sources]
    kinds = {
        kind for text, written in product(texts, WRITTEN) for found in written.finditer(text) for kind in found.groups()
    }
    assert {"linked", "changed", "unlinked", "updated", "retried", "gave_up", "read_anew", "released"} <= kinds
    assert [kind for kind in sorted(kinds) if history.sentence(happened(kind)) == by_name(kind)] == []


def test_a_kind_without_a_sentence_is_found() -> None:
    assert history.sentence(happened("no_such_kind")) == by_name("no_such_kind")


def by_name(kind: str) -> str:
    """What is said of a kind that has no sentence."""
    return f"{kind.replace('_', ' ').capitalize()}."


def put(rows: Rows, kind: str, **detail: Any) -> None:
    rows.run(
        "INSERT INTO syncer.history (tenant_id, kind, conference_id, calendar_id, event_id, detail) "
        "SELECT tenant_id, $1, conference_id, driver_calendar_id, driver_event_id, $2::text::jsonb "
        "FROM syncer.conference",
        kind,
        orjson.dumps(detail).decode(),
    )


@pytest.fixture
def a_told_meeting(a_read_calendar: str, rows: Rows) -> None:
    """Meeting 81, whose event was moved, and an event that was given the join URL before."""
    conference(rows, "81")
    link(rows, "81")
    rows.run("UPDATE syncer.link SET event = jsonb_build_object('organizer', $1::text, 'title', 's3cret')", ANA)
    put(rows, "updated", changed=["title"], revision=2, ms=34)
    put(rows, "wrote_back", rung="location")
    put(rows, "changed", changed=["starts"], starts=PARIS, seen_by="sweep", page=1)
    put(rows, "updated", changed=["starts"], revision=7, ms=210, is_join_url_new=False)


def sentences(lines: list[str]) -> list[str]:
    return [line.partition("UTC  ")[2] for line in lines if "UTC  " in line]


@pytest.mark.usefixtures("a_told_meeting")
def test_history_tells_who_moved_what_where_to_and_what_came_of_it(terminal: Terminal) -> None:
    assert sentences(terminal("conference", "history", "acme", "81").out.splitlines()) == [
        "Meeting 81 was updated to revision 2 in 0.03 s: title.",
        f"Event event81 of organizer {ANA} was given what its provider says now (in its location).",
        f"Event event81 of organizer {ANA} was moved to Thu 26 Nov 10:00 (Europe/Paris) (seen by sweep, page 1).",
        "Meeting 81 was updated to revision 7 in 0.21 s: start; join URL unchanged, nothing written back.",
    ]


@pytest.mark.usefixtures("a_told_meeting")
@pytest.mark.parametrize(
    ("column", "kept"), [("applied", {"organizer": ANA}), ("meeting", {"holds": {"organizer": ANA}})]
)
def test_history_names_the_organizer_of_an_event_that_is_gone(
    terminal: Terminal, rows: Rows, column: str, kept: dict[str, Any]
) -> None:
    before = sentences(terminal("conference", "history", "acme", "81").out.splitlines())
    rows.run("DELETE FROM syncer.link")
    sql = f"UPDATE syncer.conference SET {column} = $1::text::jsonb"  # noqa: S608
    rows.run(sql, orjson.dumps(kept).decode())
    assert sentences(terminal("conference", "history", "acme", "81").out.splitlines()) == before
    assert f"of organizer {ANA} was moved" in explained(terminal)


@pytest.mark.usefixtures("a_told_meeting")
def test_history_gives_no_event_the_organizer_of_another_calendar(terminal: Terminal, rows: Rows) -> None:
    rows.run("DELETE FROM syncer.link")
    rows.run(
        "UPDATE syncer.conference SET driver_calendar_id = driver_calendar_id + 1, "
        "applied = jsonb_build_object('organizer', 'bo@tenant-a.test')"
    )
    assert "bo@tenant-a.test" not in terminal("conference", "history", "acme", "81").out


@pytest.mark.usefixtures("a_told_meeting")
def test_history_as_json_keeps_its_fields(terminal: Terminal) -> None:
    told = terminal("conference", "history", "acme", "81", "--json").document
    assert {"at", "kind", "calendar", "event_id", "detail"} <= told[0].keys()
    assert told[2]["detail"] == {"changed": ["starts"], "starts": PARIS, "seen_by": "sweep", "page": 1}
    assert "s3cret" not in orjson.dumps(told).decode()


@pytest.mark.usefixtures("a_told_meeting")
def test_explain_tells_what_was_done_last(rows: Rows, terminal: Terminal) -> None:
    rows.run(
        "INSERT INTO syncer.history (tenant_id, kind, calendar_id, detail) "
        """SELECT tenant_id, 'read_anew', calendar_id, '{"reason": "the sync token is not accepted any more"}' """
        "FROM syncer.calendar"
    )
    text = explained(terminal)
    assert "(the sync token is not accepted any more)." in text
    assert sentences(text.splitlines())[-1].startswith("Meeting 81 was updated to revision 7 in 0.21 s: start;")
    assert "s3cret" not in text


@pytest.mark.parametrize(
    ("rule", "is_told"),
    [
        pytest.param("RRULE:FREQ=SECONDLY;X-CANARY=s3cret", True, id="nobody can read it"),
        pytest.param("RRULE:FREQ=WEEKLY", False, id="ordinary"),
    ],
)
def test_explain_says_which_rule_cannot_be_read(
    a_read_calendar: str, rows: Rows, terminal: Terminal, rule: str, *, is_told: bool
) -> None:
    conference(rows, "81")
    link(rows, "81")
    event = orjson.dumps({"recurrence": [rule], "starts": PARIS}).decode()
    rows.run("UPDATE syncer.link SET event = $1::text::jsonb", event)
    text = explained(terminal)
    assert ("1 series has a rule that cannot be read." in text) is is_told
    assert ("Not read: event81 of meeting 81 (" in text) is is_told
    assert "s3cret" not in text
    assert len(terminal("calendar", "explain", "acme", ANA, "--json").document["standing"]["unread"]) == is_told
