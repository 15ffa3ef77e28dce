"""What can happen in a world: one table of moves with their weights, and the lists of moves that a seed stands for."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from syncer.simulator.conferencing.faults import Fault
from syncer.simulator.google import faults as google_faults
from syncer.simulator.people import edits, script
from syncer.simulator.people.edits import Person, now_ms
from syncer.simulator.people.faces import calendar_path, event_path
from syncer.simulator.people.record import CREATIONS, AnyKind, Json, Kind, Place, Reference, SeriesKind, kinds_of
from tests.world import quiet, telling
from tests.world.registering import Backend
from tests.world.stage import GRACE, GUARD_CALENDAR, TURN, Stage, settle

_EDITS: Mapping[AnyKind, float] = {
    **script.WEIGHTS,
    **dict.fromkeys(SeriesKind, 2.0),
    SeriesKind.CREATE_SERIES: 1.0,
    SeriesKind.CANCEL_INSTANCE: 4.0,
    SeriesKind.RESTORE_INSTANCE: 3.0,
    SeriesKind.GAIN_CONFERENCE: 3.0,
}
_LONGEST_SECONDS = 0.8
_HELD_SECONDS = 0.2
_POLL_SECONDS = 0.003
_PAUSE_SECONDS = 0.25
_STOPPED_AT_MOST = 2
_WRITE = {"conferenceDataVersion": "1", "sendUpdates": "all"}
_SAFE = timedelta(minutes=2)
_TEXT = re.compile(r"([a-z0-9_ ]+)@(\d+)#(\d+)")
_CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'syncer'
"""


@dataclass(frozen=True, slots=True)
class Move:
    """name: in the table. seat: number of a calendar, modulo how many there are. roll: all other chance of it."""

    name: str
    seat: int
    roll: int

    def __str__(self) -> str:
        return f"{self.name}@{self.seat}#{self.roll}"

    def place(self, stage: Stage) -> Place:
        """The calendar it is about."""
        return stage.places[self.seat % len(stage.places)]

    def person(self, stage: Stage) -> Person:
        """Whoever edits that calendar, with chance of this move's own: other moves may go, and it stays the same."""
        return Person(stage.town.world, self.place(stage), random.Random(f"{stage.seed}:{self}"))


Act = Callable[[Stage, Move], Awaitable[None]]


async def edit(stage: Stage, move: Move, *, kind: AnyKind) -> None:
    """Somebody edits their calendar, and makes a new event where nothing stands that could have such an edit."""
    world, person = stage.town.world, move.person(stage)
    if kind is SeriesKind.RESTORE_INSTANCE and not world.record.called_off:
        kind = SeriesKind.CANCEL_INSTANCE
    where = None if kind in CREATIONS else await world.target(kind, person.place, person.chance)
    if _is_in_two_steps(kind, where) and move.roll % 2:
        # Half of them make their second step late enough for the worker to see the first.
        person.pause_seconds = _PAUSE_SECONDS
        await stage.jump(TURN)
        stage.worker.gate.open()
    if kind is Kind.DELETE and where is not None:
        stage.bin.append((where, world.record.meant[where], world.now()))
    if where is None and kind not in CREATIONS:
        kind = SeriesKind.CREATE_SERIES if isinstance(kind, SeriesKind) else Kind.CREATE
    await edits.make(person, kind, where)
    stage.worker.gate.shut()


def _is_in_two_steps(kind: AnyKind, where: Reference | None) -> bool:
    is_undoing = kind in (Kind.UNDELETE, SeriesKind.UNDELETE_SERIES) and where is not None
    return is_undoing or kind is SeriesKind.GAIN_CONFERENCE


async def bring_back(stage: Stage, _: Move) -> None:
    """Somebody takes the event out of the bin that was deleted last, unless its meeting may be gone by now."""
    world = stage.town.world
    if stage.bin and world.now() - stage.bin[-1][2] < GRACE - _SAFE:
        where, meant, _at = stage.bin.pop()
        google = world.google[world.place_of(where).owner]
        path = event_path(where.calendar_id, where.event_id)
        await google.call("PATCH", path, query=_WRITE, body={"status": "confirmed"})
        world.record.put(where, meant, now_ms())


