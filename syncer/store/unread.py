"""Series whose rule cannot be read: they are handed on as they stand, and are taken never to end."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import msgspec
import orjson

from syncer.model.calendar import When
from syncer.rules import recurrence
from syncer.rules.occurrence import Unreadable
from syncer.store import statements
from syncer.store.database import Database

_SQL = statements.of("overview")
_WHEN = msgspec.json.Decoder(When)


@dataclass(frozen=True, slots=True)
class Unread:
    """A series of a meeting. reason: without any text of its rule."""

    event_id: str
    meeting_id: str
    reason: str


async def rules(database: Database, tenant_id: int, calendar_id: int, time_zone: str | None) -> tuple[Unread, ...]:
    """Those of one calendar, by event id. time_zone: the calendar's."""
    rows = await database.fetch(_SQL["series"], tenant_id, calendar_id)
    return among([{**row, "time_zone": time_zone} for row in rows])


def among(rows: Iterable[Mapping[str, Any]]) -> tuple[Unread, ...]:
    """Those of some series, given by event_id, meeting_id, lines and starts (JSON), and their calendar's time_zone."""
    known = available_timezones()

    def zone(name: str) -> tzinfo | None:
        return ZoneInfo(name) if name in known else None

    found = []
    for row in rows:
        lines, starts = orjson.loads(row["lines"]), _WHEN.decode(row["starts"])
        try:
            recurrence.read(lines, starts, zones=zone, fallback=row["time_zone"])
        except Unreadable as error:
            found.append(Unread(row["event_id"], row["meeting_id"], str(error)))
    return tuple(found)
