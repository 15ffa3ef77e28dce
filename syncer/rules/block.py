"""Our marked block in an event's description, the last rung of write-back.

Google's own pages rewrite descriptions to HTML, so markers are looked for in text with or without tags. All that is
not between our markers is the user's, to the byte; only the gap that we put before the block is taken away with it.
"""

import re
from html import unescape

from syncer.model.conference import Meeting

_FIRST = "----- meeting -----"
_LAST = "----- end of meeting -----"
_BLANK = r"(?:[ \t\xa0]|&nbsp;)+"
_FIRST_FOUND, _LAST_FOUND = (marker.replace(" ", _BLANK) for marker in (_FIRST, _LAST))
_BREAK = r"(?:\n|(?i:<br\s*/?>))"
_BEFORE = rf"(?:(?:\r\n){{2}}|(?i:<p>)|{_BREAK}{{0,2}})"
_AFTER = rf"(?:(?i:</p>)|\r\n|{_BREAK})?"
# A block begins at the last first marker before an end: a user who typed one of them loses nothing by it.
_BLOCK = re.compile(rf"{_BEFORE}{_FIRST_FOUND}((?:(?!{_FIRST_FOUND}).)*?){_LAST_FOUND}({_AFTER})", re.DOTALL)
_GAP_LIMIT = 32  # no gap that Google or we put before a block is longer
_FIRST_MARK = re.compile(_FIRST_FOUND)
_MARK = re.compile(rf"-----{_BLANK}(?:(?P<end>end){_BLANK}of{_BLANK})?meeting{_BLANK}-----")
_NOTHING = re.compile(r"(?:\s|&nbsp;|(?i:<br\s*/?>|</?p>))*")
_IN_A_VALUE = re.compile(r"-----(?= (?:end of )?meeting -----)")
_TAG = re.compile(r"<[^<>]*>")
_LINE_END = re.compile(r"<br\s*/?>|</p>", re.IGNORECASE)
_LAYERS = 8


def split(description: str | None) -> tuple[str | None, str | None]:
    """The user's own text, and the lines between our markers; None for what is not there.

    Lines of several blocks come one after the other: that is no meeting's text, so they are written anew as one.
    """
    own, inner = description or "", []
    while (found := _first_block(own)) is not None:
        inner.append(_plain(found.group(1)))
        own = _without(own, found)
    return own or None, "\n".join(inner) if inner else None


def _first_block(text: str) -> re.Match[str] | None:
    # Markers alone are looked for first: most texts hold none, and to search for a whole block is far dearer.
    first = _FIRST_MARK.search(text)
    while first is not None:
        mark = _MARK.search(text, first.end())
        if mark is None:
            return None
        if mark.group("end"):
            return _BLOCK.search(text, max(0, first.start() - _GAP_LIMIT))
        first = mark
    return None


def _without(description: str, found: re.Match[str]) -> str:
    before, after = description[: found.start()], description[found.end() :]
    if _NOTHING.fullmatch(after):
        return before
    return before + (found.group(2) or "\n") + after if before else after


def join(description: str | None, meeting: Meeting) -> str:
    """The user's own text with our block after it."""
    block = f"{_FIRST}\n{text(meeting)}\n{_LAST}"
    return f"{description}\n\n{block}" if description else block


def text(meeting: Meeting) -> str:
    """The lines between the markers."""
    lines = [
        f"Join: {_value(meeting.join_url)}" if meeting.join_url else "",
        f"Passcode: {_value(meeting.passcode)}" if meeting.passcode else "",
        *(f"Dial-in: {_value(number)}" for number in meeting.dial_in),
    ]
    return "\n".join(line for line in lines if line)


def says(lines: str, meeting: Meeting) -> bool:
    """These lines, as `split` gives them, tell of this meeting and of nothing else."""
    return lines == _plain(text(meeting))


def _value(text: str) -> str:
    # On one line, and never a marker: what a provider answers must not end our block before its end.
    return _IN_A_VALUE.sub("----", " ".join(text.split()))


def _plain(inner: str) -> str:
    """The text under all layers of HTML: `&region=` in a URL and its HTML-ised twin must come to the same."""
    for _ in range(_LAYERS):
        under = unescape(_TAG.sub("", _LINE_END.sub("\n", inner)))
        if under == inner:
            break
        inner = under
    lines = (" ".join(line.split()) for line in inner.split("\n"))
    return "\n".join(line for line in lines if line)
