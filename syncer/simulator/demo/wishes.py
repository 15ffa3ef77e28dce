"""What somebody asked of a demo, and how it tells them what it is doing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from syncer.model.errors import OperatorError
from syncer.simulator.people.script import FIRST, SERIES_FIRST

LEAST_TOLD = 100


@dataclass(frozen=True, slots=True)
class Wishes:
    """How large a demo is, and how rough. calendars: per tenant. loss: part of Google's messages that is lost, where
    is_told says that there are any.
    """

    exports: tuple[Path, ...] = ()
    tenants: int = 2
    calendars: int = 3
    edits: int = 60
    seed: int = 1
    is_killing: bool = False
    is_told: bool = False
    loss: float = 0.05

    def __post_init__(self) -> None:
        """Raises OperatorError for what makes no demo."""
        if not 1 <= self.tenants <= 200:
            raise OperatorError("--tenants must be from 1 to 200.", exit_code=2)
        if not 2 <= self.calendars <= 200:
            raise OperatorError("--calendars must be from 2 to 200: events move between two of a tenant.", exit_code=2)
        least = len(FIRST) + len(SERIES_FIRST)
        if not least <= self.edits <= 100_000:
            raise OperatorError(f"--edits must be from {least} to 100000: one of each kind at least.", exit_code=2)
        if not 0 <= self.loss <= 0.5:
            raise OperatorError("--loss must be from 0 to 0.5: one in two messages at most.", exit_code=2)
        if self.is_told and self.tenants * self.calendars < LEAST_TOLD:
            sentence = (
                f"--notifications needs {LEAST_TOLD} calendars in all or more, so that limits are tight for them."
            )
            raise OperatorError(sentence, exit_code=2)
        if self.is_told and self.exports:
            raise OperatorError("--notifications goes with no --ics: time would have to jump.", exit_code=2)
        if len(self.exports) > self.tenants * self.calendars:
            raise OperatorError("There are more files than calendars: raise --tenants or --calendars.", exit_code=2)


class Audience(Protocol):
    """Whoever watches."""

    def tell(self, sentence: str) -> None:
        """What happens now."""

    def count(self, edits: int) -> None:
        """How many edits are made so far."""
