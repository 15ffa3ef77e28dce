"""One page of a calendar, written down: pages that wait at the same moment make one statement."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from syncer.model.calendar import CalendarKey, Cursor, Event, Lease, Value
from syncer.model.errors import FencedOut
from syncer.store import group, statements
from syncer.store.database import Database

_SQL = statements.of("calendars")


class LinkPut(Value, frozen=True):
    """A link to write.

    is_new: there was none from this event to this meeting. is_news: the conference is touched. is_users: people
    changed the event, not only we.
    """

    event: Event
    meeting_id: str
    is_new: bool
    is_news: bool
    is_users: bool


class LinkDrop(Value, frozen=True):
    """A link to remove, and the meeting that loses it."""

    event_id: str
    meeting_id: str
    reason: str
    is_detaching: bool


class NotePut(Value, frozen=True):
    """An entry that makes no link. kind: set_aside, guest or series."""

    event_id: str
    kind: str
    etag: str
    reason: str


@dataclass(frozen=True, slots=True)
class PageCommit:
    """What one page says.

    event_ids: every entry on it. losses: meetings that lose a link to another meeting. sees_details: what was read
    shows what a writer sees; None leaves what was known of that.
    """

    cursor: Cursor
    puts: tuple[LinkPut, ...]
    drops: tuple[LinkDrop, ...]
    notes: tuple[NotePut, ...]
    losses: tuple[str, ...]
    event_ids: tuple[str, ...]
    time_zone: str | None = None
    sees_details: bool | None = None


class _PageRow(msgspec.Struct, gc=False):
    project_id: int
    owner: UUID
    epoch: int
    tenant_id: int
    calendar_id: int
    sync_token: str | None
    page_token: str | None
    generation: int
    is_full_read: bool
    read_from: datetime | None
    pin: str
    time_zone: str | None
    sees_details: bool | None
    event_ids: tuple[str, ...]


class _PutRow(msgspec.Struct, gc=False):
    tenant_id: int
    calendar_id: int
    event_id: str
    meeting_id: str
    event: Event
    is_new: bool
    is_news: bool
    is_users: bool


class _DropRow(msgspec.Struct, gc=False):
    tenant_id: int
    calendar_id: int
    event_id: str
    meeting_id: str
    reason: str
    is_detaching: bool


class _LossRow(msgspec.Struct, gc=False):
    tenant_id: int
    calendar_id: int
    meeting_id: str


class _NoteRow(msgspec.Struct, gc=False):
    tenant_id: int
    calendar_id: int
    event_id: str
    kind: str
    etag: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Written:
    """A page that waits. rows: JSON for each parameter of the statement."""

    key: CalendarKey
    page: PageCommit
    rows: tuple[bytes, bytes, bytes, bytes, bytes]


async def commit_page(database: Database, lease: Lease, key: CalendarKey, page: PageCommit) -> list[int]:
    """Writes one page down; gives the ids of the conferences that it touched.

    Raises FencedOut, with nothing written, when the lease is another's.
    """
    return await group.ask(database, _PAGES, _Written(key, page, _rows(lease, key, page)))


async def _commit_pages(database: Database, pages: Sequence[_Written]) -> list[list[int] | FencedOut]:
    parameters = [group.joined(parts) for parts in zip(*(page.rows for page in pages), strict=True)]
    row = await database.first(_SQL["commit_pages"], *parameters)
    ours = set(row["ours"]) if row is not None else set()
    outcomes: list[list[int] | FencedOut] = [
        [] if place in ours else _fenced_out() for place in range(1, len(pages) + 1)
    ]
    if row is not None and row["places"]:
        for place, conference_id in zip(row["places"], row["conference_ids"], strict=True):
            touched = outcomes[place - 1]
            if isinstance(touched, list):
                touched.append(conference_id)
    return outcomes


def _written_by(written: _Written) -> Iterator[Hashable]:
    """What must be of one page alone in a statement: its calendar, and each meeting, whose owner is the first."""
    page = written.page
    yield written.key
    for put in page.puts:
        yield put.meeting_id
    for drop in page.drops:
        yield drop.meeting_id
    yield from page.losses


def _size(written: _Written) -> int:
    page = written.page
    return 1 + len(page.puts) + len(page.drops) + len(page.notes)


def _fenced_out() -> FencedOut:
    return FencedOut("A page was not written down: another worker serves the project now.")


_PAGES = group.Kind(_commit_pages, keys=_written_by, rows=_size)


def _rows(lease: Lease, key: CalendarKey, page: PageCommit) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    where = (key.tenant_id, key.calendar_id)
    return (
        group.rows([_page_row(lease, key, page)]),
        group.rows(
            [
                _PutRow(*where, put.event.event_id, put.meeting_id, put.event, put.is_new, put.is_news, put.is_users)
                for put in page.puts
            ]
        ),
        group.rows(
            [_DropRow(*where, drop.event_id, drop.meeting_id, drop.reason, drop.is_detaching) for drop in page.drops]
        ),
        group.rows([_LossRow(*where, meeting_id) for meeting_id in page.losses]),
        group.rows([_NoteRow(*where, note.event_id, note.kind, note.etag, note.reason) for note in page.notes]),
    )


def _page_row(lease: Lease, key: CalendarKey, page: PageCommit) -> _PageRow:
    cursor = page.cursor
    return _PageRow(
        lease.project_id,
        lease.owner,
        lease.epoch,
        key.tenant_id,
        key.calendar_id,
        cursor.sync_token,
        cursor.page_token,
        cursor.generation,
        cursor.is_full_read,
        cursor.read_from,
        cursor.pin,
        page.time_zone,
        page.sees_details,
        page.event_ids,
    )
