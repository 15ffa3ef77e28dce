"""Stall watch: whether something holds up the loop, for how long, and which of our lines it is.

The loop beats every 4 ms, which costs it some microseconds, and tells by how late it is. A thread looks as often; when
a beat is late it notes where the loop's thread stands. A stall of more than 12 ms is counted for sure, and none of less
than 8. No values are looked at, only places.
"""

import asyncio
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
_BEAT_SECONDS = 0.004
# A beat may come just before the stall begins, or be due just after it began.
_GAP_SECONDS = STALL_SECONDS + _BEAT_SECONDS / 2
_TELL_SECONDS = 60.0
_FRAMES = 3
_OURS = str(Path(__file__).parents[1])
# Where Python stands while the loop waits: uvloop waits in C below the runner, the standard library's in `select`.
_LOOPS = ("asyncio/runners.py", "asyncio/base_events.py", "asyncio/events.py", "selectors.py")
_NOWHERE = "no code of Python's: the process waited for its turn"
_UNSEEN = "not seen: it was over too soon"


@dataclass(slots=True)
class _Place:
    """told_at: monotonic seconds. untold: stalls there since."""

    told_at: float
    untold: int = 0


class Stalls:
    """What was found since the start. count: of stalls. longest_ms: the longest of them."""

    def __init__(self) -> None:
        self.count = 0
        self.longest_ms = 0.0
        self._places: dict[str, _Place] = {}

    def sum_up(self) -> None:
        """Tells how many there were, if any."""
        if self.count:
            log.info("loop stalls in all", pieces=self.count, ms=round(self.longest_ms))

    def note(self, seconds: float, where: str, at: float) -> None:
        """Counts one, and tells of it unless its place was told of within the last minute. at: monotonic seconds."""
        self.count += 1
        self.longest_ms = max(self.longest_ms, seconds * 1000)
        place = self._places.get(where)
        if place is not None and at - place.told_at < _TELL_SECONDS:
            place.untold += 1
            return
        self._places[where] = _Place(at)
        log.warning("loop stalled", ms=round(seconds * 1000), where=where, untold=place.untold if place else 0)


@asynccontextmanager
async def watching() -> AsyncIterator[Stalls]:
    """Watches the running loop for as long as the block lasts."""
    watch = _Watch(asyncio.get_running_loop())
    thread = threading.Thread(target=watch.run, name="stall watch", daemon=True)
    watch.beat()
    thread.start()
    try:
        yield watch.stalls
    finally:
        watch.is_over = True
        await asyncio.to_thread(thread.join)
        watch.stalls.sum_up()


class _Watch:
    """Made in the thread of the loop that it watches. run: the other thread's side."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.stalls = Stalls()
        self.is_over = False
        self._loop = loop
        self._thread_id = threading.get_ident()
        self._beat_at = time.monotonic()
        self._seen: str | None = None

    def beat(self) -> None:
        """The loop is at work; how long that took, and the next beat."""
        now = time.monotonic()
        gap = now - self._beat_at
        if gap > _GAP_SECONDS:
            self.stalls.note(gap, self._seen or _UNSEEN, now)
        self._beat_at, self._seen = now, None
        if not self.is_over:
            self._loop.call_later(_BEAT_SECONDS, self.beat)

    def run(self) -> None:
        """Looks until it is over."""
        while not self.is_over:
            time.sleep(_BEAT_SECONDS)
            if self._seen is None and time.monotonic() - self._beat_at > 2 * _BEAT_SECONDS:
                frame = sys._current_frames().get(self._thread_id)  # noqa: SLF001 (its documented name)
                self._seen = _NOWHERE if frame is None or _is_of_loop(frame) else _where(frame)


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
