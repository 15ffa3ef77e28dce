"""The run itself: furnish, let the service follow, edit amid faults, come to rest, clear a calendar, hold, release."""

from __future__ import annotations

import random
import time
from asyncio import CancelledError, TaskGroup, create_task, sleep
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from syncer.model.errors import OperatorError
from syncer.simulator.demo import latency
from syncer.simulator.demo.faults import Weather
from syncer.simulator.demo.kinds import KILLED
from syncer.simulator.demo.latency import Diaries
from syncer.simulator.demo.report import Clearing, Report, Size
from syncer.simulator.demo.staging import FURNITURE, GRACE, SERIES, Stage
from syncer.simulator.demo.trouble import Trouble
from syncer.simulator.demo.wishes import Audience
from syncer.simulator.judge.rules import Meeting
from syncer.simulator.judge.verdict import Verdict
from syncer.simulator.people import edits, settling
from syncer.simulator.people.crowd import Crowd
from syncer.simulator.people.faces import Turned, calendar_path
from syncer.simulator.people.occasions import SPLITS
from syncer.simulator.people.record import CREATIONS, AnyKind, Json, Kind, Place, SeriesKind, kinds_of
from syncer.simulator.people.script import plan
from syncer.simulator.people.world import instant

CLEARED = 25
MOST_JUMPS, LEAST_JUMPS, EDITS_A_JUMP = 12, 3, 12
_EDITING_SECONDS = 4.0
_LONGEST_PACE_SECONDS = 1.0
_POLL_SECONDS = 0.1
_TELL_SECONDS = 0.1
_MAKING = CREATIONS | {Kind.DUPLICATE, SeriesKind.DUPLICATE_SERIES} | SPLITS
CHANGES_PATH = "/v1/conferences/changes"
_QUIET_SECONDS = 60.0
_QUIET_SECONDS_A_MEETING = 0.2
_CLOCK_SECONDS = 30.0
_START_SECONDS = 120.0
_ROUNDS_TO_COMPLETE = 8
_TOLD = 20
_GRACE_MS = GRACE.total_seconds() * 1000


class Restless(Exception):
    """Something did not come to rest in time. The message says what was waited for."""

    def __init__(self, awaited: str, verdict: Verdict) -> None:
        super().__init__(awaited)
        self.verdict = verdict


@dataclass(slots=True)
class Run:
    """One run over a stage. loaded: entries put in place. faults: how often each kind happened, as counted last.

    noticed: how often the service met each kind of access that was taken away.
    """

    stage: Stage
    audience: Audience
    crowd: Crowd
    weather: Weather
    verdict: Verdict
    loaded: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    noticed: dict[str, int] = field(default_factory=dict)
    clearing: Clearing = field(default_factory=Clearing)

    async def quiet(self, awaited: str, *, held: frozenset[Meeting] = frozenset()) -> None:
        """Wait until the judge finds every meeting right. Raises Restless after a time that grows with the town."""
        self.audience.tell(awaited)
        meetings = len(self.stage.town.world.record.meant)
        await self.until(self.is_right(held), awaited, _QUIET_SECONDS + _QUIET_SECONDS_A_MEETING * meetings)

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


async def perform(stage: Stage, audience: Audience) -> Report:
    """The whole run, and what came of it. Raises OperatorError when the worker ends by itself."""
    started = time.monotonic()
    world, wishes = stage.town.world, stage.wishes
    script = plan(world.places, wishes.edits, wishes.seed, with_series=True)
    crowd = Crowd(world, script, wishes.seed, lambda _: None)
    run = Run(stage, audience, crowd, Weather(stage.town), Verdict({}, ()))
    crowd.on_edit = lambda _: audience.count(len(world.record.edits))
    unsettled = None
    try:
        await _acts(run)
    except Restless as restless:
        unsettled, run.verdict = str(restless), restless.verdict
    except ExceptionGroup as group:
        refused = group.subgroup(Turned)
        if refused is None:
            raise
        raise OperatorError(f"A simulator refused what people did: {_first(refused)}.") from None
    return await _report(run, time.monotonic() - started, unsettled)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _acts(run: Run) -> None:
    await _furnish(run)
    await run.weather.gather()
    await _start(run)
    async with _beside(_keep_told(run)):
        async with _beside(run.weather.blow()):
            await run.quiet("Waiting until every meeting is as its event says")
            await run.weather.begin()
            if run.stage.exports:
                await _edit_through_the_years(run)
            else:
                await _edit(run, 1.0)
            await _make_up(run, _missing_kinds(run))
            await run.weather.calm()
            await run.quiet("Waiting until every meeting follows its event")
            await _clear(run)
        await run.weather.catch_up()
        await _take_access_away(run)
        await _complete(run)
        await run.weather.end()


