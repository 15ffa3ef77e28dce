"""The add-on of examples/apps-script, run under Node, registers and wakes at a real receiver."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from syncer.run.receiver import Receiver
from syncer.store import api_keys
from tests.run.told import ANYWHERE
from tests.run.worker import leave
from tests.simulator.google_stage import CLEO
from tests.sync.stage import Acted, a_stage

EXAMPLE = Path(__file__).parents[2] / "examples" / "apps-script"
pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="There is no Node here.")
CREATE = ("createConference", {"eventData": {"calendarId": CLEO, "eventId": "not0saved0yet"}})
CHANGED = ("onCalendarChanged", {"calendarId": CLEO})


@pytest.fixture
async def stage(database: str, tmp_path: Path) -> AsyncIterator[Acted]:
    """A tenant whose calendars are read, and Cleo's, which is not registered."""
    async with a_stage(database, tmp_path) as made:
        await leave(made)
        yield made


@pytest.fixture
async def properties(stage: Acted) -> AsyncIterator[dict[str, str]]:
    """The script's properties, for a receiver and a conferencing system that are there."""
    made = await api_keys.add(stage.tools.database, "acme", "apps-script")
    async with Receiver(stage.tools).listening(ANYWHERE) as address:
        yield {
            "MEETINGS_URL": stage.vendor.root,
            "MEETINGS_TOKEN": stage.vendor.account["api_token"],
            "SYNC_URL": f"http://{address}/",
            "SYNC_KEY": made.text,
        }


async def run(properties: dict[str, str], *calls: tuple[str, Any]) -> Any:
    """What the add-on's functions give, and what they did."""
    given = {"code": (EXAMPLE / "Code.gs").read_text(), "properties": properties, "user": CLEO, "calls": calls}
    process = await asyncio.create_subprocess_exec(
        *("node", str(Path(__file__).with_name("apps_script.mjs"))),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        printed, errors = await asyncio.wait_for(process.communicate(json.dumps(given).encode()), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    return json.loads(printed)


async def test_a_conference_is_made_registered_and_watched(stage: Acted, properties: dict[str, str]) -> None:
    done = await run(properties, CREATE)
    (conference,) = await stage.rows("conference")
    (registration,) = await stage.rows("registration")
    (calendar,) = [row for row in await stage.rows("calendar") if row["google_id"] == CLEO]
    assert done["logged"] == []
    assert done["given"][0]["ConferenceId"] == conference["meeting_id"]
    assert done["given"][0]["EntryPoint"]["Uri"].startswith("https://")
    assert (registration["event_id"], registration["calendar_id"]) == ("not0saved0yet", calendar["calendar_id"])
    assert calendar["subject"] == CLEO
    assert done["triggers"] == [["onCalendarChanged", CLEO]]


async def test_asking_twice_makes_one_meeting_and_one_trigger(stage: Acted, properties: dict[str, str]) -> None:
    done = await run(properties, CREATE, CREATE)
    assert done["given"][0] == done["given"][1]
    assert len(await stage.rows("conference")) == len(done["triggers"]) == 1


async def test_a_change_marks_the_calendar(stage: Acted, properties: dict[str, str]) -> None:
    await run(properties, CREATE)
    before = await stage.rows("notified")
    await run(properties, CHANGED)
    after = await stage.rows("notified")
    assert [len(before), len(after), after[0]["mark"] > before[0]["mark"]] == [1, 1, True]


async def test_the_user_gets_the_meeting_whatever_syncer_says(stage: Acted, properties: dict[str, str]) -> None:
    done = await run(properties | {"SYNC_KEY": "syncer_wrong"}, CREATE)
    assert done["given"][0]["ConferenceId"]
    assert "does not carry a good key" in done["logged"][0]
    assert "syncer_wrong" not in done["logged"][0]


def test_the_manifest_names_functions_that_there_are() -> None:
    manifest = json.loads((EXAMPLE / "appsscript.json").read_text())
    (solution,) = manifest["addOns"]["calendar"]["conferenceSolution"]
    assert f"function {solution['onCreateFunction']}(" in (EXAMPLE / "Code.gs").read_text()
