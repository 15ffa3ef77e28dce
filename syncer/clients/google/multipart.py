"""Several calls in one body and their answers out of one, by bytes operations. Knows no network and no calendar.

Source: Calendar API, "Send batch requests"; RFC 2046, 5.1; RFC 9112.
"""

import re
from collections.abc import Sequence

from syncer.clients.http import Answer

_END = b"\r\n"
_BLANK = b"\r\n\r\n"
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d)\b")
_BOUNDARY = re.compile(
    r"multipart/mixed\s*;(?:.*;)?\s*boundary=(?:\"([^\"\r\n]{1,200})\"|([^\s;\"]{1,200}))", re.IGNORECASE
)
_LENGTH = re.compile(rb"(?i)\ncontent-length:\s*(\d+)")
_PART_TYPE = b"Content-Type: application/http\r\nContent-ID: <"
_GOOD, _JSON_TYPE = b"HTTP/1.1 200 ", b"application/json"
# The headers of a 200 with JSON, the same for all of them.
PLAIN = {"content-type": "application/json"}


class Mangled(Exception):
    """A body that is not the answers to what was asked: none of it may be used. The message says why, in our words."""


def content_type(nonce: str) -> str:
    """The Content-Type of a body that `joined` makes."""
    return f"multipart/mixed; boundary={nonce}"


def joined(calls: Sequence[bytes], nonce: str) -> bytes:
    """One body of several calls, each a whole HTTP request with its path only.

    nonce: fresh for each body, of letters and digits; it is the boundary, and part of each call's Content-ID.
    """
    opening = b"--" + nonce.encode() + _END + _PART_TYPE + nonce.encode() + b"-"
    pieces: list[bytes] = []
    for number, call in enumerate(calls):
        pieces += (opening, b"%d>\r\n\r\n" % number, call, _END)
    pieces += (b"--", nonce.encode(), b"--", _END)
    return b"".join(pieces)


def cut(answer: Answer, nonce: str, count: int) -> list[Answer]:
    """The answers to the calls of a body, in the order asked.

    Raises Mangled unless each call has exactly one answer, whole, at its place and under its Content-ID.
    """
    named = _BOUNDARY.match(answer.headers.get("content-type", ""))
    if named is None:
        raise Mangled("with something that is no batch of answers")
    boundary = b"--" + (named[1] or named[2]).encode()
    before, *parts = (_END + answer.body).split(_END + boundary)
    if len(parts) != count + 1 or before.strip() or not parts[-1].startswith(b"--"):
        raise Mangled("with fewer or more answers than it was asked for, or with a part cut off")
    marks = (f"<response-{nonce}-{number}>".encode() for number in range(count))
    return [_one(part, mark) for part, mark in zip(parts, marks, strict=False)]


def _one(part: bytes, mark: bytes) -> Answer:
    marks, _, rest = part.partition(_BLANK)
    if mark not in marks:
        raise Mangled("with answers that do not name the calls that they are for")
    head, blank, body = rest.partition(_BLANK)
    if not blank:
        raise Mangled("with a part that is not an HTTP answer")
    length = _length(head)
    if length != len(body):
        if length > len(body):
            raise Mangled("with a part cut off")
        body = body[:length] if length >= 0 else body
    # Nearly all answers are like this, and nothing else of their headers matters.
    if head.startswith(_GOOD) and _JSON_TYPE in head:
        return Answer(200, PLAIN, body)
    status = _STATUS.match(head)
    if status is None:
        raise Mangled("with a part that is not an HTTP answer")
    return Answer(int(status[1]), _headers(head), body)


def _length(head: bytes) -> int:
    """The Content-Length that a part's answer names, -1 for none."""
    at = head.find(b"Content-Length:")
    if at < 0:
        named = _LENGTH.search(head)
        return int(named[1]) if named else -1
    digits = head[at + 15 :].split(_END, 1)[0].strip()
    return int(digits) if digits.isdigit() else -1


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
