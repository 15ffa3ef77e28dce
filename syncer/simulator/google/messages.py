"""The messages that channels bring: one to each live channel of each calendar that a commit changed, over real HTTP.

What becomes of a message is drawn when it is born; its delay is real time. The messages of one channel go in order,
each when the one before it was answered or has waited long enough. They go to loopback addresses only, which `channels`
sees to, and are sent for as long as the application is served.
Facts: Calendar API, "Push notifications".
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email.utils import format_datetime

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from syncer.simulator.google.channels import Channel, Channels
from syncer.simulator.google.diary import Diary, Note
from syncer.simulator.google.notifying import Notifying
from syncer.simulator.google.times import Json
from syncer.simulator.google.world import World

AGENT = "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)"
TAKEN = frozenset({102, 200, 201, 202, 204})
AGAIN = frozenset({500, 502, 503, 504})
PATIENCE_SECONDS = 1.0
"""How long a message waits for the answer to the one before it."""
FATES = ("announced", "sent", "taken", "lost", "silent", "withdrawn", "dropped", "retried", "unanswered")
MISHAPS = ("duplicated", "several", "reordered", "after_stop")


@dataclass(frozen=True, slots=True)
class Draw:
    """What chance decided about one message, each from 0 to 1."""

    loss: float
    duplicate: float
    reorder: float
    silence: float
    delay: float
    second_delay: float

    @classmethod
    def of(cls, chance: random.Random) -> Draw:
        """As many draws for each message, whatever the settings."""
        return cls(*(chance.random() for _ in range(6)))


@dataclass(slots=True)
class Message:
    """One message on its way. change_number: the newest change that it tells of. born_ms: monotonic.

    after: the one before it on its channel. held: set when a later one was sent, None when it is not held back.
    overtakes: held ones that it sets free. is_spared: whether it may go though its channel was stopped. begun, tried:
    set when its first attempt begins and ends.
    """

    channel: Channel
    state: str
    number: int
    change_number: int
    born_ms: float
    delay_seconds: float
    after: Message | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    tried: asyncio.Event = field(default_factory=asyncio.Event)
    held: asyncio.Event | None = None
    overtakes: list[asyncio.Event] = field(default_factory=list)
    is_copy: bool = False
    is_spared: bool = False


@dataclass(slots=True)
class Line:
    """The order of one channel's messages. newest: the last in order. held: of those not yet overtaken."""

    newest: Message | None = None
    held: list[asyncio.Event] = field(default_factory=list)

    def join(self, message: Message, *, is_held: bool) -> None:
        """Put a message at its end, or hold it back until the next one was sent."""
        if is_held:
            message.held = asyncio.Event()
            self.held.append(message.held)
            return
        message.after, self.newest = self.newest, message
        message.overtakes, self.held = self.held, []


