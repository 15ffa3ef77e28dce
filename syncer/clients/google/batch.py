"""Google's batch endpoint: many calls in one request, and single ones where it cannot be had.

What fails as a whole is nobody's answer: no part of it is used. Where the endpoint is missing or will not take several
credentials at a time, calls go by subject, then one by one, and batches are tried again after an hour.
Source: Calendar API, "Send batch requests".
"""

import asyncio
import secrets
from collections.abc import Sequence
from enum import IntEnum

import structlog

from syncer.clients.google import errors, multipart
from syncer.clients.google.metering import UNMETERED, Meter, metered
from syncer.clients.http import Answer, Http, Limits, TooLarge
from syncer.clients.secret import Secret
from syncer.model.calendar import Value
from syncer.model.errors import AccessDenied, OutsideError, Remedy, TokenRefused, Unreadable

log = structlog.get_logger()

PATH = "batch/calendar/v3"
# Google's own advice for a first batch, and what it documents as the most. Source: as above; Gmail API, the same page.
FIRST_CALLS, MOST_CALLS = 50, 1000
_AIM_SECONDS = 1.0
_AGAIN_SECONDS = 3600.0
_FORGIVEN_AFTER = 500
_NO_ENDPOINT = frozenset({404, 405, 501})
_TOO_MUCH = frozenset({400, 413})
# What may be said of all calls of a batch alike: again, later, or on the next day.
_OF_ALL = frozenset({Remedy.AGAIN, Remedy.WAIT, Remedy.STOP})


Whose = tuple[str, str | None]


class Call(Value, frozen=True):
    """One request, but for its token.

    path: below the root, percent-encoded, query and all. whose: credential and subject, for the token. is_alone: in no
    batch. user: whom Google counts it for. weight: how many requests it counts as. tenant_id: whose it is, 0 for
    nobody's.
    """

    method: str
    path: str
    whose: Whose
    etag: str | None = None
    body: bytes | None = None
    is_alone: bool = False
    user: str = ""
    weight: int = 1
    tenant_id: int = 0


class Lost(Value, frozen=True):
    """No answer to a call. is_shared: it was lost with the batch that it was in, so it says nothing of the call."""

    error: OutsideError
    is_shared: bool


Ready = tuple[Call, Secret]
Outcome = Answer | Lost


