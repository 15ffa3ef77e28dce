"""However much one waits for, the next of another goes within a round."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.rules.turns import Claim, Turns
from tests.rules.builders import LAW

BIG, SMALL = 1, 2


def waits(slots: Sequence[int]) -> Sequence[int]:
    return slots


def waiting(counts: dict[int, int], weights: dict[int, int] | None = None) -> Turns:
    """Slots of so many tenants: those of tenant 1 are 1000, 1001 …"""
    turns = Turns(lambda slot: slot // 1000, lambda tenant_id: (weights or {}).get(tenant_id, 1))
    for tenant_id, count in counts.items():
        turns.add(range(tenant_id * 1000, tenant_id * 1000 + count))
    return turns


def without(*gone: int) -> Claim:
    return lambda slots: [slot for slot in slots if slot not in gone]


def tenants(slots: list[int]) -> list[int]:
    return [slot // 1000 for slot in slots]


def test_tenants_take_turns() -> None:
    assert tenants(waiting({BIG: 9, SMALL: 2}).take(6, waits)) == [1, 1, 1, 2, 2, 1]


def test_who_weighs_more_has_longer_turns() -> None:
    assert tenants(waiting({BIG: 9, SMALL: 9}, {SMALL: 3}).take(8, waits)) == [1, 1, 2, 2, 2, 2, 2, 2]


def test_a_turn_that_was_cut_off_goes_on() -> None:
    turns = waiting({BIG: 9, SMALL: 9}, {BIG: 3})
    assert [tenants(turns.take(2, waits)) for _ in range(4)] == [[1, 1], [1, 2], [1, 1], [1, 2]]


def test_who_has_no_room_keeps_its_place_and_holds_up_nobody() -> None:
    turns = waiting({BIG: 3, SMALL: 3})
    assert tenants(turns.take(9, waits, {BIG: 1})) == [1, 2, 2, 2]
    assert turns.take(9, waits, {BIG: 0}) == []
    assert tenants(turns.take(9, waits)) == [1, 1]


def test_what_waits_no_more_makes_room_for_another() -> None:
    turns = waiting({BIG: 4, SMALL: 4})
    assert turns.take(4, without(1000, 1001, 1002)) == [2000, 2001, 2002, 1003]
    assert len(turns) == 1


def test_a_tenants_slots_go_first_come_first_served_however_many() -> None:
    turns = Turns(lambda _: BIG)
    turns.add(range(900))
    assert [slot for _ in range(30) for slot in turns.take(30, waits)] == list(range(900))
    turns.add(range(3000))
    turns.add(range(5000, 5100))
    assert turns.take(2990, waits) == list(range(2990))
    assert turns.take(3000, waits) == [*range(2990, 3000), *range(5000, 5100)]
    assert turns.take(1, waits) == []


COUNTS = st.dictionaries(st.integers(1, 8), st.integers(1, 40), min_size=1)
WEIGHTS = st.dictionaries(st.integers(1, 8), st.integers(1, 5))


@LAW
@given(counts=COUNTS, weights=WEIGHTS, limits=st.lists(st.integers(1, 17), min_size=1, max_size=9))
def test_each_is_handed_out_once_and_nobody_waits_more_than_a_round(
    counts: dict[int, int], weights: dict[int, int], limits: list[int]
) -> None:
    turns, found, starts = waiting(counts, weights), list[int](), list[int]()
    while len(turns):
        for limit in limits:
            taken = turns.take(limit, waits)
            starts += [len(found)] * len(taken)
            found += taken
    assert sorted(found) == sorted(tenant_id * 1000 + at for tenant_id, count in counts.items() for at in range(count))
    for tenant_id, count in counts.items():
        # Those that are handed out together go together, in whatever order they stand.
        places = [starts[place] for place, slot in enumerate(found) if slot // 1000 == tenant_id]
        others = sum(weights.get(other, 1) for other in counts if other != tenant_id)
        weight = weights.get(tenant_id, 1)
        assert all(place <= at + (at // weight + 1) * others for at, place in enumerate(places))
        assert len(places) == count


@pytest.mark.parametrize("limit", [0, -1])
def test_nothing_is_handed_out_when_nothing_may_be(limit: int) -> None:
    assert waiting({BIG: 3}).take(limit, waits) == []
