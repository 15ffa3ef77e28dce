"""One page of a calendar, written down: pages that wait at the same moment make one statement."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from uuid import UUID

import msgspec
from msgspec import structs

from syncer.model.calendar import CalendarKey, Cursor, Event, Exclusion, Lease, Value
from syncer.model.errors import FencedOut, StoreBusy, StoreError, StoreRefused, StoreUnavailable, SyncerError
from syncer.store import group, statements
from syncer.store.database import Database

_SQL = statements.of("calendars")


class LinkPut(Value, frozen=True):
    """A link to write.

    is_new: there was none from this event to this meeting. is_news: the conference is touched. is_users: people
    changed the event, not only we; then history tells of it, with this detail.
    """

    event: Event
    meeting_id: str
    is_new: bool
    is_news: bool
    is_users: bool
    detail: dict[str, object] = msgspec.field(default_factory=dict)


class LinkDrop(Value, frozen=True):
    """A link to remove, and the meeting that loses it. detail: what history tells of it beside the reason."""

    event_id: str
    meeting_id: str
    reason: str
    is_detaching: bool
    detail: dict[str, object] = msgspec.field(default_factory=dict)


class NotePut(Value, frozen=True):
    """An entry that makes no link. kind: set_aside or guest."""

    event_id: str
    kind: str
    etag: str
    reason: str


class PageCommit(Value, frozen=True):
    """What one page says.

    event_ids: every entry on it. losses: meetings that lose a link to another meeting, or whose occurrences changed.
    sees_details: what was read shows what a writer sees; None leaves what was known of that. ends_full_read: it is the
    last page of one. excluded: occurrences that do not take place. included: those that do again, by master and
    original start, None for all of a master.
    """

    cursor: Cursor
    puts: tuple[LinkPut, ...]
    drops: tuple[LinkDrop, ...]
    notes: tuple[NotePut, ...]
    losses: tuple[str, ...]
    event_ids: tuple[str, ...]
    time_zone: str | None = None
    sees_details: bool | None = None
    ends_full_read: bool = False
    excluded: tuple[Exclusion, ...] = ()
    included: tuple[tuple[str, str | None], ...] = ()


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
    ends_full_read: bool
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
    detail: dict[str, object]


class _DropRow(msgspec.Struct, gc=False):
    tenant_id: int
    calendar_id: int
    event_id: str
    meeting_id: str
    reason: str
    is_detaching: bool
    detail: dict[str, object]


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


Said = tuple[CalendarKey, PageCommit]
Outcome = list[int] | SyncerError


class _ExcludedRow(msgspec.Struct, gc=False):
    tenant_id: int
    calendar_id: int
    master_id: str
    original_start: str
    event_id: str
    meeting_id: str | None


class _IncludedRow(msgspec.Struct, gc=False):
    tenant_id: int
    calendar_id: int
    master_id: str
    original_start: str | None


@dataclass(frozen=True, slots=True)
class _Written:
    """Pages that wait together, no two of which write the same. rows: JSON for each parameter of the statement."""

    pages: Sequence[Said]
    rows: tuple[bytes, ...]


async def commit_page(database: Database, lease: Lease, key: CalendarKey, page: PageCommit) -> list[int]:
    """Writes one page down; gives the ids of the conferences that it touched.

    Raises FencedOut, with nothing written, when the lease is another's.
    """
    (outcome,) = await commit_pages(database, lease, [(key, page)])
    if isinstance(outcome, SyncerError):
        raise outcome
    return outcome


async def commit_pages(database: Database, lease: Lease, pages: Sequence[Said]) -> list[Outcome]:
    """Writes down a page each of many calendars; gives for each the ids of the conferences that it touched.

    Instead of them the error of one that was not written down, which says nothing of the others.
    """
    outcomes: list[Outcome] = [_broken_off() for _ in pages]
    left = list(range(len(pages)))
    while left:
        turn = _apart(pages, left)
        for place, outcome in zip(turn, await _committed(database, lease, [pages[at] for at in turn]), strict=True):
            outcomes[place] = outcome
        taken = set(turn)
        left = [place for place in left if place not in taken]
    return outcomes


def _apart(pages: Sequence[Said], places: Sequence[int]) -> list[int]:
    """Those of them that can go in one statement: no two write the same."""
    taken: set[Hashable] = set()
    turn: list[int] = []
    for place in places:
        keys = set(_keys(*pages[place]))
        if taken.isdisjoint(keys):
            turn.append(place)
        taken |= keys  # also of one that is left out: what comes after it stays after it
    return turn


async def _committed(database: Database, lease: Lease, pages: Sequence[Said]) -> Sequence[Outcome]:
    try:
        return await group.ask(database, _PAGES, _Written(pages, _rows(lease, pages)))
    except (StoreRefused, StoreBusy) as error:
        if len(pages) == 1:
            return [error]
    except StoreError as error:
        return [error] * len(pages)
    # One of them is to blame, and is found by halving.
    half = len(pages) // 2
    return [*await _committed(database, lease, pages[:half]), *await _committed(database, lease, pages[half:])]


async def _commit(database: Database, together: Sequence[_Written]) -> list[list[Outcome]]:
    parameters = [group.joined(parts) for parts in zip(*(written.rows for written in together), strict=True)]
    row = await database.first(_SQL["commit_pages"], *parameters)
    ours = set(row["ours"]) if row is not None else set()
    count = sum(len(written.pages) for written in together)
    outcomes: list[Outcome] = [[] if place in ours else _fenced_out() for place in range(1, count + 1)]
    if row is not None and row["places"]:
        for place, conference_id in zip(row["places"], row["conference_ids"], strict=True):
            touched = outcomes[place - 1]
            if isinstance(touched, list):
                touched.append(conference_id)
    each = iter(outcomes)
    return [list(islice(each, len(written.pages))) for written in together]


def _keys(key: CalendarKey, page: PageCommit) -> Iterator[Hashable]:
    """What must be of one page alone in a statement: its calendar, and each meeting, whose owner is the first."""
    yield key
    for put in page.puts:
        yield put.meeting_id
    for drop in page.drops:
        yield drop.meeting_id
    yield from page.losses


def _written_by(written: _Written) -> Iterator[Hashable]:
    return chain.from_iterable(_keys(key, page) for key, page in written.pages)


def _size(written: _Written) -> int:
    return sum(
        1 + len(page.puts) + len(page.drops) + len(page.notes) + len(page.excluded) + len(page.included)
        for _, page in written.pages
    )


def _broken_off() -> StoreUnavailable:
    return StoreUnavailable("A page was not written down: it was broken off before its turn.")


def _fenced_out() -> FencedOut:
    return FencedOut("A page was not written down: another worker serves the project now.")


_PAGES = group.Kind(_commit, keys=_written_by, rows=_size)


def _rows(lease: Lease, pages: Sequence[Said]) -> tuple[bytes, ...]:
    cursors: list[_PageRow] = []
    puts: list[_PutRow] = []
    drops: list[_DropRow] = []
    losses: list[_LossRow] = []
    notes: list[_NoteRow] = []
    excluded: list[_ExcludedRow] = []
    included: list[_IncludedRow] = []
    for key, page in pages:
        tenant_id, calendar_id = key.tenant_id, key.calendar_id
        cursors.append(_page_row(lease, key, page))
        for put in page.puts:
            event = put.event
            said = (put.is_new, put.is_news, put.is_users, put.detail)
            puts.append(_PutRow(tenant_id, calendar_id, event.event_id, put.meeting_id, event, *said))
        drops += [_DropRow(tenant_id, calendar_id, *structs.astuple(drop)) for drop in page.drops]
        losses += [_LossRow(tenant_id, calendar_id, meeting_id) for meeting_id in page.losses]
        notes += [_NoteRow(tenant_id, calendar_id, *structs.astuple(note)) for note in page.notes]
        excluded += [_ExcludedRow(tenant_id, calendar_id, *structs.astuple(one)) for one in page.excluded]
        included += [_IncludedRow(tenant_id, calendar_id, *occurrence) for occurrence in page.included]
    return tuple(group.rows(rows) for rows in (cursors, puts, drops, losses, notes, excluded, included))


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
        page.ends_full_read,
        page.event_ids,
    )