async def clear(stage: Stage, move: Move) -> None:
    """Somebody clears a whole calendar on which the service knows more events than may go at once."""
    world = stage.town.world
    primary = [place for place in stage.places if place.is_primary]
    place = primary[move.seat % len(primary)]
    await settle(stage, place, GUARD_CALENDAR + 2, f"{stage.seed}:{move}")
    await quiet.rest(stage, reads_back=False)
    sent_ms = now_ms()
    await world.google[place.owner].call("POST", f"{calendar_path(place.calendar_id)}/clear")
    for where in [where for where in world.record.meant if where.calendar_id == place.calendar_id]:
        world.record.remove(where, sent_ms)


async def go_on(stage: Stage, move: Move) -> None:
    """The worker passes some points."""
    await _let_go(stage, points=1 + move.roll % 40)


async def go_to(stage: Stage, _: Move, *, point: str) -> None:
    """The worker goes on until it comes to a point of that name, or finds nothing more to do."""
    await _let_go(stage, until=point)


async def move_unseen(stage: Stage, move: Move) -> None:
    """An event moves to a calendar that the service cannot see just now, and its grace passes."""
    for place in stage.town.world.neighbours(move.place(stage)):
        stage.lost.add(place.calendar_id)
        await stage.share(place, "none")
    await edit(stage, move, kind=Kind.MOVE_CALENDAR)
    await _let_go(stage)
    await stage.jump(GRACE + _SAFE)
    await _let_go(stage)


async def _let_go(stage: Stage, *, until: str | None = None, points: int | None = None) -> None:
    await stage.jump(TURN)
    worker, since = stage.worker, stage.town.clock.now().timestamp()
    rescues = worker.rescues
    worker.gate.is_reading_back = until in _OF_READINGS
    worker.gate.open(until=until, points=points)
    # While something is held there is always something left to do.
    longest_seconds = _HELD_SECONDS if worker.gate.is_holding else _LONGEST_SECONDS
    deadline = asyncio.get_running_loop().time() + longest_seconds
    while not worker.gate.is_shut and asyncio.get_running_loop().time() < deadline:
        if worker.serves(len(stage.places)) and worker.is_idle(since, rescues):
            break
        if worker.rescues < rescues + 2:
            worker.hurry()
        await asyncio.sleep(_POLL_SECONDS)
    worker.gate.shut()


async def hold(stage: Stage, _: Move) -> None:
    """What the worker was stopped at stays where it is, and the rest of the worker will go on."""
    stage.worker.gate.hold()


async def let_go(stage: Stage, _: Move) -> None:
    """What was held goes on with the rest."""
    stage.worker.gate.let_go()


async def kill(stage: Stage, _: Move) -> None:
    """The worker ends where it stands, and another one starts."""
    stage.interruptions += 1
    await stage.workers.pop().kill()
    await stage.add_worker()


async def freeze(stage: Stage, _: Move) -> None:
    """The worker stops where it stands, its lease runs out, and another one takes over."""
    if len(stage.workers) <= _STOPPED_AT_MOST:
        stage.interruptions += 1
        stage.worker.gate.shut()
        await stage.add_worker()


async def wake(stage: Stage, _: Move) -> None:
    """Workers that were stopped go on where they stood."""
    await quiet.wake(stage)


async def rest(stage: Stage, move: Move) -> None:
    """Everything comes to rest; now and then meetings are read back too."""
    await quiet.rest(stage, reads_back=move.roll % 3 == 0)


async def google_fails(stage: Stage, _: Move, *, fault: str) -> None:
    """The next request of the worker that can have it has this fault."""
    stage.interruptions += 1
    if fault in google_faults.TOKENS:
        await stage.town.google("POST", "expire-access-tokens", {"spare_people": True})
    armed = (await stage.town.google("GET", "faults"))["next"]
    await stage.town.google("PUT", "faults", {"next": {**armed, fault: 1}})


async def vendor_fails(stage: Stage, _: Move, *, fault: Fault) -> None:
    """The next call of the worker to the provider has this fault."""
    stage.interruptions += 1
    await stage.town.vendor("PUT", "faults", {"next": {fault.value: 1}})


async def forget(stage: Stage, _: Move) -> None:
    """All sync tokens that were given are worthless."""
    await stage.town.google("POST", "forget", {"before": None})


