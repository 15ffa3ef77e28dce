"""The same town, the same edits and the same failures, kept by syncer and by naive loops: the judge's word on each."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncer.simulator.judge.verdict import Standing
from tests.peers import towns
from tests.peers.loops import JumpsToAFreshToken, Loop, SavesBeforeItWorks
from tests.peers.sample import Sample


async def test_a_town_kept_by_syncer_is_right(database: str, tmp_path: Path) -> None:
    async with towns.kept_by_syncer(database, tmp_path) as play:
        assert (await play.live()).findings == ()


async def test_no_meeting_that_an_event_refers_to_is_lost() -> None:
    async with towns.kept_by_loop(Sample) as play:
        said = await play.live()
        meant = {one.meeting_id for one in play.built.world.record.meant.values() if one.meeting_id}
    assert {finding.meeting_id for finding in said.findings} == meant
    assert {finding.standing for finding in said.findings} == {Standing.LOST}


@pytest.mark.parametrize(
    ("kind", "damages"),
    [
        pytest.param(Loop, (), id="careful"),
        pytest.param(JumpsToAFreshToken, ("its start", "left over"), id="jumps to a fresh token"),
        pytest.param(SavesBeforeItWorks, ("its title",), id="saves before it works"),
    ],
)
async def test_what_is_not_followed_is_found(kind: type[Loop], damages: tuple[str, ...]) -> None:
    async with towns.kept_by_loop(kind) as play:
        said = await play.live()
    assert {finding.standing for finding in said.findings} == ({Standing.WRONG} if damages else set())
    for damage in damages:
        assert any(finding.sentence.startswith(damage) for finding in said.findings)
