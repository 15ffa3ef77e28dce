"""A demo with notifications: Google tells of changes, some messages are lost, and limits are tight."""

from __future__ import annotations

import random
from asyncio import TaskGroup, sleep
from collections.abc import Sequence

from syncer.simulator.demo import acts, announced, latency
from syncer.simulator.demo.acts import Run
from syncer.simulator.demo.announced import Told
from syncer.simulator.demo.latency import Diaries, Followed
from syncer.simulator.people import edits
from syncer.simulator.people.edits import Person

_QUIET_SECONDS = 60.0


async def perform(run: Run) -> None:
    """Messages tell of changes, and some are lost; nothing else fails."""
    stage, calendars = run.stage, len(run.stage.town.world.places)

    async def all_watched() -> bool:
        return await stage.ledger.channels() == calendars

    await acts.furnish(run)
    await acts.start(run)
    async with acts.beside(acts.keep_told(run)):
        await run.until(all_watched, "Waiting until Google tells of every calendar", _QUIET_SECONDS + calendars)
        await run.quiet("Waiting until every meeting is as its event says")
        await announced.lose(stage.town, stage.wishes.loss)
        began_ms = edits.now_ms()
        await _edit_told(run)
        await acts.make_up(run, acts.missing_kinds(run))
        run.edited_ms = (began_ms, edits.now_ms())
        await run.quiet("Waiting until every meeting follows its event")


async def _edit_told(run: Run) -> None:
    """People edit here and there, and the worker is killed now and then if that was wished."""
    run.audience.tell("People edit while messages are lost")
    pace_seconds = announced.pace_seconds(len(run.stage.town.world.places))
    chance, script = random.Random(f"{run.stage.wishes.seed}:told"), run.crowd.script
    turns = [calendar_id for calendar_id, kinds in script.items() for _ in kinds]
    chance.shuffle(turns)
    async with TaskGroup() as group:
        killing = group.create_task(acts.kill_now_and_then(run)) if run.stage.wishes.is_killing else None
        async with TaskGroup() as people:
            for calendar_id in turns:
                await sleep(chance.uniform(0.5, 1.5) * pace_seconds)
                person, kind = run.crowd.person(calendar_id), script[calendar_id].popleft()
                people.create_task(run.crowd.act(person, kind, _neighbours(run, person)))
        if killing is not None:
            killing.cancel()
    await run.stage.worker.start()


def _neighbours(run: Run, person: Person) -> list[Person]:
    """Who stands in for somebody, among so many."""
    return [run.crowd.person(place.calendar_id) for place in run.stage.town.world.neighbours(person.place)]


async def measured(run: Run, followed: Sequence[Followed], diaries: Diaries) -> Told:
    limits = announced.limits_for(len(run.stage.town.world.places))
    return Told(
        limits=limits,
        over_limit=await announced.over_limit(run.stage.town),
        budget_waits=run.waits + await announced.waits(run.stage.worker),
        told_ms=announced.told(followed, diaries.google),
        all_ms=latency.to_provider_ms(followed),
        bound_seconds=announced.bound_seconds(limits, len(run.stage.town.world.places), diaries.google, run.edited_ms),
        is_killing=run.stage.wishes.is_killing,
    )
