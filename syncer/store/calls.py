"""Calls: what of provider accounts' limits was used, and what is reserved, by all workers together."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from syncer.rules.calling import Settled, Wish
from syncer.store import statements
from syncer.store.database import Database

_SQL = statements.of("calls")


@dataclass(frozen=True, slots=True)
class Reserved:
    """What was granted of a scope: so many calls, that count in this slot until it is told what came of them.

    room_in_seconds: until there may be room for more.
    """

    scope: str
    calls: int
    slot: int
    room_in_seconds: float


class _WishRow(msgspec.Struct, gc=False):
    scope: str
    seconds: int
    most: int
    calls: int
    hold: float


async def reserve(
    database: Database, account_id: int, settled: Sequence[Settled], wishes: Sequence[Wish], *, hold_seconds: float
) -> list[Reserved]:
    """Tells what came of earlier reservations, and reserves calls that are answered in hold_seconds at the latest.

    Gives one for each wish; none when the account is gone.
    """
    wanted = [
        _WishRow(wish.scope.name, wish.scope.seconds, wish.scope.most, wish.calls, hold_seconds) for wish in wishes
    ]
    rows = await database.fetch(_SQL["reserve"], account_id, msgspec.json.encode(settled), msgspec.json.encode(wanted))
    return [Reserved(row["scope"], row["granted"], row["slot"], row["room_in"]) for row in rows]


async def prune(database: Database) -> None:
    """Forgets what counts no longer."""
    await database.run(_SQL["prune"])
