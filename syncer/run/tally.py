"""Tally: what came of looks, pulls and pushes, and how long changes took, in figures that only grow.

Counted once for a sweep, and for each calendar that changed; a calendar that is quiet costs nothing here.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import assert_never

from syncer.durations import Durations
from syncer.model.conference import Applied, Gone, Rejected, Replaced, Retry, Stale
from syncer.model.errors import OperatorError, OutsideError, StoreError, SyncerError, Unsent
from syncer.sync.desk import Came
from syncer.sync.pull import Pulled
from syncer.sync.sweep import Changed, Quiet, Seen, Trouble
from syncer.sync.tools import Project

LOOKS = ("quiet", "changed", "failed", "lost")
PULLS = ("done", "left", "failed")
PUSHES = ("applied", "unchanged", "gone", "stale", "rejected", "retry", "no_room", "failed")
# Changes whose push is still to come; of more than so many it is not measured how long they took.
_MOST_SINCE = 20_000


class Tally:
    """looks, pulls, pushes: by outcome. refusals: by who refused, and why.

    delivery, queue: of each change that was found, from when it was made until it was known of here, and on until the
    look began. applied: from when it was made until its meeting was as wanted.
    """

    def __init__(self) -> None:
        self.looks: Counter[str] = Counter()
        self.pulls: Counter[str] = Counter()
        self.pushes: Counter[str] = Counter()
        self.refusals: Counter[tuple[str, str]] = Counter()
        self.delivery, self.queue, self.applied = Durations(), Durations(), Durations()
        self._since: dict[tuple[int, int], datetime] = {}

    def swept(self, count: int, seen: Sequence[Seen]) -> None:
        """A sweep over so many calendars; those that are not seen were quiet, or not to be looked at any more."""
        looks, lost = self.looks, None
        for what in seen:
            match what:
                case Quiet():
                    pass
                case Changed():
                    looks["changed"] += 1
                    count -= 1
                case Trouble(error=error, is_shared=True):
                    looks["lost"] += 1
                    count, lost = count - 1, error
                case Trouble():
                    looks["failed"] += 1
                    count -= 1
                case _:
                    assert_never(what)
        looks["quiet"] += count
        if lost is not None:
            # One request was lost, however many calendars were in it.
            self.refused(lost)

    def pulled(self, outcome: Pulled) -> None:
        """What came of one calendar's pull."""
        self.pulls["failed" if isinstance(outcome, SyncerError) else "left" if outcome is None else "done"] += 1

    def found(self, project: Project, what: Changed, conference_ids: Iterable[int]) -> None:
        """A pull has ended well, and touched these conferences. A first read tells of nothing that is new."""
        changed_at = what.page.changed_at
        if changed_at is None or what.calendar.cursor.is_full_read:
            return
        told_at = project.told_at(what.slot)
        known_at = what.began_at if told_at is None else min(told_at, what.began_at)
        self.delivery.note((known_at - changed_at).total_seconds())
        self.queue.note((what.began_at - known_at).total_seconds())
        for conference_id in conference_ids:
            if len(self._since) < _MOST_SINCE:
                self._since.setdefault((what.calendar.key.tenant_id, conference_id), changed_at)

    def refused(self, error: SyncerError) -> None:
        """A look, a pull or a write-back failed."""
        match error:
            case Unsent():
                self.refusals["ourselves", "budget"] += 1
            case OutsideError():
                self.refusals["google", reason_of(error)] += 1
            case StoreError():
                self.refusals["database", reason_of(error)] += 1
            case OperatorError():
                self.refusals["ourselves", reason_of(error)] += 1

    def pushed(self, key: tuple[int, int], came: Came, now: datetime) -> None:
        """What came of a push. key: (tenant id, conference id)."""
        outcome = _outcome_of(came)
        self.pushes[outcome] += 1
        for error in came.errors:
            self.refused(error)
        for one in came.outcomes:
            if isinstance(one, Stale | Rejected | Retry):
                self.refusals["provider", type(one).__name__.lower()] += 1
        if not came.has_room:
            self.refusals["provider", "no_room"] += 1
        if outcome == "applied" and key in self._since:
            self.applied.note((now - self._since.pop(key)).total_seconds())
        elif outcome not in ("retry", "stale", "no_room"):
            # Nothing was to be done for it, or nothing more will be.
            self._since.pop(key, None)

    def push_failed(self, error: SyncerError) -> None:
        """A push came to no end."""
        self.pushes["failed"] += 1
        self.refused(error)


def _outcome_of(came: Came) -> str:
    if not came.has_room:
        return "no_room"
    if not came.outcomes:
        return "failed" if came.errors else "unchanged"
    match came.outcomes[-1]:
        case Applied() | Replaced():
            return "applied"
        case Gone():
            return "gone"
        case Stale():
            return "stale"
        case Rejected():
            return "rejected"
        case Retry():
            return "retry"


def reasons() -> dict[str, tuple[str, ...]]:
    """Every reason there is, by who refuses."""
    return {
        "google": tuple(sorted(_snake(kind) for kind in OutsideError.__subclasses__())),
        "provider": ("no_room", "rejected", "retry", "stale"),
        "database": tuple(sorted(_snake(kind) for kind in StoreError.__subclasses__())),
        "ourselves": ("budget", _snake(OperatorError)),
    }


def reason_of(error: SyncerError) -> str:
    """An error's kind, in one of the words of `reasons`."""
    kind = type(error)
    while kind.__base__ not in (OutsideError, StoreError, SyncerError, None):
        kind = kind.__base__
    return _snake(kind)


def _snake(kind: type) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in kind.__name__).lstrip("_")
