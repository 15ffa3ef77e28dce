"""One call as it arrived, alone or as part of a batch: what is asked, under which headers, with which body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from aiohttp import web

from syncer.simulator.google.diary import Note

OVERRIDE = "x-http-method-override"


@dataclass(frozen=True, slots=True)
class Asked:
    """A call.

    path: as sent, percent-encoded. query: values by name, in order. headers: by name in lower case; they hold a
    token. batch: the batch's number when it is a part of one, else None.
    """

    verb: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    batch: int | None = None

    @property
    def is_from_people(self) -> bool:
        """Whether faults and quotas leave this call alone."""
        return self.headers.get("x-simulator-people") == "1"

    @property
    def takes_gzip(self) -> bool:
        """Whether the answer may be compressed: both headers must say so.

        Source: Calendar API, "Improve performance: using gzip".
        """
        return all("gzip" in self.headers.get(name, "").lower() for name in ("accept-encoding", "user-agent"))

    def note(self) -> Note:
        """A fresh diary note of this call."""
        query = {name: found[0] if len(found) == 1 else found for name, found in self.query.items()}
        note = Note(self.verb, unquote(self.path), query, actor="people" if self.is_from_people else "client")
        if self.verb != "GET":
            note.marks["if_match"] = "if-match" in self.headers
        if self.batch is not None:
            note.marks["batch"] = self.batch
        return note


def of_http(request: web.Request, body: bytes) -> Asked:
    """A call that came as an HTTP request of its own."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    verb = headers.get(OVERRIDE, "POST").upper() if request.method == "POST" else request.method
    query = {name: request.query.getall(name) for name in request.query}
    return Asked(verb, request.rel_url.raw_path, query, headers, body)


def query_of(target: str) -> tuple[str, dict[str, list[str]]]:
    """Path and query of a request line's target."""
    parts = urlsplit(target)
    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        values.setdefault(name, []).append(value)
    return parts.path, values
