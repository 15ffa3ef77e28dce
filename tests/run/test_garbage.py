"""Searches for garbage in cycles."""

import gc

from syncer.run import garbage


def test_garbage_is_searched_for_rarely_while_it_serves_and_as_before_after_it() -> None:
    before = gc.get_threshold()
    with garbage.rare():
        while_serving, spared = gc.get_threshold(), gc.get_freeze_count()
    assert while_serving[0] > before[0]
    assert spared > 0
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)
