"""Google's Calendar API as far as it is used: look at calendars, get an event, patch an event. Hands on raw JSON.

Looks and patches are built by hand and go in batches; what is rare is built by aiogoogle from the discovery document.
A refused token is renewed and the call repeated, once; nothing else is tried again here.
"""

import asyncio
import copy
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote
from weakref import WeakValueDictionary

import orjson
from aiogoogle.client import Aiogoogle
from aiogoogle.models import Request
from aiogoogle.resource import GoogleAPI
from msgspec import structs

from syncer.clients.google import channels, discovery, errors, multipart
from syncer.clients.google.auth import Credentials
from syncer.clients.google.authorized import Authorized
from syncer.clients.google.batch import FIRST_CALLS, Batches, Call, Lost, Outcome, Whose, bearer
from syncer.clients.google.channels import Ask, Granted
from syncer.clients.google.metering import UNMETERED, Meter, metered
from syncer.clients.google.session import GoogleSession
from syncer.clients.http import Answer, Http, Limits
from syncer.clients.secret import Secret
from syncer.model.calendar import Calendar, Value
from syncer.model.errors import Refused, SyncerError, Throttled, TokenRefused, Unreachable, Unreadable, Unsent
from syncer.together import Together

PAGE_SIZE = 2500
PAGE_LIMIT_BYTES = 64 * 1024 * 1024
# What `rules.parse` reads. Without the two tokens by name they would be left out.
# Source: Calendar API, "Performance tips", partial response.
EVENT_FIELDS = (
    "id,etag,status,created,updated,summary,description,location,organizer(email,self),start,end,originalStartTime,"
    "recurringEventId,recurrence,iCalUID,attendees(email),conferenceData(conferenceId,conferenceSolution(key,name),"
    "entryPoints(entryPointType,uri,passcode,password),parameters)"
)
LIST_FIELDS = f"nextPageToken,nextSyncToken,accessRole,timeZone,items({EVENT_FIELDS})"
# No showDeleted, no orderBy: both cost the sync token or its worth. Each page repeats the query of the first.
# Source: Calendar API, "Synchronize resources efficiently".
_LIST = f"singleEvents=false&maxResults={PAGE_SIZE}&prettyPrint=false&fields={LIST_FIELDS}"
_PATCH = f"conferenceDataVersion=1&sendUpdates=none&prettyPrint=false&fields={EVENT_FIELDS}"
_PLAIN = re.compile(r"[A-Za-z0-9_.~=-]*")
_PATCH_BATCHES = 4
_QUOTA_USER = 16
# Another call of the same batch was in the way. Source: Calendar API, release notes, June 2024.
# By then some of the last minute's requests of one user count no more.
_HELD_SECONDS = 10.0
_IN_THE_WAY = 409
# What a refusal names when it is about all requests, and not about one user's.
_TOO_FAST = "rateLimitExceeded"
_ETAG = re.compile(r"[\x21-\x7e]+")


class Look(Value, frozen=True):
    """One calendar to look at, from where its cursor stands.

    place: as `place_of` gives it. whose: (credential, subject). time_min: aware, how far back a full read goes, the
    same for all its pages; None goes back to the beginning, or on from the sync token. is_alone: in no batch.
    tenant_id: whose calendar it is.
    """

    place: str
    whose: Whose
    sync_token: str | None
    page_token: str | None
    time_min: datetime | None
    is_alone: bool = False
    tenant_id: int = 0


class Looked(Value, frozen=True):
    """The calendar's next page: the body of events.list."""

    body: bytes


class Failed(Value, frozen=True):
    """Why this calendar gave no page. is_shared: it says nothing of this one, for a whole batch gave none."""

    error: SyncerError
    is_shared: bool = False


Answered = Looked | Failed


class Patch(NamedTuple):
    """A change of some fields of an event that is still the version `etag`."""

    calendar: Calendar
    event_id: str
    body: dict[str, Any]
    etag: str


@dataclass(frozen=True, slots=True)
class Capacity:
    """What one process asks of Google.

    at_once: requests under way at a time, over all callers. batch_calls: looks or patches in one request, at most.
    deadline_seconds: for one request; a call may take two of them and two of the token endpoint's (20 s each).
    patch_weight: how many requests a patch counts as.
    """

    at_once: int = 50
    batch_calls: int = FIRST_CALLS
    deadline_seconds: float = 30.0
    patch_weight: int = 3


