"""What one tenant costs another: how long the small wait beside one that is huge, and beside one whose provider hangs.

How long looks wait is lived by the clock of the rules and not measured, so it comes out the same on any machine. What a
hanging provider does to others is measured: the whole service, one change at a time, with and without it.
"""

import asyncio
import heapq
import math
import statistics
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bench import measuring, report, rows
from bench.measuring import Bench
from bench.ours.stage import World
from bench.rows import Ours, Size
from syncer.model.calendar import CalendarKey
from syncer.rules.schedule import Schedule

PAGE = report.FOLDER / "README.md"
BEGIN, END = "<!-- fairness: made by `make fairness` -->", "<!-- end of fairness -->"
BIG, SMALL_TENANTS, SMALL = 100_000, 200, 10
# 10,000 requests a minute, of which looks by the clock may take nine tenths, in sweeps of fifty.
LOOKS_A_SECOND, AT_ONCE = 150.0, 50
CYCLE_SECONDS, LIVED_SECONDS, ANSWERED_SECONDS = 60.0, 1800.0, 0.2
_BEGINS_AT = datetime(2026, 12, 1, tzinfo=UTC)
_ROUNDS = Size(3, 1.0, 3.0)
_DELAY = next(ours for ours in rows.OURS if ours.name == "delay")
# Of the ten tenants the first has the provider that hangs.
_HANGING = Ours("hanging", "hanging", World(1_000), {"looks": "single", "hung": 100})


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds from due to looked at, of the small tenants' calendars."""

    p50: float
    p99: float
    longest: float


class Life:
    """Small tenants, each of whose calendars is due once a cycle, and perhaps a huge one all of whose are due at once.

    is_fair: tenants take turns.
    """

    def __init__(self, *, big: int, is_fair: bool = True) -> None:
        self._tenants = [0] * big + [1 + number // SMALL for number in range(SMALL_TENANTS * SMALL)]
        tenant_of = self._tenants.__getitem__ if is_fair else lambda _: 0
        self._schedule = Schedule(CYCLE_SECONDS, tenant_of=tenant_of)
        self._due_at: dict[int, float] = {}
        self._waited: list[float] = []
        for slot, tenant in enumerate(self._tenants):
            self._schedule.keep(slot, CalendarKey(tenant + 1, slot), _BEGINS_AT, is_urgent=True)
            if tenant:
                self._put_off(slot, (slot - big) / (SMALL_TENANTS * SMALL) * CYCLE_SECONDS)

    def lived(self) -> Waits:
        """What came of it."""
        under_way: list[tuple[float, int]] = []
        for step in range(int(LIVED_SECONDS * LOOKS_A_SECOND / AT_ONCE)):
            now = step * AT_ONCE / LOOKS_A_SECOND
            while under_way and under_way[0][0] <= now:
                answered_at, slot = heapq.heappop(under_way)
                self._put_off(slot, answered_at + CYCLE_SECONDS)
            for slot in self._schedule.due(_at(now), AT_ONCE):
                if slot in self._due_at:
                    self._waited.append(now - self._due_at.pop(slot))
                heapq.heappush(under_way, (now + ANSWERED_SECONDS, slot))
        cuts = statistics.quantiles(self._waited, n=100, method="inclusive")
        return Waits(cuts[49], cuts[98], max(self._waited))

    def _put_off(self, slot: int, due: float) -> None:
        if self._tenants[slot]:
            self._due_at[slot] = due
        self._schedule.postpone(slot, _at(due))


def _at(seconds: float) -> datetime:
    return _BEGINS_AT + timedelta(seconds=seconds)


def round_seconds() -> float:
    """How long it takes until each tenant had its turn."""
    return math.ceil((SMALL_TENANTS + 1) / AT_ONCE) * AT_ONCE / LOOKS_A_SECOND


def waits_table(alone: Waits, beside: Waits, unfair: Waits) -> str:
    """The waits as Markdown."""
    named = (
        ("alone", alone),
        ("beside one with 100,000 that are all due", beside),
        ("the same, if nobody took turns", unfair),
    )
    most = max(alone.p99 + round_seconds(), alone.p99 * 1.2)
    lines = [
        "| 200 tenants with 10 calendars, due to looked at | p50 | p99 | longest |",
        "| --- | ---: | ---: | ---: |",
    ]
    lines += [f"| {name} | {_s(one.p50)} | {_s(one.p99)} | {_s(one.longest)} |" for name, one in named]
    kept = "✓" if beside.p99 <= most else "✗"
    return "\n".join([*lines, "", f"A round is {_s(round_seconds())}; the p99 may be {_s(most)} at most {kept}."])


def _s(seconds: float) -> str:
    return f"{seconds:,.2f} s"


async def delays(bench: Bench) -> tuple[list[list[float]], list[list[float]]]:
    """Milliseconds from a change seen to its provider called, by round: without a provider that hangs, and with one."""
    without, beside = [], []
    for number in range(bench.size.rounds):
        print(f"round {number + 1} …", file=sys.stderr)
        without.append((await bench.serve(_DELAY))["delays_ms"])
        beside.append((await bench.serve(_HANGING))["delays_ms"])
    return without, beside


def delays_table(without: list[list[float]], beside: list[list[float]]) -> str:
    """The delays as Markdown."""
    lines = [
        "| change seen → provider called, one change at a time | p50 | p99 | p99, least–most |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, found in (("alone", without), ("beside a tenant with 100 meetings whose provider hangs", beside)):
        half, most = _cuts(found, 50), _cuts(found, 99)
        lines.append(
            f"| {name} | {statistics.median(half):.1f} ms | {statistics.median(most):.1f} ms "
            f"| {min(most):.1f}–{max(most):.1f} ms |"
        )
    return "\n".join(lines)


def _cuts(found: Iterable[list[float]], percent: int) -> list[float]:
    return [statistics.quantiles(one, n=100, method="inclusive")[percent - 1] for one in found]


async def _measured() -> str:
    async with measuring.opened(_ROUNDS) as bench:
        return delays_table(*await delays(bench))


def main() -> int:
    """Prints the tables, and keeps them on the page."""
    lived = [Life(big=0).lived(), Life(big=BIG).lived(), Life(big=BIG, is_fair=False).lived()]
    made = f"{waits_table(*lived)}\n\n{asyncio.run(_measured())}"
    print(made)
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{made}\n\n{END}{rest.partition(END)[2]}", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
