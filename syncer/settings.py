"""What the operator sets, from `SYNCER_…` variables, checked once at the start."""

import re
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from syncer.model.errors import OperatorError

PREFIX = "SYNCER_"
GOOGLE = "https://www.googleapis.com/"
GOOGLE_TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 (an address, not a secret)


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _root(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]\S*", value):
        raise ValueError("it must be a whole URL that begins with http:// or https://")
    if not value.endswith("/"):
        raise ValueError("it must end with a slash, as in https://www.googleapis.com/")
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
        "SYNCER_CREDENTIAL_", min_length=1, description="prefix of variables that `env:` references may name"
    )
    private_networks: Networks = Field((), description="private address ranges that tenants' URLs may point into")
    cycle_seconds: Seconds = Field(60, description="every calendar is looked at once a cycle")
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
    sweeps: Places = Field(4, description="looks (of up to 50 calendars) at once")
    looks: Places = Field(20, description="requests to Google at once within a sweep")
    pulls: Places = Field(16, description="calendars pulled at once")
    pushes: Places = Field(32, description="conferences pushed at once")
    pushes_per_provider: Places = Field(8, description="calls to one provider account at once")
    log_level: Annotated[str, Field(pattern=r"(?i)^(debug|info|warning|error)$")] = Field(
        "info", description="debug, info, warning or error"
    )


def load() -> Settings:
    """The settings of this process. Raises OperatorError naming each variable that is wrong, never its value."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = [
            f"{PREFIX}{str(mistake['loc'][0]).upper()}: {mistake['msg'].lower().removeprefix('value error, ')}"
            for mistake in error.errors(include_input=False, include_url=False, include_context=False)
        ]
        raise OperatorError(f"Settings cannot be used: {'; '.join(wrong)}.", exit_code=2) from None
