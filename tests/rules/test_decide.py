"""What an entry means for its link, which link drives, and when a meeting may go."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from syncer.model.calendar import Event, Link, Matcher, Policy, Shown, Status, When
from syncer.rules import block, decide, match
from syncer.rules.decide import Drop, Farewell, Note, Pass, Put, Removals
from tests.rules.builders import (
    ADD_ON,
    ANA,
    BO,
    LAW,
    MEETING_ID,
    NEW_URL,
    NOW,
    OTHER_ID,
    URL,
    at,
    calendar,
    event,
    key,
    link,
    meeting,
    on,
    policy,
    sight,
    solution,
    tombstone,
)

INSTANCE = tombstone(recurring_event_id="m1", original_start="2026-11-23T08:00:00Z")
MASTER = event(recurrence=("RRULE:FREQ=DAILY",))
EXCEPTION = event(recurring_event_id="m1", original_start="2026-11-23T08:00:00Z")
BEGUN_LONG_AGO = event(starts=at(-24 * 30), ends=at(-24 * 30 + 1), recurrence=("RRULE:FREQ=DAILY",))
FINISHED = structs.replace(BEGUN_LONG_AGO, recurrence=("RRULE:FREQ=DAILY;COUNT=5",))
UNREADABLE = structs.replace(BEGUN_LONG_AGO, recurrence=("RRULE:FREQ=SECONDLY",))
BOS = event(organizer=BO, is_organizer_self=False)
MEET = solution("aaa-bbbb-ccc", key_type="hangoutsMeet", name="Google Meet")
GUEST = Note("e1", "guest", '"1"', "a guest's copy: its organizer's calendar decides")
DELETED = Drop("e1", "the event was deleted, or moved away")
SWAPPED = Drop("e1", "the event refers to another conference now, or to none")
MOVED = Drop("e1", "another calendar organizes the event now")
DETACHED = Drop("e1", "the tenant's matchers changed", is_detaching=True)
UNSEEN = sight(sees_details=False)
REPINNED = sight(is_repinned=True)
BY_ADDRESS = structs.replace(BOS, organizer=ANA)
OTHER = event(solution=solution(OTHER_ID))
AT_EDGE = event(ends=at(-24))
OLD = event(starts=at(-26), ends=at(-25))

LADDER = [
    pytest.param(tombstone(), link(), sight(), DELETED, id="tombstone of a link"),
    pytest.param(tombstone(), None, sight(), Pass("e1"), id="tombstone of nothing"),
    pytest.param(event(status=Status.CANCELLED), link(), sight(), DELETED, id="tombstone with details"),
    pytest.param(tombstone(), link(), UNSEEN, DELETED, id="tombstone where nothing else is seen"),
    pytest.param(INSTANCE, None, sight(), Pass("e1"), id="cancelled instance"),
    pytest.param(INSTANCE, link(), sight(), DELETED, id="cancelled instance that has a link of its own"),
    pytest.param(MASTER, None, sight(), Put(MASTER, MEETING_ID, True, True), id="master"),
    pytest.param(EXCEPTION, None, sight(), Put(EXCEPTION, MEETING_ID, True, True), id="exception"),
    pytest.param(MASTER, link(), sight(), Put(MASTER, MEETING_ID, True, True), id="single event made a series"),
    pytest.param(structs.replace(MASTER, solution=None), link(), sight(), SWAPPED, id="... without its meeting"),
    pytest.param(BEGUN_LONG_AGO, None, sight(), Put(BEGUN_LONG_AGO, MEETING_ID, True, True), id="endless"),
    pytest.param(decide.with_end(FINISHED, sight()), None, sight(), Pass("e1"), id="a series that is over"),
    pytest.param(UNREADABLE, None, sight(), Put(UNREADABLE, MEETING_ID, True, True), id="a rule nobody can read"),
    pytest.param(structs.replace(MASTER, solution=None), None, sight(), Pass("e1"), id="series without a meeting"),
    pytest.param(structs.replace(EXCEPTION, solution=MEET), None, sight(), Pass("e1"), id="series of others"),
    pytest.param(event(solution=None), link(), UNSEEN, Pass("e1"), id="narrowed access"),
    pytest.param(event(), None, UNSEEN, Pass("e1"), id="narrowed access starts nothing"),
    pytest.param(event(solution=None, has_details=False), link(), sight(), Pass("e1"), id="private stub or free/busy"),
    pytest.param(BOS, None, sight(), GUEST, id="guest's copy"),
    pytest.param(structs.replace(BOS, solution=None), None, sight(), Pass("e1"), id="guest's copy without a meeting"),
    pytest.param(BOS, link(), sight(), MOVED, id="organizer changed"),
    pytest.param(BY_ADDRESS, None, sight(), Put(BY_ADDRESS, MEETING_ID, True, True), id="own by address alone"),
    pytest.param(event(solution=None), link(), sight(), SWAPPED, id="conference taken away"),
    pytest.param(event(solution=MEET), link(), sight(), SWAPPED, id="swapped for a foreign one"),
    pytest.param(event(solution=MEET), link(), REPINNED, DETACHED, id="matchers changed"),
    pytest.param(event(solution=None), link(), REPINNED, SWAPPED, id="matchers changed, but it has no conference"),
    pytest.param(event(solution=MEET), None, sight(), Pass("e1"), id="a foreign conference"),
    pytest.param(event(), None, sight(), Put(event(), MEETING_ID, True, True), id="a new link"),
    pytest.param(OTHER, link(), sight(), Put(OTHER, OTHER_ID, True, True), id="swapped for another of ours"),
    pytest.param(OLD, None, sight(), Pass("e1"), id="outside the window"),
    pytest.param(OLD, link(), sight(), Put(OLD, MEETING_ID, True, True), id="outside the window, but known"),
    pytest.param(AT_EDGE, None, sight(), Put(AT_EDGE, MEETING_ID, True, True), id="at the window's edge"),
]


@pytest.mark.parametrize(("read", "known", "seen", "decision"), LADDER)
def test_each_entry_means_one_thing(
    read: Event, known: Link | None, seen: decide.Sight, decision: decide.Decision
) -> None:
    assert decide.link(read, known, seen) == decision


SHOWN_BY_US = Shown(join_urls=(URL,), location=NEW_URL, block=block.text(meeting(join_url=NEW_URL)))
NEWS = [
    pytest.param({}, (False, False), id="the same"),
    pytest.param({"etag": '"9"'}, (False, False), id="an RSVP"),
    pytest.param({"solution": solution(uris=(NEW_URL,))}, (False, False), id="an address that matchers alone see"),
    pytest.param({"shown": SHOWN_BY_US}, (True, False), id="our own write-back"),
    pytest.param({"shown": Shown()}, (True, False), id="somebody wiped what we show"),
    pytest.param({"title": "Renamed"}, (True, True), id="renamed"),
    pytest.param({"description": "Agenda"}, (True, True), id="described"),
    pytest.param({"starts": at(1.5)}, (True, True), id="starts later"),
    pytest.param({"ends": at(3)}, (True, True), id="ends later"),
    pytest.param({"starts": at(1, time_zone="Europe/Paris")}, (True, True), id="said in another zone"),
    pytest.param({"attendee_count": 3}, (True, True), id="a guest more"),
    pytest.param({"status": Status.TENTATIVE}, (True, True), id="tentative"),
    pytest.param({"title": "Renamed", "shown": SHOWN_BY_US}, (True, True), id="renamed since our write-back"),
]


@pytest.mark.parametrize(("changes", "news"), NEWS)
def test_only_what_people_said_is_theirs_and_only_what_is_seen_is_news(
    changes: dict[str, Any], news: tuple[bool, bool]
) -> None:
    decision = decide.link(event(**changes), link(), sight())
    assert isinstance(decision, Put)
    assert (decision.is_news, decision.is_users) == news


def test_a_secondary_calendar_owns_what_names_its_address() -> None:
    ours = calendar(addresses=frozenset({"team@group.test"}))
    assert decide.is_organizers(event(organizer="team@group.test", is_organizer_self=False), ours)
    assert not decide.is_organizers(event(organizer=None, is_organizer_self=False), ours)


KEPT = [
    pytest.param({"shown": SHOWN_BY_US, "etag": '"2"'}, True, id="our own patch alone"),
    pytest.param({"shown": SHOWN_BY_US, "etag": '"2"', "title": "Renamed"}, False, id="a user's change in it"),
]


@pytest.mark.parametrize(("changes", "is_read_kept"), KEPT)
def test_what_a_patch_shows_of_peoples_changes_is_left_to_the_next_pull(
    changes: dict[str, Any], is_read_kept: bool
) -> None:
    stored = event(last_ends_at=NOW)
    kept = decide.kept(event(**changes), stored)
    assert kept == (event(**changes, last_ends_at=NOW) if is_read_kept else stored)


# Which link drives

EARLY = link(event("early", created_at=NOW - timedelta(days=9)))
LATE = link(event("late", created_at=NOW - timedelta(days=1)))
OVER = link(event("over", created_at=NOW - timedelta(days=30), ends=at(-1)))
OVER_TOO = link(event("over too", created_at=NOW - timedelta(days=40), ends=at(-1)))
UNDATED = link(event("undated", created_at=None))
TWIN = link(event("early", created_at=NOW - timedelta(days=9)), calendar_id=2)

DRIVERS = [
    pytest.param([], None, None, id="no links"),
    pytest.param([], EARLY, None, id="no links any more"),
    pytest.param([LATE, EARLY], None, EARLY, id="the earliest created"),
    pytest.param([LATE, EARLY], LATE, LATE, id="the last one stays"),
    pytest.param([LATE, EARLY], UNDATED, EARLY, id="the last one is gone"),
    pytest.param([OVER, LATE], None, LATE, id="what is over does not begin to drive"),
    pytest.param([OVER, LATE], OVER, LATE, id="what is over drives no longer"),
    pytest.param([OVER, OVER_TOO], OVER, OVER, id="... but when all are over it stays"),
    pytest.param([OVER, OVER_TOO], None, OVER_TOO, id="all are over"),
    pytest.param([UNDATED, LATE], None, LATE, id="an unknown age is the latest"),
    pytest.param([TWIN, EARLY], None, EARLY, id="a tie goes to the older calendar"),
    pytest.param([EARLY, TWIN], TWIN, TWIN, id="the same event id on another calendar is another link"),
]


@pytest.mark.parametrize(("links", "last", "found"), DRIVERS)
def test_one_link_drives(links: list[Link], last: Link | None, found: Link | None) -> None:
    assert decide.driver(links, (last.key, last.event_id) if last else None, NOW) == found


# Whether an event is over

OVERS = [
    pytest.param(at(-0.001), True, id="ended just now"),
    pytest.param(at(0), False, id="ends now"),
    pytest.param(at(1), False, id="goes on"),
    pytest.param(None, False, id="has no end"),
    pytest.param(on("2026-11-20"), False, id="a day that some zone has not reached"),
    pytest.param(on("2026-11-19"), True, id="a day that is past in all zones"),
    pytest.param(When(at=datetime.max.replace(tzinfo=UTC)), False, id="the end of time"),
    pytest.param(on("9999-12-31"), False, id="the last day"),
]


@pytest.mark.parametrize(("ends", "is_over"), OVERS)
def test_an_event_is_over_when_it_is_so_everywhere(ends: When | None, is_over: bool) -> None:
    assert decide.is_over(event(ends=ends), NOW) is is_over


# Farewell

CANCELLED = event(status=Status.CANCELLED)
HIDDEN = event(has_details=False, solution=None)
NEW_MATCHERS = policy(Matcher(parameter="realMeetingId"))
RENUMBERED = event(solution=solution("other", parameters=(("realMeetingId", MEETING_ID),)))
FAREWELLS = [
    pytest.param(None, policy(), Farewell.PERHAPS_MOVED, id="not found"),
    pytest.param(tombstone(), policy(), Farewell.PERHAPS_MOVED, id="bare stub"),
    pytest.param(CANCELLED, policy(), Farewell.DELETED, id="deleted by its organizer"),
    pytest.param(structs.replace(CANCELLED, solution=None), policy(), Farewell.DELETED, id="... without its meeting"),
    pytest.param(
        structs.replace(BOS, status=Status.CANCELLED), policy(), Farewell.PERHAPS_MOVED, id="a guest's tombstone"
    ),
    pytest.param(event(), policy(), Farewell.STILL_THERE, id="there after all"),
    pytest.param(event(solution=None), policy(), Farewell.DELETED, id="conference taken away"),
    pytest.param(event(solution=MEET), policy(), Farewell.DELETED, id="swapped away"),
    pytest.param(BOS, policy(), Farewell.ELSEWHERE, id="somebody else's event"),
    pytest.param(structs.replace(BOS, solution=MEET), policy(), Farewell.PERHAPS_MOVED, id="a guest's copy without it"),
    pytest.param(HIDDEN, policy(), Farewell.ELSEWHERE, id="alive, but not shown to us"),
    pytest.param(MASTER, policy(), Farewell.STILL_THERE, id="made a series"),
    pytest.param(event(starts=at(-50), ends=at(-49)), policy(), Farewell.ELSEWHERE, id="too old to be listed again"),
    pytest.param(event(solution=None, title=None), policy(), Farewell.ELSEWHERE, id="alive, perhaps a private stub"),
    pytest.param(event(), NEW_MATCHERS, Farewell.ELSEWHERE, id="matchers changed from conference id"),
    pytest.param(RENUMBERED, policy(), Farewell.ELSEWHERE, id="matchers changed to conference id"),
]


@pytest.mark.parametrize(("read", "under", "says"), FAREWELLS)
def test_a_last_look_deletes_only_what_is_surely_gone(read: Event | None, under: Policy, says: Farewell) -> None:
    assert decide.farewell(read, MEETING_ID, sight(policy=under)) is says


# Guard

GUARDS = [
    pytest.param(Removals(20, 20, 0, 1000), False, id="a small calendar at its count"),
    pytest.param(Removals(21, 21, 0, 1000), True, id="a small calendar above it"),
    pytest.param(Removals(30, 100, 0, 1000), False, id="a large calendar at its share"),
    pytest.param(Removals(31, 100, 0, 1000), True, id="a large calendar above it"),
    pytest.param(Removals(0, 0, 50, 50), False, id="a small tenant at its count"),
    pytest.param(Removals(0, 0, 51, 51), True, id="a small tenant above it"),
    pytest.param(Removals(0, 0, 100, 2000), False, id="a large tenant at its share"),
    pytest.param(Removals(0, 0, 101, 2000), True, id="a large tenant above it"),
    pytest.param(Removals(0, 0, 0, 0), False, id="nothing at all"),
]


@pytest.mark.parametrize(("removals", "is_guarded"), GUARDS)
def test_the_guard_holds_what_is_above_both_bounds(removals: Removals, is_guarded: bool) -> None:
    assert decide.is_guarded(removals, policy()) is is_guarded


def test_the_guard_follows_its_tenant() -> None:
    strict = policy(guard_calendar_count=0, guard_calendar_percent=0)
    assert decide.is_guarded(Removals(1, 100, 1, 100), strict)


# Orphans

BEFORE = link(event("before", ends=at(-25)))
EDGE = link(event("edge", ends=at(-24)))
ENDLESS = link(event("endless", ends=None))


def test_a_full_read_misses_only_what_it_should_have_seen() -> None:
    assert decide.orphans([BEFORE, EDGE, LATE, ENDLESS], NOW - timedelta(days=1)) == [EDGE, LATE, ENDLESS]


def test_a_full_read_without_a_window_should_have_seen_all() -> None:
    assert decide.orphans([BEFORE, EDGE], None) == [BEFORE, EDGE]


# Laws

WHENS = st.sampled_from([None, at(-30), at(1), at(2), on("2026-11-19"), on("2026-11-21")])
SOLUTIONS = st.sampled_from([None, solution(), solution(OTHER_ID), MEET, RENUMBERED.solution])
EVENTS = st.builds(
    event,
    st.sampled_from(["e1", "e2", "e3"]),
    status=st.sampled_from(Status),
    has_details=st.booleans(),
    organizer=st.sampled_from([None, ANA, BO]),
    is_organizer_self=st.booleans(),
    title=st.sampled_from([None, "A", "B"]),
    starts=WHENS,
    ends=WHENS,
    created_at=st.sampled_from([None, NOW, NOW - timedelta(days=1)]),
    recurrence=st.sampled_from([(), (), ("RRULE:FREQ=DAILY",)]),
    solution=SOLUTIONS,
    shown=st.sampled_from([Shown(), Shown((URL,)), SHOWN_BY_US]),
)
POLICIES = st.sampled_from([policy(), NEW_MATCHERS])
SIGHTS = st.builds(sight, sees_details=st.booleans(), is_repinned=st.booleans(), policy=POLICIES)
LINKS = st.builds(link, EVENTS, calendar_id=st.integers(1, 3))


@LAW
@given(EVENTS, st.none() | EVENTS.map(link), SIGHTS)
def test_every_entry_gets_an_answer_that_names_it(read: Event, known: Link | None, seen: decide.Sight) -> None:
    match decide.link(read, known, seen):
        case Put(event=put):
            assert put is read
        case Drop(event_id) | Note(event_id) | Pass(event_id):
            assert event_id == read.event_id


@LAW
@given(EVENTS, SIGHTS)
def test_what_has_no_link_cannot_lose_one(read: Event, seen: decide.Sight) -> None:
    assert not isinstance(decide.link(read, None, seen), Drop)


@LAW
@given(EVENTS, SIGHTS)
def test_what_has_neither_conference_nor_link_says_nothing(read: Event, seen: decide.Sight) -> None:
    bare = structs.replace(read, solution=None)
    assert decide.link(bare, None, seen) == Pass(read.event_id)


@LAW
@given(EVENTS, EVENTS.map(link), SIGHTS)
def test_absence_counts_only_when_seen_clearly(read: Event, known: Link, seen: decide.Sight) -> None:
    if isinstance(decide.link(read, known, seen), Drop) and not read.is_cancelled:
        assert seen.sees_details
        assert read.has_details


@LAW
@given(EVENTS, st.none() | EVENTS.map(link), SIGHTS)
def test_only_an_organizers_event_makes_a_link(read: Event, known: Link | None, seen: decide.Sight) -> None:
    if isinstance(decide.link(read, known, seen), Put):
        assert decide.is_organizers(read, seen.calendar)


@LAW
@given(EVENTS, st.none() | EVENTS.map(link), SIGHTS)
def test_the_same_entry_again_is_no_news(read: Event, known: Link | None, seen: decide.Sight) -> None:
    first = decide.link(read, known, seen)
    if isinstance(first, Put):
        again = decide.link(read, link(read, meeting_id=first.meeting_id), seen)
        assert again == Put(read, first.meeting_id, is_news=False, is_users=False)


@LAW
@given(st.lists(LINKS, max_size=5, unique_by=lambda one: (one.key, one.event_id)), st.randoms(use_true_random=False))
def test_the_order_of_links_does_not_matter_to_the_driver(links: list[Link], chance: Random) -> None:
    shuffled = chance.sample(links, len(links))
    chosen = decide.driver(links, None, NOW)
    assert decide.driver(shuffled, None, NOW) == chosen
    assert (chosen is None) == (not links)
    if chosen is not None:
        assert decide.driver(shuffled, (chosen.key, chosen.event_id), NOW) == chosen


@LAW
@given(st.none() | EVENTS, POLICIES)
def test_a_meeting_is_never_deleted_while_its_event_names_it(read: Event | None, under: Policy) -> None:
    if decide.farewell(read, MEETING_ID, sight(policy=under)) is Farewell.DELETED:
        assert read is not None
        assert read.has_details
        assert decide.is_organizers(read, calendar())
        assert read.is_cancelled or match.meeting_id(read.solution, [ADD_ON]) != MEETING_ID


def test_calendars_of_tenants_are_told_apart() -> None:
    foreign = structs.replace(EARLY, key=key(1, tenant_id=2))
    assert decide.driver([EARLY, foreign], (foreign.key, "early"), NOW) == foreign
