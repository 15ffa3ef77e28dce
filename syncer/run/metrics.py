"""Metrics: what this process has counted, as Prometheus reads it. Everything is put together when it is asked for.

No label names a tenant, a project or a calendar: each has a few words that are known beforehand, and is shown with all
of them from the start. `docs/metrics.md` says what each means; a test holds it to this.
Source of the form: Prometheus documentation, "Exposition formats" and "Metric and label naming".
"""

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from syncer.durations import Durations
from syncer.run import tally
from syncer.run.notifications import Counts as Messages
from syncer.run.stalls import Stalls
from syncer.run.standing import Standing
from syncer.run.supervisor import Supervisor
from syncer.sync.tools import Project, Tools

PATH = "/metrics"
_CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
# What is counted in the database: the metric, what it says, its label, and the label's words.
_STANDING = (
    (
        "calendars",
        "Calendars",
        "state",
        ("active", "failing", "parked", "paused", "of_paused_tenant", "of_retired_tenant"),
    ),
    (
        "parked_calendars",
        "Calendars that wait for a repair or a time",
        "reason",
        ("access", "credential", "day_spent", "grant", "missing", "other", "set_up"),
    ),
    ("channels", "Channels of notifications", "state", ("asked", "open", "expired", "stopping")),
    ("unwatchable_calendars", "Calendars of which Google tells nothing", "", ("",)),
    (
        "conferences",
        "Conferences",
        "state",
        ("live", "watched", "leaving", "held", "deleted", "gone", "detached"),
    ),
    ("waiting_conferences", "Conferences that are not as wanted yet", "state", ("due", "failing", "in_doubt")),
    (
        "held_conferences",
        "Conferences that wait for a person",
        "reason",
        ("deletion_failed", "guard", "provider_failed"),
    ),
)


class Metrics(Collector):
    """The metrics of one process, in a registry of its own.

    messages: what became of Google's. refused: how many calls of vendors were, by the reason. The rest is shown where
    the process has it: `watch` says so.
    """

    def __init__(self, tools: Tools, messages: Messages, refused: Callable[[], Mapping[str, int]]) -> None:
        self._tools = tools
        self._messages = messages
        self._standing = Standing(tools.database)
        self._supervisor: Supervisor | None = None
        self._stalls: Stalls | None = None
        self._lags: Durations | None = None
        self._due_since: list[float] = []
        self._refused = refused
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def watch(
        self, *, supervisor: Supervisor | None = None, stalls: Stalls | None = None, lags: Durations | None = None
    ) -> None:
        """Shows also what a worker does, and how its loop keeps up."""
        self._supervisor, self._stalls, self._lags = supervisor, stalls, lags

    def routes(self) -> list[web.RouteDef]:
        """What it answers."""
        return [web.get(PATH, self._show)]

    async def _show(self, _request: web.Request) -> web.Response:
        """`GET /metrics`. Answers also while Postgres is away, with what this process knows by itself."""
        await self._standing.renew()
        if self._supervisor is not None:
            self._due_since = [await _oldest(one) for one in list(self._supervisor.ownership.projects.values())]
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": _CONTENT_TYPE})

    def collect(self) -> Iterator[Metric]:
        """Every metric with its present values."""
        yield self._segments()
        yield self._refusals()
        yield _counter("messages", "Google's messages taken", "outcome", self._of_messages())
        yield from self._of_database()
        if self._lags is not None:
            yield _histogram("loop_lag", "How long what was ready waited for its turn on the loop", self._lags)
        if self._stalls is not None:
            yield _counter(
                "loop_stalls", "Times that something held up the loop for 10 ms", "", {"": self._stalls.count}
            )
        if self._supervisor is not None:
            yield from _of_worker(self._supervisor)
            yield from self._of_projects(list(self._supervisor.ownership.projects.values()))

    def _segments(self) -> Metric:
        segments = {
            "google": self._tools.google.durations,
            "database": self._tools.database.durations,
            "provider": self._tools.providers.durations,
        }
        if self._supervisor is not None:
            counted = self._supervisor.tally
            segments |= {
                "delivery": counted.delivery,
                "queue": counted.queue,
                "budget_wait": self._supervisor.ownership.budget_waits,
            }
        family = HistogramMetricFamily(
            "syncer_segment_seconds", "How long each step on the way of a change took", labels=["segment"]
        )
        for name, durations in segments.items():
            family.add_metric([name], list(durations.buckets()), durations.total)
        return family

    def _refusals(self) -> Metric:
        family = CounterMetricFamily("syncer_refusals", "What was refused, by whom and why", labels=["by", "reason"])
        family.add_metric(["receiver", "channel"], self._messages.unknown)
        for reason, count in self._refused().items():
            family.add_metric(["receiver", reason], count)
        if self._supervisor is not None:
            for by, reasons in tally.reasons().items():
                for reason in reasons:
                    family.add_metric([by, reason], self._supervisor.tally.refusals[by, reason])
        return family

    def _of_messages(self) -> Mapping[str, float]:
        return {"marked": self._messages.known, "unknown": self._messages.unknown}

    def _of_database(self) -> Iterator[Metric]:
        yield _gauge(
            "database_answers", "Whether Postgres answered when asked for its figures last", "", {"": self._is_answered}
        )
        age = self._standing.age_seconds()
        aged = {} if age is None else {"": age}
        yield _gauge("standing_age_seconds", "How old the figures of the database are", "", aged)
        for what, text, label, words in _STANDING:
            known = {word: self._standing.counts.get((what, word), 0) for word in words} if aged else {}
            yield _gauge(what, text, label, known)

    @property
    def _is_answered(self) -> float:
        return float(self._standing.is_answered)

    def _of_projects(self, projects: Sequence[Project]) -> Iterator[Metric]:
        now = self._tools.clock()
        resting = sum(project.is_resting(now) for project in projects)
        yield _gauge(
            "projects", "Projects served here", "state", {"served": len(projects) - resting, "resting": resting}
        )
        overdue = {
            "told": max((_told_seconds(project, now) for project in projects), default=0.0),
            "refresh": max((now.timestamp() - since for since in self._due_since), default=0.0),
            "backfill": max((project.long_reads.waited_seconds() for project in projects), default=0.0),
        }
        late = {lane: max(seconds, 0.0) for lane, seconds in overdue.items()}
        yield _gauge("overdue_seconds", "How long the oldest look that is due has waited", "lane", late)
        yield from _of_budgets(projects)


