"""Watches a simulated Google at work: each answer, in batches too, is checked against Google's discovery document."""

from __future__ import annotations

from dataclasses import dataclass, field

from syncer.simulator.google.replies import Reply
from syncer.simulator.google.requests import Asked
from tests.simulator import discovery
from tests.simulator.discovery import Exchange

API = "/calendar/v3/"


@dataclass(slots=True)
class Watcher:
    """A witness for GoogleSimulator. wrong: sentences about what it saw. requests: whether it looks at those too."""

    requests: bool = False
    wrong: list[str] = field(default_factory=list)

    def __call__(self, asked: Asked, reply: Reply) -> None:
        """Look at a call and its answer."""
        path = asked.path.removeprefix(API)
        kind = reply.headers().get("Content-Type", "")
        exchange = Exchange(asked.verb, path, asked.query, asked.body, reply.status, kind, reply.body)
        self.wrong += discovery.calendar().wrong_in_answer(exchange)
        if self.requests:
            self.wrong += discovery.calendar().wrong_in_request(exchange)

    def check(self) -> None:
        """Fail if anything was wrong."""
        assert not self.wrong, "\n".join(["", *self.wrong])