async def _start(run: Run) -> None:
    """Start the worker. On a machine with much to do that alone may take long, and says nothing of the meetings."""

    async def takes_calls() -> bool:
        return run.stage.worker.address() is not None

    awaited = "Starting the worker"
    run.audience.tell(awaited)
    await run.stage.worker.start()
    await run.until(takes_calls, awaited, _START_SECONDS)


async def _take_access_away(run: Run) -> None:
    """Calendars, grants, users and delegations are lost and regained: nothing is forgotten, and nothing goes."""
    run.audience.tell("Taking access away and giving it back")
    await run.weather.end()
    trouble = Trouble(run.stage, run.crowd, run.weather)
    await trouble.befall()
    run.noticed = trouble.met
    await trouble.mend()
    await run.quiet("Waiting until every meeting follows again")


@asynccontextmanager
async def _beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Something that goes on while the block lasts, or until it is done."""
    task = create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(CancelledError):
            await task


async def _keep_told(run: Run) -> None:
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


async def _furnish(run: Run) -> None:
    stage, seed = run.stage, f"{run.stage.wishes.seed}:furniture"
    run.audience.tell("Furnishing the calendars")
    for place in stage.town.world.places:
        export = stage.exports.get(place.calendar_id)
        found = list(export.events) if export else _furniture(run, place, seed)
        await _load(run, place, found)


def _furniture(run: Run, place: Place, seed: str) -> list[Json]:
    return settling.furnished(run.stage.town.world, place, FURNITURE, seed, series=SERIES)


async def _load(run: Run, place: Place, events: Sequence[Json]) -> None:
    await settling.settle(run.stage.town.world, run.stage.town.back, place, events)
    run.loaded += len(events)


async def _edit_through_the_years(run: Run) -> None:
    """Pass over the time of the exports in jumps, some edits after each."""
    exports, clock = run.stage.exports.values(), run.stage.town.clock
    first_at = clock.now()
    last_at = max(instant(event["start"], export.time_zone) for export in exports for event in export.events)
    jumps = min(MOST_JUMPS, max(LEAST_JUMPS, run.stage.wishes.edits // EDITS_A_JUMP))
    step = max((last_at - first_at) / jumps, timedelta(hours=1))
    for number in range(jumps):
        await _edit(run, 1 / (jumps - number))
        await run.quiet(f"Waiting until every meeting follows (jump {number + 1} of {jumps})")
        await _jump(run, first_at + (number + 1) * step)


async def _jump(run: Run, at: datetime) -> None:
    """Make it later for everybody; the worker has learned it once it renewed its lease."""

    async def has_learned() -> bool:
        known = await run.stage.ledger.worker_clock()
        return known is not None and known >= at

    awaited = f"Waiting until the worker knows that it is {at:%Y-%m-%d}"
    run.audience.tell(awaited)
    await run.stage.set_clock(at)
    await run.until(has_learned, awaited, _CLOCK_SECONDS)


async def _edit(run: Run, share: float) -> None:
    """People edit, and the worker is killed now and then if that was wished."""
    run.audience.tell("People edit while faults happen")
    left = max(len(kinds) for kinds in run.crowd.script.values()) * share
    pace_seconds = min(_LONGEST_PACE_SECONDS, _EDITING_SECONDS * max(share, 1 / 4) / max(left, 1))
    async with TaskGroup() as group:
        killing = group.create_task(_kill_now_and_then(run)) if run.stage.wishes.is_killing else None
        await run.crowd.work(share, pace_seconds=pace_seconds)
        if killing is not None:
            killing.cancel()
    await run.stage.worker.start()
    run.stage.worker.check()


async def _kill_now_and_then(run: Run) -> None:
    chance = random.Random(f"{run.stage.wishes.seed}:kills:{run.stage.worker.kills}")
    while True:
        await sleep(chance.uniform(0.3, 1.0))
        await run.stage.worker.kill()
        await run.stage.worker.start()
        await sleep(chance.uniform(2.0, 4.0))


async def _complete(run: Run) -> None:
    """What chance left out is made up for: kinds of edits that found nothing to fit, faults that did not strike."""
    for number in range(_ROUNDS_TO_COMPLETE):
        await _count_faults(run)
        kinds, faults = _missing_kinds(run), [name for name, count in run.faults.items() if not count]
        if not kinds and not faults:
            return
        run.audience.tell(f"Making up for {', '.join([*(kind.value for kind in kinds), *faults])}")
        await run.weather.insist(faults, run.stage.worker.hand_over)
        if KILLED in faults:
            await run.stage.worker.kill()
            await run.stage.worker.start()
        await _make_up(run, kinds or [Kind.CHANGE_AT_PROVIDER, Kind.RENAME], number)
        await run.quiet("Making up for what has not happened yet")


async def _make_up(run: Run, kinds: Sequence[AnyKind], number: int = 0) -> None:
    """Somebody makes edits of these kinds, as far as they find what fits. number: another one each time."""
    places = run.stage.town.world.places
    person = run.crowd.person(places[number % len(places)].calendar_id)
    for kind in kinds:
        await run.crowd.act(person, kind, run.crowd.others(person, kind))


def _missing_kinds(run: Run) -> list[AnyKind]:
    made = {edit.kind for edit in run.stage.town.world.record.edits}
    return [kind for kind in kinds_of() if kind not in made]


async def _count_faults(run: Run) -> None:
    run.faults = await run.weather.happened() | run.noticed
    if run.stage.wishes.is_killing:
        run.faults[KILLED] = run.stage.worker.kills


async def _clear(run: Run) -> None:
    """Somebody clears a whole calendar: all its deletions wait for a person, who then lets them through."""
    stage, place = run.stage, run.stage.cleared
    world = stage.town.world
    seed = f"{stage.wishes.seed}:clearing"
    await _load(run, place, settling.furnished(world, place, CLEARED, seed))
    await run.quiet("Filling the calendar that will be cleared")
    held = _only_there(run)
    sent_ms = edits.now_ms()
    await world.google[place.owner].call("POST", f"{calendar_path(place.calendar_id)}/clear")
    for where in [where for where in world.record.meant if where.calendar_id == place.calendar_id]:
        world.record.remove(where, sent_ms)
    for where in [where for where in world.record.called_off if where.calendar_id == place.calendar_id]:
        world.record.called_off.pop(where)
    await run.quiet("Waiting until the cleared calendar's deletions are held", held=held)
    run.clearing = Clearing(held=await stage.ledger.conferences("held"), was_held_right=True)
    released = await stage.ledger.release(place.tenant, place.calendar_id)
    run.clearing = replace(run.clearing, released=released)
    await run.quiet("Waiting until the released deletions are done")


def _only_there(run: Run) -> frozenset[Meeting]:
    """The meetings that nothing but the calendar to be cleared refers to."""
    cleared = run.stage.cleared.calendar_id
    calendars: dict[Meeting, set[str]] = defaultdict(set)
    for where, meant in run.stage.town.world.record.meant.items():
        if meant.meeting_id is not None:
            calendars[where.tenant, meant.meeting_id].add(where.calendar_id)
    return frozenset(meeting for meeting, found in calendars.items() if found == {cleared})


async def _report(run: Run, seconds: float, unsettled: str | None) -> Report:
    stage = run.stage
    made = stage.town.world.record.edits
    await _count_faults(run)
    diaries = Diaries(
        (await stage.town.google("GET", "diary?after=0"))["entries"],
        (await stage.town.vendor("GET", "diary?after=0"))["entries"],
    )
    return Report(
        size=await _size(run),
        followed=latency.measure(made, diaries),
        faults=run.faults,
        diaries=diaries,
        clearing=run.clearing,
        verdict=run.verdict,
        skipped=[one for export in stage.exports.values() for one in export.skipped],
        told=await _told(run),
        seconds=seconds,
        unsettled=unsettled,
    )


async def _told(run: Run) -> dict[Meeting, Json]:
    """What the service says of the first meetings that are not right."""
    found = list(dict.fromkeys((one.tenant, one.meeting_id) for one in run.verdict.findings))[:_TOLD]
    told = {meeting: await run.stage.ledger.told(*meeting) for meeting in found}
    return {meeting: answer for meeting, answer in told.items() if answer is not None}


async def _size(run: Run) -> Size:
    stage = run.stage
    return Size(
        tenants=stage.wishes.tenants,
        calendars=len(stage.town.world.places),
        events=run.loaded + sum(edit.kind in _MAKING for edit in stage.town.world.record.edits),
        importable=sum(export.singles for export in stage.exports.values()),
        conferences=await stage.ledger.conferences(),
    )
