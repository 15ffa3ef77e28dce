"""A demo with notifications: limits that make requests wait, messages that are lost, and what came of both.

What Google counted is asked of the simulated Google; how long edits took is read from the servers' own diaries.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import aiohttp

from syncer.model.budget import Limits
from syncer.rules import refresh
from syncer.rules.refresh import Means
from syncer.simulator.demo import latency
from syncer.simulator.demo.kinds import MESSAGE_DOUBLED, MESSAGE_LOST
from syncer.simulator.demo.latency import Followed
from syncer.simulator.demo.town import Town
from syncer.simulator.demo.worker import Worker
from syncer.simulator.people.record import REMOVALS, Json, Kind

NOTIFICATIONS_PATH = "/notifications/google"
TOLD_SECONDS = 2.0
"""So fast an edit shows that a message told of: 95 of 100."""
_PATCH_WEIGHT = 3
_DUPLICATES = 0.05
# Of each calendar and minute: the first reads and channels of all of them together wait for room.
_LEAST_PER_MINUTE, _PER_MINUTE_A_CALENDAR = 300, 2.5
_PER_USER_MINUTE = 600
_DAY_SECONDS = 86_400
# So much of what a minute allows goes into what follows from edits, each of which leads to so many requests.
_SHARE_OF_EDITS, _REQUESTS_AN_EDIT = 0.5, 6
# A calendar's turn comes a quarter later than planned at most (`rules.schedule`); then its meeting is told.
_JITTER, _THEN_SECONDS = 1.25, 10.0
# A message is followed by one look, and by a second where that found nothing.
_LOOKS_A_MESSAGE = 2
_WAITS = re.compile(r'^syncer_segment_seconds_count\{segment="budget_wait"\} ([\d.e+]+)$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a demo with notifications.

    over_limit: requests that the simulated Google refused because they were above a limit. budget_waits: how often
    requests waited for room within the limits. told_ms: how long edits took that a message told of, but for those whose
    meeting waits for its grace. all_ms: all edits. bound_seconds: within which each is to show, for the clock finds it.
    """

    limits: Limits
    over_limit: int
    budget_waits: int
    told_ms: Sequence[float]
    all_ms: Sequence[float]
    bound_seconds: float
    is_killing: bool

    @property
    def told_p95_seconds(self) -> float | None:
        """Of the edits that a message told of, 95 of 100 showed within this time."""
        return _seconds(self.told_ms, 0.95)

    @property
    def p99_seconds(self) -> float | None:
        """Of all edits, 99 of 100 showed within this time."""
        return _seconds(self.all_ms, 0.99)

    @property
    def is_good(self) -> bool:
        """No limit was broken, some requests waited, and edits showed in time; of a killed worker no haste is asked."""
        is_fast = self.is_killing or (self.told_p95_seconds is not None and self.told_p95_seconds < TOLD_SECONDS)
        is_bounded = self.p99_seconds is not None and self.p99_seconds <= self.bound_seconds
        return not self.over_limit and self.budget_waits > 0 and is_fast and is_bounded

    def as_json(self) -> Json:
        """The figures by their names."""
        return {
            "over_limit": self.over_limit,
            "budget_waits": self.budget_waits,
            "limit_per_minute": self.limits.per_minute,
            "limit_per_user_minute": self.limits.per_user_minute,
            "limit_per_day": self.limits.per_day,
            "told_edits": len(self.told_ms),
            "told_p95_seconds": self.told_p95_seconds,
            "p99_seconds": self.p99_seconds,
            "p99_bound_seconds": round(self.bound_seconds, 1),
        }


