"""Several people at once, each working through their own part of the script."""

from __future__ import annotations

import random
from asyncio import TaskGroup, sleep
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from syncer.simulator.people import edits
from syncer.simulator.people.edits import Person
from syncer.simulator.people.record import CREATIONS, REMOVALS, AnyKind, Edit, Kind, Reference, SeriesKind
from syncer.simulator.people.script import Script
from syncer.simulator.people.world import World

_SOON = 3
# What is done first where nothing stands that could have such an edit.
_BEFORE: dict[AnyKind, AnyKind] = {SeriesKind.RESTORE_INSTANCE: SeriesKind.CANCEL_INSTANCE}


@dataclass(slots=True)
class Crowd:
    """One person a calendar. script: what is left to do. on_edit: told of each accepted edit."""

    world: World
    script: Script
    seed: int
    on_edit: Callable[[Edit], None] = lambda _: None
    _people: dict[str, Person] = field(default_factory=dict)

    async def work(self, share: float, *, pace_seconds: float = 0.0) -> None:
        """Let everybody do that share (up to 1.0) of what they have left, pausing about so long between two edits.

        Raises Turned (in a group) when a server refuses an edit that it should take.
        """
        async with TaskGroup() as group:
            for calendar_id, kinds in self.script.items():
                count = max(1, round(len(kinds) * share)) if kinds else 0
                group.create_task(self._live(self.person(calendar_id), kinds, count, pace_seconds))

    async def act(self, person: Person, kind: AnyKind, others: Sequence[Person] = ()) -> AnyKind:
        """One edit of that kind, or a new event where nothing stands that could have it; gives what it was.

        others: who do it instead where the person has nothing that could have it.
        """
        if kind not in CREATIONS:
            person, where = await self._able(kind, (person, *others))
        else:
            where = None
        if where is None and kind in _BEFORE:
            return await self.act(person, _BEFORE[kind], others)
        if where is None:
            substitute = SeriesKind.CREATE_SERIES if isinstance(kind, SeriesKind) else Kind.CREATE
            made = kind if kind in CREATIONS else substitute
            self.on_edit(await edits.make(person, made, None))
            return made
        self.world.busy.add(where)
        try:
            self.on_edit(await edits.make(person, kind, where))
        finally:
            self.world.busy.discard(where)
        return kind

    async def _able(self, kind: AnyKind, people: Sequence[Person]) -> tuple[Person, Reference | None]:
        """The first of them who has something that could have such an edit, and that; else the first of all."""
        for one in people:
            if (where := await self.world.target(kind, one.place, one.chance)) is not None:
                return one, where
        return people[0], None

    def others(self, person: Person, kind: AnyKind) -> list[Person]:
        """Who may stand in for somebody: nobody for what takes meetings away, of which each calendar bears so many."""
        places = () if kind in REMOVALS else self.world.places
        return [self.person(place.calendar_id) for place in places if place != person.place]

    async def _live(self, person: Person, kinds: deque[AnyKind], count: int, pace_seconds: float) -> None:
        for _ in range(count):
            await sleep(pace_seconds * person.chance.uniform(0.5, 1.5))
            kind = kinds.popleft()
            if await self.act(person, kind, self.others(person, kind)) is not kind and kinds:
                # Nothing fitted: the new event takes the place of the last edit planned, and this one comes soon.
                kinds.pop()
                kinds.insert(min(_SOON, len(kinds)), kind)

    def person(self, calendar_id: str) -> Person:
        """Whoever edits that calendar."""
        if calendar_id not in self._people:
            place = next(place for place in self.world.places if place.calendar_id == calendar_id)
            chance = random.Random(f"{self.seed}:{calendar_id}")
            self._people[calendar_id] = Person(self.world, place, chance, pause_seconds=chance.uniform(0.1, 0.4))
        return self._people[calendar_id]
