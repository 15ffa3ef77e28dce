"""Named SQL statements from `queries/*.sql`.

A statement starts with a line `-- name: take` and goes on to the next such line or the end of the file.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

_HEADING = re.compile(r"^-- name: ([a-z_]+)$", re.MULTILINE)


@cache
def of(noun: str) -> Mapping[str, str]:
    """The statements of `queries/<noun>.sql`, keyed by name."""
    text = resources.files("syncer.store").joinpath("queries", f"{noun}.sql").read_text("utf-8")
    parts = _HEADING.split(text)[1:]
    return MappingProxyType(dict(zip(parts[::2], (part.strip() for part in parts[1::2]), strict=True)))
