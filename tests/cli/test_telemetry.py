"""What is logged is readable by machines, and nothing gets out that is not known to be harmless."""

import ast
import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog

from syncer import telemetry

# What each line has, and what other libraries' lines and errors come with.
_ALWAYS = {"event", "level", "timestamp", "logger", "error_type", "frames"}
_LEVELS = {"debug", "info", "warning", "error", "critical", "exception", "bind"}


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Where lines of level info and above go; the standard library's root logger is as before afterwards."""
    root, stream = logging.getLogger(), io.StringIO()
    level, handlers = root.level, list(root.handlers)
    telemetry.configure("info", stream=stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_level_and_time(log: io.StringIO) -> None:
    structlog.get_logger().info("lease taken", project_id=1)
    structlog.get_logger().debug("nobody asked")
    (line,) = lines(log)
    assert (line["event"], line["level"], line["project_id"]) == ("lease taken", "info", 1)
    assert line["timestamp"].endswith("Z")


def test_a_field_that_is_not_known_to_be_harmless_is_dropped_by_name(log: io.StringIO) -> None:
    structlog.get_logger().info("looked", title="s3cret", tenant="acme")
    (line,) = lines(log)
    assert (line["tenant"], line["dropped"]) == ("acme", ["title"])
    assert "s3cret" not in log.getvalue()


def test_an_error_is_told_by_type_and_place_only(log: io.StringIO) -> None:
    try:
        int("Bearer s3cret")
    except ValueError:
        structlog.get_logger().exception("it failed")
    (line,) = lines(log)
    assert line["error_type"] == "ValueError"
    assert line["frames"][-1].startswith("test_telemetry.py:")
    assert "s3cret" not in log.getvalue()


def test_another_librarys_line_comes_without_its_arguments(log: io.StringIO) -> None:
    logging.getLogger("asyncio").error("Task failed\nfuture: <Task s3cret>")
    logging.getLogger("aiohttp.client").warning("sent %s", "s3cret")
    logging.getLogger("aiohttp.client").debug("nobody asked")
    assert [(line["logger"], line["event"]) for line in lines(log)] == [
        ("asyncio", "Task failed"),
        ("aiohttp.client", "sent %s"),
    ]
    assert "s3cret" not in log.getvalue()


def test_only_fields_that_some_line_has_are_let_out() -> None:
    assert _ALWAYS | set(logged()) == telemetry.ALLOWED


def logged() -> Iterator[str]:
    """The names of the fields that the code gives to a logger."""
    for path in Path(telemetry.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _LEVELS:
                whose = node.func.value
                if isinstance(whose, ast.Name) and whose.id == "log":
                    yield from (str(keyword.arg) for keyword in node.keywords)
