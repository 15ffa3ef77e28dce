"""Google's Calendar API as far as it is used: look at calendars, get an event, patch an event. Hands on raw JSON.

A refused token is renewed and the call repeated, once; nothing else is tried again here.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiogoogle.client import Aiogoogle
from aiogoogle.models import Request
from aiogoogle.resource import GoogleAPI

from syncer.clients.google import discovery
from syncer.clients.google.auth import Credentials
from syncer.clients.google.session import GoogleSession
from syncer.clients.http import Http, Limits
from syncer.clients.secret import Secret
from syncer.model.calendar import Calendar, CalendarKey
from syncer.model.errors import Refused, SyncerError, TokenRefused

PAGE_SIZE = 2500
PAGE_LIMIT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Look:
    """One calendar to look at, from where its cursor stands.

    time_min: aware, how far back a full read goes, the same for all its pages; None goes back to the beginning.
    """

    calendar: Calendar
    time_min: datetime | None


@dataclass(frozen=True, slots=True)
class Looked:
    """The calendar's next page: the body of events.list."""

    key: CalendarKey
    body: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """Why this calendar gave no page. It says nothing about the others."""

    key: CalendarKey
    error: SyncerError


Answered = Looked | Failed


class GoogleCalendar:
    """Calls to one API root, over one process-wide pool.

    api_root: Google's, or an emulator's. at_once: looks under way at a time, over all callers.
    deadline_seconds: for one request; a call may take two of them and two of the token endpoint's (20 s each).
    """

    def __init__(
        self,
        http: Http,
        credentials: Credentials,
        *,
        api_root: str = discovery.GOOGLE_ROOT,
        at_once: int = 50,
        deadline_seconds: float = 30.0,
    ) -> None:
        limits = Limits(deadline_seconds=deadline_seconds, body_bytes=PAGE_LIMIT_BYTES)
        events = GoogleAPI(discovery.document(api_root)).events  # type: ignore[no-untyped-call]
        # Each is kept, for aiogoogle makes a new one at every attribute access.
        self._list, self._get, self._patch = events.list, events.get, events.patch
        self._google = Aiogoogle(session_factory=lambda: GoogleSession(http, limits))  # type: ignore[arg-type]
        self._credentials = credentials
        self._turns = asyncio.Semaphore(at_once)
        self._host = discovery.host(api_root)

    async def look(self, looks: Sequence[Look]) -> list[Answered]:
        """The next page of each calendar, in the order asked. A failure is its calendar's own."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._look(look)) for look in looks]
        return [task.result() for task in tasks]

    async def get(self, calendar: Calendar, event_id: str) -> bytes:
        """The event as it is now, cancelled ones included. Raises OutsideError or OperatorError."""
        return await self._call(calendar, self._get, event_id=event_id)

    async def patch(self, calendar: Calendar, event_id: str, body: dict[str, Any], *, etag: str) -> bytes:
        """Changes the fields in `body` if the event still is the version `etag`; gives the event after it.

        Tells no guest. Raises Conflict when it has changed, Unreachable when the outcome is unknown, other
        OutsideError, OperatorError.
        """
        return await self._call(calendar, self._patch, event_id=event_id, body=body, etag=etag)

    async def _look(self, look: Look) -> Answered:
        calendar = look.calendar
        async with self._turns:
            try:
                request = self._request(calendar, self._list, **_query(look))
                return Looked(calendar.key, await self._authorized(calendar, request))
            except SyncerError as error:
                return Failed(calendar.key, error)

    async def _call(
        self,
        calendar: Calendar,
        method: Any,
        *,
        event_id: str,
        body: dict[str, Any] | None = None,
        etag: str | None = None,
    ) -> bytes:
        writes = {} if etag is None else {"conferenceDataVersion": 1, "sendUpdates": "none", "json": body}
        request = self._request(calendar, method, eventId=event_id, **writes)
        if etag is not None:
            request.headers["If-Match"] = etag
        return await self._authorized(calendar, request)

    def _request(self, calendar: Calendar, method: Any, **parameters: Any) -> Request:
        ids = {"calendarId": calendar.google_id} | {
            name: parameters[name] for name in ("eventId",) if name in parameters
        }
        if any(value in ("", ".", "..") for value in ids.values()):
            raise Refused(self._host, 0, "an id of dots would lead to another place")
        request: Request = method(
            **{**parameters, **ids},
            path_params_safe_chars=dict.fromkeys(ids, ""),
            prettyPrint="false",
            quotaUser=quota_user(calendar.google_id),
        )
        return request

    async def _authorized(self, calendar: Calendar, request: Request) -> bytes:
        token = await self._credentials.access_token(calendar.credential, calendar.subject)
        try:
            return await self._send(request, token)
        except TokenRefused:
            self._credentials.forget(calendar.credential, calendar.subject, token)
        token = await self._credentials.access_token(calendar.credential, calendar.subject)
        return await self._send(request, token)

    async def _send(self, request: Request, token: Secret) -> bytes:
        request.headers["Authorization"] = Secret(f"Bearer {token.reveal()}")
        body: bytes = await self._google.as_anon(request)  # type: ignore[no-untyped-call]
        return body


def quota_user(google_id: str) -> str:
    """Whom Google counts a request for: 40 characters at most, and no address. Source: discovery, `quotaUser`."""
    return hashlib.sha256(google_id.encode()).hexdigest()[:40]


def _query(look: Look) -> dict[str, Any]:
    """The query of events.list for a cursor. No showDeleted, no orderBy: both cost the sync token or its worth.

    Source: Calendar API, "Synchronize resources efficiently": each page repeats the query of the first.
    """
    cursor = look.calendar.cursor
    query: dict[str, Any] = {"singleEvents": "false", "maxResults": PAGE_SIZE}
    if cursor.sync_token is not None and not cursor.is_full_read:
        query["syncToken"] = cursor.sync_token
    elif look.time_min is not None:
        query["timeMin"] = look.time_min.astimezone(UTC).isoformat(timespec="seconds")
    if cursor.page_token is not None:
        query["pageToken"] = cursor.page_token
    return query