async def cut(stage: Stage, _: Move) -> None:
    """Postgres ends all connections of the workers."""
    stage.interruptions += 1
    await stage.ground.admin.execute(_CUT)


async def break_off(stage: Stage, _: Move, *, point: str) -> None:
    """The call, or the statement, that the worker comes to there next is broken off."""
    stage.interruptions += 1
    stage.worker.gate.breaks = point


async def jump(stage: Stage, _: Move, *, span: timedelta) -> None:
    """It is later."""
    await stage.jump(span)


async def lose(stage: Stage, move: Move, *, role: str) -> None:
    """The service loses its access to a calendar, or sees free and busy only, until all comes to rest."""
    place = move.place(stage)
    stage.lost.add(place.calendar_id)
    await stage.share(place, role)


async def regain(stage: Stage, _: Move) -> None:
    """The service has its access again; what is parked waits for its time."""
    for place in [place for place in stage.places if place.calendar_id in stage.lost]:
        await stage.share(place, "writer")
    stage.lost.clear()


POINTS = {
    "after look": 4.0,
    "before commit_pages": 3.0,
    "after commit_pages": 4.0,
    "after known": 1.0,
    "after several": 3.0,
    "before update": 3.0,
    "after update": 4.0,
    "before record": 2.0,
    "after record": 2.0,
    "before patch": 3.0,
    "after patch": 3.0,
    "before wrote_back": 1.0,
    "after wrote_back": 1.0,
    "after read": 2.0,
    "after get": 2.0,
    "before delete": 2.0,
    "after delete": 2.0,
    "after left_behind": 1.0,
    "after restart": 1.0,
    "after failed": 0.5,
    "after waiting": 1.0,
    "after take": 0.5,
    "after renew": 0.5,
    "before doubt": 0.5,
}
"""Points worth being stopped at, by weight."""
_OF_READINGS = frozenset({"after read", "before patch", "after patch", "before wrote_back", "after wrote_back"})


def _table() -> dict[str, tuple[float, Act]]:
    kinds = kinds_of()
    edited = {kind.value: (_EDITS.get(kind, 2.0), partial(edit, kind=kind)) for kind in kinds}
    points = {f"to {point}": (weight, partial(go_to, point=point)) for point, weight in POINTS.items()}
    google = {f"google {fault}": (1.0, partial(google_fails, fault=fault)) for fault in google_faults.KINDS}
    # What is refused for good stays as it was, and worlds are to come right.
    faults = [fault for fault in Fault if fault is not Fault.REFUSED]
    vendor = {f"vendor {fault.value}": (1.0, partial(vendor_fails, fault=fault)) for fault in faults}
    others: dict[str, tuple[float, Act]] = {
        "go on": (4.0, go_on),
        "rest": (3.0, rest),
        "kill": (6.0, kill),
        "freeze": (6.0, freeze),
        "wake": (3.0, wake),
        "hold": (6.0, hold),
        "let go": (3.0, let_go),
        "bring back": (2.0, bring_back),
        "forget": (2.0, forget),
        "cut": (2.0, cut),
        "clear": (0.5, clear),
        "move unseen": (1.0, move_unseen),
        "jump 11 minutes": (4.0, partial(jump, span=timedelta(minutes=11))),
        "jump 3 hours": (1.0, partial(jump, span=timedelta(hours=3))),
        "lose all": (1.5, partial(lose, role="none")),
        "lose details": (1.0, partial(lose, role="freeBusyReader")),
        "regain": (1.0, regain),
    }
    return {**_shared(edited, 42), **_shared(points, 26), **_shared(google, 7), **_shared(vendor, 4), **others}


def _shared(moves: Mapping[str, tuple[float, Act]], weight: float) -> dict[str, tuple[float, Act]]:
    """The same moves, weighing so much together."""
    total = sum(own for own, _ in moves.values())
    return {name: (own * weight / total, act) for name, (own, act) in moves.items()}


async def messages(stage: Stage, _: Move, *, ways: Json) -> None:
    """Something becomes of Google's messages from now on, until all comes to rest."""
    if stage.telling is not None:
        await stage.telling.set(ways)


async def receiver_goes(stage: Stage, _: Move) -> None:
    """Nobody takes messages, until all comes to rest."""
    if stage.telling is not None:
        await stage.telling.go()


