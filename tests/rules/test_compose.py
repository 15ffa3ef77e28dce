"""How a meeting should be, what is called for it, and how its events come to show it."""

from datetime import UTC, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from syncer.model.calendar import Event, Link, Shown, When
from syncer.model.conference import Change, ChangeKind, Conference, Meeting, Wanted
from syncer.rules import block, compose
from tests.rules.builders import (
    LAW,
    MEETING_ID,
    NEW_URL,
    NOW,
    OTHER_ID,
    TODAY,
    URL,
    at,
    conference,
    event,
    link,
    meeting,
    on,
    solution,
    wanted,
)

LADDER = ("conferenceData", "location", "description")
ALL = (
    *("title", "description", "starts", "ends", "time_zone", "organizer", "attendee_count"),
    *("recurrence", "overrides", "further"),
)
TOLD_IN_PARIS = When(at=at(1).at.astimezone(timezone(timedelta(hours=1))), time_zone="Europe/Paris")  # type: ignore[union-attr]


def test_a_meeting_is_wanted_as_its_event_is() -> None:
    own = event(description="Agenda", starts=at(1, time_zone="Europe/Paris"))
    assert compose.wanted(own) == wanted(
        description="Agenda", starts=at(1, time_zone="Europe/Paris"), time_zone="Europe/Paris"
    )


@pytest.mark.parametrize("hidden", [{"starts": None}, {"ends": None}], ids=["no start", "no end"])
def test_an_event_without_times_wants_nothing(hidden: dict[str, Any]) -> None:
    assert compose.wanted(event(**hidden)) is None


def test_what_we_show_guests_is_no_part_of_what_is_wanted() -> None:
    assert compose.wanted(event(shown=Shown(location=NEW_URL, block="Join: x"))) == compose.wanted(event())


CHANGES = [
    pytest.param(wanted(), wanted(), (), id="the same"),
    pytest.param(wanted(), None, ALL, id="nothing is held"),
    pytest.param(wanted(starts=TOLD_IN_PARIS), wanted(), (), id="the same instant in another zone"),
    pytest.param(wanted(starts=at(1.5)), wanted(), ("starts",), id="another instant"),
    pytest.param(wanted(starts=on("2026-11-20")), wanted(), ("starts",), id="made all-day"),
    pytest.param(wanted(time_zone="Europe/Paris"), wanted(), ("time_zone",), id="another zone"),
    pytest.param(wanted(title=None), wanted(), ("title",), id="no title any more"),
    pytest.param(wanted(title="B", attendee_count=3), wanted(), ("title", "attendee_count"), id="two fields"),
]


@pytest.mark.parametrize(("aim", "held", "names"), CHANGES)
def test_what_differs_is_named(aim: Wanted, held: Wanted | None, names: tuple[str, ...]) -> None:
    assert compose.changed(aim, held) == names


CUT = wanted(title="Design")
THEIRS = wanted(title="Renamed there")
HELD = [
    pytest.param(conference(), meeting(holds=wanted()), wanted(), id="as we left it"),
    pytest.param(conference(), meeting(), wanted(), id="the provider does not say"),
    pytest.param(conference(), meeting(holds=THEIRS), THEIRS, id="changed there"),
    pytest.param(conference(meeting=meeting(holds=CUT)), meeting(holds=CUT), wanted(), id="it could not hold all"),
    pytest.param(conference(meeting=meeting(holds=CUT)), meeting(holds=wanted()), wanted(), id="it holds all by now"),
    pytest.param(conference(meeting=meeting(holds=CUT)), meeting(holds=THEIRS), THEIRS, id="cut, then changed there"),
    pytest.param(conference(meeting=None, applied=None), meeting(holds=THEIRS), THEIRS, id="never touched by us"),
    pytest.param(conference(meeting=None, applied=None), meeting(), None, id="nothing known"),
    pytest.param(conference(is_in_doubt=True), meeting(holds=THEIRS), THEIRS, id="in doubt, it says"),
    pytest.param(conference(is_in_doubt=True), meeting(), None, id="in doubt, it does not say"),
    pytest.param(
        conference(is_in_doubt=True, meeting=meeting(holds=CUT)), meeting(holds=CUT), CUT, id="in doubt, as before"
    ),
]


