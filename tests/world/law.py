"""The law of a world that has come to rest: what must be true of both servers, of the people's word and of history."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import Any

from syncer.simulator.judge.rules import Meeting
from syncer.simulator.people.edits import now_ms
from syncer.simulator.people.record import Json, Reference
from tests.world.stage import GRACE, GUARD_CALENDAR, GUARD_TENANT, Stage

_HOUR_SECONDS = 3600.0
_COARSE_SECONDS = 0.1
_MALFORMED = frozenset({400, 405, 409, 411, 413, 414, 415, 422, 428, 431})
_REFUSED = frozenset({400, 401, 404, 405, 409, 413, 415, 422})
_DONE = frozenset({"applied", "unchanged"})
_PATCHES = frozenset({"wrote_back", "took_back", "write_back_refused"})
_HELD = (
    "SELECT t.slug, c.meeting_id FROM syncer.conference c JOIN syncer.tenant t USING (tenant_id) WHERE c.state = 'held'"
)
_HISTORY = """
SELECT t.slug, c.meeting_id, h.kind, h.event_id, h.detail, h.at
FROM syncer.history h JOIN syncer.tenant t USING (tenant_id)
LEFT JOIN syncer.conference c ON c.tenant_id = h.tenant_id AND c.conference_id = h.conference_id
"""
_KNOWN = """
SELECT t.slug, k.google_id, h.event_id, max(h.at) AS at FROM syncer.history h
JOIN syncer.tenant t USING (tenant_id) JOIN syncer.calendar k USING (tenant_id, calendar_id)
WHERE h.kind = 'linked' GROUP BY 1, 2, 3
"""
_READ = """
SELECT google_id, event_id, event ->> 'etag' AS etag
FROM syncer.link JOIN syncer.calendar USING (tenant_id, calendar_id)
"""
_SET_ASIDE = "SELECT event_id, reason FROM syncer.note WHERE kind = 'set_aside'"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What both servers, the history and the log tell. google: what workers asked. vendor: calls to the webhook."""

    google: Sequence[Json]
    vendor: Sequence[Json]
    quotas: Json
    history: Sequence[Mapping[str, Any]]
    set_aside: Sequence[Mapping[str, Any]]
    log: Sequence[Mapping[str, Any]]

    @property
    def deletions(self) -> list[Json]:
        """Meetings that were deleted by workers, in order."""
        return [entry for entry in self.vendor if entry["action"] == "delete" and entry["applied"]]


async def gathered(stage: Stage, log: Sequence[Mapping[str, Any]]) -> Evidence:
    """The evidence as it is now."""
    return Evidence(
        google=[entry for entry in stage.servers.google_diary() if entry["actor"] == "client"],
        vendor=[entry for entry in stage.servers.vendor_diary() if entry["face"] == "webhook"],
        quotas=await stage.town.google("GET", "quotas"),
        history=await stage.fetch(_HISTORY),
        set_aside=await stage.fetch(_SET_ASIDE),
        log=log,
    )


async def held(stage: Stage) -> frozenset[Meeting]:
    """The meetings whose deletion waits for a person."""
    return frozenset((row["slug"], row["meeting_id"]) for row in await stage.fetch(_HELD))


async def outdated(stage: Stage) -> list[str]:
    """The events that the service knows otherwise than they stand at Google, though it has looked at all of them."""
    return [
        f"the event {row['event_id']} on {row['google_id']} is known as of {row['etag']}, and stands as of {etag}"
        for row in await stage.fetch(_READ)
        if (etag := stage.servers.etag(row["google_id"], row["event_id"])) != row["etag"]
    ]


async def unjust(stage: Stage, waiting: frozenset[Meeting], *, are_read_back: bool = True) -> list[str]:
    """What the judge has to say of every meeting and every event.

    are_read_back: else it is too early to say anything of meetings that were changed where they live.
    """
    rows = await stage.fetch(_KNOWN)
    known_at = {Reference(row["slug"], row["google_id"], row["event_id"]): row["at"] for row in rows}
    verdict = await stage.town.judge(grace_ms=GRACE.total_seconds() * 1000, held=waiting, known_at=known_at)
    changed = stage.town.world.changes
    return [
        f"{one.standing.value}: {one.tenant} {one.meeting_id}: {one.sentence}"
        for one in verdict.findings
        if are_read_back or not changed[one.meeting_id]
    ]


