"""Which faults both simulators show while people edit, and whether each kind happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from syncer.simulator.demo.town import Town

GOOGLE = {"expire_sync_token": "google_410", "touch_before_patch": "google_412", "server_error": "google_5xx"}
VENDOR = {
    "slow": "provider_slow",
    "server_error": "provider_5xx",
    "too_many": "provider_429",
    "lost_answer": "answer_lost",
}
KILLED = "worker_killed"
"""Our name for each kind, by the simulators' own."""

_GOOGLE_CHANCE = {"expire_sync_token": 0.01, "touch_before_patch": 0.25, "server_error": 0.02}
_VENDOR_CHANCE = {"slow": 0.05, "server_error": 0.05, "too_many": 0.03, "lost_answer": 0.05}
_SLOW_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Weather:
    """The faults of a town."""

    town: Town

    async def begin(self) -> None:
        """Every kind strikes soon for sure, and by chance from then on."""
        await self.town.google("PUT", "faults", {"chance": _GOOGLE_CHANCE, "next": dict.fromkeys(GOOGLE, 1)})
        chances = {"chance": _VENDOR_CHANCE, "slow_seconds": _SLOW_SECONDS}
        await self.town.vendor("PUT", "faults", {**chances, "next": dict.fromkeys(VENDOR, 1)})

    async def insist(self, names: Sequence[str]) -> None:
        """These kinds strike at the next occasion."""
        await self.town.google("PUT", "faults", {"next": {kind: 1 for kind, name in GOOGLE.items() if name in names}})
        await self.town.vendor("PUT", "faults", {"next": {kind: 1 for kind, name in VENDOR.items() if name in names}})

    async def end(self) -> None:
        """No more faults."""
        for control in (self.town.google, self.town.vendor):
            await control("PUT", "faults", {"chance": {}, "next": {}})

    async def happened(self) -> dict[str, int]:
        """How often each kind happened, by our name."""
        google, vendor = await self.town.google("GET", "faults"), await self.town.vendor("GET", "faults")
        return {**_named(GOOGLE, google["happened"]), **_named(VENDOR, vendor["happened"])}


def _named(names: Mapping[str, str], happened: Mapping[str, int]) -> dict[str, int]:
    return {name: happened.get(kind, 0) for kind, name in names.items()}
