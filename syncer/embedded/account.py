"""Under which user Postgres runs: it refuses to be root, so root's runs as somebody else."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from syncer.embedded.errors import EmbeddedError

_CANDIDATES = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs Postgres. is_other: it is not the user we are."""

    name: str
    uid: int
    gid: int
    is_other: bool

    @classmethod
    def chosen(cls) -> Self:
        """Ourselves; for root the user `postgres`, else `nobody`. Raises EmbeddedError when neither exists."""
        if os.geteuid() != 0:
            return cls(str(os.geteuid()), os.geteuid(), os.getegid(), is_other=False)
        for name in _CANDIDATES:
            try:
                found = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(name, found.pw_uid, found.pw_gid, is_other=True)
        raise EmbeddedError(
            "Postgres refuses to run as root and this system has no user postgres or nobody to run it: "
            "run syncer as a normal user, or set SYNCER_DATABASE_URL."
        )

    @property
    def spawn_uid(self) -> int | None:
        """What `subprocess` gets as `user`."""
        return self.uid if self.is_other else None

    @property
    def spawn_gid(self) -> int | None:
        """What `subprocess` gets as `group`."""
        return self.gid if self.is_other else None

    @property
    def spawn_groups(self) -> list[int] | None:
        """What `subprocess` gets as `extra_groups`: root's other groups do not go along."""
        return [] if self.is_other else None

    def takes(self, path: Path) -> None:
        """Hands a file or folder that we made to this user."""
        if self.is_other:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def reaches(self, path: Path) -> bool:
        """Whether this user may enter the folder (or run the file) by the permission bits of it and all above."""
        if not self.is_other:
            return os.access(path, os.X_OK)
        whole = path.resolve()
        return all(self._may_enter(step) for step in (whole, *whole.parents))

    def _may_enter(self, path: Path) -> bool:
        try:
            found = path.stat()
        except OSError:
            return False
        if found.st_uid == self.uid:
            return bool(found.st_mode & stat.S_IXUSR)
        if found.st_gid == self.gid:
            return bool(found.st_mode & stat.S_IXGRP)
        return bool(found.st_mode & stat.S_IXOTH)
