"""`syncer simulate`: a Google Calendar or a conferencing system to try things on, on this machine only."""

import asyncio
import errno
import signal
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from syncer.cli import output
from syncer.cli.output import AsJson
from syncer.model.errors import OperatorError

if TYPE_CHECKING:
    from aiohttp.web import Application

_UNUSABLE = frozenset({errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES, errno.EPERM})
Port = Annotated[
    int, Parameter(help="Port on 127.0.0.1; 0 takes a free one.", validator=validators.Number(gte=0, lte=65_535))
]
Seed = Annotated[int, Parameter(help="Where chance starts: the same seed, the same ids and faults.")]


async def google(*, port: Port = 0, seed: Seed = 1, as_json: AsJson = False) -> None:
    """Serve a simulated Google Calendar until it is interrupted.

    Example: syncer simulate google --port 8090
    """
    from syncer.simulator.clock import SimulatedClock
    from syncer.simulator.google import GoogleSimulator

    application = GoogleSimulator(SimulatedClock(), seed).application()
    start = 'simulator/calendars -H "Content-Type: application/json" -d \'{"id": "ana@tenant-a.test"}\''
    await _serve(application, port, start=start, as_json=as_json)


async def conferencing(*, port: Port = 0, seed: Seed = 1, as_json: AsJson = False) -> None:
    """Serve a simulated conferencing system until it is interrupted.

    Example: syncer simulate conferencing --port 8091
    """
    from syncer.simulator.clock import SimulatedClock
    from syncer.simulator.conferencing import ConferencingSimulator

    application = ConferencingSimulator(SimulatedClock(), seed).application()
    start = 'simulator/accounts -H "Content-Type: application/json" -d \'{"slug": "acme"}\''
    await _serve(application, port, start=start, as_json=as_json)


async def _serve(application: "Application", port: int, *, start: str, as_json: bool) -> None:
    import sys

    from syncer.simulator.serve import serving

    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    try:
        async with serving(application, port=port) as root:
            if as_json:
                output.document({"root": root})
            else:
                output.lines([root])
            # Whoever started us in a pipe waits for the address.
            sys.stdout.flush()
            output.say(f"Begin with: curl {root}{start}")
            await ended.wait()
    except OSError as error:
        if error.errno not in _UNUSABLE:
            raise
        raise OperatorError(f"Port {port} on 127.0.0.1 cannot be used ({error.strerror}); choose another.") from None
