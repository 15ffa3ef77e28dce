"""A stage for the corridor: Postgres, both simulators over HTTP, and one project under a real lease."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp

from syncer import app
from syncer.model.budget import Limits
from syncer.model.calendar import CalendarKey, Matcher, Policy
from syncer.model.errors import OutsideError, SyncerError
from syncer.settings import Settings
from syncer.simulator import addon
from syncer.simulator.clock import SimulatedClock
from syncer.simulator.conferencing import ConferencingSimulator
from syncer.simulator.google import GoogleSimulator
from syncer.simulator.serve import serving
from syncer.store import calendars, conferences, leases, tenants
from syncer.store.budgets import Standing
from syncer.sync import listing, pull, push, sweep
from syncer.sync.push import Push
from syncer.sync.spending import Spending
from syncer.sync.tenure import Tenure
from syncer.sync.tools import Project, Tools
from tests.simulator.google_stage import ADD_ON, ANA, BO, CLEO, PEOPLE, ROOM, Stage, events
from tests.simulator.vendors import Vendor
from tests.simulator.watching import Watcher

GRACE = timedelta(minutes=10)
LEASE_SECONDS = 3600.0
# Rhythms are short here, and a day's requests must not be spread over a day.
PLENTY = {"per_minute": 1_000_000, "per_user_minute": 1_000_000, "per_day": 10**12}
SOLUTION = "Example Meeting"
STARTS, ENDS = "2099-12-02T10:00:00Z", "2099-12-02T10:30:00Z"
POLICY = Policy(matchers=(Matcher(solution_type="addOn"),), grace=GRACE)
HIDDEN = "hidden@group.tenant-a.test"
ACME: tuple[str, ...] = (ANA, BO, ROOM)
_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Booked:
    """An event and the meeting that it refers to."""

    calendar: str
    event_id: str
    meeting_id: str


@dataclass(slots=True)
class Acted:
    """Simulators, people and one worker that does one round at a time."""

    google: Stage
    vendor: Vendor
    tools: Tools
    project: Project
    clock: SimulatedClock
    settings: Settings
    dsn: str
    ids: dict[str, CalendarKey] = field(default_factory=dict)

    # What people do.

    async def book(self, title: str = "Standup", *, calendar: str = ANA, **fields: Any) -> Booked:
        """A new meeting, and an event that the add-on put it on."""
        meeting = await self.vendor.new_meeting(title=None, organizer=None, attendee_count=0, timezone=None)
        event_id = await self.insert(meeting, calendar, summary=title, **fields)
        return Booked(calendar, event_id, meeting["id"])

    async def insert(self, meeting: dict[str, Any], calendar: str = ANA, **fields: Any) -> str:
        """An event that refers to this meeting; gives its id."""
        made = await self.google.insert_with_conference(
            calendar,
            user=owner_of(calendar),
            conferenceData=addon.conference_of(meeting, solution=SOLUTION),
            **{**TIMES, **fields},
        )
        return str(made["id"])

    async def edit(self, booked: Booked, **fields: Any) -> None:
        """A person changes an event."""
        await self.ask("PATCH", booked, fields)

    async def swap(self, booked: Booked, conference: Any) -> None:
        """A person replaces an event's conference, or removes it (None)."""
        await self.ask("PATCH", booked, {"conferenceData": conference}, headers=ADD_ON, conferenceDataVersion=1)

    async def delete(self, booked: Booked) -> None:
        """A person deletes an event."""
        await self.ask("DELETE", booked)

    async def move(self, booked: Booked, destination: str) -> Booked:
        """A person moves an event to another calendar."""
        path = f"{events(booked.calendar, booked.event_id)}/move"
        reply = await self.google.call("POST", path, user=owner_of(booked.calendar), destination=destination)
        assert reply.status == 200, reply.body
        return Booked(destination, booked.event_id, booked.meeting_id)

    async def move_out_of_sight(self, booked: Booked) -> None:
        """A person moves an event to a calendar that nobody has added."""
        await self.google.control("POST", "calendars", {"id": HIDDEN, "owner": ANA})
        await self.move(booked, HIDDEN)

    async def duplicate(self, booked: Booked, *, calendar: str | None = None) -> Booked:
        """A person copies an event, conference and all."""
        calendar = calendar or booked.calendar
        meeting = await self.meeting(booked)
        return Booked(calendar, await self.insert(meeting, calendar, summary="A copy"), booked.meeting_id)

    async def event(self, booked: Booked) -> Any:
        """The event as a person sees it."""
        return await self.ask("GET", booked)

    async def ask(self, verb: str, booked: Booked, body: Any = None, **more: Any) -> Any:
        """A person's request about one event."""
        path = events(booked.calendar, booked.event_id)
        reply = await self.google.call(verb, path, body, user=owner_of(booked.calendar), **more)
        assert reply.status in (200, 204), reply.body
        return reply.body

    # What the vendor's own users do and see.

    async def meeting(self, booked: Booked) -> dict[str, Any]:
        """The meeting as its vendor shows it."""
        return await self.vendor.meeting(booked.meeting_id)

    async def change_meeting(self, booked: Booked, **fields: Any) -> dict[str, Any]:
        """The vendor's own user changes a meeting."""
        reply = await self.vendor.rest("PATCH", f"meetings/{booked.meeting_id}", json=fields)
        assert reply.status == 200, reply.body
        return dict(reply.json)

    async def calls(self, action: str) -> list[dict[str, Any]]:
        """The worker's calls of one kind to the provider."""
        return [row for row in await self.vendor.diary() if row["face"] == "webhook" and row["action"] == action]

    async def requests(self, method: str) -> list[dict[str, Any]]:
        """The worker's requests of one method to Google's API."""
        entries = (await self.google.control("GET", "diary"))["entries"]
        return [
            row for row in entries if row["actor"] == "client" and row["method"] == method and row["kind"] != "token"
        ]

    async def outside(self) -> int:
        """How many changes the worker has asked for outside."""
        writes = [row for row in await self.vendor.diary() if row["face"] == "webhook" and row["action"] != "read"]
        return len(writes) + len(await self.requests("PATCH"))

    # What the worker does.

    async def follow(self) -> None:
        """Looks at each calendar, pulls those that changed, pushes what they touched and all that is due."""
        await self.push(await self.look(*self.ids))

    async def look(self, *google_ids: str) -> set[int]:
        """Looks at calendars and pulls those that changed; gives the conferences that were touched."""
        touched: set[int] = set()
        for key in [self.ids[google_id] for google_id in google_ids]:
            began_at = self.tools.clock()
            for seen in await sweep.sweep(self.tools, self.project, [slot_of(self.project, key)]):
                touched |= await self._take(seen)
                if not isinstance(seen, sweep.Trouble):
                    self.project.looked(key, began_at, self.tools.clock())
        return touched

    async def _take(self, seen: sweep.Seen) -> set[int]:
        try:
            if isinstance(seen, sweep.Changed):
                (outcome,) = [done async for _, done in pull.pull_together(self.tools, self.project, [seen])]
                if isinstance(outcome, SyncerError):
                    raise outcome
                return outcome or set()
            if isinstance(seen, sweep.Quiet):
                await sweep.rest(self.tools, self.project, seen)
            else:
                raise seen.error
        except OutsideError as error:
            await sweep.setback(self.tools, self.project, seen.calendar, error)
        return set()

    async def push(self, touched: Sequence[int] | set[int] = ()) -> None:
        """Pushes these conferences, then all that are due by their rows, until none is."""
        tenant_of = {row["conference_id"]: row["tenant_id"] for row in await self.rows("conference")}
        due = [(tenant_of[conference_id], conference_id) for conference_id in sorted(touched)]
        for _ in range(_ROUNDS):
            for key in due:
                await push.push(self.tools, self.project, Push(*key))
            due = await conferences.waiting(self.tools.database, self.project.listed, limit=500, per_account=100)
            if not due:
                return
        raise AssertionError("There is always something left to push.")

    async def unread(self) -> list[tuple[int, int]]:
        """The live meetings that may be read back now, as (tenant, conference) ids."""
        before = self.tools.clock() + timedelta(days=1)
        tenant_ids = self.project.listed
        return await conferences.unread(self.tools.database, tenant_ids, before=before, limit=500, per_account=100)

    async def read_back(self) -> None:
        """Asks the provider how every live meeting is, as the slow loop does."""
        for key in await self.unread():
            await push.push(self.tools, self.project, Push(*key, reads_back=True))
        await self.push()

    async def pass_time(self, span: timedelta) -> None:
        """Moves the clock of the cluster, of the worker and of Google."""
        await self.tools.database.run(
            "INSERT INTO syncer.test_clock (shift) VALUES ($1) "
            "ON CONFLICT (is_test) DO UPDATE SET shift = test_clock.shift + excluded.shift",
            span,
        )
        self.tools.clock.shift = await leases.clock_shift(self.tools.database)
        self.clock.shift = self.tools.clock.shift

    async def restart(self, *, is_listed: bool = True) -> None:
        """Another worker takes over from the rows; the old one knows nothing of it. is_listed: all of them by now."""
        await self.tools.database.run("UPDATE syncer.lease SET until = syncer.clock() - interval '1 second'")
        self.project = await a_project(self.tools, is_listed=is_listed)

    # What the rows say.

    async def rows(self, table: str) -> list[Any]:
        """All rows of a table of ours."""
        order = {"conference": "conference_id", "history": "history_id", "calendar": "calendar_id"}
        by = f" ORDER BY {order[table]}" if table in order else ""
        return await self.tools.database.fetch(f"SELECT * FROM syncer.{table}{by}")  # noqa: S608

    async def conference(self, booked: Booked, tenant: str = "acme") -> Any:
        """Our row for a meeting."""
        return await self.tools.database.first(
            "SELECT c.* FROM syncer.conference c NATURAL JOIN (SELECT tenant_id, slug FROM syncer.tenant) t "
            "WHERE meeting_id = $1 AND slug = $2",
            booked.meeting_id,
            tenant,
        )

    async def told(self) -> list[str]:
        """The kinds of what is in the history, in order."""
        return [str(row["kind"]) for row in await self.rows("history")]

    async def set_google_faults(self, **faults: Any) -> None:
        """Faults of Google that strike the worker."""
        await self.google.control("PUT", "faults", faults)


