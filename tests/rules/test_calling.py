"""What a worker holds of a provider's limits is used once, told once, and never more than was granted."""

import pytest

from syncer.model.budget import By, CallLimit
from syncer.model.conference import Change, ChangeKind
from syncer.rules import calling
from syncer.rules.calling import Scope, Settled, Stock, Wish
from tests.rules.builders import wanted

UPDATE = Change(ChangeKind.UPDATE, "acme", "81234567890", 1, "key", wanted=wanted(organizer="Ana@tenant-a.test"))
READ = Change(ChangeKind.READ, "acme", "81234567890", 1, "key")
SECOND = CallLimit(10, 1)
(SCOPE,) = calling.scopes([SECOND], READ)


def granted(calls: int, *, wish: int | None = None) -> Stock:
    """One that was granted so many calls at 0, to begin before 2."""
    stock = Stock()
    stock.put(Wish(SCOPE, wish or calls), 120, calls, now=0.0, room_at=1.0)
    return stock


@pytest.mark.parametrize(
    ("text", "limit", "words"),
    [
        ("10/second", CallLimit(10, 1), "10 calls a second"),
        ("1/minute", CallLimit(1, 60), "1 call a minute"),
        ("5000/hour/updates", CallLimit(5000, 3600, By.UPDATES), "5000 updates an hour"),
        ("100/day/organizer", CallLimit(100, 86_400, By.ORGANIZER), "100 updates a day for one organizer"),
    ],
)
def test_a_limit_is_read_and_said(text: str, limit: CallLimit, words: str) -> None:
    assert calling.read(text) == limit
    assert calling.sentence(limit) == words


@pytest.mark.parametrize("text", ["", "0/day", "10", "10/week", "10/day/ana", "-1/day", "10/day ", "1000000000/day"])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no limit"):
        calling.read(text)


def test_a_reading_counts_as_a_call_and_not_as_an_update() -> None:
    limits = [CallLimit(10, 1), CallLimit(100, 86_400, By.UPDATES), CallLimit(50, 86_400, By.ORGANIZER)]
    assert [scope.name for scope in calling.scopes(limits, READ)] == ["second"]
    assert [scope.seconds for scope in calling.scopes(limits, UPDATE)] == [1, 86_400, 86_400]


def test_an_organizer_is_counted_by_a_digest_whatever_the_capitals() -> None:
    limits = [CallLimit(50, 86_400, By.ORGANIZER)]
    (one,) = calling.scopes(limits, UPDATE)
    small = Change(ChangeKind.UPDATE, "acme", "8", 1, "key", wanted=wanted(organizer="ana@tenant-a.test"))
    assert calling.scopes(limits, small) == (one,)
    assert "ana" not in one.name


def test_of_two_limits_of_one_kind_the_smaller_holds() -> None:
    (scope,) = calling.scopes([CallLimit(10, 1), CallLimit(3, 1), CallLimit(20, 1)], READ)
    assert scope.most == 3


def test_no_more_calls_begin_than_were_granted() -> None:
    stock = granted(3)
    assert [stock.take([SCOPE], 0.0) is not None for _ in range(4)] == [True, True, True, False]


def test_what_was_granted_is_not_begun_when_its_time_is_over() -> None:
    assert granted(3).take([SCOPE], 2.0) is None


def test_a_call_that_one_limit_has_no_room_for_takes_nothing_of_the_other() -> None:
    other = Scope("day", 86_400, 5, CallLimit(5, 86_400))
    stock = granted(1)
    assert stock.take([SCOPE, other], 0.0) is None
    assert stock.take([SCOPE], 0.0) is not None


def test_what_came_of_calls_is_told_once() -> None:
    stock = granted(3)
    taken = stock.take([SCOPE], 0.0)
    assert taken is not None
    stock.give_back(taken, 0.5)
    assert stock.settled(1.0) == [Settled("second", 1, 120, unused=0, ended=1, age=0.5)]
    assert stock.settled(1.0) == []
    assert stock.settled(2.0) == [Settled("second", 1, 120, unused=2, ended=0, age=0.0)]
    assert stock.is_empty


def test_a_call_that_is_under_way_is_told_of_after_its_answer() -> None:
    stock = granted(1)
    taken = stock.take([SCOPE], 0.0)
    assert taken is not None
    assert stock.settled(50.0) == []
    stock.give_back(taken, 60.0)
    assert stock.settled(60.0) == [Settled("second", 1, 120, unused=0, ended=1, age=0.0)]


def test_a_limit_that_is_spent_is_not_asked_for_again_before_there_may_be_room() -> None:
    stock = granted(0, wish=3)
    full = stock.full([SCOPE], 0.25)
    assert full is not None
    assert (full.limit, full.seconds) == (SECOND, 0.75)
    assert stock.wishes([[SCOPE]], 0.25) == []
    assert stock.full([SCOPE], 1.0) is None
    assert stock.wishes([[SCOPE]], 1.0) == [Wish(SCOPE, 1)]


def test_an_answer_makes_room_a_span_later() -> None:
    stock = Stock()
    stock.put(Wish(SCOPE, 2), 120, 1, now=0.0, room_at=90.0)
    taken = stock.take([SCOPE], 0.0)
    assert taken is not None
    stock.give_back(taken, 0.5)
    full = stock.full([SCOPE], 0.5)
    assert full is not None
    assert full.seconds == pytest.approx(1 + 1 / 60)


def test_a_little_more_is_reserved_than_waits() -> None:
    big = Scope("day", 86_400, 1000, CallLimit(1000, 86_400))
    small = Scope("day/organizer/x", 86_400, 100, CallLimit(100, 86_400, By.ORGANIZER))
    assert Stock().wishes([[big, small], [big]], 0.0) == [Wish(big, 10), Wish(small, 6)]
