"""Faults of the simulated webhook receiver: which one strikes next, by plan or by seeded chance."""

import random
from enum import StrEnum
from typing import Annotated, Any

import msgspec


class Fault(StrEnum):
    """A way in which a webhook receiver fails its caller."""

    SLOW = "slow"
    SERVER_ERROR = "server_error"
    TOO_MANY = "too_many"
    LOST_ANSWER = "lost_answer"
    REFUSED = "refused"


Chance = Annotated[float, msgspec.Meta(ge=0, le=1)]
Times = Annotated[int, msgspec.Meta(ge=0)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to set; a part that is left out stays as it is, one that is given replaces the old one whole."""

    chance: dict[Fault, Chance] | msgspec.UnsetType = msgspec.UNSET
    next: dict[Fault, Times] | msgspec.UnsetType = msgspec.UNSET
    slow_seconds: Annotated[float, msgspec.Meta(ge=0, le=60)] | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        """Refuse chances that cannot be: at most one fault strikes a call."""
        if self.chance is not msgspec.UNSET and sum(self.chance.values()) > 1:
            raise ValueError("the chances together are greater than 1")


class Faults:
    """Draws the fault for each call; planned ones come first, and it counts those that happened."""

    def __init__(self, chance_source: random.Random) -> None:
        self._random = chance_source
        self._chance: dict[Fault, float] = {}
        self._next: dict[Fault, int] = {}
        self._happened: dict[Fault, int] = dict.fromkeys(Fault, 0)
        self.slow_seconds = 0.3

    def set(self, settings: Settings) -> None:
        """Take over what is given."""
        if settings.chance is not msgspec.UNSET:
            self._chance = dict(settings.chance)
        if settings.next is not msgspec.UNSET:
            self._next = dict(settings.next)
        if settings.slow_seconds is not msgspec.UNSET:
            self.slow_seconds = settings.slow_seconds

    def as_json(self) -> dict[str, Any]:
        """What is set, and how often each kind happened."""
        return {
            "chance": {fault.value: chance for fault, chance in self._chance.items()},
            "next": {fault.value: times for fault, times in self._next.items()},
            "slow_seconds": self.slow_seconds,
            "happened": {fault.value: times for fault, times in self._happened.items()},
        }

    def draw(self, *, is_reading: bool) -> Fault | None:
        """The fault that strikes this call, if any; it counts as happened. Nobody is refused a reading."""
        fault = self._draw_planned(is_reading=is_reading) or self._draw_by_chance()
        if fault is Fault.REFUSED and is_reading:
            return None
        if fault is not None:
            self._happened[fault] += 1
        return fault

    def server_error_status(self) -> int:
        """The status of this server error."""
        return self._random.choice((500, 502, 503))

    def _draw_planned(self, *, is_reading: bool) -> Fault | None:
        for fault, times in self._next.items():
            if times > 0 and not (fault is Fault.REFUSED and is_reading):
                self._next[fault] = times - 1
                return fault
        return None

    def _draw_by_chance(self) -> Fault | None:
        drawn = self._random.random()
        for fault, chance in self._chance.items():
            if drawn < chance:
                return fault
            drawn -= chance
        return None
