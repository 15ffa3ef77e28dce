"""What must hold of the manifests. Each check yields what is wrong with a list of documents, in words."""

import inspect
import json
import re
from collections.abc import Callable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import chain
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jsonschema
import yaml
from cyclopts import CycloptsError
from kubernetes_validate import utils as kubernetes
from pydantic import ValidationError

from syncer.cli.application import application
from syncer.run import listening, metrics, notifications, probes, receiver, registration, supervisor
from syncer.settings import Settings, unknown
from syncer.store.database import Database
from tests.k8s.manifests import FOLDER, ROOT, Container, Document, containers, named, of_kind

Check = Callable[[list[Document]], Iterator[str]]
VERSION = kubernetes.latest_version()
OPERATORS = json.loads((Path(__file__).parent / "operators.schema.json").read_text("utf-8"))
INNER = (metrics.PATH, probes.LIVE, probes.READY)
OUTER = (notifications.PATH, receiver.PATH, registration.CALENDARS, registration.CONFERENCES)
# What may be left of a grace when all that is to end has ended: neither a SIGKILL nor a long wait for nothing.
_SPARE = range(2, 11)
# Of our own by its name, then of Postgres, DNS and the internet.
_OTHERS_PORTS: set[object] = {"http", 5432, 53, 443}
# Connections of Postgres's own, and of people who look.
_OTHERS_CONNECTIONS = 20


def unfit(documents: list[Document]) -> Iterator[str]:
    """Source of the schemas: Kubernetes API reference, as published with each version."""
    for document in documents:
        schema = OPERATORS.get(document["kind"])
        try:
            if schema is None:
                kubernetes.validate(document, VERSION, strict=True)
            else:
                jsonschema.validate(document, schema)
        except (kubernetes.ValidationError, jsonschema.ValidationError) as error:
            yield f"{named(document)}: {error.message}"


def wrong_settings(documents: list[Document]) -> Iterator[str]:
    for one in containers(documents):
        yield from (f"{one.where}: there is no setting {name}" for name in unknown(one.environ))
        fields = {name.removeprefix("SYNCER_").lower(): value for name, value in one.settings.items()}
        try:
            Settings(**fields)  # type: ignore[arg-type]  # read as variables are
        except ValidationError as error:
            yield from (f"{one.where}: {wrong['loc'][0]}: {wrong['msg']}" for wrong in error.errors())


def wrong_commands(documents: list[Document]) -> Iterator[str]:
    for one in containers(documents):
        try:
            application().parse_args(one.own["args"], exit_on_error=False, print_error=False)
        except CycloptsError as error:
            yield f"{one.where}: {' '.join(str(error).split())}"


def wrong_ports(documents: list[Document]) -> Iterator[str]:
    """What listens, what is asked and what may be asked is one port."""
    known: set[object] = {port for one in containers(documents) for port in one.ports.values()} | _OTHERS_PORTS
    for one in containers(documents):
        host, _, port = one.settings.get("SYNCER_LISTEN", "").rpartition(":")
        if one.ports and (host != "0.0.0.0" or set(one.ports.values()) != {int(port)}):  # noqa: S104
            yield f"{one.where}: listens on {host}:{port}, and its ports are {one.ports}"
        for kind in PROBES:
            if one.ports and one.own[kind]["httpGet"]["port"] not in one.ports:
                yield f"{one.where}: {kind} asks another port"
    for document in documents:
        for asked in _asked_ports(document):
            if asked not in known:
                yield f"{named(document)}: nobody listens on {asked}"


def _asked_ports(document: Document) -> Iterator[object]:
    spec = document.get("spec", {})
    if document["kind"] == "Service":
        yield from (port["targetPort"] for port in spec["ports"])
    if document["kind"] == "NetworkPolicy":
        rules = chain(spec.get("ingress", ()), spec.get("egress", ()))
        yield from (port["port"] for rule in rules for port in rule["ports"])
    if document["kind"] == "PodMonitor":
        yield from (endpoint["port"] for endpoint in spec["podMetricsEndpoints"])
    if document["kind"] == "Ingress":
        paths = (path for rule in spec["rules"] for path in rule["http"]["paths"])
        yield from (path["backend"]["service"]["port"]["name"] for path in paths)


PROBES = {"startupProbe": probes.LIVE, "livenessProbe": probes.LIVE, "readinessProbe": probes.READY}


