"""Google's discovery document as a judge of what the simulated Google answers, and of what callers ask it.

The document is the one that google-api-python-client ships. It names enums of fields only in its prose, as lists of
`- "value"`; they are read from there. Nothing in it speaks of errors: their shape is in "Handle API errors".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import googleapiclient.discovery_cache

DOCUMENT = Path(googleapiclient.discovery_cache.__file__).parent / "documents" / "calendar.v3.json"

Json = dict[str, Any]
ERROR_FIELDS = frozenset({"domain", "reason", "message", "locationType", "location"})
# By status: the reasons that Calendar gives, with their domains.
REASONS: dict[int, dict[str, str]] = {
    400: {
        "badRequest": "global",
        "cannotChangeOrganizerOfInstance": "calendar",
        "channelIdNotUnique": "global",
        "invalid": "global",
        "invalidParameter": "global",
        "parseError": "global",
        "push.webhookUrlNotHttps": "global",
        "pushNotSupportedForRequestedResource": "calendar",
        "required": "global",
        "syncTokenWithRequestRestrictions": "global",
        "timeRangeEmpty": "calendar",
    },
    401: {"authError": "global", "push.webhookUrlUnauthorized": "global", "required": "global"},
    403: {
        "accessNotConfigured": "usageLimits",
        "dailyLimitExceeded": "usageLimits",
        "domainPolicy": "global",
        "forbidden": "global",
        "forbiddenForNonOrganizer": "calendar",
        "insufficientPermissions": "global",
        "notACalendarUser": "global",
        "quotaExceeded": "usageLimits",
        "rateLimitExceeded": "usageLimits",
        "requiredAccessLevel": "calendar",
        "userRateLimitExceeded": "usageLimits",
    },
    404: {"notFound": "global"},
    409: {"conflict": "global", "duplicate": "global"},
    410: {"deleted": "global", "fullSyncRequired": "calendar", "updatedMinTooLongAgo": "calendar"},
    412: {"conditionNotMet": "global"},
    413: {"uploadTooLarge": "global"},
    429: {"rateLimitExceeded": "usageLimits"},
    500: {"backendError": "global"},
    503: {"backendError": "global"},
}


def _is_instant(text: str) -> bool:
    is_written_so = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", text)
    return bool(is_written_so) and _parses(datetime.fromisoformat, text)


def _is_date(text: str) -> bool:
    return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", text)) and _parses(date.fromisoformat, text)


def _parses(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True


TEXT_FORMATS: dict[str, Callable[[str], bool]] = {
    "date": _is_date,
    "date-time": _is_instant,
    "int64": lambda text: bool(re.fullmatch(r"-?\d{1,19}", text)),
}
PARAMETER_TYPES: dict[str, Callable[[str], bool]] = {
    "boolean": lambda text: text in ("true", "false"),
    "integer": lambda text: bool(re.fullmatch(r"-?\d{1,10}", text)),
    "string": lambda _: True,
}


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the API as the document describes it. name: such as "events.list"."""

    name: str
    verb: str
    path: re.Pattern[str]
    parameters: Mapping[str, Json]
    request: str | None
    response: str | None


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer. path: below `calendar/v3/`, as sent. query: values by name."""

    verb: str
    path: str
    query: Mapping[str, list[str]]
    asked: bytes
    status: int
    content_type: str
    answered: bytes


class Discovery:
    """The document, read; each check gives sentences about what is wrong, none when all is right."""

    def __init__(self, document: Json) -> None:
        self._schemas: dict[str, Json] = document["schemas"]
        self._shared: dict[str, Json] = document["parameters"]
        found = [_method(each) for part in document["resources"].values() for each in part["methods"].values()]
        # What a path says word by word goes before what it leaves open: events/import before events/{eventId}.
        self.methods = sorted(found, key=lambda method: method.path.pattern.count("[^/]+"))

    def method_of(self, verb: str, path: str) -> Method | None:
        """The method that a request calls; path: below `calendar/v3/`, as sent."""
        return next((each for each in self.methods if each.verb == verb and each.path.fullmatch(path)), None)

    def wrong_in_answer(self, exchange: Exchange) -> list[str]:
        """What is wrong in an answer."""
        method = self.method_of(exchange.verb, exchange.path)
        where = f"{exchange.verb} {exchange.path} {exchange.status}"
        return [f"{where}: {what}" for what in self._wrong(exchange, method)]

    def wrong_in_request(self, exchange: Exchange) -> list[str]:
        """What is wrong in a request."""
        method = self.method_of(exchange.verb, exchange.path)
        where = f"{exchange.verb} {exchange.path}"
        if method is None:
            return [f"{where}: there is no such method"]
        wrong = list(self._wrong_in_query(method, exchange.query))
        if method.request and (exchange.asked or exchange.verb != "POST"):
            body = _read(exchange.asked)
            wrong += self.wrong_in(method.request, body, is_partial=exchange.verb == "PATCH")
        elif exchange.asked:
            wrong.append("it has a body, and the method takes none")
        return [f"{where}: {what}" for what in wrong]

    def wrong_in(self, schema: str, value: object, *, is_partial: bool = False) -> list[str]:
        """What is wrong in a value that should be a resource. is_partial: null may stand for "remove it"."""
        return list(self._against(self._schemas[schema], value, schema, is_partial))

    def _wrong(self, exchange: Exchange, method: Method | None) -> Iterator[str]:
        if exchange.status >= 400:
            yield from wrong_in_error(exchange)
        elif method is None:
            yield "there is no such method, and yet it was answered"
        elif exchange.status == 304 or method.response is None:
            if exchange.answered:
                yield "it has a body, and should have none"
        elif exchange.content_type != "application/json; charset=UTF-8":
            yield f"it is called {exchange.content_type!r}"
        else:
            body = _read(exchange.answered)
            yield from self.wrong_in(method.response, body)
            if "fields" not in exchange.query and isinstance(body, dict):
                kinds = self._schemas[method.response]["properties"]["kind"]
                yield from [] if body.get("kind") == kinds["default"] else ["it does not say its kind"]
                yield from [] if "etag" in body or "etag" not in self._properties(method) else ["it has no etag"]

    def _properties(self, method: Method) -> Json:
        return dict(self._schemas[method.response or ""]["properties"])

    def _wrong_in_query(self, method: Method, query: Mapping[str, list[str]]) -> Iterator[str]:
        known = self._shared | dict(method.parameters)
        for name, values in query.items():
            rule = known.get(name)
            if rule is None:
                yield f"{method.name} has no parameter {name}"
                continue
            if len(values) > 1 and not rule.get("repeated"):
                yield f"{name} is repeated"
            yield from (f"{name}={value!r} does not fit" for value in values if not _fits(rule, name, value))
        missing = (name for name, rule in method.parameters.items() if _is_needed(rule) and name not in query)
        yield from (f"{name} is missing" for name in missing)

    def _against(self, schema: Json, value: object, place: str, is_partial: bool) -> Iterator[str]:
        schema = self._schemas[schema["$ref"]] if "$ref" in schema else schema
        if value is None and is_partial:
            return
        match schema["type"], value:
            case "object", dict():
                for name, part in value.items():
                    below = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
                    if below is None:
                        yield f"{place}.{name} is no field of the document"
                    else:
                        yield from self._against(below, part, f"{place}.{name}", is_partial)
            case "array", list():
                for number, part in enumerate(value):
                    yield from self._against(schema["items"], part, f"{place}[{number}]", is_partial)
            case "string", str():
                yield from _wrong_in_text(schema, value, place)
            case ("boolean", bool()) | ("any", _) | ("number", int() | float()):
                return
            case "integer", int() if not isinstance(value, bool) and -(2**31) <= value < 2**31:
                return
            case _:
                yield f"{place} should be of type {schema['type']}, and is {value!r:.80}"


def _wrong_in_text(schema: Json, value: str, place: str) -> Iterator[str]:
    allowed = values_in_prose(schema.get("description", "")) or frozenset(schema.get("enum", ()))
    if place.endswith(".kind") and "default" in schema:
        allowed = frozenset({schema["default"]})
    if allowed and value not in allowed:
        yield f"{place} is {value!r:.80}, which is none of {sorted(allowed)}"
    fits = TEXT_FORMATS.get(schema.get("format", ""))
    if fits and not fits(value):
        yield f"{place} is no {schema['format']}: {value!r:.80}"


@cache
def values_in_prose(description: str) -> frozenset[str]:
    """The values that a description lists, if it says that these are all: `- "confirmed" - The event is …`."""
    start = re.search(r"(?<!of the )\b[Pp]ossible values (are)?", description)
    return frozenset(re.findall(r'^- "(\w+)"', description[start.end() :], re.MULTILINE)) if start else frozenset()


def wrong_in_error(exchange: Exchange) -> list[str]:
    """What is wrong in an error's answer, by Calendar's envelope; HTML is right only above 501."""
    if exchange.content_type.startswith("text/html"):
        return [] if exchange.status >= 502 else ["an error of the API is JSON, and this is HTML"]
    if exchange.content_type != "application/json; charset=UTF-8":
        return [f"it is called {exchange.content_type!r}"]
    body = _read(exchange.answered)
    if not isinstance(body, dict) or set(body) != {"error"} or not isinstance(body["error"], dict):
        return ['it is not {"error": {…}}']
    error = body["error"]
    wrong = [f"error.{name} is no field of it" for name in error.keys() - {"errors", "code", "message", "status"}]
    wrong += [] if error.get("code") == exchange.status else [f"error.code is {error.get('code')!r}"]
    wrong += [] if isinstance(error.get("message"), str) and error["message"] else ["error.message is no text"]
    rows = error.get("errors")
    if not isinstance(rows, list) or not rows:
        return [*wrong, "error.errors is no list of errors"]
    return wrong + [what for row in rows for what in _wrong_in_row(row, exchange.status)]


def _wrong_in_row(row: object, status: int) -> Iterator[str]:
    if not isinstance(row, dict) or not all(isinstance(value, str) and value for value in row.values()):
        yield f"error.errors[] is {row!r:.80}"
        return
    yield from (f"error.errors[].{name} is no field of it" for name in row.keys() - ERROR_FIELDS)
    known = REASONS.get(status, {})
    if row.get("reason") not in known:
        yield f"{status} has no reason {row.get('reason')!r}"
    elif row.get("domain") != known[row["reason"]]:
        yield f"the domain of {row['reason']} is {known[row['reason']]!r}, not {row.get('domain')!r}"
    if not row.get("message"):
        yield "error.errors[].message is missing"
    if ("location" in row) != ("locationType" in row) or row.get("locationType", "header") not in (
        "header",
        "parameter",
    ):
        yield f"the place of the error is {row.get('locationType')!r}, {row.get('location')!r}"


def _method(described: Json) -> Method:
    pattern = re.sub(r"\{[^}]+\}", "[^/]+", described["path"])
    return Method(
        described["id"].removeprefix("calendar."),
        described["httpMethod"],
        re.compile(pattern),
        described.get("parameters", {}),
        described.get("request", {}).get("$ref"),
        described.get("response", {}).get("$ref"),
    )


def _fits(rule: Json, name: str, value: str) -> bool:
    if not PARAMETER_TYPES[rule["type"]](value) or (name == "quotaUser" and len(value) > 40):
        return False
    if rule["type"] == "integer" and not int(rule.get("minimum", "0")) <= int(value) <= int(rule.get("maximum", 2**31)):
        return False
    fits = TEXT_FORMATS.get(rule.get("format", ""))
    return value in rule.get("enum", [value]) and (fits is None or fits(value))


def _is_needed(rule: Json) -> bool:
    return bool(rule.get("required")) and rule["location"] == "query"


def _read(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return body


@cache
def calendar() -> Discovery:
    """Calendar's document."""
    return Discovery(json.loads(DOCUMENT.read_text("utf-8")))
