"""Which faults both simulators show while people edit, and whether each kind happened."""

from __future__ import annotations

import time
from asyncio import sleep
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from syncer.simulator.demo.kinds import BATCHES, CALLS, CHANGES, GOOGLE, HEAVY_PATCH, QUOTAS, VENDOR
from syncer.simulator.demo.town import Town
from syncer.simulator.people.record import Json

_GOOGLE_CHANCE = {"expire_sync_token": 0.002, "touch_before_patch": 0.25, "server_error": 0.003}
_VENDOR_CHANCE = {"slow": 0.05, "server_error": 0.05, "too_many": 0.03, "lost_answer": 0.05}
_CHANGES_CHANCE = {"lost": 0.2, "doubled": 0.2}
# Longer than the service's cycle: all calendars are due after a slow look, and are looked at together.
_SLOW_SECONDS = 0.3
_SLOWING_CHANCE = 0.5
_PATCH_WEIGHT = 3
_OF_TOKENS = ("token_server_error", "token_rate_limited")
_OF_PATCHES = ("touch_before_patch", "lost_answer")
# After these a client sends fewer calls together, or only those of one subject, until it starts anew. It still meets
# the second of a step after the first of it; the next step may need a fresh one.
FIRST_STEP, SECOND_STEP = ("batch_413", "batch_401"), ("batch_403",)
_STEPPING_DOWN = (*FIRST_STEP, *SECOND_STEP)
_MINUTES = ("user_per_minute", "project_per_minute")
_USUAL: Mapping[str, int | None] = {
    "user_per_minute": 600,
    "project_per_minute": 10_000,
    "project_per_day": 1_000_000,
    "calendar_writes": None,
}
_PATIENCE_SECONDS = 4.0
_START_SECONDS = 20.0
_POLL_SECONDS = 0.05
_OK = 200