def wrong_probes(documents: list[Document]) -> Iterator[str]:
    for one in containers(documents):
        for kind, path in PROBES.items() if one.kind == "Deployment" else ():
            if one.own[kind]["httpGet"]["path"] != path:
                yield f"{one.where}: {kind} does not ask {path}"
        if one.kind == "Deployment" and one.own["readinessProbe"]["timeoutSeconds"] <= probes.PATIENCE_SECONDS:
            yield f"{one.where}: readinessProbe hangs up before it is told that Postgres does not answer"
    for document in of_kind(documents, "PodMonitor"):
        for endpoint in document["spec"]["podMetricsEndpoints"]:
            if endpoint["path"] != metrics.PATH:
                yield f"{named(document)}: does not ask {metrics.PATH}"


def wrong_ways_in(documents: list[Document]) -> Iterator[str]:
    """Calls from outside come in, and nothing else does."""
    for document in of_kind(documents, "Ingress"):
        paths = [path for rule in document["spec"]["rules"] for path in rule["http"]["paths"]]
        for asked in (*OUTER, *INNER):
            if any(_passes(path, asked) for path in paths) != (asked in OUTER):
                yield f"{named(document)}: {asked} {'does not come in' if asked in OUTER else 'comes in'}"


def _passes(path: Document, asked: str) -> bool:
    prefix = str(path["path"]).rstrip("/")
    return asked == path["path"] or (path["pathType"] == "Prefix" and asked.startswith(f"{prefix}/"))


def wrong_graces(documents: list[Document]) -> Iterator[str]:
    """A pod has the time that its settings promise, and not much more."""
    for one in containers(documents):
        if one.kind != "Deployment":
            continue
        stop = one.own.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        needed = stop + listening.CLOSING_SECONDS
        if one.own["args"] == ["work"]:
            grace = one.settings.get("SYNCER_GRACE_SECONDS", Settings.model_fields["grace_seconds"].default)
            needed += float(grace) + supervisor.HAND_BACK_SECONDS
        left = one.pod["terminationGracePeriodSeconds"] - needed
        if not _SPARE.start <= left < _SPARE.stop:
            yield f"{one.where}: terminationGracePeriodSeconds leaves {left:g} s"
        if bool(stop) != _is_served(one, documents):
            yield f"{one.where}: preStop is for pods that a Service leads to"


def _is_served(one: Container, documents: list[Document]) -> bool:
    services = of_kind(documents, "Service")
    return any(service["spec"]["selector"].items() <= one.labels.items() for service in services)


def unrestricted(documents: list[Document]) -> Iterator[str]:
    """Source: Kubernetes documentation, "Pod Security Standards", on what is restricted; and what we add to it."""
    for one in containers(documents):
        pod, own = one.pod.get("securityContext", {}), one.own.get("securityContext", {})
        wanted = {
            "runs as root": pod.get("runAsNonRoot") is True and pod.get("runAsUser", 0) > 0,
            "has no seccomp profile": pod.get("seccompProfile") == {"type": "RuntimeDefault"},
            "may gain privileges": own.get("allowPrivilegeEscalation") is False,
            "has capabilities": own.get("capabilities") == {"drop": ["ALL"]},
            "writes to its root": own.get("readOnlyRootFilesystem") is True,
            "has a token": one.pod.get("automountServiceAccountToken") is False,
            "is given variables of services": one.pod.get("enableServiceLinks") is False,
            "asks for no resources": {"cpu", "memory"} <= one.own["resources"]["requests"].keys(),
            "has no limit of memory": "memory" in one.own["resources"]["limits"],
            "has an image without a version": not one.own["image"].endswith((":latest", "/syncer", "syncer")),
        }
        volumes = one.pod.get("volumes", ())
        wanted["mounts more than Secrets"] = all(set(volume) == {"name", "secret"} for volume in volumes)
        yield from (f"{one.where}: {what}" for what, is_well in wanted.items() if not is_well)
    for document in of_kind(documents, "Namespace"):
        if document["metadata"]["labels"].get("pod-security.kubernetes.io/enforce") != "restricted":
            yield f"{named(document)}: does not enforce the restricted standard"


def dangling(documents: list[Document]) -> Iterator[str]:
    """What one names, another is."""
    there = {named(document) for document in documents}
    for cluster in of_kind(documents, "Cluster"):
        there |= {f"Secret/{cluster['metadata']['name']}-{made}" for made in ("app", "ca")}
    for where, what in chain(_named_by_pods(documents), _named_by_others(documents)):
        if what not in there:
            yield f"{where}: there is no {what}"
    for document in of_kind(documents, "Service", "PodDisruptionBudget", "NetworkPolicy"):
        selector = document["spec"].get("selector") or document["spec"]["podSelector"]
        labels = selector.get("matchLabels", selector)
        if not any(labels.items() <= one.labels.items() for one in containers(documents)):
            yield f"{named(document)}: selects nothing"
    elsewhere = [named(one) for one in documents if one["metadata"].get("namespace", "syncer") != "syncer"]
    yield from (f"{name}: is in another namespace" for name in elsewhere)


