"""Batches as a client writes and reads them, by hand: so that every byte of them can be chosen."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson

from tests.simulator.google_stage import Reply, Stage

PATH = "batch/calendar/v3"


@dataclass(frozen=True, slots=True)
class Inner:
    """The answer to one part."""

    content_id: str
    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def reason(self) -> str:
        """The reason in Google's error envelope."""
        return str(self.body["error"]["errors"][0]["reason"])


def call(verb: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None, **query: Any) -> bytes:
    """An inner request, its lines ending in CRLF. path: after `calendar/v3/`."""
    target = f"/calendar/v3/{path}" + (f"?{urlencode(query)}" if query else "")
    lines = [f"{verb} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if body is None else orjson.dumps(body))


def written(calls: Sequence[bytes], *, boundary: str = "b_01", ids: bool = True) -> bytes:
    """A batch's body; its parts are numbered from 1."""
    parts = []
    for number, inner in enumerate(calls, 1):
        mark = f"Content-ID: <{number}>\r\n" if ids else ""
        parts.append(f"--{boundary}\r\nContent-Type: application/http\r\n{mark}\r\n".encode() + inner + b"\r\n")
    return b"".join([*parts, f"--{boundary}--\r\n".encode()])


async def send(
    stage: Stage,
    body: bytes | Sequence[bytes],
    *,
    user: str | None = None,
    headers: Mapping[str, str] | None = None,
    content_type: str = "multipart/mixed; boundary=b_01",
    **query: Any,
) -> Reply:
    """The outer answer. body: the calls, or the bytes as they are. user: whose token the batch itself carries."""
    token = {} if user is None else {"Authorization": f"Bearer {await stage.token(user)}"}
    sent = {"Content-Type": content_type, **token, **(headers or {})}
    whole = body if isinstance(body, bytes) else written(body)
    return await stage.request("POST", PATH, whole, headers=sent, params=query)


def read(reply: Reply) -> list[Inner]:
    """The inner answers, in the order in which they came."""
    assert reply.status == 200, reply.body
    found = re.fullmatch(r"multipart/mixed; boundary=(\S+)", reply.headers["Content-Type"])
    assert found is not None
    chunks = reply.body.split(f"--{found[1]}".encode())
    assert chunks[0] == b""
    assert chunks[-1] == b"--\r\n"
    return [_inner(chunk) for chunk in chunks[1:-1]]


def _inner(chunk: bytes) -> Inner:
    marks, head, body = chunk.removesuffix(b"\r\n").split(b"\r\n\r\n", 2)
    part = _headers(marks.decode().splitlines())
    assert part["Content-Type"] == "application/http"
    status, *lines = head.decode().splitlines()
    headers = _headers(lines)
    is_json = headers.get("Content-Type", "").startswith("application/json")
    return Inner(part.get("Content-ID", ""), int(status.split()[1]), headers, orjson.loads(body) if is_json else body)


def _headers(lines: Sequence[str]) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in lines if line)
