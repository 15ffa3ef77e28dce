"""Sealed credentials: never another tenant's, and dropped when they are replaced."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import orjson
import pytest
from aiohttp import web

from syncer.clients.google.auth import Credentials
from syncer.clients.http import Http
from syncer.clients.references import References
from syncer.model import reference
from syncer.model.errors import OperatorError, StoreUnavailable
from syncer.model.reference import Sealed

USER = {"type": "authorized_user", "client_id": "c", "client_secret": "s"}
ACME, OTHER = reference.owned("sealed:google", "tenant", 1), reference.owned("sealed:google", "tenant", 2)


@dataclass
class Held:
    """A vault of the test's. gone: the database is away."""

    values: dict[str, str] = field(default_factory=dict)
    news: list[str] = field(default_factory=list)
    gone: bool = False

    async def read(self, asked: str) -> str:
        if self.gone:
            raise StoreUnavailable("Postgres went away.")
        if asked not in self.values:
            raise OperatorError(f"credential {reference.as_written(asked)} is not there")
        return self.values[asked]

    async def replaced(self) -> Sequence[str]:
        news, self.news = self.news, []
        return news


@dataclass
class Desk:
    """Credentials over that vault, before an endpoint whose tokens name the refresh token they are for."""

    vault: Held
    credentials: Credentials
    uri: str
    asked: list[str]
    arrived: asyncio.Event
    goes_on: asyncio.Event

    def give(self, asked: str, refresh_token: str) -> None:
        text = orjson.dumps({**USER, "refresh_token": refresh_token, "token_uri": self.uri}).decode()
        self.vault.values[asked] = text

    def replace(self, asked: str, refresh_token: str) -> None:
        self.give(asked, refresh_token)
        self.vault.news.append(asked)

    async def token(self, asked: str) -> str:
        return (await self.credentials.access_token(asked, None)).reveal()


@pytest.fixture
async def desk(http: Http, serve: Any) -> Desk:
    asked: list[str] = []
    arrived, goes_on = asyncio.Event(), asyncio.Event()
    goes_on.set()

    async def answer(request: web.Request) -> web.Response:
        form = parse_qs(await request.text())
        asked.append(form["refresh_token"][0])
        arrived.set()
        await goes_on.wait()
        return web.json_response({"access_token": f"for-{form['refresh_token'][0]}", "expires_in": 3600})

    vault, uri = Held(), f"{await serve(answer)}token"
    references = References(folder=None, env_prefix="TEST_", environ={}, vault=vault)
    return Desk(vault, Credentials(http, references, token_uris=(uri,)), uri, asked, arrived, goes_on)


async def test_two_tenants_with_one_name_never_share_a_token(desk: Desk) -> None:
    desk.give(ACME, "acmes")
    desk.give(OTHER, "others")
    tokens = await asyncio.gather(*(desk.token(one) for one in (ACME, OTHER) * 20))
    assert tokens == ["for-acmes", "for-others"] * 20
    assert sorted(desk.asked) == ["acmes", "others"]


async def test_a_replaced_credential_is_used_at_once_and_no_other_is_dropped(desk: Desk) -> None:
    desk.give(ACME, "old")
    desk.give(OTHER, "others")
    await desk.token(ACME)
    await desk.token(OTHER)
    desk.replace(ACME, "new")
    assert await desk.token(ACME) == "for-new"
    assert await desk.token(OTHER) == "for-others"
    assert desk.asked == ["old", "others", "new"]


async def test_one_that_is_replaced_while_a_token_is_on_its_way_is_not_kept(desk: Desk) -> None:
    desk.give(ACME, "old")
    desk.goes_on.clear()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        waiting = group.create_task(desk.token(ACME))
        await desk.arrived.wait()
        desk.replace(ACME, "new")
        await desk.credentials.keep_up()
        desk.goes_on.set()
        await waiting
    assert desk.credentials.held(ACME, None) is None
    assert await desk.token(ACME) == "for-new"


async def test_one_that_failed_and_is_replaced_is_told_of_also_while_it_fails(desk: Desk) -> None:
    desk.vault.values[ACME] = "no key file"
    assert await desk.credentials.mended() == set()
    with pytest.raises(OperatorError):
        await desk.token(ACME)
    assert await desk.credentials.mended() == set()
    desk.replace(ACME, "new")
    # Twice, for a look that failed with the old one may be written down between.
    assert [await desk.credentials.mended() for _ in range(3)] == [{ACME}, {ACME}, set()]
    assert await desk.token(ACME) == "for-new"
    desk.replace(ACME, "newer")
    assert await desk.credentials.mended() == set()


async def test_a_token_outlives_a_database_that_is_away(desk: Desk) -> None:
    desk.give(ACME, "mine")
    await desk.token(ACME)
    desk.vault.gone = True
    assert await desk.token(ACME) == "for-mine"
    with pytest.raises(StoreUnavailable):
        await desk.token(OTHER)


async def test_what_is_wrong_is_told_as_people_wrote_it(desk: Desk) -> None:
    with pytest.raises(OperatorError, match=r"^credential sealed:google is not there$"):
        await desk.token(ACME)
    desk.vault.values[OTHER] = "canary"
    with pytest.raises(OperatorError, match=r"^credential sealed:google is not a JSON object") as caught:
        await desk.credentials.check(OTHER)
    assert "canary" not in str(caught.value)


async def test_without_a_vault_or_an_owner_nothing_is_opened(desk: Desk) -> None:
    plain = References(folder=None, env_prefix="TEST_", environ={})
    for asked in (ACME, "sealed:google"):
        with pytest.raises(OperatorError, match=r"^credential sealed:google is not a reference"):
            await plain.read(asked)
    desk.give("sealed:google", "canary")
    with pytest.raises(OperatorError, match="is not a reference"):
        await desk.token("sealed:google")


@pytest.mark.parametrize("text", ["file:a", "env:A", "sealed:a", "sealed:a.b-c_d"])
def test_a_reference_says_whose_it_is_and_reads_as_it_was_written(text: str) -> None:
    owned = reference.owned(text, "account", 7)
    assert reference.as_written(owned) == text
    is_sealed = text.startswith("sealed:")
    assert reference.sealed_of(owned) == (Sealed("account", 7, text.removeprefix("sealed:")) if is_sealed else None)
    assert (owned == text) is not is_sealed
