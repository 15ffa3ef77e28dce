"""Google's own client for Node, unchanged, does its work at the simulated Google."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.simulator.ears import a_listened_stage, quiet, settle
from tests.simulator.google_stage import ANA

HERE = Path(__file__).parents[1] / "node"
IS_THERE = shutil.which("node") is not None and (HERE / "node_modules" / "ready").exists()


async def node(words: Sequence[str], given: object) -> Any:
    """What a script prints, as JSON."""
    process = await asyncio.create_subprocess_exec(
        "node", *words, cwd=HERE, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        printed, _ = await asyncio.wait_for(process.communicate(json.dumps(given).encode()), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    return json.loads(printed)


@pytest.mark.skipif(not IS_THERE, reason="There is no Node with Google's client here; `make node` installs the client.")
async def test_it_lists_follows_and_changes_a_calendar() -> None:
    async with a_listened_stage() as (stage, ear):
        grant = await stage.control("POST", "users", {"email": ANA})
        # The script stops its channel without waiting for what the channel brings.
        await settle(stage, after_stop=2)

        found = await node(["calendar.mjs"], {"root": stage.root, "grant": grant, "address": ear.address})
        await quiet(stage)

    assert found == {
        "listed": ["one", "two", "three"],
        "patched": ["Room 1", True],
        "stale": [412, "conditionNotMet"],
        "again": [410, "deleted"],
        "changed": [["one", "confirmed"], ["two", "cancelled"]],
        "quiet": [],
        "watched": ["api#channel", "k=9f2c", True, [400, "channelIdNotUnique"], 204],
        "nonsense": [400, "invalid"],
        "calendars": [ANA, "Room"],
    }
    assert ear.states("c-1") == ["sync", "exists"]
