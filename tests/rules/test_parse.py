"""Parse reads what Google says, sets aside what cannot be used, and never fails in another way."""

import json
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syncer.model.calendar import ConferenceSolution, Event, Page, SetAside, Shown, Status, When
from syncer.model.errors import Unreadable
from syncer.rules import block, parse
from tests.rules.builders import ANA, LAW, ZONES, answer, entry, meeting

BODIES = Path(__file__).with_name("bodies")


def body(name: str) -> bytes:
    return (BODIES / f"{name}.json").read_bytes()


def read(raw: bytes) -> Page:
    return parse.page(raw, zones=ZONES)


def read_one(**changes: Any) -> Event:
    found = parse.event(json.dumps(entry(**changes)).encode(), zones=ZONES)
    assert isinstance(found, Event), found
    return found


def documented(name: str) -> Event:
    found = parse.event(body(name), zones=ZONES)
    assert isinstance(found, Event), found
    return found


def test_a_timed_event_with_an_add_ons_conference_is_read_whole() -> None:
    found = documented("timed")
    uris = (
        "https://meet.example.com/j/81234567890?pwd=a1",
        "tel:+41435550100,,81234567890#",
        "https://meet.example.com/dialin/81234567890",
    )
    parameters = (("creatorUserId", "u-17"), ("realMeetingId", "81234567890"))
    assert (found.organizer, found.is_organizer_self, found.has_details) == ("ana@tenant-a.example", True, True)
    assert found.attendee_count == 2
    assert found.created_at == datetime(2026, 11, 10, 8, 2, 11, tzinfo=UTC)
    assert found.starts == When(at=datetime(2026, 11, 25, 9, 0, tzinfo=UTC), time_zone="Europe/Zurich")
    assert found.solution == ConferenceSolution("81234567890", "addOn", "Example Meeting", uris, parameters)
    assert found.shown == Shown(uris[:1], "553311", uris[1:2], "https://meet.example.com/j/81234567890", None)


def test_an_all_day_event_keeps_its_days() -> None:
    found = documented("all_day")
    assert (found.starts, found.ends) == (When(day=date(2026, 12, 3)), When(day=date(2026, 12, 5)))
    assert (found.recurrence, found.recurring_event_id) == ((), None)


def test_a_master_keeps_its_rules() -> None:
    found = documented("master")
    assert found.recurrence == ("RRULE:FREQ=WEEKLY;UNTIL=20270301T080000Z;BYDAY=MO",)


def test_an_exception_names_its_master_and_what_it_replaces() -> None:
    found = documented("exception")
    assert found.recurring_event_id == "7q2e4r6t8u0i1o3p5a7s9d1f3g"
    assert found.original_start == "2026-11-23T08:00:00Z"


def test_what_an_exception_replaces_is_the_same_in_each_zone() -> None:
    elsewhere = {"dateTime": "2026-11-23T17:00:00+09:00"}
    assert read_one(originalStartTime=elsewhere).original_start == documented("exception").original_start


def test_a_last_page_is_read_with_each_kind_of_tombstone() -> None:
    found = read(body("last_page"))
    instance, bare, detailed = found.events
    assert all(one.status is Status.CANCELLED for one in found.events)
    assert [one.has_details for one in found.events] == [False, False, True]
    assert (instance.recurring_event_id is None, bare.recurring_event_id is None) == (False, True)
    assert detailed.is_organizer_self
    assert (found.next_sync_token, found.next_page_token) == ("CJj0uN2K_5EDEJj0uN2K_5EDGAU=", None)
    assert (found.sees_details, found.time_zone, found.set_aside) == (True, "Europe/Zurich", ())


@pytest.mark.parametrize("refusal", json.loads(body("refusals")), ids=lambda refusal: str(refusal["error"]["code"]))
def test_a_refusal_is_no_event(refusal: object) -> None:
    with pytest.raises(Unreadable):
        parse.event(json.dumps(refusal).encode(), zones=ZONES)


