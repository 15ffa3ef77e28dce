"""What a seed stands for: moves drawn by their weights, and rows of moves that belong together."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tests.world import moves, registering, telling
from tests.world.moves import Move

LEAST, MOST = 6, 22
_COMBINED_SHARE = 0.5
_BEGINNINGS_SHARE = 1 / 8

_COMBINED: Sequence[Sequence[str]] = (
    ("rename", "to before commit_pages", "freeze", "rename", "to after commit_pages", "wake"),
    ("rename_series", "to before commit_pages", "freeze", "rename_series", "to after commit_pages", "wake"),
    ("rename", "to before record", "freeze", "rename", "to after record", "wake"),
    ("delete", "to before commit_pages", "freeze", "bring back", "to after commit_pages", "wake"),
    ("rename", "to before update", "freeze", "rename", "to after record", "wake"),
    ("rename", "to before patch", "freeze", "to after patch", "wake"),
    ("move_time", "to after commit_pages", "kill", "go on"),
    ("move_time", "to after update", "kill", "go on"),
    ("move_instance", "rest", "delete_series", "jump 11 minutes"),
    ("rename_instance", "rest", "split_ui", "rest", "delete_series", "rest"),
    ("cancel_instance", "rest", "restore_instance"),
    ("forget", "delete", "rest", "jump 11 minutes"),
    ("forget", "cancel_instance", "to after restart", "restore_instance"),
    ("rename", "to after look", "hold", "rename", "go on", "let go"),
    ("rename", "to after update", "hold", "rename", "go on", "let go"),
    ("rename", "to after patch", "hold", "rename", "go on", "let go"),
    ("delete", "jump 11 minutes", "to before delete", "bring back", "go on"),
    ("move unseen", "rest", "jump 11 minutes"),
)
"""Moves that show something together and seldom come together by chance: one world in two has such a row in it."""
_BEGINNINGS: Sequence[Sequence[str]] = (
    ("rename", "break off before commit_pages", "rest"),
    ("jump 3 hours", "jump 3 hours", "break off before watch", "rest"),
    ("jump 3 hours", "jump 3 hours", "break off after watch", "rest"),
    ("create_series", "cancel_instance", "cancel_instance", "rest", "undelete_series", "undelete_series", "rest"),
)
"""Rows with which one world in eight begins. They stand beside the others, so that other worlds stay as they were."""


def drawn(seed: int) -> list[Move]:
    """The moves that a seed stands for."""
    chance = random.Random(f"world:{seed}")
    names, weights = list(moves.TABLE), [weight for weight, _ in moves.TABLE.values()]
    count = chance.randint(LEAST, MOST)
    # Most of a world happens on few calendars: what meets nothing shows nothing.
    seats = [chance.randrange(100) for _ in range(2)]
    listed = [
        Move(chance.choices(names, weights)[0], chance.choice(seats), chance.randrange(1000)) for _ in range(count)
    ]
    if chance.random() < _COMBINED_SHARE:
        row, seat, at = chance.choice(_COMBINED), chance.choice(seats), chance.randrange(count + 1)
        listed[at:at] = [Move(name, seat, chance.randrange(1000)) for name in row]
    if telling.is_told(seed):
        _add_told(listed, random.Random(f"telling moves:{seed}"), seats)
        if registering.is_registered(seed):
            _add_registered(listed, random.Random(f"registering moves:{seed}"), seats)
    beginning = random.Random(f"beginning:{seed}")
    if beginning.random() < _BEGINNINGS_SHARE:
        row, seat = beginning.choice(_BEGINNINGS), beginning.choice(seats)
        listed[:0] = [Move(name, seat, beginning.randrange(1000)) for name in row]
    return listed


def _add_told(listed: list[Move], chance: random.Random, seats: Sequence[int]) -> None:
    """Some of what becomes of messages, and edits that they are to tell of."""
    for _ in range(chance.randint(2, 6)):
        row = [
            chance.choice(list(moves.TOLD)),
            chance.choice(("rename", "move_time", "create", "go on", "jump 3 hours")),
        ]
        at, seat = chance.randrange(len(listed) + 1), chance.choice(seats)
        listed[at:at] = [Move(name, seat, chance.randrange(1000)) for name in row]


def _add_registered(listed: list[Move], chance: random.Random, seats: Sequence[int]) -> None:
    """Some of what vendors register, and what may become of it."""
    for _ in range(chance.randint(2, 5)):
        then = ("go on", "jump 11 minutes", "rest", "kill", "receiver goes", "receiver comes", "forget")
        row = [chance.choice(list(moves.REGISTERED)), chance.choice(then)]
        at, seat = chance.randrange(len(listed) + 1), chance.choice(seats)
        listed[at:at] = [Move(name, seat, chance.randrange(1000)) for name in row]