TIMES: dict[str, Any] = {"start": {"dateTime": STARTS}, "end": {"dateTime": ENDS}}


def owner_of(calendar: str) -> str:
    """Who may write on a calendar."""
    return ANA if calendar == ROOM else calendar


def meet(code: str = "abc-defg-hij") -> dict[str, Any]:
    """A request for a conference that is none of the provider's."""
    return {"createRequest": {"requestId": code, "conferenceSolutionKey": {"type": "hangoutsMeet"}}}


async def a_project(tools: Tools, *, is_listed: bool = True) -> Project:
    """The only project, under a lease of a new owner, listed as the rows say; or its tenants only, so far."""
    owner = uuid4()
    (lease,) = await leases.take(tools.database, owner, lease_seconds=LEASE_SECONDS, now=tools.clock())
    tenure = Tenure(lease, asyncio.get_running_loop().time() + LEASE_SECONDS)
    today, now = tools.clock().date(), tools.clock.seconds
    spending = Spending(Standing(Limits(), None), tenure, today=today, cycle_seconds=1.0, now=now)
    project = Project(tenure, 1.0, spending)
    if is_listed:
        await list_anew(tools, project)
    else:
        known, _ = await calendars.tenants(tools.database, lease.project_id)
        list(project.keep_tenants(known))
    return project


