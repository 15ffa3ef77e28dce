"""Retries: what a provider refused, or failed for so long that it was held, is asked again because a person says so."""

from dataclasses import dataclass

from syncer.store import statements, tenants
from syncer.store.database import Database

_SQL = statements.of("retries")


@dataclass(frozen=True, slots=True)
class Retried:
    """retried: conferences that are due at once now. guarded: left alone, for the guard holds their deletions."""

    retried: int
    guarded: int


async def retry(database: Database, tenant: str, meeting_id: str | None = None) -> Retried:
    """Has one meeting pushed again at once, or all of a tenant's that were refused, failed or held.

    Without a meeting_id only those that have a reason or failures. What is over for us (deleted, detached, another
    tenant's) is left alone, and so is what the guard holds. Raises OperatorError: no such tenant or conference.
    """
    row = await database.first(_SQL["retry"], tenant, meeting_id)
    if row is None or not row["has_tenant"]:
        raise await tenants.unknown(database, "tenant", tenant)
    if meeting_id is not None and not row["is_known"]:
        raise tenants.unknown_conference(tenant, meeting_id)
    return Retried(row["retried"], row["guarded"])
