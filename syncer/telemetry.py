"""Logging: JSON lines on stderr, readable ones on a terminal, and only fields that are known to be harmless.

A line's text is a constant; what varies stands in fields, and a field whose name is not in ALLOWED does not get out.
Other libraries' lines are cut to the first line of their template, for arguments and exceptions hold tokens and rows.
"""

import logging
import os
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from pathlib import PurePath
from typing import TextIO

import orjson
import structlog

ALLOWED = frozenset(
    {
        "account_id",
        "calendar_id",
        "conference_id",
        "epoch",
        "error",
        "error_type",
        "event",
        "frames",
        "instead",
        "known",
        "level",
        "logger",
        "loop",
        "ms",
        "pieces",
        "project_id",
        "reason",
        "refused",
        "seconds",
        "tenant",
        "tenant_id",
        "timestamp",
        "unknown",
        "untold",
        "where",
    }
)
_TEXT_LIMIT = 500
_FRAMES = 12


def configure(level: str, *, stream: TextIO | None = None) -> None:
    """Sends structlog's and other libraries' lines of this level and above to `stream`, by default stderr.

    level: debug, info, warning or error.
    """
    out = sys.stderr if stream is None else stream
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_text_of_errors,
            _only_allowed,
            _renderer(out),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        # Asked for at each line, so that whoever puts another stream in the place of stderr gets what follows.
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr if stream is None else stream),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.setLevel(number)
    if not any(isinstance(one, _Routed) for one in root.handlers):
        root.addHandler(_Routed())
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)


class _Routed(logging.Handler):
    """Hands lines of the standard library's loggers to structlog, without their arguments."""

    def emit(self, record: logging.LogRecord) -> None:
        template = str(record.msg).partition("\n")[0]
        structlog.get_logger().log(record.levelno, template, logger=record.name, exc_info=record.exc_info)


def _renderer(out: TextIO) -> structlog.types.Processor:
    if out.isatty():
        return structlog.dev.ConsoleRenderer(colors="NO_COLOR" not in os.environ)
    return structlog.processors.JSONRenderer(serializer=_json)


def _json(line: object, **_: object) -> str:
    return orjson.dumps(line, default=str, option=orjson.OPT_UTC_Z).decode()


def _without_text_of_errors(_: object, __: str, line: MutableMapping[str, object]) -> MutableMapping[str, object]:
    """An exception goes on as its type and its frames: what it says may hold a token or a row."""
    raised = line.pop("exc_info", None)
    error = raised[1] if isinstance(raised, tuple) else sys.exc_info()[1] if raised is True else raised
    if isinstance(error, BaseException):
        line["error_type"] = type(error).__name__
        line["frames"] = [
            f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)[-_FRAMES:]
        ]
    return line


def _only_allowed(_: object, __: str, line: MutableMapping[str, object]) -> Mapping[str, object]:
    kept = {name: _bounded(value) for name, value in line.items() if name in ALLOWED}
    dropped = sorted(set(line) - ALLOWED)
    return kept | {"dropped": dropped} if dropped else kept


def _bounded(value: object) -> object:
    if isinstance(value, bool | int | float | None):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_bounded(part) for part in value]
    return str(value).encode("utf-8", "replace").decode()[:_TEXT_LIMIT]
