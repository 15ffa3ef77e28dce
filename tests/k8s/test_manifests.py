"""Manifests are as Kubernetes takes them and as the settings say; for each check a breach shows that it bites."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.k8s import checks
from tests.k8s.checks import Check
from tests.k8s.manifests import KUBECTL, OVERLAYS, Document, installed, named, of_kind

pytestmark = pytest.mark.skipif(not KUBECTL.exists(), reason="the wheel of kubectl is for Linux")

Breach = Callable[[list[Document]], None]
WORKER, RECEIVER = "Deployment/syncer-worker", "Deployment/syncer-receiver"


def one(documents: list[Document], name: str) -> Document:
    return next(document for document in documents if named(document) == name)


def put(name: str, path: str, value: Any) -> Breach:
    """Puts a value into a document. In the path numbers count in lists, and ~ stands for a slash; None takes away."""

    def breach(documents: list[Document]) -> None:
        place: Any = one(documents, name)
        *way, last = [int(step) if step.isdigit() else step.replace("~", "/") for step in path.split("/")]
        for step in way:
            place = place[step]
        if value is None:
            del place[last]
        else:
            place[last] = value

    return breach


def in_settings(name: str, value: str) -> Breach:
    def breach(documents: list[Document]) -> None:
        next(of_kind(documents, "ConfigMap"))["data"][name] = value

    return breach


def without(name: str) -> Breach:
    def breach(documents: list[Document]) -> None:
        documents.remove(one(documents, name))

    return breach


POD, OWN = "spec/template/spec", "spec/template/spec/containers/0"
URL = f"{OWN}/env/0/value"
A_RULE = "spec/rules/0/http/paths/0"
CLUSTER = "Cluster/syncer-postgres"
BREACHES: Mapping[Check, tuple[Breach, ...]] = {
    checks.unfit: (
        put(WORKER, "spec/replica", 2),
        put("Job/syncer-expand", f"{POD}/restartPolicy", 3),
        put(CLUSTER, "spec/instances", "three"),
        put(CLUSTER, "spec/bootstrap/initdb/postInitApplicationSql", []),
        put("PodMonitor/syncer", "spec/podMetricsEndpoints/0/interval", "soon"),
    ),
    checks.wrong_settings: (
        in_settings("SYNCER_GRACE_SECOND", "20"),
        in_settings("SYNCER_LEASE_SECONDS", "long"),
        put(WORKER, f"{OWN}/env/0/name", "SYNCER_DATABASE_ADDRESS"),
    ),
    checks.wrong_commands: (
        put(WORKER, f"{OWN}/args", ["works"]),
        put("Job/syncer-expand", f"{OWN}/args", ["migrate", "--expanding"]),
    ),
    checks.wrong_ports: (
        in_settings("SYNCER_LISTEN", "0.0.0.0:8471"),
        in_settings("SYNCER_LISTEN", "127.0.0.1:8470"),
        put(WORKER, f"{OWN}/livenessProbe/httpGet/port", "web"),
        put("Service/syncer-receiver", "spec/ports/0/targetPort", 8471),
        put("NetworkPolicy/syncer-receiver", "spec/ingress/0/ports/0/port", 80),
    ),
    checks.wrong_probes: (
        put(WORKER, f"{OWN}/readinessProbe/httpGet/path", "/live"),
        put(RECEIVER, f"{OWN}/livenessProbe/httpGet/path", "/ready"),
        put(RECEIVER, f"{OWN}/readinessProbe/timeoutSeconds", 2),
        put("PodMonitor/syncer", "spec/podMetricsEndpoints/0/path", "/metric"),
    ),
    checks.wrong_ways_in: (
        put("Ingress/syncer", f"{A_RULE}/path", "/notifications"),
        put("Ingress/syncer", f"{A_RULE}", {"path": "/", "pathType": "Prefix"}),
        put("Ingress/syncer", "spec/rules/0/http/paths/1", None),
    ),
    checks.wrong_graces: (
        in_settings("SYNCER_GRACE_SECONDS", "60"),
        in_settings("SYNCER_GRACE_SECONDS", "5"),
        put(WORKER, f"{POD}/terminationGracePeriodSeconds", 25),
        put(RECEIVER, f"{POD}/terminationGracePeriodSeconds", 60),
        put(RECEIVER, f"{OWN}/lifecycle/preStop/sleep/seconds", 14),
        put(RECEIVER, f"{OWN}/lifecycle", None),
        put(WORKER, f"{OWN}/lifecycle", {"preStop": {"sleep": {"seconds": 1}}}),
    ),
    checks.unrestricted: (
        put(WORKER, f"{POD}/securityContext/runAsNonRoot", False),
        put(WORKER, f"{POD}/securityContext/runAsUser", 0),
        put(WORKER, f"{POD}/securityContext/seccompProfile", None),
        put(RECEIVER, f"{OWN}/securityContext/allowPrivilegeEscalation", None),
        put(RECEIVER, f"{OWN}/securityContext/capabilities/drop", ["NET_RAW"]),
        put(RECEIVER, f"{OWN}/securityContext/readOnlyRootFilesystem", None),
        put("Job/syncer-contract", f"{POD}/automountServiceAccountToken", None),
        put("Job/syncer-contract", f"{POD}/enableServiceLinks", None),
        put("Job/syncer-contract", f"{OWN}/resources/limits", {}),
        put("Job/syncer-contract", f"{OWN}/resources/requests", {"cpu": "1"}),
        put(WORKER, f"{OWN}/image", "registry.example.org/syncer:latest"),
        put(WORKER, f"{OWN}/image", "syncer"),
        put(WORKER, f"{POD}/volumes/0", {"name": "host", "hostPath": {"path": "/"}}),
        put("Namespace/syncer", "metadata/labels/pod-security.kubernetes.io~enforce", "baseline"),
    ),
    checks.dangling: (
        without("Secret/syncer-key-ring"),
        without("Secret/syncer-worker-login"),
        without("ServiceAccount/syncer"),
        without("Service/syncer-receiver"),
        without(WORKER),
        put(WORKER, f"{OWN}/envFrom/0/configMapRef/name", "syncer-settings"),
        put("PodDisruptionBudget/syncer-worker", "spec/selector/matchLabels/app.kubernetes.io~component", "workers"),
        put("NetworkPolicy/syncer-worker", "spec/podSelector/matchLabels/app", "syncer"),
        put("Job/syncer-expand", "metadata/namespace", "default"),
    ),
    checks.unmounted: (
        in_settings("SYNCER_KEY_RING", "/etc/syncer/ring.json"),
        in_settings("SYNCER_CREDENTIALS_FOLDER", "/etc/syncer/credential"),
        put("Job/syncer-expand", f"{OWN}/volumeMounts", []),
    ),
    checks.wrong_databases: (
        put(WORKER, URL, "postgresql://syncer_worker@syncer-postgres-pooler:5432/syncer?sslmode=verify-full"),
        put(WORKER, URL, "postgresql://syncer_owner@syncer-postgres-rw:5432/syncer?sslmode=verify-full"),
        put(WORKER, URL, "postgresql://syncer_worker:x@syncer-postgres-rw:5432/syncer?sslmode=verify-full"),
        put(WORKER, URL, "postgresql://syncer_worker@syncer-postgres-rw:5432/syncer?sslmode=require"),
        put(WORKER, f"{OWN}/env/1/valueFrom/secretKeyRef/name", "syncer-receiver-login"),
        put(CLUSTER, "spec/bootstrap/initdb/database", "app"),
    ),
    checks.too_many_connections: (
        put(CLUSTER, "spec/postgresql/parameters/max_connections", "50"),
        put("HorizontalPodAutoscaler/syncer-worker", "spec/maxReplicas", 30),
    ),
    checks.wrong_network: (
        without("NetworkPolicy/syncer"),
        without("NetworkPolicy/syncer-worker"),
        without("NetworkPolicy/syncer-receiver"),
        put("NetworkPolicy/syncer", "spec/policyTypes", ["Ingress"]),
        put("NetworkPolicy/syncer", "spec/egress/1/to/0/podSelector/matchLabels/cnpg.io~cluster", "other"),
        put("NetworkPolicy/syncer-worker", "spec/podSelector/matchLabels/app.kubernetes.io~component", "receiver"),
        put("NetworkPolicy/syncer-worker", "spec/egress/0/to/0/ipBlock/except/3", None),
        put("NetworkPolicy/syncer-worker", "spec/egress/0/to/1/ipBlock/except", []),
    ),
    checks.all_at_once: (
        without("PodDisruptionBudget/syncer-worker"),
        put(RECEIVER, f"{POD}/topologySpreadConstraints/0", None),
        put(WORKER, f"{POD}/topologySpreadConstraints/1/labelSelector/matchLabels/app.kubernetes.io~name", "sync"),
    ),
    checks.wrong_autoscaling: (
        put("HorizontalPodAutoscaler/syncer-worker", "spec/metrics/0/pods/metric/name", "syncer_busy"),
        put(WORKER, "spec/replicas", 2),
    ),
}


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("check", BREACHES, ids=lambda check: check.__name__)
def test_what_is_applied_is_right(check: Check, overlay: str) -> None:
    assert list(check(installed(overlay))) == []


@pytest.mark.parametrize(
    ("check", "breach"),
    [
        pytest.param(check, one, id=f"{check.__name__} {place}")
        for check in BREACHES
        for place, one in enumerate(BREACHES[check])
    ],
)
def test_a_breach_is_found(check: Check, breach: Breach) -> None:
    documents = installed("production")
    breach(documents)
    assert list(check(documents)) != []


def test_every_check_is_made() -> None:
    written = {name for name, made in vars(checks).items() if inspect.isgeneratorfunction(made) and name[0] != "_"}
    assert {check.__name__ for check in BREACHES} == written - {"of_kind", "containers"}


def test_the_schema_grows_before_the_new_version_comes_and_shrinks_after_it() -> None:
    documents = installed("production")
    order = [named(document) for document in of_kind(documents, "Cluster", "Job", "Deployment")]
    assert order == ["Cluster/syncer-postgres", "Job/syncer-expand", RECEIVER, WORKER, "Job/syncer-contract"]
    jobs = {named(job): job["spec"]["template"]["spec"]["containers"][0]["args"] for job in of_kind(documents, "Job")}
    assert jobs == {"Job/syncer-expand": ["migrate", "--expand"], "Job/syncer-contract": ["migrate"]}


def test_one_image_is_all_that_runs() -> None:
    for overlay, image in (("local", "syncer:local"), ("production", "registry.example.org/syncer:0.1.0")):
        pods = [document["spec"]["template"]["spec"] for document in of_kind(installed(overlay), "Deployment", "Job")]
        assert [own["image"] for pod in pods for own in pod["containers"]] == [image] * 4
