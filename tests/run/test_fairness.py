"""No tenant holds up another: not by how much it asks of Google, nor by a provider that hangs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from syncer.simulator.serve import serving
from syncer.store import conferences, tenants
from syncer.store.tenants import Share, TenantChange
from tests.run.worker import a_worker, until, until_titled
from tests.simulator.google_stage import BO, CLEO
from tests.sync.stage import ACME, Acted, Booked, add_tenant, list_anew

MOST = 12


async def asked(stage: Acted, *calendars: str) -> int:
    """How many requests for these calendars Google has taken in from workers."""
    diary: list[dict[str, Any]] = (await stage.google.control("GET", "diary"))["entries"]
    return sum(row["actor"] == "client" and row["calendar_id"] in calendars for row in diary)


async def test_a_tenant_asks_no_more_in_a_minute_than_it_may_and_others_are_served(stage: Acted) -> None:
    await add_tenant(stage, "other", CLEO)
    await tenants.set_tenant(stage.tools.database, "acme", TenantChange(share=Share(per_minute=MOST)))
    before = await asked(stage, *ACME)
    async with a_worker(stage, cycle_seconds=0.1, lease_seconds=3):
        await until(lambda: _have_asked(stage, 3 * MOST, CLEO))
        booked = await stage.book(calendar=CLEO)
        await until_titled(stage, booked, "Standup")
    count = await asked(stage, *ACME) - before
    assert MOST // 2 < count <= MOST
    # Nothing was held against its calendars.
    assert [row["failures"] for row in await stage.rows("calendar")] == [0] * 4


async def _have_asked(stage: Acted, count: int, *calendars: str) -> bool:
    return await asked(stage, *calendars) > count


@asynccontextmanager
async def hanging() -> AsyncIterator[tuple[str, list[str]]]:
    """A provider that never answers, and what it was asked."""
    calls: list[str] = []

    async def hang(request: web.Request) -> web.Response:
        calls.append(request.path)
        await asyncio.Event().wait()
        return web.Response()

    application = web.Application()
    application.router.add_post("/{tail:.*}", hang)
    async with serving(application) as root:
        yield root, calls


async def test_a_provider_that_hangs_holds_up_no_other_tenants_meetings(stage: Acted) -> None:
    async with hanging() as (root, calls):
        await add_tenant(stage, "other", CLEO)
        await stage.tools.database.run(
            "WITH made AS (INSERT INTO syncer.provider_account (provider, settings, credential) "
            "VALUES ('webhook', jsonb_build_object('url', $1::text), 'file:webhook') RETURNING account_id) "
            "UPDATE syncer.tenant SET account_id = made.account_id FROM made WHERE slug = 'other'",
            root,
        )
        await list_anew(stage.tools, stage.project)
        for number in range(6):
            await stage.book(f"Hangs {number}", calendar=CLEO)
        # More places than one account may take, and fewer than it wants.
        async with a_worker(stage, cycle_seconds=0.1, lease_seconds=3, pushes=4, pushes_per_provider=2):
            await until(lambda: _are(calls, 2))
            booked: Booked = await stage.book("Standup", calendar=BO)
            await until_titled(stage, booked, "Standup")
            assert len(calls) == 2


async def _are(calls: list[str], count: int) -> bool:
    return len(calls) >= count


async def test_of_one_account_each_tenants_pushes_are_found(stage: Acted) -> None:
    await add_tenant(stage, "other", CLEO)
    await stage.tools.database.run(
        "INSERT INTO syncer.conference (tenant_id, account_id, meeting_id) "
        "SELECT tenant_id, account_id, 'm' || number FROM syncer.tenant, generate_series(1, 50) AS number "
        "WHERE number <= CASE slug WHEN 'other' THEN 3 ELSE 50 END"
    )
    other = stage.ids[CLEO].tenant_id
    found = await conferences.waiting(stage.tools.database, stage.project.tenants, limit=9, per_account=9)
    assert [tenant_id for tenant_id, _ in found].count(other) == 3