def limits_for(calendars: int) -> Limits:
    """Limits so tight that so many calendars cannot be read at once.

    A day's requests would last for twice as many minutes as it has, so that the limit of a minute is what counts.
    """
    per_minute = max(_LEAST_PER_MINUTE, int(calendars * _PER_MINUTE_A_CALENDAR))
    return Limits(per_minute, _PER_USER_MINUTE, per_minute * 2 * _DAY_SECONDS // 60)


def pace_seconds(calendars: int) -> float:
    """Between two edits, so that their requests find room while all is well."""
    return 60 * _REQUESTS_AN_EDIT / (limits_for(calendars).per_minute * _SHARE_OF_EDITS)


async def begin(town: Town, limits: Limits) -> None:
    """Google counts against these limits from now on, and a patch for three."""
    counted = {
        "project_per_minute": limits.per_minute,
        "user_per_minute": limits.per_user_minute,
        "project_per_day": limits.per_day,
    }
    await town.google("PUT", "quotas", {"limits": counted})
    await town.google("PUT", "faults", {"settings": {"patch_weight": _PATCH_WEIGHT}})


async def lose(town: Town, loss: float) -> None:
    """Such a part of Google's messages is lost from now on, and some come twice."""
    await town.google("PUT", "notifications", {"loss": loss, "duplicate": _DUPLICATES if loss else 0.0})


async def faults(town: Town, loss: float) -> dict[str, int]:
    """How many messages were lost, and how many came twice, of those that should have been."""
    counts = (await town.google("GET", "notifications"))["counts"]
    return {MESSAGE_LOST: counts["lost"], MESSAGE_DOUBLED: counts["duplicated"]} if loss else {}


async def waits(worker: Worker) -> int:
    """How often the worker that runs now has let a request wait for room, by its own metrics."""
    address = worker.address()
    if address is None:
        return 0
    async with aiohttp.ClientSession() as session, session.get(f"{address}/metrics") as answer:
        found = _WAITS.search(await answer.text())
    return int(float(found[1])) if found else 0


async def over_limit(town: Town) -> int:
    """How many requests the simulated Google refused because they were above one of its limits."""
    tallies = (await town.google("GET", "quotas"))["tallies"]
    return sum(int(tally["refused"]) for tally in tallies.values())


def told(followed: Iterable[Followed], google: Sequence[Json]) -> list[float]:
    """How long edits took of which a message came, in milliseconds; without those that wait for a meeting's grace.

    google: its diary.
    """
    born: dict[str, list[float]] = defaultdict(list)
    for entry in google:
        if entry["kind"] == "notification" and entry["fate"] == "taken" and entry["state"] == "exists":
            born[entry["calendar_id"]].append(float(entry["born_ms"]))
    return [
        one.latency_ms
        for one in followed
        if one.latency_ms is not None
        and one.edit.kind not in REMOVALS | {Kind.CHANGE_AT_PROVIDER}
        and any(one.edit.sent_ms <= at <= one.edit.answered_ms for at in born[one.edit.where.calendar_id])
    ]


def bound_seconds(limits: Limits, calendars: int, google: Sequence[Json], span_ms: tuple[float, float]) -> float:
    """Within what time an edit is to show of which no message came: the longest interval between looks by the clock.

    google: its diary; it says what followed from changes in that span, and could not go into such looks.
    """
    seconds = max(1.0, (span_ms[1] - span_ms[0]) / 1000)
    urgent = sum(_urgent(entry) for entry in google if span_ms[0] <= entry["monotonic_ms"] <= span_ms[1]) / seconds
    looks = refresh.looks_a_second(Means(limits.per_minute, limits.per_day, limits.per_day, _DAY_SECONDS, urgent))
    return refresh.longest_seconds(looks, calendars) * _JITTER + _THEN_SECONDS


def _urgent(entry: Json) -> int:
    """How many requests an entry of the diary stands for that followed from a change."""
    if entry["kind"] == "notification":
        return _LOOKS_A_MESSAGE if entry["fate"] == "taken" else 0
    if entry["actor"] != "client" or entry["kind"] != "api":
        return 0
    return _PATCH_WEIGHT if entry["method"] == "PATCH" else int(entry["event_id"] is not None)


def _seconds(values_ms: Sequence[float], share: float) -> float | None:
    found = latency.percentile(values_ms, share)
    return None if found is None else round(found / 1000, 2)