def _named_by_pods(documents: list[Document]) -> Iterator[tuple[str, str]]:
    for one in containers(documents):
        yield one.where, f"ServiceAccount/{one.pod['serviceAccountName']}"
        for volume in one.pod.get("volumes", ()):
            yield one.where, f"Secret/{volume.get('secret', {}).get('secretName')}"
        for variable in one.own.get("env", ()):
            if "valueFrom" in variable:
                yield one.where, f"Secret/{variable['valueFrom']['secretKeyRef']['name']}"
        for source in one.own.get("envFrom", ()):
            yield one.where, f"ConfigMap/{source['configMapRef']['name']}"


def _named_by_others(documents: list[Document]) -> Iterator[tuple[str, str]]:
    for document in documents:
        spec = document.get("spec", {})
        if document["kind"] == "HorizontalPodAutoscaler":
            yield named(document), f"{spec['scaleTargetRef']['kind']}/{spec['scaleTargetRef']['name']}"
        if document["kind"] == "Ingress":
            for path in (path for rule in spec["rules"] for path in rule["http"]["paths"]):
                yield named(document), f"Service/{path['backend']['service']['name']}"
        if document["kind"] == "Cluster":
            for role in spec["managed"]["roles"]:
                yield named(document), f"Secret/{role['passwordSecret']['name']}"


def unmounted(documents: list[Document]) -> Iterator[str]:
    """A file that a setting names is in a Secret that is mounted."""
    for one in containers(documents):
        mounts = [mount["mountPath"] for mount in one.own.get("volumeMounts", ()) if mount["readOnly"]]
        paths = [
            one.settings[name] for name in ("SYNCER_CREDENTIALS_FOLDER", "SYNCER_KEY_RING") if name in one.settings
        ]
        paths += parse_qs(urlsplit(one.settings["SYNCER_DATABASE_URL"]).query).get("sslrootcert", [])
        for path in paths:
            if not any(path == mount or path.startswith(f"{mount}/") for mount in mounts):
                yield f"{one.where}: {path} is not mounted read-only"


def wrong_databases(documents: list[Document]) -> Iterator[str]:
    """The address is the primary's own, by a role of the cluster, over TLS that is checked, and without a password."""
    (cluster,) = of_kind(documents, "Cluster")
    initdb, name = cluster["spec"]["bootstrap"]["initdb"], cluster["metadata"]["name"]
    secrets = {role["name"]: role["passwordSecret"]["name"] for role in cluster["spec"]["managed"]["roles"]}
    secrets[initdb["owner"]] = f"{name}-app"
    for one in containers(documents):
        url = urlsplit(one.settings["SYNCER_DATABASE_URL"])
        passwords = [each["valueFrom"]["secretKeyRef"] for each in one.own["env"] if each["name"] == "PGPASSWORD"]
        secret = passwords[0]["name"] if passwords else None
        if (url.hostname, url.port, url.path) != (f"{name}-rw", 5432, f"/{initdb['database']}"):
            yield f"{one.where}: {url.hostname}{url.path} is not the primary of {name}"
        if url.password or secret is None or secret != secrets.get(url.username or ""):
            yield f"{one.where}: {url.username} logs in by another role's password"
        if (url.username == initdb["owner"]) != (one.kind == "Job"):
            yield f"{one.where}: {url.username} is not the role for it"
        if parse_qs(url.query).get("sslmode") != ["verify-full"]:
            yield f"{one.where}: does not check whom it talks to"


def too_many_connections(documents: list[Document]) -> Iterator[str]:
    (cluster,) = of_kind(documents, "Cluster")
    most = {one["spec"]["scaleTargetRef"]["name"]: one["spec"]["maxReplicas"] for one in _autoscalers(documents)}
    pool = inspect.signature(Database.opened).parameters["connections"].default
    needed = _OTHERS_CONNECTIONS
    for document in of_kind(documents, "Deployment"):
        name, spec = document["metadata"]["name"], document["spec"]
        replicas = most[name] if name in most else spec["replicas"]
        # One more of each while they are rolled, and a worker has one more that listens.
        needed += (replicas + spec["strategy"]["rollingUpdate"]["maxSurge"]) * (pool + 1)
    if needed > int(cluster["spec"]["postgresql"]["parameters"]["max_connections"]):
        yield f"{named(cluster)}: {needed} connections are needed"


