"""What only a process of its own can show: exit codes, signals, pipes, terminals."""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.cli.conftest import Rows
from tests.cli.process import environment, on_a_terminal, started

_SECONDS = 30.0


@pytest.fixture
def data_folder() -> Iterator[Path]:
    """A folder that whoever runs Postgres for root can pass through; pytest's own are closed."""
    with tempfile.TemporaryDirectory(prefix="syncer-test-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder) / "data"


@pytest.mark.parametrize("noun", ["google", "conferencing"])
def test_a_simulator_says_where_it_listens_and_goes_quietly(noun: str) -> None:
    with started("simulate", noun) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        root = process.stdout.readline().strip()
        assert root.startswith("http://127.0.0.1:")
        assert process.stderr.readline().startswith(f"Begin with: curl {root}simulator/")
        process.send_signal(signal.SIGINT)
        assert process.wait(_SECONDS) == 130
        assert process.stderr.read() == ""


def test_a_simulator_is_interrupted_though_we_are_in_the_background() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with started("simulate", "google") as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.send_signal(signal.SIGINT)
            assert process.wait(_SECONDS) == 130
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_simulator_ends_well_when_it_is_terminated() -> None:
    with started("simulate", "google", "--json") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        assert orjson.loads("".join(lines))["root"].startswith("http://127.0.0.1:")
        process.terminate()
        assert process.wait(_SECONDS) == 0


def test_a_worker_ends_well_when_it_is_terminated(database: str, rows: Rows) -> None:
    rows.run("INSERT INTO syncer.project (slug) VALUES ('main')")
    with started("run", SYNCER_DATABASE_URL=database, SYNCER_RELIST_SECONDS="0.2") as process:
        rows.until("SELECT until > syncer.clock() FROM syncer.lease")
        process.terminate()
        assert process.wait(_SECONDS) == 0


def test_without_an_address_what_is_added_is_kept_in_the_data_folder(data_folder: Path) -> None:
    for command, answer in (("add", b"Project main is added.\n"), ("show", b"main")):
        ended = subprocess.run(
            [sys.executable, "-m", "syncer", "project", command, "main"],
            capture_output=True,
            env=environment(SYNCER_DATA_FOLDER=str(data_folder)),
            timeout=_SECONDS,
        )
        assert ended.returncode == 0, ended.stderr
        assert answer in ended.stdout


def test_a_person_at_a_terminal_is_told_the_next_command(database: str) -> None:
    plain = on_a_terminal("project", "list", SYNCER_DATABASE_URL=database, NO_COLOR="1")
    assert "Next: syncer project add NAME" in plain
    assert "\x1b[3" not in plain


def test_a_reader_that_has_enough_is_no_error(database: str) -> None:
    command = f"{sys.executable} -m syncer project list --json | true"
    ended = subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, env=environment(SYNCER_DATABASE_URL=database), timeout=_SECONDS
    )
    assert ended.stderr == b""


@pytest.mark.parametrize(
    ("place", "sentence"), [(">/dev/full", "Writing failed (No space left on device)"), (">&-", "is closed")]
)
@pytest.mark.parametrize("command", ["project list", "project list --json", "--help"])
def test_an_answer_that_cannot_be_written_is_one_sentence(
    database: str, command: str, place: str, sentence: str
) -> None:
    ended = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m syncer {command} {place}"],
        capture_output=True,
        text=True,
        env=environment(SYNCER_DATABASE_URL=database),
        timeout=_SECONDS,
    )
    assert ended.returncode in (1, 2)
    assert sentence in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_mistake_of_ours_is_one_line_without_what_it_says(tmp_path: Path) -> None:
    code = (
        "import sys; from syncer.cli.application import tell_own_error; sys.excepthook = tell_own_error; {}['s3cret']"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=_SECONDS)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "KeyError" in ended.stderr
    assert "s3cret" not in ended.stderr
