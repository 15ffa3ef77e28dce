"""aiogoogle as its pages show it: `async with` around a piece of work, here a hundred calls, fifty at once."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from aiogoogle.auth.creds import UserCreds
from aiogoogle.client import Aiogoogle
from aiogoogle.resource import GoogleAPI

from bench.canned import names
from bench.peers import discovered, looks

IS_ON_UVLOOP = False
_CALLS_A_BLOCK = 100


@asynccontextmanager
async def opened(root: str) -> looks.Looks:
    """The API as `discover` gives it, from the document in Google's own Python client."""
    api = GoogleAPI(discovered.document(root))  # type: ignore[no-untyped-call]
    expires_at = (datetime.now(UTC) + timedelta(hours=2)).replace(tzinfo=None).isoformat()

    async def one(google: Any, turns: asyncio.Semaphore, number: int) -> None:
        user = UserCreds(access_token=looks.token(number), expires_at=expires_at)  # type: ignore[no-untyped-call]
        async with turns:
            request = api.events.list(calendarId=names.calendar_id(number), syncToken=looks.SYNC_TOKEN)
            looks.check(await google.as_user(request, user_creds=user))

    async def look(numbers: range) -> int:
        for first in range(0, len(numbers), _CALLS_A_BLOCK):
            block = numbers[first : first + _CALLS_A_BLOCK]
            turns = asyncio.Semaphore(looks.AT_ONCE)
            async with Aiogoogle() as google:
                await asyncio.gather(*(one(google, turns, number) for number in block))
        return len(numbers)

    yield look
