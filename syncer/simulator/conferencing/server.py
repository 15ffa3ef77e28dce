"""The simulated conferencing system as one aiohttp application with its three faces."""

from aiohttp import web

from syncer.simulator.conferencing import control, rest, webhook
from syncer.simulator.conferencing.changes import TELLER, Teller
from syncer.simulator.conferencing.diary import Clock
from syncer.simulator.conferencing.vendor import Vendor
from syncer.simulator.conferencing.wire import BODY_LIMIT_BYTES, VENDOR, as_problems


class ConferencingSimulator:
    """A conferencing system in memory.

    clock: tells the simulated time, for meetings and diary; signatures are checked against real time.
    seed: decides ids, passcodes, secrets and the faults that strike by chance.
    """

    def __init__(self, clock: Clock, seed: int) -> None:
        self._vendor = Vendor(clock, seed)
        self._seed = seed

    def application(self) -> web.Application:
        """A fresh application over the same accounts and meetings; its paths start at the root."""
        application = web.Application(middlewares=[as_problems], client_max_size=BODY_LIMIT_BYTES)
        application[VENDOR] = self._vendor
        application[TELLER] = Teller(self._vendor.diary, self._seed + 2)
        application.cleanup_ctx.append(application[TELLER].open)
        application.add_routes(
            [
                web.post("/simulator/accounts", control.open_account),
                web.put("/simulator/accounts/{slug}/changes", control.set_destination),
                web.get("/simulator/diary", control.read_diary),
                web.get("/simulator/faults", control.read_faults),
                web.put("/simulator/faults", control.set_faults),
                web.post("/accounts/{slug}/hooks/calendar", webhook.take_call),
                web.post("/v1/meetings", rest.create_meeting),
                web.get("/v1/meetings", rest.list_meetings),
                web.get("/v1/meetings/{meeting_id}", rest.read_meeting),
                web.patch("/v1/meetings/{meeting_id}", rest.change_meeting),
                web.delete("/v1/meetings/{meeting_id}", rest.delete_meeting),
            ]
        )
        return application
