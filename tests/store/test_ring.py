"""The key ring is read from a file that is nobody else's, and never half written."""

import fcntl
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syncer.model.errors import OperatorError
from syncer.store import ring
from syncer.store.ring import Keys

NOW = datetime(2099, 12, 1, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "ring.json"
    ring.write(made, ring.new("ring", NOW))
    return made


def written(path: Path) -> Any:
    return json.loads(path.read_text())


def test_what_is_written_is_read(path: Path) -> None:
    first = ring.read(path)
    second = first.with_another(NOW + timedelta(days=1))
    ring.write(path, second)
    assert ring.read(path).keys == second.keys
    assert [key.is_primary for key in second.keys] == [True, False]
    assert second.newest == second.keys[1]
    promoted = second.with_primary(second.newest.key_id)
    assert promoted.primary.key_id == second.newest.key_id
    assert [key.is_primary for key in promoted.keys] == [False, True]
    assert promoted.without(first.primary.key_id).keys == promoted.keys[1:]


def test_of_two_keys_of_one_second_the_newest_is_the_one_added_last() -> None:
    both = ring.new("ring", NOW).with_another(NOW)
    assert both.newest == both.keys[1]


def test_it_is_for_its_owner_alone_and_nothing_is_left_beside_it(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    ring.write(path, ring.read(path))
    assert [file.name for file in path.parent.iterdir()] == ["ring.json"]


def test_keys_are_random(path: Path) -> None:
    found = [ring.new("ring", NOW).primary for _ in range(50)]
    assert len({key.material for key in found}) == len({key.key_id for key in found}) == 50
    assert {len(key.material) for key in found} == {32}


@pytest.mark.parametrize("mode", [0o644, 0o620, 0o604, 0o660, 0o666, 0o777, 0o601, 0o610])
def test_a_ring_that_others_can_read_or_write_is_refused(path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(OperatorError, match=f"is open to others \\(mode {mode:04o}\\): `chmod 600` closes it"):
        ring.read(path)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_ring_of_our_own_is_read(path: Path, mode: int) -> None:
    path.chmod(mode)
    assert ring.read(path).primary


@pytest.mark.parametrize(
    ("owner", "mode", "is_read"),
    [
        (0, 0o440, True),
        (0, 0o640, True),
        (0, 0o444, False),
        (1000, 0o600, True),
        (1000, 0o640, False),
        (7, 0o600, False),
    ],
)
def test_whose_it_is_counts(path: Path, monkeypatch: pytest.MonkeyPatch, owner: int, mode: int, is_read: bool) -> None:
    """As Kubernetes mounts a Secret: root's, readable by the pod's group."""
    path.chmod(mode)
    real = os.fstat

    def told(handle: int) -> os.stat_result:
        return os.stat_result([*real(handle)[:4], owner, *real(handle)[5:]])

    monkeypatch.setattr(os, "fstat", told)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    if is_read:
        assert ring.read(path).primary
    else:
        with pytest.raises(OperatorError, match=r"is open to others|belongs to another user"):
            ring.read(path)


def _twice(document: Any) -> None:
    document["keys"].append(dict(document["keys"][0], state="enabled"))


BREACHES: list[tuple[str, Callable[[Any], None]]] = [
    ("no keys", lambda document: document["keys"].clear()),
    ("an id twice", _twice),
    ("a short key", lambda document: document["keys"][0].update(key="Y2FuYXJ5")),
    ("no base64", lambda document: document["keys"][0].update(key="canary!")),
    ("an id of another form", lambda document: document["keys"][0].update(id="CANARY00")),
    ("an unknown state", lambda document: document["keys"][0].update(state="canary")),
    ("an unknown field", lambda document: document["keys"][0].update(canary=1)),
    ("a time without a zone", lambda document: document["keys"][0].update(made_at="2099-12-01T00:00:00")),
    ("no primary", lambda document: document["keys"][0].update(state="enabled")),
]


@pytest.mark.parametrize("breach", [breach for _, breach in BREACHES], ids=[name for name, _ in BREACHES])
def test_a_ring_of_another_shape_is_refused_without_being_shown(path: Path, breach: Callable[[Any], None]) -> None:
    document = written(path)
    secret = document["keys"][0]["key"]
    breach(document)
    path.write_text(json.dumps(document))
    with pytest.raises(OperatorError, match="key ring") as caught:
        ring.read(path)
    assert "canary" not in str(caught.value).lower()
    assert secret not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"canary"', "[" * 100_000, "\xff", " " * 70_000])
def test_what_is_no_ring_is_refused(path: Path, text: str) -> None:
    path.write_text(text, encoding="latin-1")
    with pytest.raises(OperatorError, match="is not as `syncer keys new` writes it"):
        ring.read(path)


def test_a_ring_that_is_not_there_or_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="is not there: `syncer keys new` writes one"):
        ring.read(tmp_path / "none")
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "/dev/null"):
        with pytest.raises(OperatorError, match="is not a file"):
            ring.read(tmp_path / name)
    with pytest.raises(OperatorError, match="cannot be read: Is a directory"):
        ring.read(tmp_path)
    with pytest.raises(OperatorError, match="no key ring is set"):
        Keys(None).ring()


def test_a_key_that_is_added_is_found_by_who_runs(path: Path) -> None:
    keys = Keys(path)
    first = keys.ring().primary
    ring.write(path, ring.read(path).with_another(NOW))
    added = ring.read(path).keys[1]
    assert keys.key(added.key_id) == added
    path.unlink()
    assert keys.key(first.key_id) == first


def test_a_write_that_fails_leaves_the_old_ring(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OperatorError, match="cannot be written: No space left on device"):
        ring.write(path, ring.new("key ring", NOW))
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 1


def test_two_who_change_it_take_turns(path: Path) -> None:
    handle = os.open(path.parent, os.O_RDONLY)
    with ring.alone(path), pytest.raises(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(handle)