class GoogleCalendar:
    """Calls to one API root, over one process-wide pool.

    api_root: Google's, or an emulator's. durations: of requests, those for tokens too.
    """

    def __init__(
        self,
        http: Http,
        credentials: Credentials,
        *,
        api_root: str = discovery.GOOGLE_ROOT,
        capacity: Capacity = Capacity(),
    ) -> None:
        limits = Limits(deadline_seconds=capacity.deadline_seconds, body_bytes=PAGE_LIMIT_BYTES)
        self.durations = http.durations
        # Kept, for aiogoogle makes a new one at every attribute access.
        self._get = GoogleAPI(discovery.document(api_root)).events.get  # type: ignore[no-untyped-call]
        self._google = Aiogoogle(session_factory=lambda: GoogleSession(http, limits))  # type: ignore[arg-type]
        self._credentials = credentials
        root = api_root.rstrip("/") + "/"
        self._host = discovery.host(api_root)
        self._batches = Batches(http, limits, root=root, most=capacity.batch_calls, at_once=capacity.at_once)
        self._authorized = Authorized(self._batches, credentials)
        self._patch_weight = capacity.patch_weight
        self._meter = UNMETERED
        self._writes: dict[int, Together[Call, bytes]] = {}
        self._writing: WeakValueDictionary[tuple[object, ...], asyncio.Lock] = WeakValueDictionary()

    def metered(self, meter: Meter) -> "GoogleCalendar":
        """The same, whose requests go out as this meter lets them: those of one project."""
        view = copy.copy(self)
        view._meter, view._writes = meter, {}  # noqa: SLF001 (of its own class)
        return view

    @property
    def looks_at_once(self) -> int:
        """How many looks go well into one request, by how long the last ones took."""
        return self._batches.size.calls

    async def mind(self, credentials: Iterable[str]) -> None:
        """These failed before; see `Credentials.mind`."""
        await self._credentials.mind(credentials)

    async def mended(self) -> frozenset[str]:
        """Credentials that failed and are others by now; see `Credentials.mended`."""
        return await self._credentials.mended()

    async def look(self, looks: Sequence[Look]) -> list[Answered]:
        """The next page of each calendar, in the order asked. All of one project. A failure is its calendar's own."""
        outcomes = await self._send([_look_call(look) for look in looks])
        return [self._answered(outcome) for outcome in outcomes]

    async def family(self, calendar: Calendar, ical_uid: str, page_token: str | None = None) -> bytes:
        """A page of all events of one iCalUID, cancelled ones included: a series and its exceptions.

        As events.list gives it, without a sync token. Raises OutsideError or OperatorError.
        """
        (outcome,) = await self._send([_family_call(calendar, ical_uid, page_token)])
        body = self._body(outcome)
        if isinstance(body, bytes):
            return body
        raise body

    async def get(self, calendar: Calendar, event_id: str) -> bytes:
        """The event as it is now, cancelled ones included. Raises OutsideError or OperatorError."""
        whose = (calendar.credential, calendar.subject)
        request: Request = self._get(
            calendarId=_id(calendar.google_id),
            eventId=_id(event_id),
            path_params_safe_chars={"calendarId": "", "eventId": ""},
            prettyPrint="false",
            fields=EVENT_FIELDS,
            quotaUser=quota_user(calendar.google_id),
        )
        token = await self._credentials.access_token(*whose)
        call = Call("GET", "", whose, user=quota_user(calendar.google_id), tenant_id=calendar.key.tenant_id)
        if self._meter.crowded([call]):
            raise self._held()
        try:
            return await self._got(request, token, call)
        except TokenRefused:
            self._credentials.forget(*whose, token)
        return await self._got(request, await self._credentials.access_token(*whose), call)

    async def events(self, calendar: Calendar, event_ids: Sequence[str]) -> list[bytes | SyncerError]:
        """Events as they are now, cancelled ones included, in the order asked; of one that is not given, why."""
        outcomes = await self._send([_event_call(calendar, event_id) for event_id in event_ids])
        return [self._body(outcome) for outcome in outcomes]

    async def _got(self, request: Request, token: Secret, call: Call) -> bytes:
        request.headers["Authorization"] = bearer(token)
        async with metered(self._meter, [call]):
            body: bytes = await self._google.as_anon(request)  # type: ignore[no-untyped-call]
        return body

    async def _send(self, calls: Sequence[Call]) -> list[Outcome | SyncerError]:
        """What came of each call, in the order given. What its user or tenant has no room for is not sent."""
        crowded = self._meter.crowded(calls)
        if not crowded:
            return await self._authorized.send(calls, self._meter)
        let_out = [call for place, call in enumerate(calls) if place not in crowded]
        sent = iter(await self._authorized.send(let_out, self._meter)) if let_out else iter(())
        return [Lost(self._held(), is_shared=False) if place in crowded else next(sent) for place in range(len(calls))]

    def _held(self) -> Unsent:
        reason = "nothing was sent: the requests of this calendar, or of its tenant, are spent for this minute"
        return Unsent(self._host, 0, reason, retry_after_seconds=_HELD_SECONDS)

    async def patch(self, project_id: int, patch: Patch) -> bytes:
        """Changes an event; gives it as it is then. Tells no guest. One at a time to each of Google's calendars.

        Patches of one project that wait at the same moment go in one request. Raises Conflict when the event has
        changed, Unreachable when the outcome is unknown, other OutsideError, OperatorError.
        """
        writes = self._writes.get(project_id)
        if writes is None:
            writes = Together(self._patched, broken_off=self._broken_off, most=FIRST_CALLS, at_once=_PATCH_BATCHES)
            self._writes[project_id] = writes
        # By its name at Google, for several tenants may have the same one; `primary` is each subject's own.
        calendar = patch.calendar
        is_own = calendar.google_id == "primary"
        key = (project_id, calendar.google_id, (calendar.credential, calendar.subject) if is_own else None)
        turn = self._writing.get(key) or self._writing.setdefault(key, asyncio.Lock())
        async with turn:
            return await writes(_patch_call(patch, self._patch_weight))

    async def watch(self, calendar: Calendar, ask: Ask) -> Granted:
        """Has Google tell of a calendar's changes; gives the channel that is open then.

        Raises Unwatchable where it never will, SetUpWrong for an address that it does not take, Conflict for an id that
        was used before, Unreachable or Unreadable when the channel may be open all the same, other OutsideError.
        """
        place, user = _parts_of(calendar.google_id)
        whose = (calendar.credential, calendar.subject)
        call = channels.watch_call(place, user, whose, ask)
        (outcome,) = await self._send([structs.replace(call, tenant_id=calendar.key.tenant_id)])
        body = self._body(outcome)
        if not isinstance(body, bytes):
            raise body
        found = channels.granted(body)
        if found is None:
            raise Unreadable(self._host, 200, "a channel without its resource or its end")
        return found

    async def stop(self, channel_id: str, resource_id: str, whose: Whose) -> None:
        """Has a channel stopped. whose: whoever asked for it. Raises Missing when there is none, other OutsideError."""
        (outcome,) = await self._send([channels.stop_call(channel_id, resource_id, whose)])
        if isinstance(outcome, Answer) and channels.is_done(outcome.status):
            return
        body = self._body(outcome)
        if not isinstance(body, bytes):
            raise body

    def _broken_off(self) -> SyncerError:
        return Unreachable(self._host, 0, "the request was broken off")

    async def _patched(self, calls: Sequence[Call]) -> list[bytes | SyncerError]:
        outcomes = await self._send(calls)
        for place, outcome in enumerate(outcomes):
            if len(calls) > 1 and isinstance(outcome, Answer) and outcome.status == _IN_THE_WAY:
                (outcomes[place],) = await self._send([calls[place]])
        return [self._body(outcome) for outcome in outcomes]

    def _answered(self, outcome: Outcome | SyncerError) -> Answered:
        if isinstance(outcome, Answer) and outcome.headers is multipart.PLAIN:
            return Looked(outcome.body)
        body = self._body(outcome)
        if isinstance(body, bytes):
            return Looked(body)
        return Failed(body, is_shared=isinstance(outcome, Lost) and outcome.is_shared)

    def _body(self, outcome: Outcome | SyncerError) -> bytes | SyncerError:
        if isinstance(outcome, Answer):
            error = errors.error_of(self._host, outcome)
            if isinstance(error, Throttled) and error.reason == _TOO_FAST:
                self._meter.refused()
            return error or outcome.body
        return outcome.error if isinstance(outcome, Lost) else outcome


