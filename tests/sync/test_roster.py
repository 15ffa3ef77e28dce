"""Calendars in columns stand as they were put, whatever else comes and goes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from syncer.clients.google.calendar import look_at
from syncer.model.calendar import Calendar, CalendarKey, Cursor
from syncer.sync.roster import Roster
from tests.rules.builders import LAW

AT = datetime(2026, 11, 20, 12, 0, 0, 123_456, tzinfo=UTC)
KEY = CalendarKey(1, 1)
PIN = "0123456789abcdef01234567"


def steady(key: CalendarKey = KEY, **changes: object) -> Calendar:
    google_id = f"C{key.calendar_id}+x@Group.example.test"
    cursor = Cursor(sync_token="s1", generation=3, is_full_read=False, read_from=AT, pin=PIN)
    calendar = Calendar(key, google_id, "ana@example.test", "file:key", frozenset({google_id.lower()}), cursor)
    return structs.replace(calendar, **changes)


def reading(**cursor: object) -> Calendar:
    return steady(cursor=structs.replace(steady().cursor, **cursor))


STANDING = {
    "steady": steady(),
    "with addresses of its own": steady(addresses=frozenset({"a@x.test", "b@x.test"})),
    "of a user's grant": steady(subject=None),
    "never read": reading(sync_token=None, is_full_read=True, generation=0, read_from=None, pin=""),
    "read from the beginning": reading(read_from=None),
    "between two pages": reading(page_token="p"),
    "read anew under another pin": reading(sync_token=None, is_full_read=True, pin=f"{PIN}>{PIN[::-1]}"),
    "with a pin of another kind": reading(pin="ABCDEF0123456789abcdef01"),
    "failing": steady(failures=3, next_look_at=AT + timedelta(minutes=15)),
}


@pytest.mark.parametrize("calendar", STANDING.values(), ids=list(STANDING))
def test_a_calendar_stands_as_it_was_put(calendar: Calendar) -> None:
    roster = Roster()
    slot = roster.put(calendar)
    assert roster[calendar.key] == roster.at(slot) == calendar


def test_a_steady_calendar_is_looked_at_as_any_other() -> None:
    roster = Roster()
    slot = roster.put(steady())
    assert roster.look(slot) == look_at(steady(), AT)
    assert roster.look(roster.put(STANDING["failing"])) is None


def test_a_token_that_moved_is_handed_out_to_be_saved_once() -> None:
    roster = Roster()
    keys = [CalendarKey(1, number) for number in range(1, 11)]
    for key in keys:
        roster.move_token(roster.put(steady(key)), "s2")
    saved = [moved.key for _ in range(5) for moved in roster.unsaved(0.2)]
    assert sorted(saved, key=lambda key: key.calendar_id) == keys
    assert roster.unsaved(1.0) == []
    assert roster[keys[0]].cursor.sync_token == "s2"


def test_a_token_that_its_row_has_already_is_not_saved() -> None:
    roster = Roster()
    slot = roster.put(steady())
    roster.move_token(slot, "s1")
    assert roster.unsaved(1.0) == []
    roster.move_token(slot, "s2")
    roster.put(reading(sync_token="s3"))
    assert roster.unsaved(1.0) == []


def test_what_replaces_a_calendar_moves_its_version_and_a_token_does_not() -> None:
    roster = Roster()
    slot = roster.put(steady())
    version = roster.version(slot)
    roster.move_token(slot, "s2")
    assert roster.version(slot) == version
    roster.put(reading(sync_token="s3"))
    assert roster.version(slot) != version


KEYS = st.builds(CalendarKey, st.integers(1, 3), st.integers(1, 30))


@LAW
@given(st.lists(st.tuples(st.sampled_from(["put", "fail", "drop"]), KEYS), max_size=60))
def test_calendars_come_and_go_in_any_order(acts: list[tuple[str, CalendarKey]]) -> None:
    roster, known = Roster(), dict[CalendarKey, Calendar]()
    for what, key in acts:
        if what == "drop":
            known.pop(key, None)
            if (slot := roster.slot(key)) is not None:
                roster.drop(slot)
        else:
            known[key] = steady(key, failures=int(what == "fail"))
            roster.put(known[key])
    assert {key: roster.get(key) for key in roster} == known
    assert len(roster) == len(known)
    for tenant_id in (1, 2, 3):
        keys = {roster.key(slot) for slot in roster.slots_of(tenant_id)}
        assert keys == {key for key in known if key.tenant_id == tenant_id}
