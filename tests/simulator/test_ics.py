"""Exports come in whole: each entry becomes the event that it was, or is named with the reason why not."""

import random
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from syncer.simulator import ics

ORGANIZER = "ana@example.org"
EXPORTS = Path(__file__).parent / "exports"
REAL_EXPORTS = Path(__file__).parents[2].parent / "shared" / "data"
FOREIGN_ID = "_6d334d9g6h2j0b9k8os3ib9h65236b9p84o46b9g6co3ah9o691j6cpg64"


def _team() -> dict[str, dict[str, Any]]:
    """The events of the fixture by id."""
    return {event["id"]: event for event in ics.read(EXPORTS / "team.ics", organizer=ORGANIZER).events}


def _a_file(folder: Path, *entries: str, head: str = "X-WR-TIMEZONE:Europe/Paris") -> Path:
    path = folder / "a.ics"
    path.write_text("\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", head, *entries, "END:VCALENDAR", ""]))
    return path


def _an_entry(*lines: str, **changes: str | None) -> str:
    """A good entry but for the given lines; None leaves a line out."""
    usual: dict[str, str | None] = {
        "UID": "one@google.com",
        "DTSTART": "20240709T130000Z",
        "DTEND": "20240709T150000Z",
        "DTSTAMP": "20240906T075303Z",
    }
    kept = [f"{name}:{value}" for name, value in (usual | changes).items() if value is not None]
    return "\r\n".join(["BEGIN:VEVENT", *kept, *lines, "END:VEVENT"])


def test_an_export_is_counted_by_kind() -> None:
    export = ics.read(EXPORTS / "team.ics", organizer=ORGANIZER)
    assert (export.time_zone, export.skipped) == ("Europe/Paris", ())
    assert (export.singles, export.masters, export.exceptions, len(export.events)) == (2, 2, 3, 7)


def test_a_single_event_keeps_all_that_the_export_says() -> None:
    event = _team()["single0"]
    assert event["start"] == {"dateTime": "2024-07-09T15:00:00+02:00", "timeZone": "Europe/Paris"}
    assert event["end"] == {"dateTime": "2024-07-09T17:00:00+02:00", "timeZone": "Europe/Paris"}
    assert (event["iCalUID"], event["status"], event["sequence"]) == ("single0@google.com", "tentative", 2)
    assert (event["created"], event["updated"]) == ("2023-11-30T08:21:52.000Z", "2023-12-19T10:14:03.000Z")
    assert (event["summary"], event["location"]) == ("Design review", "Room 1")
    assert event["description"] == "First line\nsecond, with a comma"
    assert (event["transparency"], event["visibility"]) == ("transparent", "private")
    assert event["organizer"] == event["creator"] == {"email": ORGANIZER, "self": True}
    assert "recurrence" not in event


def test_guests_come_with_their_answers() -> None:
    bo, ana = _team()["single0"]["attendees"]
    assert bo == {"email": "bo@example.org", "displayName": "Bo, Team B", "responseStatus": "accepted"}
    assert ana["responseStatus"] == "needsAction"
    assert ana["self"] is ana["organizer"] is ana["optional"] is True


def test_a_meet_link_becomes_googles_own_conference() -> None:
    event = _team()["single0"]
    conference = event["conferenceData"]
    assert conference["conferenceSolution"]["key"] == {"type": "hangoutsMeet"}
    assert conference["conferenceId"] == "abc-defg-hij"
    assert conference["entryPoints"][0]["uri"] == event["hangoutLink"] == "https://meet.google.com/abc-defg-hij"


def test_an_all_day_event_keeps_its_dates_and_an_unreadable_stamp_is_made_up_for() -> None:
    event = _team()["allday0"]
    assert (event["start"], event["end"]) == ({"date": "2024-03-01"}, {"date": "2024-03-03"})
    assert event["created"] == event["updated"] == "2024-01-05T09:45:08.000Z"
    assert "transparency" not in event


def test_a_master_keeps_its_lines_word_for_word() -> None:
    events = _team()
    assert events["series0"]["recurrence"] == [
        "RRULE:FREQ=WEEKLY;WKST=MO;UNTIL=20240123T225959Z;INTERVAL=2;BYDAY=WE",
        "EXDATE;TZID=Europe/Paris:20240117T140000",
    ]
    assert events["series0_R20240124T130000"]["recurrence"] == ["RRULE:FREQ=WEEKLY;WKST=MO;BYDAY=WE"]


def test_an_exception_names_its_series_and_its_first_place() -> None:
    event = _team()["series0_20240110T130000Z"]
    assert event["recurringEventId"] == "series0"
    assert event["originalStartTime"] == {"dateTime": "2024-01-10T14:00:00+01:00", "timeZone": "Europe/Paris"}
    assert event["start"]["dateTime"] == "2024-01-11T10:00:00+01:00"
    assert (event["iCalUID"], "recurrence" in event) == ("series0@google.com", False)


