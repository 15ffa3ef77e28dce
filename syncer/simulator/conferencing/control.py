"""The control face, for tests and demos: open accounts, say whom they tell of changes, read the diary, set faults."""

import re
from typing import Any

from aiohttp import web

from syncer.simulator.conferencing.changes import TELLER, Destination, Mishaps
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


async def set_destination(request: web.Request) -> web.Response:
    """Whom an account tells what its own users change: a URL and the tenant's name there, or a URL of null."""
    account = request.app[VENDOR].accounts.get(request.match_info["slug"])
    if account is None:
        raise Refusal(404, "There is no account of that name.")
    destination = convert(parse(await request.read()), Destination)
    account.changes_url, account.changes_tenant = destination.url, destination.tenant or account.slug
    return answer({"url": account.changes_url, "tenant": account.changes_tenant})


async def read_faults(request: web.Request) -> web.Response:
    """What is set, and how often each kind of fault happened; of calls that tell of changes under `changes`."""
    return answer(_faults(request))


async def set_faults(request: web.Request) -> web.Response:
    """The faults as they are set after it. `changes` replaces what happens to calls that tell of changes."""
    content = parse(await request.read())
    mishaps = convert(content.pop("changes"), Mishaps) if "changes" in content else None
    request.app[VENDOR].faults.set(convert(content, Settings))
    if mishaps is not None:
        request.app[TELLER].mishaps = mishaps
    return answer(_faults(request))


def _faults(request: web.Request) -> dict[str, Any]:
    return {**request.app[VENDOR].faults.as_json(), "changes": request.app[TELLER].as_json()}
