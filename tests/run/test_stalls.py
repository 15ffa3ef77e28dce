"""What holds up the loop is counted and named, and what does not is left in peace."""

import asyncio
import gc
import threading
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from itertools import count

import pytest
import structlog.testing

from syncer.model.errors import SyncerError
from syncer.run import stalls
from syncer.run.stalls import Stalls
from syncer.together import Together
from tests.run.worker import until


def block(seconds: float) -> None:
    """Holds up whoever calls, as a slow parse would."""
    until_at = time.monotonic() + seconds
    while time.monotonic() < until_at:
        pass


async def blocked(_: Sequence[None]) -> Sequence[None]:
    block(0.2)
    return [None]


async def found(watched: Stalls, number: int) -> None:
    """So many stalls have been counted."""

    async def holds() -> bool:
        return watched.count >= number

    await until(holds)


@pytest.fixture
async def watched() -> AsyncIterator[Stalls]:
    gc.disable()  # a collection is a stall like any other
    async with stalls.watching() as made:
        yield made
    gc.enable()


async def test_a_blocking_call_is_found_measured_and_named(watched: Stalls) -> None:
    work: Together[None, None] = Together(blocked, broken_off=partial(SyncerError, "broken off"), most=1)
    with structlog.testing.capture_logs() as lines:
        await work(None)
        await found(watched, 1)
    (line,) = [line for line in lines if "together.py" in line["where"]]
    assert (line["event"], line["where"].split(":")[:2]) == ("loop stalled", ["syncer/together.py", "_go"])
    assert 100 < line["ms"] <= watched.longest_ms + 1


async def test_a_stall_in_foreign_code_is_named_by_its_place(watched: Stalls) -> None:
    with structlog.testing.capture_logs() as lines:
        block(0.2)
        await found(watched, 1)
    assert lines[0]["where"].startswith("run/test_stalls.py:block:")


async def test_a_call_that_keeps_pythons_lock_is_found_too(watched: Stalls) -> None:
    with structlog.testing.capture_logs() as lines:
        while watched.count == 0:
            sum(range(10_000_000))  # in C, and nothing of Python's runs beside it
            await asyncio.sleep(0.001)
    assert lines[0]["where"].startswith("run/test_stalls.py:test_a_call_that_keeps_pythons_lock_is_found_too:")


async def test_a_loop_that_waits_and_works_in_small_pieces_is_no_stall(watched: Stalls) -> None:
    numbers = count()

    async def is_enough() -> bool:
        block(0.002)
        return next(numbers) > 50

    await until(is_enough)
    # Not 0: a machine that is busy with others may let this process wait for its turn.
    assert watched.longest_ms < 100


def test_a_place_is_told_once_a_minute_and_counted_always() -> None:
    made = Stalls()
    with structlog.testing.capture_logs() as lines:
        for seconds, where, at in ((0.02, "a", 0), (0.05, "a", 1), (0.03, "b", 2), (0.02, "a", 59), (0.02, "a", 61)):
            made.note(seconds, where, at)
    assert [(line["where"], line["ms"], line["untold"]) for line in lines] == [("a", 20, 0), ("b", 30, 0), ("a", 20, 2)]
    assert (made.count, made.longest_ms) == (5, 50)


def test_of_many_places_a_few_are_told_a_minute() -> None:
    made = Stalls()
    with structlog.testing.capture_logs() as lines:
        for number in range(20):
            made.note(0.02, f"place {number}", number)
        made.note(0.02, "place 19", 62)
    assert [(line["where"], line["untold"]) for line in lines] == [
        *((f"place {number}", 0) for number in range(4)),
        ("place 19", 1),
    ]


def test_they_are_summed_up_if_there_were_any() -> None:
    made = Stalls()
    with structlog.testing.capture_logs() as lines:
        made.sum_up()
        made.note(0.02, "a", 0)
        made.sum_up()
    assert [(line["event"], line["ms"]) for line in lines] == [("loop stalled", 20), ("loop stalls in all", 20)]


async def test_watching_ends_with_its_block() -> None:
    async with stalls.watching():
        assert "stall watch" in {thread.name for thread in threading.enumerate()}
    assert "stall watch" not in {thread.name for thread in threading.enumerate()}