NUL = "it holds a NUL or half a character, which cannot be stored or passed on"
HALF = "it starts as an all-day event and ends as a timed one, or the other way round"
SET_ASIDE = [
    pytest.param({"summary": 5}, "Expected `str | null`, got `int` - at `$.summary`", id="a title that is a number"),
    pytest.param({"attendees": "all"}, "Expected `array`, got `str` - at `$.attendees`", id="attendees that are text"),
    pytest.param({"status": "Canary"}, "its value is none that is known - at `$.status`", id="a status of its own"),
    pytest.param({"start": None}, "it has no start or no end", id="no start"),
    pytest.param({"end": None}, "it has no start or no end", id="no end"),
    pytest.param({"end": {"date": "2026-11-25"}}, HALF, id="half a day"),
    pytest.param(
        {"end": {"dateTime": "2026-11-25T08:59:59Z"}}, "it ends before it starts", id="an end before its start"
    ),
    pytest.param(
        {"start": {"date": "2026-11-25"}, "end": {"date": "2026-11-24"}},
        "it ends before it starts",
        id="an end the day before",
    ),
    pytest.param(
        {"start": {"timeZone": "UTC"}},
        "its start cannot be used: a time is either an instant or a day",
        id="a start that is only a zone",
    ),
    pytest.param(
        {"start": {"dateTime": "2026-11-25T10:00:00"}},
        "its start cannot be used: an instant needs an offset",
        id="no offset",
    ),
    pytest.param(
        {"start": {"dateTime": "0001-01-01T00:00:00+14:00"}},
        "its start cannot be used: an instant so far away cannot be told in UTC",
        id="before all time",
    ),
    pytest.param(
        {"created": "2026-11-25T10:00:00"},
        "its creation time cannot be used: an instant needs an offset",
        id="created without an offset",
    ),
    pytest.param(
        {"start": {"dateTime": "soon"}},
        "Invalid RFC3339 encoded datetime - at `$.start.dateTime`",
        id="a time that is none",
    ),
    pytest.param(
        {"start": {"dateTime": "2026-11-25T10:00:00+01:00", "timeZone": "Canary/Moon"}},
        "its start names a time zone that is not known",
        id="an unknown zone",
    ),
    pytest.param({"summary": "Canary\x00"}, NUL, id="NUL in the title"),
    pytest.param({"summary": "Canary\ud800"}, NUL, id="half a character in the title"),
    pytest.param({"description": "Canary\udc00\ud83d"}, NUL, id="halves the wrong way round"),
    pytest.param(
        {"conferenceData": {"parameters": {"addOnParameters": {"parameters": {"Canary": 5}}}}},
        "Expected `str`, got `int` - at `$.conferenceData.parameters.addOnParameters.parameters[...]`",
        id="an add-on parameter that is a number",
    ),
]


@pytest.mark.parametrize(("changes", "reason"), SET_ASIDE)
def test_a_malformed_entry_is_set_aside_and_its_page_goes_on(changes: dict[str, Any], reason: str) -> None:
    found = read(answer(entry("before"), entry("bad", **changes), entry("after")))
    assert [one.event_id for one in found.events] == ["before", "after"]
    assert found.set_aside == (SetAside("bad", '"1"', reason),)
    assert found.next_sync_token == "s2"


NAMELESS = [
    pytest.param(5, "the entry is not a JSON object", id="a number"),
    pytest.param(None, "the entry is not a JSON object", id="null"),
    pytest.param(["e1"], "the entry is not a JSON object", id="a list"),
    pytest.param({}, "it lacks required field `id`", id="an empty object"),
    pytest.param({"id": 5}, "Expected `str`, got `int` - at `$.id`", id="an id that is a number"),
    pytest.param({"id": ""}, "its id has 0 characters, and 1 to 1024 are allowed", id="an empty id"),
    pytest.param(
        {"id": "", "status": "cancelled"}, "its id has 0 characters, and 1 to 1024 are allowed", id="nobody's"
    ),
]


@pytest.mark.parametrize(("bad", "reason"), NAMELESS)
def test_an_entry_without_an_id_is_set_aside(bad: object, reason: str) -> None:
    found = read(answer(bad, entry("good")))
    assert [one.event_id for one in found.events] == ["good"]
    assert found.set_aside == (SetAside("(without an id)", "", reason),)


