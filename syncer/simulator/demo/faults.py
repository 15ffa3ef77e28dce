"""Which faults both simulators show while people edit, and whether each kind happened."""

from __future__ import annotations

import time
from asyncio import sleep
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from syncer.simulator.demo.town import Town
from syncer.simulator.demo.trouble import CALENDAR_LOST, DELEGATION_WITHDRAWN

GOOGLE = {
    "expire_sync_token": "google_410",
    "touch_before_patch": "google_412",
    "server_error": "google_5xx",
    "rate_limited": "google_rate_limit",
    "token_refused": "google_401",
    "malformed_sync_token": "google_bad_sync_token",
    "short_page": "google_short_page",
    "empty_page": "google_empty_page",
    "slow": "google_slow",
    "cut_body": "google_cut",
    "lost_answer": "google_answer_lost",
    "token_server_error": "token_5xx",
    "token_rate_limited": "token_429",
}
BATCHES = {
    "batch_disorder": "batch_disorder",
    "batch_part_missing": "batch_part_missing",
    "batch_wrong_id": "batch_wrong_id",
    "batch_truncated": "batch_truncated",
    "batch_html": "batch_html",
    "batch_502": "batch_502",
    "batch_429": "batch_429",
    "batch_403": "batch_403",
    "batch_401": "batch_401",
    "batch_413": "batch_413",
}
"""After the last three a client sends fewer calls together, or none until it starts anew."""
VENDOR = {
    "slow": "provider_slow",
    "server_error": "provider_5xx",
    "too_many": "provider_429",
    "lost_answer": "answer_lost",
}
KILLED = "worker_killed"
"""Our name for each kind, by the simulators' own."""

SPOKEN = {
    "google_410": ("expired sync token", "expired sync tokens"),
    "google_412": ("edit just before a patch", "edits just before a patch"),
    "google_5xx": ("error of Google's", "errors of Google's"),
    "google_rate_limit": ("rate limit", "rate limits"),
    "google_401": ("token refused", "tokens refused"),
    "google_bad_sync_token": ("sync token not understood", "sync tokens not understood"),
    "google_short_page": ("short page", "short pages"),
    "google_empty_page": ("empty page", "empty pages"),
    "google_slow": ("slow answer", "slow answers"),
    "google_cut": ("answer cut off", "answers cut off"),
    "google_answer_lost": ("answer to a write lost", "answers to writes lost"),
    "token_5xx": ("error of the token endpoint", "errors of the token endpoint"),
    "token_429": ("refusal of the token endpoint", "refusals of the token endpoint"),
    "batch_disorder": ("batch answered in another order", "batches answered in another order"),
    "batch_part_missing": ("batch with an answer missing", "batches with an answer missing"),
    "batch_wrong_id": ("batch with a wrong id", "batches with a wrong id"),
    "batch_truncated": ("batch that breaks off", "batches that break off"),
    "batch_html": ("batch answered by a web page", "batches answered by a web page"),
    "batch_502": ("batch answered 502", "batches answered 502"),
    "batch_429": ("batch answered 429", "batches answered 429"),
    "batch_413": ("batch answered 413", "batches answered 413"),
    "batch_403": ("batch answered 403", "batches answered 403"),
    "batch_401": ("batch answered 401", "batches answered 401"),
    "provider_slow": ("slow provider answer", "slow provider answers"),
    "provider_5xx": ("provider error", "provider errors"),
    "provider_429": ("provider refusal (429)", "provider refusals (429)"),
    "answer_lost": ("lost answer", "lost answers"),
    CALENDAR_LOST: ("calendar lost and regained", "refusals of a calendar lost and regained"),
    DELEGATION_WITHDRAWN: ("token refused for want of delegation", "tokens refused for want of delegation"),
    KILLED: ("worker kill", "worker kills"),
}
"""Our names in words, for one and for several."""

_GOOGLE_CHANCE = {"expire_sync_token": 0.002, "touch_before_patch": 0.25, "server_error": 0.003}
_VENDOR_CHANCE = {"slow": 0.05, "server_error": 0.05, "too_many": 0.03, "lost_answer": 0.05}
_SLOW_SECONDS = 0.3
_OF_TOKENS = ("token_server_error", "token_rate_limited")
_OF_PATCHES = ("touch_before_patch", "lost_answer")
_STEPPING_DOWN = ("batch_401",)
_PATIENCE_SECONDS = 4.0
_START_SECONDS = 20.0
_POLL_SECONDS = 0.03
_PAUSE_SECONDS = 0.1


