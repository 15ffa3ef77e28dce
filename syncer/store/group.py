"""Group commit: what waits at the same moment becomes one statement, and one piece's trouble stays its own.

A statement gets its pieces as one JSON array a table: for the client that costs a tenth of Postgres's arrays.
"""

from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

import msgspec

from syncer.model.errors import StoreBusy, StoreError, StoreRefused, StoreUnavailable, SyncerError
from syncer.store.database import Database
from syncer.together import Together

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")

# So many pieces, and so many rows of them, make one statement: more saves next to nothing and holds up the loop.
_MOST_PIECES = 200
_MOST_ROWS = 400
_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True, eq=False)
class Kind(Generic[Asked, Answered]):
    """One kind of statement over many pieces.

    perform: sends one statement and gives as many outcomes as pieces, in their order; an error among them is its
    piece's. keys: what a piece writes; pieces that share a key go one after another. rows: how many a piece has.
    """

    perform: Callable[[Database, Sequence[Asked]], Awaitable[Sequence[Answered | SyncerError]]]
    keys: Callable[[Asked], Iterable[Hashable]] = lambda _: ()
    rows: Callable[[Asked], int] = lambda _: 1


async def ask(database: Database, kind: Kind[Asked, Answered], asked: Asked) -> Answered:
    """Has one piece done together with all of its kind that wait, and gives what came of it.

    Raises StoreRefused for a piece that Postgres does not take, StoreUnavailable when nobody knows what came of it,
    and what the kind says.
    """
    group: _Group[Asked, Answered] | None = database.groups.get(kind)
    if group is None:
        group = database.groups[kind] = _Group(database, kind)
    while True:
        outcome = await group.together(asked)
        if not isinstance(outcome, _Later):
            return outcome


def rows(found: Sequence[msgspec.Struct]) -> bytes:
    """Rows as JSON, without the brackets around them. Raises StoreRefused for text that is no Unicode."""
    if not found:
        return b""
    try:
        return _ENCODER.encode(found)[1:-1]
    except UnicodeEncodeError:
        raise StoreRefused("A text was not written down: it holds half a character.") from None


def joined(parts: Iterable[bytes]) -> bytes:
    """One JSON array of the rows of many pieces."""
    return b"[%b]" % b",".join([part for part in parts if part])


class _Later(Enum):
    """This piece was left for the next statement."""

    LATER = 0


class _Group(Generic[Asked, Answered]):
    def __init__(self, database: Database, kind: Kind[Asked, Answered]) -> None:
        self._database = database
        self._kind = kind
        self.together: Together[Asked, Answered | _Later] = Together(
            self._go, broken_off=_broken_off, most=_MOST_PIECES
        )

    async def _go(self, pieces: Sequence[Asked]) -> Sequence[Answered | _Later | SyncerError]:
        places = self._apart(pieces)
        if len(places) == len(pieces):
            return await self._done(pieces)
        outcomes: list[Answered | _Later | SyncerError] = [_Later.LATER] * len(pieces)
        for place, outcome in zip(places, await self._done([pieces[place] for place in places]), strict=True):
            outcomes[place] = outcome
        return outcomes

    def _apart(self, pieces: Sequence[Asked]) -> list[int]:
        """The places of those that can go in one statement: no two write the same, and they are not too large."""
        taken: set[Hashable] = set()
        places: list[int] = []
        room = _MOST_ROWS
        for place, piece in enumerate(pieces):
            room -= self._kind.rows(piece)
            if room < 0 and places:
                break
            keys = set(self._kind.keys(piece))
            if taken.isdisjoint(keys):
                places.append(place)
            taken |= keys  # also of one that is left out: what comes after it stays after it
        return places

    async def _done(self, pieces: Sequence[Asked]) -> Sequence[Answered | SyncerError]:
        """What came of each. What is refused, or meets a row that is held, is found by halving; the rest is done."""
        try:
            return await self._kind.perform(self._database, pieces)
        except (StoreRefused, StoreBusy) as error:
            if len(pieces) == 1:
                return [error]
        except StoreError as error:
            return [error] * len(pieces)
        half = len(pieces) // 2
        return [*await self._done(pieces[:half]), *await self._done(pieces[half:])]


def _broken_off() -> StoreUnavailable:
    return StoreUnavailable("A statement was broken off, and nobody knows what came of it.")
