"""What kustomize builds of k8s/, and what each container in it would run with."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "k8s"
OVERLAYS = ("local", "production")
PARTS = ("foundation", "expand", ".", "contract")
"""In the order in which they are applied."""
KUBECTL = Path(sys.executable).parent / "kubectl"

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Container:
    """One container. where: how findings call it. pod: the specification of its pod. environ: by name, of what is
    written in manifests; what comes from Secrets is not there."""

    where: str
    kind: str
    pod: Document
    labels: Mapping[str, str]
    own: Document
    environ: Mapping[str, str]

    @property
    def ports(self) -> dict[str, int]:
        return {port["name"]: port["containerPort"] for port in self.own.get("ports", ())}

    @property
    def settings(self) -> dict[str, str]:
        return {name: value for name, value in self.environ.items() if name.startswith("SYNCER_")}


def built(folder: str) -> tuple[Document, ...]:
    """The documents that `kubectl apply -k` of this folder of k8s/ would apply. It asks no cluster."""
    return tuple(yaml.safe_load_all(_text(folder)))


@cache
def _text(folder: str) -> str:
    ran = subprocess.run(
        [KUBECTL, "kustomize", str(FOLDER / folder)], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert not ran.stderr, ran.stderr
    return ran.stdout


def installed(overlay: str) -> list[Document]:
    """All that an overlay brings, its parts in order, and the Secrets that the example names. Fresh each time."""
    parts = [document for part in PARTS for document in built(f"overlays/{overlay}/{part}")]
    return parts + list(yaml.safe_load_all((FOLDER / "secrets.example.yaml").read_text("utf-8")))


def of_kind(documents: list[Document], *kinds: str) -> Iterator[Document]:
    return (document for document in documents if document["kind"] in kinds)


def named(document: Document) -> str:
    return f"{document['kind']}/{document['metadata']['name']}"


def containers(documents: list[Document]) -> Iterator[Container]:
    """Every container of every workload."""
    maps = {one["metadata"]["name"]: one["data"] for one in of_kind(documents, "ConfigMap")}
    for document in of_kind(documents, "Deployment", "Job"):
        template = document["spec"]["template"]
        for own in template["spec"]["containers"]:
            environ: dict[str, str] = {}
            for source in own.get("envFrom", ()):
                environ |= maps.get(source["configMapRef"]["name"], {})
            environ |= {one["name"]: one["value"] for one in own.get("env", ()) if "value" in one}
            labels = template["metadata"]["labels"]
            yield Container(named(document), document["kind"], template["spec"], labels, own, environ)
