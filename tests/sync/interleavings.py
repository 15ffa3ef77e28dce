"""Something that happens just when a worker is about to do something else."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import ModuleType
from typing import Any, cast

import pytest

from syncer.clients.providers.base import OPEN, Gate
from syncer.clients.providers.directory import Providers
from syncer.model.conference import Change, Outcome
from syncer.store import conferences
from tests.sync.stage import Acted


class Vendor:
    """The provider, with answers of one's own first; None leaves it to the real one."""

    def __init__(self, real: Any, answer: Callable[[Change], Outcome | None]) -> None:
        self._real = real
        self.answer = answer
        self.calls: list[Change] = []

    async def apply(self, tenant: Any, change: Change, gate: Gate = OPEN) -> Outcome:
        self.calls.append(change)
        outcome: Outcome = self.answer(change) or await self._real.apply(tenant, change, gate)
        return outcome


def a_vendor_that(stage: Acted, answer: Callable[[Change], Outcome | None]) -> Vendor:
    """From now on the provider answers so."""
    vendor = Vendor(stage.tools.providers, answer)
    stage.tools = replace(stage.tools, providers=cast(Providers, vendor))
    return vendor


def just_before(
    monkeypatch: pytest.MonkeyPatch,
    statement: str,
    happens: Callable[[], Awaitable[object]],
    *,
    of: ModuleType = conferences,
    times: int = 1,
) -> None:
    """Once, just before the store's statement is sent, or sent for the so manieth time, something else happens."""
    real, left = getattr(of, statement), times

    async def overtaken(*arguments: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if not left:
            monkeypatch.setattr(of, statement, real)
            await happens()
        return await real(*arguments, **named)

    monkeypatch.setattr(of, statement, overtaken)
