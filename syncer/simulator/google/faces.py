"""The faces of the simulated Calendar API: one function per method, from a read call to an answer.

They are synchronous, so that each call is answered whole before the next one begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import orjson

from syncer.simulator.google import (
    calendar_lists,
    copies,
    edits,
    feed,
    grants,
    listing,
    moves,
    occasions,
    refusals,
    render,
)
from syncer.simulator.google.channels import Opener
from syncer.simulator.google.diary import Diary, Note
from syncer.simulator.google.edits import Writing
from syncer.simulator.google.faults import Faults
from syncer.simulator.google.grants import Access
from syncer.simulator.google.listing import ListQuery
from syncer.simulator.google.messages import Messages
from syncer.simulator.google.parameters import Query
from syncer.simulator.google.quotas import Quotas
from syncer.simulator.google.render import View
from syncer.simulator.google.times import Json
from syncer.simulator.google.world import ROLES, Calendar, Entry, World

BODY_LEVELS = 32


@dataclass(frozen=True, slots=True)
class Stage:
    """What every face works on."""

    world: World
    faults: Faults
    diary: Diary
    quotas: Quotas
    messages: Messages


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read: path holds the path's parameters, headers the few that matter, in lower case."""

    stage: Stage
    access: Access
    path: Mapping[str, str]
    query: Query
    headers: Mapping[str, str]
    body: bytes
    note: Note

    @property
    def subject(self) -> str:
        """The acting user."""
        return self.access.subject

    @property
    def is_from_people(self) -> bool:
        """Whether faults leave this call alone."""
        return self.headers.get("x-simulator-people") == "1"

    def json(self) -> Json:
        """The body as a JSON object; Refusal 400 when it is none."""
        try:
            body = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise refusals.parse_error() from None
        if not isinstance(body, dict) or _is_deeper(body, BODY_LEVELS):
            raise refusals.parse_error()
        return body

    def calendar(self, least_role: str) -> tuple[Calendar, str]:
        """The calendar in the path and the caller's role on it.

        Raises Refusal: 404 when there is none or no access, 403 when the role is too low.
        """
        return accessible(self, self.path["calendarId"], least_role)

    def writing(self) -> Writing:
        """How this call writes."""
        return Writing(
            self.subject,
            if_match=self.headers.get("if-match"),
            conference_version=self.query.conference_version(),
            send_updates=self.query.send_updates(),
            add_on=self.headers.get("x-simulator-add-on"),
        )

    def view(self, role: str) -> View:
        """How the answer to this call is written."""
        return View(role, zone_name=self.query.zone(), max_attendees=self.query.count("maxAttendees"))


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a JSON body, None for an empty one."""

    body: Json | None
    status: int = 200


def _is_deeper(value: object, levels: int) -> bool:
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels == 0 or any(_is_deeper(part, levels - 1) for part in below)


Face = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the API: its name in the discovery document, its route, its scopes, its face."""

    name: str
    verb: str
    route: str
    scopes: frozenset[str]
    face: Face


def accessible(call: Call, calendar_id: str, least_role: str) -> tuple[Calendar, str]:
    """A calendar by the id that a caller used, and the caller's role on it; Refusal 404 or 403."""
    calendar = call.stage.world.calendars.get(call.subject if calendar_id == "primary" else calendar_id.lower())
    role = calendar.acl.get(call.subject) if calendar else None
    if calendar is None or role is None:
        raise refusals.not_found()
    call.note.calendar_id = calendar.id
    if ROLES.index(role) < ROLES.index(least_role):
        raise refusals.owner_required() if least_role == "owner" else refusals.writer_required()
    return calendar, role