@pytest.mark.parametrize(("ours", "read", "counts"), HELD)
def test_a_meeting_read_back_counts_as_it_was_left_unless_it_changed(
    ours: Conference, read: Meeting, counts: Wanted | None
) -> None:
    assert compose.held(ours, read) == counts


NOT_HELD = [
    pytest.param(meeting(holds=wanted()), (), id="it holds all"),
    pytest.param(meeting(), (), id="it does not say"),
    pytest.param(meeting(holds=CUT), ("title",), id="a title cut short"),
    pytest.param(meeting(holds=wanted(starts=TOLD_IN_PARIS)), (), id="an instant said otherwise"),
    pytest.param(meeting(holds=wanted(recurrence=("RRULE:FREQ=DAILY",))), ("recurrence",), id="a rule of its own"),
]


@pytest.mark.parametrize(("left", "names"), NOT_HELD)
def test_what_a_provider_does_not_hold_is_named(left: Meeting, names: tuple[str, ...]) -> None:
    assert compose.not_held(wanted(), left) == names


SPOILT = [
    pytest.param({}, False, id="dropped without a word"),
    pytest.param({"description": "----- MEETING -----"}, True, id="made a text of its own"),
    pytest.param({"shown": Shown(block="Join: old")}, False, id="ours, but not as we said it"),
]


@pytest.mark.parametrize(("changes", "is_spoilt"), SPOILT)
def test_lines_that_became_the_users_text_are_not_written_again(changes: dict[str, Any], is_spoilt: bool) -> None:
    assert compose.is_spoilt(event(**changes), event()) is is_spoilt


def test_without_our_block_an_event_has_its_users_text_alone() -> None:
    assert compose.without_block(event(description="Cake ")).body == (("description", "Cake "),)
    assert compose.without_block(event(shown=Shown(block="Join: x"))).body == (("description", ""),)


def test_a_zone_told_otherwise_is_no_drift() -> None:
    told = wanted(starts=TOLD_IN_PARIS)
    assert compose.held(conference(), meeting(holds=told)) == conference().applied


# Calls


def test_an_update_sends_the_whole_state_and_what_is_new_in_it() -> None:
    change = compose.update(conference(), "acme", wanted(title="B"))
    assert change == Change(
        ChangeKind.UPDATE, "acme", MEETING_ID, 3, change.key, changed=("title",), wanted=wanted(title="B")
    )


def test_a_deletion_and_a_reading_send_no_state() -> None:
    for change in (compose.deletion(conference(), "acme"), compose.reading(conference(), "acme", NOW)):
        assert (change.wanted, change.changed, change.revision) == (None, (), 3)


def test_a_replaced_meeting_is_called_by_its_new_id() -> None:
    replaced = conference(meeting=Meeting(OTHER_ID))
    assert compose.deletion(replaced, "acme").meeting_id == OTHER_ID
    assert compose.deletion(conference(meeting=None), "acme").meeting_id == MEETING_ID


def keys(ours: Conference) -> list[str]:
    calls = (
        compose.update(ours, "acme", wanted()),
        compose.deletion(ours, "acme"),
        compose.reading(ours, "acme", NOW),
        compose.reading(ours, "acme", NOW + timedelta(milliseconds=1)),
    )
    return [call.key for call in calls]


def test_a_retry_sends_the_same_key_whoever_sends_it() -> None:
    retried = conference(failures=4, is_in_doubt=True, applied=None, meeting=None)
    assert keys(retried) == keys(conference())
    assert compose.update(retried, "acme", wanted(title="B")).key == keys(conference())[0]


