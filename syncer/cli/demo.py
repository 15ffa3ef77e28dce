"""`syncer demo`: calendars, people who edit them, faults, and a judge who says whether every meeting followed."""

import asyncio
import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from syncer.cli import connect, output
from syncer.cli.output import AsJson

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from syncer.simulator.demo.announced import Told
    from syncer.simulator.demo.report import Report
    from syncer.simulator.demo.staging import Stage

Exports = Annotated[
    list[Path] | None,
    Parameter(name="--ics", negative="", help="An .ics export to take events from; may be repeated."),
]
Tenants = Annotated[int, Parameter(help="How many tenants.")]
Calendars = Annotated[int, Parameter(help="How many calendars each tenant has.")]
Edits = Annotated[
    int | None,
    Parameter(help="How many edits people make in all: 60, or up to 300 with --notifications.", show_default=False),
]
Seed = Annotated[int, Parameter(help="Where chance starts: the same seed, the same script.")]
KillWorkers = Annotated[
    bool, Parameter(negative="", help="Kill the worker (SIGKILL) at random moments, and restart it.")
]
Notifications = Annotated[
    bool,
    Parameter(negative="", help="Google tells of changes, under tight limits of requests; no other faults happen."),
]
Loss = Annotated[float, Parameter(help="With --notifications: part of Google's messages that is lost.")]
Keep = Annotated[bool, Parameter(negative="", help="Leave everything running until Ctrl-C, to look around.")]


_EDITS, _MOST_TOLD_EDITS = 60, 300


