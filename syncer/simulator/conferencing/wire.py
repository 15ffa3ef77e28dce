"""How the simulated conferencing system reads JSON and answers with it; refusals are RFC 9457 problems."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
import orjson
from aiohttp import web

from syncer.simulator.conferencing.vendor import Vendor

VENDOR: web.AppKey[Vendor] = web.AppKey("vendor", Vendor)
BODY_LIMIT_BYTES = 1024 * 1024
_PROBLEMS = "https://meet.example.org/problems/"
_NO_TYPE = "about:blank"

T = TypeVar("T")
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Refusal(Exception):
    """A request that is answered with a problem; nothing was changed. code: what programs know it by."""

    def __init__(
        self, status: int, detail: str, *, headers: dict[str, str] | None = None, code: str | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.type = f"{_PROBLEMS}{code}" if code else _NO_TYPE
        self.headers = headers


def encode(value: Any) -> bytes:
    """JSON as it goes out."""
    return orjson.dumps(value)


def answer(value: Any, *, status: int = 200) -> web.Response:
    """An answer with a JSON body."""
    return raw_answer(encode(value), status=status)


def raw_answer(body: bytes, *, status: int = 200) -> web.Response:
    """An answer whose JSON was made before."""
    return web.Response(body=body, status=status, content_type="application/json")


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises Refusal (400) when there is none."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal(400, f"The body is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise Refusal(400, "The body is not a JSON object.")
    return value


def convert(value: Any, kind: type[T], *, status: int = 422) -> T:
    """A JSON value as one of our own. Raises Refusal, saying which field is wrong, when it does not fit."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise Refusal(status, f"{error}.") from error


@web.middleware
async def as_problems(request: web.Request, handler: Answer) -> web.StreamResponse:
    """Every refusal, ours or aiohttp's (unknown path, wrong method, body too large), as a problem."""
    try:
        return await handler(request)
    except Refusal as refusal:
        return _problem(refusal.status, refusal.detail, refusal.headers, kind=refusal.type)
    except web.HTTPClientError as error:
        allowed = error.headers.get("Allow")
        return _problem(error.status, error.reason, {"Allow": allowed} if allowed else None)


def _problem(status: int, detail: str, headers: dict[str, str] | None, *, kind: str = _NO_TYPE) -> web.Response:
    content = {"type": kind, "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return web.Response(body=encode(content), status=status, headers=headers, content_type="application/problem+json")