def test_each_version_kind_and_conference_has_a_key_of_its_own() -> None:
    others = [conference(), conference(wanted_version=4), conference(conference_id=8), conference(tenant_id=2)]
    found = [one for ours in others for one in keys(ours)]
    assert len(set(found)) == len(found) == 16
    assert all(len(one) <= 64 for one in found)


# What events show

NUMBERS = ("+41 43 555 01 00", "tel:+41435550101")
SHOWN = [
    pytest.param(Shown((URL,)), meeting(), True, id="the address"),
    pytest.param(Shown(), meeting(), False, id="no address"),
    pytest.param(Shown((URL,)), meeting(join_url=NEW_URL), False, id="an old address"),
    pytest.param(Shown((URL, NEW_URL)), meeting(join_url=NEW_URL), True, id="one of two addresses"),
    pytest.param(Shown(location=URL), meeting(), True, id="the address as the place"),
    pytest.param(Shown(location=f"Room 5, {URL}"), meeting(), False, id="the address within a place"),
    pytest.param(Shown(), Meeting(MEETING_ID), True, id="nothing to show"),
    pytest.param(Shown((URL,), "1"), meeting(passcode="1"), True, id="the passcode"),
    pytest.param(Shown((URL,), "1"), meeting(passcode="2"), False, id="an old passcode"),
    pytest.param(Shown((URL,), "1"), meeting(), True, id="a passcode that is not asked for"),
    pytest.param(Shown((URL,), None, ("tel:+1,,8#", "tel:+2")), meeting(dial_in=("+1", "+2")), True, id="the numbers"),
    pytest.param(Shown((URL,), None, ("tel:+1",)), meeting(dial_in=("+1", "+2")), False, id="a number is missing"),
    pytest.param(Shown((URL,), None, ("tel:+41435550100",)), meeting(dial_in=NUMBERS[:1]), True, id="a number spaced"),
    pytest.param(Shown(block=block.text(meeting())), meeting(), True, id="our block"),
    pytest.param(Shown((URL,), block="Join: old"), meeting(), False, id="the address, but an old block"),
    pytest.param(Shown((URL,), block=""), meeting(), False, id="the address, but an empty block"),
]


@pytest.mark.parametrize(("shown", "told", "is_shown"), SHOWN)
def test_guests_are_shown_the_way_in(shown: Shown, told: Meeting, is_shown: bool) -> None:
    assert compose.is_shown(event(shown=shown), told) is is_shown


def rungs(ours: Link, told: Meeting, ladder: tuple[str, ...] = LADDER) -> list[str]:
    return [patch.rung for patch in compose.patches(ours, told, ladder)]


def showing(rung: str | None = None, **shown: Any) -> Link:
    return link(event(description="Agenda", shown=Shown(**{"join_urls": (URL,), **shown})), rung=rung)


