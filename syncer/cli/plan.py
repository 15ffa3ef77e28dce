"""`syncer plan`: how fresh calendars would be, and what that costs, before anything is served."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from syncer.cli import output, progress
from syncer.cli.output import AsJson
from syncer.model.errors import OperatorError

if TYPE_CHECKING:
    from syncer.simulator.plan import Plan, Wishes

_ONE_OR_MORE = validators.Number(gte=1, lte=100_000_000)
_PART = validators.Number(gte=0.0, lte=1.0)
_SECONDS = validators.Number(gte=1.0, lte=86_400.0)


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """The options of `syncer plan`."""

    calendars: Annotated[int, Parameter(help="Calendars of one project.", validator=_ONE_OR_MORE)]
    changes_per_day: Annotated[
        float, Parameter(help="Changes of each calendar a day.", validator=validators.Number(gte=0.0, lte=10_000.0))
    ] = 5.0
    loss: Annotated[
        float, Parameter(help="Part of Google's messages that is lost; 1 plans without.", validator=_PART)
    ] = 0.05
    per_minute: Annotated[int, Parameter(help="Requests a minute that Google grants.", validator=_ONE_OR_MORE)] = 10_000
    per_day: Annotated[int, Parameter(help="Requests a day that Google grants.", validator=_ONE_OR_MORE)] = 1_000_000
    shortest_seconds: Annotated[
        float, Parameter(help="Seconds between two looks at a calendar, at least.", validator=_SECONDS)
    ] = 60.0
    plot: Annotated[
        Path | None, Parameter(help="SVG file to draw into: which part of changes is seen within which time.")
    ] = None


async def plan(*, options: PlanOptions, as_json: AsJson = False) -> None:
    """Live a day of a project by the rules that decide when to look, without Google: how fresh, for how many requests.

    Example: syncer plan --calendars 10000 --changes-per-day 5 --loss 0.05 --plot plan.svg
    """
    from syncer.simulator.plan import Wishes

    wishes = Wishes(
        calendars=options.calendars,
        changes_a_day=options.changes_per_day,
        loss=options.loss,
        per_minute=options.per_minute,
        per_day=options.per_day,
        shortest_seconds=options.shortest_seconds,
    )
    if options.plot is not None and options.plot.suffix.lower() != ".svg":
        raise OperatorError(f"--plot draws an SVG, and {options.plot.name} is named otherwise: end its name in .svg.")
    found = _lived(wishes)
    if options.plot is not None:
        _draw(options.plot, wishes, found)
    if as_json:
        output.document(asdict(found))
        return
    _show(wishes, found)


def _lived(wishes: "Wishes") -> "Plan":
    from syncer.simulator import plan as planning

    with progress.shown("Living a day …", total=planning.HOURS) as bar:
        for found in planning.plan(wishes):
            if found is not None:
                return found
            bar.advance()
    raise AssertionError("A plan comes last.")


def _draw(file: Path, wishes: "Wishes", found: "Plan") -> None:
    from syncer.cli import plot
    from syncer.simulator.plan import polling_percentiles

    fixed = polling_percentiles(wishes, found.requests_a_day)
    curves = [("syncer", found.percentiles_seconds), ("fixed intervals, as many requests", fixed)]
    try:
        file.write_text(plot.drawn(curves), "utf-8")
    except OSError as error:
        sentence = f"--plot cannot write {file.name}: {error.strerror}. Name a file in a folder that you may write to."
        raise OperatorError(sentence) from None


def _show(wishes: "Wishes", found: "Plan") -> None:
    from syncer.simulator.plan import polling

    mean, p95, p99 = polling(wishes, found.requests_a_day)
    ours = [found.mean_seconds, found.p95_seconds, found.p99_seconds]
    rows = [
        ("syncer", *(_time(seconds) for seconds in ours)),
        ("looks at fixed intervals, as many requests", _time(mean), _time(p95), _time(p99)),
    ]
    output.table(("a change is seen after", "mean", "p95", "p99"), rows)
    output.lines([""])
    output.fields(
        {
            "requests a day": f"{found.requests_a_day:,.0f} of {wishes.per_day:,}",
            "… after messages": f"{found.of_messages:,.0f}",
            "… by the clock": f"{found.of_refresh:,.0f}",
            "… for channels": f"{found.of_renewals:,.0f}",
            "each calendar is looked at within": _time(found.longest_interval_seconds),
        }
    )
    if not found.is_enough:
        output.say(
            f"The requests of a day do not suffice: {found.requests_a_day:,.0f} are needed and {wishes.per_day:,} are "
            "granted. Ask Google for more, or share the calendars out among several projects."
        )


def _time(seconds: float) -> str:
    """A span in the largest unit that leaves two figures."""
    for size, unit in ((86_400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
