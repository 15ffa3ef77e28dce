"""The simulated vendor tells what its own users change: signed, again until it is taken, lost or doubled if asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web
from standardwebhooks import Webhook

from syncer.simulator.serve import serving
from tests.simulator.vendors import Vendor, a_vendor, check, updated

_SECONDS = 10.0


@dataclass
class Ear:
    """Somebody to tell. statuses: of its first answers, 200 after them."""

    secret: str
    statuses: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    heard: list[Any] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        Webhook(self.secret).verify(body, dict(request.headers))
        check(orjson.loads(body), "told")
        self.ids.append(request.headers["webhook-id"])
        self.heard.append(orjson.loads(body)["data"])
        self.came.set()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    async def until(self, count: int) -> None:
        """So many calls have come."""
        async with asyncio.timeout(_SECONDS):
            while len(self.ids) < count:
                self.came.clear()
                await self.came.wait()


@asynccontextmanager
async def told() -> AsyncIterator[tuple[Vendor, Ear]]:
    """A vendor that tells somebody of the changes of its account, under the name of a tenant."""
    async with a_vendor() as vendor:
        ear = Ear(vendor.account["webhook_secret"])
        application = web.Application()
        application.router.add_post("/changes", ear.take)
        async with serving(application) as root:
            destination = {"url": f"{root}changes", "tenant": "acme-at-syncer"}
            reply = await vendor.ask("PUT", "simulator/accounts/acme/changes", json=destination)
            assert (reply.status, reply.json) == (200, destination)
            yield vendor, ear


async def test_an_edit_and_a_deletion_by_the_vendors_users_are_told() -> None:
    async with told() as (vendor, ear):
        meeting = await vendor.new_meeting()
        await vendor.rest("PATCH", f"meetings/{meeting['id']}", json={"title": "Other"})
        await vendor.rest("DELETE", f"meetings/{meeting['id']}")
        await ear.until(2)
        assert ear.heard == [{"tenant": "acme-at-syncer", "conferences": [{"id": meeting["id"]}]}] * 2
        assert len(set(ear.ids)) == 2


async def test_what_came_by_the_webhook_is_not_told() -> None:
    async with told() as (vendor, ear):
        meeting = await vendor.new_meeting()
        await vendor.call(updated(meeting["id"], revision=1, title="Other"), webhook_id="a")
        await vendor.rest("PATCH", f"meetings/{meeting['id']}", json={"title": "Third"})
        await ear.until(1)
        assert [row["face"] for row in await vendor.diary()].count("changes") <= 1


async def test_a_call_that_is_not_taken_comes_again_under_its_id() -> None:
    async with told() as (vendor, ear):
        ear.statuses = [503, 500]
        meeting = await vendor.new_meeting()
        await vendor.rest("PATCH", f"meetings/{meeting['id']}", json={"title": "Other"})
        await ear.until(3)
        assert len(set(ear.ids)) == 1


async def test_calls_are_lost_and_doubled_as_asked() -> None:
    async with told() as (vendor, ear):
        await vendor.set_faults(changes={"next": {"lost": 1, "doubled": 1}})
        meeting = await vendor.new_meeting()
        for title in ("One", "Two"):
            await vendor.rest("PATCH", f"meetings/{meeting['id']}", json={"title": title})
        await ear.until(2)
        assert len(set(ear.ids)) == 1
        faults = (await vendor.ask("GET", "simulator/faults")).json["changes"]
        assert faults == {"chance": {}, "next": {"lost": 0, "doubled": 0}, "happened": {"lost": 1, "doubled": 1}}


async def test_nobody_is_told_after_the_url_was_taken_away() -> None:
    async with told() as (vendor, ear):
        await vendor.ask("PUT", "simulator/accounts/acme/changes", json={"url": None})
        meeting = await vendor.new_meeting()
        await vendor.rest("PATCH", f"meetings/{meeting['id']}", json={"title": "Other"})
        assert [row for row in await vendor.diary() if row["face"] == "changes"] == []
        assert ear.ids == []


async def test_what_is_no_destination_is_refused() -> None:
    async with told() as (vendor, _):
        for content in ({"url": "ftp://x.test/"}, {}, {"url": None, "more": 1}):
            assert (await vendor.ask("PUT", "simulator/accounts/acme/changes", json=content)).status == 422
        assert (await vendor.ask("PUT", "simulator/accounts/none/changes", json={"url": None})).status == 404
        assert (await vendor.ask("PUT", "simulator/faults", json={"changes": {"chance": {"lost": 2}}})).status == 422