class Size:
    """How many calls go into a batch: as many as are answered in about a second.

    most: never more than these; 1 for no batches at all.
    """

    def __init__(self, most: int) -> None:
        self._most = self._taken = most
        self._refused_ago = 0
        self.calls = min(FIRST_CALLS, most)

    def answered(self, calls: int, seconds: float) -> None:
        """A batch of so many was answered after that time: fewer when it was slow, more when it was quick and full.

        A small one says nothing of how long a full one takes.
        """
        self._refused_ago += 1
        if self._refused_ago > _FORGIVEN_AFTER:
            self._taken = self._most
        if seconds > _AIM_SECONDS and calls > self.calls // 2:
            self._keep(int(calls * _AIM_SECONDS / seconds))
        elif seconds < _AIM_SECONDS / 2 and calls >= self.calls:
            self._keep(self.calls + max(1, self.calls // 4))

    def refused(self, calls: int) -> None:
        """So many are too many, for a good while."""
        self._taken, self._refused_ago = calls // 2, 0
        self._keep(self.calls)

    def _keep(self, calls: int) -> None:
        # Two at least: from single calls there would be no way back.
        self.calls = min(self._most, max(2, min(calls, self._taken)))


class _Way(IntEnum):
    MIXED = 0
    BY_SUBJECT = 1
    SINGLE = 2


class _Unfit(Exception):
    """The endpoint does not take a batch like this one. way: what to do instead. is_missing: it takes none at all."""

    def __init__(self, way: _Way, error: OutsideError, *, is_missing: bool = False) -> None:
        super().__init__()
        self.way = way
        self.error = error
        self.is_missing = is_missing


class _TooMuch(Exception):
    """The batch, or the answer to it, is larger than one of the two ends takes."""


class Batches:
    """Sends calls to one API root.

    root: with its last slash. most: calls in one batch. at_once: requests under way at a time, over all callers.
    """

    def __init__(self, http: Http, limits: Limits, *, root: str, most: int = FIRST_CALLS, at_once: int = 50) -> None:
        self._http = http
        self._limits = limits
        self._root = root
        self._host = errors.host_of(root)
        self._turns = asyncio.Semaphore(at_once)
        self._way = _Way.MIXED
        self._way_until = 0.0
        self._works_by_subject = False
        self.size = Size(most)

    async def send(self, calls: Sequence[Ready], meter: Meter = UNMETERED) -> list[Outcome]:
        """What came of each call, in the order given. The calls must not depend on each other.

        meter: lets each request out, those that are sent again too.
        """
        groups = self._groups(calls, meter)
        if len(groups) == 1:
            return await self._send(calls, meter)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._send([calls[place] for place in places], meter)) for places in groups]
        found: dict[int, Outcome] = {}
        for places, task in zip(groups, tasks, strict=True):
            found.update(zip(places, task.result(), strict=True))
        return [found[place] for place in range(len(calls))]

    def _groups(self, calls: Sequence[Ready], meter: Meter) -> list[Sequence[int]]:
        """The places of the calls that go together."""
        way, size = self._current_way(), self._size(calls, meter)
        if way is _Way.MIXED and len(calls) <= size and not any(call.is_alone for call, _ in calls):
            return [range(len(calls))]
        together: dict[object, list[int]] = {}
        for place, (call, _) in enumerate(calls):
            if call.is_alone or way is _Way.SINGLE:
                together[place] = [place]
            else:
                together.setdefault(call.whose if way is _Way.BY_SUBJECT else None, []).append(place)
        return [places[at : at + size] for places in together.values() for at in range(0, len(places), size)]

    def _size(self, calls: Sequence[Ready], meter: Meter) -> int:
        heaviest = max((call.weight for call, _ in calls), default=1)
        return max(1, min(self.size.calls, meter.most() // heaviest))

    async def _send(self, calls: Sequence[Ready], meter: Meter) -> list[Outcome]:
        if len(calls) == 1:
            return [await self._alone(*calls[0], meter)]
        try:
            return await self._together(calls, meter)
        except _Unfit as unfit:
            self._step_down(unfit)
            size = 1 if unfit.way is _Way.SINGLE else len(calls)
        except _TooMuch:
            self.size.refused(len(calls))
            size = len(calls) // 2
        return await self._in_parts(calls, size, meter)

    async def _in_parts(self, calls: Sequence[Ready], size: int, meter: Meter) -> list[Outcome]:
        """Sends them again, never in as large a batch: what is refused whatever its size comes to an end so."""
        if size == len(calls):
            return await self.send(calls, meter)
        parts = [await self._send(calls[at : at + size], meter) for at in range(0, len(calls), size)]
        return [outcome for part in parts for outcome in part]

    async def _alone(self, call: Call, token: Secret, meter: Meter) -> Outcome:
        headers: dict[str, str | Secret] = {"Authorization": bearer(token)}
        if call.etag is not None:
            headers["If-Match"] = call.etag
        if call.body is not None:
            headers["Content-Type"] = "application/json"
        try:
            async with metered(meter, [call]), self._turns:
                return await self._http.send(
                    call.method, self._root + call.path, headers=headers, body=call.body, limits=self._limits
                )
        except OutsideError as error:
            return Lost(error, is_shared=False)

    async def _together(self, calls: Sequence[Ready], meter: Meter) -> list[Outcome]:
        nonce, way = secrets.token_hex(8), self._way
        headers: dict[str, str | Secret] = {"Content-Type": multipart.content_type(nonce)}
        if way is _Way.BY_SUBJECT:
            headers["Authorization"] = bearer(calls[0][1])
        body = multipart.joined([_written(call, token) for call, token in calls], nonce)
        try:
            async with metered(meter, [call for call, _ in calls]), self._turns:
                # From here on: how long it waited for its turn says nothing of how large it may be.
                began = asyncio.get_running_loop().time()
                answer = await self._http.send(
                    "POST", self._root + PATH, headers=headers, body=body, limits=self._limits
                )
            outcomes = self._cut(answer, nonce, len(calls), way)
        except TooLarge:
            raise _TooMuch from None
        except OutsideError as error:
            return [Lost(_nobodys(error), is_shared=True)] * len(calls)
        self._works_by_subject = self._works_by_subject or way is _Way.BY_SUBJECT
        self.size.answered(len(calls), asyncio.get_running_loop().time() - began)
        return outcomes

    def _cut(self, answer: Answer, nonce: str, count: int, way: _Way) -> list[Outcome]:
        error = errors.error_of(self._host, answer) if answer.status != 200 else None
        if isinstance(error, TokenRefused) and way is _Way.BY_SUBJECT:
            # They all went under one token, which is to be renewed.
            return [answer] * count
        if error is not None:
            raise _unfit(answer.status, error, way)
        try:
            return list(multipart.cut(answer, nonce, count))
        except multipart.Mangled as mangled:
            raise Unreadable(self._host, 200, str(mangled)) from None

    def _current_way(self) -> _Way:
        if self._way is not _Way.MIXED and asyncio.get_running_loop().time() >= self._way_until:
            self._way = _Way.MIXED
            log.info("batches are tried again")
        return self._way

    def _step_down(self, unfit: _Unfit) -> None:
        if unfit.way is _Way.SINGLE and self._works_by_subject and not unfit.is_missing:
            return  # this subject's batch was refused, and others' are taken
        if unfit.way > self._way:
            self._works_by_subject = False
            self._way, self._way_until = unfit.way, asyncio.get_running_loop().time() + _AGAIN_SECONDS
            instead = "by subject" if unfit.way is _Way.BY_SUBJECT else "one by one"
            # Without the advice that a single call would come with: it is about a calendar.
            status, reason = unfit.error.status, unfit.error.reason
            log.warning("batches are refused", reason=f"{status} {reason}", instead=instead, seconds=_AGAIN_SECONDS)


def _unfit(status: int, error: OutsideError, way: _Way) -> Exception:
    """What a refusal of a whole batch means, if not what it would mean for any request. way: how it went.

    Several are under way at a time: one step down from how this one went, however many say so.
    """
    if status in _NO_ENDPOINT:
        return _Unfit(_Way.SINGLE, error, is_missing=True)
    if isinstance(error, TokenRefused | AccessDenied):
        return _Unfit(_Way.BY_SUBJECT if way is _Way.MIXED else _Way.SINGLE, error)
    return _TooMuch() if status in _TOO_MUCH else error


def _nobodys(error: OutsideError) -> OutsideError:
    """What is said of a whole batch is said of none of its calls: none is parked, read anew or decided again for it."""
    if error.remedy in _OF_ALL:
        return error
    return Unreadable(error.host, error.status, error.reason, advice=error.advice)


def bearer(token: Secret) -> Secret:
    """The Authorization header for a token."""
    return Secret(f"Bearer {token.reveal()}")


def _written(call: Call, token: Secret) -> bytes:
    """A call as it stands in a batch: with its path only, and its own token."""
    lines = f"{call.method} /{call.path} HTTP/1.1\r\nAuthorization: Bearer {token.reveal()}\r\n"
    if call.etag is not None:
        lines += f"If-Match: {call.etag}\r\n"
    if call.body is None:
        return f"{lines}\r\n".encode()
    lines += f"Content-Type: application/json\r\nContent-Length: {len(call.body)}\r\n\r\n"
    return lines.encode() + call.body
