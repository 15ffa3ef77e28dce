"""Google's discovery document of the Calendar API, from the package of Google's own Python client."""

import json
from importlib.resources import files
from typing import Any


def document(root: str) -> dict[str, Any]:
    """The document, telling of an API at this root."""
    text = files("googleapiclient.discovery_cache.documents").joinpath("calendar.v3.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found | {"rootUrl": root, "baseUrl": f"{root}calendar/v3/"}
