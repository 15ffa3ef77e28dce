"""What people write as options, made into values: durations, matchers, the ladder of write-back, provider settings."""

import re
from collections.abc import Sequence
from datetime import timedelta
from importlib import metadata
from typing import TYPE_CHECKING

from syncer.model.calendar import Matcher
from syncer.model.errors import OperatorError
from syncer.rules import calling

if TYPE_CHECKING:
    from syncer.clients.addresses import Network

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION = re.compile(r"(?:\d{1,6}[smhd]){1,8}")
_GUARD = re.compile(r"(\d{1,9}),(\d{1,3})%")
_WHOLE_PERCENT = 100
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,127}")
_FILE_NAME_LIMIT_BYTES = 255
_SEALED_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")
_URL_LIMIT = 2000
_MATCHER_FIELDS = {
    "type": "solution_type",
    "name": "solution_name",
    "uri": "uri_prefix",
    "parameter": "parameter",
}
_RUNGS = ("conferenceData", "location", "description")


def duration(option: str, text: str) -> timedelta:
    """`90s`, `10m`, `1h30m`, `1d` as a duration. Raises OperatorError naming the option."""
    if text == "0":
        return timedelta(0)
    if not _DURATION.fullmatch(text):
        raise _wrong(f"{option} is a duration such as 90s, 10m, 1h30m or 1d, not {text!r}")
    whole = timedelta(0)
    for count, unit in re.findall(r"(\d+)([smhd])", text):
        whole += timedelta(**{_UNITS[unit]: int(count)})
    return whole


def matchers(texts: Sequence[str]) -> tuple[Matcher, ...]:
    """Each text, `type=addOn,name=Example Meeting`, as a matcher; without any the one for all add-ons' conferences.

    A comma within a value is written twice. Raises OperatorError.
    """
    return tuple(_matcher(text) for text in texts) or (Matcher(solution_type="addOn"),)


def ladder(text: str) -> tuple[str, ...]:
    """The rungs of write-back in order, `conferenceData,location,description` or `none`. Raises OperatorError."""
    if text == "none":
        return ()
    rungs = tuple(rung.strip() for rung in text.split(","))
    if len(set(rungs)) != len(rungs) or not set(rungs) <= set(_RUNGS):
        raise _wrong(f"--write-back takes each of {', '.join(_RUNGS)} at most once, or none; not {text!r}")
    return rungs


def guard(option: str, text: str | None) -> tuple[int | None, int | None]:
    """`20,30%` as a count and a percentage, nothing as neither. Raises OperatorError."""
    if text is None:
        return None, None
    found = _GUARD.fullmatch(text)
    if found is None or int(found[2]) > _WHOLE_PERCENT:
        raise _wrong(
            f"{option} takes a count and a percentage, of which the greater counts, such as 20,30%; not {text!r}"
        )
    return int(found[1]), int(found[2])


def call_limits(texts: Sequence[str]) -> tuple[str, ...]:
    """Limits of a provider account, each once, or none of them for `none`. Raises OperatorError."""
    if list(texts) == ["none"]:
        return ()
    for text in texts:
        try:
            calling.read(text)
        except ValueError:
            raise _wrong(
                "--provider-limit takes a count and a period, such as 10/second, 600/minute, 20/hour or 100/day, and "
                f"/updates or /organizer behind it where not all calls count together; not {text!r}"
            ) from None
    return tuple(dict.fromkeys(texts))


def reference(option: str, text: str, *, prefix: str) -> str:
    """A reference to a credential whose form is right; what it points at may come later.

    prefix: what an `env:` name begins with. Raises OperatorError without showing the text: it may be the secret itself.
    """
    kind, _, name = text.partition(":")
    match kind:
        case "file" if _is_file_name(name):
            return text
        case "env" if _VARIABLE.fullmatch(name) and name.startswith(prefix):
            return text
        case "sealed" if _SEALED_NAME.fullmatch(name):
            return text
    raise _wrong(
        f"{option} takes a reference, never the secret itself: file:NAME for a file in SYNCER_CREDENTIALS_FOLDER "
        f"(its bare name, no '/' and no '..'), env:NAME for a variable in capitals that begins with {prefix}, or "
        "sealed:NAME for a value that `syncer tenant seal` puts into the database under that name"
    )


def sealed_name(text: str) -> str:
    """The name of a sealed credential. Raises OperatorError without showing the text: it may be the secret itself."""
    if _SEALED_NAME.fullmatch(text):
        return text
    raise _wrong(
        "NAME is what sealed:NAME will call the credential: 1 to 63 lower-case letters, digits, dots, dashes and "
        "underscores, with a letter or digit at either end"
    )


def provider(name: str) -> str:
    """The name of an installed provider. Raises OperatorError naming those there are."""
    names = sorted(metadata.entry_points(group="syncer.providers").names)
    if name not in names:
        raise _wrong(f"--provider {name!r} is not installed; there is {', '.join(names)}")
    return name


def web_address(option: str, text: str, *, opened: "Sequence[Network]" = ()) -> str:
    """An http or https URL that a worker would call. Raises OperatorError without showing it: it may hold a password.

    opened: private ranges that it may lead to. What a name stands for is seen only when it is called.
    """
    if len(text) > _URL_LIMIT:
        raise _wrong(f"{option} takes a URL of at most {_URL_LIMIT} characters")
    if not re.fullmatch(r"https?://[^\s/?#@]+[^\s@#]*", text) or not text.isprintable() or not _has_host(text):
        raise _wrong(
            f"{option} takes a whole URL with a host, a port from 1 to 65535 if any, and neither user name nor '#', "
            "such as https://meet.example.org/hooks/calendar"
        )
    refusal = _why_refused(text, opened)
    if refusal is not None:
        raise _wrong(f"{option} takes a URL that is open to tenants: {refusal}")
    return text


def _why_refused(url: str, opened: "Sequence[Network]") -> str | None:
    from yarl import URL

    from syncer.clients import addresses

    parsed = URL(url)
    return addresses.why_refused(parsed.scheme, parsed.host or "", opened)


def _is_file_name(name: str) -> bool:
    is_plain = "/" not in name and "\\" not in name and ".." not in name and name.isprintable()
    return is_plain and name not in ("", ".") and len(name.encode()) <= _FILE_NAME_LIMIT_BYTES


def _has_host(url: str) -> bool:
    from yarl import URL

    try:
        parsed = URL(url)
        return bool(parsed.host) and parsed.port != 0
    except ValueError:
        return False


def _matcher(text: str) -> Matcher:
    found: dict[str, str] = {}
    for part in text.replace(",,", "\0").split(","):
        name, is_set, value = part.replace("\0", ",").partition("=")
        name, value = name.strip(), value.strip()
        if not is_set or not value or name not in _MATCHER_FIELDS or _MATCHER_FIELDS[name] in found:
            raise _wrong(
                f"--matcher takes type=, name=, uri= and parameter=, each at most once and with a value, "
                f"as in 'type=addOn,name=Example Meeting'; not {text!r}"
            )
        found[_MATCHER_FIELDS[name]] = value
    return Matcher(**found)


def _wrong(sentence: str) -> OperatorError:
    return OperatorError(f"{sentence}.", exit_code=2)
