"""What a provisional link means: it keeps its meeting, and ends with an event, a tombstone or its time."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.model.calendar import CalendarKey, Status
from syncer.rules import provisional
from syncer.rules.provisional import End, Provisional
from tests.rules.builders import event

REGISTERED = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def known(event_id: str | None = "ev1", *, is_linked: bool = False, is_live: bool = True) -> Provisional:
    return Provisional(CalendarKey(1, 1), event_id, REGISTERED, REGISTERED + DAY, is_linked, is_live)


@pytest.mark.parametrize(
    ("one", "after", "end"),
    [
        pytest.param(known(), timedelta(), End.WAIT, id="just registered"),
        pytest.param(known(), DAY - timedelta(seconds=1), End.WAIT, id="nearly over"),
        pytest.param(known(), DAY, End.LET_GO, id="its event never came"),
        pytest.param(known(None), DAY, End.LEAVE, id="nobody knows its event"),
        pytest.param(known(is_linked=True), timedelta(), End.DONE, id="its event came"),
        pytest.param(known(is_linked=True), DAY * 9, End.DONE, id="its event came long ago"),
        pytest.param(known(None, is_linked=True), DAY, End.DONE, id="some event came"),
        pytest.param(known(is_live=False), DAY, End.DONE, id="it is on its way already"),
    ],
)
def test_what_becomes_of_it(one: Provisional, after: timedelta, end: End) -> None:
    assert provisional.end(one, REGISTERED + after) is end


def test_only_a_tombstone_without_a_link_is_asked_for() -> None:
    events = [event("live"), event("linked", status=Status.CANCELLED), event("gone", status=Status.CANCELLED)]
    assert provisional.tombstones(events, {"linked": None}) == ["gone"]


def test_only_an_event_that_is_gone_loses_its_meeting() -> None:
    events = [
        event("there"),
        event("gone", status=Status.CANCELLED),
        event("back", status=Status.CANCELLED),
        event("back"),
    ]
    expected = {"there": "1", "gone": "2", "back": "3", "elsewhere": "4"}
    assert provisional.losses(events, expected) == ["2"]


@given(st.integers(0, 10**6))
def test_its_event_is_asked_for_ever_more_rarely_and_when_it_expires(seconds: int) -> None:
    now = REGISTERED + timedelta(seconds=seconds)
    at = provisional.next_look(known(), now)
    assert at >= now
    assert at <= max(now, REGISTERED + DAY)
    assert at - now >= min(timedelta(minutes=1), max(REGISTERED + DAY - now, timedelta()))
