"""What came of a demo: counts from the record and the diaries, and the judge's word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from typing import Any

from syncer.simulator.demo import latency
from syncer.simulator.demo.announced import Told
from syncer.simulator.demo.latency import Diaries, Followed
from syncer.simulator.ics import Skipped
from syncer.simulator.judge.rules import Meeting
from syncer.simulator.judge.verdict import Finding, Standing, Verdict
from syncer.simulator.people.occasions import SPLITS
from syncer.simulator.people.record import AnyKind, Json, Kind, SeriesKind, kinds_of

OF_SERIES: Mapping[str, Set[AnyKind]] = {
    "new series": {SeriesKind.CREATE_SERIES, SeriesKind.GAIN_CONFERENCE, SeriesKind.MEET_ONCE},
    "change series": {SeriesKind.RENAME_SERIES, SeriesKind.MOVE_SERIES},
    "move series calendar": {SeriesKind.MOVE_SERIES_CALENDAR},
    "this and following": SPLITS,
    "change instance": {SeriesKind.RENAME_INSTANCE, SeriesKind.MOVE_INSTANCE, SeriesKind.SHORTEN_INSTANCE},
    "take instance out": {SeriesKind.SWAP_INSTANCE, SeriesKind.CANCEL_INSTANCE},
    "restore instance": {SeriesKind.RESTORE_INSTANCE},
    "duplicate series": {SeriesKind.DUPLICATE_SERIES},
    "delete series": {SeriesKind.DELETE_SERIES},
    "undelete series": {SeriesKind.UNDELETE_SERIES},
    "decline": {SeriesKind.DECLINE},
}
"""The kinds of edits of series that are told together, by what they are called in the report."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Edits of one kind or of kinds alike: how many there were, how many of their meetings follow, and how fast."""

    name: str
    edits: int
    following: int
    latencies_ms: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Size:
    """How large the demo was. importable: single events in the files that could be imported."""

    tenants: int
    calendars: int
    events: int
    importable: int
    conferences: int


@dataclass(frozen=True, slots=True)
class Clearing:
    """What came of clearing a calendar. held: deletions that waited for a person. released: let through by one."""

    held: int = 0
    released: int = 0
    was_held_right: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run.

    verdict: the last one. told: what the service says of meetings that are not right. unsettled: what was waited for
    in vain, None when all came to rest. clearing: None where no calendar was cleared. announced: what came of
    notifications, None where there were none.
    """

    size: Size
    followed: Sequence[Followed]
    faults: Mapping[str, int]
    diaries: Diaries
    clearing: Clearing | None
    verdict: Verdict
    skipped: Sequence[Skipped]
    told: Mapping[Meeting, Json]
    seconds: float
    unsettled: str | None
    announced: Told | None = None
    kinds: Sequence[AnyKind] = kinds_of()

    @property
    def converged(self) -> bool:
        """Whether everything came to rest as the judge would have it, the clearing, if any, both times."""
        was_held_right = self.clearing is None or self.clearing.was_held_right
        return self.unsettled is None and self.verdict.is_right and was_held_right

    @property
    def missing(self) -> list[str]:
        """Kinds of edits and faults that should have happened and did not."""
        made = {followed.edit.kind for followed in self.followed}
        return [kind.value for kind in self.kinds if kind not in made] + [
            name for name, count in self.faults.items() if not count
        ]

    @property
    def is_good(self) -> bool:
        """Whether the demo shows what it is there to show."""
        is_in_time = self.announced is None or self.announced.is_good
        return self.converged and not self.missing and is_in_time

    def tallies(self) -> list[Tally]:
        """One for each kind of edit of single events, and one for what is alike of series."""
        singles = [self._tally(kind.value.replace("_", " "), {kind}) for kind in Kind]
        return singles + [self._tally(name, kinds) for name, kinds in OF_SERIES.items()]

    def _tally(self, name: str, kinds: Set[AnyKind]) -> Tally:
        own = [followed for followed in self.followed if followed.edit.kind in kinds]
        standings = [
            self.verdict.standings.get((one.edit.where.tenant, one.edit.meeting_id), Standing.RIGHT) for one in own
        ]
        times = tuple(one.latency_ms for one in own if one.latency_ms is not None)
        return Tally(name, len(own), sum(standing is Standing.RIGHT for standing in standings), times)

    def _told(self, finding: Finding) -> Json | None:
        return self.told.get((finding.tenant, finding.meeting_id))

    def _counts(self) -> dict[str, int]:
        counted = Counter(one.edit.kind for one in self.followed)
        return {kind.value: counted[kind] for kind in self.kinds}

    def latencies_ms(self) -> list[float]:
        """From Google's side to the provider's, all kinds that call it."""
        return latency.to_provider_ms(self.followed)

    def as_json(self) -> dict[str, Any]:
        """The report as one JSON object."""
        google, vendor = self.diaries.google, self.diaries.vendor
        clients = [entry for entry in google if entry["actor"] == "client"]
        times = self.latencies_ms()
        return {
            "converged": self.converged,
            "tenants": self.size.tenants,
            "calendars": self.size.calendars,
            "events": self.size.events,
            "importable": self.size.importable,
            "conferences": self.size.conferences,
            "edits": len(self.followed),
            "edits_by_kind": self._counts(),
            "faults_by_kind": dict(self.faults),
            "lost": self.verdict.count(Standing.LOST),
            "doubled": self.verdict.count(Standing.DOUBLED),
            "wrong": self.verdict.count(Standing.WRONG),
            "google_requests": len(clients),
            "provider_calls": sum(entry["face"] == "webhook" for entry in vendor),
            "write_backs": sum(latency.is_write_back(entry) for entry in clients),
            "conflicts_412": sum(entry["status"] == 412 for entry in clients),
            "held": 0 if self.clearing is None else self.clearing.held,
            "released": 0 if self.clearing is None else self.clearing.released,
            "latency_ms": {f"p{share}": _rounded(latency.percentile(times, share / 100)) for share in (50, 95, 99)},
            **({} if self.announced is None else self.announced.as_json()),
            "seconds": round(self.seconds, 1),
            "skipped": [{"uid": one.uid, "reason": one.reason} for one in self.skipped],
            "findings": [asdict(finding) | {"service": self._told(finding)} for finding in self.verdict.findings],
            "unsettled": self.unsettled,
            "missing": self.missing,
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