def test_an_entry_that_is_not_utf_8_is_set_aside_alone() -> None:
    found = read(answer(entry("good"), entry("bad", summary="HERE")).replace(b"HERE", b"\xff\xfe"))
    assert [one.event_id for one in found.events] == ["good"]
    assert found.set_aside == (SetAside("bad", '"1"', "it is not UTF-8 text, or nested too deeply"),)


@pytest.mark.parametrize(("changes", "_reason"), [case for case in SET_ASIDE if "status" not in case.values[0]])  # type: ignore[operator]
def test_a_tombstone_counts_however_malformed_the_rest_of_it_is(changes: dict[str, Any], _reason: str) -> None:
    found = read(answer(entry("gone", **changes, status="cancelled")))
    assert found.set_aside == ()
    assert [(one.event_id, one.is_cancelled) for one in found.events] == [("gone", True)]


def test_a_tombstone_whose_id_cannot_be_stored_is_set_aside() -> None:
    (found,) = read(answer(entry("e\x001", status="cancelled"))).set_aside
    assert found.event_id == "e\ufffd1"


def test_an_emoji_in_halves_that_belong_together_is_whole() -> None:
    raw = rb'{"items": [{"id": "e1", "status": "cancelled", "summary": "\ud83d\ude00"}, {"id": "\ud83d"}]}'
    assert [one.title for one in read(raw).events] == ["\U0001f600"]


def test_half_a_character_in_a_field_that_nobody_reads_harms_nothing() -> None:
    assert not read(answer(entry(colorId="\ud800"))).set_aside


@pytest.mark.parametrize("field", ["nextPageToken", "nextSyncToken"])
def test_a_token_that_cannot_be_stored_makes_the_page_unreadable(field: str) -> None:
    with pytest.raises(Unreadable):
        read(answer(**{field: "s\x003"}))


def test_an_empty_token_is_none() -> None:
    found = read(answer(nextPageToken="", nextSyncToken=""))
    assert (found.next_page_token, found.next_sync_token) == (None, None)


ROLES = [("owner", True), ("writer", True), ("reader", False), ("freeBusyReader", False), (None, False)]


@pytest.mark.parametrize(("role", "sees"), ROLES)
def test_only_those_who_may_write_see_details(role: str | None, sees: bool) -> None:
    assert read(answer(accessRole=role)).sees_details is sees


DETAILS = [
    pytest.param({}, True, id="whole"),
    pytest.param({"organizer": None}, False, id="free/busy"),
    pytest.param({"summary": None, "organizer": None, "visibility": "private"}, False, id="private stub"),
    pytest.param({"status": "cancelled"}, True, id="a tombstone that kept its details"),
    pytest.param({"status": "cancelled", "start": None, "end": None, "organizer": None}, False, id="bare tombstone"),
]


@pytest.mark.parametrize(("changes", "has_details"), DETAILS)
def test_an_event_has_details_when_it_says_when_and_whose_it_is(changes: dict[str, Any], has_details: bool) -> None:
    assert read_one(**changes).has_details is has_details


QUIET = [
    pytest.param({}, True, id="nothing at all"),
    pytest.param({"nextPageToken": "p2"}, False, id="an empty page before others"),
    pytest.param({"items": [entry()]}, False, id="an event"),
    pytest.param({"items": [5]}, False, id="an entry set aside"),
]


@pytest.mark.parametrize(("changes", "is_quiet"), QUIET)
def test_a_page_is_quiet_only_if_nothing_is_to_be_done(changes: dict[str, Any], is_quiet: bool) -> None:
    assert read(answer(**changes)).is_quiet is is_quiet


def test_addresses_are_lower_case() -> None:
    assert read_one(organizer={"email": "Ana@Tenant-A.test"}).organizer == ANA


def test_our_own_block_is_no_part_of_the_description() -> None:
    found = read_one(description=block.join("Agenda", meeting()))
    assert found.description == "Agenda"
    assert found.shown.block == block.text(meeting())


