"""Random histories: who follows the feed knows what a whole listing shows, and nothing is ever a traceback."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from syncer.simulator.google import bodies
from tests.simulator.google_stage import ANA, BO, CLEO, END, ROOM, START, Stage, a_stage, conference, events

KINDS = ("insert", "insert", "rename", "guests", "answer", "delete", "undelete", "move", "call off", "swap")
CALENDARS = {ANA: ANA, ROOM: ANA, BO: BO}


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with a_stage() as made:
        yield made


class Follower:
    """Keeps a copy of one calendar by its feed alone."""

    def __init__(self, calendar: str) -> None:
        self.calendar = calendar
        self.known: dict[str, Any] = {}
        self.token = ""

    async def look(self, stage: Stage, size: int) -> None:
        """Read what is new, in pages of that size."""
        query = {"syncToken": self.token} if self.token else {}
        pages = await stage.pages(self.calendar, user=CALENDARS[self.calendar], maxResults=size, **query)
        for row in [row for page in pages for row in page["items"]]:
            self.known[row["id"]] = row
        self.token = pages[-1]["nextSyncToken"]

    def live(self) -> dict[str, Any]:
        """What it holds for alive."""
        return {event_id: row for event_id, row in self.known.items() if row["status"] != "cancelled"}


async def edit(stage: Stage, chance: random.Random) -> None:
    """One random edit somewhere; it may be refused."""
    calendar = chance.choice([ANA, ANA, ROOM, BO])
    user = CALENDARS[calendar]
    rows = (await stage.call("GET", events(calendar), user=user, showDeleted="true")).body["items"]
    kind = chance.choice(KINDS)
    if kind == "insert" or not rows:
        more = {"recurrence": ["RRULE:FREQ=WEEKLY"]} if chance.random() < 0.3 else {}
        await stage.insert_with_conference(calendar, user=user, **more)
        return
    event = chance.choice(rows)
    path = events(calendar, event["id"])
    guests = [{"email": email} for email in chance.sample([BO, CLEO, ANA], chance.randrange(3))]
    bodies_by_kind: dict[str, Any] = {
        "rename": {"summary": f"Name {chance.random()}"},
        "guests": {"attendees": guests},
        "answer": {
            "attendeesOmitted": True,
            "attendees": [{"email": calendar, "responseStatus": chance.choice(["accepted", "declined"])}],
        },
        "undelete": {"status": "confirmed"},
        "swap": {"conferenceData": chance.choice([None, {"createRequest": {"requestId": "r"}}, conference()])},
    }
    if kind == "delete":
        reply = await stage.call("DELETE", path, user=user)
    elif kind == "call off":
        reply = await stage.call("DELETE", path + "_20261208T090000Z", user=user)
    elif kind == "move":
        reply = await stage.call("POST", path + "/move", user=user, destination=ROOM if calendar == ANA else ANA)
    else:
        reply = await stage.call("PATCH", path, bodies_by_kind[kind], user=user, conferenceDataVersion=1)
    assert reply.status < 500, reply.body


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_who_follows_the_feed_knows_what_a_listing_shows(stage: Stage, seed: int) -> None:
    chance = random.Random(seed)
    followers = [Follower(calendar) for calendar in CALENDARS]
    for number in range(120):
        await edit(stage, chance)
        if number % 7 == 0:
            await chance.choice(followers).look(stage, size=2)
    for follower in followers:
        await follower.look(stage, size=3)
        (page,) = await stage.pages(follower.calendar, user=CALENDARS[follower.calendar], maxResults=2500)
        assert follower.live() == {row["id"]: row for row in page["items"] if row["status"] != "cancelled"}


def anything(chance: random.Random, depth: int = 0) -> Any:
    """Some JSON value, often of the wrong kind."""
    plain: list[Any] = [None, True, -1, 1e300, "", "x", "2026-12-01", "9999-12-31T23:59:59-12:00", "addOn", [], {}]
    if depth > 3 or chance.random() < 0.6:
        return chance.choice(plain)
    names = ["dateTime", "date", "timeZone", "email", "private", "key", "type", "createRequest", "requestId"]
    names += ["conferenceSolution", "entryPoints", "signature", "conferenceId", "responseStatus", "shared"]
    made = {name: anything(chance, depth + 1) for name in chance.sample(names, 4)}
    return made if chance.random() < 0.6 else [anything(chance, depth + 1), made]


async def test_no_body_whatever_makes_a_server_error(stage: Stage) -> None:
    chance = random.Random(1)
    event = await stage.insert_with_conference(attendees=[{"email": BO}])
    for _ in range(400):
        fields = {name: anything(chance) for name in chance.sample(sorted(bodies.WRITABLE), 3)}
        headers = {"X-Simulator-Add-On": "Example"} if chance.random() < 0.3 else {}
        verb, where = chance.choice(
            [("POST", events()), ("PATCH", events(ANA, event["id"])), ("PUT", events(ANA, event["id"]))]
        )
        body = {"start": START, "end": END, **fields}
        reply = await stage.call(verb, where, body, conferenceDataVersion=1, headers=headers)
        assert reply.status < 500, (verb, body)
    for query in ({"q": "x"}, {"timeMin": "2026-12-01T00:00:00Z"}, {"timeZone": "Asia/Tokyo"}, {"orderBy": "updated"}):
        assert (await stage.call("GET", events(), **query)).status == 200
