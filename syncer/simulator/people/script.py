"""Who does what: a seeded plan of edits. Knows no server and no time."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Sequence

from syncer.simulator.people.record import REMOVALS, Kind, Place
from syncer.simulator.people.world import CALENDAR_REMOVALS, TENANT_REMOVALS

FIRST = (
    Kind.CHANGE_AT_PROVIDER,
    Kind.RENAME,
    Kind.MOVE_TIME,
    Kind.DELETE,
    Kind.UNDELETE,
    Kind.MOVE_CALENDAR,
    Kind.SWAP,
    Kind.DUPLICATE,
    Kind.INVITE,
    Kind.CREATE,
)
"""Every kind once, those that take longest to show first."""

WEIGHTS = {
    Kind.CREATE: 3.0,
    Kind.RENAME: 6.0,
    Kind.MOVE_TIME: 6.0,
    Kind.MOVE_CALENDAR: 2.0,
    Kind.SWAP: 1.5,
    Kind.DELETE: 2.0,
    Kind.UNDELETE: 1.5,
    Kind.DUPLICATE: 2.0,
    Kind.INVITE: 3.0,
    Kind.CHANGE_AT_PROVIDER: 3.0,
}

Script = dict[str, deque[Kind]]


def plan(places: Sequence[Place], edits: int, seed: int) -> Script:
    """What is done on each calendar, in order, by calendar id.

    places: at least one. edits: how many in all; with ten or more every kind comes at least once, and first.
    Removals stay below what the documented guard holds: so many per calendar and per tenant, and no more.
    """
    chance = random.Random(f"{seed}:script")
    script: Script = {place.calendar_id: deque() for place in places}
    removals: Counter[str] = Counter()
    for number in range(edits):
        place = places[number % len(places)]
        kind = FIRST[number] if number < len(FIRST) else _drawn(place, removals, chance)
        if kind in REMOVALS:
            removals.update((place.calendar_id, place.tenant))
        script[place.calendar_id].append(kind)
    return script


def _drawn(place: Place, removals: Counter[str], chance: random.Random) -> Kind:
    is_free = removals[place.calendar_id] < CALENDAR_REMOVALS and removals[place.tenant] < TENANT_REMOVALS
    kinds = [kind for kind in WEIGHTS if is_free or kind not in REMOVALS]
    return chance.choices(kinds, [WEIGHTS[kind] for kind in kinds])[0]
