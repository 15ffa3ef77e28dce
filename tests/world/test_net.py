"""The net itself: worlds can be replayed and shrunk, every point can be met, and planted bugs are found."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from syncer.model.conference import ChangeKind
from syncer.simulator.people.record import kinds_of
from tests.world import draws, gates, moves, shrink, telling
from tests.world.moves import Move
from tests.world.planted.__main__ import PATCHES, planted

OUTSIDE = {"look", "get", "family", "patch", *(kind.value for kind in ChangeKind)}
# A world each for bugs that the judge, the gates or the law of channels see: that the net is one is seen every time.
TOLD = next(seed for seed in range(1, 99) if telling.is_told(seed))
KNOWN = [
    pytest.param("no_grace", 1, "delete@0#1; rest@0#0", "after its last event went", id="no_grace"),
    pytest.param(
        "pushes_without_fence",
        1,
        "rename@0#1; to before record@0#0; freeze@0#0; rename@0#2; to after record@0#0; wake@0#0",
        "a worker whose lease was over came to writing down (record)",
        id="pushes_without_fence",
    ),
    pytest.param(
        "failed_watches_forgotten",
        TOLD,
        "jump 3 hours@0#0; jump 3 hours@0#0; break off before watch@0#0; rest@0#0",
        "nobody tells of",
        id="failed_watches_forgotten",
    ),
]


def test_a_seed_stands_for_the_same_moves_each_time() -> None:
    assert draws.drawn(7) == draws.drawn(7) != draws.drawn(8)


def test_moves_are_heard_as_they_were_said() -> None:
    drawn = draws.drawn(3)
    assert moves.heard(moves.said(drawn)) == drawn


@pytest.mark.parametrize("text", ["fly@1#2", "rename", "rename@x#1"])
def test_what_is_no_move_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="is no move"):
        moves.heard(text)


def test_a_row_of_moves_is_made_of_moves() -> None:
    assert {name for row in (*draws._COMBINED, *draws._BEGINNINGS) for name in row} <= moves.ALL.keys()


def test_every_kind_of_edit_is_a_move() -> None:
    assert {kind.value for kind in kinds_of()} <= moves.ALL.keys()


@pytest.mark.parametrize("point", moves.POINTS)
def test_a_point_stands_beside_a_call_or_a_statement_that_there_is(point: str) -> None:
    side, _, name = point.partition(" ")
    assert side in ("before", "after")
    assert name in {*OUTSIDE, *gates.statement_names().values()}


def test_a_shrunk_world_has_no_move_that_can_go() -> None:
    def fails(left: Sequence[int]) -> bool:
        return {3, 11} <= set(left)

    assert shrink.shortest(range(20), fails, tries=200) == [3, 11]


def test_shrinking_ends_with_its_tries() -> None:
    tried: list[Sequence[int]] = []

    def fails(left: Sequence[int]) -> bool:
        tried.append(left)
        return False

    shrink.shortest(range(100), fails, tries=3)
    assert len(tried) == 3


def test_a_move_keeps_its_chance_when_others_go() -> None:
    assert str(Move("rename", 3, 17)) == "rename@3#17"


@pytest.mark.parametrize("patch", sorted(PATCHES.glob("*.patch")), ids=lambda path: path.stem)
def test_a_planted_bug_fits_the_tree_and_says_what_it_is(patch: Path, tmp_path: Path) -> None:
    planted(tmp_path, patch)
    first, blank, *_ = patch.read_text("utf-8").splitlines()
    assert re.fullmatch(r"[A-Z].*\.", first)
    assert not blank


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("name", "seed", "known", "sentence"), KNOWN)
def test_a_planted_bug_breaks_the_law(name: str, seed: int, known: str, sentence: str, tmp_path: Path) -> None:
    planted(tmp_path, PATCHES / f"{name}.patch")
    command = [sys.executable, "-m", "tests.world", "--seed", str(seed), "--moves", known]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    lived = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert lived.returncode == 1
    assert sentence in lived.stdout
