"""The run itself: furnish, let the service follow, edit amid faults, come to rest, clear a calendar, hold, release."""

from __future__ import annotations

import time
from asyncio import TaskGroup
from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta

from syncer.model.errors import OperatorError
from syncer.simulator.demo import acts, announced, latency, told
from syncer.simulator.demo.acts import Restless, Run
from syncer.simulator.demo.faults import Weather
from syncer.simulator.demo.kinds import KILLED
from syncer.simulator.demo.latency import Diaries
from syncer.simulator.demo.report import Clearing, Report, Size
from syncer.simulator.demo.staging import Stage
from syncer.simulator.demo.trouble import Trouble
from syncer.simulator.demo.wishes import Audience
from syncer.simulator.judge.rules import Meeting
from syncer.simulator.judge.verdict import Verdict
from syncer.simulator.people import edits, settling
from syncer.simulator.people.crowd import Crowd
from syncer.simulator.people.faces import Turned, calendar_path
from syncer.simulator.people.occasions import SPLITS
from syncer.simulator.people.record import CREATIONS, Json, Kind, SeriesKind
from syncer.simulator.people.script import plan
from syncer.simulator.people.world import instant

CLEARED = 25
MOST_JUMPS, LEAST_JUMPS, EDITS_A_JUMP = 12, 3, 12
_EDITING_SECONDS = 4.0
_LONGEST_PACE_SECONDS = 1.0
_MAKING = CREATIONS | {Kind.DUPLICATE, SeriesKind.DUPLICATE_SERIES} | SPLITS
_CLOCK_SECONDS = 30.0
_ROUNDS_TO_COMPLETE = 8
_TOLD = 20


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
        await (told.perform(run) if wishes.is_told else _acts(run))
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
    await acts.furnish(run)
    await run.weather.gather()
    await acts.start(run)
    async with acts.beside(acts.keep_told(run)):
        async with acts.beside(run.weather.blow()):
            await run.quiet("Waiting until every meeting is as its event says")
            await run.weather.begin()
            if run.stage.exports:
                await _edit_through_the_years(run)
            else:
                await _edit(run, 1.0)
            await acts.make_up(run, acts.missing_kinds(run))
            await run.weather.calm()
            await run.quiet("Waiting until every meeting follows its event")
            await _clear(run)
        await run.weather.catch_up()
        await _take_access_away(run)
        await _complete(run)
        await run.weather.end()


async def _take_access_away(run: Run) -> None:
    """Calendars, grants, users and delegations are lost and regained: nothing is forgotten, and nothing goes."""
    run.audience.tell("Taking access away and giving it back")
    await run.weather.end()
    trouble = Trouble(run.stage, run.crowd, run.weather)
    await trouble.befall()
    run.noticed = trouble.met
    await trouble.mend()
    await run.quiet("Waiting until every meeting follows again")


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
        killing = group.create_task(acts.kill_now_and_then(run)) if run.stage.wishes.is_killing else None
        await run.crowd.work(share, pace_seconds=pace_seconds)
        if killing is not None:
            killing.cancel()
    await run.stage.worker.start()
    run.stage.worker.check()


async def _complete(run: Run) -> None:
    """What chance left out is made up for: kinds of edits that found nothing to fit, faults that did not strike."""
    for number in range(_ROUNDS_TO_COMPLETE):
        await _count_faults(run)
        kinds, faults = acts.missing_kinds(run), [name for name, count in run.faults.items() if not count]
        if not kinds and not faults:
            return
        run.audience.tell(f"Making up for {', '.join([*(kind.value for kind in kinds), *faults])}")
        await run.weather.insist(faults, run.stage.worker.hand_over)
        if KILLED in faults:
            await run.stage.worker.kill()
            await run.stage.worker.start()
        await acts.make_up(run, kinds or [Kind.CHANGE_AT_PROVIDER, Kind.RENAME], number)
        await run.quiet("Making up for what has not happened yet")


async def _count_faults(run: Run) -> None:
    if run.stage.wishes.is_told:
        run.faults = await announced.faults(run.stage.town, run.stage.wishes.loss)
    else:
        run.faults = await run.weather.happened() | run.noticed
    if run.stage.wishes.is_killing:
        run.faults[KILLED] = run.stage.worker.kills


async def _clear(run: Run) -> None:
    """Somebody clears a whole calendar: all its deletions wait for a person, who then lets them through."""
    stage, place = run.stage, run.stage.cleared
    world = stage.town.world
    seed = f"{stage.wishes.seed}:clearing"
    await acts.load(run, place, settling.furnished(world, place, CLEARED, seed))
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
    followed = latency.measure(made, diaries)
    return Report(
        size=await _size(run),
        followed=followed,
        announced=await told.measured(run, followed, diaries) if stage.wishes.is_told else None,
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
