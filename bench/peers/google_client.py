"""google-api-python-client: the loop of Google's quickstart, one call after another."""

from contextlib import asynccontextmanager

from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build_from_document

from bench.canned import names
from bench.peers import discovered, looks

IS_ON_UVLOOP = False


@asynccontextmanager
async def opened(root: str) -> looks.Looks:
    """One client for all calendars, which is kinder to it than one for each user."""
    credentials = Credentials(looks.token(0))  # type: ignore[no-untyped-call]
    client = build_from_document(discovered.document(root), credentials=credentials)

    async def look(numbers: range) -> int:
        for number in numbers:
            request = client.events().list(calendarId=names.calendar_id(number), syncToken=looks.SYNC_TOKEN)
            looks.check(request.execute())
        return len(numbers)

    yield look
