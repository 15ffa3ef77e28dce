"""A town: both simulators on loopback, with tenants whose people have calendars, grants and meetings."""

from __future__ import annotations

from asyncio import TaskGroup
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import aiohttp

from syncer.simulator import addon
from syncer.simulator.clock import SimulatedClock
from syncer.simulator.conferencing import ConferencingSimulator
from syncer.simulator.google import GoogleSimulator
from syncer.simulator.judge import reading, rules
from syncer.simulator.judge.rules import Case, Meeting
from syncer.simulator.judge.verdict import Verdict
from syncer.simulator.people.faces import PEOPLE, Google, Vendor, calendar_path
from syncer.simulator.people.record import Json, Place, Reference
from syncer.simulator.people.settling import Back
from syncer.simulator.people.world import World
from syncer.simulator.serve import serving

SOLUTION = "Example Meeting"
TIME_ZONES = ("Europe/Paris", "America/New_York", "Asia/Kolkata", "Europe/London", "Australia/Sydney")
_NAMES = ("ana", "bo", "chi", "dara", "eli", "fay", "gus", "hana")
_CONNECTIONS = 40


@dataclass(frozen=True, slots=True)
class Town:
    """Two servers and the people between them.

    google_root, vendor_root: of the simulators. accounts: at the vendor, by tenant.
    """

    google_root: str
    vendor_root: str
    session: aiohttp.ClientSession
    clock: SimulatedClock
    world: World
    accounts: Mapping[str, Json]

    @property
    def back(self) -> Back:
        """The way in for entries as they stand."""
        return Back(self.session, self.google_root)

    async def google(self, method: str, path: str, body: Json | None = None) -> Json:
        """One request to the control face of the simulated Google."""
        return await _control(self.session, method, f"{self.google_root}simulator/{path}", body)

    async def vendor(self, method: str, path: str, body: Json | None = None) -> Json:
        """One request to the control face of the simulated conferencing system."""
        return await _control(self.session, method, f"{self.vendor_root}simulator/{path}", body)

    async def judge(
        self,
        *,
        grace_ms: float,
        held: frozenset[Meeting] = frozenset(),
        known_at: Mapping[Reference, datetime] | None = None,
    ) -> Verdict:
        """What the judge says of both servers as they are now."""
        world = self.world
        seen = await reading.read(world.places, world.google, world.vendors, with_series=world.with_series)
        return rules.judge(Case(seen, world.record, self.clock.now(), grace_ms, held, known_at or {}))


def places(tenants: list[str], calendars: int, time_zones: Mapping[str, str]) -> tuple[Place, ...]:
    """So many calendars for each tenant, the second one of each a secondary calendar of the first one's owner.

    tenants: slugs. time_zones: by calendar id, where it is not one of the usual.
    """
    found: list[Place] = []
    for tenant in tenants:
        for number in range(calendars):
            calendar_id, owner = _names(tenant, number)
            zone = time_zones.get(calendar_id, TIME_ZONES[len(found) % len(TIME_ZONES)])
            found.append(Place(tenant, calendar_id, owner, zone))
    return tuple(found)


def _names(tenant: str, number: int) -> tuple[str, str]:
    turn, name = divmod(number, len(_NAMES))
    owner = f"{_NAMES[name]}{turn or ''}@{tenant}.test"
    if number == 1:
        return f"team-{tenant}@group.calendar.test", f"{_NAMES[0]}@{tenant}.test"
    return owner, owner


@asynccontextmanager
async def built(
    all_places: tuple[Place, ...], *, clock: SimulatedClock, seed: int, with_series: bool = False
) -> AsyncIterator[Town]:
    """The town with these calendars, all empty, for as long as the block lasts.

    with_series: whether people edit series too, and the judge judges meetings on them.
    """
    google, vendor = GoogleSimulator(clock, seed), ConferencingSimulator(clock, seed)
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
    async with (
        serving(google.application()) as google_root,
        serving(vendor.application()) as vendor_root,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        town = await _peopled(all_places, session, (google_root, vendor_root), clock)
        town.world.with_series = with_series
        yield town


async def _peopled(
    all_places: tuple[Place, ...], session: aiohttp.ClientSession, roots: tuple[str, str], clock: SimulatedClock
) -> Town:
    google_root, vendor_root = roots
    for place in all_places:
        body = {"id": place.calendar_id, "owner": place.owner, "time_zone": place.time_zone}
        await _control(session, "POST", f"{google_root}simulator/calendars", body)
    owners = dict.fromkeys(place.owner for place in all_places)
    grants = {
        owner: await _control(session, "POST", f"{google_root}simulator/users", {"email": owner}) for owner in owners
    }
    accounts = {
        tenant: await _control(session, "POST", f"{vendor_root}simulator/accounts", {"slug": tenant})
        for tenant in dict.fromkeys(place.tenant for place in all_places)
    }
    world = World(
        places=all_places,
        google={owner: Google(session, google_root, grant) for owner, grant in grants.items()},
        vendors={tenant: Vendor(session, vendor_root, account["api_token"]) for tenant, account in accounts.items()},
        now=clock.now,
        solution=SOLUTION,
        conference_data=lambda meeting: addon.conference_of(meeting, solution=SOLUTION),
        split=lambda body: _control(session, "POST", f"{google_root}simulator/split", body),
    )
    await _share(world)
    return Town(google_root, vendor_root, session, clock, world, accounts)


async def _share(world: World) -> None:
    """Let everybody write where they may move events to, and the first of each tenant on all its calendars."""
    firsts = {place.tenant: place.owner for place in reversed(world.places)}
    shares = {(place.calendar_id, firsts[place.tenant]) for place in world.places}
    shares |= {(other.calendar_id, place.owner) for place in world.places for other in world.neighbours(place)}
    owner_by_calendar = {place.calendar_id: place.owner for place in world.places}
    async with TaskGroup() as group:
        for calendar_id, user in sorted(shares):
            owner = owner_by_calendar[calendar_id]
            if user != owner:
                rule = {"role": "writer", "scope": {"type": "user", "value": user}}
                path = f"{calendar_path(calendar_id)}/acl"
                group.create_task(world.google[owner].call("POST", path, body=rule))


async def _control(session: aiohttp.ClientSession, method: str, url: str, body: Json | None) -> Json:
    async with session.request(method, url, json=body, headers=PEOPLE) as response:
        response.raise_for_status()
        answer: Json = await response.json()
        return answer
