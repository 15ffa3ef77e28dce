"""The stage of one world: both servers over HTTP, a database of its own, people, and the workers that serve them."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import aiohttp

from syncer.model.calendar import Matcher, Policy
from syncer.run.notifications import PATH
from syncer.settings import Settings
from syncer.simulator.clock import SimulatedClock
from syncer.simulator.conferencing import ConferencingSimulator
from syncer.simulator.conferencing import faults as vendor_faults
from syncer.simulator.demo import town as towns
from syncer.simulator.demo.town import SOLUTION, Town
from syncer.simulator.google import GoogleSimulator
from syncer.simulator.people import settling
from syncer.simulator.people.edits import now_ms
from syncer.simulator.people.record import Json, Meant, Place, Reference
from syncer.simulator.serve import serving
from syncer.store import tenants
from syncer.store.tenants import NewCalendar, NewTenant
from tests.simulator.watching import Watcher
from tests.world import limits, registering
from tests.world import telling as tellings
from tests.world import worker as workers
from tests.world.ground import Ground
from tests.world.registering import Backend
from tests.world.telling import Telling
from tests.world.worker import Worker

TENANTS, CALENDARS, EVENTS, SERIES = 2, 2, 1, 1
GRACE = timedelta(minutes=10)
GUARD_CALENDAR, GUARD_TENANT = 3, 6
"""So few, for a world is small: more deletions than these wait for a person."""
POLICY = Policy(
    matchers=(Matcher(solution_type="addOn", solution_name=SOLUTION),),
    grace=GRACE,
    guard_calendar_count=GUARD_CALENDAR,
    guard_calendar_percent=0,
    guard_tenant_count=GUARD_TENANT,
    guard_tenant_percent=0,
)
ROBOT = "robot@{tenant}.test"
"""Whom the service acts as: people lose no access of their own when it loses its."""
READ_BACK_SECONDS = 0.2
_CYCLE_SECONDS = 0.4
TURN = timedelta(seconds=0.6)
"""So much later every calendar is due that does not wait for something else, and every meeting to be read back."""
ROOM = timedelta(seconds=1)
"""So much goes by at a time while there is no room for requests."""
_SLOW_SECONDS = 0.05
_HABITS = ("opaque_instance_ids", "moved_instances_change_id", "exceptions_vanish", "moving_sync_tokens")


@dataclass(frozen=True, slots=True)
class Servers:
    """Both simulators themselves, for what is asked of them so often that HTTP would take its time."""

    google: GoogleSimulator
    vendor: ConferencingSimulator

    def google_diary(self) -> list[Json]:
        """What the simulated Google was asked."""
        return self.google._stage.diary.after(0)

    def vendor_diary(self) -> list[Json]:
        """What the simulated conferencing system was asked and did."""
        return self.vendor._vendor.diary.after(0)

    def etag(self, calendar_id: str, event_id: str) -> str | None:
        """The version of an event as it stands; None for one that never stood there."""
        entry = self.google._stage.world.calendars[calendar_id].entries.get(event_id)
        return entry.etag if entry is not None else None

    def heal(self) -> None:
        """No more faults."""
        self.google._stage.faults.set({}, {})
        self.vendor._vendor.faults.set(vendor_faults.Settings(chance={}, next={}))


@dataclass(slots=True)
class Stage:
    """One world.

    workers: the last one serves, those before it are stopped and do not know that their lease is another's.
    jumps: (monotonic ms, shift in s) since when the clock was set off so far. lost: calendars the service cannot see.
    interruptions: how often a worker or a connection ended in the middle, so that it may not know what it did.
    late: changes outside that workers began after their leases. bin: deleted events with how they were meant, and when.
    notes: what happened beside requests and rows, and when, for the story. telling: where there are notifications.
    backend: where vendors register, too.
    """

    seed: int
    ground: Ground
    town: Town
    watcher: Watcher
    servers: Servers
    settings: Settings
    workers: list[Worker] = field(default_factory=list)
    jumps: list[tuple[float, float]] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    interruptions: int = 0
    late: list[str] = field(default_factory=list)
    bin: list[tuple[Reference, Meant, datetime]] = field(default_factory=list)
    born: int = 0
    notes: list[tuple[datetime, str]] = field(default_factory=list)
    telling: Telling | None = None
    backend: Backend | None = None

    @property
    def is_tight(self) -> bool:
        """Few requests may go out in a minute."""
        return limits.is_tight(self.seed)

    @property
    def worker(self) -> Worker:
        """The one that serves."""
        return self.workers[-1]

    @property
    def places(self) -> tuple[Place, ...]:
        """All calendars."""
        return self.town.world.places

    async def add_worker(self) -> None:
        """Another worker, stopped when it has taken the project over: whoever had the lease is gone or stopped."""
        self.born += 1
        seed = self.seed * 1000 + self.born
        made = await workers.begin(self.settings, self.ground.database, seed, beats_often=self.is_tight)
        made.set_clock(self.town.clock.shift)
        self.workers.append(made)
        owner = None
        # Once is not always enough: a renewal of the worker before may still have been on its way.
        while owner != made.supervisor.ownership.owner:
            await self.ground.admin.execute("UPDATE syncer.lease SET until = syncer.clock() - interval '1 second'")
            made.gate.open(until="after take")
            await made.gate.stopped()
            owner = await self.ground.admin.fetchval("SELECT owner FROM syncer.lease")

    async def jump(self, span: timedelta) -> None:
        """It is so much later for everybody."""
        shift = self.town.clock.shift + span
        self.town.clock.shift = shift
        for worker in self.workers:
            worker.set_clock(shift)
        self.jumps.append((now_ms(), shift.total_seconds()))
        # Postgres last: were it ahead of the workers, it would call out what is not yet due.
        await self.ground.admin.execute("UPDATE syncer.test_clock SET shift = $1", shift)
        # Whoever serves would have renewed its lease meanwhile.
        await self.ground.admin.execute("UPDATE syncer.lease SET until = until + $1", span)

    async def share(self, place: Place, role: str) -> None:
        """What the service may do on a calendar."""
        body = {"user": ROBOT.format(tenant=place.tenant), "role": role}
        await self.town.google("PUT", f"calendars/{place.calendar_id}/acl", body)

    def note(self, text: str) -> None:
        """Something happened that the story should tell."""
        self.notes.append((self.town.clock.now(), text))

    async def fetch(self, sql: str, *arguments: object) -> list[Any]:
        """Rows of this world's database, asked for beside the workers."""
        return list(await self.ground.admin.fetch(sql, *arguments))


