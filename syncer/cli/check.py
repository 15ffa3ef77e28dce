"""`syncer check`: tries everything that `syncer run` needs, and says what to do about what does not work."""

import asyncio
import time
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from syncer.cli import connect, output, probes, progress
from syncer.cli.output import AsJson

if TYPE_CHECKING:
    from syncer.settings import Settings

_PAUSE_SECONDS = 0.5


async def check(
    *,
    wait: Annotated[
        float,
        Parameter(
            help="Seconds to wait for the database to be there, writable and migrated; for init containers.",
            validator=validators.Number(gte=0, lte=86_400),
        ),
    ] = 0,
    database: Annotated[
        bool, Parameter(negative="", show_default=False, help="Try the database only, not Google and providers.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Try everything that `run` needs.

    One line each; exit code 1 if anything fails.

    Example: syncer check --wait 60 --database
    """
    chosen = connect.settings()
    found: list[probes.Finding] = []
    with progress.shown("Trying") as bar:

        def tell(finding: probes.Finding) -> None:
            found.append(finding)
            if not as_json:
                with bar.aside():
                    output.lines([f"{'ok' if finding.is_well else 'FAILED':8}{finding.what}: {finding.sentence}"])

        if wait:
            await _wait(chosen, wait, bar)
        if database:
            await probes.try_database(chosen, tell)
        else:
            await probes.try_all(chosen, tell)
    is_well = all(finding.is_well for finding in found)
    if as_json:
        output.document({"ok": is_well, "checks": found})
    output.advise("syncer run" if is_well else "mend what failed, then syncer check")
    return 0 if is_well else 1


async def _wait(chosen: "Settings", seconds: float, bar: progress.Bar) -> None:
    """Tries the database again and again, until all is well there or the time is over."""
    ends_at = time.monotonic() + seconds
    last = ""
    while True:
        found: list[probes.Finding] = []
        await probes.try_database(chosen, found.append)
        wrong = next((finding for finding in found if not finding.is_well), None)
        left = ends_at - time.monotonic()
        if wrong is None or left <= 0:
            return
        bar.tell(f"Waiting for the {wrong.what}")
        if wrong.sentence != last:
            with bar.aside():
                output.say(f"Waiting, {left:.0f} s at most: {wrong.sentence}")
        last = wrong.sentence
        await asyncio.sleep(min(_PAUSE_SECONDS, left))
