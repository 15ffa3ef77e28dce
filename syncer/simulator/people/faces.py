"""The public faces as people use them: Google's API with their own grant, the vendor's API with its token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote

import aiohttp

from syncer.simulator.people.record import Json

PEOPLE = {"X-Simulator-People": "1"}
_REQUEST = aiohttp.ClientTimeout(total=30)
_OK = 299
_TOKEN_IS_OVER = 401


class Turned(Exception):
    """A server did not do what a person asked. status: HTTP."""

    def __init__(self, status: int, asked: str, answer: str) -> None:
        super().__init__(f"{asked} was answered {status}: {answer[:300]}")
        self.status = status


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request. Its headers hold a token, so they are not shown."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    query: Mapping[str, str] | None = None
    body: Json | None = None


class Google:
    """One user's way to Google's API. grant: an authorized_user credential of theirs."""

    def __init__(self, session: aiohttp.ClientSession, root: str, grant: Mapping[str, str]) -> None:
        self._session = session
        self._root = root
        self._grant = grant
        self._token = ""

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        """The JSON answer, empty for 204. path: after `calendar/v3/`. Raises Turned for any refusal."""
        if not self._token:
            self._token = await self._access_token()
        asked = _Asked(method, f"{self._root}calendar/v3/{path}", {**PEOPLE, **(headers or {})}, query, body)
        try:
            return await _answer(self._session, self._signed(asked))
        except Turned as turned:
            if turned.status != _TOKEN_IS_OVER:
                raise
        self._token = await self._access_token()
        return await _answer(self._session, self._signed(asked))

    def _signed(self, asked: _Asked) -> _Asked:
        return replace(asked, headers={"Authorization": f"Bearer {self._token}", **asked.headers})

    async def events(self, calendar_id: str) -> list[Json]:
        """All live entries of a calendar, series as masters and exceptions."""
        found: list[Json] = []
        query = {"maxResults": "2500", "showDeleted": "false", "singleEvents": "false"}
        while True:
            page = await self.call("GET", f"{calendar_path(calendar_id)}/events", query=query)
            found += page.get("items", [])
            if "nextPageToken" not in page:
                return found
            query = {**query, "pageToken": page["nextPageToken"]}

    async def _access_token(self) -> str:
        form = {name: self._grant[name] for name in ("client_id", "client_secret", "refresh_token")}
        form["grant_type"] = "refresh_token"
        async with self._session.post(
            self._grant["token_uri"], data=form, headers=PEOPLE, timeout=_REQUEST
        ) as response:
            if response.status > _OK:
                raise Turned(response.status, "POST token", await response.text())
            return str((await response.json())["access_token"])


class Vendor:
    """A tenant's own users at the conferencing system."""

    def __init__(self, session: aiohttp.ClientSession, root: str, api_token: str) -> None:
        self._session = session
        self._root = root
        self._headers = {"Authorization": f"Bearer {api_token}"}

    async def create(self, meeting: Json) -> Json:
        """A new meeting; its external key is its idempotency key."""
        key = {"Idempotency-Key": str(meeting["external_key"])}
        return await self._call("POST", "v1/meetings", body=meeting, headers=key)

    async def meeting(self, meeting_id: str) -> Json:
        """One meeting."""
        return await self._call("GET", f"v1/meetings/{meeting_id}")

    async def change(self, meeting_id: str, change: Json) -> Json:
        """The meeting after a change of some fields."""
        return await self._call("PATCH", f"v1/meetings/{meeting_id}", body=change)

    async def delete(self, meeting_id: str) -> None:
        """Delete a meeting."""
        await self._call("DELETE", f"v1/meetings/{meeting_id}")

    async def meetings(self) -> list[Json]:
        """All meetings ever made, deleted ones too."""
        found: list[Json] = []
        query = {"limit": "500"}
        while True:
            page = await self._call("GET", "v1/meetings", query=query)
            found += page["meetings"]
            if page.get("next") is None:
                return found
            query = {**query, "after": str(page["next"])}

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        asked = _Asked(method, f"{self._root}{path}", {**self._headers, **(headers or {})}, query, body)
        return await _answer(self._session, asked)


def calendar_path(calendar_id: str) -> str:
    """The path of a calendar in Google's API."""
    return f"calendars/{quote(calendar_id, safe='')}"


def event_path(calendar_id: str, event_id: str) -> str:
    """The path of an event in Google's API."""
    return f"{calendar_path(calendar_id)}/events/{quote(event_id, safe='')}"


async def _answer(session: aiohttp.ClientSession, asked: _Asked) -> Json:
    async with session.request(
        asked.method, asked.url, params=asked.query, json=asked.body, headers=asked.headers, timeout=_REQUEST
    ) as response:
        text = await response.text()
        if response.status > _OK:
            raise Turned(response.status, f"{asked.method} {response.url.path}", text)
        answer: Json = (await response.json()) if text else {}
        return answer
