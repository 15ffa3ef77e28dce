"""A tenant asks as much in a minute as it may, and others are not held up by that."""

from syncer.model.budget import Lane
from syncer.rules.shares import Shares

ACME, OTHER = 1, 2


def limited(per_minute: int = 10) -> Shares:
    shares = Shares()
    shares.keep({ACME: per_minute})
    return shares


def test_a_tenant_without_a_limit_has_none() -> None:
    shares = limited()
    shares.begin([(OTHER, 1)] * 99, now=0.0)
    assert shares.crowded([(OTHER, 1)], now=0.0) == []
    assert OTHER not in shares.rooms(Lane.REFRESH, now=0.0)


def test_where_nobody_has_a_limit_nothing_is_counted() -> None:
    shares = Shares()
    assert not shares
    shares.hand_out([ACME])
    assert (shares.rooms(Lane.URGENT, now=0.0), shares.crowded([(ACME, 1)], now=0.0)) == ({}, [])


def test_no_more_goes_out_in_any_minute_than_the_limit() -> None:
    shares = limited()
    for second in range(10):
        assert shares.crowded([(ACME, 1)], now=float(second)) == []
        shares.begin([(ACME, 1)], now=float(second))
    assert shares.crowded([(ACME, 1), (OTHER, 1)], now=60.9) == [0]
    assert shares.crowded([(ACME, 1)], now=61.0) == []


def test_of_requests_that_go_together_those_wait_that_have_no_room() -> None:
    shares = limited(5)
    shares.begin([(ACME, 3)], now=0.0)
    assert shares.crowded([(ACME, 1), (ACME, 3), (ACME, 1), (ACME, 1)], now=0.0) == [1, 3]


def test_one_that_is_heavier_than_the_limit_goes_alone() -> None:
    shares = limited(2)
    assert shares.crowded([(ACME, 3), (ACME, 1)], now=0.0) == [1]


def test_each_lane_leaves_room_for_those_above_it() -> None:
    rooms = [limited(30).rooms(lane, now=0.0)[ACME] for lane in Lane]
    assert rooms == [30, 27, 20]


def test_what_was_handed_out_counts_until_it_was_looked_at() -> None:
    shares = limited(10)
    shares.hand_out([ACME, ACME, OTHER])
    assert shares.rooms(Lane.URGENT, now=0.0) == {ACME: 8}
    shares.take_back([ACME, OTHER])
    assert shares.rooms(Lane.URGENT, now=0.0) == {ACME: 9}


def test_a_limit_that_changes_counts_what_was_asked_before() -> None:
    shares = limited(10)
    shares.begin([(ACME, 8)], now=0.0)
    shares.keep({ACME: 9})
    assert shares.rooms(Lane.URGENT, now=1.0) == {ACME: 1}
    shares.keep({})
    assert not shares
