"""What else is told of one meeting: whose it is, what its provider does not hold, which rule nobody reads."""

from dataclasses import dataclass

import orjson

from syncer.store import statements, unread
from syncer.store.database import Database
from syncer.store.overview import ConferenceView
from syncer.store.unread import Unread

_SQL = statements.of("overview")


@dataclass(frozen=True, slots=True)
class Particulars:
    """owner: the tenant that alone may change or delete the meeting, None before anybody could.

    not_held: names of what the provider did not take over when it was updated last. unread: series of the meeting.
    """

    owner: str | None
    not_held: tuple[str, ...]
    unread: tuple[Unread, ...]


async def of(database: Database, seen: ConferenceView) -> Particulars:
    """Those of one conference."""
    row = await database.first(_SQL["particulars"], seen.tenant_id, seen.conference_id)
    series = await database.fetch(_SQL["series_of_conference"], seen.tenant_id, seen.conference_id)
    not_held = orjson.loads(row["not_held"]) if row is not None and row["not_held"] is not None else []
    return Particulars(
        row["owner"] if row is not None else None, tuple(not_held), unread.among([dict(row) for row in series])
    )