def quota_user(google_id: str) -> str:
    """Whom Google counts a request for: 40 characters at most, and no address. Source: discovery, `quotaUser`."""
    return hashlib.sha256(google_id.encode()).hexdigest()[:_QUOTA_USER]


def place_of(google_id: str) -> str:
    """A calendar's part of the path and query of events.list, as `Look` wants it. Raises Refused for an id of dots."""
    return f"{quote(_id(google_id), safe='')}/events?quotaUser={quota_user(google_id)}"


def look_at(calendar: Calendar, time_min: datetime | None) -> Look:
    """The look at a calendar from where its cursor stands. A full read is large, and goes alone."""
    cursor = calendar.cursor
    return Look(
        place=place_of(calendar.google_id),
        whose=(calendar.credential, calendar.subject),
        sync_token=cursor.sync_token,
        page_token=cursor.page_token,
        time_min=time_min if cursor.sync_token is None else None,
        is_alone=cursor.sync_token is None,
        tenant_id=calendar.key.tenant_id,
    )


def _look_call(look: Look) -> Call:
    path = f"calendar/v3/calendars/{look.place}&{_LIST}"
    if look.sync_token is not None:
        path += f"&syncToken={_query(look.sync_token)}"
    elif look.time_min is not None:
        path += f"&timeMin={look.time_min.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if look.page_token is not None:
        path += f"&pageToken={_query(look.page_token)}"
    return Call("GET", path, look.whose, None, None, look.is_alone, look.place[-_QUOTA_USER:], 1, look.tenant_id)


