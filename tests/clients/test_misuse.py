"""What is secret goes to the server it is for, whatever that server, the network or a file says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession, web

from syncer.clients.google.auth import Credentials
from syncer.clients.google.calendar import Failed, GoogleCalendar, look_at
from syncer.clients.http import Http
from syncer.clients.providers.base import Setup
from syncer.clients.providers.webhook import WebhookProvider
from syncer.clients.references import References
from syncer.clients.secret import Secret
from syncer.model.calendar import Calendar, CalendarKey, Cursor
from syncer.model.conference import Change, ChangeKind, Gone, Retry
from syncer.model.errors import OutsideError

SECRET = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA=="
USER = {"type": "authorized_user", "client_id": "c", "client_secret": "canary-s", "refresh_token": "canary-r"}
Put = Callable[[str, Any], str]


@dataclass
class Places:
    """Three servers that are to be called, all of which answer the same, and one that is not."""

    http: Http
    references: References
    put: Put
    root: str
    elsewhere: str
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]]
    asked: list[str] = field(default_factory=list)
    strayed: list[str] = field(default_factory=list)

    def credentials(self) -> Credentials:
        return Credentials(self.http, self.references, token_uris=(f"{self.root}token",))

    def user(self, name: str = "u.json") -> str:
        return self.put(name, {**USER, "token_uri": f"{self.root}token"})

    async def token(self) -> object:
        """A token is asked for, with a refresh token and a client's secret."""
        return await self.credentials().access_token(self.user(), None)

    async def look(self) -> object:
        """A calendar is looked at, with an access token."""
        credentials = self.credentials()
        reference = self.user()
        kept = self.answer
        self.answer = a_token
        await credentials.access_token(reference, None)
        self.answer = kept
        google = GoogleCalendar(self.http, credentials, api_root=self.root)
        calendar = Calendar(
            key=CalendarKey(1, 1),
            google_id="ana@tenant-a.test",
            subject=None,
            credential=reference,
            addresses=frozenset(),
            cursor=Cursor(),
        )
        (answered,) = await google.look([look_at(calendar, None)])
        if isinstance(answered, Failed):
            raise answered.error
        return answered

    async def push(self) -> object:
        """A signed change is sent to a provider."""
        provider = WebhookProvider(Setup({"url": f"{self.root}hook"}, "file:hook", Secret(SECRET), self.http, 2.0))
        outcome = await provider.apply(Change(ChangeKind.DELETE, "acme", "81", 3, "key"))
        assert isinstance(outcome, Retry | Gone)
        return outcome


async def a_token(_: web.Request) -> web.Response:
    return web.json_response({"access_token": "ya29.canary", "expires_in": 3600})


@pytest.fixture
async def places(http: Http, references: References, put: Put, serve: Any) -> Places:
    async def asked(request: web.Request) -> web.StreamResponse:
        made.asked.append(f"{request.method} {request.path} {dict(request.headers)}")
        return await made.answer(request)

    async def strayed(request: web.Request) -> web.Response:
        made.strayed.append(f"{request.method} {request.path} {dict(request.headers)} {await request.text()}")
        return web.Response()

    made = Places(http, references, put, await serve(asked), await serve(strayed), a_token)
    return made


CALLS: dict[str, Callable[[Places], Awaitable[object]]] = {
    "token": Places.token,
    "look": Places.look,
    "push": Places.push,
}


async def come_of(places: Places, call: str) -> None:
    """Whatever comes of it, an error of ours at most."""
    try:
        await CALLS[call](places)
    except OutsideError:
        return


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [300, 301, 302, 303, 305, 307, 308])
async def test_a_redirect_takes_nothing_along(places: Places, call: str, status: int) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": f"{places.elsewhere}here"})

    places.answer = answer
    await come_of(places, call)
    assert places.strayed == []
    assert places.asked


async def test_a_client_that_follows_redirects_is_found_out(places: Places) -> None:
    """The control of the test above."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": f"{places.elsewhere}here"})

    places.answer = answer
    async with ClientSession() as session, session.post(places.root, data=b"canary"):
        assert "canary" in str(places.strayed)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "name", ["Location", "Content-Location", "Refresh", "Link", "Alt-Svc", "WWW-Authenticate", "Set-Cookie"]
)
async def test_no_header_sends_us_elsewhere(places: Places, call: str, name: str) -> None:
    where = places.elsewhere
    values = {
        "Refresh": f"0; url={where}",
        "Link": f'<{where}>; rel="preconnect"',
        "Alt-Svc": f'http/1.1="{where.removeprefix("http://").rstrip("/")}"; ma=3600',
        "WWW-Authenticate": f'Basic realm="{where}"',
        "Set-Cookie": "a=b; Domain=127.0.0.1",
    }

    async def answer(_: web.Request) -> web.Response:
        status = 401 if name == "WWW-Authenticate" else 200
        return web.Response(status=status, headers={name: values.get(name, where)})

    places.answer = answer
    for _ in range(2):
        await come_of(places, call)
    assert places.strayed == []
    assert "Basic" not in str(places.asked)
    assert "Cookie" not in str(places.asked)


@pytest.mark.parametrize("call", CALLS)
async def test_no_variable_and_no_netrc_sends_us_elsewhere(
    places: Places, call: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy", "AIOGOOGLE_HTTP_PROXY"):
        monkeypatch.setenv(name, places.elsewhere)
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login canary password canary\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    await come_of(places, call)
    assert places.strayed == []
    assert places.asked
    assert "Basic" not in str(places.asked)


async def test_each_server_gets_its_own_secret_alone(places: Places) -> None:
    """A token is in no call to a provider, a provider's secret in none at all, a refresh token only where it is due."""
    for call in CALLS:
        await come_of(places, call)
    hooks = [one for one in places.asked if "/hook" in one]
    looks = [one for one in places.asked if "/hook" not in one and "/token" not in one]
    assert hooks
    assert looks
    assert "canary" not in str(hooks)
    assert all("canary-" not in one for one in looks)
    assert SECRET not in str(places.asked)
    assert SECRET.removeprefix("whsec_") not in str(places.asked)


@pytest.mark.parametrize(
    "answer",
    [
        {"access_token": "a\r\nX-Evil: 1", "expires_in": 3600},
        {"access_token": "a b", "expires_in": 3600},
        {"access_token": "", "expires_in": 3600},
        {"access_token": "a\x00", "expires_in": 3600},
        {"access_token": "ä", "expires_in": 3600},
        {"access_token": "a", "expires_in": 3600, "token_type": "mac"},
        {"access_token": ["a"], "expires_in": 3600},
        {"expires_in": 3600},
    ],
)
async def test_what_is_no_bearer_token_is_never_sent(places: Places, answer: dict[str, Any]) -> None:
    async def answered(_: web.Request) -> web.Response:
        return web.Response(body=orjson.dumps(answer))

    places.answer = answered
    with pytest.raises(OutsideError, match="without a token that can be used"):
        await places.token()


async def test_a_replaced_file_is_checked_as_the_first_was(places: Places) -> None:
    """A credential that comes to name another endpoint is refused, not followed."""
    credentials = places.credentials()
    reference = places.user()
    token = await credentials.access_token(reference, None)
    credentials.forget(reference, None, token)
    places.put("u.json", {**USER, "token_uri": f"{places.elsewhere}token"})
    await asyncio.gather(credentials.access_token(reference, None), return_exceptions=True)
    fresh = places.credentials()
    await asyncio.gather(fresh.access_token(reference, None), return_exceptions=True)
    assert places.strayed == []