NO_PAGES = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"<html>502 Bad Gateway</html>", id="HTML"),
    pytest.param(answer(entry())[:-9], id="cut off"),
    pytest.param(b"null", id="null"),
    pytest.param(b"[]", id="a list"),
    pytest.param(b'{"items": {}}', id="entries that are no list"),
    pytest.param(b'{"items": [], "nextPageToken": 7}', id="a token that is a number"),
    pytest.param(b'{"items": [' + b"[" * 100_000, id="without an end"),
    pytest.param(b'{"items": [' + b"[" * 5_000 + b"]" * 5_000 + b"]}", id="nested too deeply"),
    pytest.param(b'\xef\xbb\xbf{"items": [], "n": ' + b"1" * 5_000 + b"}", id="a number too long"),
    pytest.param(b"\xff\xfe\x00", id="no text"),
]


@pytest.mark.parametrize("raw", NO_PAGES)
def test_what_is_no_page_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        read(raw)


@pytest.mark.parametrize("raw", [*NO_PAGES, pytest.param(b"{}", id="an object that names no event")])
def test_what_is_no_event_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        parse.event(raw, zones=ZONES)


# Laws

FIELDS = [*entry(), "description", "location", "conferenceData", "attendees", "recurrence", "originalStartTime"]
ODD_TEXT = st.text(st.characters(), max_size=8) | st.sampled_from(
    ["\ud800", "a\x00b", "2026-13-01", "Canary", "cancelled"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | ODD_TEXT
INNER = ["date", "dateTime", "timeZone", "email", "self", "key", "type", "entryPoints", "uri", "parameters"]
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(INNER) | ODD_TEXT, inner, max_size=3),
    max_leaves=8,
)
ENTRIES = st.builds(
    lambda changes: {**entry(), **changes}, st.dictionaries(st.sampled_from(FIELDS), JSON, min_size=1, max_size=3)
)


@LAW
@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
@example(b'{"items": [{"id": "e1", "summary": "\xff"}]}')
@example(b'{"items": [{"id": "\xff"}]}')
def test_no_bytes_raise_anything_but_unreadable(raw: bytes) -> None:
    for parsed in (parse.page, parse.event):
        with suppress(Unreadable):
            parsed(raw, zones=ZONES)


@LAW
@given(st.lists(ENTRIES | JSON, max_size=4), st.integers(0, 400), st.binary(max_size=3))
def test_a_page_with_broken_bytes_raises_nothing_but_unreadable(entries: list[Any], place: int, junk: bytes) -> None:
    whole = answer(*entries)
    with suppress(Unreadable):
        read(whole[:place] + junk + whole[place + len(junk) :])


def is_json(entries: object) -> bool:
    text = json.dumps(entries)
    return not any(word in text for word in ("NaN", "Infinity"))


@LAW
@given(st.lists(ENTRIES | JSON, max_size=4).filter(is_json))
def test_each_entry_of_a_page_is_read_or_set_aside_and_can_be_stored(entries: list[Any]) -> None:
    found = read(answer(*entries))
    assert len(found.events) + len(found.set_aside) == len(entries)
    told = repr(found).encode()  # whatever holds half a character cannot be encoded
    assert b"\\x00" not in told
    assert all(one.event_id for one in found.events)
    assert all(one.event_id for one in found.set_aside)


@LAW
@given(ENTRIES.filter(is_json), st.sampled_from(["summary", "description", "location"]))
def test_a_reason_never_holds_an_events_text(broken: dict[str, Any], field: str) -> None:
    secret = "zq-canary-zq"
    for told in read(answer({**broken, field: [secret]}, {**broken, "status": secret, field: secret})).set_aside:
        assert secret not in told.reason
        assert len(told.reason) <= 200


@LAW
@given(st.lists(ENTRIES.filter(is_json), max_size=3))
def test_the_ladder_reads_the_same_as_the_typed_page(entries: list[Any]) -> None:
    whole = answer(*entries)
    by_entry = answer(*entries, 5)
    assert read(whole).events == read(by_entry).events


@LAW
@given(st.lists(ENTRIES.filter(is_json), max_size=3))
def test_an_event_alone_reads_as_on_its_page(entries: list[Any]) -> None:
    for one in entries:
        page = read(answer(one))
        try:
            alone = parse.event(json.dumps(one).encode(), zones=ZONES)
        except Unreadable:
            assert page.set_aside[0].event_id == "(without an id)"
        else:
            assert (alone,) in (page.events, page.set_aside)
