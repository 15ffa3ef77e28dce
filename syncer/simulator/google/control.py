"""The simulated Google's control face: sets the stage, turns faults on, tells what happened.

Requests and answers are JSON; a wrong request is answered 400, 404 or 409 with {"error": "<a sentence>"}.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from syncer.simulator.google import grants, loading, render, series, times
from syncer.simulator.google.control_requests import (
    Wrong,
    address_of,
    answered,
    body_of,
    domains_of,
    project_of,
    split_of,
)
from syncer.simulator.google.diary import Note
from syncer.simulator.google.faces import Stage
from syncer.simulator.google.grants import Grants
from syncer.simulator.google.render import View
from syncer.simulator.google.times import Json


class Control:
    """The answers of the control face."""

    def __init__(self, stage: Stage, known_grants: Grants) -> None:
        self._stage = stage
        self._grants = known_grants

    def routes(self) -> list[web.RouteDef]:
        """What it answers, all below `simulator/`."""
        return [
            web.post("/simulator/calendars", answered(self.add_calendar)),
            web.post("/simulator/service-accounts", answered(self.add_service_account)),
            web.post("/simulator/users", answered(self.add_user)),
            web.post("/simulator/calendars/{calendarId}/load", answered(self.load)),
            web.post("/simulator/split", answered(self.split)),
            web.get("/simulator/clock", answered(self.clock)),
            web.put("/simulator/clock", answered(self.set_clock)),
            web.get("/simulator/diary", answered(self.diary)),
            web.get("/simulator/faults", answered(self.faults)),
            web.put("/simulator/faults", answered(self.set_faults)),
            web.post("/simulator/forget", answered(self.forget)),
            web.post("/simulator/expire-access-tokens", answered(self.expire_access_tokens)),
        ]

    async def add_calendar(self, request: web.Request) -> Json:
        """Make a calendar: primary when its id is its owner's address."""
        body = await body_of(request)
        calendar_id = address_of(body, "id")
        owner = address_of(body, "owner") if body.get("owner") else calendar_id
        zone_name = body.get("time_zone", "UTC")
        if times.zone_named(zone_name) is None:
            raise Wrong(f"There is no time zone named {zone_name!r}.")
        if calendar_id in self._stage.world.calendars:
            raise Wrong(f"There is already a calendar with the id {calendar_id}.", 409)
        summary = str(body.get("summary") or calendar_id)
        made = self._stage.world.add_calendar(calendar_id, owner, time_zone=zone_name, summary=summary)
        return {"id": made.id, "owner": owner, "primary": made.is_primary, "time_zone": zone_name, "summary": summary}

    async def add_service_account(self, request: web.Request) -> Json:
        """A key file for a new service account that may act as the users of some domains."""
        body = await body_of(request)
        domains, project = domains_of(body), project_of(body)
        key = await asyncio.to_thread(grants.new_key)
        return self._grants.add_account(key, domains, _token_uri(request), project=project)

    async def add_user(self, request: web.Request) -> Json:
        """A refresh grant of a user, who is made if there is none of that address."""
        body = await body_of(request)
        email = address_of(body, "email")
        self._stage.world.users.add(email)
        return self._grants.add_refresh(email, _token_uri(request), project=project_of(body))

    async def load(self, request: web.Request) -> Json:
        """Put events into a calendar as they stand."""
        calendar_id = request.match_info["calendarId"].lower()
        calendar = self._stage.world.calendars.get(calendar_id)
        if calendar is None:
            raise Wrong(f"There is no calendar with the id {calendar_id}.", 404)
        try:
            count = loading.load(self._stage.world, calendar, (await body_of(request)).get("events"))
        except loading.Unloadable as unloadable:
            raise Wrong(str(unloadable)) from unloadable
        note = Note("POST", request.path, kind="load", status=200, actor="people", calendar_id=calendar_id)
        self._stage.diary.write(note)
        self._stage.messages.commit()
        return {"loaded": count, "change_number": self._stage.world.number}

    async def split(self, request: web.Request) -> Json:
        """Split a series as the web interface does: {"calendar", "event_id", "at"}, and what `split_of` tells."""
        world = self._stage.world
        calendar, master, cut = split_of(world, await body_of(request))
        try:
            made = series.split(world, calendar, master, cut)
        except series.Unsplittable as unsplittable:
            raise Wrong(str(unsplittable)) from unsplittable
        note = Note("POST", request.path, kind="edit", status=200, actor="people", calendar_id=calendar.id)
        note.event_id = master.resource["id"]
        note.marks = {"change": True, "etag": master.etag, "change_number": world.number}
        self._stage.diary.write(note)
        self._stage.messages.commit()
        return render.event(calendar, made, View())

    async def clock(self, _: web.Request) -> Json:
        """The simulated instant."""
        return {"now": self._stage.world.now_stamp()}

    async def set_clock(self, request: web.Request) -> Json:
        """Set it; time runs on from there."""
        at = times.instant((await body_of(request)).get("now"))
        if at is None:
            raise Wrong('Give the instant as {"now": "2026-12-01T09:00:00Z"}, with an offset.')
        self._stage.world.clock.set(at)
        return await self.clock(request)

    async def diary(self, request: web.Request) -> Json:
        """The entries after a number."""
        after = request.query.get("after", "0")
        if not (after.isascii() and after.isdigit()):
            raise Wrong("Give the number of the last entry you know as after=<number>.")
        return {"entries": self._stage.diary.after(int(after))}

    async def faults(self, _: web.Request) -> Json:
        """What is set, and what has happened."""
        return self._stage.faults.settings() | {"settings": self._stage.world.switches.as_json()}

    async def set_faults(self, request: web.Request) -> Json:
        """Set chances and next times, each map whole, and settings, those that are named."""
        body = await body_of(request)
        for name in ("chance", "next", "settings"):
            if not isinstance(body.get(name, {}), dict):
                raise Wrong(f"Give {name} as an object from names to values.")
        self._stage.world.switches.check(body.get("settings", {}))
        self._stage.faults.set(body.get("chance"), body.get("next"))
        self._stage.world.switches.set(body.get("settings", {}))
        return await self.faults(request)

    async def forget(self, request: web.Request) -> Json:
        """Let old sync tokens die."""
        before = (await body_of(request)).get("before")
        if before is not None and (isinstance(before, bool) or not isinstance(before, int)):
            raise Wrong("Give a change number as before, or null to forget everything up to now.")
        return {"forgotten_before": self._stage.world.forget(before)}

    async def expire_access_tokens(self, request: web.Request) -> Json:
        """Let all access tokens end now, or all but people's."""
        spares_people = (await body_of(request)).get("spare_people") is True
        return {"expired": self._grants.expire_access_tokens(spares_people=spares_people)}


def _token_uri(request: web.Request) -> str:
    return f"{request.scheme}://{request.host}/token"