def list_events(call: Call) -> Answer:
    """`events.list`."""
    calendar, role = call.calendar("freeBusyReader")
    asked = listing.read(call.query, call.subject, call.stage.world.switches)
    if feed.differs_from_token(call.stage.world, asked):
        call.note.marks["query_differs"] = True
    fault = None if call.is_from_people else _feed_fault(call, asked)
    if fault == "expire_sync_token":
        raise refusals.full_sync_required()
    if fault == "malformed_sync_token":
        raise refusals.malformed_sync_token()
    rows = {"short_page": asked.max_results // 2, "empty_page": 0}.get(fault or "")
    return Answer(feed.page(call.stage.world, calendar, asked, call.view(role), rows=rows))


def _feed_fault(call: Call, asked: ListQuery) -> str | None:
    """What strikes a listing; only the first page is cut shorter than asked for, so that every listing ends."""
    kinds = ["expire_sync_token", "malformed_sync_token"] if asked.sync_token else []
    kinds += [] if asked.page_token else ["short_page", "empty_page"]
    for kind in kinds:
        if call.stage.faults.strikes(kind):
            call.note.marks["fault"] = kind
            return kind
    return None


def get_event(call: Call) -> Answer:
    """`events.get`; cancelled events too."""
    calendar, role = call.calendar("freeBusyReader")
    entry = edits.found(calendar, call.path["eventId"])
    return Answer(render.event(calendar, entry, call.view(role)))


def list_instances(call: Call) -> Answer:
    """`events.instances`; of an instance: that one itself, or none when it is called off."""
    calendar, role = call.calendar("freeBusyReader")
    entry = edits.found(calendar, call.path["eventId"])
    call.note.event_id = entry.resource["id"]
    return Answer(occasions.page(call.stage.world, calendar, entry, call.query, call.view(role)))


def insert_event(call: Call) -> Answer:
    """`events.insert`."""
    calendar, role = call.calendar("writer")
    entry = edits.insert(call.stage.world, calendar, call.json(), call.writing())
    return _changed(call, calendar, entry, role)


def patch_event(call: Call) -> Answer:
    """`events.patch`; before a conditional one the fault `touch_before_patch` may strike."""
    calendar, role = call.calendar("writer")
    body, writing = call.json(), call.writing()
    number = call.stage.world.number
    if writing.if_match not in (None, "*") and not call.is_from_people:
        _touch(call, calendar, writing)
        number = call.stage.world.number
    entry = edits.patch(call.stage.world, calendar, call.path["eventId"], body, writing)
    return _changed(call, calendar, entry, role, since=number)


def update_event(call: Call) -> Answer:
    """`events.update`."""
    calendar, role = call.calendar("writer")
    body, writing = call.json(), call.writing()
    number = call.stage.world.number
    entry = edits.update(call.stage.world, calendar, call.path["eventId"], body, writing)
    return _changed(call, calendar, entry, role, since=number)


def delete_event(call: Call) -> Answer:
    """`events.delete`."""
    calendar, role = call.calendar("writer")
    entry = edits.delete(call.stage.world, calendar, call.path["eventId"], call.writing())
    _changed(call, calendar, entry, role)
    return Answer(None, 204)


def move_event(call: Call) -> Answer:
    """`events.move`: answers what stays on the source."""
    source, role = call.calendar("writer")
    if not call.query.has("destination"):
        raise refusals.required("Missing destination calendar.")
    destination, _ = accessible(call, call.query.text("destination"), "writer")
    call.note.calendar_id = source.id
    left = moves.move(call.stage.world, source, call.path["eventId"], destination, call.writing())
    call.note.marks["destination"] = destination.id
    return _changed(call, source, left, role)


def watch_events(call: Call) -> Answer:
    """`events.watch`: opens a channel; its sync message is sent with the answer."""
    calendar, _ = call.calendar("freeBusyReader")
    messages, body = call.stage.messages, call.json()
    channel = messages.channels.open(calendar.id, Opener.of(call.access), body)
    messages.greet(channel)
    call.note.marks["channel_id"] = channel.id
    return Answer(channel.answer())


def stop_channel(call: Call) -> Answer:
    """`channels.stop`."""
    channel = call.stage.messages.channels.stop(Opener.of(call.access), call.json())
    call.note.calendar_id = channel.calendar_id
    call.note.marks["channel_id"] = channel.id
    return Answer(None, 204)


def get_calendar(call: Call) -> Answer:
    """`calendars.get`."""
    calendar, _ = call.calendar("freeBusyReader")
    return Answer(render.calendar_resource(calendar))


def clear_calendar(call: Call) -> Answer:
    """`calendars.clear`."""
    calendar, _ = call.calendar("owner")
    moves.clear(call.stage.world, calendar, call.writing())
    call.note.kind = "edit"
    call.note.marks |= {"change": True, "change_number": call.stage.world.number}
    return Answer(None, 204)


def get_list_entry(call: Call) -> Answer:
    """`calendarList.get`."""
    calendar, role = call.calendar("freeBusyReader")
    return Answer(render.list_entry(calendar, role, call.subject))


def list_calendars(call: Call) -> Answer:
    """`calendarList.list`."""
    return Answer(calendar_lists.page(call.stage.world, call.subject, call.query))


def list_rules(call: Call) -> Answer:
    """`acl.list`."""
    calendar, _ = call.calendar("owner")
    rules = [calendar_lists.rule(user, role) for user, role in calendar.acl.items()]
    return Answer({"kind": "calendar#acl", "etag": f'"a{calendar.acl_epoch}"', "items": rules})


def insert_rule(call: Call) -> Answer:
    """`acl.insert`: gives a user a role, or takes it away with the role "none"."""
    calendar, _ = call.calendar("owner")
    return Answer(calendar_lists.grant(call.stage.world, calendar, call.json()))


def delete_rule(call: Call) -> Answer:
    """`acl.delete`."""
    calendar, _ = call.calendar("owner")
    calendar_lists.withdraw(call.stage.world, calendar, call.path["ruleId"])
    return Answer(None, 204)


def _touch(call: Call, calendar: Calendar, writing: Writing) -> None:
    entry = calendar.entries.get(call.path["eventId"])
    if entry is None or entry.is_cancelled or entry.etag != writing.if_match:
        return
    if not call.stage.faults.strikes("touch_before_patch"):
        return
    guest = copies.touch(call.stage.world, calendar, call.path["eventId"])
    call.note.marks["fault"] = "touch_before_patch"
    touched = Note("PATCH", call.note.path, actor="people", kind="edit", status=200, subject=guest)
    touched.calendar_id, touched.event_id = calendar.id, call.path["eventId"]
    touched.marks = {"change": True, "etag": entry.etag, "change_number": entry.number}
    call.stage.diary.write(touched)


def _changed(call: Call, calendar: Calendar, entry: Entry, role: str, *, since: int | None = None) -> Answer:
    """The answer to a write; since: the newest change before it, when it may have changed nothing."""
    call.note.event_id = entry.resource["id"]
    if since is None or call.stage.world.number > since:
        call.note.kind = "edit"
        call.note.marks |= {"change": True, "etag": entry.etag, "change_number": call.stage.world.number}
    return Answer(render.event(calendar, entry, call.view(role)))


_CALENDAR = "/calendars/{calendarId}"
_EVENT = _CALENDAR + "/events/{eventId}"
METHODS: tuple[Method, ...] = (
    Method("events.list", "GET", _CALENDAR + "/events", grants.READ_SCOPES, list_events),
    Method("events.insert", "POST", _CALENDAR + "/events", grants.WRITE_SCOPES, insert_event),
    Method("events.get", "GET", _EVENT, grants.READ_SCOPES, get_event),
    Method("events.instances", "GET", _EVENT + "/instances", grants.READ_SCOPES, list_instances),
    Method("events.patch", "PATCH", _EVENT, grants.WRITE_SCOPES, patch_event),
    Method("events.update", "PUT", _EVENT, grants.WRITE_SCOPES, update_event),
    Method("events.delete", "DELETE", _EVENT, grants.WRITE_SCOPES, delete_event),
    Method("events.move", "POST", _EVENT + "/move", grants.WRITE_SCOPES, move_event),
    Method("events.watch", "POST", _CALENDAR + "/events/watch", grants.READ_SCOPES, watch_events),
    Method("channels.stop", "POST", "/channels/stop", grants.KNOWN_SCOPES, stop_channel),
    Method("calendars.get", "GET", _CALENDAR, grants.LIST_SCOPES, get_calendar),
    Method("calendars.clear", "POST", _CALENDAR + "/clear", grants.WRITE_SCOPES, clear_calendar),
    Method("calendarList.list", "GET", "/users/me/calendarList", grants.LIST_SCOPES, list_calendars),
    Method("calendarList.get", "GET", "/users/me/calendarList/{calendarId}", grants.LIST_SCOPES, get_list_entry),
    Method("acl.list", "GET", _CALENDAR + "/acl", grants.ACL_SCOPES, list_rules),
    Method("acl.insert", "POST", _CALENDAR + "/acl", grants.ACL_SCOPES, insert_rule),
    Method("acl.delete", "DELETE", _CALENDAR + "/acl/{ruleId}", grants.ACL_SCOPES, delete_rule),
)
