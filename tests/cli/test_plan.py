"""A plan is told as a table, as JSON and as a picture, before there is anything to serve."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.cli.conftest import Terminal

SMALL = ("plan", "--calendars", "20", "--changes-per-day", "20")


def test_a_plan_says_how_fresh_and_for_how_many_requests(terminal: Terminal) -> None:
    out = terminal(*SMALL).out
    assert "a change is seen after" in out
    assert "requests a day" in out


def test_a_plan_as_json_holds_its_whole_curve(terminal: Terminal) -> None:
    found = terminal(*SMALL, "--json").document
    curve = found["percentiles_seconds"]
    assert len(curve) == 101
    assert curve == sorted(curve)
    assert curve[95] == found["p95_seconds"]


def test_a_plan_is_drawn_with_what_fixed_intervals_would_give(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "plan.svg"
    terminal(*SMALL, "--plot", str(file))
    drawn = ElementTree.parse(file).getroot()  # noqa: S314 (our own)
    lines = [one for one in drawn.iter() if one.tag.endswith("polyline")]
    assert [len(one.attrib["points"].split()) for one in lines] == [101, 101]
    assert "fixed intervals, as many requests" in file.read_text()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        pytest.param("plan.png", "end its name in .svg", id="another kind"),
        pytest.param("nowhere/plan.svg", "a folder that you may write to", id="no such folder"),
    ],
)
def test_a_picture_that_cannot_be_drawn_is_refused_with_a_sentence(
    terminal: Terminal, tmp_path: Path, name: str, sentence: str
) -> None:
    refused = terminal(*SMALL, "--plot", str(tmp_path / name))
    assert refused.code == 1
    assert sentence in refused.err
    assert not (tmp_path / name).exists()