@dataclass(slots=True)
class Weather:
    """The faults of a town. chance: of Google's faults, by kind."""

    town: Town
    chance: dict[str, float] = field(default_factory=dict)

    async def begin(self) -> None:
        """The provider's faults strike soon for sure; those and some of Google's by chance from then on."""
        self.chance = dict(_GOOGLE_CHANCE)
        await self._arm(_OF_PATCHES)
        chances = {"chance": _VENDOR_CHANCE, "slow_seconds": _SLOW_SECONDS}
        await self.town.vendor("PUT", "faults", {**chances, "next": dict.fromkeys(VENDOR, 1)})

    async def blow(self, restart: Callable[[], Awaitable[None]]) -> None:
        """Google's kinds strike one after the other, with time to get over each.

        restart: gives the service a fresh start, which makes it send calls together again.
        """
        await self._looked(since=0)
        for kind in (*GOOGLE, *BATCHES):
            if kind not in _OF_PATCHES:
                await self._strike(kind, restart)

    async def insist(self, names: Sequence[str], restart: Callable[[], Awaitable[None]]) -> None:
        """These kinds strike at the next occasion; what needs a write to Google waits for one."""
        await self.town.vendor("PUT", "faults", {"next": {kind: 1 for kind, name in VENDOR.items() if name in names}})
        kinds = [kind for kind, name in {**GOOGLE, **BATCHES}.items() if name in names]
        for kind in kinds:
            if kind not in _OF_PATCHES:
                await self._strike(kind, restart)
        await self._arm([kind for kind in kinds if kind in _OF_PATCHES])

    async def _arm(self, kinds: Sequence[str]) -> None:
        # Looks come together while one of them is slow.
        chance = {**self.chance, "slow": 0.5} if set(kinds) & BATCHES.keys() else self.chance
        settings = {"slow_seconds": _SLOW_SECONDS}
        await self.town.google(
            "PUT", "faults", {"chance": chance, "next": dict.fromkeys(kinds, 1), "settings": settings}
        )

    async def _strike(self, kind: str, restart: Callable[[], Awaitable[None]]) -> None:
        """Let a kind strike and wait until it did, but not for long."""
        happened = (await self.town.google("GET", "faults"))["happened"]
        before, pending = happened[kind], [one for one in _OF_PATCHES if not happened[one]]
        await self._arm([kind, *pending])
        if kind in _OF_TOKENS:
            await self.town.google("POST", "expire-access-tokens", {"spare_people": True})
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while await self._count(kind) == before and time.monotonic() < deadline:  # noqa: ASYNC110 (another process)
            await sleep(_POLL_SECONDS)
        await self._arm(pending)
        if kind in _STEPPING_DOWN:
            await restart()
            entries = (await self.town.google("GET", "diary?after=0"))["entries"]
            await self._looked(since=entries[-1]["n"])
        await sleep(_PAUSE_SECONDS)

    async def _count(self, kind: str) -> int:
        return int((await self.town.google("GET", "faults"))["happened"][kind])

    async def _looked(self, *, since: int) -> None:
        """Wait until the service has looked at a calendar after that entry of the diary, but not for ever."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            entries = (await self.town.google("GET", f"diary?after={since}"))["entries"]
            if any(entry["actor"] == "client" and entry["kind"] == "api" for entry in entries):
                return
            await sleep(_POLL_SECONDS)

    async def calm(self) -> None:
        """Nothing strikes by chance any more."""
        self.chance = {}
        await self.town.vendor("PUT", "faults", {"chance": {}, "next": {}})

    async def end(self) -> None:
        """No more faults."""
        self.chance = {}
        for control in (self.town.google, self.town.vendor):
            await control("PUT", "faults", {"chance": {}, "next": {}})

    async def happened(self) -> dict[str, int]:
        """How often each kind happened, by our name."""
        google, vendor = await self.town.google("GET", "faults"), await self.town.vendor("GET", "faults")
        return {**_named({**GOOGLE, **BATCHES}, google["happened"]), **_named(VENDOR, vendor["happened"])}


def _named(names: Mapping[str, str], happened: Mapping[str, int]) -> dict[str, int]:
    return {name: happened.get(kind, 0) for kind, name in names.items()}
