"""The story of a world that broke the law: what was asked of both servers, what rows tell, and the moves, by time."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from syncer.simulator.people.record import Json
from tests.world.stage import Stage

_HISTORY = """
SELECT h.at, t.slug, c.meeting_id, h.kind, h.event_id, h.detail::text AS detail
FROM syncer.history h JOIN syncer.tenant t USING (tenant_id)
LEFT JOIN syncer.conference c ON c.tenant_id = h.tenant_id AND c.conference_id = h.conference_id
ORDER BY h.history_id
"""
_ROWS = ("conference", "link", "exclusion", "calendar", "note")


async def told(stage: Stage, log: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line for each thing that happened, in the order of the simulated time; then the log and the rows."""
    lines = [*_moves(stage), *_google(stage), *_vendor(stage), *[line async for line in _history(stage)]]
    lines.sort(key=lambda line: line[0])
    rows: list[str] = []
    for table in _ROWS:
        found = await stage.fetch(f"SELECT to_json({table})::text AS row FROM syncer.{table}")  # noqa: S608
        rows += [f"{table}: {row['row']}" for row in found]
    return [f"{at:%d %H:%M:%S.%f} {text}" for at, text in lines] + _counted(log) + rows


def _counted(log: Iterable[Mapping[str, Any]]) -> list[str]:
    """The log, a line that comes again and again only once, with its count."""
    return [f"log {count} x {text}" for text, count in Counter(map(str, log)).items()]


Line = tuple[datetime, str]


def _moves(stage: Stage) -> Iterator[Line]:
    for at, text in stage.notes:
        yield at, f"--- {text}"


def _google(stage: Stage) -> Iterator[Line]:
    for entry in stage.servers.google_diary():
        marks = {key: value for key, value in entry.items() if key not in _LEFT_OUT}
        query = entry["query"]
        yield _at(entry), f"google {entry['actor']} {entry['method']} {entry['path']} {query} {entry['status']} {marks}"


def _vendor(stage: Stage) -> Iterator[Line]:
    for entry in stage.servers.vendor_diary():
        yield _at(entry), f"vendor { ({key: value for key, value in entry.items() if key not in _LEFT_OUT}) }"


_LEFT_OUT = frozenset({"n", "at", "monotonic_ms", "method", "path", "query", "status", "actor", "calendar_id"})


async def _history(stage: Stage) -> AsyncIterator[Line]:
    for row in await stage.fetch(_HISTORY):
        whose = f"{row['slug']} {row['meeting_id']}"
        yield row["at"], f"history {row['kind']} {whose} {row['event_id'] or ''} {row['detail']}"


def _at(entry: Json) -> datetime:
    return datetime.fromisoformat(entry["at"])
