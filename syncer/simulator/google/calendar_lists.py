"""A user's list of calendars, and the access list of a calendar."""

from __future__ import annotations

from syncer.simulator.google import refusals, render, tokens
from syncer.simulator.google.parameters import Query
from syncer.simulator.google.times import Json
from syncer.simulator.google.tokens import PageToken, SyncToken
from syncer.simulator.google.world import ROLES, Calendar, World

MAX_RESULTS = 100
MAX_RESULTS_CAP = 250
LIST_ID = "calendarList"


def page(world: World, subject: str, query: Query) -> Json:
    """One `calendar#calendarList` answer: the calendars that the subject has a role on."""
    least_role = query.text("minAccessRole") or ROLES[0]
    if least_role not in ROLES:
        raise refusals.invalid("Invalid value for parameter minAccessRole.", parameter="minAccessRole")
    since = _since(world, subject, query)
    place = _place(world, subject, query)
    mine = [
        (calendar, calendar.acl[subject])
        for calendar in world.calendars.values()
        if subject in calendar.acl
        and calendar.made_at_number > since
        and ROLES.index(calendar.acl[subject]) >= ROLES.index(least_role)
    ]
    limit = min(query.count("maxResults") or MAX_RESULTS, MAX_RESULTS_CAP)
    shown = mine[place.offset : place.offset + limit]
    answer: Json = {"kind": "calendar#calendarList", "etag": f'"l{world.number}"'}
    answer["items"] = [render.list_entry(calendar, role, subject) for calendar, role in shown]
    if place.offset + limit < len(mine):
        next_page = PageToken(LIST_ID, "full", place.offset + limit, place.ceiling, subject)
        return answer | {"nextPageToken": tokens.sealed(world, next_page)}
    return answer | {"nextSyncToken": tokens.sealed(world, SyncToken(LIST_ID, place.ceiling, subject, 0))}


def _since(world: World, subject: str, query: Query) -> int:
    text = query.text("syncToken")
    if not text:
        return 0
    token = tokens.opened_sync(world, text)
    if token is None or token.calendar_id != LIST_ID or token.fingerprint != subject:
        raise refusals.malformed_sync_token()
    if token.position < world.forgotten_before:
        raise refusals.full_sync_required()
    return token.position


def _place(world: World, subject: str, query: Query) -> PageToken:
    text = query.text("pageToken")
    if not text:
        return PageToken(LIST_ID, "full", 0, world.number, subject)
    token = tokens.opened_page(world, text)
    if token is None or token.calendar_id != LIST_ID or token.fingerprint != subject:
        raise refusals.invalid("Invalid page token value.", parameter="pageToken")
    return token


def rule(user: str, role: str) -> Json:
    """An AclRule resource."""
    return {
        "kind": "calendar#aclRule",
        "etag": f'"{role}-{user}"',
        "id": f"user:{user}",
        "scope": {"type": "user", "value": user},
        "role": role,
    }


def grant(world: World, calendar: Calendar, body: Json) -> Json:
    """Give a user a role as an AclRule body says; "none" takes access away. Sync tokens of the calendar die."""
    scope, role = body.get("scope"), body.get("role")
    user = scope.get("value") if isinstance(scope, dict) and scope.get("type") == "user" else None
    if not isinstance(user, str) or "@" not in user or role not in (*ROLES, "none"):
        raise refusals.invalid("Invalid scope or role value.")
    give(world, calendar, user.lower(), str(role))
    return rule(user.lower(), str(role))


def give(world: World, calendar: Calendar, user: str, role: str) -> None:
    """Give a user, in lower case, a role or "none". Sync tokens of the calendar die."""
    calendar.acl.pop(user, None)
    if role != "none":
        calendar.acl[user] = role
    calendar.acl_epoch += 1
    world.users.add(user)


def withdraw(world: World, calendar: Calendar, rule_id: str) -> None:
    """Delete a rule by its id; the owner's cannot go."""
    user = rule_id.removeprefix("user:").lower()
    if user not in calendar.acl:
        raise refusals.not_found()
    if user == calendar.owner:
        raise refusals.owner_required()
    grant(world, calendar, {"scope": {"type": "user", "value": user}, "role": "none"})
