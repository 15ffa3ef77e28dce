"""The control face, for tests and demos: open accounts, read the diary, set faults."""

import re

from aiohttp import web

from syncer.simulator.conferencing.faults import Settings
from syncer.simulator.conferencing.wire import VENDOR, Refusal, answer, convert, parse

SLUG = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


async def open_account(request: web.Request) -> web.Response:
    """An account's address and secrets: 201 for a new one, 200 for one that was there."""
    vendor = request.app[VENDOR]
    slug = parse(await request.read()).get("slug")
    if not isinstance(slug, str) or SLUG.fullmatch(slug) is None:
        raise Refusal(422, "`slug` is a text of 1 to 63 lower-case letters, digits and inner hyphens.")
    known = vendor.accounts.get(slug)
    account = known or vendor.open_account(slug)
    content = {
        "slug": slug,
        "webhook_url": str(request.url.origin().with_path(f"/accounts/{slug}/hooks/calendar")),
        "webhook_secret": account.webhook_secret,
        "api_token": account.api_token,
    }
    return answer(content, status=200 if known else 201)


async def read_diary(request: web.Request) -> web.Response:
    """The entries after number `after` (0 = all), oldest first."""
    text = request.query.get("after", "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Refusal(400, "`after` is the number of an entry.")
    return answer({"entries": request.app[VENDOR].diary.after(int(text))})


async def read_faults(request: web.Request) -> web.Response:
    """What is set, and how often each kind of fault happened."""
    return answer(request.app[VENDOR].faults.as_json())


async def set_faults(request: web.Request) -> web.Response:
    """The faults as they are set after it."""
    faults = request.app[VENDOR].faults
    faults.set(convert(parse(await request.read()), Settings))
    return answer(faults.as_json())
