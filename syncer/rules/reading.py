"""How a cursor moves: what a read is pinned to, when it starts over, and where it stands after a page."""

import hashlib
from dataclasses import replace
from datetime import datetime

import msgspec

from syncer.model.calendar import Calendar, Cursor, Page, Policy
from syncer.model.errors import Unreadable


def pin(calendar: Calendar, policy: Policy) -> str:
    """Fingerprint of what a sync token belongs to: client, subject, calendar, window and matchers."""
    parts = (calendar.credential, calendar.subject, calendar.google_id, policy.window, policy.matchers)
    return hashlib.blake2b(msgspec.json.encode(parts), digest_size=12).hexdigest()


def begun(calendar: Calendar, policy: Policy, now: datetime) -> Cursor:
    """The cursor to look with: the one there is, or the start of a full read under a new generation."""
    cursor = calendar.cursor
    is_fresh = cursor.sync_token is None and cursor.page_token is None
    if not is_fresh and not is_repinned(calendar, policy):
        return cursor
    return replace(
        cursor,
        sync_token=None,
        page_token=None,
        generation=cursor.generation + 1,
        is_full_read=True,
        read_from=now - policy.window,
    )


def is_repinned(calendar: Calendar, policy: Policy) -> bool:
    """Something that the cursor is pinned to has changed since it was made."""
    return calendar.cursor.pin not in ("", pin(calendar, policy))


def advanced(cursor: Cursor, page: Page, current_pin: str) -> Cursor:
    """The cursor after this page. The sync token moves with the last page only.

    Raises Unreadable on a last page without a sync token: an answer that is broken, for nothing we ask suppresses it.
    Source: Calendar API, "Synchronize resources efficiently".
    """
    if page.next_page_token is not None:
        return replace(cursor, page_token=page.next_page_token)
    if page.next_sync_token is None:
        raise Unreadable("Google", 200, "a last page without a sync token")
    return replace(cursor, sync_token=page.next_sync_token, page_token=None, is_full_read=False, pin=current_pin)