class Messages:
    """Tells the channels what changed. Settings and channels are in `channels`."""

    def __init__(self, world: World, channels: Channels, diary: Diary) -> None:
        self.channels = channels
        self._world = world
        self._diary = diary
        self._session: ClientSession | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._greetings: list[Message] = []
        self._lines: dict[Channel, Line] = {}
        self._counts: Counter[str] = Counter()
        self._answered: Counter[str] = Counter()

    async def open(self, _: web.Application) -> AsyncIterator[None]:
        """Can send for as long as its application is served."""
        async with ClientSession(headers={"User-Agent": AGENT}, trust_env=False) as self._session:
            yield
            for task in self._sending:
                task.cancel()
            await asyncio.gather(*self._sending, return_exceptions=True)
            self._session = None

    def commit(self) -> list[Message]:
        """Tell what was changed since the last commit; the answers are not waited for.

        Gives the sync messages of channels that were opened since, for `around`.
        """
        changed, self._world.changed = self._world.changed, {}
        for calendar_id in changed:
            self.tell(calendar_id)
        greetings, self._greetings = self._greetings, []
        return greetings

    def tell(self, calendar_id: str) -> int:
        """Tell a calendar's channels that something changed, whether or not; gives how many. Users who lost access
        to the calendar are told nothing.
        """
        calendar = self._world.calendars[calendar_id]
        told = [one for one in self.channels.told_of(calendar_id) if one.opener.subject in calendar.acl]
        for channel in told:
            is_told_twice = channel.chance.random() < self._settings.several
            self._counts["several"] += is_told_twice
            for _ in range(1 + is_told_twice):
                for message in self._born(channel, "exists"):
                    self._start(message)
        return len(told)

    def greet(self, channel: Channel) -> None:
        """Make the sync message of a new channel."""
        self._greetings += self._born(channel, "sync")

    @asynccontextmanager
    async def around(self, greetings: Sequence[Message]) -> AsyncIterator[None]:
        """Send sync messages after the answer that is made in this block, or, if so set, before it."""
        is_first = self._settings.sync_first
        if is_first:
            await self._greet_first(greetings)
        try:
            yield
        finally:
            for message in () if is_first else greetings:
                # It runs when the caller's turn is over, and by then the answer is written.
                self._start(message)

    def as_json(self) -> Json:
        """The settings, and what became of messages and channels so far."""
        return {
            "settings": self._settings.as_json(),
            "counts": {name: self._counts[name] for name in (*FATES, *MISHAPS)},
            "answered": dict(sorted(self._answered.items())),
            "waiting": len(self._sending),
            "channels": self.channels.counts(),
        }

    @property
    def _settings(self) -> Notifying:
        return self.channels.settings

    async def _greet_first(self, greetings: Sequence[Message]) -> None:
        for message in greetings:
            message.delay_seconds = 0.0
            self._start(message)
        for message in greetings:
            await _at_most(self._settings.answer_seconds, message.tried)

    def _born(self, channel: Channel, state: str) -> list[Message]:
        """What is to be sent for one new message: nothing, it, or it twice."""
        settings, draw, number = self._settings, Draw.of(channel.chance), channel.next_number()
        delay_seconds = _between(settings.delay_seconds, draw.delay)
        message = Message(channel, state, number, self._world.number, time.monotonic() * 1000, delay_seconds)
        message.is_spared = self._spare(channel)
        self._counts["announced"] += 1
        if state == "exists" and draw.silence < settings.falls_silent:
            channel.is_silent = True
        for fate, is_so in (("silent", self.channels.is_silent(channel)), ("lost", draw.loss < settings.loss)):
            if is_so:
                self._end(message, fate)
                return []
        line = self._lines.setdefault(channel, Line())
        is_held = draw.reorder < settings.reorder
        self._counts["reordered"] += is_held
        line.join(message, is_held=is_held)
        if draw.duplicate >= settings.duplicate:
            return [message]
        self._counts["duplicated"] += 1
        delay_seconds = _between(settings.delay_seconds, draw.second_delay)
        copy = Message(channel, state, number, message.change_number, message.born_ms, delay_seconds, is_copy=True)
        copy.is_spared = message.is_spared
        line.join(copy, is_held=is_held)
        return [message, copy]

    def _start(self, message: Message) -> None:
        if self._session is None:
            return
        task = asyncio.get_running_loop().create_task(self._bring(message, self._session))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _bring(self, message: Message, session: ClientSession) -> None:
        try:
            await asyncio.sleep(message.delay_seconds)
            await self._in_turn(message)
            message.begun.set()
            is_over = await self._attempt(message, session, 1)
        finally:
            message.begun.set()
            message.tried.set()
            for held in message.overtakes:
                held.set()
        settings, attempt = self._settings, 2
        while not is_over:
            await asyncio.sleep(settings.first_pause_seconds * 2 ** (attempt - 2))
            self._counts["retried"] += 1
            is_over = await self._attempt(message, session, attempt)
            attempt += 1

    async def _in_turn(self, message: Message) -> None:
        if message.after is not None:
            await message.after.begun.wait()
            await _at_most(PATIENCE_SECONDS, message.after.tried)
            # Else each message would keep all that went before it.
            message.after = None
        if message.held is not None:
            await _at_most(self._settings.reorder_seconds, message.held)

    async def _attempt(self, message: Message, session: ClientSession, attempt: int) -> bool:
        """Try to bring a message; whether that was the end of it."""
        if not self._may_go(message):
            self._end(message, "withdrawn", attempt=attempt)
            return True
        self._counts["sent"] += 1
        status = await self._status(message, session)
        self._answered[str(status or "none")] += 1
        self._counts["unanswered"] += status == 0
        self._counts["after_stop"] += message.is_spared
        if status in TAKEN:
            self._end(message, "taken", status=status, attempt=attempt)
            return True
        is_again = status in AGAIN or (status == 0 and self._settings.retry_unanswered)
        if not is_again or attempt >= self._settings.attempts:
            self._end(message, "dropped", status=status, attempt=attempt)
            return True
        self._note(message, "again", status=status, attempt=attempt)
        return False

    def _may_go(self, message: Message) -> bool:
        message.is_spared = message.is_spared or self._spare(message.channel)
        state = message.channel.state(self._world.clock.now())
        return state == "live" or (state == "stopped" and message.is_spared)

    def _spare(self, channel: Channel) -> bool:
        """Whether a message may go though its channel was stopped; only so many may."""
        is_spared = channel.is_stopped and channel.left_after_stop > 0
        channel.left_after_stop -= is_spared
        return is_spared

    async def _status(self, message: Message, session: ClientSession) -> int:
        """The answer's status; 0 when there was none."""
        seconds = self._settings.answer_seconds
        # Not in total: a message that waits for a free connection was not sent yet.
        timeout = ClientTimeout(total=None, sock_connect=seconds, sock_read=seconds)
        address, headers = message.channel.address, headers_of(message)
        try:
            async with session.post(
                address, headers=headers, timeout=timeout, allow_redirects=False, skip_auto_headers=("Content-Type",)
            ) as answer:
                return answer.status
        except (ClientError, OSError, TimeoutError):
            return 0

    def _end(self, message: Message, fate: str, *, status: int = 0, attempt: int = 0) -> None:
        self._counts[fate] += 1
        self._note(message, fate, status=status, attempt=attempt)

    def _note(self, message: Message, fate: str, *, status: int, attempt: int) -> None:
        channel = message.channel
        note = Note("POST", channel.address.path, actor="google", kind="notification", status=status)
        note.subject, note.calendar_id = channel.opener.subject, channel.calendar_id
        note.marks = {
            "channel_id": channel.id,
            "state": message.state,
            "number": message.number,
            "attempt": attempt,
            "fate": fate,
            "copy": message.is_copy,
            "change_number": message.change_number,
            "born_ms": message.born_ms,
        }
        self._diary.write(note)


def headers_of(message: Message) -> dict[str, str]:
    """The headers of a message, which has no body."""
    channel = message.channel
    token = {"X-Goog-Channel-Token": channel.token} if channel.token else {}
    return token | {
        "X-Goog-Channel-ID": channel.id,
        "X-Goog-Channel-Expiration": format_datetime(channel.expires_at, usegmt=True),
        "X-Goog-Resource-ID": channel.resource_id,
        "X-Goog-Resource-URI": channel.resource_uri,
        "X-Goog-Resource-State": message.state,
        "X-Goog-Message-Number": str(message.number),
    }


async def _at_most(seconds: float, event: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _between(bounds: tuple[float, float], drawn: float) -> float:
    return bounds[0] + (bounds[1] - bounds[0]) * drawn
