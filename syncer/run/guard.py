"""The guard around one piece of work: its failure ends nothing but itself, and is told of without its text."""

import traceback
from collections.abc import Awaitable

import structlog

from syncer.model.errors import FencedOut, SyncerError

log = structlog.get_logger()


async def guarded(work: Awaitable[None]) -> None:
    """One piece of work, whose failure ends nothing but itself: its row is still due, so it comes again."""
    try:
        await work
    except FencedOut as error:
        log.info("fenced out", reason=str(error))
    except SyncerError as error:
        log.warning("a piece of work failed", reason=str(error))
    except Exception as error:  # noqa: BLE001
        # The one guard. Type and place are told and no more, for an error's text may hold what was in its hands.
        frame = traceback.extract_tb(error.__traceback__)[-1]
        log.error(
            "a piece of work failed unexpectedly", error=type(error).__name__, where=f"{frame.name}:{frame.lineno}"
        )
