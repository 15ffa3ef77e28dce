"""`syncer config`: the settings of this process, and where each comes from."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from syncer.cli import output
from syncer.cli.output import AsJson

if TYPE_CHECKING:
    from syncer.settings import Settings

_HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. value: as text, hidden when it is a secret, None when it is not set or wrong.

    problem: what is wrong with it, or that there is no such setting.
    """

    name: str
    value: str | None
    source: str
    meaning: str
    problem: str | None = None


async def show(*, as_json: AsJson = False) -> int:
    """Show every setting with its value and where it comes from; secrets are hidden.

    What is wrong is marked, and its value not shown; exit code 2 then.

    Example: syncer config show
    """
    from syncer import settings

    chosen, wrong = settings.read()
    found = [*_settings(chosen, wrong), *_unknown()]
    is_well = all(one.problem is None for one in found)
    credentials = _credentials(chosen.credentials_prefix)
    if as_json:
        output.document({"ok": is_well, "settings": found, "credentials": credentials})
        return 0 if is_well else 2
    rows = [(one.name, one.value, one.source, f"WRONG: {one.problem}" if one.problem else one.meaning) for one in found]
    output.table(("setting", "value", "from", "meaning"), rows, last_may_break=True)
    if credentials:
        output.lines(["", f"Credentials that `env:` references may name: {', '.join(credentials)}."])
    bad = ", ".join(one.name for one in found if one.problem is not None)
    output.advise("syncer check" if is_well else f"correct or unset {bad}, then syncer config show")
    return 0 if is_well else 2


def _unknown() -> list[Setting]:
    from syncer import settings

    return [
        Setting(name, None, "environment", "", f"no setting; did you mean {near}?" if near else "no setting")
        for name, near in settings.unknown(os.environ).items()
    ]


def _settings(chosen: "Settings", wrong: Mapping[str, str]) -> list[Setting]:
    from syncer.settings import PREFIX

    given = {name.upper() for name in os.environ}
    found = []
    for name, field in type(chosen).model_fields.items():
        variable = f"{PREFIX}{name.upper()}"
        problem = wrong.get(variable)
        found.append(
            Setting(
                name=variable,
                value=None if problem else _shown(getattr(chosen, name)),
                source="environment" if variable in given else "default",
                meaning=field.description or "",
                problem=problem,
            )
        )
    return found


def _credentials(prefix: str) -> list[str]:
    """Names alone: what they hold is secret."""
    return sorted(name for name in os.environ if name.startswith(prefix))


def _shown(value: object) -> str | None:
    from pydantic import SecretStr

    match value:
        case None:
            return None
        case SecretStr():
            return _HIDDEN
        case tuple():
            return ",".join(str(part) for part in value)
        case float():
            return f"{value:g}"
    return str(value)
