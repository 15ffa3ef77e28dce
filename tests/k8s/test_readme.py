"""Every command of k8s/README.md is one that kubectl takes, and those of ours do what the page says of them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli.conftest import Rows
from tests.k8s.manifests import FOLDER, KUBECTL, ROOT
from tests.test_pages import blocks

pytestmark = pytest.mark.skipif(not KUBECTL.exists(), reason="the wheel of kubectl is for Linux")
PAGE = FOLDER / "README.md"
# A port of this machine at which nobody answers: what kubectl gets wrong by itself it says before it asks there.
NOBODY = """
apiVersion: v1
kind: Config
clusters: [{name: nobody, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: nobody, context: {cluster: nobody, user: nobody}}]
users: [{name: nobody, user: {token: none}}]
current-context: nobody
"""
# The keys that seal anything.
SEALING = """
SELECT array_agg(DISTINCT key_id)
FROM (SELECT key_id FROM syncer.grant UNION ALL SELECT key_id FROM syncer.account_grant) AS sealed
"""
# What kubectl would have done: Secrets are files of a folder, and a command in a pod is one of this machine.
CLUSTER = """#!/bin/sh
case "$*" in
    "exec "*) while [ "$1" != -- ]; do shift; done; shift; exec "$@" ;;
    "get secret syncer-key-ring "*) base64 < "$SYNCER_KEY_RING" ;;
    "create secret generic syncer-key-ring --from-file=ring.json --dry-run=client "*)
        cat ring.json > "$SYNCER_KEY_RING"; cp ring.json "$SYNCER_KEY_RING.$(date +%s%N)" ;;
    "rollout "* | "replace -f -") cat > /dev/null < /dev/null ;;
    *) echo "unexpected: $*" >&2; exit 1 ;;
esac
"""


def commands() -> list[str]:
    """Each command of the page that begins with kubectl, alone or in a pipe, as a line of shell."""
    text = "\n".join(blocks(PAGE, "sh")).replace("\\\n", " ")
    found = [part.strip() for line in text.splitlines() for part in line.split(" | ")]
    return sorted({part for part in found if part.startswith("kubectl ")})


def said_by_kubectl(command: str, folder: Path) -> str:
    """What kubectl says of a command for a cluster that is not there."""
    (folder / "config").write_text(NOBODY)
    (folder / "ring.json").write_text("{}")
    for name in ("acme-google.json", "acme-webhook"):
        (folder / name).write_text("")
    ran = subprocess.run(
        ["bash", "-c", command.replace("k8s/", f"{FOLDER}/")],  # noqa: S607 (the shell of whoever reads the page)
        cwd=folder,
        env={"PATH": f"{KUBECTL.parent}:{os.environ['PATH']}", "KUBECONFIG": str(folder / "config"), "role": "worker"},
        input="",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return "" if ran.returncode == 0 else ran.stderr


@pytest.mark.parametrize("command", commands())
def test_kubectl_takes_every_command(command: str, tmp_path: Path) -> None:
    said = said_by_kubectl(command, tmp_path)
    assert said == "" or "connection refused" in said or "was refused" in said


@pytest.mark.parametrize(
    "command",
    [
        "kubectl rollout undone deployment/syncer-worker",
        "kubectl rollout status deployment/syncer-worker --timeouts=10m",
        "kubectl apply -k k8s/overlays/productive",
    ],
)
def test_a_command_that_is_none_is_found(command: str, tmp_path: Path) -> None:
    assert "refused" not in said_by_kubectl(command, tmp_path)


def section(title: str) -> str:
    """The first block of a section."""
    text = PAGE.read_text("utf-8").partition(f"## {title}\n")[2]
    return text.partition("```sh\n")[2].partition("\n```")[0] + "\n"


def run_in_a_pod(script: str, folder: Path, environ: Mapping[str, str]) -> str:
    """What a block of the page prints where kubectl's part is played by this machine."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin" / "kubectl").write_text(CLUSTER)
    (folder / "bin" / "kubectl").chmod(0o755)
    path = f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    ran = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],  # noqa: S607 (as above)
        cwd=folder,
        env={"PATH": path, **environ},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture
def pod(database: str, tmp_path: Path) -> dict[str, str]:
    """What a worker's container would have: a database and a key ring."""
    environ = {"SYNCER_DATABASE_URL": database, "SYNCER_KEY_RING": str(tmp_path / "mounted.json")}
    run_in_a_pod("syncer keys new", tmp_path, environ)
    return environ


def a_google_key() -> str:
    """A consent in the form that Google writes."""
    named = {"client_id": "1.apps.example.org", "client_secret": "s", "refresh_token": "r"}
    return json.dumps({"type": "authorized_user", "token_uri": "https://oauth2.googleapis.com/token", **named})


def test_a_tenant_is_added_and_its_key_is_changed_as_the_page_says(
    pod: dict[str, str], rows: Rows, tmp_path: Path
) -> None:
    (tmp_path / "acme-google.json").write_text(a_google_key())
    (tmp_path / "acme-webhook").write_text("whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0")
    added = section("Add a tenant").replace("kubectl exec deploy/syncer-worker -- syncer check\n", "")
    assert "Calendar ana@example.org" in run_in_a_pod(added, tmp_path, pod)
    before = rows.value(SEALING)
    printed = run_in_a_pod(section("Rotate keys"), tmp_path, pod)
    after = rows.value(SEALING)
    assert (len(before), len(after), before == after) == (1, 1, False)
    assert f"Key {after[0]} seals from now on" in printed
    # Every pod had the new key before any sealed with it.
    mounted = [json.loads(path.read_text())["keys"] for path in sorted(tmp_path.glob("mounted.json.*"))]
    assert [[key["state"] for key in keys] for keys in mounted] == [["primary", "enabled"], ["enabled", "primary"]]


def test_the_page_names_every_folder() -> None:
    named = set(re.findall(r"^\| \[([\w/]+)\]", PAGE.read_text("utf-8"), re.MULTILINE))
    folders = {path.parent.relative_to(FOLDER) for path in FOLDER.rglob("kustomization.yaml")}
    tops = {"/".join(folder.parts[: 2 if folder.parts[0] == "overlays" else 1]) for folder in folders}
    assert named == tops
    assert (ROOT / "Dockerfile").exists()
