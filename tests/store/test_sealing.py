"""What is sealed opens at its own place with its own key, and nowhere else."""

import random
from datetime import UTC, datetime
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncer.store import ring, sealing
from syncer.store.ring import Key
from syncer.store.sealing import NotOpened, Place

NOW = datetime(2099, 12, 1, tzinfo=UTC)
KEY = ring.new("ring", NOW).primary
PLACE = Place("grant", "sealed", 1, "google")
PLACES = [
    Place(table, column, owner_id, name, origin)
    for table, column, owner_id, name, origin in product(
        ("grant", "account_grant"), ("sealed", "other"), (1, 2, 11), ("google", "hook", "g"), ("", "https://a.test:443")
    )
]


@given(st.text(), st.integers(min_value=0, max_value=2**63 - 1), st.text(min_size=1, max_size=63))
def test_what_is_sealed_opens_at_its_own_place(text: str, owner_id: int, name: str) -> None:
    place = Place("grant", "sealed", owner_id, name)
    sealed = sealing.seal(KEY, place, text)
    assert sealing.open_sealed(KEY, place, sealed) == text
    assert sealing.key_id_of(sealed) == KEY.key_id


def test_moved_to_any_other_place_it_opens_nowhere() -> None:
    tried = 0
    for there in PLACES:
        sealed = sealing.seal(KEY, there, "canary")
        for elsewhere in PLACES:
            if elsewhere != there:
                tried += 1
                with pytest.raises(NotOpened):
                    sealing.open_sealed(KEY, elsewhere, sealed)
        assert sealing.open_sealed(KEY, there, sealed) == "canary"
    assert tried > 5000


@given(st.tuples(*[st.text(max_size=5)] * 2), st.tuples(*[st.text(max_size=5)] * 2))
def test_two_places_never_read_the_same(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Names that run into each other, such as ("a", "bc") and ("ab", "c"), stay apart."""
    places = [Place("grant", "sealed", 1, *parts) for parts in (one, other)]
    sealed = sealing.seal(KEY, places[0], "canary")
    if one == other:
        assert sealing.open_sealed(KEY, places[1], sealed) == "canary"
    else:
        with pytest.raises(NotOpened):
            sealing.open_sealed(KEY, places[1], sealed)


def test_no_flipped_bit_is_accepted() -> None:
    sealed = sealing.seal(KEY, PLACE, "a refresh token")
    for bit in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(NotOpened):
            sealing.open_sealed(KEY, PLACE, bytes(changed))


@settings(max_examples=300)
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_nothing_that_was_changed_is_accepted(seed: int, changes: int) -> None:
    chance = random.Random(seed)
    sealed = sealing.seal(KEY, PLACE, "a refresh token")
    changed = bytearray(sealed)
    for _ in range(changes):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    cut = bytes(changed[: chance.randrange(len(changed) + 1)])
    if cut != sealed:
        with pytest.raises(NotOpened):
            sealing.open_sealed(KEY, PLACE, cut)


def test_another_key_of_the_same_id_does_not_open_it() -> None:
    other = Key(KEY.key_id, True, NOW, bytes(32))
    with pytest.raises(NotOpened):
        sealing.open_sealed(other, PLACE, sealing.seal(KEY, PLACE, "canary"))


def test_the_same_value_never_looks_the_same() -> None:
    assert len({sealing.seal(KEY, PLACE, "canary") for _ in range(1000)}) == 1000


def test_a_value_is_not_to_be_seen_in_what_is_sealed() -> None:
    assert b"canary" not in sealing.seal(KEY, PLACE, "canary" * 100)
    assert "material" not in repr(KEY)
