"""A Google credential, checked field by field before any library sees it.

Key files come from tenants: one may send signed assertions elsewhere (`token_uri`) or run programs
(`external_account`). So: two kinds, known fields,
texts of bounded length, and token endpoints that the operator listed.
Source: Google Identity, "Validate credential configurations from external sources".
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import orjson

from syncer.clients.secret import Secret
from syncer.model.errors import OperatorError
from syncer.model.reference import as_written

GOOGLE_TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105  # an address

_SERVICE_ACCOUNT = frozenset({"type", "client_email", "private_key", "private_key_id", "token_uri"})
_SERVICE_ACCOUNT_IDLE = frozenset(
    {
        "project_id",
        "client_id",
        "auth_uri",
        "auth_provider_x509_cert_url",
        "client_x509_cert_url",
        "universe_domain",
    }
)
_AUTHORIZED_USER = frozenset({"type", "client_id", "client_secret", "refresh_token"})
_AUTHORIZED_USER_IDLE = frozenset(
    {"token_uri", "account", "quota_project_id", "universe_domain", "scopes", "token", "expiry"}
)
_TEXT_LIMIT = 16_384


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A key that may speak for users of the domains that let it."""

    client_email: str
    private_key_id: str
    private_key: Secret
    token_uri: str


@dataclass(frozen=True, slots=True)
class AuthorizedUser:
    """One user's consent."""

    client_id: str
    client_secret: Secret
    refresh_token: Secret
    token_uri: str


Credential = ServiceAccount | AuthorizedUser


def parse(reference: str, text: Secret, *, token_uris: Collection[str]) -> Credential:
    """The credential in a key file's text.

    reference: for the message. token_uris: the endpoints that may be asked for tokens, compared exactly.
    Raises OperatorError: a sentence that names the reference and the field, never what stands in it.
    """
    reference = as_written(reference)
    fields = _fields(reference, text)
    kind = fields.get("type")
    if kind == "service_account":
        _check(reference, fields, needed=_SERVICE_ACCOUNT, idle=_SERVICE_ACCOUNT_IDLE)
        return ServiceAccount(
            client_email=fields["client_email"],
            private_key_id=fields["private_key_id"],
            private_key=Secret(fields["private_key"]),
            token_uri=_token_uri(reference, fields, token_uris),
        )
    if kind == "authorized_user":
        _check(reference, fields, needed=_AUTHORIZED_USER, idle=_AUTHORIZED_USER_IDLE)
        return AuthorizedUser(
            client_id=fields["client_id"],
            client_secret=Secret(fields["client_secret"]),
            refresh_token=Secret(fields["refresh_token"]),
            token_uri=_token_uri(reference, fields, token_uris),
        )
    raise OperatorError(
        f"credential {reference} is of a type that is not accepted: give a service_account or authorized_user file"
    )


def _fields(reference: str, text: Secret) -> dict[str, Any]:
    try:
        fields = orjson.loads(text.reveal())
    except orjson.JSONDecodeError:
        fields = None  # raised below, outside of the `except`: the decoder's error holds the whole text
    if not isinstance(fields, dict):
        raise OperatorError(f"credential {reference} is not a JSON object: give the key file as Google made it")
    return fields


def _check(reference: str, fields: dict[str, Any], *, needed: frozenset[str], idle: frozenset[str]) -> None:
    missing = sorted(needed - fields.keys())
    if missing:
        raise OperatorError(f"credential {reference} lacks {', '.join(missing)}: give the key file as Google made it")
    if fields.keys() - needed - idle:
        raise OperatorError(
            f"credential {reference} has fields that its type does not have: give the key file as Google made it"
        )
    for name in sorted(needed):
        value = fields[name]
        if not isinstance(value, str) or not 0 < len(value) <= _TEXT_LIMIT:
            raise OperatorError(f"credential {reference} has no usable text in {name}: give the key file anew")
    if fields.get("universe_domain", "googleapis.com") != "googleapis.com":
        raise OperatorError(f"credential {reference} is of another universe_domain than googleapis.com")


def _token_uri(reference: str, fields: dict[str, Any], token_uris: Collection[str]) -> str:
    token_uri = fields.get("token_uri", GOOGLE_TOKEN_URI)
    if not isinstance(token_uri, str) or token_uri not in token_uris:
        raise OperatorError(
            f"credential {reference} names a token_uri that is not allowed: only the token endpoints in "
            "SYNCER_TOKEN_URIS are asked"
        )
    return token_uri
