"""Requests at equal freshness: how many looks at fixed intervals take, and how many the rules of syncer do.

A world of 10,000 calendars that change five times a day each, of whose messages one in twenty is lost. Nothing is
measured: it is lived by the clock of the rules (`syncer.simulator.plan`), so it comes out the same on any machine.
"""

import sys
from dataclasses import dataclass, replace

from bench import report
from syncer.simulator import plan as planning
from syncer.simulator.plan import DAY_SECONDS, MESSAGE_SECONDS, Plan, Wishes

PAGE = report.FOLDER / "README.md"
BEGIN, END = "<!-- freshness: made by `make freshness` -->", "<!-- end of freshness -->"
WORLD = Wishes(calendars=10_000, changes_a_day=5.0, loss=0.05, per_day=10**12, per_minute=10**9, sample=2_000)
INTERVALS_MINUTES = (1, 2, 5, 15, 30, 60)
_TRIES = 5
_NEAR = 0.01


@dataclass(frozen=True, slots=True)
class Row:
    """Looks at fixed intervals, and ours that are as fresh on average."""

    interval_seconds: float
    fixed_requests: float
    ours: Plan

    @property
    def ratio(self) -> float:
        """By how much fewer requests we need."""
        return self.fixed_requests / self.ours.requests_a_day


def row(interval_seconds: float) -> Row:
    """The plan whose changes are seen after half this interval on average."""
    wanted = interval_seconds / 2
    # Of twenty changes one waits for a look by the clock: intervals may be some twenty times as long.
    looks = WORLD.calendars / (interval_seconds / WORLD.loss)
    found = _lived(looks)
    for _ in range(_TRIES):
        if abs(found.mean_seconds - wanted) <= wanted * _NEAR:
            break
        # What messages bring takes a moment that no look makes shorter.
        looks *= (found.mean_seconds - MESSAGE_SECONDS) / (wanted - MESSAGE_SECONDS)
        found = _lived(looks)
    return Row(interval_seconds, WORLD.calendars * DAY_SECONDS / interval_seconds, found)


def _lived(looks_a_second: float) -> Plan:
    *_, found = planning.plan(replace(WORLD, looks_a_second=looks_a_second, shortest_seconds=1.0))
    assert found is not None  # noqa: S101 (a plan comes last)
    return found


def messages_alone() -> Plan:
    """Nobody looks by the clock."""
    return _lived(0.0)


def table(rows: list[Row], alone: Plan) -> str:
    """The rows as Markdown."""
    lines = [
        "| looks at fixed intervals of | a change is seen after, mean | requests a day | syncer's, as fresh | ÷ "
        "| p99 fixed | p99 syncer |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {one.interval_seconds / 60:.0f} min | {one.ours.mean_seconds:,.0f} s | {one.fixed_requests:,.0f} "
        f"| {one.ours.requests_a_day:,.0f} | {one.ratio:.1f} | {one.interval_seconds * 0.99:,.0f} s "
        f"| {one.ours.p99_seconds:,.0f} s |"
        for one in rows
    ]
    lines.append(
        f"| messages alone | {alone.mean_seconds:,.0f} s | {alone.requests_a_day:,.0f} | | | "
        f"| {alone.p99_seconds:,.0f} s |"
    )
    return "\n".join(lines)


def main() -> int:
    """Prints the table, and keeps it on the page."""
    rows = []
    for minutes in INTERVALS_MINUTES:
        print(f"as fresh as every {minutes} min …", file=sys.stderr)
        rows.append(row(minutes * 60.0))
    made = table(rows, messages_alone())
    print(made)
    page = PAGE.read_text("utf-8")
    before, _, rest = page.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{made}\n\n{END}{rest.partition(END)[2]}", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
