"""Runs one row of ours: `python -m bench.ours NAME CALENDARS SECONDS`. Prints what was read, as one line of JSON."""

import json
import sys
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop

from bench.canned.bodies import PAGE_SIZE
from bench.ours import readings
from bench.ours.readings import Heart
from bench.ours.worker import Place, working
from syncer import telemetry
from syncer.store.database import Database

# So short that something is always due, and so long that hardly anything ever is.
_SATURATED, _RARE = 0.05, 3600.0
_IDLE_CYCLE = 2.0
# More than there are changes, so that work never runs out; a look that finds none costs a fraction of one that does.
_LISTING_CYCLE = 15.0
_CONFERENCE_LOOKS_A_SECOND = 1500
# For rows in which the provider answers nothing: no push may run into its deadline.
_SILENT = {"request_seconds": 600.0, "rescue_seconds": 3600.0}
# As an operator sets it for a provider that answers at once.
_QUICK = {"pushes_per_provider": 200}
_DELAYS = 100
_WRITTEN = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"
_COMMITTED = "SELECT sum(wanted_version)::bigint FROM syncer.conference"
_PUSHED = "SELECT sum(applied_version)::bigint FROM syncer.conference"
_READ = "SELECT count(*) FROM syncer.calendar WHERE sync_token IS NOT NULL"

# The first tenant's meetings live at a provider of their own, which takes calls and answers none.
_HANG = (
    "WITH account AS (INSERT INTO syncer.provider_account (provider, settings, credential) "
    "VALUES ('webhook', jsonb_build_object('url', $1::text || 'hooks/hangs'), 'file:webhook') RETURNING account_id) "
    "UPDATE syncer.tenant SET account_id = account.account_id FROM account WHERE slug = 'tenant-0'"
)

Figures = dict[str, Any]
Row = Callable[[Place, int, float], Awaitable[Figures]]


async def quiet(place: Place, calendars: int, seconds: float) -> Figures:
    """Looks at quiet calendars as fast as it can."""
    async with working(place, cycle_seconds=_SATURATED) as worker:
        await worker.settled(calendars, looks=2)
        return await worker.window(seconds, "looks", wal_bytes=_WRITTEN)


async def tokens(place: Place, calendars: int, _seconds: float) -> Figures:
    """The first looks at calendars of which each needs an access token of its own, and then as many without."""
    async with working(place, cycle_seconds=_SATURATED) as worker:
        start = await worker.read()
        await worker.until(lambda counts: counts["tokens"] >= calendars and counts["looks"] >= calendars)
        middle = await worker.read()
        looked = middle.counts["looks"]
        await worker.until(lambda counts: counts["looks"] >= looked + 2 * calendars)
        end = await worker.read()
        await worker.check()
    return {"with_tokens": readings.between(start, middle), "without": readings.between(middle, end)}


async def changed(place: Place, calendars: int, seconds: float) -> Figures:
    """Pulls three changed events of each calendar, one with a meeting, as fast as it can. The provider is silent."""
    async with working(place, cycle_seconds=_SATURATED, **_SILENT) as worker:
        await worker.settled(calendars, looks=2)
        return await worker.window(seconds, "committed", committed=_COMMITTED)


async def pushed(place: Place, calendars: int, seconds: float) -> Figures:
    """Changed meetings, each with one call to the provider and one conditional patch."""
    async with working(place, cycle_seconds=calendars / _CONFERENCE_LOOKS_A_SECOND, **_QUICK) as worker:
        await worker.until(lambda counts: counts["patches"] >= calendars)
        return await worker.window(seconds, "patches", pushed=_PUSHED)


async def delay(place: Place, calendars: int, seconds: float) -> Figures:
    """One change at a time on an idle service."""
    wanted = max(int(_DELAYS * seconds), 20)
    async with working(place, cycle_seconds=_IDLE_CYCLE) as worker:
        await worker.settled(calendars, looks=1)
        await worker.until(lambda counts: len(counts["delays_ms"]) >= wanted)
        counts = await worker.gauge.counts()
        await worker.check()
    return {"delays_ms": counts["delays_ms"]}


async def hanging(place: Place, calendars: int, seconds: float) -> Figures:
    """The same while the provider of one tenant takes calls and answers none, and its calendars change as well."""
    async with Database.opened(place.dsn) as database:
        await database.run(_HANG, place.secret)
    return await delay(place, calendars, seconds)


async def pages(place: Place, calendars: int, _seconds: float) -> Figures:
    """First reads of calendars with a page of 2,500 events each, from the start of the worker on."""
    async with working(place, **_SILENT) as worker:
        before = await worker.read(read=_READ)
        await worker.until_many(_READ, calendars)
        after = await worker.read(read=_READ)
        await worker.check()
    return readings.between(before, after) | {"events": calendars * PAGE_SIZE}


async def stall(place: Place, calendars: int, _seconds: float) -> Figures:
    """The same reads, and the longest time that the loop did nothing else."""
    async with working(place, **_SILENT) as worker:
        await worker.until(lambda counts: counts["pages"] >= 1)
        heart = Heart()
        await worker.until_many(_READ, calendars)
        heart.stop()
        await worker.check()
    return {"stall_ms": heart.longest_seconds * 1000, "stall_cpu_ms": heart.longest_cpu_seconds * 1000}


async def memory(place: Place, calendars: int, _seconds: float) -> Figures:
    """Resident memory by calendar, once each was looked at."""
    before = readings.settled_bytes()
    async with working(place, cycle_seconds=_LISTING_CYCLE) as worker:
        await worker.settled(calendars, looks=1)
        grown = readings.settled_bytes() - before
        await worker.check()
    return {"bytes": grown, "calendars": calendars}


async def traced(place: Place, calendars: int, _seconds: float) -> Figures:
    """What Python has allocated by calendar, once each was looked at."""
    tracemalloc.start()
    async with working(place, cycle_seconds=_LISTING_CYCLE) as worker:
        before = readings.traced_bytes()
        await worker.settled(calendars, looks=1)
        grown = readings.traced_bytes() - before
        await worker.check()
    return {"bytes": grown, "calendars": calendars}


async def upkeep(place: Place, calendars: int, seconds: float) -> Figures:
    """What serving costs when nothing is due: leases, listings, rescue."""
    async with working(place, cycle_seconds=_RARE) as worker:
        await worker.settled(calendars, looks=0)
        return await worker.window(seconds, "cpu_seconds")


ROWS: dict[str, Row] = {
    row.__name__: row for row in (quiet, tokens, changed, pushed, delay, hanging, pages, stall, memory, traced, upkeep)
}


async def main(name: str, calendars: int, seconds: float) -> None:
    """Runs the row and prints its figures."""
    telemetry.configure("warning")
    print(json.dumps(await ROWS[name](Place.of_environment(), calendars, seconds)))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
