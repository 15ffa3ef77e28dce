"""Who may do what: service-account keys, refresh grants, and the access tokens made of them.

Signatures, lives of tokens and the times in assertions are checked against real time.
Source: Google Identity, "Using OAuth 2.0 for server to server applications", errors included.
"""

from __future__ import annotations

import base64
import binascii
import random
import string
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from syncer.simulator.clock import SimulatedClock
from syncer.simulator.google.standings import Standing
from syncer.simulator.google.times import Json

GOOGLE_TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 (an address)
SCOPE_ROOT = "https://www.googleapis.com/auth/"
READ_SCOPES = frozenset(
    SCOPE_ROOT + name
    for name in (
        "calendar",
        "calendar.readonly",
        "calendar.events",
        "calendar.events.readonly",
        "calendar.events.owned",
        "calendar.events.owned.readonly",
    )
)
WRITE_SCOPES = frozenset(SCOPE_ROOT + name for name in ("calendar", "calendar.events", "calendar.events.owned"))
LIST_SCOPES = frozenset(
    SCOPE_ROOT + name
    for name in ("calendar", "calendar.readonly", "calendar.calendarlist", "calendar.calendarlist.readonly")
)
ACL_SCOPES = frozenset(SCOPE_ROOT + name for name in ("calendar", "calendar.acls"))
KNOWN_SCOPES = (
    READ_SCOPES
    | LIST_SCOPES
    | ACL_SCOPES
    | {SCOPE_ROOT + name for name in ("calendar.acls.readonly", "calendar.calendars.readonly", "userinfo.email")}
    | {SCOPE_ROOT + "admin.directory.user.readonly", "openid", "email"}
)
TOKEN_SECONDS = 3599
PROJECT = "simulator"
ASSERTION_SECONDS = 65 * 60
SKEW_SECONDS = 300
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SHORT_LIVED = (
    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
    "Check your iat and exp values in the JWT claim."
)
NOT_DELEGATED = (
    "Client is unauthorized to retrieve access tokens using this method, "
    "or client not authorized for any of the scopes requested."
)


def new_key() -> rsa.RSAPrivateKey:
    """A fresh RSA key; never from the seed. Takes some 100 ms."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Denied(Exception):
    """The token endpoint's refusal: an OAuth error code, a description, an HTTP status."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.error = error
        self.description = description


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A key that may impersonate the users of some domains; by its e-mail address in `Grants`."""

    email: str
    key_id: str
    public_key: rsa.RSAPublicKey
    domains: frozenset[str]
    token_uri: str
    project: str


@dataclass(frozen=True, slots=True)
class RefreshGrant:
    """A user's lasting consent, until it is revoked or expires."""

    user: str
    client_id: str
    client_secret: str
    project: str
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Access:
    """What an access token stands for.

    until: real seconds since 1970. project: whose quota it uses. charged: the user it counts for when a call names
    none, which is the service account and not whom it speaks for. is_peoples: whether people asked for it.
    """

    subject: str
    scopes: frozenset[str]
    until: float
    project: str
    charged: str
    client_id: str = ""
    is_peoples: bool = False


