"""Reads calendars that Google exported as iCalendar files; what cannot be read is named, never dropped unseen."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from icalendar.parser import Contentlines

from syncer.simulator.ics_entry import Unusable, event_of, zone_named


class NotAnExport(ValueError):
    """A file that is no iCalendar export; the message says which file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """An entry that was not imported, and why; `uid` is empty if it has none, and the file's name for its lost end."""

    uid: str
    reason: str

    def __str__(self) -> str:
        """What was left out and why, without a full stop."""
        return f"{self.uid or 'an entry without UID'}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Export:
    """One exported calendar.

    time_zone: IANA name. events: Google Event resources, in the file's order, ids unique.
    singles, masters, exceptions: how many of each `events` holds.
    """

    time_zone: str
    events: tuple[dict[str, Any], ...]
    skipped: tuple[Skipped, ...]
    singles: int
    masters: int
    exceptions: int


@dataclass(frozen=True, slots=True)
class Block:
    """A component of a calendar: its unfolded lines, BEGIN and END included."""

    name: str
    lines: tuple[str, ...]
    is_closed: bool

    def uid(self) -> str:
        """The entry's UID, read without judging the rest of it."""
        for line in self.lines:
            if line.upper().startswith("UID:"):
                return line[len("UID:") :]
        return ""


def read(path: Path, *, organizer: str) -> Export:
    """The calendar in a file, each event organized by the given address, for exports name no organizer.

    Raises NotAnExport when the file as a whole cannot be read; a bad entry is only skipped.
    """
    lines = _lines(path)
    time_zone = _time_zone(path, lines)
    events: dict[str, dict[str, Any]] = {}
    skipped: list[Skipped] = []
    for block in _blocks(lines):
        try:
            event = _event(block, time_zone, organizer)
        except Unusable as error:
            skipped.append(Skipped(block.uid(), str(error)))
            continue
        if events.setdefault(event["id"], event) is not event:
            skipped.append(Skipped(block.uid(), "an earlier entry has the same id"))
    if lines[-1].strip().upper() != "END:VCALENDAR":
        skipped.append(Skipped(path.name, "it breaks off before its END:VCALENDAR, so whatever followed is missing"))
    return _export(time_zone, events.values(), skipped)


def earliest_at(exports: Iterable[Export]) -> datetime:
    """When the earliest event of all starts, aware UTC; an all-day one starts at its calendar's midnight.

    Raises ValueError when there is no event at all.
    """
    starts = [_start_at(event, export.time_zone) for export in exports for event in export.events]
    if not starts:
        raise ValueError("The exports hold no event that could be imported.")
    return min(starts)


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise NotAnExport(f"{path} cannot be opened: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise NotAnExport(f"{path} is not an iCalendar export: it is not UTF-8 text.") from error
    unfolded = Contentlines.from_ical(text)  # type: ignore[no-untyped-call]
    lines = [str(line) for line in unfolded if line.strip()]
    if not lines or lines[0].strip().upper() != "BEGIN:VCALENDAR":
        raise NotAnExport(f"{path} is not an iCalendar export: it does not begin with BEGIN:VCALENDAR.")
    return lines


def _time_zone(path: Path, lines: list[str]) -> str:
    """The calendar's own zone, UTC if it names none."""
    for line in lines:
        if line.upper().startswith("X-WR-TIMEZONE"):
            name = line.partition(":")[2].strip()
            if zone_named(name) is None:
                raise NotAnExport(f"{path} cannot be imported: its X-WR-TIMEZONE is not an IANA zone name.")
            return name
    return "UTC"


def _blocks(lines: list[str]) -> Iterator[Block]:
    """The calendar's direct components but its time zones, whose rules we take from the IANA names."""
    gathered: list[str] = []
    names: list[str] = []
    for line in lines:
        mark, _, name = line.strip().upper().partition(":")
        if mark == "BEGIN":
            names.append(name)
        if len(names) > 1:
            gathered.append(line)
        if mark == "END" and names:
            ended = names.pop()
            if len(names) == 1:
                yield from _unless_zone(Block(ended, tuple(gathered), is_closed=ended == name))
                gathered = []
    if gathered:
        yield from _unless_zone(Block(names[1], tuple(gathered), is_closed=False))


def _unless_zone(block: Block) -> Iterator[Block]:
    if block.name != "VTIMEZONE":
        yield block


def _event(block: Block, time_zone: str, organizer: str) -> dict[str, Any]:
    if block.name != "VEVENT":
        raise Unusable("it is not a VEVENT")
    if not block.is_closed:
        raise Unusable("it has no END:VEVENT of its own")
    return event_of(block.lines, time_zone=time_zone, organizer=organizer)


def _export(time_zone: str, events: Iterable[dict[str, Any]], skipped: list[Skipped]) -> Export:
    kept = tuple(events)
    masters = sum("recurrence" in event for event in kept)
    exceptions = sum("recurringEventId" in event for event in kept)
    singles = len(kept) - masters - exceptions
    return Export(time_zone, kept, tuple(skipped), singles, masters, exceptions)


def _start_at(event: dict[str, Any], time_zone: str) -> datetime:
    start = event["start"]
    if "date" in start:
        return datetime.fromisoformat(start["date"]).replace(tzinfo=ZoneInfo(time_zone)).astimezone(UTC)
    return datetime.fromisoformat(start["dateTime"]).astimezone(UTC)
