"""Both simulators as processes of their own, people who use them, and what a tenant needs to reach them."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from syncer.simulator import addon
from tests.cli.process import started

_SECONDS = 10.0
_PATIENCE_SECONDS = 30.0
_TIMES = {"start": {"dateTime": "2099-12-02T10:00:00Z"}, "end": {"dateTime": "2099-12-02T10:30:00Z"}}
# Faults strike nobody who says so.
_PEOPLE = {"X-Simulator-People": "1"}


@dataclass(frozen=True, slots=True)
class Outside:
    """The roots of both simulators, and a service account's key for `tenant-a.test`."""

    google: str
    conferencing: str
    key: dict[str, Any]

    def person(self, address: str) -> "Person":
        """A user of Google's, with a calendar."""
        tell(f"{self.google}simulator/calendars", {"id": address})
        grant = tell(f"{self.google}simulator/users", {"email": address})
        form = {name: grant[name] for name in ("client_id", "client_secret", "refresh_token")}
        answer = _sent(f"{self.google}token", urlencode({"grant_type": "refresh_token", **form}).encode())
        return Person(self, address, {"Authorization": f"Bearer {answer['access_token']}", **_PEOPLE})


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who edits their own calendar."""

    outside: Outside
    address: str
    headers: dict[str, str]

    def book(self, account: dict[str, Any], title: str) -> tuple[str, str]:
        """An event of that title with a new meeting; gives the event's and the meeting's id."""
        times = {"start": "2099-12-02T10:00:00Z", "end": "2099-12-02T10:30:00Z"}
        bearer = {"Authorization": f"Bearer {account['api_token']}"}
        meeting = tell(f"{self.outside.conferencing}v1/meetings", {"title": "New", **times}, headers=bearer)
        body = {"summary": title, **_TIMES, "conferenceData": addon.conference_of(meeting, solution="Example Meeting")}
        headers = self.headers | {"X-Simulator-Add-On": "Example Meeting"}
        event = tell(f"{self._events}?conferenceDataVersion=1", body, headers=headers)
        return event["id"], meeting["id"]

    def edit(self, event_id: str, **fields: Any) -> None:
        """Changes fields of an event."""
        tell(f"{self._events}/{event_id}", fields, headers=self.headers, method="PATCH")

    def delete(self, event_id: str) -> None:
        """Deletes an event."""
        _sent(f"{self._events}/{event_id}", None, headers=self.headers, method="DELETE")

    @property
    def _events(self) -> str:
        return f"{self.outside.google}calendar/v3/calendars/{self.address}/events"


@contextmanager
def both(*addresses: str) -> Iterator[Outside]:
    """Both simulators, with these people's calendars."""
    with ExitStack() as stack:
        processes = [stack.enter_context(started("simulate", noun)) for noun in ("google", "conferencing")]
        google, conferencing = [
            process.stdout.readline().strip() for process in processes if process.stdout is not None
        ]
        for address in addresses:
            tell(f"{google}simulator/calendars", {"id": address, "owner": address})
        key = tell(f"{google}simulator/service-accounts", {"domains": ["tenant-a.test"]})
        yield Outside(google, conferencing, key)


def meeting(outside: Outside, account: dict[str, Any], meeting_id: str) -> Any:
    """A meeting as the vendor's users see it."""
    headers = {"Authorization": f"Bearer {account['api_token']}"}
    return _sent(f"{outside.conferencing}v1/meetings/{meeting_id}", None, headers=headers)


def until(holds: Callable[[], bool]) -> None:
    """Asks until it holds; fails when that takes too long."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "It has not come about."
        time.sleep(0.05)


def tell(url: str, body: dict[str, Any], *, headers: dict[str, str] | None = None, method: str = "POST") -> Any:
    """The answer to a request with this JSON."""
    typed = {"Content-Type": "application/json"} | (headers or {})
    return _sent(url, json.dumps(body).encode(), headers=typed, method=method)


def _sent(url: str, body: bytes | None, *, headers: dict[str, str] | None = None, method: str | None = None) -> Any:
    request = Request(url, body, headers or {}, method=method)  # noqa: S310
    # Past any proxy of the machine's.
    with build_opener(ProxyHandler({})).open(request, timeout=_SECONDS) as answer:
        return json.loads(answer.read() or b"null")