MOVED = meeting(join_url=NEW_URL)
LADDERS = [
    pytest.param(showing(), meeting(), LADDER, [], id="nothing to say"),
    pytest.param(
        link(event(solution=solution(uris=(URL, "sip:1@meet.example.org")), shown=Shown((URL,)))),
        MOVED,
        LADDER,
        ["location", "description"],
        id="ways in that we cannot tell again",
    ),
    pytest.param(showing(), MOVED, LADDER, list(LADDER), id="a new address"),
    pytest.param(showing(), MOVED, ("description",), ["description"], id="what the tenant allows"),
    pytest.param(showing(), MOVED, (), [], id="the tenant allows nothing"),
    pytest.param(showing("none"), MOVED, LADDER, [], id="no way works"),
    pytest.param(showing("location"), MOVED, LADDER, ["location", "description"], id="the rung that worked"),
    pytest.param(showing("description"), MOVED, LADDER, ["description"], id="the last rung worked"),
    pytest.param(showing("location"), MOVED, ("description",), ["description"], id="that rung is not allowed now"),
    pytest.param(showing(location="Room 5"), MOVED, LADDER, ["conferenceData", "description"], id="the user's place"),
    pytest.param(showing("location", location="Room 5"), MOVED, LADDER, ["description"], id="the user's place since"),
    pytest.param(showing(location=URL), MOVED, LADDER, list(LADDER), id="a place that is the shown address"),
    pytest.param(
        showing("location", join_urls=("https://meet.example.org/j/1",), location=URL),
        MOVED,
        LADDER,
        ["location", "description"],
        id="what we wrote there before",
    ),
    pytest.param(showing(), meeting(passcode="1"), LADDER, ["conferenceData", "description"], id="a new passcode"),
    pytest.param(
        showing(passcode="1"), structs.replace(MOVED, passcode="1"), LADDER, list(LADDER), id="the passcode is shown"
    ),
    pytest.param(showing(), meeting(dial_in=("+1",)), LADDER, ["conferenceData", "description"], id="a new number"),
    pytest.param(showing(), Meeting("8", None, "1"), LADDER, ["description"], id="a passcode without an address"),
    pytest.param(showing(block="Join: old"), MOVED, LADDER, ["description"], id="our block stands already"),
    pytest.param(showing(block="Join: old"), MOVED, ("location",), ["description"], id="... and must not go stale"),
]


@pytest.mark.parametrize(("ours", "told", "ladder", "ways"), LADDERS)
def test_the_ladder_is_gone_down_from_what_worked(
    ours: Link, told: Meeting, ladder: tuple[str, ...], ways: list[str]
) -> None:
    assert rungs(ours, told, ladder) == ways


def test_each_rung_patches_its_own_field_alone() -> None:
    bodies = {patch.rung: dict(patch.body) for patch in compose.patches(showing(), MOVED, LADDER)}
    assert bodies["location"] == {"location": NEW_URL}
    assert bodies["description"] == {"description": block.join("Agenda", MOVED)}
    assert list(bodies["conferenceData"]) == ["conferenceData"]


def test_conference_data_keeps_its_solution_and_says_all() -> None:
    told = meeting(passcode="1", dial_in=NUMBERS)
    (patch, *_) = compose.patches(showing(), told, LADDER)
    assert dict(patch.body)["conferenceData"] == {
        "conferenceId": MEETING_ID,
        "conferenceSolution": {"key": {"type": "addOn"}, "name": "Example Meeting"},
        "entryPoints": [
            {"entryPointType": "video", "uri": URL, "passcode": "1"},
            {"entryPointType": "phone", "uri": "tel:+41435550100"},
            {"entryPointType": "phone", "uri": "tel:+41435550101"},
        ],
        "parameters": {"addOnParameters": {"parameters": {}}},
    }


LEFT = [
    pytest.param(link(), 5, id="none yet"),
    pytest.param(link(write_backs=2, write_backs_on=TODAY), 3, id="two today"),
    pytest.param(link(write_backs=5, write_backs_on=TODAY), 0, id="all of them"),
    pytest.param(link(write_backs=9, write_backs_on=TODAY), 0, id="more than all"),
    pytest.param(link(write_backs=9, write_backs_on=TODAY - timedelta(days=1)), 5, id="yesterday"),
]


@pytest.mark.parametrize(("ours", "left"), LEFT)
def test_write_backs_are_counted_by_the_day(ours: Link, left: int) -> None:
    assert compose.write_backs_left(ours, TODAY) == left


# Laws