def test_a_cancelled_occurrence_comes_as_one() -> None:
    event = _team()["series0_R20240124T130000_20240703T120000Z"]
    assert (event["status"], event["recurringEventId"]) == ("cancelled", "series0_R20240124T130000")


def test_an_occurrence_without_its_series_stands_and_a_foreign_uid_is_spelt_as_google_does() -> None:
    event = _team()[f"{FOREIGN_ID}_20240505"]
    assert event["recurringEventId"] == FOREIGN_ID
    assert event["originalStartTime"] == {"date": "2024-05-05"}
    assert event["iCalUID"] == "3F2504E0-4F89-11D3-9A0C-0305E82C3301"


BAD_ENTRIES = {
    "it has no DTSTART": _an_entry(DTSTART=None),
    "it has no UID": _an_entry(UID=None),
    "it is cancelled": _an_entry(STATUS="CANCELLED"),
    "its STATUS is none that Google knows": _an_entry(STATUS="PERHAPS"),
    "its DTSTART cannot be read": _an_entry(DTSTART="soon"),
    "its SEQUENCE cannot be read": _an_entry(SEQUENCE="many"),
    "its lines cannot be read": _an_entry("no colon"),
    "it ends before it starts": _an_entry(DTEND="20240709T120000Z"),
    "its DTSTART and DTEND are not of one kind": _an_entry("DTEND;VALUE=DATE:20240709", DTEND=None),
    "it names a time zone that is not known": _an_entry("DTSTART;TZID=Mars/Olympus:20240709T130000", DTSTART=None),
    "one of its times is neither a date nor an instant": _an_entry("RECURRENCE-ID;VALUE=TIME:130000"),
    "one of its times lies beyond the years 1 to 9999": _an_entry(
        "DTSTART;TZID=Europe/Paris:00010101T000000", DTSTART=None
    ),
    "its DURATION gives no end": _an_entry("DURATION:P9999999D", DTEND=None),
    "its RECURRENCE-ID stands for more than one occurrence": _an_entry(
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20240709T130000Z"
    ),
    "it has more than one UID": _an_entry("UID:two@google.com"),
    "it does not say when it was made or changed": _an_entry(DTSTAMP=None),
    "it has no END:VEVENT of its own": _an_entry().replace("END:VEVENT", "END:VTODO"),
    "it is not a VEVENT": _an_entry().replace("VEVENT", "VTODO"),
}


@pytest.mark.parametrize(("reason", "entry"), BAD_ENTRIES.items(), ids=BAD_ENTRIES)
def test_what_cannot_be_imported_is_named_and_the_rest_goes_on(reason: str, entry: str, tmp_path: Path) -> None:
    good = _an_entry(UID="good@google.com")
    export = ics.read(_a_file(tmp_path, entry, good), organizer=ORGANIZER)
    (skipped,) = export.skipped
    assert (skipped.reason, skipped.uid) == (reason, "" if "no UID" in reason else "one@google.com")
    assert [event["id"] for event in export.events] == ["good"]


def test_the_first_of_two_entries_with_one_id_stands(tmp_path: Path) -> None:
    path = _a_file(tmp_path, _an_entry(SUMMARY="First"), _an_entry(SUMMARY="Second"))
    export = ics.read(path, organizer=ORGANIZER)
    assert [event["summary"] for event in export.events] == ["First"]
    assert export.skipped == (ics.Skipped("one@google.com", "an earlier entry has the same id"),)


@pytest.mark.parametrize(
    ("lines", "end"),
    [
        pytest.param(["DTSTART:20240709T130000Z", "DURATION:PT45M"], "2024-07-09T15:45:00+02:00", id="a duration"),
        pytest.param(["DTSTART:20240709T130000Z"], "2024-07-09T15:00:00+02:00", id="an instant alone"),
        pytest.param(["DTSTART;VALUE=DATE:20240709"], "2024-07-10", id="a day alone"),
        pytest.param(["DTSTART;VALUE=DATE:20240709", "DURATION:P2D"], "2024-07-11", id="two days"),
    ],
)
def test_an_entry_without_dtend_still_ends(lines: list[str], end: str, tmp_path: Path) -> None:
    entry = _an_entry(*lines, DTSTART=None, DTEND=None)
    (event,) = ics.read(_a_file(tmp_path, entry), organizer=ORGANIZER).events
    assert end in event["end"].values()


def test_a_time_without_a_zone_stands_in_the_calendars(tmp_path: Path) -> None:
    entry = _an_entry(DTSTART="20240109T130000", DTEND="20240109T140000")
    (event,) = ics.read(_a_file(tmp_path, entry), organizer=ORGANIZER).events
    assert event["start"] == {"dateTime": "2024-01-09T13:00:00+01:00", "timeZone": "Europe/Paris"}


