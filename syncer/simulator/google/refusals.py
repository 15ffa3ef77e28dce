"""What the simulated Calendar API refuses, with the bodies that Google sends.

Source: Calendar API, "Handle API errors"; strings that the page does not give are as seen in the wild.
"""

from __future__ import annotations

from typing import Any

CALENDAR_REASONS = frozenset(
    {
        "cannotChangeOrganizerOfInstance",
        "forbiddenForNonOrganizer",
        "fullSyncRequired",
        "pushNotSupportedForRequestedResource",
        "requiredAccessLevel",
        "timeRangeEmpty",
        "updatedMinTooLongAgo",
    }
)
USAGE_REASONS = frozenset({"dailyLimitExceeded", "quotaExceeded", "rateLimitExceeded", "userRateLimitExceeded"})


class Refusal(Exception):
    """A request that Google would answer with an error; `body()` is the JSON of that answer."""

    def __init__(self, status: int, reason: str, message: str, *, where: str = "") -> None:
        """where: "parameter:<name>" or "header:<name>" when Google names the place of the fault."""
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.where = where
        self.headers: dict[str, str] = {}
        """Further headers of that answer."""

    def body(self) -> dict[str, Any]:
        """Google's error envelope."""
        domain = "usageLimits" if self.reason in USAGE_REASONS else "global"
        domain = "calendar" if self.reason in CALENDAR_REASONS else domain
        error = {"domain": domain, "reason": self.reason, "message": self.message}
        if self.where:
            error["locationType"], error["location"] = self.where.split(":", 1)
        return {"error": {"errors": [error], "code": self.status, "message": self.message}}


def invalid(message: str = "Invalid Value", *, parameter: str = "") -> Refusal:
    """A value that makes no sense; parameter: the query parameter it stands in."""
    where = f"parameter:{parameter}" if parameter else ""
    return Refusal(400, "invalid", message, where=where)


def required(message: str) -> Refusal:
    """A field or parameter is missing."""
    return Refusal(400, "required", message)


def parse_error() -> Refusal:
    """The body is no JSON object."""
    return Refusal(400, "parseError", "Parse Error")


def unknown_parameter(name: str) -> Refusal:
    """A query parameter that the method does not have."""
    message = (
        f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter. '
        f"Field '{name}' could not be found in request message."
    )
    return Refusal(400, "badRequest", message)


def unauthenticated() -> Refusal:
    """No access token, or one that is unknown or over."""
    refusal = Refusal(401, "authError", "Invalid Credentials", where="header:Authorization")
    refusal.headers["WWW-Authenticate"] = 'Bearer realm="https://accounts.google.com/", error="invalid_token"'
    return refusal


def scope_missing() -> Refusal:
    """The token does not carry a scope that the method needs."""
    return Refusal(403, "insufficientPermissions", "Request had insufficient authentication scopes.")


def writer_required() -> Refusal:
    """The caller may read the calendar, not write it."""
    return Refusal(
        403,
        "requiredAccessLevel",
        "You need to have writer access to this calendar.",
    )


def owner_required() -> Refusal:
    """Only an owner may see or change the access list."""
    return Refusal(403, "forbidden", "Forbidden")


def not_the_organizer() -> Refusal:
    """A guest's copy was to change what only the organizer may change."""
    message = "Shared properties can only be changed by the organizer of the event."
    return Refusal(403, "forbiddenForNonOrganizer", message)


def not_found() -> Refusal:
    """There is no such thing, or the caller may not know of it."""
    return Refusal(404, "notFound", "Not Found")


def duplicate() -> Refusal:
    """The id is taken, perhaps by a deleted event."""
    return Refusal(409, "duplicate", "The requested identifier already exists.")


def already_deleted() -> Refusal:
    """The event was deleted before."""
    return Refusal(410, "deleted", "Resource has been deleted")


def full_sync_required() -> Refusal:
    """The sync token is over."""
    message = "Sync token is no longer valid, a full sync is required."
    return Refusal(410, "fullSyncRequired", message, where="parameter:syncToken")


def updated_min_too_long_ago() -> Refusal:
    """The feed does not reach back as far as `updatedMin`."""
    message = "The requested minimum modification time lies too far in the past."
    return Refusal(410, "updatedMinTooLongAgo", message, where="parameter:updatedMin")


def condition_not_met() -> Refusal:
    """The etag in If-Match is not the stored one."""
    return Refusal(412, "conditionNotMet", "Precondition Failed", where="header:If-Match")


def time_range_empty() -> Refusal:
    """An end lies before its start."""
    message = "The specified time range is empty."
    return Refusal(400, "timeRangeEmpty", message, where="parameter:timeMax")


def not_with_sync_token(name: str) -> Refusal:
    """A parameter that restricts the query came along with a sync token."""
    message = f"Sync token cannot be combined with the parameter {name}."
    return Refusal(400, "syncTokenWithRequestRestrictions", message, where=f"parameter:{name}")


def malformed_sync_token() -> Refusal:
    """The sync token is none."""
    return invalid("Invalid sync token value.", parameter="syncToken")


def conflict() -> Refusal:
    """A part of a batch writes to a calendar that another part of it writes to."""
    return Refusal(409, "conflict", "Conflict")


def rate_limited(status: int, reason: str = "rateLimitExceeded") -> Refusal:
    """Too many calls in too short a time. status: 403 or 429, which mean the same."""
    messages = {"dailyLimitExceeded": "Daily Limit Exceeded", "userRateLimitExceeded": "User Rate Limit Exceeded"}
    return Refusal(status, reason, messages.get(reason, "Rate Limit Exceeded"))


def use_limit_exceeded() -> Refusal:
    """A user did too much of something; the user's calendars cannot be written for a while."""
    return Refusal(403, "quotaExceeded", "Calendar usage limits exceeded.")


def bad_batch(message: str) -> Refusal:
    """A batch as a whole that cannot be taken."""
    return Refusal(400, "badRequest", f"Failed to parse batch request, error: {message}.")


def push_not_supported() -> Refusal:
    """The calendar is of a kind that cannot be watched."""
    message = "Push notifications are not supported by this resource."
    return Refusal(400, "pushNotSupportedForRequestedResource", message)


def channel_not_unique(channel_id: str) -> Refusal:
    """The project has, or had, a channel with this id."""
    return Refusal(400, "channelIdNotUnique", f"Channel id {channel_id} not unique")


def channel_not_found(channel_id: str, project: str) -> Refusal:
    """There is no such channel, or it is none of the caller's, or it is over."""
    return Refusal(404, "notFound", f"Channel '{channel_id}' not found for project '{project}'")


def webhook_not_https(address: str) -> Refusal:
    """Messages would go over plain HTTP."""
    return Refusal(400, "push.webhookUrlNotHttps", f"WebHook callback must be HTTPS: {address}")


def webhook_unauthorized(address: str) -> Refusal:
    """Messages would go to an address that the project may not use."""
    return Refusal(401, "push.webhookUrlUnauthorized", f"Unauthorized WebHook callback channel: {address}")


def invalid_ttl(value: object) -> Refusal:
    """A channel would end before it begins, or nobody knows when."""
    return invalid(f"Invalid ttl value for channel {value}")
