"""What every peer is asked to do, and how one shows that it did."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager

from bench.canned import names

# Looks at the calendars of these numbers; gives how many were answered well.
Look = Callable[[range], Awaitable[int]]
# Opens a client of the API at a root.
Peer = Callable[[str], AbstractAsyncContextManager[Look]]
Looks = AsyncIterator[Look]

AT_ONCE = 50
SYNC_TOKEN = "CPj0000000000_5EDEPj0000000000_5EDGAUg"  # noqa: S105 (a place in a calendar's history)
# What syncer asks for; the peers that are written by hand ask for the same.
FIELDS = "nextPageToken,nextSyncToken,accessRole,timeZone,items"


class WrongAnswerError(Exception):
    """A look was answered with something else than a quiet page."""


def check(page: Mapping[str, object]) -> None:
    """Raises WrongAnswerError unless this is the quiet page that was asked for."""
    if page.get("items") or not page.get("nextSyncToken"):
        raise WrongAnswerError("A look was not answered with a quiet page that has a sync token.")


def path(number: int, *, fields: str = FIELDS) -> str:
    """Path and query of one look."""
    calendar = names.calendar_id(number).replace("@", "%40")
    return (
        f"/calendar/v3/calendars/{calendar}/events?singleEvents=false&maxResults=2500&syncToken={SYNC_TOKEN}"
        f"&prettyPrint=false&quotaUser={number:040x}&fields={fields.replace(',', '%2C')}"
    )


def token(number: int) -> str:
    """The access token of one calendar's user."""
    return f"ya29.c.{number:0120d}"