async def receiver_comes(stage: Stage, _: Move) -> None:
    """Messages are taken again."""
    if stage.telling is not None:
        await stage.telling.come(stage.settings)


async def register(stage: Stage, move: Move) -> None:
    """A vendor's backend tells of a calendar, and of the meeting of some event there, new to us or not."""
    if (backend := _backend(stage)) is not None:
        place, meant = move.place(stage), stage.town.world.record.meant
        await backend.calendar(place)
        known = [where for where, how in meant.items() if where.calendar_id == place.calendar_id and how.meeting_id]
        if known:
            where = random.Random(f"{stage.seed}:{move}").choice(known)
            await backend.conference(place, str(meant[where].meeting_id), where.event_id)


async def create_registered(stage: Stage, move: Move, *, vanishes: bool = False) -> None:
    """Somebody makes an event with a meeting that is registered; vanishes: and deletes it before anybody looks."""
    person = move.person(stage)
    made = await edits.make(person, Kind.CREATE, None)
    if (backend := _backend(stage)) is None:
        return
    await backend.conference(person.place, made.meeting_id, made.where.event_id)
    if vanishes:
        await edits.make(person, Kind.DELETE, made.where)


async def register_unsaved(stage: Stage, move: Move) -> None:
    """Somebody adds a meeting to an event and then never saves it."""
    if (backend := _backend(stage)) is not None:
        place = move.place(stage)
        start, end = "2027-03-01T09:00:00+01:00", "2027-03-01T10:00:00+01:00"
        body = {"external_key": f"unsaved {move}", "title": "Unsaved", "start": start, "end": end}
        made = await stage.town.world.vendors[place.tenant].create(body)
        await backend.conference(place, str(made["id"]), None)


async def say_changed(stage: Stage, move: Move) -> None:
    """A vendor's backend says that something changed on a calendar."""
    if (backend := _backend(stage)) is not None:
        await backend.changed(move.place(stage))


def _backend(stage: Stage) -> Backend | None:
    """Who registers, where anybody takes what is registered."""
    return stage.backend if stage.telling is not None and stage.telling.is_there else None


TABLE = _table()
"""Moves that are drawn: the weight of each and what it does, by name."""
_TOLD_POINTS = ("before watch", "after watch", "before ask", "after ask", "after open", "before stop", "after stop")
TOLD: Mapping[str, Act] = {
    **{name: partial(messages, ways=ways) for name, ways in telling.WAYS.items()},
    **{f"to {point}": partial(go_to, point=point) for point in (*_TOLD_POINTS, "before forget", "after pages")},
    "receiver goes": receiver_goes,
    "receiver comes": receiver_comes,
}
"""Moves of worlds with notifications. They stand beside the table, so that the other worlds stay as they were."""
REGISTERED: Mapping[str, Act] = {
    "register": register,
    "create registered": create_registered,
    "create in vain": partial(create_registered, vanishes=True),
    "register unsaved": register_unsaved,
    "say changed": say_changed,
}
"""Moves of those among them whose vendors register."""
BEGINNING: Mapping[str, Act] = {
    f"break off {point}": partial(break_off, point=point)
    for point in ("before commit_pages", "before record", "before watch", "after watch")
}
"""Moves that are in no table either, but in rows with which worlds begin."""
ALL: Mapping[str, Act] = {**{name: act for name, (_, act) in TABLE.items()}, **TOLD, **REGISTERED, **BEGINNING}
"""Every move there is, by name."""


async def make(stage: Stage, move: Move) -> None:
    """Have one move happen."""
    await ALL[move.name](stage, move)


def said(moves: Iterable[Move]) -> str:
    """Moves as a text that `heard` understands."""
    return "; ".join(map(str, moves))


def heard(text: str) -> Sequence[Move]:
    """Moves from a text. Raises ValueError with a sentence when it holds something else."""
    found: list[Move] = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        match = _TEXT.fullmatch(part)
        if match is None or match[1] not in ALL:
            raise ValueError(f"{part!r} is no move: write NAME@SEAT#ROLL, with a name of {__name__}.ALL.")
        found.append(Move(match[1], int(match[2]), int(match[3])))
    return found
