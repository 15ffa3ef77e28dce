"""A small town whose people live through a script while somebody keeps their meetings in step, and its judge."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp

from syncer import app
from syncer.model.calendar import CalendarKey
from syncer.simulator.clock import SimulatedClock
from syncer.simulator.demo import town
from syncer.simulator.demo.town import Town
from syncer.simulator.judge.verdict import Verdict
from syncer.simulator.people import settling
from syncer.simulator.people.crowd import Crowd
from syncer.simulator.people.record import Kind
from syncer.store import tenants
from tests.peers.loops import Loop
from tests.simulator.google_stage import Stage
from tests.simulator.vendors import Vendor
from tests.sync.stage import Acted, a_project, add_tenant, list_anew, settings_for

EVENTS = 3
SEED = 1
# What one person after the other does, and after each line somebody looks. Then the tokens are over, once, with the
# next line already done; the provider fails once after that.
BEFORE = (Kind.RENAME, Kind.INVITE, Kind.CREATE)
IN_THE_GAP = (Kind.MOVE_TIME, Kind.DELETE)
AFTER = (Kind.RENAME, Kind.DUPLICATE)
_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Play:
    """A town, and how to look at it once."""

    built: Town
    keeper: Acted | Loop

    async def live(self) -> Verdict:
        """All of the script, and what the judge says when nothing more is to be done."""
        crowd = Crowd(self.built.world, {}, SEED)
        await self.keeper.follow()
        for kind in BEFORE:
            await self._act(crowd, kind)
            await self.keeper.follow()
        for kind in IN_THE_GAP:
            await self._act(crowd, kind)
        await self.built.google("POST", "forget", {"before": None})
        await self.keeper.follow()
        for kind in AFTER:
            await self._act(crowd, kind)
            await self.built.vendor("PUT", "faults", {"next": {"server_error": 1}})
            await self.keeper.follow()
        for _ in range(_ROUNDS):
            await self._wait(timedelta(hours=1))
            await self.keeper.follow()
        return await self.built.judge(grace_ms=1.0)

    async def _act(self, crowd: Crowd, kind: Kind) -> None:
        for place in self.built.world.places:
            await crowd.act(crowd.person(place.calendar_id), kind)

    async def _wait(self, span: timedelta) -> None:
        if isinstance(self.keeper, Acted):
            await self.keeper.pass_time(span)
        else:
            self.built.clock.shift += span


@asynccontextmanager
async def kept_by_loop(kind: type[Loop], **more: Any) -> AsyncIterator[Play]:
    """A town kept by a loop."""
    async with _a_town() as built, aiohttp.ClientSession() as session:
        places = built.world.places
        calendars = tuple(place.calendar_id for place in places)
        google, vendor = _faces(built, session)
        loop = kind(session, google, vendor, built.clock, calendars=calendars, user=places[0].owner, **more)
        yield Play(built, loop)


@asynccontextmanager
async def kept_by_syncer(dsn: str, folder: Path) -> AsyncIterator[Play]:
    """A town kept by syncer's worker."""
    async with _a_town() as built, aiohttp.ClientSession() as session:
        settings = settings_for(built.google_root, folder)
        (folder / "webhook").write_text(built.accounts["acme"]["webhook_secret"])
        async with app.tools_of(settings, dsn) as tools:
            await tenants.add_project(tools.database, "main")
            project = await a_project(tools)
            stage = Acted(*_faces(built, session), tools, project, built.clock, settings, dsn)
            await add_tenant(stage, "acme")
            await _serve(stage, built, folder)
            yield Play(built, stage)


async def _serve(stage: Acted, built: Town, folder: Path) -> None:
    database = stage.tools.database
    tenant_id = await database.value("SELECT tenant_id FROM syncer.tenant")
    for place in built.world.places:
        grant = await built.google("POST", "users", {"email": place.owner})
        (folder / f"{place.owner}.json").write_text(json.dumps(grant))
        calendar = tenants.NewCalendar(place.calendar_id, credential=f"file:{place.owner}.json")
        key = CalendarKey(tenant_id, await tenants.add_calendar(database, "acme", calendar))
        stage.ids[place.calendar_id] = key
    await list_anew(stage.tools, stage.project)


def _faces(built: Town, session: aiohttp.ClientSession) -> tuple[Stage, Vendor]:
    return Stage(built.google_root, session, {}), Vendor(session, built.vendor_root, dict(built.accounts["acme"]))


@asynccontextmanager
async def _a_town() -> AsyncIterator[Town]:
    places = town.places(["acme"], 2, {})
    async with town.built(places, clock=SimulatedClock(), seed=SEED) as built:
        for place in places:
            furniture = settling.furnished(built.world, place, EVENTS, f"{SEED}:furniture")
            await settling.settle(built.world, built.back, place, furniture)
        yield built
