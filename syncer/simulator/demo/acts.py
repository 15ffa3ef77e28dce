"""A run of a demo, and the acts that all demos share: furnish, start, keep told, kill, make up."""

from __future__ import annotations

import random
import time
from asyncio import CancelledError, create_task, sleep
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from syncer.simulator.demo import announced
from syncer.simulator.demo.faults import Weather
from syncer.simulator.demo.report import Clearing
from syncer.simulator.demo.staging import GRACE, SERIES, Stage, furniture
from syncer.simulator.demo.wishes import Audience
from syncer.simulator.judge.rules import Meeting
from syncer.simulator.judge.verdict import Verdict
from syncer.simulator.people import settling
from syncer.simulator.people.crowd import Crowd
from syncer.simulator.people.record import AnyKind, Json, Place, kinds_of

_POLL_SECONDS = 0.1
# Until a worker is killed again: it serves only when the lease of the one before is over.
_LIFE_SECONDS, _TOLD_LIFE_SECONDS = (2.0, 4.0), (20.0, 40.0)
_TELL_SECONDS = 0.1
CHANGES_PATH = "/v1/conferences/changes"
_QUIET_SECONDS = 60.0
_TURN_SECONDS = 300.0
_QUIET_SECONDS_A_MEETING = 0.2
_START_SECONDS = 120.0
_GRACE_MS = GRACE.total_seconds() * 1000


class Restless(Exception):
    """Something did not come to rest in time. The message says what was waited for."""

    def __init__(self, awaited: str, verdict: Verdict) -> None:
        super().__init__(awaited)
        self.verdict = verdict


@dataclass(slots=True)
class Run:
    """One run over a stage. loaded: entries put in place. faults: how often each kind happened, as counted last.

    noticed: how often the service met each kind of access that was taken away. waits: of killed workers for their
    budget. edited_ms: when people edited in a demo with notifications.
    """

    stage: Stage
    audience: Audience
    crowd: Crowd
    weather: Weather
    verdict: Verdict
    loaded: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    noticed: dict[str, int] = field(default_factory=dict)
    clearing: Clearing | None = None
    waits: int = 0
    edited_ms: tuple[float, float] = (0.0, 0.0)

    async def quiet(self, awaited: str, *, held: frozenset[Meeting] = frozenset()) -> None:
        """Wait until the judge finds every meeting right. Raises Restless after a time that grows with the town."""
        self.audience.tell(awaited)
        meetings = len(self.stage.town.world.record.meant)
        longest_seconds = _QUIET_SECONDS + _QUIET_SECONDS_A_MEETING * meetings
        if self.stage.wishes.is_told:
            # What no message told of waits for the clock, and a meeting that may have moved for them all.
            longest_seconds += _TURN_SECONDS
        await self.until(self.is_right(held), awaited, longest_seconds)

    def is_right(self, held: frozenset[Meeting]) -> Callable[[], Awaitable[bool]]:
        """Asks the judge whether every meeting is right, these being held."""

        async def ask() -> bool:
            self.verdict = await self.stage.town.judge(grace_ms=_GRACE_MS, held=held)
            has_held = not held or await self.stage.ledger.conferences("held") >= len(held)
            return self.verdict.is_right and has_held

        return ask

    async def until(self, is_so: Callable[[], Awaitable[bool]], awaited: str, seconds: float) -> None:
        """Ask again and again until it is so. Raises Restless after that time."""
        deadline = time.monotonic() + seconds
        asked = time.monotonic()
        while not await is_so():
            self.stage.worker.check()
            if time.monotonic() > deadline:
                raise Restless(f"{awaited} took more than {seconds:.0f} s", self.verdict)
            # Reading a large town takes long; what is waited for needs the machine too.
            await sleep(max(_POLL_SECONDS, time.monotonic() - asked))
            asked = time.monotonic()


async def start(run: Run) -> None:
    """Start the worker. On a machine with much to do that alone may take long, and says nothing of the meetings."""

    async def takes_calls() -> bool:
        return run.stage.worker.address() is not None

    awaited = "Starting the worker"
    run.audience.tell(awaited)
    await run.stage.worker.start()
    await run.until(takes_calls, awaited, _START_SECONDS)


@asynccontextmanager
async def beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Something that goes on while the block lasts, or until it is done."""
    task = create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(CancelledError):
            await task


async def keep_told(run: Run) -> None:
    """Tell the provider whom to tell of changes, again after each start of the worker: its port is another then."""
    told = None
    while True:
        address = run.stage.worker.address()
        if address not in (None, told):
            for tenant in run.stage.town.accounts:
                body = {"url": f"{address}{CHANGES_PATH}", "tenant": tenant}
                await run.stage.town.vendor("PUT", f"accounts/{tenant}/changes", body)
            told = address
        await sleep(_TELL_SECONDS)


async def furnish(run: Run) -> None:
    stage, seed = run.stage, f"{run.stage.wishes.seed}:furniture"
    run.audience.tell("Furnishing the calendars")
    for place in stage.town.world.places:
        export = stage.exports.get(place.calendar_id)
        found = list(export.events) if export else _furniture(run, place, seed)
        await load(run, place, found)


def _furniture(run: Run, place: Place, seed: str) -> list[Json]:
    return settling.furnished(run.stage.town.world, place, furniture(run.stage.wishes), seed, series=SERIES)


async def load(run: Run, place: Place, events: Sequence[Json]) -> None:
    await settling.settle(run.stage.town.world, run.stage.town.back, place, events)
    run.loaded += len(events)


async def kill_now_and_then(run: Run) -> None:
    chance = random.Random(f"{run.stage.wishes.seed}:kills:{run.stage.worker.kills}")
    while True:
        await sleep(chance.uniform(0.3, 1.0))
        if run.stage.wishes.is_told:
            run.waits += await announced.waits(run.stage.worker)
        await run.stage.worker.kill()
        await run.stage.worker.start()
        await sleep(chance.uniform(*(_TOLD_LIFE_SECONDS if run.stage.wishes.is_told else _LIFE_SECONDS)))


async def make_up(run: Run, kinds: Sequence[AnyKind], number: int = 0) -> None:
    """Somebody makes edits of these kinds, as far as they find what fits. number: another one each time."""
    places = run.stage.town.world.places
    person = run.crowd.person(places[number % len(places)].calendar_id)
    for kind in kinds:
        await run.crowd.act(person, kind, run.crowd.others(person, kind))


def missing_kinds(run: Run) -> list[AnyKind]:
    made = {edit.kind for edit in run.stage.town.world.record.edits}
    return [kind for kind in kinds_of() if kind not in made]