def broken(stage: Stage, seen: Evidence, waiting: frozenset[Meeting]) -> list[str]:
    """What else is against the law, a sentence each."""
    return list(
        chain(
            _malformed(stage, seen),
            _twice(seen),
            _unconditional(seen),
            _above_limits(seen),
            _untold(stage, seen),
            _too_soon(stage, seen),
            _unguarded(stage, seen),
            _held_for_nothing(seen, waiting),
            _strange(seen),
            _late(stage),
            _unexpected(seen),
        )
    )


def _malformed(stage: Stage, seen: Evidence) -> Iterator[str]:
    """No request is malformed, or refused as such but where a fault was ordered.

    Patches of an add-on's conference are: they are tried, for nobody knows whose add-on it is.
    """
    yield from dict.fromkeys(stage.watcher.wrong)
    for entry in seen.google:
        is_ordered = "fault" in entry or "batch_fault" in entry or entry["method"] == "PATCH"
        if entry["status"] in _MALFORMED and not is_ordered:
            yield f"Google answered {entry['status']} to {entry['method']} {entry['path']}"
    for entry in seen.vendor:
        if entry["status"] in _REFUSED:
            yield f"the provider answered {entry['status']} to {entry['action']} of {entry['meeting_id']}"


def _twice(seen: Evidence) -> Iterator[str]:
    """Nothing is done twice: what is asked again is asked under its old key."""
    done = Counter(
        (entry["account"], entry["meeting_id"], entry["action"], entry["revision"])
        for entry in seen.vendor
        if entry["action"] != "read" and entry["outcome"] in _DONE and not entry["repeated"]
    )
    for (account, meeting_id, action, revision), count in done.items():
        if count > 1:
            yield f"{action} of {account} {meeting_id} at revision {revision} was carried out {count} times"


def _unconditional(seen: Evidence) -> Iterator[str]:
    for entry in seen.google:
        if entry["method"] == "PATCH" and entry.get("change") and not entry.get("if_match"):
            yield f"the event {entry['event_id']} was patched without a condition"


def _above_limits(seen: Evidence) -> Iterator[str]:
    for name, tally in seen.quotas["tallies"].items():
        if tally["refused"]:
            yield f"the limit {name} was exceeded {tally['refused']} times"


def _untold(stage: Stage, seen: Evidence) -> Iterator[str]:
    """History tells every outside act, and none that was not."""
    told: dict[Meeting, set[int]] = defaultdict(set)
    found: dict[Meeting, set[int]] = defaultdict(set)
    gone: set[Meeting] = set()
    for row in seen.history:
        meeting = (row["slug"], row["meeting_id"])
        detail = json.loads(row["detail"])
        if row["kind"] == "updated":
            # What a reading has found to be done was sent under this revision or one before.
            (found if "found" in detail else told)[meeting].add(int(detail["revision"]))
        elif row["kind"] == "deleted":
            gone.add(meeting)
    made: dict[Meeting, set[int]] = defaultdict(set)
    for entry in seen.vendor:
        if entry["action"] == "update" and entry["outcome"] in _DONE:
            made[entry["account"], entry["meeting_id"]].add(entry["revision"])
    for meeting, revisions in made.items():
        if max(revisions) > max(told[meeting] | found[meeting], default=0) and meeting not in gone:
            yield f"history does not tell of revision {max(revisions)} of {' '.join(meeting)}"
    for meeting, revisions in told.items():
        if not revisions <= made[meeting]:
            yield f"history tells of revisions of {' '.join(meeting)} that nobody sent: {revisions - made[meeting]}"
    for entry in seen.deletions:
        if (entry["account"], entry["meeting_id"]) not in gone:
            yield f"history does not tell that {entry['account']} {entry['meeting_id']} was deleted"
    yield from _untold_patches(stage, seen)


def _untold_patches(stage: Stage, seen: Evidence) -> Iterator[str]:
    """Write-backs are told; one whose answer was lost, or whose worker ended there, may be known by its effect only."""
    patched = Counter(e["event_id"] for e in seen.google if e["method"] == "PATCH" and e.get("change"))
    told = Counter(row["event_id"] for row in seen.history if row["kind"] in _PATCHES)
    untold = patched - told
    if untold.total() > stage.interruptions:
        yield f"history does not tell of {untold.total()} write-backs: to {', '.join(sorted(untold))}"