def test_a_conference_that_is_not_googles_is_an_add_ons(tmp_path: Path) -> None:
    entry = _an_entry("X-GOOGLE-CONFERENCE:https://video.example.org/j/77")
    (event,) = ics.read(_a_file(tmp_path, entry), organizer=ORGANIZER).events
    assert event["conferenceData"]["conferenceSolution"] == {"key": {"type": "addOn"}, "name": "video.example.org"}
    assert (event["conferenceData"]["conferenceId"], "hangoutLink" in event) == ("77", False)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"hello", "does not begin with BEGIN:VCALENDAR", id="text"),
        pytest.param(b"", "does not begin with BEGIN:VCALENDAR", id="nothing"),
        pytest.param(b"BEGIN:VCALENDAR\r\n\xff", "not UTF-8", id="bytes"),
        pytest.param(b"BEGIN:VCALENDAR\r\nX-WR-TIMEZONE:Mars\r\n", "X-WR-TIMEZONE", id="an unknown zone"),
    ],
)
def test_a_file_that_is_no_export_is_refused_by_name(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "other.txt"
    path.write_bytes(content)
    with pytest.raises(ics.NotAnExport, match=reason) as refused:
        ics.read(path, organizer=ORGANIZER)
    assert str(path) in str(refused.value)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ics.NotAnExport, match="cannot be opened"):
        ics.read(tmp_path / "missing.ics", organizer=ORGANIZER)


def test_the_earliest_start_is_found_over_all_exports(tmp_path: Path) -> None:
    team = ics.read(EXPORTS / "team.ics", organizer=ORGANIZER)
    day = _an_entry("DTSTART;VALUE=DATE:20230601", DTSTART=None, DTEND=None)
    other = ics.read(_a_file(tmp_path, day), organizer=ORGANIZER)
    assert ics.earliest_at([team]) == datetime(2024, 1, 10, 13, tzinfo=UTC)
    assert ics.earliest_at([team, other]) == datetime(2023, 5, 31, 22, tzinfo=UTC)
    with pytest.raises(ValueError, match="no event"):
        ics.earliest_at([])


@pytest.mark.parametrize("seed", range(40))
def test_a_mutilated_export_is_read_or_refused(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    lines = (EXPORTS / "team.ics").read_text().splitlines()
    junk = ["", "x", "00010101T000000", "99991231T235959Z", "END:VEVENT", "BEGIN:VEVENT", "P9999999D", "\x00", ";"]
    for _ in range(12):
        place = chance.randrange(len(lines))
        name = lines[place].partition(":")[0]
        lines[place] = chance.choice([f"{name}:{chance.choice(junk)}", lines[place].replace(":", ";"), ""])
    path = tmp_path / "mutilated.ics"
    path.write_text("\n".join(["BEGIN:VCALENDAR", *lines[1:]]))
    try:
        export = ics.read(path, organizer=ORGANIZER)
    except ics.NotAnExport:
        return
    assert len(export.events) == export.singles + export.masters + export.exceptions
    assert not export.events or ics.earliest_at([export]).tzinfo is UTC


@pytest.mark.skipif(not REAL_EXPORTS.is_dir(), reason="the real exports are not beside this repository")
def test_the_real_exports_read_completely() -> None:
    exports = [ics.read(path, organizer=ORGANIZER) for path in sorted(REAL_EXPORTS.glob("real-google-export-*.ics"))]
    events = [event for export in exports for event in export.events]
    counts = Counter(singles=0)
    for export in exports:
        counts.update(singles=export.singles, masters=export.masters, exceptions=export.exceptions)
    assert [(export.time_zone, len(export.events), export.skipped) for export in exports] == [
        ("Europe/Paris", 677, ()),
        ("Europe/Berlin", 64, ()),
    ]
    assert counts == {"singles": 444, "masters": 105, "exceptions": 192}
    assert ics.earliest_at(exports) == datetime(2017, 6, 29, 17, tzinfo=UTC)
    _check_series(events)
    _check_meet_links(events)


def _check_series(events: list[dict[str, Any]]) -> None:
    ids = {event["id"] for event in events}
    missing = [event["recurringEventId"] for event in events if event.get("recurringEventId", "") not in {"", *ids}]
    rules = [line for event in events for line in event.get("recurrence", []) if line.startswith("RRULE:")]
    assert (len(missing), len(set(missing))) == (8, 5)
    assert sum("UNTIL=" not in rule and "COUNT=" not in rule for rule in rules) == 21


def _check_meet_links(events: list[dict[str, Any]]) -> None:
    linked = [event for event in events if "conferenceData" in event]
    single = [event for event in linked if not {"recurrence", "recurringEventId"} & event.keys()]
    assert (len(linked), len(single)) == (23, 5)
