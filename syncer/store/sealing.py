"""Sealing: AES-256-GCM under a key of the ring, bound to the place where the value stands.

A sealed value is a version byte, the key's id (four bytes), a random nonce (twelve) and the ciphertext with its tag.
Table, column, owner, name and origin are associated data: moved anywhere else, it opens nowhere.
Source of the limit of 2^32 values under one key with random nonces: NIST SP 800-38D, 8.3.
"""

import secrets
from dataclasses import dataclass

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from syncer.store.ring import Key

VALUE_LIMIT_BYTES = 64 * 1024
_VERSION = b"\x01"
_KEY_ID_END = 5
_NONCE_END = 17


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands.

    owner_id: of the tenant or account. name: of the value among its owner's. origin: what it may be used for, where it
    is for one server only.
    """

    table: str
    column: str
    owner_id: int
    name: str
    origin: str = ""


class NotOpened(Exception):
    """It was sealed otherwise: under another key of this id, for another place, or it was changed."""


def seal(key: Key, place: Place, text: str) -> bytes:
    """A text as only this key opens it, and only at this place."""
    head = _VERSION + bytes.fromhex(key.key_id)
    nonce = secrets.token_bytes(_NONCE_END - _KEY_ID_END)
    return head + nonce + AESGCM(key.material).encrypt(nonce, text.encode(), _bound(head, place))


def open_sealed(key: Key, place: Place, sealed: bytes) -> str:
    """The text that was sealed. Raises NotOpened."""
    head, nonce = sealed[:_KEY_ID_END], sealed[_KEY_ID_END:_NONCE_END]
    if head != _VERSION + bytes.fromhex(key.key_id):
        raise NotOpened
    try:
        return AESGCM(key.material).decrypt(nonce, sealed[_NONCE_END:], _bound(head, place)).decode()
    except (InvalidTag, ValueError):
        # ValueError: of a nonce that was cut short, or of text that is none.
        raise NotOpened from None


def key_id_of(sealed: bytes) -> str:
    """The id of the key that it was sealed under."""
    return sealed[1:_KEY_ID_END].hex()


def _bound(head: bytes, place: Place) -> bytes:
    return head + orjson.dumps(["syncer", place.table, place.column, place.owner_id, place.name, place.origin])
