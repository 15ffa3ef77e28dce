"""Access that is taken away from the service and given back: a calendar of which it sees nothing, a delegation."""

from __future__ import annotations

import json
import time
from asyncio import sleep
from collections.abc import Callable
from dataclasses import dataclass

from syncer.simulator.demo.staging import Stage
from syncer.simulator.people.record import Json, Place

CALENDAR_LOST = "calendar_lost"
DELEGATION_WITHDRAWN = "delegation_withdrawn"
_PATIENCE_SECONDS = 20.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Trouble:
    """What befalls the access of a stage's service, and its mending."""

    stage: Stage

    async def befall(self) -> dict[str, int]:
        """Take both kinds of access away, wait until the service has noticed, give both back; what was noticed."""
        place = self.stage.town.world.places[-1]
        tenant = self.stage.town.world.places[0].tenant
        noticed = {CALENDAR_LOST: await self._lose(place)}
        noticed[DELEGATION_WITHDRAWN] = await self._withdraw(tenant)
        await self._share(place, "owner")
        await self._delegate(tenant, [f"{tenant}.test"])
        return noticed

    async def resume(self) -> None:
        """What an operator does after mending: have parked calendars looked at at once."""
        for tenant in self.stage.town.accounts:
            await self.stage.ledger.resume(tenant)

    async def _lose(self, place: Place) -> int:
        since = await self._newest()
        await self._share(place, "none")
        return await self._noticed(
            since, lambda entry: entry["status"] == 404 and entry["calendar_id"] == place.calendar_id
        )

    async def _withdraw(self, tenant: str) -> int:
        since = await self._newest()
        await self._delegate(tenant, [])
        await self.stage.town.google("POST", "expire-access-tokens", {"spare_people": True})
        return await self._noticed(since, lambda entry: entry["status"] == 401 and entry["kind"] == "token")

    async def _share(self, place: Place, role: str) -> None:
        body = {"user": place.owner, "role": role}
        await self.stage.town.google("PUT", f"calendars/{place.calendar_id}/acl", body)

    async def _delegate(self, tenant: str, domains: list[str]) -> None:
        key = json.loads((self.stage.folder / f"{tenant}.google").read_text("utf-8"))
        await self.stage.town.google("PUT", f"service-accounts/{key['client_email']}", {"domains": domains})

    async def _newest(self) -> int:
        entries = (await self.stage.town.google("GET", "diary?after=0"))["entries"]
        return int(entries[-1]["n"])

    async def _noticed(self, since: int, is_it: Callable[[Json], bool]) -> int:
        """How often the service met it, at least once unless it takes too long."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            entries = (await self.stage.town.google("GET", f"diary?after={since}"))["entries"]
            count = len([entry for entry in entries if entry["actor"] == "client" and is_it(entry)])
            if count:
                return count
            await sleep(_POLL_SECONDS)
        return 0
