"""The documented rules, taken from the documents and not from the code they judge. Knows no server and no clock."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from syncer.simulator.judge import comparison, series
from syncer.simulator.judge.reading import Reading, Sight
from syncer.simulator.judge.verdict import Finding, Standing, Verdict
from syncer.simulator.people.record import Json, Meant, Record, Reference

Meeting = tuple[str, str]
Made = Counter[tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class Case:
    """All that a verdict rests on.

    record: what people did and meant. now: the simulated instant. grace_ms: the tenants' grace.
    held: (tenant, meeting id) of meetings whose deletion must wait for a person now.
    known_at: since when the service has known events, as far as it was asked; one that was known first drives on.
    """

    reading: Reading
    record: Record
    now: datetime
    grace_ms: float
    held: frozenset[Meeting] = frozenset()
    known_at: Mapping[Reference, datetime] = field(default_factory=dict)


def judge(case: Case) -> Verdict:
    """How each meeting stands: those that exist, and those that some live event refers to."""
    references = _references(case.reading)
    known = {(tenant, one) for tenant, meetings in case.reading.meetings.items() for one in meetings}
    made = _made(case.reading)
    findings: list[Finding] = []
    standings: dict[Meeting, Standing] = {}
    for meeting in sorted(known | references.keys()):
        found = list(_of_meeting(case, meeting, references.get(meeting, []), made))
        findings += found
        standings[meeting] = found[0].standing if found else _peaceful(case, meeting)
    for finding in _of_texts(case):
        findings.append(finding)
        standings[finding.tenant, finding.meeting_id] = finding.standing
    return Verdict(standings, tuple(findings))


def _references(reading: Reading) -> dict[Meeting, list[Sight]]:
    """The organizers' live events by the meeting that they refer to. Guests' copies never count."""
    references: dict[Meeting, list[Sight]] = defaultdict(list)
    for sight in reading.sights:
        if sight.is_organizers and sight.meeting_id is not None:
            references[sight.where.tenant, sight.meeting_id].append(sight)
    return dict(references)


def _made(reading: Reading) -> Made:
    """How many meetings were made, by tenant and external key."""
    return Counter(
        (tenant, one["external_key"]) for tenant, meetings in reading.meetings.items() for one in meetings.values()
    )


def _peaceful(case: Case, meeting: Meeting) -> Standing:
    return Standing.HELD if meeting in case.held else Standing.RIGHT


def _of_meeting(case: Case, meeting: Meeting, sights: list[Sight], made: Made) -> Iterator[Finding]:
    tenant, meeting_id = meeting
    found = case.reading.meetings.get(tenant, {}).get(meeting_id)
    is_live = found is not None and found["state"] == "live"
    if found is not None and _is_doubled(made, tenant, found):
        yield Finding(Standing.DOUBLED, tenant, meeting_id, f"made more than once for {found['external_key']}")
    elif meeting in case.held:
        if not is_live:
            yield Finding(Standing.LOST, tenant, meeting_id, "deleted while its deletion waits for a person")
    elif sights and not is_live:
        yield from _of_missing(case, meeting, sights)
    elif not sights and is_live:
        yield from _of_left_over(case, meeting)
    elif found is not None and sights:
        yield from _of_pair(case, found, sights)


def _is_doubled(made: Made, tenant: str, found: Json) -> bool:
    return found["external_key"] is not None and made[tenant, found["external_key"]] > 1


def _of_missing(case: Case, meeting: Meeting, sights: list[Sight]) -> Iterator[Finding]:
    # Who comes back after the grace finds the meeting gone, and rightly so.
    if case.record.longest_absence_ms(*meeting) < case.grace_ms:
        yield Finding(Standing.LOST, *meeting, f"gone, but {_named(sights[0])} refers to it")


def _of_left_over(case: Case, meeting: Meeting) -> Iterator[Finding]:
    if meeting not in case.reading.series and case.record.was_ever_referred_to(*meeting):
        yield Finding(Standing.WRONG, *meeting, "left over: it lives, but no live event refers to it")


def _of_pair(case: Case, found: Json, sights: list[Sight]) -> Iterator[Finding]:
    tenant, meeting_id = sights[0].where.tenant, str(found["id"])
    drivers = _drivers(case, _possible(sights))
    differences = [_differences(case, driver, sights, found) for driver in drivers]
    if all(differences):
        words = f"its {', '.join(differences[0])} not as {_named(drivers[0])} says"
        yield Finding(Standing.WRONG, tenant, meeting_id, words)
    for sight in sights:
        missing = comparison.shown(sight, found) if series.is_ahead(sight, case.now) else []
        if missing:
            words = f"{_named(sight)} does not show its {', '.join(missing)}"
            yield Finding(Standing.WRONG, tenant, meeting_id, words)


def _possible(sights: list[Sight]) -> list[Sight]:
    """All but the changed instances of a series that has the same meeting: they go with it."""
    masters = {sight.where for sight in sights if sight.is_series}
    return [sight for sight in sights if sight.master not in masters]


def _differences(case: Case, driver: Sight, sights: list[Sight], found: Json) -> list[str]:
    if not driver.is_series:
        return comparison.followed(driver, found)
    within = series.window(case.now)
    return comparison.headed(driver, found) + series.differences(case.reading, driver, sights, found, within)


def _drivers(case: Case, sights: list[Sight]) -> list[Sight]:
    """Which events may decide: the earliest made that is not over, or one that took over while that was away.

    One that the service cannot see, for it has lost its access, is away too, though people left it where it was.

    When all are over any may have been the last to decide.
    """
    by_age = sorted(sights, key=lambda sight: (sight.created_at, sight.where.calendar_id, sight.where.event_id))
    ahead = [sight for sight in by_age if series.is_ahead(sight, case.now)]
    if not ahead:
        return by_age
    return [sight for place, sight in enumerate(ahead) if _may_drive(case, sight, ahead[:place])]


def _may_drive(case: Case, sight: Sight, elders: list[Sight]) -> bool:
    meeting_id = str(sight.meeting_id)
    own = case.record.presence.get((sight.where, meeting_id))
    if own is None:
        return not elders
    since_ms = own.spans[0][0]
    theirs = [
        case.record.presence.get((elder.where, meeting_id))
        for elder in elders
        if not _is_known_first(case, sight, elder)
    ]
    return all(elder is not None and elder.was_away_after(since_ms) for elder in theirs)


def _is_known_first(case: Case, sight: Sight, elder: Sight) -> bool:
    own_at, their_at = case.known_at.get(sight.where), case.known_at.get(elder.where)
    return own_at is not None and their_at is not None and own_at < their_at


def _of_texts(case: Case) -> Iterator[Finding]:
    """No user's edit was overwritten: every event that people left is there and says what they meant."""
    sights = {sight.where: sight for sight in case.reading.sights}
    for where, meant in case.record.meant.items():
        sight = sights.get(where)
        lost = ["existence"] if sight is None else comparison.intact(sight, meant)
        if lost:
            yield _of_lost(where, meant, lost)
    for where, meant in case.record.called_off.items():
        if where in sights:
            yield _of_lost(where, meant, ["calling off"])


def _of_lost(where: Reference, meant: Meant, lost: list[str]) -> Finding:
    words = f"the event {where.event_id} on {where.calendar_id} lost its people's {', '.join(lost)}"
    return Finding(Standing.WRONG, where.tenant, meant.meeting_id or "none", words)


def _named(sight: Sight) -> str:
    return f"the event {sight.where.event_id} on {sight.where.calendar_id}"
