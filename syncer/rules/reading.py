"""How a cursor moves: what a read is pinned to, when it starts over, and where it stands after a page.

While a full read under a new pin is under way its cursor says `old>new`: what the links were made under, and what the
read's own pages were. A pin that changes in the middle of any read is thus seen by the next look, which starts over.
"""

import hashlib
from datetime import datetime

import msgspec
from msgspec import structs

from syncer.model.calendar import Calendar, Cursor, Page, Policy
from syncer.model.errors import Unreadable


def pin(calendar: Calendar, policy: Policy) -> str:
    """Fingerprint of what a sync token belongs to: client, subject, calendar, window and matchers."""
    parts = (calendar.credential, calendar.subject, calendar.google_id, policy.window, policy.matchers)
    return hashlib.blake2b(msgspec.json.encode(parts), digest_size=12).hexdigest()


def begun(calendar: Calendar, policy: Policy, now: datetime) -> Cursor:
    """The cursor to look with: the one there is, or the start of a full read under a new generation."""
    cursor, current = calendar.cursor, pin(calendar, policy)
    is_fresh = cursor.sync_token is None and cursor.page_token is None
    own = _own(cursor)
    if not is_fresh and own in ("", current):
        return cursor
    return structs.replace(
        cursor,
        sync_token=None,
        page_token=None,
        generation=cursor.generation + 1,
        is_full_read=True,
        read_from=now - policy.window,
        pin=cursor.pin if own == current else f"{own}>{current}",
    )


def is_repinned(calendar: Calendar, policy: Policy) -> bool:
    """Something that the cursor is pinned to has changed since some of its links were made."""
    return any(part not in ("", pin(calendar, policy)) for part in calendar.cursor.pin.split(">"))


def _own(cursor: Cursor) -> str:
    """What the read under way, or else the sync token, is pinned to."""
    return cursor.pin.rpartition(">")[2]


def advanced(calendar: Calendar, page: Page, policy: Policy) -> Cursor:
    """The calendar's cursor after this page. The sync token moves with the last page only.

    A cursor that is pinned to nothing yet is pinned to what there is now; any other keeps what its read began with.
    Raises Unreadable on a last page without a sync token: an answer that is broken, for nothing we ask suppresses it.
    Source: Calendar API, "Synchronize resources efficiently".
    """
    cursor = calendar.cursor
    if page.next_page_token is not None:
        return structs.replace(cursor, page_token=page.next_page_token)
    if page.next_sync_token is None:
        raise Unreadable("Google", 200, "a last page without a sync token")
    own = _own(cursor) or pin(calendar, policy)
    return structs.replace(cursor, sync_token=page.next_sync_token, page_token=None, is_full_read=False, pin=own)
