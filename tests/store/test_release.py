"""A person lets held deletions through."""

from msgspec import structs

from syncer.model.conference import State
from syncer.store import conferences, tenants
from syncer.store.conferences import Noted
from tests.store.rows import Held


async def test_a_push_under_way_does_not_swallow_a_release(held: Held) -> None:
    await held.database.run("UPDATE syncer.conference SET state = 'held', applied_version = wanted_version")
    await held.database.run("UPDATE syncer.conference SET driver_calendar_id = $1", held.key.calendar_id)
    seen = await conferences.one(held.database, held.key.tenant_id, await held.conference_id())
    assert seen is not None
    assert await tenants.release(held.database, "acme", "a@x.test") == 1
    still_held = structs.replace(seen[0], state=State.HELD, applied_version=seen[0].wanted_version)
    await conferences.record(held.database, held.lease, Noted(still_held, ()))
    row = await held.database.first(
        "SELECT state, was_released, wanted_version > applied_version FROM syncer.conference"
    )
    assert tuple(row or ()) == ("leaving", True, True)
