"""One world from its moves to its judgement, and many of them one after another on one ground."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog.testing

from syncer.simulator.people.faces import Turned
from syncer.store import tenants
from tests.world import law, moves, quiet, shrink, story, telling
from tests.world.ground import Ground
from tests.world.moves import Move
from tests.world.quiet import Restless
from tests.world.stage import Stage, staged

_SECONDS = 900.0
_MESSAGES_SECONDS, _POLL_SECONDS = 30.0, 0.005
# Of work of this process.
_WATCHED_SECONDS = 10.0
_WATCHED_WITHIN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a world. broken: sentences about what was against the law, none if nothing was.

    story: all that happened in a world that broke it.
    """

    seed: int
    moves: tuple[Move, ...]
    broken: tuple[str, ...]
    seconds: float
    story: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """What replays it."""
        return f'python -m tests.world --seed {self.seed} --moves "{moves.said(self.moves)}"'


def live(ground: Ground, seed: int, listed: Sequence[Move]) -> Outcome:
    """One world; the same seed and moves make the same world again, but for the machine's speed."""
    began = time.monotonic()
    with TemporaryDirectory(prefix="syncer-world-") as folder:
        broken, told = ground.runner.run(_lived(ground, Path(folder), seed, listed))
    return Outcome(seed, tuple(listed), tuple(broken), time.monotonic() - began, tuple(told))


async def _lived(ground: Ground, folder: Path, seed: int, listed: Sequence[Move]) -> tuple[list[str], list[str]]:
    with structlog.testing.capture_logs() as log:
        async with asyncio.timeout(_SECONDS), staged(seed, ground, folder) as stage:
            broken = await _broken(stage, listed, log)
            return broken, await story.told(stage, log) if broken else []


async def _broken(stage: Stage, listed: Sequence[Move], log: Sequence[structlog.typing.EventDict]) -> list[str]:
    try:
        await quiet.rest(stage, reads_back=False)
        for move in listed:
            stage.note(str(move))
            await moves.make(stage, move)
        return await _judged(stage, log)
    except Restless as restless:
        return [str(restless)]
    except Turned as turned:
        return [f"a server refused what people did: {turned}"]
    except Exception as error:  # noqa: BLE001
        # Whatever is wrong with a world, the others are lived.
        return [f"the world itself failed: {error!r}", *traceback.format_exc().splitlines()]


async def _judged(stage: Stage, log: Sequence[structlog.typing.EventDict]) -> list[str]:
    """The law: before anything is read back, then with what is held for a person, then once that is let through."""
    stage.note("judgement")
    if unheeded := await _unheeded(stage):
        return unheeded
    await quiet.rest(stage, reads_back=False)
    if early := await law.unjust(stage, await law.held(stage), are_read_back=False):
        return early
    await quiet.rest(stage)
    waiting = await law.held(stage)
    broken = law.broken(stage, await law.gathered(stage, log), waiting) + await law.unjust(stage, waiting)
    broken += await law.outdated(stage)
    if stage.telling is not None:
        broken += await telling.orphans(stage.fetch, stage.town)
        broken += await _unwatched(stage)
    if waiting and not broken:
        for place in stage.places:
            await tenants.release(stage.ground.database, place.tenant, place.calendar_id)
        await quiet.rest(stage)
        broken = await law.unjust(stage, frozenset())
    return broken


async def _unheeded(stage: Stage) -> list[str]:
    """What was told and is forgotten, once nothing is on its way, and before the clock finds it all the same."""
    if stage.telling is None:
        return []
    async with asyncio.timeout(_MESSAGES_SECONDS):
        while await stage.telling.waiting():  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(_POLL_SECONDS)
    return list(await telling.unheeded(stage.fetch, stage.servers.google_diary()))


async def _unwatched(stage: Stage) -> list[str]:
    """The calendars that nobody tells of, and will not within a day, however often the worker tries."""
    stage.worker.gate.open()
    deadline = time.process_time() + _WATCHED_SECONDS
    while (waiting := await telling.unwatched(stage.fetch, stage.town)) and time.process_time() < deadline:
        away = max(waiting.values()) - stage.town.clock.now()
        if away > _WATCHED_WITHIN:
            break
        if away > timedelta():
            await stage.jump(away)
        await asyncio.sleep(_POLL_SECONDS)
    stage.worker.gate.shut()
    return [f"nobody tells of {google_id}" for google_id in waiting]


def shortened(ground: Ground, outcome: Outcome, *, tries: int) -> Outcome:
    """The shortest part of a failing world that was seen to fail. tries: worlds that may be lived through for it."""
    shortest = outcome

    def fails(left: Sequence[Move]) -> bool:
        nonlocal shortest
        lived = live(ground, outcome.seed, left)
        if lived.broken:
            shortest = lived
        return bool(lived.broken)

    shrink.shortest(outcome.moves, fails, tries=tries)
    return shortest
