"""The control face's side of notifications: their settings, what became of them, and the channels there are."""

from __future__ import annotations

from aiohttp import web

from syncer.simulator.google.control_requests import Wrong, answered, body_of
from syncer.simulator.google.faces import Stage
from syncer.simulator.google.times import Json

MOST_TIMES = 10_000


class NotificationControl:
    """The answers of this side of the control face."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._messages = stage.messages

    def routes(self) -> list[web.RouteDef]:
        """What it answers, all below `simulator/`."""
        return [
            web.get("/simulator/notifications", answered(self.notifications)),
            web.put("/simulator/notifications", answered(self.set_notifications)),
            web.get("/simulator/channels", answered(self.channels)),
            web.post("/simulator/calendars/{calendarId}/tell", answered(self.tell)),
        ]

    async def notifications(self, _: web.Request) -> Json:
        """The settings, and what became of messages and channels."""
        return self._messages.as_json()

    async def set_notifications(self, request: web.Request) -> Json:
        """Set those that are named."""
        channels = self._messages.channels
        channels.settings = channels.settings.with_(await body_of(request))
        return self._messages.as_json()

    async def channels(self, _: web.Request) -> Json:
        """All channels, those that are over too."""
        return {"channels": self._messages.channels.as_json()}

    async def tell(self, request: web.Request) -> Json:
        """Tell a calendar's channels that something changed, though nothing did, so many `times`."""
        calendar_id, times = request.match_info["calendarId"].lower(), (await body_of(request)).get("times", 1)
        if calendar_id not in self._stage.world.calendars:
            raise Wrong(f"There is no calendar with the id {calendar_id}.", 404)
        if isinstance(times, bool) or not isinstance(times, int) or not 1 <= times <= MOST_TIMES:
            raise Wrong(f"Give times as a number from 1 to {MOST_TIMES}.")
        return {"told": sum(self._messages.tell(calendar_id) for _ in range(times))}