@asynccontextmanager
async def staged(seed: int, ground: Ground, folder: Path) -> AsyncIterator[Stage]:
    """A furnished world with one worker that has not done anything yet."""
    slugs = [f"tenant-{number}" for number in range(1, TENANTS + 1)]
    async with AsyncExitStack() as stack:
        await ground.clear()
        await ground.admin.execute("INSERT INTO syncer.test_clock DEFAULT VALUES")
        places = towns.places(slugs, CALENDARS, {})
        watcher = Watcher(requests=True)
        town, servers = await _town(stack, places, seed, watcher)
        stage = Stage(seed, ground, town, watcher, servers, _settings(town, folder))
        await _enrol(stage, folder)
        for place in places:
            await settle(stage, place, EVENTS, f"{seed}:furniture", series=SERIES)
        await town.google("PUT", "faults", {"settings": {"slow_seconds": _SLOW_SECONDS, **_habits(seed)}})
        await town.google("PUT", "quotas", {"limits": limits.at_google(seed)})
        await town.vendor("PUT", "faults", {"slow_seconds": _SLOW_SECONDS})
        if tellings.is_told(seed):
            made = tellings.telling(town, stage.settings, ground.database, seed)
            stage.telling = await stack.enter_async_context(made)
            told = {"cycle_seconds": tellings.CYCLE_SECONDS, "notifications_url": stage.telling.url}
            stage.settings = stage.settings.model_copy(update=told)
            if registering.is_registered(seed):
                session = await stack.enter_async_context(aiohttp.ClientSession())
                root = stage.telling.url.removesuffix(PATH)
                stage.backend = await registering.backend(ground.database, slugs, session, root)
        try:
            await stage.add_worker()
            yield stage
        finally:
            for worker in stage.workers:
                await worker.kill()


def _habits(seed: int) -> dict[str, bool]:
    """How the simulated Google does what nobody knows for sure: each way in half of all worlds."""
    chance = random.Random(f"habits:{seed}")
    return {name: chance.random() < 0.5 for name in _HABITS}


async def _town(stack: AsyncExitStack, places: tuple[Place, ...], seed: int, watcher: Watcher) -> tuple[Town, Servers]:
    """A town as demos have it, where each call of the worker and its answer is held against Google's own document."""
    clock = SimulatedClock()
    google = GoogleSimulator(clock, seed, witness=watcher)
    vendor = ConferencingSimulator(clock, seed)
    google_root = await stack.enter_async_context(serving(google.application()))
    vendor_root = await stack.enter_async_context(serving(vendor.application()))
    session = await stack.enter_async_context(aiohttp.ClientSession())
    town = await towns._peopled(places, session, (google_root, vendor_root), clock)
    town.world.with_series = True
    return town, Servers(google, vendor)


async def settle(stage: Stage, place: Place, count: int, seed: str, *, series: int = 0) -> None:
    """Put so many single events, and so many series, with meetings on a calendar."""
    world = stage.town.world
    await settling.settle(world, stage.town.back, place, settling.furnished(world, place, count, seed, series=series))


async def _enrol(stage: Stage, folder: Path) -> None:
    """The service's own user may write on all calendars of its tenant."""
    database = stage.ground.database
    await tenants.add_project(database, "main")
    await stage.ground.admin.execute(limits.row(stage.seed))
    for slug, account in stage.town.accounts.items():
        grant = await stage.town.google("POST", "users", {"email": ROBOT.format(tenant=slug)})
        (folder / f"{slug}.google").write_text(json.dumps(grant))
        (folder / f"{slug}.vendor").write_text(account["webhook_secret"])
        await tenants.add_tenant(database, _tenant(slug, account["webhook_url"]))
        for place in [place for place in stage.places if place.tenant == slug]:
            await stage.share(place, "writer")
            await tenants.add_calendar(database, slug, NewCalendar(place.calendar_id))


def _tenant(slug: str, webhook_url: str) -> NewTenant:
    return NewTenant(
        slug=slug,
        project="main",
        credential=f"file:{slug}.google",
        provider_credential=f"file:{slug}.vendor",
        provider_settings={"url": webhook_url},
        policy=POLICY,
    )


def _settings(town: Town, folder: Path) -> Settings:
    """Short rhythms; a lease that does not run out while a worker is stopped, unless it is aged."""
    return Settings(
        google_api_root=town.google_root,
        token_uris=(f"{town.google_root}token",),
        credentials_folder=folder,
        private_networks=(ip_network("127.0.0.0/8"),),
        cycle_seconds=_CYCLE_SECONDS,
        relist_seconds=0.4,
        rescue_seconds=0.25,
        read_back_seconds=READ_BACK_SECONDS,
        lease_seconds=300,
        request_seconds=5,
    )