def _family_call(calendar: Calendar, ical_uid: str, page_token: str | None) -> Call:
    path = f"calendar/v3/calendars/{place_of(calendar.google_id)}&{_LIST}&showDeleted=true&iCalUID={_query(ical_uid)}"
    if page_token is not None:
        path += f"&pageToken={_query(page_token)}"
    whose, user = (calendar.credential, calendar.subject), quota_user(calendar.google_id)
    return Call("GET", path, whose, None, None, is_alone=True, user=user, tenant_id=calendar.key.tenant_id)


def _event_call(calendar: Calendar, event_id: str) -> Call:
    place, quota = _parts_of(calendar.google_id)
    path = f"calendar/v3/calendars/{place}/events/{_query(_id(event_id))}?quotaUser={quota}&prettyPrint=false"
    whose = (calendar.credential, calendar.subject)
    return Call("GET", f"{path}&fields={EVENT_FIELDS}", whose, user=quota, tenant_id=calendar.key.tenant_id)


def _patch_call(patch: Patch, weight: int) -> Call:
    if not _ETAG.fullmatch(patch.etag):
        raise Refused("Google", 0, "an etag holds characters that cannot be sent")
    calendar, quota = _parts_of(patch.calendar.google_id)
    place = f"{calendar}/events/{_query(_id(patch.event_id))}"
    return Call(
        method="PATCH",
        path=f"calendar/v3/calendars/{place}?quotaUser={quota}&{_PATCH}",
        whose=(patch.calendar.credential, patch.calendar.subject),
        etag=patch.etag,
        body=orjson.dumps(patch.body),
        user=quota,
        weight=weight,
        tenant_id=patch.calendar.key.tenant_id,
    )


@lru_cache(10_000)
def _parts_of(google_id: str) -> tuple[str, str]:
    """A calendar's part of a path, and whom Google counts requests for it for."""
    return quote(_id(google_id), safe=""), quota_user(google_id)


def _id(text: str) -> str:
    if text in ("", ".", ".."):
        raise Refused("Google", 0, "an id of dots would lead to another place")
    return text


def _query(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else quote(text, safe="")