async def _oldest(project: Project) -> float:
    """Since when a calendar has been due; infinity where none is planned."""
    oldest = math.inf
    for since in project.schedule.oldest_due():
        oldest = since
        await asyncio.sleep(0)
    return oldest


def _told_seconds(project: Project, now: datetime) -> float:
    """How long the oldest message has waited for its look, without those of calendars that fail: these wait longer."""
    waits = (mark.at for slot, mark in project.marks.items() if not project.is_failing(slot))
    return max(((now - at).total_seconds() for at in waits), default=0.0)


def _of_worker(supervisor: Supervisor) -> Iterator[Metric]:
    counted = supervisor.tally
    yield _histogram("change_to_applied", "From a change at Google until its meeting was as wanted", counted.applied)
    for name, text, words, counts in (
        ("looks", "Calendars looked at", tally.LOOKS, counted.looks),
        ("pulls", "Calendars whose changes were read", tally.PULLS, counted.pulls),
        ("pushes", "Conferences that were made as wanted, or tried to", tally.PUSHES, counted.pushes),
    ):
        yield _counter(name, text, "outcome", {word: counts[word] for word in words})


def _of_budgets(projects: Sequence[Project]) -> Iterator[Metric]:
    """Of all projects together, and how much of its limit the one that has least has left."""
    now = time.monotonic()
    used = GaugeMetricFamily("syncer_budget_requests", "Requests to Google", labels=["window", "part"])
    least = {"minute": 1.0, "day": 1.0}
    sums = dict.fromkeys([(window, part) for window in least for part in ("used", "left")], 0)
    for project in projects:
        budget = project.spending.budget
        limits = budget.limits
        spent, left = budget.minute(now=now)
        for window, is_used, is_left, limit in (
            ("minute", spent, left, limits.per_minute),
            ("day", budget.day_count, max(0, limits.per_day - budget.day_count), limits.per_day),
        ):
            sums[window, "used"] += is_used
            sums[window, "left"] += is_left
            least[window] = min(least[window], is_left / limit)
    for (window, part), count in sums.items():
        used.add_metric([window, part], count)
    yield used
    yield _gauge("budget_least_left_ratio", "What is left to the project that has least", "window", least)
    pace = min((project.spending.pace for project in projects), default=1.0)
    yield _gauge("budget_slowest_pace_ratio", "The slowest pace that refusals have taught a project", "", {"": pace})


def _counter(name: str, text: str, label: str, counts: Mapping[str, float]) -> Metric:
    return _filled(CounterMetricFamily(f"syncer_{name}", text, labels=[label] if label else []), counts)


def _gauge(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    return _filled(GaugeMetricFamily(f"syncer_{name}", text, labels=[label] if label else []), values)


def _filled(family: CounterMetricFamily | GaugeMetricFamily, values: Mapping[str, float]) -> Metric:
    for word, value in values.items():
        family.add_metric([word] if word else [], value)
    return family


def _histogram(name: str, text: str, durations: Durations) -> Metric:
    family = HistogramMetricFamily(f"syncer_{name}_seconds", text)
    family.add_metric([], list(durations.buckets()), durations.total)
    return family
