"""The page of promises names tests that there are, and the page shows everything that the peers lose."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "guarantees.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def found_in(path: Path) -> set[str]:
    """The tests of a file that pytest would run; none when there is no such file."""
    if not path.exists():
        return set()
    body = ast.parse(path.read_text("utf-8")).body
    functions = [node for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {function.name for function in functions if function.name.startswith("test_")}


def missing(text: str) -> list[str]:
    """The tests that a text names and that there are not."""
    return [f"{path}::{name}" for path, name in NAMED.findall(text) if name not in found_in(ROOT / path)]


def test_every_test_that_holds_a_promise_is_there() -> None:
    text = PAGE.read_text("utf-8")
    assert missing(text) == []
    # Each mention of a test is one that was looked for.
    assert text.count("::") == len(NAMED.findall(text)) > 50


def test_a_promise_that_no_test_holds_is_found() -> None:
    named = ("tests/test_guarantees.py::test_nothing", "tests/nowhere.py::test_nothing")
    assert missing(" ".join(f"`{name}`" for name in named)) == list(named)


def test_every_promise_is_held_by_a_test() -> None:
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    heads = ("| whatever", "| question", "| rule |", "| what ", "| --- ")
    assert [row for row in rows if not row.startswith(heads) and not NAMED.search(row)] == []


def test_all_that_peers_lose_is_on_the_page() -> None:
    played = {
        f"tests/peers/{path.name}::{name}"
        for path in (ROOT / "tests" / "peers").glob("test_*.py")
        for name in found_in(path)
    }
    assert sorted(played - {"::".join(found) for found in NAMED.findall(PAGE.read_text("utf-8"))}) == []
