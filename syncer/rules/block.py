"""Our marked block in an event's description, the last rung of write-back.

Google's own pages rewrite descriptions to HTML, so markers are looked for in text with or without tags.
"""

import re
from html import unescape

from syncer.model.conference import Meeting

_FIRST = "----- meeting -----"
_LAST = "----- end of meeting -----"
_BREAKS = r"(?:\s|<br\s*/?>|&nbsp;|</?p>)*"
_BLOCK = re.compile(f"{_BREAKS}{_FIRST}(.*?){_LAST}{_BREAKS}", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_LINE_END = re.compile(r"<br\s*/?>|</p>", re.IGNORECASE)


def split(description: str | None) -> tuple[str | None, str | None]:
    """The user's own text, and the lines between our markers; None for what is not there."""
    if description is None:
        return None, None
    found = _BLOCK.search(description)
    if found is None:
        return description or None, None
    before, after = description[: found.start()], _BLOCK.sub("", description[found.end() :])
    own = f"{before}\n{after}" if before and after else before or after
    return own or None, _plain(found.group(1))


def join(description: str | None, meeting: Meeting) -> str:
    """The user's own text with our block after it."""
    block = f"{_FIRST}\n{text(meeting)}\n{_LAST}"
    return f"{description}\n\n{block}" if description else block


def text(meeting: Meeting) -> str:
    """The lines between the markers."""
    lines = [
        f"Join: {meeting.join_url}" if meeting.join_url else "",
        f"Passcode: {meeting.passcode}" if meeting.passcode else "",
        *(f"Dial-in: {number}" for number in meeting.dial_in),
    ]
    return "\n".join(line for line in lines if line)


def _plain(inner: str) -> str:
    lines = unescape(_TAG.sub("", _LINE_END.sub("\n", inner))).split("\n")
    return "\n".join(line.strip() for line in lines if line.strip())
