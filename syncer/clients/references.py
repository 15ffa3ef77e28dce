"""Secrets by reference: `file:NAME` below one folder, `env:NAME` with one prefix, `sealed:NAME` in the database.

Tenants name them, operators fill them.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from syncer.clients.secret import Secret
from syncer.model.errors import NotThere, OperatorError, StoreError
from syncer.model.reference import as_written, sealed_of

LIMIT_BYTES = 64 * 1024

_ENV_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,127}")


class Vault(Protocol):
    """Opens what is sealed; who makes References has one."""

    async def read(self, reference: str) -> str:
        """The value, as text. Raises OperatorError, StoreError."""
        ...

    async def replaced(self) -> Sequence[str]:
        """References whose value is another one since it was read; may be called all the time."""
        ...


class References:
    """Reads what a reference points at.

    folder: the only one that `file:` reaches into, symlinks resolved; None refuses `file:`.
    env_prefix: what each `env:` name must begin with. environ: the process's environment. vault: opens `sealed:`; None
    refuses it.
    """

    def __init__(
        self, *, folder: Path | None, env_prefix: str, environ: Mapping[str, str], vault: Vault | None = None
    ) -> None:
        self._folder = folder
        self._env_prefix = env_prefix
        self._environ = environ
        self._vault = vault

    async def read(self, reference: str) -> Secret:
        """The text behind a reference; a sealed one names its owner (`model.reference`).

        Raises OperatorError, naming the reference and never the content, which is NotThere where there is none, and
        StoreError for a sealed one.
        """
        if self._vault is not None and sealed_of(reference) is not None:
            return Secret(await self._vault.read(reference))
        return self._read(reference)

    async def replaced(self) -> Sequence[str]:
        """Sealed references whose value is another one since it was read; may be called all the time."""
        return await self._vault.replaced() if self._vault is not None else ()

    async def watch(self, reference: str) -> object:
        """Its mark, as `mark` gives it; of a sealed value `replaced` tells from now on."""
        if self._vault is not None and sealed_of(reference) is not None:
            # What is wrong with it is told to whoever uses it.
            with suppress(OperatorError, StoreError):
                await self._vault.read(reference)
        return self.mark(reference)

    def mark(self, reference: str) -> object:
        """What is another when the file of a reference was replaced; None for one that is not there, or no file."""
        kind, _, name = reference.partition(":")
        if kind != "file" or not name:
            return None
        try:
            found = self._path(reference, name).stat()
        except (OSError, OperatorError):
            return None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode

    def _read(self, reference: str) -> Secret:
        kind, _, name = reference.partition(":")
        if kind == "file" and name:
            return Secret(self._from_file(reference, name))
        if kind == "env" and name:
            return Secret(self._from_environment(reference, name))
        raise OperatorError(
            f"credential {_shown(reference)} is not a reference: write file:NAME, env:NAME or sealed:NAME"
        )

    def _from_environment(self, reference: str, name: str) -> str:
        if not _ENV_NAME.fullmatch(name) or not name.startswith(self._env_prefix):
            raise OperatorError(
                f"credential {_shown(reference)} is not allowed: the variable's name must begin with {self._env_prefix}"
            )
        text = self._environ.get(name)
        if not text:
            raise NotThere(f"credential {_shown(reference)} is not there: set the variable {name}")
        return text

    def _from_file(self, reference: str, name: str) -> str:
        path = self._path(reference, name)
        try:
            if not path.exists():
                raise NotThere(f"credential {_shown(reference)} is not there: put the file into the credentials folder")
            if not path.is_file():
                raise OperatorError(f"credential {_shown(reference)} is not a file: put the key file in its place")
            if path.stat().st_size > LIMIT_BYTES:
                raise OperatorError(
                    f"credential {_shown(reference)} is larger than {LIMIT_BYTES} bytes: it is not a credential"
                )
            return path.read_text(encoding="utf-8")
        except OSError as error:
            sentence = f"credential {_shown(reference)} cannot be read: {error.strerror}"
        except UnicodeDecodeError:
            sentence = f"credential {_shown(reference)} is not UTF-8 text: put the file there as it was given"
        # Outside of the `except`: a decoding error holds the whole content.
        raise OperatorError(sentence)

    def _path(self, reference: str, name: str) -> Path:
        if self._folder is None:
            raise NotThere(
                f"credential {_shown(reference)} cannot be read: no credentials folder is set; set "
                "SYNCER_CREDENTIALS_FOLDER"
            )
        folder = self._folder.resolve()
        outside = OperatorError(
            f"credential {_shown(reference)} is not allowed: file: names a file below the credentials folder"
        )
        if "\0" in name or Path(name).is_absolute() or ".." in Path(name).parts:
            raise outside
        path = (folder / name).resolve()
        if not path.is_relative_to(folder):
            raise outside
        return path


def _shown(reference: str) -> str:
    """A reference as it may be shown: somebody may have put the secret itself in its place."""
    cleaned = re.sub(r"[^\x20-\x7e]", "?", as_written(reference))
    return cleaned if cleaned.startswith(("file:", "env:", "sealed:")) and len(cleaned) <= 200 else f"{cleaned[:4]}…"
