"""Standard Webhooks signatures under one secret or several, so that a secret can be changed without a lost call.

Source: Standard Webhooks 1.0, on signatures, secrets and key rotation.
"""

import base64
import binascii
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Self

from standardwebhooks import Webhook, WebhookVerificationError

from syncer.clients.secret import Secret
from syncer.model.errors import OperatorError

SECRETS_LIMIT = 5
_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


class Signatures:
    """Signs what goes out under every secret, in their order, and accepts what comes in under any of them."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._webhooks = tuple(Webhook(key) for key in keys)

    @classmethod
    def read(cls, reference: str, secret: Secret) -> Self:
        """Those of a credential: one secret (`whsec_` and the base64 of 24 to 64 bytes) or several, parted by spaces
        or line ends, the newest first. Raises OperatorError, naming the reference and never the content.
        """
        words = secret.reveal().split()
        keys = [_key(word) for word in words]
        found = [key for key in keys if key is not None]
        if len(found) == len(words) and 1 <= len(found) <= SECRETS_LIMIT:
            return cls(found)
        raise OperatorError(
            f"credential {reference} is not a webhook secret: it must be whsec_ and the base64 of 24 to 64 bytes, or "
            f"up to {SECRETS_LIMIT} such, one a line"
        )

    @classmethod
    def of_nobody(cls) -> Self:
        """Under a secret that nobody knows: to say no in as much time as to anybody else."""
        return cls([secrets.token_bytes(32)])

    def sign(self, message_id: str, at: datetime, body: bytes) -> str:
        """The value of `webhook-signature`. at: aware UTC, real time."""
        return " ".join(webhook.sign(message_id, at, body.decode()) for webhook in self._webhooks)

    def fits(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether the headers (names in any case) sign exactly this body, within five minutes of now."""
        given = {name: value for name in _HEADERS if (value := headers.get(name)) is not None}
        return any(_is_signed(webhook, given, body) for webhook in self._webhooks)


def _is_signed(webhook: Webhook, headers: dict[str, str], body: bytes) -> bool:
    try:
        webhook.verify(body, headers, json_parse=False)
    except (WebhookVerificationError, ValueError):  # ValueError: no list of signatures, or a body that is no text
        return False
    return True


def _key(word: str) -> bytes | None:
    try:
        key = base64.b64decode(word.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        return None
    return key if word.startswith("whsec_") and 24 <= len(key) <= 64 else None
