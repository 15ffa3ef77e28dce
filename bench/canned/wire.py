"""HTTP/1.1 by hand: as little as the clients that are measured need, on an asyncio protocol.

Source of the batch's shapes: Calendar API, "Sending Batch Requests".
"""

import asyncio
import re
from typing import cast

import orjson

from bench.canned import names
from bench.canned.names import Looks
from bench.canned.town import Town

_CALENDARS = names.PREFIX.encode()
_BOUNDARY = b"batch_9cVtP3mHfQ0"
# What Google sends with an answer of the Calendar API.
_HEADERS = (
    b"Content-Type: application/json; charset=UTF-8\r\n"
    b"Vary: Origin\r\nVary: X-Origin\r\nVary: Referer\r\n"
    b"Date: Sun, 22 Nov 2026 18:00:00 GMT\r\n"
    b"Expires: Sun, 22 Nov 2026 18:00:00 GMT\r\n"
    b"Cache-Control: private, max-age=0, must-revalidate, no-transform\r\n"
    b'ETag: "p33k9f2m1o2nqe0o"\r\n'
    b"Server: ESF\r\nX-XSS-Protection: 0\r\nX-Frame-Options: SAMEORIGIN\r\nX-Content-Type-Options: nosniff\r\n"
    b'Alt-Svc: h3=":443"; ma=2592000,h3-29=":443"; ma=2592000\r\n'
)
_PART_HEADERS = (
    b"Content-Type: application/json; charset=UTF-8\r\n"
    b"Date: Sun, 22 Nov 2026 18:00:00 GMT\r\n"
    b"Expires: Sun, 22 Nov 2026 18:00:00 GMT\r\n"
    b"Cache-Control: private, max-age=0\r\n"
    b'ETag: "p33k9f2m1o2nqe0o"\r\n'
)
_REASONS = {
    200: b"OK",
    400: b"Bad Request",
    401: b"Unauthorized",
    404: b"Not Found",
    412: b"Precondition Failed",
}
_IF_MATCH = re.compile(rb"\r\nif-match: *([^\r]+)\r", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_IN_BATCH = re.compile(rb"boundary=\"?([^\";\r]+)", re.IGNORECASE)

_PART_STARTS = b"--%b\r\nContent-Type: application/http\r\nContent-ID: <response-" % _BOUNDARY

Answer = tuple[int, bytes]


class Connection(asyncio.Protocol):
    """One caller's connection: requests in, answers out, in order."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._unread = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        unread = self._unread + data if self._unread else data
        answers: list[bytes] = []
        while (head_ends := unread.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(unread, 0, head_ends + 2)
            ends = head_ends + 4 + (int(length[1]) if length else 0)
            if len(unread) < ends:
                break
            answers.append(self._answer(unread[: head_ends + 2], unread[head_ends + 4 : ends]))
            unread = unread[ends:]
        self._unread = unread
        if answers and self._transport is not None:
            self._transport.write(b"".join(answers))

    def _answer(self, head: bytes, body: bytes) -> bytes:
        method, target, _ = head.split(b" ", 2)
        if target.startswith(_CALENDARS):
            return _whole(*self._calendar(method, target, head, body))
        if target.startswith(b"/batch/calendar/v3"):
            return self._batch(head, body)
        if target == b"/token":
            return _whole(200, self._town.token())
        if target == b"/hooks/hangs":
            return b""
        if target == b"/hooks/calendar":
            answer = self._town.webhook(body)
            return b"" if self._town.is_silent else _whole(200, answer)
        return _whole(*self._control(method, target, body))

    def _calendar(self, method: bytes, target: bytes, head: bytes, body: bytes) -> Answer:
        if b"uthorization: Bearer " not in head:
            self._town.counts.refused += 1
            return 401, b'{"error":{"code":401,"message":"Login Required."}}'
        path = target.partition(b"?")[0]
        if method == b"GET":
            return 200, self._town.look(target) if path.endswith(b"/events") else self._town.event(target)
        if method == b"PATCH":
            condition = _IF_MATCH.search(head)
            patched = self._town.patch(target, condition[1] if condition else None, body)
            return (
                (412, b'{"error":{"code":412,"message":"Precondition Failed"}}') if patched is None else (200, patched)
            )
        self._town.counts.refused += 1
        return 404, b'{"error":{"code":404,"message":"Not Found"}}'

    def _batch(self, head: bytes, body: bytes) -> bytes:
        said = _IN_BATCH.search(head)
        if said is None:
            self._town.counts.refused += 1
            return _whole(400, b'{"error":{"code":400,"message":"Bad Request"}}')
        self._town.counts.batches += 1
        parts = body.split(b"--" + said[1])[1:-1]
        answered = [self._part(part) for part in parts]
        answered.append(b"--%b--\r\n" % _BOUNDARY)
        return _whole(200, b"".join(answered), kind=b"multipart/mixed; boundary=" + _BOUNDARY)

    def _part(self, part: bytes) -> bytes:
        named = part[part.find(b"<") + 1 : part.find(b">")]
        if self._town.looks is Looks.QUIET and _is_ordinary(part):
            body, status = self._town.look(part), 200
        else:
            head, _, sent = part[part.find(b"\r\n\r\n") + 4 :].partition(b"\r\n\r\n")
            method, target, _ = head.split(b" ", 2)
            status, body = self._calendar(method, target, head + b"\r\n", sent)
        return b"%b%b>\r\n\r\n%b" % (_PART_STARTS, named, self._rendered(status, body))

    def _rendered(self, status: int, body: bytes) -> bytes:
        """A part from its status line on. Quiet ones are the same for many calendars, so they are kept."""
        known = self._town.rendered.get(body)
        if known is not None:
            return known
        length = b"Content-Length: %d" % len(body)
        made = b"HTTP/1.1 %d %b\r\n%b%b\r\n\r\n%b\r\n" % (status, _REASONS[status], _PART_HEADERS, length, body)
        if self._town.looks is Looks.QUIET:
            self._town.rendered[body] = made
        return made

    def _control(self, method: bytes, target: bytes, body: bytes) -> Answer:
        if target == b"/bench" and method == b"PUT":
            self._town.set(orjson.loads(body))
            return 200, b"{}"
        if target == b"/bench":
            return 200, orjson.dumps(self._town.told())
        self._town.counts.refused += 1
        return 404, b'{"error":{"code":404,"message":"Not Found"}}'


def _is_ordinary(part: bytes) -> bool:
    """A look from where a sync token stands, by somebody with a token: what nearly all parts are."""
    return (
        b"\r\n\r\nGET " + _CALENDARS in part
        and b"/events?" in part
        and b"syncToken=" in part
        and b"uthorization: Bearer " in part
    )


def _whole(status: int, body: bytes, *, kind: bytes | None = None) -> bytes:
    headers = _HEADERS if kind is None else b"Content-Type: %b\r\nVary: Origin\r\nServer: ESF\r\n" % kind
    return b"HTTP/1.1 %d %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status, _REASONS[status], headers, len(body), body)
