"""Marks on meetings that their vendor says were changed there: written by receivers, taken away by workers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from syncer.model.conference import ProviderAccount
from syncer.model.reference import owned
from syncer.store import statements
from syncer.store.database import Database, Row

_SQL = statements.of("changes")


@dataclass(frozen=True, slots=True)
class Told:
    """What a vendor told. meeting_ids: as the provider knows them."""

    account_id: int
    meeting_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark that was found. number: another one with each telling. row_version: of its conference then.

    is_readable: whether reading the meeting makes sense; if not, the mark can go.
    """

    tenant_id: int
    conference_id: int
    number: int
    row_version: str
    is_readable: bool


async def accounts(database: Database) -> Mapping[str, ProviderAccount]:
    """The provider account of each tenant, by slug. One whose settings cannot be used is left out."""
    found = {row["slug"]: _account(row) for row in await database.fetch(_SQL["accounts"])}
    return {slug: account for slug, account in found.items() if account is not None}


def _account(row: Row) -> ProviderAccount | None:
    try:
        settings = msgspec.json.decode(row["settings"], type=dict[str, str])
    except msgspec.ValidationError:
        return None
    return ProviderAccount(
        account_id=row["account_id"],
        provider=row["provider"],
        settings=tuple(sorted(settings.items())),
        credential=owned(row["credential"], "account", row["account_id"]),
    )


async def mark(database: Database, told: Sequence[Told]) -> list[frozenset[str]]:
    """Marks what several vendors told in one statement; gives, in their order, the meetings that are known.

    Needs no lease, for a mark can only ask for a reading.
    """
    pairs = sorted({(one.account_id, meeting_id) for one in told for meeting_id in one.meeting_ids})
    columns = [account_id for account_id, _ in pairs], [meeting_id for _, meeting_id in pairs]
    rows = await database.fetch(_SQL["mark"], *columns)
    known = {(row["account_id"], row["meeting_id"]) for row in rows}
    return [
        frozenset(meeting_id for meeting_id in one.meeting_ids if (one.account_id, meeting_id) in known) for one in told
    ]


async def due(database: Database, tenant_ids: Iterable[int], *, limit: int, per_account: int) -> list[Mark]:
    """Marks whose meetings may be read now, so many at most in all and of one provider account, oldest first."""
    rows = await database.fetch(_SQL["due"], list(tenant_ids), limit, per_account)
    return [
        Mark(row["tenant_id"], row["conference_id"], row["mark"], row["row_version"], row["is_readable"])
        for row in rows
    ]


async def forget(database: Database, seen: Iterable[tuple[Mark, datetime]]) -> None:
    """Takes away those marks whose meetings were read since they were seen, at these instants of the worker's clock.

    A meeting that was told of again since keeps its newer mark.
    """
    pairs = list(seen)
    if pairs:
        await database.run(
            _SQL["forget"],
            [found.tenant_id for found, _ in pairs],
            [found.conference_id for found, _ in pairs],
            [found.number for found, _ in pairs],
            [found.row_version for found, _ in pairs],
            [at for _, at in pairs],
        )
