"""Who does what: a seeded plan of edits. Knows no server and no time."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Mapping, Sequence

from syncer.simulator.people.record import REMOVALS, AnyKind, Kind, Place, SeriesKind
from syncer.simulator.people.world import CALENDAR_REMOVALS, TENANT_REMOVALS

FIRST: tuple[AnyKind, ...] = (
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

SERIES_FIRST: tuple[AnyKind, ...] = (
    SeriesKind.CREATE_SERIES,
    SeriesKind.CREATE_SERIES,
    *(kind for kind in SeriesKind if kind is not SeriesKind.CREATE_SERIES),
)
"""Every kind of edit of series once, and two series to begin with."""

WEIGHTS: dict[AnyKind, float] = {
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

SERIES_WEIGHTS: dict[AnyKind, float] = {
    SeriesKind.CREATE_SERIES: 2.0,
    SeriesKind.GAIN_CONFERENCE: 1.0,
    SeriesKind.MEET_ONCE: 1.0,
    SeriesKind.RENAME_SERIES: 3.0,
    SeriesKind.MOVE_SERIES: 2.0,
    SeriesKind.MOVE_SERIES_CALENDAR: 0.5,
    SeriesKind.RENAME_INSTANCE: 2.0,
    SeriesKind.MOVE_INSTANCE: 4.0,
    SeriesKind.SHORTEN_INSTANCE: 2.0,
    SeriesKind.SWAP_INSTANCE: 1.0,
    SeriesKind.CANCEL_INSTANCE: 4.0,
    SeriesKind.RESTORE_INSTANCE: 1.0,
    SeriesKind.SPLIT_API: 0.5,
    SeriesKind.SPLIT_API_BARE: 0.5,
    SeriesKind.SPLIT_UI: 1.0,
    SeriesKind.SPLIT_UI_BARE: 0.5,
    SeriesKind.DUPLICATE_SERIES: 0.5,
    SeriesKind.DELETE_SERIES: 1.0,
    SeriesKind.UNDELETE_SERIES: 0.5,
    SeriesKind.DECLINE: 2.0,
}

Script = dict[str, deque[AnyKind]]


def plan(places: Sequence[Place], edits: int, seed: int, *, with_series: bool = False) -> Script:
    """What is done on each calendar, in order, by calendar id.

    places: at least one. edits: how many in all; with ten or more every kind comes at least once, and first.
    with_series: edit series too; then every kind comes with len(FIRST) + len(SERIES_FIRST) or more.
    Removals stay below what the documented guard holds: so many per calendar and per tenant, and no more.
    """
    chance = random.Random(f"{seed}:script")
    script: Script = {place.calendar_id: deque() for place in places}
    removals: Counter[str] = Counter()
    first = FIRST + SERIES_FIRST if with_series else FIRST
    weights = WEIGHTS | SERIES_WEIGHTS if with_series else WEIGHTS
    for number in range(edits):
        place = places[number % len(places)]
        kind = first[number] if number < len(first) else _drawn(place, weights, removals, chance)
        if kind in REMOVALS:
            removals.update((place.calendar_id, place.tenant))
        script[place.calendar_id].append(kind)
    return script


def _drawn(place: Place, weights: Mapping[AnyKind, float], removals: Counter[str], chance: random.Random) -> AnyKind:
    is_free = removals[place.calendar_id] < CALENDAR_REMOVALS and removals[place.tenant] < TENANT_REMOVALS
    kinds = [kind for kind in weights if is_free or kind not in REMOVALS]
    return chance.choices(kinds, [weights[kind] for kind in kinds])[0]
