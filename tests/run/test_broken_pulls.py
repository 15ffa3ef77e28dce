"""What breaks one calendar's pull breaks no other's, though they are pulled together."""

from collections.abc import Sequence
from typing import Any

import pytest

from syncer.model.calendar import Event
from syncer.rules import family
from syncer.sync import pull
from syncer.sync.sweep import Changed
from tests.rules.builders import NOW, calendar, page
from tests.run.worker import a_worker, until_titled
from tests.simulator.google_stage import BO, ROOM
from tests.sync.stage import Acted


async def test_what_breaks_one_pull_does_not_go_on_breaking_others(
    stage: Acted, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = family.tell

    def breaks(read: Sequence[Event], *rest: Any) -> family.Told:
        if any(event.title == "Poison" for event in read):
            raise ZeroDivisionError
        return real(read, *rest)

    monkeypatch.setattr(family, "tell", breaks)
    await stage.book("Poison")
    others = [await stage.book(calendar=one) for one in (BO, ROOM)]
    async with a_worker(stage):
        for booked in others:
            await until_titled(stage, booked, "Standup")


def test_a_calendar_whose_pull_came_to_no_end_is_pulled_alone() -> None:
    several = [Changed(slot, calendar(), page(), 1, NOW) for slot in range(4)]
    assert [[one.slot for one in some] for some in pull.together(several, {1})] == [[1], [0, 2, 3]]
