"""What the operator sets, from `SYNCER_…` variables, checked once at the start."""

import difflib
import os
import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from syncer.model.errors import OperatorError

PREFIX = "SYNCER_"
CREDENTIALS_PREFIX = "SYNCER_CREDENTIAL_"
GOOGLE = "https://www.googleapis.com/"
GOOGLE_TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 (an address, not a secret)

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_OF_KUBERNETES = re.compile(
    r"SYNCER(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _root(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]\S*", value):
        raise ValueError("it must be a whole URL that begins with http:// or https://")
    if not value.endswith("/"):
        raise ValueError("it must end with a slash, as in https://www.googleapis.com/")
    return value


def _listen(value: str) -> str:
    found = re.fullmatch(r"(?:\[[0-9a-fA-F:.]+\]|[^\s\[\]:/]+):(\d{1,5})", value)
    if found is not None and int(found[1]) > 65_535:
        raise ValueError("its port must be from 0 to 65535")
    if value != "off" and found is None:
        raise ValueError("it must be HOST:PORT, as in 127.0.0.1:8470, or off")
    return value


def _notifications_url(value: str) -> str:
    url = urlsplit(value)
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", value) or not url.hostname:
        raise ValueError("it must be a whole URL without a query, as in https://sync.example.org/notifications/google")
    if url.scheme == "http" and url.hostname not in _LOOPBACK:
        raise ValueError("it must begin with https://; Google sends to nothing else")
    return value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_split)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Places = Annotated[int, Field(ge=1, le=10_000)]


class Settings(BaseSettings):
    """Each field is the variable `SYNCER_<FIELD>`; lists are separated by commas."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True)

    database_url: SecretStr | None = Field(
        None, description="Postgres to use; without it an embedded one, where that is allowed"
    )
    pg_bin: Path | None = Field(None, description="folder with initdb and postgres for the embedded Postgres")
    data_folder: Path | None = Field(None, description="where the embedded Postgres keeps its data")
    google_api_root: Annotated[str, AfterValidator(_root)] = Field(
        GOOGLE, description="root of Google's API, for emulators"
    )
    token_uris: Words = Field((GOOGLE_TOKEN_URI,), description="token endpoints that a credential may name")
    credentials_folder: Path | None = Field(None, description="the one folder that `file:` references may name")
    credentials_prefix: str = Field(
        CREDENTIALS_PREFIX, min_length=1, description="prefix of variables that `env:` references may name"
    )
    key_ring: Path | None = Field(None, description="file of the keys that `sealed:` credentials are sealed with")
    private_networks: Networks = Field((), description="private address ranges that tenants' URLs may point into")
    listen: Annotated[str, AfterValidator(_listen)] = Field(
        "127.0.0.1:8470", description="HOST:PORT that takes calls from vendors, or off; port 0 takes a free one"
    )
    notifications_url: Annotated[str, AfterValidator(_notifications_url)] | None = Field(
        None, description="public https address of POST /notifications/google; without it calendars are only polled"
    )
    channel_seconds: Annotated[int, Field(ge=60, le=2_592_000)] = Field(
        604_800, description="how long a channel of notifications is asked for; Google may grant less"
    )
    cycle_seconds: Seconds = Field(
        60,
        description="between two looks by the clock at a calendar, at least; longer where the day's budget asks for it",
    )
    relist_seconds: Seconds = Field(5, description="how often tenants and calendars are listed again")
    rescue_seconds: Seconds = Field(2, description="how often rows that wait for a push are looked for")
    read_back_seconds: Seconds = Field(600, description="how often a meeting is read back at its provider")
    lease_seconds: Annotated[float, Field(ge=2, le=300)] = Field(
        15, description="how long a lease lasts without renewal"
    )
    request_seconds: Seconds = Field(10, description="deadline of one request")
    grace_seconds: Annotated[float, Field(ge=0, le=3600)] = Field(
        20, description="how long work under way may take to end after SIGTERM"
    )
    sweeps: Places = Field(4, description="sweeps, of a batch of looks each, at once")
    requests: Places = Field(20, description="requests to Google at once")
    batch_calls: Annotated[int, Field(ge=1, le=1000)] = Field(
        50, description="looks or patches in one request to Google, at most; fewer while its answers take over a second"
    )
    patch_weight: Annotated[int, Field(ge=1, le=100)] = Field(
        3, description="requests that a patch counts as, in the budget of requests to Google"
    )
    gzip: bool = Field(True, description="ask for compressed answers; off saves time where the network is fast")
    pulls: Places = Field(200, description="calendars with some changes pulled at once")
    long_pulls: Places = Field(8, description="calendars with hundreds of changes or more pulled at once")
    pushes: Places = Field(200, description="conferences pushed at once")
    pushes_per_provider: Places = Field(16, description="calls to one provider account at once")
    key_calls_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        1200, description="calls that a tenant's API key may make in any minute, at each receiver"
    )
    log_level: Annotated[str, Field(pattern=r"(?i)^(debug|info|warning|error)$")] = Field(
        "info", description="debug, info, warning or error"
    )


def unknown(environ: Mapping[str, str]) -> dict[str, str | None]:
    """Variables that look like settings and are none, each with the nearest that is one, if any is near.

    Source of those that are let pass: Kubernetes documentation, "Service", on environment variables: a service called
    `syncer` puts them into every pod.
    """
    known = {name: f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    prefixes = (CREDENTIALS_PREFIX, environ.get(known["credentials_prefix"]) or CREDENTIALS_PREFIX)
    bare = [name.upper() for name in known]
    found: dict[str, str | None] = {}
    for name in sorted(environ):
        shape = name.upper()
        if not shape.startswith(PREFIX) or shape in known.values() or _OF_KUBERNETES.fullmatch(name):
            continue
        near = difflib.get_close_matches(shape.removeprefix(PREFIX), bare, n=1, cutoff=0.5)
        if not name.startswith(prefixes) or shape.replace("CREDENTIAL_", "CREDENTIALS_") in known.values():
            found[name] = f"{PREFIX}{near[0]}" if near else None
    return found


def refuse_unknown(environ: Mapping[str, str]) -> None:
    """Raises OperatorError for variables as `unknown` finds them: a misspelt one must not pass in silence."""
    wrong = unknown(environ)
    if wrong:
        named = ", ".join(f"{name} (did you mean {near}?)" if near else name for name, near in wrong.items())
        raise OperatorError(
            f"There is no setting {named}; `syncer config show` lists all. Correct or unset what is wrong.",
            exit_code=2,
        )


def load() -> Settings:
    """The settings of this process. Raises OperatorError naming each variable that is wrong, never its value."""
    refuse_unknown(os.environ)
    found, wrong = read()
    refuse(wrong)
    return found


def read() -> tuple[Settings, dict[str, str]]:
    """The settings of this process, and by variable what is wrong with those that have their default instead."""
    try:
        return Settings(), {}
    except ValidationError as error:
        mistakes = error.errors(include_input=False, include_url=False, include_context=False)
    said = {str(mistake["loc"][0]): mistake["msg"].lower().removeprefix("value error, ") for mistake in mistakes}
    defaults = {name: Settings.model_fields[name].default for name in said}
    return Settings(**defaults), {f"{PREFIX}{name.upper()}": sentence for name, sentence in said.items()}


def refuse(wrong: Mapping[str, str]) -> None:
    """Raises OperatorError for variables as `read` finds them wrong."""
    if wrong:
        named = "; ".join(f"{name}: {sentence}" for name, sentence in wrong.items())
        raise OperatorError(f"Settings cannot be used: {named}. `syncer config show` shows all.", exit_code=2)