@dataclass(slots=True)
class Grants:
    """All credentials that the simulator gave out. users: those who exist, shared with the world."""

    seed: int
    users: set[str]
    clock: SimulatedClock
    accounts: dict[str, ServiceAccount] = field(default_factory=dict)
    refresh: dict[str, RefreshGrant] = field(default_factory=dict)
    access: dict[str, Access] = field(default_factory=dict)
    standings: dict[str, Standing] = field(default_factory=dict)
    chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(f"{self.seed}:grants")

    def access_of(self, authorization: str) -> Access | None:
        """What the token in an Authorization header stands for; None when it is missing, unknown or over."""
        scheme, _, token = authorization.partition(" ")
        access = self.access.get(token.strip()) if scheme.lower() == "bearer" else None
        return access if access and access.until > time.time() else None

    def add_account(
        self, key: rsa.RSAPrivateKey, domains: frozenset[str], token_uri: str, *, project: str = PROJECT
    ) -> Json:
        """A new service account's key file, as JSON, allowed to act as any user of the domains."""
        name = f"syncer-{len(self.accounts) + 1}"
        email = f"{name}@simulator.iam.gserviceaccount.com"
        account = ServiceAccount(email, self._text(40), key.public_key(), domains, token_uri, project)
        self.accounts[email] = account
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return {
            "type": "service_account",
            "project_id": project,
            "private_key_id": account.key_id,
            "private_key": pem.decode(),
            "client_email": email,
            "client_id": "".join(self.chance.choices(string.digits, k=21)),
            "token_uri": token_uri,
            "universe_domain": "googleapis.com",
        }

    def add_refresh(self, user: str, token_uri: str, *, project: str = PROJECT) -> Json:
        """A new refresh grant for a user, as the JSON of an authorized user."""
        client_id = f"{self._text(12)}.apps.googleusercontent.com"
        grant = RefreshGrant(user, client_id, f"GOCSPX-{self._text(28)}", project)
        refresh_token = f"1//{self._text(60)}"
        self.refresh[refresh_token] = grant
        return {
            "type": "authorized_user",
            "client_id": grant.client_id,
            "client_secret": grant.client_secret,
            "refresh_token": refresh_token,
            "token_uri": token_uri,
        }

    def expire_access_tokens(self, *, spares_people: bool) -> int:
        """Let all access tokens end now, or all but people's; gives how many."""
        kept = {token: one for token, one in self.access.items() if spares_people and one.is_peoples}
        count = len(self.access) - len(kept)
        self.access = kept
        return count

    def delegate(self, account_email: str, domains: frozenset[str]) -> None:
        """Let a known service account act as the users of these domains from now on, and of no others.

        Access tokens that it holds go on until they end.
        """
        self.accounts[account_email] = replace(self.accounts[account_email], domains=domains)

    def revoke(self, user: str, client_id: str | None = None) -> int:
        """Let a user's refresh grants die, all or those of one client, and the access tokens made of them.

        Gives how many grants.
        """
        dead = {
            token: grant
            for token, grant in self.refresh.items()
            if grant.user == user and not grant.is_over and client_id in (None, grant.client_id)
        }
        self.refresh |= {token: replace(grant, is_over=True) for token, grant in dead.items()}
        clients = {grant.client_id for grant in dead.values()}
        self.access = {token: one for token, one in self.access.items() if one.client_id not in clients}
        return len(dead)

    def stand(self, user: str, standing: Standing) -> None:
        """Put a user into another state; one who is not active loses all access tokens."""
        self.standings[user] = standing
        if standing.state != "active":
            self.access = {token: one for token, one in self.access.items() if one.subject != user}

    def token(self, form: Mapping[str, str], *, is_peoples: bool = False) -> Json:
        """The token endpoint's answer to a form. Raises Denied."""
        grant_type = form.get("grant_type", "")
        if grant_type == JWT_GRANT:
            access = self._by_assertion(form.get("assertion", ""))
            return self._issued(replace(access, is_peoples=is_peoples))
        if grant_type == "refresh_token":
            grant = self._by_refresh(form)
            scopes = frozenset({SCOPE_ROOT + "calendar"})
            access = Access(grant.user, scopes, 0.0, grant.project, charged=grant.user, client_id=grant.client_id)
            access = replace(access, is_peoples=is_peoples)
            return self._issued(access) | {"scope": " ".join(scopes)}
        raise Denied(400, "unsupported_grant_type", f"Invalid grant_type: {grant_type}")

    def _issued(self, access: Access) -> Json:
        now = time.time()
        self.access = {token: known for token, known in self.access.items() if known.until > now}
        token = f"ya29.{self._text(80)}"
        self.access[token] = replace(access, until=now + TOKEN_SECONDS)
        return {"access_token": token, "expires_in": TOKEN_SECONDS, "token_type": "Bearer"}

    def _by_refresh(self, form: Mapping[str, str]) -> RefreshGrant:
        client_id = form.get("client_id", "")
        known = [grant for grant in self.refresh.values() if grant.client_id == client_id]
        if not known:
            raise Denied(401, "invalid_client", "The OAuth client was not found.")
        if known[0].client_secret != form.get("client_secret"):
            raise Denied(401, "invalid_client", "The provided client secret is invalid.")
        grant = self.refresh.get(form.get("refresh_token", ""))
        if grant is None or grant.client_id != client_id or grant.is_over:
            raise Denied(400, "invalid_grant", "Token has been expired or revoked.")
        if self._standing(grant.user).state != "active":
            raise Denied(400, "invalid_grant", "Account has been deleted")
        return grant

    def _standing(self, user: str) -> Standing:
        return self.standings.get(user, Standing())

    def _by_assertion(self, assertion: str) -> Access:
        header, claims, signature, signed_text = _parts(assertion)
        account = self.accounts.get(str(claims.get("iss")))
        if account is None:
            raise Denied(400, "invalid_grant", "Invalid grant: account not found")
        _check_signature(account, header, signature, signed_text)
        _check_times(claims)
        # google-auth names Google's own endpoint whatever the key says.
        if claims.get("aud") not in (account.token_uri, GOOGLE_TOKEN_URI):
            raise Denied(400, "invalid_grant", "Invalid JWT: Failed audience check.")
        scopes = frozenset(str(claims.get("scope", "")).split(" "))
        if not scopes <= KNOWN_SCOPES:
            raise Denied(400, "invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        subject = self._subject(account, claims.get("sub"))
        return Access(subject, scopes, 0.0, account.project, charged=account.email)

    def _subject(self, account: ServiceAccount, subject: object) -> str:
        if subject is None:
            return account.email
        if not isinstance(subject, str) or "@" not in subject:
            raise Denied(400, "invalid_grant", "Not a valid email")
        user = subject.lower()
        standing = self._standing(user)
        if user.rpartition("@")[2] not in account.domains or not standing.is_delegated(self.clock.now()):
            raise Denied(401, "unauthorized_client", NOT_DELEGATED)
        if user not in self.users or standing.state != "active":
            raise Denied(400, "invalid_grant", "Invalid email or User ID")
        return user

    def _text(self, length: int) -> str:
        return "".join(self.chance.choices(string.ascii_letters + string.digits, k=length))


def _parts(assertion: str) -> tuple[Json, Json, bytes, bytes]:
    signed_text, _, signature = assertion.rpartition(".")
    try:
        header, claims = (orjson.loads(_decoded(part)) for part in signed_text.split("."))
        decoded_signature = _decoded(signature)
    except (ValueError, binascii.Error):
        raise Denied(400, "invalid_request", "Bad Request") from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise Denied(400, "invalid_request", "Bad Request")
    return header, claims, decoded_signature, signed_text.encode()


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part.encode("ascii") + b"=" * (-len(part) % 4))


def _check_signature(account: ServiceAccount, header: Json, signature: bytes, signed_text: bytes) -> None:
    if header.get("alg") != "RS256" or header.get("kid", account.key_id) != account.key_id:
        raise Denied(400, "invalid_grant", "Invalid JWT Signature.")
    try:
        account.public_key.verify(signature, signed_text, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise Denied(400, "invalid_grant", "Invalid JWT Signature.") from None


def _check_times(claims: Json) -> None:
    issued_at, expires_at, now = claims.get("iat"), claims.get("exp"), time.time()
    if not isinstance(issued_at, int | float) or not isinstance(expires_at, int | float):
        raise Denied(400, "invalid_grant", SHORT_LIVED)
    is_timely = issued_at <= now + SKEW_SECONDS and expires_at > now - SKEW_SECONDS
    if not is_timely or not 0 < expires_at - issued_at <= ASSERTION_SECONDS:
        raise Denied(400, "invalid_grant", SHORT_LIVED)
