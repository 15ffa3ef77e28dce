"""`syncer check`: tries everything that `syncer run` needs, and says what to do about what does not work."""

from syncer.cli import connect, output, probes
from syncer.cli.output import AsJson


async def check(*, as_json: AsJson = False) -> int:
    """Try everything that `run` needs, one line each; exit code 1 if anything fails.

    Example: syncer check
    """
    found: list[probes.Finding] = []

    def tell(finding: probes.Finding) -> None:
        found.append(finding)
        if not as_json:
            output.lines([f"{'ok' if finding.is_well else 'FAILED':8}{finding.what}: {finding.sentence}"])

    await probes.try_all(connect.settings(), tell)
    is_well = all(finding.is_well for finding in found)
    if as_json:
        output.document({"ok": is_well, "checks": found})
    output.advise("syncer run" if is_well else "mend what failed, then syncer check")
    return 0 if is_well else 1
