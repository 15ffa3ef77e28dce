"""One answer as bytes, and how it is written: as an HTTP answer of its own, or inside a batch's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import orjson

from syncer.simulator.google.refusals import Refusal

JSON_TYPE = "application/json; charset=UTF-8"
HTML_TYPE = "text/html; charset=UTF-8"
HTML_ERROR = (
    b"<!DOCTYPE html><html><title>Error 502 (Server Error)!!1</title><p>The server encountered an error.</html>"
)
# As captured on a real answer of the API.
SINGLE_HEADERS = {
    "Cache-Control": "no-cache, no-store, max-age=0, must-revalidate",
    "Pragma": "no-cache",
    "Expires": "Mon, 01 Jan 1990 00:00:00 GMT",
    "Vary": "Origin, X-Origin, Referer",
}
BODILESS = (204, 304)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as bytes. more: further headers."""

    status: int
    body: bytes
    content_type: str = JSON_TYPE
    etag: str = ""
    more: Mapping[str, str] = field(default_factory=dict)

    def headers(self) -> dict[str, str]:
        """Its own headers, without those that only an answer of its own carries."""
        headers = {} if self.status in BODILESS else {"Content-Type": self.content_type}
        if self.etag:
            headers["ETag"] = self.etag
        return headers | dict(self.more)


def refused(refusal: Refusal) -> Reply:
    """Google's error answer."""
    return Reply(refusal.status, orjson.dumps(refusal.body()), more=refusal.headers)


def html_error() -> Reply:
    """What a front end in trouble answers."""
    return Reply(502, HTML_ERROR, HTML_TYPE)


def as_part(reply: Reply) -> bytes:
    """The answer as the body of an `application/http` part."""
    head = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
    headers = reply.headers() | ({} if reply.status in BODILESS else {"Content-Length": str(len(reply.body))})
    head += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*head, "", ""]).encode() + reply.body
