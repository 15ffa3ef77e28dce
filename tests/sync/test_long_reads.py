"""A first read of many calendars holds up nobody else's, and none that somebody waits for."""

from syncer.model.budget import Lane
from syncer.sync.long_reads import LongReads

BIG, SMALL = 1, 2


def waiting(*slots: int, told: frozenset[int] = frozenset()) -> LongReads:
    """Those from 100 on are the small tenant's."""
    reads = LongReads(lambda slot: SMALL if slot >= 100 else BIG, lambda _: 1)
    reads.add(slots, told.__contains__)
    return reads


def test_tenants_take_turns() -> None:
    assert waiting(1, 2, 3, 4, 100).take(3, {}) == [1, 100, 2]


def test_what_was_told_of_goes_first_and_is_urgent() -> None:
    reads = waiting(1, 2, 3, told=frozenset({3}))
    assert (reads.lane, reads.take(2, {})) == (Lane.URGENT, [3])
    assert (reads.lane, reads.take(2, {})) == (Lane.BACKFILL, [1, 2])


def test_one_that_is_told_of_while_it_waits_goes_before_the_others_and_once() -> None:
    reads = waiting(1, 2, 3)
    reads.hurry(3)
    assert (reads.lane, reads.take(1, {})) == (Lane.URGENT, [3])
    assert (reads.take(9, {}), reads.take(9, {}), len(reads)) == ([1, 2], [], 0)


def test_one_that_does_not_wait_is_not_read_because_it_is_told_of() -> None:
    reads = waiting(1)
    assert reads.take(9, {}) == [1]
    reads.hurry(1)
    assert (reads.lane, reads.take(9, {})) == (Lane.BACKFILL, [])


def test_a_tenant_without_room_waits() -> None:
    reads = waiting(1, 2, 100)
    assert reads.take(9, {BIG: 0}) == [100]
    assert reads.take(9, {BIG: 1}) == [1]


def test_it_is_known_how_long_the_first_has_waited() -> None:
    assert waiting().waited_seconds() == 0.0
    assert waiting(1).waited_seconds() >= 0.0