TEXTS = st.none() | st.sampled_from(["", "Room 5", URL, NEW_URL, "1"])
NUMBER_LISTS = st.lists(st.sampled_from(["+1", "tel:+1,,8#", "+41 43"]), max_size=2).map(tuple)
ADDRESSES, PASSCODES = st.sampled_from([None, URL, NEW_URL]), st.sampled_from([None, "1"])
MEETINGS = st.builds(Meeting, st.just(MEETING_ID), ADDRESSES, PASSCODES, NUMBER_LISTS)
URL_LISTS = st.lists(st.sampled_from([URL, NEW_URL]), max_size=2).map(tuple)
SHOWNS = st.builds(Shown, URL_LISTS, TEXTS, NUMBER_LISTS, TEXTS, st.none() | MEETINGS.map(block.text))
EVENTS = st.builds(event, shown=SHOWNS, description=TEXTS, solution=st.sampled_from([None, solution()]))
RUNGS = st.sampled_from([None, *LADDER])
LADDERS_OF_TENANTS = st.permutations(LADDER).flatmap(
    lambda all_: st.integers(0, 3).map(lambda size: tuple(all_[:size]))
)


def patched(before: Event, patch: compose.Patch) -> Event:
    """The event after a patch that was taken as sent."""
    body: dict[str, Any] = dict(patch.body)
    if "description" in body:
        own, lines = block.split(body["description"])
        return structs.replace(before, description=own, shown=structs.replace(before.shown, block=lines))
    if "location" in body:
        return structs.replace(before, shown=structs.replace(before.shown, location=body["location"]))
    points = body["conferenceData"]["entryPoints"]
    videos, phones = ([one for one in points if one["entryPointType"] == kind] for kind in ("video", "phone"))
    passcode = next((one["passcode"] for one in videos if "passcode" in one), None)
    shown = Shown(tuple(one["uri"] for one in videos), passcode, tuple(one["uri"] for one in phones))
    return structs.replace(
        before, shown=structs.replace(shown, location=before.shown.location, block=before.shown.block)
    )


@LAW
@given(EVENTS, MEETINGS, RUNGS, LADDERS_OF_TENANTS)
def test_a_patch_that_is_taken_shows_the_meeting_and_needs_no_other(
    before: Event, told: Meeting, rung: str | None, ladder: tuple[str, ...]
) -> None:
    for patch in compose.patches(link(before, rung=rung), told, ladder):
        after = patched(before, patch)
        assert compose.is_shown(after, told)
        assert list(compose.patches(link(after, rung=patch.rung), told, ladder)) == []


@LAW
@given(EVENTS, MEETINGS, RUNGS, LADDERS_OF_TENANTS)
def test_no_patch_changes_what_a_meeting_is_wanted_to_be(
    before: Event, told: Meeting, rung: str | None, ladder: tuple[str, ...]
) -> None:
    for patch in compose.patches(link(before, rung=rung), told, ladder):
        own = structs.replace(before, description=before.description or None)
        assert compose.wanted(patched(before, patch)) in (compose.wanted(before), compose.wanted(own))


@LAW
@given(EVENTS, MEETINGS, RUNGS, LADDERS_OF_TENANTS)
def test_a_place_that_the_user_wrote_is_never_overwritten(
    before: Event, told: Meeting, rung: str | None, ladder: tuple[str, ...]
) -> None:
    if before.shown.location == "Room 5":
        assert "location" not in rungs(link(before, rung=rung), told, ladder)


WANTED = st.builds(
    wanted,
    title=TEXTS,
    starts=st.sampled_from([at(1), TOLD_IN_PARIS, at(2), on("2026-11-20")]),
    time_zone=st.sampled_from([None, "Europe/Paris"]),
    attendee_count=st.integers(0, 2),
)


@LAW
@given(WANTED, WANTED)
def test_differing_is_mutual_and_nothing_differs_from_itself(one: Wanted, other: Wanted) -> None:
    assert compose.changed(one, one) == ()
    assert compose.changed(one, other) == compose.changed(other, one)
    assert set(compose.changed(one, other)) <= set(ALL)


def test_instants_in_any_offset_are_the_same() -> None:
    assert TOLD_IN_PARIS.at == at(1).at
    assert TOLD_IN_PARIS.at is not None
    assert TOLD_IN_PARIS.at.tzinfo is not UTC
