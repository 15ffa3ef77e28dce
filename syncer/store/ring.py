"""The key ring: the keys that seal credentials, in a file of the operator's, never in a database.

The file is JSON: `{"keys": [{"id", "state", "made_at", "key"}]}`. id: eight hexadecimal digits. state: `primary` seals
and opens, and there is exactly one; `enabled` only opens. key: 32 random bytes in base64.
"""

import base64
import binascii
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from syncer.model.errors import OperatorError

LIMIT_BYTES = 64 * 1024
_KEY_BYTES = 32
_ID_DIGITS = 8
_HEXADECIMAL = frozenset("0123456789abcdef")
_OTHERS = stat.S_IRWXO | stat.S_IWGRP | stat.S_IXGRP


@dataclass(frozen=True, slots=True)
class Key:
    """One key. material: its 32 bytes."""

    key_id: str
    is_primary: bool
    made_at: datetime
    material: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ring:
    """The keys of one file, in its order. source: how messages call the file."""

    source: str
    keys: tuple[Key, ...]

    @property
    def primary(self) -> Key:
        return next(key for key in self.keys if key.is_primary)

    @property
    def newest(self) -> Key:
        # Of those of one second, the last that was added.
        return max(reversed(self.keys), key=lambda key: key.made_at)

    def key(self, key_id: str) -> Key | None:
        return next((key for key in self.keys if key.key_id == key_id), None)

    def with_another(self, now: datetime) -> "Ring":
        """With a new key that opens, and does not seal before `with_primary` says so. now: aware."""
        key_id = next(key_id for key_id in _ids() if self.key(key_id) is None)
        return Ring(self.source, (*self.keys, _made(key_id, now, is_primary=False)))

    def with_primary(self, key_id: str) -> "Ring":
        """With this key sealing from now on."""
        keys = (Key(key.key_id, key.key_id == key_id, key.made_at, key.material) for key in self.keys)
        return Ring(self.source, tuple(keys))

    def without(self, key_id: str) -> "Ring":
        return Ring(self.source, tuple(key for key in self.keys if key.key_id != key_id))


class _WrittenKey(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    state: Literal["primary", "enabled"]
    made_at: datetime
    key: str


class _Written(msgspec.Struct, forbid_unknown_fields=True):
    keys: list[_WrittenKey]


class Keys:
    """The ring as it stands in its file: read when it is needed first, and again when a key is not in it yet.

    So a process that runs takes over a key that was added. path: None where the operator has set none.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._ring: Ring | None = None

    @property
    def path(self) -> Path:
        """The file. Raises OperatorError where the operator has set none."""
        if self._path is None:
            raise OperatorError("no key ring is set: let SYNCER_KEY_RING name the file that `syncer keys new` writes")
        return self._path

    def ring(self) -> Ring:
        """The file as it stands now. Raises OperatorError."""
        self._ring = read(self.path)
        return self._ring

    def key(self, key_id: str) -> Key | None:
        """The key of this id, None when the ring has none. Raises OperatorError when there is no usable ring."""
        key = self._ring.key(key_id) if self._ring is not None else None
        return key or self.ring().key(key_id)


def new(source: str, now: datetime) -> Ring:
    """A ring of one new key. now: aware."""
    return Ring(source, (_made(next(_ids()), now, is_primary=True),))


def read(path: Path) -> Ring:
    """The ring in a file that nobody but its owner can change, and nobody but its owner's group can read.

    Raises OperatorError: a sentence that names the file, never what stands in it.
    """
    source = f"key ring {path}"
    try:
        # Not to wait for whoever may write into a pipe of that name.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            _check_rights(source, os.fstat(file.fileno()))
            text = file.read(LIMIT_BYTES + 1)
    except FileNotFoundError:
        raise OperatorError(f"{source} is not there: `syncer keys new` writes one") from None
    except OSError as error:
        raise OperatorError(f"{source} cannot be read: {error.strerror}") from None
    return _parsed(source, text)


def write(path: Path, ring: Ring) -> None:
    """Puts a ring in the place of a file, whole or not at all, readable by its owner alone. Raises OperatorError."""
    written = _Written([_written(key) for key in ring.keys])
    text = msgspec.json.format(msgspec.json.encode(written), indent=2) + b"\n"
    whole = path.resolve()
    aside = whole.with_name(f".{whole.name}.{secrets.token_hex(4)}")
    try:
        _put(aside, text)
        aside.replace(whole)
        _settle(whole.parent)
    except OSError as error:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        raise OperatorError(f"{ring.source} cannot be written: {error.strerror}") from None


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """For as long as the block lasts no other command of ours changes the ring. Raises OperatorError."""
    folder = path.resolve().parent
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise OperatorError(f"the folder of key ring {path} cannot be used: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _put(path: Path, text: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _settle(folder: Path) -> None:
    """A file's new name lasts only once its folder is written."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _check_rights(source: str, about: os.stat_result) -> None:
    """As Postgres has it for its own key: ours alone, or of root and readable by a group (as Kubernetes mounts it)."""
    if not stat.S_ISREG(about.st_mode):
        raise OperatorError(f"{source} is not a file")
    if about.st_uid not in (0, os.geteuid()):
        raise OperatorError(f"{source} belongs to another user: give it to the user that syncer runs as, or to root")
    if about.st_mode & _OTHERS or (about.st_mode & stat.S_IRGRP and about.st_uid != 0):
        raise OperatorError(
            f"{source} is open to others (mode {stat.S_IMODE(about.st_mode):04o}): `chmod 600` closes it; the keys in "
            "it may have been read, so take new ones with `syncer keys new` and `syncer keys rotate`"
        )


def _parsed(source: str, text: bytes) -> Ring:
    unusable = OperatorError(f"{source} is not as `syncer keys new` writes it: bring back a copy of it")
    try:
        written = msgspec.json.decode(text, type=_Written)
        keys = tuple(_key(one) for one in written.keys)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, binascii.Error, ValueError):
        keys = ()  # raised below, outside of the `except`: a decoder's error may quote the text
    ids = [key.key_id for key in keys]
    if not keys or len(text) > LIMIT_BYTES or len(set(ids)) != len(ids):
        raise unusable
    if sum(key.is_primary for key in keys) != 1:
        raise OperatorError(f"{source} must have exactly one key in state primary, and has another number of them")
    return Ring(source, keys)


def _key(written: _WrittenKey) -> Key:
    material = base64.b64decode(written.key, validate=True)
    is_id = len(written.id) == _ID_DIGITS and set(written.id) <= _HEXADECIMAL
    if len(material) != _KEY_BYTES or not is_id or written.made_at.tzinfo is None:
        raise ValueError
    return Key(written.id, written.state == "primary", written.made_at.astimezone(UTC), material)


def _written(key: Key) -> _WrittenKey:
    state: Literal["primary", "enabled"] = "primary" if key.is_primary else "enabled"
    return _WrittenKey(key.key_id, state, key.made_at, base64.b64encode(key.material).decode())


def _made(key_id: str, now: datetime, *, is_primary: bool) -> Key:
    return Key(key_id, is_primary, now.astimezone(UTC).replace(microsecond=0), secrets.token_bytes(_KEY_BYTES))


def _ids() -> Iterator[str]:
    while True:
        yield secrets.token_hex(_ID_DIGITS // 2)
