"""People edit through the public faces only, by a seeded script, and remember what they meant."""

from __future__ import annotations

from collections import Counter

import pytest

from syncer.simulator.demo import town
from syncer.simulator.people import texts
from syncer.simulator.people.record import REMOVALS, Kind, Presence
from syncer.simulator.people.script import plan
from syncer.simulator.people.world import CALENDAR_REMOVALS, TENANT_REMOVALS
from tests.simulator.towns import a_crowd, a_town, event_of, some_event

PLACES = town.places(["tenant-1", "tenant-2"], 3, {})


def test_every_kind_comes_first_and_the_same_seed_gives_the_same_script() -> None:
    script = plan(PLACES, 60, seed=7)

    assert Counter(kind for kinds in script.values() for kind in kinds).keys() == set(Kind)
    assert sum(len(kinds) for kinds in script.values()) == 60
    assert script == plan(PLACES, 60, seed=7)
    assert script != plan(PLACES, 60, seed=8)


def test_people_stay_below_the_guard() -> None:
    script = plan(PLACES, 2000, seed=3)

    removals = {place.calendar_id: sum(kind in REMOVALS for kind in script[place.calendar_id]) for place in PLACES}
    assert max(removals.values()) <= CALENDAR_REMOVALS
    for tenant in ("tenant-1", "tenant-2"):
        assert sum(removals[place.calendar_id] for place in PLACES if place.tenant == tenant) <= TENANT_REMOVALS


async def test_all_planned_edits_are_accepted_and_recorded() -> None:
    async with a_town(calendars=3) as built:
        crowd = a_crowd(built, edits=80)
        await crowd.work(0.5)
        await crowd.work(1.0)

        kinds = Counter(edit.kind for edit in built.world.record.edits)
        assert kinds.total() == 80
        assert kinds.keys() == set(Kind)


@pytest.mark.parametrize("seed", [2, 3, 4])
async def test_events_are_as_people_meant_them(seed: int) -> None:
    async with a_town(seed=seed) as built:
        await a_crowd(built, edits=60, seed=seed).work(1.0)

        verdict = await built.judge(grace_ms=2000.0)
        assert [finding for finding in verdict.findings if "lost its people's" in finding.sentence] == []


async def test_the_diary_shows_people_as_people() -> None:
    async with a_town() as built:
        await a_crowd(built, edits=20).work(1.0)

        diary = await built.google("GET", "diary?after=0")
        assert {entry["actor"] for entry in diary["entries"]} == {"people"}


async def test_a_person_whose_condition_fails_reads_and_decides_again() -> None:
    async with a_town() as built:
        where = some_event(built)
        person = a_crowd(built, edits=0).person(where.calendar_id)
        before = await event_of(built, where)

        await a_crowd(built, edits=0).act(person, Kind.RENAME)

        assert built.world.record.edits[-1].etag != before["etag"]


def test_a_typed_description_keeps_the_block_below_it() -> None:
    block = "----- meeting -----\nJoin: https://a.test/j/1\nDial-in: tel:+1\n----- end of meeting -----"

    typed = texts.with_block_of(f"old\n\n{block}", "new")

    assert typed == f"new\n\n{block}"
    assert texts.own_description(typed) == "new"
    assert texts.block_lines(typed) == {"Join": ["https://a.test/j/1"], "Dial-in": ["tel:+1"]}


@pytest.mark.parametrize(
    "description",
    [
        pytest.param("Agenda\n\n----- meeting -----\nJoin: x\n----- end of meeting -----", id="plain"),
        pytest.param("<p>Agenda</p><br>----- meeting -----<br>Join: x<br>----- end of meeting -----", id="html"),
        pytest.param("  Agenda \n", id="blanks"),
    ],
)
def test_own_text_compares_alike_however_it_is_written(description: str) -> None:
    assert texts.compared(description) == "Agenda"


def test_an_absence_is_told_from_a_presence() -> None:
    presence = Presence()
    presence.begin(1.0)
    assert not presence.was_away_after(2.0)
    presence.end(5.0)
    assert presence.was_away_after(6.0)
    presence.begin(8.0)
    assert presence.was_away_after(6.0)
    assert not presence.was_away_after(9.0)
