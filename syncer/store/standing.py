"""How everything in the database stands, in figures: calendars, channels and conferences by state and reason."""

from syncer.store import statements
from syncer.store.database import Database

_SQL = statements.of("standing")

# What is counted, and the word by which: none names a tenant, a calendar or a meeting.
Counts = dict[tuple[str, str], int]


async def counts(database: Database, *, held_failures: int) -> Counts:
    """held_failures: so many in a row have a push held. Raises StoreError."""
    rows = await database.fetch(_SQL["standing"], held_failures)
    return {(row["what"], row["word"]): row["count"] for row in rows}