async def demo(
    *,
    ics: Exports = None,
    tenants: Tenants = 2,
    calendars: Calendars = 3,
    edits: Edits = None,
    seed: Seed = 1,
    kill_workers: KillWorkers = False,
    notifications: Notifications = False,
    loss: Loss = 0.05,
    as_json: AsJson = False,
    keep: Keep = False,
) -> int:
    """See meetings follow simulated edits and faults.

    People edit simulated calendars while faults happen; a judge says whether every meeting followed.
    It runs the real worker on a throw-away Postgres, or on SYNCER_DATABASE_URL, which must hold no projects of
    others and where it leaves nothing behind.

    Example: syncer demo --edits 200 --seed 7
    Example: syncer demo --notifications --tenants 50 --calendars 20
    """
    from syncer.simulator.demo.play import perform
    from syncer.simulator.demo.staging import staged
    from syncer.simulator.demo.wishes import Wishes

    if edits is None:
        edits = _EDITS if not notifications else min(max(_EDITS, tenants * calendars // 3), _MOST_TOLD_EDITS)
    wishes = Wishes(tuple(ics or ()), tenants, calendars, edits, seed, kill_workers, notifications, loss)
    settings = connect.settings()
    # Ended by SIGTERM it leaves as little behind as by Ctrl-C.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, signal.raise_signal, signal.SIGINT)
    async with staged(wishes, settings, output.say) as stage:
        with _watching(edits) as audience:
            report = await perform(stage, audience)
        if as_json:
            output.document(report.as_json())
        else:
            show(report)
        if not report.is_good:
            output.say(f"The worker's log: {stage.worker.kept_log()}")
        if keep:
            await _keep(stage)
    return 0 if report.is_good else 1


class _Screen:
    """Progress on stderr: a bar on a terminal, a line a stage elsewhere."""

    def __init__(self, progress: "Progress", bar: "TaskID") -> None:
        self._progress = progress
        self._bar = bar
        self._last = ""

    def tell(self, sentence: str) -> None:
        self._progress.update(self._bar, description=sentence)
        if not self._progress.console.is_terminal and sentence != self._last:
            output.say(f"{sentence} …")
        self._last = sentence

    def count(self, edits: int) -> None:
        self._progress.update(self._bar, completed=edits)


@contextmanager
def _watching(edits: int) -> Iterator[_Screen]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn())
    progress = Progress(
        *columns,
        TextColumn("edits"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with progress:
        yield _Screen(progress, progress.add_task("Setting the stage", total=edits))


def show(report: "Report") -> None:
    """Print the report for people."""
    from syncer.simulator.demo import latency

    rows = [
        (
            tally.name,
            tally.edits,
            tally.following,
            _milliseconds(latency.percentile(tally.latencies_ms, 0.5)),
            _milliseconds(latency.percentile(tally.latencies_ms, 0.95)),
        )
        for tally in report.tallies()
    ]
    output.table(("edit", "made", "follow", "p50", "p95"), rows)
    output.lines(_sentences(report))


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f} ms"


def _sentences(report: "Report") -> Iterator[str]:
    told = report.as_json()
    yield ""
    yield from _faults(told["faults_by_kind"])
    yield (
        f"{output.counted(told['google_requests'], 'request')} to Google, "
        f"{output.counted(told['provider_calls'], 'call')} to the provider, "
        f"{output.counted(told['write_backs'], 'write-back')}, "
        f"{output.counted(told['conflicts_412'], 'conflict')} (412), in {told['seconds']} s."
    )
    yield (
        "Deletes, swaps and moves away wait for the grace of 2 s before a meeting goes; "
        "change at provider is timed until the event shows it. Times are blank for edits that need no call of their "
        "own, such as an undeletion within the grace."
    )
    if report.announced is not None:
        yield from _notifications(report.announced)
    if report.size.importable or report.skipped:
        left_out = f"{len(report.skipped)} left out:" if report.skipped else "nothing was left out."
        yield f"{output.counted(told['importable'], 'single event')} imported; {left_out}"
        yield from (f"  {one}" for one in report.skipped)
    yield ""
    yield from _verdict(report)


def _notifications(told: "Told") -> Iterator[str]:
    """What messages and limits came to."""
    yield (
        f"Of edits that a message told of ({len(told.told_ms)}, without those whose meeting waits for its grace) 95 of "
        f"100 showed within {told.told_p95_seconds} s; of all edits 99 of 100 within {told.p99_seconds} s. Without a "
        f"message the clock finds them within {told.bound_seconds:.0f} s: the longest interval of the budget."
    )
    limits = told.limits
    yield (
        f"Limits: {limits.per_minute:,} requests a minute, {limits.per_user_minute:,} a minute for one user, "
        f"{limits.per_day:,} a day. Requests waited for room {told.budget_waits:,} times; Google counted "
        f"{told.over_limit:,} above a limit."
    )


def _faults(faults: dict[str, int]) -> Iterator[str]:
    """A sentence for each side that showed faults."""
    from syncer.simulator.demo.kinds import SPOKEN

    for whose, words in SPOKEN.items():
        counted = [output.counted(faults[kind], *said) for kind, said in words.items() if kind in faults]
        if counted:
            yield f"{whose}: {', '.join(counted)}."


def _verdict(report: "Report") -> Iterator[str]:
    told = report.as_json()
    meetings = len(report.verdict.standings)
    if report.clearing is not None and report.clearing.was_held_right:
        yield (
            f"One calendar was cleared: {output.counted(told['held'], 'deletion')} waited for a person, and "
            f"{told['released']} went through when released (held: judged right; "
            f"released: {'judged right' if report.converged else 'not judged right'})."
        )
    if report.converged:
        yield f"The judge: all {output.counted(meetings, 'meeting')} are right; none lost, none doubled, none wrong."
    else:
        yield (
            f"The judge: of {output.counted(meetings, 'meeting')} {told['lost']} lost, {told['doubled']} doubled, "
            f"{told['wrong']} wrong."
        )
        yield from (
            f"  {finding.tenant} {finding.meeting_id}: {finding.sentence}" for finding in report.verdict.findings
        )
    if report.unsettled is not None:
        yield f"Not at rest: {report.unsettled}."
    if report.missing:
        yield f"Never happened: {', '.join(report.missing)}."


async def _keep(stage: "Stage") -> None:
    """Wait for Ctrl-C; everything goes on meanwhile."""
    place = stage.town.world.places[0]
    variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in stage.worker.environment.items())
    output.say("Everything is left running. To look around, from another terminal:")
    output.say(f"  export {variables}")
    output.say("  syncer tenant list")
    output.say(f"  syncer calendar explain {place.tenant} {place.calendar_id}")
    output.say(f"  curl {stage.town.google_root}simulator/diary")
    output.say(f"  curl {stage.town.vendor_root}simulator/diary")
    output.say(f"The worker's log: {stage.worker.log_path}. Ctrl-C ends it all.")
    ended = asyncio.Event()
    for bell in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(bell, ended.set)
    await ended.wait()
