"""aiogoogle's session on our HTTP: its requests go out with our deadlines and limits, and fail with our errors."""

from typing import Any

import orjson
from aiogoogle.models import Request, Response
from aiogoogle.sessions.abc import AbstractSession

from syncer.clients.google import errors
from syncer.clients.http import Answer, Http, Limits


class GoogleSession(AbstractSession):
    """What aiogoogle's `session_factory` gives: `Aiogoogle(session_factory=lambda: GoogleSession(http, limits))`.

    limits: per request, with room for the largest page. Closing it closes nothing: the connections are the process's.
    """

    def __init__(self, http: Http, limits: Limits) -> None:
        self._http = http
        self._limits = limits

    async def __aenter__(self) -> "GoogleSession":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def close(self) -> None:
        return None

    async def send(self, *requests: Request, full_res: bool = False, **_: Any) -> Any:
        """Sends one after another. One request gives its content, several a list; with `full_res`, aiogoogle responses.

        The content is the body as bytes, not read: reading is `rules.parse`'s. Media is not supported.
        Raises what `errors.error_of` makes of a status other than 200, and what Http raises.
        """
        responses = [await self._send(request) for request in requests]
        results = responses if full_res else [response.content for response in responses]
        return results[0] if len(results) == 1 else results

    async def _send(self, request: Request) -> Response:
        method, url = request.method or "GET", request.url or ""
        headers = dict(request.headers)
        body = None
        if request.json is not None:
            body = orjson.dumps(request.json)
            headers["Content-Type"] = "application/json"
        answer = await self._http.send(method, url, headers=headers, body=body, limits=self._limits)
        return _response(request, url, answer)


def _response(request: Request, url: str, answer: Answer) -> Response:
    error = errors.error_of(errors.host_of(url), answer)
    if error is not None:
        raise error
    return Response(
        status_code=answer.status,
        headers=answer.headers,
        url=url,
        data=answer.body,
        reason="",
        req=request,
    )
