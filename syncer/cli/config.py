"""`syncer config`: the settings of this process, and where each comes from."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from syncer.cli import connect, output
from syncer.cli.output import AsJson

if TYPE_CHECKING:
    from syncer.settings import Settings

_HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. value: as text, hidden when it is a secret, None when it is not set."""

    name: str
    value: str | None
    source: str
    meaning: str


async def show(*, as_json: AsJson = False) -> None:
    """Show every setting with its value and where it comes from; secrets are hidden.

    Example: syncer config show
    """
    found = _settings(connect.settings())
    credentials = _credentials(connect.settings().credentials_prefix)
    if as_json:
        output.document({"settings": found, "credentials": credentials})
        return
    rows = [(one.name, one.value, one.source, one.meaning) for one in found]
    output.table(("setting", "value", "from", "meaning"), rows, last_may_break=True)
    if credentials:
        output.lines(["", f"Credentials that `env:` references may name: {', '.join(credentials)}."])
    output.advise("syncer check")


def _settings(chosen: "Settings") -> list[Setting]:
    from syncer.settings import PREFIX

    given = {name.upper() for name in os.environ}
    return [
        Setting(
            name=f"{PREFIX}{name.upper()}",
            value=_shown(getattr(chosen, name)),
            source="environment" if f"{PREFIX}{name.upper()}" in given else "default",
            meaning=field.description or "",
        )
        for name, field in type(chosen).model_fields.items()
    ]


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