@dataclass(slots=True)
class Weather:
    """The faults of a town. chance: of Google's faults, by kind. slowing: of slow answers beside it."""

    town: Town
    chance: dict[str, float] = field(default_factory=dict)
    slowing: float = 0.0

    async def gather(self) -> None:
        """Before the service's first look: each kind that costs a client no more than a moment waits for its occasion.

        A patch counts for three requests from now on.
        """
        await self._arm(list(CALLS))
        settings = {"patch_weight": _PATCH_WEIGHT, "slow_seconds": _SLOW_SECONDS}
        await self.town.google("PUT", "faults", {"settings": settings})

    async def begin(self) -> None:
        """The provider's faults strike soon for sure; those and some of Google's by chance from then on."""
        await self._set_chance(_GOOGLE_CHANCE)
        chances = {"chance": _VENDOR_CHANCE, "slow_seconds": _SLOW_SECONDS}
        changes = {"chance": _CHANGES_CHANCE, "next": dict.fromkeys(CHANGES, 1)}
        await self.town.vendor("PUT", "faults", {**chances, "next": dict.fromkeys(VENDOR, 1), "changes": changes})

    async def blow(self) -> None:
        """Google's kinds strike that have not yet, one after the other, with time to get over each.

        But for those after which only a fresh start makes the service send calls together as before.
        """
        await self._looked(since=0, seconds=_START_SECONDS)
        for limit in _MINUTES:
            await self.exceed(limit)
        await self._wait(self._is_spent)
        await self.catch_up()

    async def catch_up(self) -> None:
        """Those strike that have not yet, one after the other, but for those that wait for a patch or a fresh start."""
        happened = await self._google_happened()
        for kind in _left(happened, GOOGLE):
            if kind not in (*_OF_PATCHES, *_STEPPING_DOWN):
                await self._strike(kind)

    async def insist(self, names: Sequence[str], restart: Callable[[], Awaitable[None]]) -> None:
        """These kinds strike at the next occasion; what needs a write to Google waits for one.

        restart: gives the service a fresh start.
        """
        vendor = dict.fromkeys(_kinds(VENDOR, names), 1)
        changes = {"chance": {}, "next": dict.fromkeys(_kinds(CHANGES, names), 1)}
        await self.town.vendor("PUT", "faults", {"next": vendor, "changes": changes})
        for limit in _MINUTES:
            if QUOTAS[limit] in names:
                await self.exceed(limit)
        kinds = _kinds(GOOGLE, names)
        if any(kind in BATCHES for kind in kinds):
            await restart()
        for kind in kinds:
            if kind not in (*_OF_PATCHES, *_STEPPING_DOWN):
                await self._strike(kind)
        await self._insist_on_steps([kind for kind in _STEPPING_DOWN if kind in kinds], restart)
        await self._arm([kind for kind in kinds if kind in _OF_PATCHES])

    async def _insist_on_steps(self, kinds: Sequence[str], restart: Callable[[], Awaitable[None]]) -> None:
        for number, kind in enumerate(kinds):
            if number and kind in SECOND_STEP:
                await restart()
            await self.step_down([kind])

    async def step_down(self, kinds: Sequence[str]) -> None:
        """Batches are refused, so that the service sends fewer calls together, and then those of one subject only.

        No calendar fails for it: what was in them is sent again at once.
        """
        for kind in kinds:
            await self._meet(kind, slowing=1.0)

    async def exceed(self, limit: str) -> None:
        """Nothing is let through by this limit until it refused something; after it all is as usual."""
        before = (await self._refused())[limit]

        async def has_refused() -> bool:
            return (await self._refused())[limit] > before

        await self.limit(limit, 0)
        await self._wait(has_refused)
        await self.unlimit(limit)

    async def limit(self, limit: str, count: int) -> None:
        """Let so many be taken by this limit of Google's."""
        await self.town.google("PUT", "quotas", {"limits": {limit: count}})

    async def unlimit(self, limit: str) -> None:
        """Let be taken by this limit what Google usually takes."""
        await self.town.google("PUT", "quotas", {"limits": {limit: _USUAL[limit]}})

    async def _strike(self, kind: str) -> None:
        await self._meet(kind, slowing=_SLOWING_CHANCE if kind in BATCHES else 0.0)
        # A calendar that fails again before it was well would wait longer each time.
        entries = (await self.town.google("GET", "diary?after=0"))["entries"]
        await self._looked(since=entries[-1]["n"], calendars={place.calendar_id for place in self.town.world.places})

    async def _meet(self, kind: str, *, slowing: float) -> None:
        """Wait until it has struck once more. slowing: chance of slow answers meanwhile."""
        happened = await self._google_happened()
        pending = _left(happened, _OF_PATCHES)
        self.slowing = slowing
        await self._arm([kind, *pending])
        if kind in _OF_TOKENS:
            await self.expire_tokens()

        async def has_struck() -> bool:
            return (await self._google_happened())[kind] > happened[kind]

        await self._wait(has_struck)
        self.slowing = 0.0
        await self._arm(pending)

    async def expire_tokens(self) -> None:
        """The service's access tokens end now; people's go on."""
        await self.town.google("POST", "expire-access-tokens", {"spare_people": True})

    async def _arm(self, kinds: Sequence[str]) -> None:
        await self.town.google("PUT", "faults", {"chance": self._chances(), "next": dict.fromkeys(kinds, 1)})

    async def _set_chance(self, chance: Mapping[str, float]) -> None:
        self.chance = dict(chance)
        await self.town.google("PUT", "faults", {"chance": self._chances()})

    def _chances(self) -> dict[str, float]:
        return {**self.chance, "slow": self.slowing} if self.slowing else self.chance

    async def _refused(self) -> dict[str, int]:
        tallies = (await self.town.google("GET", "quotas"))["tallies"]
        return {limit: int(tallies[limit]["refused"]) for limit in QUOTAS}

    async def _is_spent(self) -> bool:
        """Whether all that was armed has struck, but what waits for a patch."""
        armed = (await self.town.google("GET", "faults"))["next"]
        return not any(count for kind, count in armed.items() if kind not in _OF_PATCHES)

    async def _google_happened(self) -> dict[str, int]:
        happened: dict[str, int] = (await self.town.google("GET", "faults"))["happened"]
        return happened

    async def _wait(self, is_so: Callable[[], Awaitable[bool]], seconds: float = _PATIENCE_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not await is_so() and time.monotonic() < deadline:  # noqa: ASYNC110 (another process)
            await sleep(_POLL_SECONDS)

    async def _looked(
        self, *, since: int, calendars: Set[str] = frozenset(), seconds: float = _PATIENCE_SECONDS
    ) -> None:
        """Wait until the service has looked at a calendar, or at all these, after that entry of the diary.

        But not for ever.
        """

        async def has_looked() -> bool:
            entries = (await self.town.google("GET", f"diary?after={since}"))["entries"]
            seen = {entry["calendar_id"] for entry in entries if _is_good_look(entry)}
            return bool(seen) and calendars <= seen

        await self._wait(has_looked, seconds)

    async def calm(self) -> None:
        """Nothing strikes by chance any more; a call about a change that has not been lost or doubled still will be."""
        self.slowing = 0.0
        await self._set_chance({})
        happened = (await self.town.vendor("GET", "faults"))["changes"]["happened"]
        changes = {"chance": {}, "next": dict.fromkeys(_left(happened, CHANGES), 1)}
        await self.town.vendor("PUT", "faults", {"chance": {}, "next": {}, "changes": changes})

    async def end(self) -> None:
        """No more faults."""
        await self.calm()
        await self.town.google("PUT", "faults", {"chance": {}, "next": {}})

    async def happened(self) -> dict[str, int]:
        """How often each kind happened, by our name."""
        vendor = await self.town.vendor("GET", "faults")
        return {
            **_named(GOOGLE, await self._google_happened()),
            **_named({limit: QUOTAS[limit] for limit in _MINUTES}, await self._refused()),
            HEAVY_PATCH: await self._patches(),
            **_named(VENDOR, vendor["happened"]),
            **_named(CHANGES, vendor["changes"]["happened"]),
        }

    async def _patches(self) -> int:
        entries = (await self.town.google("GET", "diary?after=0"))["entries"]
        return sum(entry["actor"] == "client" and entry["method"] == "PATCH" for entry in entries)


def _is_good_look(entry: Json) -> bool:
    is_look = entry["actor"] == "client" and entry["kind"] == "api" and entry["event_id"] is None
    return is_look and entry["status"] == _OK and "batch_fault" not in entry


def _kinds(names: Mapping[str, str], wanted: Sequence[str]) -> list[str]:
    return [kind for kind, name in names.items() if name in wanted]


def _left(happened: Mapping[str, int], kinds: Iterable[str]) -> list[str]:
    return [kind for kind in kinds if not happened[kind]]


def _named(names: Mapping[str, str], happened: Mapping[str, int]) -> dict[str, int]:
    return {name: happened.get(kind, 0) for kind, name in names.items()}
