"""One world from its moves to its judgement, and many of them one after another on one Postgres."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import structlog.testing

from syncer.embedded import throwaway
from syncer.simulator.people.faces import Turned
from syncer.store import migrate, tenants
from syncer.store.database import Database
from tests.conftest import TEMPLATE, Databases
from tests.world import law, moves, quiet, shrink
from tests.world.moves import Move
from tests.world.quiet import Restless
from tests.world.stage import Stage, staged

_SECONDS = 240.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a world. broken: sentences about what was against the law, none if nothing was."""

    seed: int
    moves: tuple[Move, ...]
    broken: tuple[str, ...]
    seconds: float

    @property
    def command(self) -> str:
        """What replays it."""
        return f'python -m tests.world --seed {self.seed} --moves "{moves.said(self.moves)}"'


def live(databases: Databases, seed: int, listed: Sequence[Move]) -> Outcome:
    """One world in a fresh database; the same seed and moves make the same world again, but for the machine's speed."""
    dsn = databases.make(TEMPLATE)
    began = time.monotonic()
    try:
        with TemporaryDirectory(prefix="syncer-world-") as folder:
            broken = asyncio.run(_lived(dsn, Path(folder), seed, listed))
    finally:
        databases.drop(dsn)
    return Outcome(seed, tuple(listed), tuple(broken), time.monotonic() - began)


async def _lived(dsn: str, folder: Path, seed: int, listed: Sequence[Move]) -> list[str]:
    with structlog.testing.capture_logs() as log:
        async with asyncio.timeout(_SECONDS), staged(seed, dsn, folder) as stage:
            try:
                await quiet.rest(stage)
                for move in listed:
                    await moves.make(stage, move)
                return await _judged(stage, log)
            except Restless as restless:
                return [str(restless)]
            except Turned as turned:
                return [f"a server refused what people did: {turned}"]


async def _judged(stage: Stage, log: Sequence[structlog.typing.EventDict]) -> list[str]:
    """The law: before anything is read back, then with what is held for a person, then once that is let through."""
    await quiet.rest(stage, reads_back=False)
    if early := await law.unjust(stage, await law.held(stage), are_read_back=False):
        return early
    await quiet.rest(stage)
    waiting = await law.held(stage)
    broken = law.broken(stage, await law.gathered(stage, log), waiting) + await law.unjust(stage, waiting)
    if waiting and not broken:
        async with Database.opened(stage.dsn, connections=1) as database:
            for place in stage.places:
                await tenants.release(database, place.tenant, place.calendar_id)
        await quiet.rest(stage)
        broken = await law.unjust(stage, frozenset())
    return broken


def shortened(databases: Databases, outcome: Outcome, *, tries: int) -> Outcome:
    """The shortest part of a failing world that was seen to fail. tries: worlds that may be lived through for it."""
    shortest = outcome

    def fails(left: Sequence[Move]) -> bool:
        nonlocal shortest
        lived = live(databases, outcome.seed, left)
        if lived.broken:
            shortest = lived
        return bool(lived.broken)

    shrink.shortest(outcome.moves, fails, tries=tries)
    return shortest


@contextmanager
def cluster() -> Iterator[Databases]:
    """A throw-away Postgres with our schema in a template; outside of pytest, which has the same as a fixture."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            server = runner.run(stack.enter_async_context(throwaway()))
            admin = runner.run(asyncpg.connect(server.dsn))
            stack.push_async_callback(admin.close)
            made = Databases(runner, admin, server, count(1))
            made.run(f"CREATE DATABASE {TEMPLATE}")
            runner.run(migrate.migrate(made.address(TEMPLATE)))
            made.run(f"ALTER DATABASE {TEMPLATE} ALLOW_CONNECTIONS false")
            yield made
        finally:
            runner.run(stack.aclose())
