"""What is read at the beginning and at the end of what is measured, and what lies between."""

import asyncio
import ctypes
import gc
import time
import tracemalloc
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from bench import machine

_BEAT_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class Reading:
    """CPU of this process and of Postgres, the canned Google's counts, the database's numbers, all at one moment."""

    at: float
    client_seconds: float
    postgres_seconds: float
    counts: dict[str, Any]
    numbers: dict[str, int]


def between(before: Reading, after: Reading) -> dict[str, Any]:
    """What happened from one reading to the other."""
    counts = {
        name: after.counts[name] - value for name, value in before.counts.items() if isinstance(value, int | float)
    }
    numbers = {name: after.numbers[name] - value for name, value in before.numbers.items()}
    counts["server_seconds"] = counts.pop("cpu_seconds")
    return {
        **counts,
        **numbers,
        "wall_seconds": after.at - before.at,
        "client_seconds": after.client_seconds - before.client_seconds,
        "postgres_seconds": after.postgres_seconds - before.postgres_seconds,
    }


class Gauge:
    """Reads it all. root: the canned Google's, without TLS. postgres_pid: of the postmaster."""

    def __init__(self, root: str, postgres_pid: int) -> None:
        self._address = urlsplit(root)
        self._postgres_pid = postgres_pid

    async def read(self, numbers: dict[str, int]) -> Reading:
        """One reading. numbers: what the database says just now."""
        counts = await self.counts()
        postgres = machine.family_cpu_seconds(self._postgres_pid)
        return Reading(time.perf_counter(), machine.cpu_seconds(), postgres, counts, numbers)

    async def counts(self) -> dict[str, Any]:
        """What the canned Google has counted."""
        reader, writer = await asyncio.open_connection(self._address.hostname, self._address.port)
        try:
            writer.write(b"GET /bench HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
            counted: dict[str, Any] = orjson.loads(await reader.readexactly(length))
        finally:
            writer.close()
        return counted


def settled_bytes() -> int:
    """Resident memory, once what is not needed has gone back to the system."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return machine.resident_bytes()


class Heart:
    """Beats each millisecond. Between two beats the loop did something else.

    longest_seconds: by the clock, others on the machine included. longest_cpu_seconds: by our own thread's work.
    """

    def __init__(self) -> None:
        self.longest_seconds = self.longest_cpu_seconds = 0.0
        self._loop = asyncio.get_running_loop()
        self._beat_at, self._worked = self._loop.time(), time.thread_time()
        self._next = self._loop.call_later(_BEAT_SECONDS, self._beat)

    def _beat(self) -> None:
        now, worked = self._loop.time(), time.thread_time()
        self.longest_seconds = max(self.longest_seconds, now - self._beat_at - _BEAT_SECONDS)
        self.longest_cpu_seconds = max(self.longest_cpu_seconds, worked - self._worked)
        self._beat_at, self._worked = now, worked
        self._next = self._loop.call_later(_BEAT_SECONDS, self._beat)

    def stop(self) -> None:
        """Beats no more."""
        self._next.cancel()


def traced_bytes() -> int:
    """What Python has allocated and not given back."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
