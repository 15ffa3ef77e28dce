"""Calendars and tenants that go. Their meetings stay at the provider: they are detached, and none is deleted.

A calendar goes with its links and notes; its conferences and what was done to them stay with their tenant. A retired
tenant keeps its row, until it is forgotten with all that is kept of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from syncer.model.errors import OperatorError
from syncer.store import statements, tenants
from syncer.store.database import Database

_CALENDARS_AT_ONCE = 50
_ROWS_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would go: calendars by id, and how many meetings would be detached. is_retired: the tenant was, before."""

    tenant_id: int
    calendar_ids: tuple[int, ...]
    meetings: int
    is_retired: bool


async def outlook(database: Database, tenant: str, google_id: str | None = None) -> Outlook:
    """What would go with a tenant (slug), or with one of its calendars. Raises OperatorError when there is none."""
    row = await database.first(_statements()["tenant_id"], tenant)
    if row is None:
        raise await tenants.unknown(database, "tenant", tenant)
    found = await database.fetch(_statements()["retirable"], row["tenant_id"], google_id)
    if google_id is not None and not found:
        raise await tenants.unknown_calendar(database, tenant, google_id)
    calendar_ids = tuple(one["calendar_id"] for one in found)
    staying = await database.value(_statements()["staying"], row["tenant_id"], calendar_ids)
    return Outlook(row["tenant_id"], calendar_ids, int(staying), row["state"] == "retired")


async def retire_calendars(database: Database, going: Outlook, tell: Callable[[int], None] = lambda _: None) -> int:
    """Removes calendars, some at a time; gives how many meetings were detached.

    tell: called with how many calendars went since it was called last.
    """
    detached = 0
    for place in range(0, len(going.calendar_ids), _CALENDARS_AT_ONCE):
        some = going.calendar_ids[place : place + _CALENDARS_AT_ONCE]
        detached += int(await database.value(_statements()["retire_calendars"], going.tenant_id, some))
        tell(len(some))
    return detached


async def retire_tenant(database: Database, tenant: str, tell: Callable[[int], None] = lambda _: None) -> int:
    """Retires a tenant: nothing of it is read or changed any more; its calendars and sealed credentials go.

    Gives as retire_calendars.
    """
    if await database.first(_statements()["set_state"], tenant, "retired") is None:
        raise await tenants.unknown(database, "tenant", tenant)
    detached = await retire_calendars(database, await outlook(database, tenant), tell)
    await database.run(statements.of("vault")["forget_sealed"], tenant)
    return detached


async def forget(database: Database, tenant: str, tell: Callable[[int], None] = lambda _: None) -> None:
    """Deletes all that is kept of a retired tenant, its history too, some rows at a time.

    tell: called with how many rows went since it was called last. Raises OperatorError when it is not retired.
    """
    found = await outlook(database, tenant)
    if not found.is_retired:
        raise OperatorError(f"Tenant {tenant!r} is not removed; `syncer tenant remove {tenant}` does that first.")
    for name in ("forget_history", "forget_conferences"):
        while count := await database.value(_statements()[name], found.tenant_id, _ROWS_AT_ONCE):
            tell(count)
    await database.run(_statements()["forget_tenant"], found.tenant_id)


def _statements() -> Mapping[str, str]:
    return statements.of("tenants")