async def list_anew(tools: Tools, project: Project) -> None:
    """What a beat does: tenants and calendars as the rows say."""
    await listing.list_anew(tools, project)


def slot_of(project: Project, key: CalendarKey) -> int:
    """Where a calendar that is served stands in memory."""
    slot = project.calendars.slot(key)
    assert slot is not None
    return slot


async def add_tenant(stage: Acted, slug: str, *google_ids: str, policy: Policy = POLICY) -> None:
    """A tenant of the same provider account, with these calendars, served at once."""
    account = {"provider_credential": "file:webhook", "provider_settings": {"url": stage.vendor.account["webhook_url"]}}
    database = stage.tools.database
    await tenants.add_tenant(
        database,
        tenants.NewTenant(slug=slug, project="main", credential="file:none.json", policy=policy, **account),  # type: ignore[arg-type]
    )
    tenant_id = await database.value("SELECT tenant_id FROM syncer.tenant WHERE slug = $1", slug)
    for google_id in google_ids:
        folder = stage.settings.credentials_folder
        assert folder is not None
        grant = await stage.google.control("POST", "users", {"email": owner_of(google_id)})
        name = f"{owner_of(google_id)}.json"
        (folder / name).write_text(json.dumps(grant))
        addresses = frozenset({owner_of(google_id)}) if google_id == ROOM else frozenset()
        calendar = tenants.NewCalendar(google_id=google_id, credential=f"file:{name}", addresses=addresses)
        stage.ids[google_id] = CalendarKey(tenant_id, await tenants.add_calendar(database, slug, calendar))
    await list_anew(stage.tools, stage.project)


@asynccontextmanager
async def a_stage(
    dsn: str,
    folder: Path,
    *,
    calendars: Sequence[str] = ACME,
    policy: Policy = POLICY,
    watcher: Watcher | None = None,
) -> AsyncIterator[Acted]:
    """A tenant `acme` with these calendars, served by one worker; Cleo's calendar is there, and nobody's yet."""
    clock, watcher = SimulatedClock(), watcher or Watcher(requests=True)
    async with (
        serving(GoogleSimulator(clock, seed=1, witness=watcher).application()) as google_root,
        serving(ConferencingSimulator(clock, seed=1).application()) as vendor_root,
        aiohttp.ClientSession(headers=PEOPLE) as session,
    ):
        async with session.post(f"{vendor_root}simulator/accounts", json={"slug": "acme"}) as response:
            vendor = Vendor(session, vendor_root, await response.json())
        (folder / "webhook").write_text(vendor.account["webhook_secret"])
        settings = settings_for(google_root, folder)
        async with app.tools_of(settings, dsn) as tools:
            await tenants.add_project(tools.database, "main", **PLENTY)
            google = Stage(google_root, session, {})
            for user in (ANA, BO, CLEO):
                await google.control("POST", "calendars", {"id": user})
            await google.control("POST", "calendars", {"id": ROOM, "owner": ANA, "summary": "Room"})
            stage = Acted(google, vendor, tools, await a_project(tools), clock, settings, dsn)
            await add_tenant(stage, "acme", *calendars, policy=policy)
            yield stage
    watcher.check()


def settings_for(google_root: str, folder: Path) -> Settings:
    """Settings for servers on loopback, with short rhythms."""
    return Settings(
        google_api_root=google_root,
        token_uris=(f"{google_root}token",),
        credentials_folder=folder,
        private_networks=(ip_network("127.0.0.0/8"),),
        cycle_seconds=0.2,
        relist_seconds=0.2,
        rescue_seconds=0.1,
        lease_seconds=4,
    )