def _too_soon(stage: Stage, seen: Evidence) -> Iterator[str]:
    """A meeting goes when its grace is over since the last event that referred to it went, and not before."""
    for entry in seen.deletions:
        ended_ms = [
            span[1]
            for (where, meeting_id), presence in stage.town.world.record.presence.items()
            if (where.tenant, meeting_id) == (entry["account"], entry["meeting_id"])
            for span in presence.spans
            if span[0] < entry["monotonic_ms"] and _could_be_known(stage, seen, where, span)
        ]
        waited = _simulated(stage, entry["monotonic_ms"]) - _simulated(stage, max(ended_ms, default=0.0))
        if waited < GRACE.total_seconds():
            yield f"{entry['account']} {entry['meeting_id']} was deleted {waited:.0f} s after its last event went"


def _could_be_known(stage: Stage, seen: Evidence, where: Reference, span: Sequence[float]) -> bool:
    """Somebody looked while the event was there, and if workers ended meanwhile, one lived to write it down."""
    looks = (entry for entry in seen.google if entry["calendar_id"] == where.calendar_id and entry["status"] == 200)
    if not any(span[0] <= entry["monotonic_ms"] <= span[1] for entry in looks):
        return False
    seconds_ago = _simulated(stage, now_ms()) - _simulated(stage, span[0])
    began_at = stage.town.clock.now() - timedelta(seconds=seconds_ago + _COARSE_SECONDS)
    is_linked = any(
        row["kind"] == "linked" and row["event_id"] == where.event_id and row["at"] >= began_at for row in seen.history
    )
    return is_linked or not stage.interruptions


def _simulated(stage: Stage, at_ms: float) -> float:
    """An instant of the monotonic clock by the simulated one, in seconds from somewhere."""
    place = bisect_right(stage.jumps, at_ms, key=lambda jump: jump[0])
    return at_ms / 1000 + (stage.jumps[place - 1][1] if place else 0.0)


def _unguarded(stage: Stage, seen: Evidence) -> Iterator[str]:
    """Within an hour no more meetings of a calendar or a tenant go than the guard lets through."""
    calendars: dict[Meeting, set[str]] = defaultdict(set)
    for where, meeting_id in stage.town.world.record.presence:
        calendars[where.tenant, meeting_id].add(where.calendar_id)
    times: dict[str, list[float]] = defaultdict(list)
    for entry in seen.deletions:
        at = _simulated(stage, entry["monotonic_ms"])
        times[entry["account"]].append(at)
        of_one = calendars[entry["account"], entry["meeting_id"]]
        if len(of_one) == 1:
            times[next(iter(of_one))].append(at)
    for whose, found in times.items():
        most = GUARD_CALENDAR if "@" in whose else GUARD_TENANT
        if any(late - early < _HOUR_SECONDS for early, late in zip(found, found[most:], strict=False)):
            yield f"more than {most} meetings of {whose} were deleted within an hour"


def _held_for_nothing(seen: Evidence, waiting: frozenset[Meeting]) -> Iterator[str]:
    for tenant in sorted({tenant for tenant, _ in waiting}):
        went = [entry for entry in seen.deletions if entry["account"] == tenant]
        if len(went) + sum(whose == tenant for whose, _ in waiting) <= GUARD_CALENDAR:
            yield f"deletions of {tenant} are held, and there are not many"


def _strange(seen: Evidence) -> Iterator[str]:
    """Nobody asks a provider for a meeting that it never had: that one is somebody else's."""
    had = {(entry["account"], entry["meeting_id"]) for entry in seen.vendor if entry["outcome"] in _DONE}
    for entry in seen.vendor:
        meeting = (entry["account"], entry["meeting_id"])
        if entry["outcome"] == "not_found" and meeting not in had:
            yield f"{entry['action']} of {' '.join(meeting)}, which is not there"
            had.add(meeting)


def _late(stage: Stage) -> Iterator[str]:
    for point in stage.late:
        yield f"a worker whose lease was over came to {point}"


def _unexpected(seen: Evidence) -> Iterator[str]:
    for row in seen.set_aside:
        yield f"the event {row['event_id']} was set aside: {row['reason']}"
    for line in seen.log:
        if line["event"] == "a piece of work failed unexpectedly":
            yield f"a piece of work failed unexpectedly: {line['error']} in {line['where']}"
