"""In half of the worlds with notifications vendors register what they create: their backends call the receiver."""

from __future__ import annotations

import random
from dataclasses import dataclass

import aiohttp

from syncer.run.registration import CALENDARS, CONFERENCES
from syncer.simulator.people.record import Json, Place
from syncer.store import api_keys
from syncer.store.database import Database

EXPIRES_SECONDS = 600
"""How long the event of a meeting may take to be seen before the meeting goes."""
_SHARE = 0.5
_OK = frozenset({200, 201, 204})
_AWAY, _TRIES = 503, 20


def is_registered(seed: int) -> bool:
    """Whether vendors register in this world, if it has notifications."""
    return random.Random(f"registered:{seed}").random() < _SHARE


@dataclass(frozen=True, slots=True)
class Backend:
    """The vendors' backends. keys: API key by tenant. root: the receiver's URL."""

    session: aiohttp.ClientSession
    root: str
    keys: dict[str, str]

    async def calendar(self, place: Place) -> None:
        """Somebody made a first meeting on this calendar."""
        await self._post(place, CALENDARS, {"calendar": place.calendar_id})

    async def conference(self, place: Place, meeting_id: str, event_id: str | None) -> None:
        """A meeting was made for an event of this calendar, which may have no id yet."""
        named = {"event_id": event_id} if event_id is not None else {}
        expires = {"expires_in_seconds": EXPIRES_SECONDS}
        body = {"calendar": place.calendar_id, "conference": {"id": meeting_id}, **named, **expires}
        await self._post(place, CONFERENCES, body)

    async def changed(self, place: Place) -> None:
        """Something changed on this calendar."""
        await self._post(place, f"{CALENDARS}/{place.calendar_id}/changed", None)

    async def _post(self, place: Place, path: str, body: Json | None) -> None:
        headers = {"Authorization": f"Bearer {self.keys[place.tenant]}"}
        for _ in range(_TRIES):
            async with self.session.post(f"{self.root}{path}", json=body, headers=headers) as answer:
                # Connections to the database that were cut are found one at a time; nothing was written then.
                if answer.status != _AWAY:
                    break
        if answer.status not in _OK:
            raise AssertionError(f"{path} was answered {answer.status}")


async def backend(database: Database, tenants: list[str], session: aiohttp.ClientSession, root: str) -> Backend:
    """A backend with a key of each tenant's."""
    keys = {tenant: (await api_keys.add(database, tenant, "backend")).text for tenant in tenants}
    return Backend(session, root, keys)