def _autoscalers(documents: list[Document]) -> Iterator[Document]:
    return of_kind(documents, "HorizontalPodAutoscaler")


def wrong_autoscaling(documents: list[Document]) -> Iterator[str]:
    """It goes by a metric that the adapter makes of one that we show."""
    adapter = yaml.safe_load((FOLDER / "autoscaling" / "prometheus-adapter.yaml").read_text("utf-8"))
    made = {rule["name"]["as"]: rule["seriesQuery"].partition("{")[0] for rule in adapter["rules"]["custom"]}
    shown = set(re.findall(r"^\| `(\w+)`", (ROOT / "docs" / "metrics.md").read_text("utf-8"), re.MULTILINE))
    for autoscaler in _autoscalers(documents):
        for metric in autoscaler["spec"]["metrics"]:
            series = made.get(metric["pods"]["metric"]["name"], "")
            if series.removesuffix("_total") not in shown:
                yield f"{named(autoscaler)}: {metric['pods']['metric']['name']} is made of nothing that is shown"
        target = autoscaler["spec"]["scaleTargetRef"]["name"]
        for document in of_kind(documents, "Deployment"):
            if document["metadata"]["name"] == target and "replicas" in document["spec"]:
                yield f"{named(document)}: says how many there are, and so does its autoscaler"


def wrong_network(documents: list[Document]) -> Iterator[str]:
    """Every pod reaches Postgres; a worker the internet and no private range; only receivers are let in to."""
    (cluster,) = of_kind(documents, "Cluster")
    postgres = {"podSelector": {"matchLabels": {"cnpg.io/cluster": cluster["metadata"]["name"]}}}
    for one in containers(documents):
        policies = [policy["spec"] for policy in of_kind(documents, "NetworkPolicy") if _selects(policy, one)]
        if {kind for policy in policies for kind in policy["policyTypes"]} != {"Ingress", "Egress"}:
            yield f"{one.where}: nothing is refused to it"
        leads_to = [peer for policy in policies for rule in policy.get("egress", ()) for peer in rule["to"]]
        comes_from = [peer for policy in policies for rule in policy.get("ingress", ()) for peer in rule["from"]]
        if postgres not in leads_to:
            yield f"{one.where}: does not reach {cluster['metadata']['name']}"
        if ("ipBlock" in {key for peer in leads_to for key in peer}) != (one.own["args"] == ["work"]):
            yield f"{one.where}: asks the internet, or may not though it has to"
        if any(peer != _PROMETHEUS for peer in comes_from) != _is_served(one, documents):
            yield f"{one.where}: is let in to, or is not though a Service leads to it"
        open_to = [ip_network(peer["ipBlock"]["cidr"]) for peer in leads_to if "ipBlock" in peer]
        closed = [ip_network(left) for peer in leads_to for left in peer.get("ipBlock", {}).get("except", ())]
        for inside in map(ip_network, _PRIVATE):
            if any(_holds(net, inside) for net in open_to) and not any(_holds(net, inside) for net in closed):
                yield f"{one.where}: {inside} is open"


_PROMETHEUS = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
_PRIVATE = ("10.1.0.0/16", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.31.0.0/16", "192.168.1.1", "fd00::1")


def _holds(net: IPv4Network | IPv6Network, inside: IPv4Network | IPv6Network) -> bool:
    same = net.version == inside.version
    return same and net.network_address <= inside.network_address and inside.broadcast_address <= net.broadcast_address  # type: ignore[operator]


def _selects(policy: Document, one: Container) -> bool:
    return bool(policy["spec"]["podSelector"]["matchLabels"].items() <= one.labels.items())


def all_at_once(documents: list[Document]) -> Iterator[str]:
    """No drained node and no lost zone takes all pods of a kind."""
    budgets = {json.dumps(budget["spec"]["selector"]) for budget in of_kind(documents, "PodDisruptionBudget")}
    for document in of_kind(documents, "Deployment"):
        spread = document["spec"]["template"]["spec"]["topologySpreadConstraints"]
        own = document["spec"]["selector"]
        if json.dumps(own) not in budgets:
            yield f"{named(document)}: has no disruption budget"
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname"):
            if not any(one["topologyKey"] == key and one["labelSelector"] == own for one in spread):
                yield f"{named(document)}: is not spread by {key}"
