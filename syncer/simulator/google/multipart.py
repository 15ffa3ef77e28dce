"""Reads and writes `multipart/mixed` bodies of `application/http` parts; knows bytes, no calendar.

Source: Calendar API, "Batch requests"; RFC 2046, 5.1. Lines may end in CRLF or in LF alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import Message
from itertools import pairwise

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_LINE_END = re.compile(rb"\r?\n")
_VERB = re.compile(r"[A-Z]{3,10}")


class Malformed(Exception):
    """A batch that cannot be read; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Part:
    """One inner request. content_id: as sent, empty without one. headers: by name in lower case. target: as sent."""

    content_id: str
    verb: str
    target: str
    headers: dict[str, str]
    body: bytes


def boundary_of(content_type: str) -> str:
    """The boundary that a Content-Type header names, quoted or not. Raises Malformed."""
    message = Message()
    message["Content-Type"] = content_type
    boundary = message.get_boundary()
    if message.get_content_type() != "multipart/mixed" or not boundary:
        raise Malformed("the Content-Type is not multipart/mixed with a boundary")
    return boundary


def split(body: bytes, boundary: str) -> list[Part]:
    """The inner requests, in order. Raises Malformed."""
    delimiter = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary.encode()) + rb"(--)?[ \t]*(?=\r?\n|\Z)")
    marks = list(delimiter.finditer(body))
    closing = next((number for number, mark in enumerate(marks) if mark[1]), None)
    if closing is None:
        raise Malformed("the closing boundary is missing")
    blobs = [body[mark.end() : after.start()] for mark, after in pairwise(marks[: closing + 1])]
    # The line end behind a boundary is the boundary's.
    return [_part(blob[_first_line_end(blob) :]) for blob in blobs]


def _first_line_end(blob: bytes) -> int:
    match = _LINE_END.match(blob)
    return match.end() if match else 0


def _part(blob: bytes) -> Part:
    marks, request = _head_and_body(blob)
    if marks.get("content-type", "").partition(";")[0].strip().lower() != "application/http":
        raise Malformed("a part is not of the type application/http")
    line, _, rest = request.lstrip(b"\r\n").partition(b"\n")
    verb, target = _request_line(line)
    headers, body = _head_and_body(rest)
    return Part(marks.get("content-id", ""), verb, target, headers, _cut(body, headers.get("content-length")))


def _request_line(line: bytes) -> tuple[str, str]:
    words = line.decode("latin-1").split()
    if len(words) not in (2, 3) or not _VERB.fullmatch(words[0]) or not words[-1].startswith(("HTTP/", "/")):
        raise Malformed("a part does not begin with a verb and a path")
    if not words[1].startswith("/") or words[1].startswith("//"):
        raise Malformed("a part names a host; it may give a path only")
    return words[0], words[1]


def _head_and_body(blob: bytes) -> tuple[dict[str, str], bytes]:
    if blob.startswith((b"\r\n", b"\n")):
        return {}, blob[_first_line_end(blob) :]
    end = _HEAD_END.search(blob)
    head, body = (blob[: end.start()], blob[end.end() :]) if end else (blob, b"")
    headers: dict[str, str] = {}
    name = ""
    for line in head.decode("latin-1").splitlines():
        if name and line[:1] in " \t":
            headers[name] += f" {line.strip()}"
        elif line:
            name, colon, value = line.partition(":")
            name = name.strip().lower()
            if not colon or not name:
                raise Malformed("a header has no colon")
            headers[name] = value.strip()
    return headers, body


def _cut(body: bytes, length: str | None) -> bytes:
    if length is None:
        return body
    if not (length.isascii() and length.isdigit()) or int(length) > len(body):
        raise Malformed("a part is shorter than its Content-Length")
    return body[: int(length)]


def joined(boundary: str, parts: Sequence[tuple[str, bytes]]) -> bytes:
    """The body of an answer. parts: the Content-ID, empty for none, and the inner answer of each."""
    lines = []
    for content_id, inner in parts:
        mark = f"Content-ID: {content_id}\r\n" if content_id else ""
        lines.append(f"--{boundary}\r\nContent-Type: application/http\r\n{mark}\r\n".encode() + inner + b"\r\n")
    return b"".join([*lines, f"--{boundary}--\r\n".encode()])


def response_id(content_id: str) -> str:
    """The Content-ID of the answer to a part: `<x>` becomes `<response-x>`."""
    if content_id.startswith("<"):
        return f"<response-{content_id[1:]}"
    return f"response-{content_id}" if content_id else ""
