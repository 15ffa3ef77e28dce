"""What the canned Google knows: what looks find, how far each calendar has changed, and what was counted."""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import orjson

from bench.canned import bodies, names
from bench.canned.bodies import Bodies
from bench.canned.names import Looks

_SHARE = 100
_REST_SECONDS = 0.02


@dataclass(slots=True)
class Counts:
    """What was answered, and what was refused because it was asked wrongly."""

    looks: int = 0
    changed: int = 0
    pages: int = 0
    batches: int = 0
    tokens: int = 0
    gets: int = 0
    patches: int = 0
    conflicts: int = 0
    webhooks: int = 0
    refused: int = 0


@dataclass(slots=True)
class Town:
    """Everything that may change. is_silent: the provider takes calls and answers none. hung: so many calendars change
    once whatever looks find, and are nobody's business else: their provider is one that hangs.

    token_seconds: how long access tokens live. delays_ms: from a change's answer to the provider's call for it.
    rendered: answers ready to be sent, by body.
    """

    looks: Looks = Looks.QUIET
    is_silent: bool = False
    hung: int = 0
    token_seconds: int = 3599
    counts: Counts = field(default_factory=Counts)
    delays_ms: list[float] = field(default_factory=list)
    clock: Callable[[], float] = time.monotonic
    rendered: dict[bytes, bytes] = field(default_factory=dict)
    _bodies: dict[bytes, Bodies] = field(default_factory=dict)
    _quiet: dict[bytes, bytes] = field(default_factory=dict)
    _revisions: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    _under_way: dict[int, float] = field(default_factory=dict)
    _hanging: set[int] = field(default_factory=set)
    _rested_at: float = 0.0
    _ticks: int = 0

    def set(self, wanted: dict[str, object]) -> None:
        """Changes what looks find, or whether the provider answers; forgets the counts."""
        self.looks = Looks(wanted.get("looks", self.looks.value))
        self.is_silent = bool(wanted.get("is_silent", self.is_silent))
        self.hung = int(str(wanted.get("hung", 0)))
        self.counts = Counts()
        self.delays_ms = []
        self._under_way.clear()
        self._hanging.clear()

    def told(self) -> dict[str, object]:
        """The counts, the delays, and the CPU time that this process has used."""
        return {**asdict(self.counts), "delays_ms": self.delays_ms, "cpu_seconds": time.process_time()}

    def tick(self) -> None:
        """Sync tokens move from now on, as Google's do though nothing has changed."""
        self._ticks += 1
        self._quiet.clear()
        self.rendered.clear()

    def look(self, target: bytes) -> bytes:
        """The body for a list request. target: the request's path and query."""
        self.counts.looks += 1
        if self.looks is Looks.QUIET and b"syncToken=" in target:
            return self._quiet_for(_mask(target))
        return self._look(target)

    def _look(self, target: bytes) -> bytes:
        if self.looks is Looks.WRONG:
            return b'{"kind":"calendar#events","items":[]}'
        mask, number = _mask(target), _number(target)
        if b"syncToken=" not in target:
            self.counts.pages += 1
            return self._bodies_for(mask).whole(_digits(number))
        if not self._is_changed(number):
            return self._quiet_for(mask)
        self.counts.changed += 1
        self._revisions[number] += 1
        if number >= self.hung:
            self._under_way[number] = self.clock()
        return self._bodies_for(mask).changes(_digits(number), self._revision(number).encode())

    def _is_changed(self, number: int) -> bool:
        if number < self.hung:
            is_first = number not in self._hanging
            self._hanging.add(number)
            return is_first
        if self.looks is Looks.PUSHED:
            return number not in self._under_way
        if self.looks is Looks.SINGLE:
            return not self._under_way and self.clock() - self._rested_at > _REST_SECONDS
        return self.looks is Looks.CHANGED or (self.looks is Looks.SHARE and self.counts.looks % _SHARE == 0)

    def event(self, target: bytes) -> bytes:
        """The body for a get request."""
        self.counts.gets += 1
        number = _number(target)
        return orjson.dumps(bodies.event(number, self._revision(number)))

    def patch(self, target: bytes, if_match: bytes | None, body: bytes) -> bytes | None:
        """The body for a patch request; None when the event is another version than the caller saw."""
        number = _number(target)
        if if_match != f'"{self._revision(number)}"'.encode():
            self.counts.conflicts += 1
            return None
        self.counts.patches += 1
        patched = bodies.event(number, self._revision(number)) | orjson.loads(body)
        if self._under_way.pop(number, None) is not None:
            self._rested_at = self.clock()
        return orjson.dumps(patched)

    def token(self) -> bytes:
        """The body for a token request."""
        self.counts.tokens += 1
        return b'{"access_token":"ya29.c.%020d","expires_in":%d,"token_type":"Bearer"}' % (
            self.counts.tokens,
            self.token_seconds,
        )

    def webhook(self, body: bytes) -> bytes:
        """The provider's answer: applied as wanted, with a join URL that no event shows yet."""
        self.counts.webhooks += 1
        said = orjson.loads(body)["data"]
        meeting, revision = said["conference"]["id"], said["revision"]
        if meeting[0] == "8":
            began = self._under_way.get(int(meeting[1:]))
            if began is not None:
                self.delays_ms.append((self.clock() - began) * 1000)
        conference = {
            "id": meeting,
            "join_url": f"https://vendor.test/j/{meeting}?r={revision}",
            "passcode": "553311",
            "dial_in": [],
            "revision": revision,
        }
        if "wanted" not in said:
            return orjson.dumps({"status": "unchanged", "conference": conference})
        return orjson.dumps({"status": "applied", "conference": conference | {"holds": said["wanted"]}})

    def _quiet_for(self, mask: bytes) -> bytes:
        body = self._quiet.get(mask)
        if body is None:
            stamp = f"{self._ticks:010d}"
            body = self._quiet[mask] = self._bodies_for(mask).quiet(f"CPj{stamp}_5EDEPj{stamp}_5EDGAUg")
        return body

    def _bodies_for(self, mask: bytes) -> Bodies:
        found = self._bodies.get(mask)
        if found is None:
            found = self._bodies[mask] = bodies.made(mask.decode())
        return found

    def _revision(self, number: int) -> str:
        return f"{self._revisions[number]:010d}"


def _mask(target: bytes) -> bytes:
    _, found, rest = target.partition(b"fields=")
    return rest.partition(b" ")[0].partition(b"&")[0] if found else b""


def _number(target: bytes) -> int:
    return int(target[len(names.PREFIX) : len(names.PREFIX) + names.DIGITS])


def _digits(number: int) -> bytes:
    return b"%0*d" % (names.DIGITS, number)
