"""Access that is taken away from the service and given back: calendars, grants, users, delegations, quotas."""

from __future__ import annotations

import time
from asyncio import sleep
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from math import inf

from syncer.simulator.demo import kinds
from syncer.simulator.demo.faults import FIRST_STEP, SECOND_STEP, Weather
from syncer.simulator.demo.staging import Stage, own_grant
from syncer.simulator.google import times
from syncer.simulator.people.crowd import Crowd
from syncer.simulator.people.record import Json, Kind, Place

_PATIENCE_SECONDS = 20.0
_RESUME_SECONDS = 1.0
_POLL_SECONDS = 0.05
_LONG = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Loss:
    """One kind of access. met: how often the service met its loss, by the diary of what it asked since."""

    name: str
    take: Callable[[], Awaitable[None]]
    give_back: Callable[[], Awaitable[None]]
    met: Callable[[Sequence[Json]], int]


@dataclass(slots=True)
class Trouble:
    """What befalls the access of a stage's service, and its mending.

    It strikes the first tenant, which delegates to a service account: its first user, and its last calendar, which has
    a grant of its own. met: how often the service met each kind.
    """

    stage: Stage
    crowd: Crowd
    weather: Weather
    met: dict[str, int] = field(default_factory=dict)

    async def befall(self) -> None:
        """Take each kind of access away, wait until the service has met it, and give it back."""
        # For `mend`: until then it has time to start.
        await self.stage.worker.stand_by()
        # What is lost together is told apart by how it is answered.
        await self._go_through([self._withdrawn(), self._revoked()], self._rename)
        await self._go_through([self._spreading(), self._narrowed()])
        await self._go_through([self._standing(kinds.SUBJECT_SUSPENDED, "suspended")])
        await self._go_through([self._standing(kinds.SUBJECT_RENAMED, "renamed")])
        await self._go_through([self._limited("calendar_writes", "PATCH")], self._change_at_provider)
        await self._go_through([self._lost(), self._use_limit()], self._change_at_provider)
        await self._resume()
        await self.weather.step_down(FIRST_STEP)
        await self._go_through([self._limited("project_per_day", "GET")])

    async def mend(self) -> None:
        """What an operator does when all is repaired: a fresh start, and whatever waits is tried at once."""
        await self.stage.worker.hand_over()
        for tenant in self.stage.town.accounts:
            await self.stage.ledger.resume(tenant)
            await self.stage.ledger.retry(tenant)
        await self.weather.step_down(SECOND_STEP)

    async def _go_through(self, losses: Sequence[Loss], meanwhile: Callable[[], Awaitable[None]] | None = None) -> None:
        await self._resume()
        since = await self._newest()
        for loss in losses:
            await loss.take()
        await self.weather.expire_tokens()
        if meanwhile is not None:
            await meanwhile()
        self.met |= await self._noticed(since, losses)
        for loss in losses:
            await loss.give_back()

    async def _resume(self) -> None:
        for tenant in self.stage.town.accounts:
            await self.stage.ledger.resume(tenant)

    async def _noticed(self, since: int, losses: Sequence[Loss]) -> dict[str, int]:
        """How often the service met each loss, at least once unless it takes too long."""
        deadline, resumed = time.monotonic() + _PATIENCE_SECONDS, time.monotonic()
        while True:
            entries = (await self.stage.town.google("GET", f"diary?after={since}"))["entries"]
            own = [entry for entry in entries if entry["actor"] == "client"]
            met = {loss.name: loss.met(own) for loss in losses}
            if all(met.values()) or time.monotonic() > deadline:
                return met
            if time.monotonic() - resumed > _RESUME_SECONDS:
                # One that was under way when access came back has parked its calendar again.
                await self._resume()
                resumed = time.monotonic()
            await sleep(_POLL_SECONDS)

    async def _newest(self) -> int:
        entries = (await self.stage.town.google("GET", "diary?after=0"))["entries"]
        return int(entries[-1]["n"])

    async def _rename(self) -> None:
        """People go on while the service can see nothing of it."""
        for place in (self._subjects_place, self._own_place):
            await self.crowd.act(self.crowd.person(place.calendar_id), Kind.RENAME)

    async def _change_at_provider(self) -> None:
        """A change that wants to be shown by its event; of a calendar that can be reached."""
        for place in self.stage.town.world.places:
            person = self.crowd.person(place.calendar_id)
            if place != self._own_place and await self.crowd.act(person, Kind.CHANGE_AT_PROVIDER) is not Kind.CREATE:
                return

    @property
    def _subjects_place(self) -> Place:
        return self.stage.town.world.places[0]

    @property
    def _own_place(self) -> Place:
        return next(
            place for place in reversed(self.stage.town.world.places) if place.tenant == self._subjects_place.tenant
        )

    def _withdrawn(self) -> Loss:
        tenant = self._subjects_place.tenant

        async def delegate(domains: list[str]) -> None:
            email = self.stage.credential(tenant)["client_email"]
            await self.stage.town.google("PUT", f"service-accounts/{email}", {"domains": domains})

        return Loss(
            kinds.DELEGATION_WITHDRAWN,
            take=lambda: delegate([]),
            give_back=lambda: delegate([f"{tenant}.test"]),
            met=_tokens_refused(401),
        )

    def _spreading(self) -> Loss:
        user = self._subjects_place.owner

        async def delegate(body: Json) -> None:
            await self.stage.town.google("PUT", f"users/{user}", body)

        return Loss(
            kinds.DELEGATION_SPREADING,
            take=lambda: delegate({"delegated_at": self._long_from_now()}),
            give_back=lambda: delegate({"delegated_at": None}),
            met=_tokens_refused(401),
        )

    def _standing(self, name: str, state: str) -> Loss:
        user = self._subjects_place.owner

        async def stand(state: str) -> None:
            await self.stage.town.google("PUT", f"users/{user}", {"state": state})

        return Loss(name, take=lambda: stand(state), give_back=lambda: stand("active"), met=_tokens_refused(400))

    def _revoked(self) -> Loss:
        place = self._own_place
        name = own_grant(place.tenant)

        async def revoke() -> None:
            body = {"client_id": self.stage.credential(name)["client_id"]}
            await self.stage.town.google("POST", f"users/{place.owner}/revoke", body)

        async def consent() -> None:
            grant = await self.stage.town.google("POST", "users", {"email": place.owner})
            self.stage.keep(name, grant)

        return Loss(kinds.GRANT_REVOKED, take=revoke, give_back=consent, met=_tokens_refused(400))

    def _lost(self) -> Loss:
        place = self._own_place
        return Loss(
            kinds.CALENDAR_LOST,
            take=lambda: self._share(place, "none"),
            give_back=lambda: self._share(place, "owner"),
            met=lambda entries: len([entry for entry in _looks(entries, place) if entry["status"] == 404]),
        )

    def _narrowed(self) -> Loss:
        place, since = self._own_place, inf

        async def narrow() -> None:
            nonlocal since
            await self._share(place, "freeBusyReader")
            since = await self._newest()

        def met(entries: Sequence[Json]) -> int:
            return len([look for look in _looks(entries, place) if look["status"] == 200 and look["n"] > since])

        return Loss(
            kinds.CALENDAR_NARROWED,
            take=narrow,
            give_back=lambda: self._share(place, "owner"),
            met=met,
        )

    async def _share(self, place: Place, role: str) -> None:
        body = {"user": place.owner, "role": role}
        await self.stage.town.google("PUT", f"calendars/{place.calendar_id}/acl", body)

    def _use_limit(self) -> Loss:
        users = {place.owner for place in self.stage.town.world.places}

        async def close(until: str | None) -> None:
            await self.stage.town.google("PUT", "quotas", {"use_limit_until": dict.fromkeys(users, until)})

        return Loss(
            kinds.QUOTAS["use_limit"],
            take=lambda: close(self._long_from_now()),
            give_back=lambda: close(None),
            met=_refused("PATCH"),
        )

    def _limited(self, limit: str, method: str) -> Loss:
        """Nothing is let through by a limit. method: of the calls that meet it."""
        return Loss(
            kinds.QUOTAS[limit],
            take=lambda: self.weather.limit(limit, 0),
            give_back=lambda: self.weather.unlimit(limit),
            met=_refused(method),
        )

    def _long_from_now(self) -> str:
        return times.stamp(self.stage.town.clock.now() + _LONG)


def _tokens_refused(status: int) -> Callable[[Sequence[Json]], int]:
    return lambda entries: len([one for one in entries if one["kind"] == "token" and one["status"] == status])


def _refused(method: str) -> Callable[[Sequence[Json]], int]:
    return lambda entries: len([one for one in entries if one["method"] == method and one["status"] == 403])


def _looks(entries: Sequence[Json], place: Place) -> list[Json]:
    return [one for one in entries if one["method"] == "GET" and one["calendar_id"] == place.calendar_id]
