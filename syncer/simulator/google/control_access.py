"""The control face's side of access: quotas, users' standing, grants that die, who may see a calendar."""

from __future__ import annotations

from aiohttp import web

from syncer.simulator.google import calendar_lists, times
from syncer.simulator.google.control_requests import Wrong, address_of, answered, body_of, domains_of, instant_of
from syncer.simulator.google.faces import Stage
from syncer.simulator.google.grants import Grants
from syncer.simulator.google.standings import STATES, Standing
from syncer.simulator.google.times import Json
from syncer.simulator.google.world import ROLES


class AccessControl:
    """The answers of this side of the control face."""

    def __init__(self, stage: Stage, known_grants: Grants) -> None:
        self._stage = stage
        self._grants = known_grants
        self._quotas = stage.quotas

    def routes(self) -> list[web.RouteDef]:
        """What it answers, all below `simulator/`."""
        return [
            web.get("/simulator/quotas", answered(self.quotas)),
            web.put("/simulator/quotas", answered(self.set_quotas)),
            web.put("/simulator/users/{email}", answered(self.stand)),
            web.post("/simulator/users/{email}/revoke", answered(self.revoke)),
            web.put("/simulator/service-accounts/{email}", answered(self.delegate)),
            web.put("/simulator/calendars/{calendarId}/acl", answered(self.share)),
        ]

    async def quotas(self, _: web.Request) -> Json:
        """The limits, and by how much each was overrun."""
        return self._quotas.as_json()

    async def set_quotas(self, request: web.Request) -> Json:
        """Set limits, those that are named; close users to writes until an instant; forget all counts."""
        body = await body_of(request)
        limits, closed = body.get("limits", {}), body.get("use_limit_until", {})
        if not isinstance(limits, dict) or not isinstance(closed, dict):
            raise Wrong("Give limits and use_limit_until as objects from names to values.")
        until = {user.lower(): instant_of(text, f"use_limit_until of {user}") for user, text in closed.items()}
        self._quotas.set_limits(limits)
        for user, at in until.items():
            self._quotas.close_to_writes(user, at)
        if body.get("forget") is True:
            self._quotas.forget()
        return self._quotas.as_json()

    async def stand(self, request: web.Request) -> Json:
        """Suspend, rename or restore a user, and say when the domain's delegation reaches the user."""
        email, body = self._user(request), await body_of(request)
        state = body.get("state", "active")
        if state not in STATES:
            raise Wrong(f"There is no state {state!r}: use one of {', '.join(STATES)}.")
        delegated_at = instant_of(body.get("delegated_at"), "delegated_at")
        self._grants.stand(email, Standing(state, delegated_at))
        return {"email": email, "state": state, "delegated_at": delegated_at and times.stamp(delegated_at)}

    async def revoke(self, request: web.Request) -> Json:
        """Let a user's refresh grants die, or one client's; whether revoked or expired, Google says the same."""
        client_id = (await body_of(request)).get("client_id")
        return {"revoked": self._grants.revoke(self._user(request), client_id)}

    async def delegate(self, request: web.Request) -> Json:
        """Change the domains whose users a service account may act as; none withdraws the delegation."""
        email, domains = request.match_info["email"], domains_of(await body_of(request))
        if email not in self._grants.accounts:
            raise Wrong(f"There is no service account {email}.", 404)
        self._grants.delegate(email, domains)
        return {"client_email": email, "domains": sorted(domains)}

    async def share(self, request: web.Request) -> Json:
        """Give a user a role on a calendar, or take it away with the role "none": the owner's too."""
        body, calendar_id = await body_of(request), request.match_info["calendarId"].lower()
        calendar = self._stage.world.calendars.get(calendar_id)
        if calendar is None:
            raise Wrong(f"There is no calendar with the id {calendar_id}.", 404)
        user, role = address_of(body, "user"), body.get("role")
        if role not in (*ROLES, "none"):
            raise Wrong(f"There is no role {role!r}: use one of {', '.join(ROLES)}, none.")
        calendar_lists.give(self._stage.world, calendar, user, role)
        return {"id": calendar.id, "acl": calendar.acl}

    def _user(self, request: web.Request) -> str:
        email = request.match_info["email"].lower()
        if email not in self._stage.world.users:
            raise Wrong(f"There is no user {email}.", 404)
        return email
