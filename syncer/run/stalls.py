"""Stall watch: whether something holds up the loop, for how long, and which of our lines it is.

A thread looks at the loop's thread: every 20 ms while that waits for work, and that is all then, for nothing of the
loop's is touched; every 4 ms while something runs there. Then the loop is asked to answer, and an answer that takes
more than 10 ms is a stall. So is a look that comes as much too late, because something held Python's lock. While the
loop works, a stall of more than 15 ms is found for sure; out of idleness, one of more than 30. Shorter ones are found
by chance. No values are looked at, only places.
"""

import asyncio
import math
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import structlog

log = structlog.get_logger()
STALL_SECONDS = 0.010
_IDLE_SECONDS, _BUSY_SECONDS = 0.020, 0.004
# So many looks at a loop that waits make it idle: one that works waits now and then.
_LOOKS_TO_IDLE = 5
_TELL_SECONDS = 60.0
# On a crowded machine every line is a stall now and then.
_MOST_A_MINUTE = 4
_FRAMES = 3
_OURS = str(Path(__file__).parents[1])
# Where Python stands while the loop waits: uvloop waits in C below the runner, the standard library's in `select`.
_LOOPS = ("asyncio/runners.py", "asyncio/base_events.py", "asyncio/events.py", "selectors.py")
_NOWHERE = "no code of Python's: the process waited for its turn"


@dataclass(slots=True)
class _Place:
    """told_at: monotonic seconds. untold: stalls there since."""

    told_at: float
    untold: int = 0


class Stalls:
    """What was found since the start. count: stalls of more than 10 ms. longest_ms: the longest of them."""

    def __init__(self) -> None:
        self.count = 0
        self.longest_ms = 0.0
        self._places: dict[str, _Place] = {}
        self._told_at: list[float] = []

    def sum_up(self) -> None:
        """Tells how many there were, if any."""
        if self.count:
            log.info("loop stalls in all", pieces=self.count, ms=round(self.longest_ms))

    def note(self, seconds: float, where: str, at: float) -> None:
        """Counts one, and tells of it unless its place, or a few others, were told of within the last minute.

        at: monotonic seconds.
        """
        self.count += 1
        self.longest_ms = max(self.longest_ms, seconds * 1000)
        place = self._places.get(where)
        self._told_at = [told_at for told_at in self._told_at if at - told_at < _TELL_SECONDS]
        is_fresh = place is None or at - place.told_at >= _TELL_SECONDS
        if not is_fresh or len(self._told_at) >= _MOST_A_MINUTE:
            self._places[where] = _Place(place.told_at if place else -math.inf, (place.untold if place else 0) + 1)
            return
        self._told_at.append(at)
        self._places[where] = _Place(at)
        log.warning("loop stalled", ms=round(seconds * 1000), where=where, untold=place.untold if place else 0)


@asynccontextmanager
async def watching() -> AsyncIterator[Stalls]:
    """Watches the running loop for as long as the block lasts."""
    watch = _Watch(asyncio.get_running_loop())
    thread = threading.Thread(target=watch.run, name="stall watch", daemon=True)
    thread.start()
    try:
        yield watch.stalls
    finally:
        watch.is_over = True
        await asyncio.to_thread(thread.join)
        watch.stalls.sum_up()


class _Watch:
    """The thread's side. Made in the thread of the loop that it watches."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.stalls = Stalls()
        self.is_over = False
        self._loop = loop
        self._thread_id = threading.get_ident()
        self._answered = threading.Event()
        self._answered_at = 0.0

    def run(self) -> None:
        """Looks until it is over, or the loop is closed."""
        idle = _LOOKS_TO_IDLE
        try:
            while not self.is_over:
                pause = _IDLE_SECONDS if idle >= _LOOKS_TO_IDLE else _BUSY_SECONDS
                looks_at = time.monotonic() + pause
                time.sleep(pause)
                frame = self._frame()
                idle += 1
                if frame is not None and not _is_of_loop(frame):
                    self._ask(looks_at, frame)
                    idle = 0
        except RuntimeError:  # the loop was closed in the middle of it
            return

    def _ask(self, looks_at: float, frame: FrameType) -> None:
        # This thread comes late when the loop's has kept Python to itself, in C, up to the line where it stands now.
        asked_at = min(looks_at, time.monotonic())
        where = _where(frame) if time.monotonic() - looks_at > STALL_SECONDS else None
        self._answered.clear()
        self._loop.call_soon_threadsafe(self._answer)
        if not self._answered.wait(STALL_SECONDS):
            where = where or _where(self._frame())
            while not self._answered.wait(1.0):
                if self._loop.is_closed():
                    return
        seconds = self._answered_at - asked_at
        if where is not None and seconds > STALL_SECONDS:
            self._loop.call_soon_threadsafe(self.stalls.note, seconds, where, self._answered_at)

    def _frame(self) -> FrameType | None:
        return sys._current_frames().get(self._thread_id)  # noqa: SLF001 (its documented name)

    def _answer(self) -> None:
        self._answered_at = time.monotonic()
        self._answered.set()


def _is_of_loop(frame: FrameType) -> bool:
    return frame.f_code.co_filename.endswith(_LOOPS)


def _where(frame: FrameType | None) -> str:
    """Our innermost frames above the loop, innermost first, or what else runs there."""
    frames: list[FrameType] = []
    while frame is not None and not _is_of_loop(frame):
        frames.append(frame)
        frame = frame.f_back
    ours = [one for one in frames if one.f_code.co_filename.startswith(_OURS)]
    return " < ".join(_place(one) for one in (ours or frames)[:_FRAMES]) or _NOWHERE


def _place(frame: FrameType) -> str:
    path = Path(frame.f_code.co_filename)
    return f"{path.parent.name}/{path.name}:{frame.f_code.co_name}:{frame.f_lineno}"
