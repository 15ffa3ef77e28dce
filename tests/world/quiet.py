"""Coming to rest: no more faults, everything is waited for, and what is due later comes at once, by the clock."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from tests.world.stage import ROOM, TURN, Stage

_SECONDS = 20.0
"""Of work of this process, so that a busy machine makes no world restless."""
_IDLE_SECONDS = 3.0
_POLL_SECONDS = 0.004
_ASKING_SECONDS = 0.008
_CALM_SECONDS = 0.025
_BY_HALVES_SECONDS = 0.5
_PENDING = """
SELECT coalesce(bool_or(at <= syncer.clock()), false) AS is_due, min(at) FILTER (WHERE at > syncer.clock()) AS next_at,
       string_agg(what, ', ') AS what
FROM (
    SELECT 'a push of ' || meeting_id AS what,
           CASE WHEN state = 'leaving' AND wanted_version = applied_version AND NOT is_in_doubt
                THEN greatest(delete_after, next_try_at) ELSE coalesce(next_try_at, '-infinity') END AS at
    FROM syncer.conference WHERE wanted_version > applied_version OR is_in_doubt OR state = 'leaving'
    UNION ALL
    SELECT 'a reading of ' || meeting_id, coalesce(next_try_at, '-infinity') FROM syncer.conference
    WHERE state = 'live' AND wanted_version = applied_version AND NOT is_in_doubt
      AND $2 AND (read_back_at IS NULL OR read_back_at <= $1 OR next_try_at IS NOT NULL)
      -- Nothing is known yet of one whose event nobody has seen.
      AND NOT (read_back_at IS NULL AND (tenant_id, conference_id) IN (
          SELECT tenant_id, conference_id FROM syncer.registration))
    UNION ALL
    SELECT 'a look at ' || google_id, coalesce(next_look_at, '-infinity') FROM syncer.calendar
    WHERE failures > 0 OR page_token IS NOT NULL OR sync_token IS NULL
    UNION ALL
    SELECT 'the event of ' || meeting_id, look_at FROM syncer.registration
    JOIN syncer.conference USING (tenant_id, conference_id)
) AS pending
"""


class Restless(Exception):
    """The world did not come to rest in time. The message says what was still to be done."""


async def rest(stage: Stage, *, reads_back: bool = True) -> None:
    """Let all be done that is to be done, then stop the worker. Raises Restless.

    reads_back: ask providers how their meetings are, too.
    """
    await _heal(stage)
    deadline = time.process_time() + _SECONDS
    before = -1
    while (done := _done_outside(stage)) != before:
        before = done
        await _round(stage, deadline, reads_back=reads_back)
    stage.worker.gate.is_reading_back = False
    stage.worker.gate.shut()


async def _heal(stage: Stage) -> None:
    stage.servers.heal()
    for place in stage.places:
        if place.calendar_id in stage.lost:
            await stage.share(place, "writer")
    stage.lost.clear()
    if stage.telling is not None:
        await stage.telling.set({})
        await stage.telling.come(stage.settings)
    await wake(stage)
    stage.worker.gate.let_go()
    stage.worker.gate.open()


async def wake(stage: Stage) -> None:
    """Workers that were stopped go on where they stood; they find out that they serve nothing any more, and end."""
    while len(stage.workers) > 1:
        zombie = stage.workers[0]
        zombie.outlive_leases()
        zombie.gate.let_go()
        zombie.gate.open()
        with suppress(TimeoutError):
            async with asyncio.timeout(_IDLE_SECONDS):
                while zombie.is_at_work or zombie.projects:  # noqa: ASYNC110 (another worker)
                    await asyncio.sleep(_POLL_SECONDS)
        stage.workers.remove(zombie)
        stage.late += zombie.gate.late
        await zombie.kill()


async def _round(stage: Stage, deadline: float, *, reads_back: bool) -> None:
    """Everything is looked at, read back and pushed once; so much later that all of it is due."""
    await stage.jump(TURN)
    stage.worker.gate.is_reading_back = reads_back
    since = stage.town.clock.now()
    rescues, calm_since = stage.worker.rescues, time.monotonic()
    asked_at, idle_since = 0.0, calm_since
    while True:
        await asyncio.sleep(_POLL_SECONDS)
        if stage.is_tight and stage.worker.lacks_room:
            await stage.jump(ROOM)
        if stage.worker.task.done():
            raise Restless(f"The worker ended by itself: {_end(stage)}")
        is_done, next_at = _seen(stage, since)
        if stage.worker.rescues < rescues + 2:
            stage.worker.hurry()
            is_done = False
        # What a row says may be ahead of what was done: events are written to after their meeting's row.
        is_done = is_done and not stage.worker.is_pushing
        # Rows are asked for when all looks done, and else now and then: that costs more than a piece of work does.
        if not is_done and time.monotonic() < asked_at + _ASKING_SECONDS:
            continue
        (pending,) = await stage.fetch(_PENDING, since, reads_back)
        asked_at = time.monotonic()
        is_due = pending["is_due"] and not _waits_for_turns(stage, pending["what"])
        if pending["what"] is None and is_done and not stage.worker.is_pushing:
            # Not one that began while rows were asked for, and may not have come to an event yet.
            return
        if pending["what"] is None:
            # All is read back; on a slow machine it would be time to begin anew before the last one is dealt with.
            stage.worker.gate.is_reading_back = False
        if time.process_time() > deadline:
            raise Restless(f"There is still to be done after {_SECONDS:.0f} s of work: {pending['what'] or 'a look'}")
        if is_due and not stage.worker.is_at_work:
            stage.worker.hurry()
            if stage.backend is not None:
                stage.worker.mind()
        # Calendars are looked at all the time: that the worker is at work does not mean that it has anything to do.
        calm_since = asked_at if is_due else calm_since
        idle_since = asked_at if stage.worker.is_at_work or is_done else idle_since
        # Pushes wait for the rest of a calendar that is read by halves, and that may wait for its time.
        is_idle = asked_at >= idle_since + _BY_HALVES_SECONDS
        if is_idle or asked_at >= calm_since + _CALM_SECONDS or (not is_due and not stage.worker.is_at_work):
            await _pass(stage, [at for at in (pending["next_at"], next_at) if at is not None])


def _waits_for_turns(stage: Stage, pending: str) -> bool:
    """Only looks are left, and calendars are looked at so rarely that time must pass until the next one."""
    return stage.telling is not None and all(what.startswith("a look at ") for what in pending.split(", "))


def _seen(stage: Stage, since: datetime) -> tuple[bool, datetime | None]:
    """Every calendar was looked at since then; else, when the next one is due that waits for its time."""
    worker, now = stage.worker, stage.town.clock.now()
    unseen = worker.unseen(since.timestamp())
    waiting = [at for at in unseen if at < math.inf]
    resting = [project.rests_until for project in worker.projects if project.is_resting(now)]
    times = [until for until in resting if until is not None]
    if waiting and not resting:
        times.append(datetime.fromtimestamp(min(waiting), UTC))
    return worker.serves(len(stage.places)) and not unseen, min(times, default=None)


async def _pass(stage: Stage, times: list[datetime]) -> None:
    """The clock goes on to the first of these, if all of them are far enough away."""
    soon = stage.town.clock.now() + timedelta(seconds=0.2)
    if times and min(times) > soon:
        await stage.jump(min(times) - stage.town.clock.now() + timedelta(seconds=0.1))


def _done_outside(stage: Stage) -> int:
    """How much the workers have changed at both servers."""
    patches = [entry for entry in stage.servers.google_diary() if entry["actor"] == "client" and entry.get("change")]
    applied = [entry for entry in stage.servers.vendor_diary() if entry["face"] == "webhook" and entry["applied"]]
    return len(patches) + len(applied)


def _end(stage: Stage) -> str:
    with suppress(asyncio.CancelledError, asyncio.InvalidStateError):
        return repr(stage.worker.task.exception())
    return "cancelled"
