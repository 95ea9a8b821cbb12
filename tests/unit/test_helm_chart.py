"""What the chart makes, for several sets of values: no cluster runs here, so manifests are read and compared."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from perdure.settings import Settings
from workflows import queues
from workflows.registry import KINDS

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "perdure"
VALUES = sorted(path.stem for path in (CHART / "ci").glob("*.yaml"))
KUBERNETES = "1.33.0"

Manifest = dict[str, Any]

# Read by libraries of ours, not by `Settings`.
THIRD_PARTY = {"AWS_REGION"}

# What each kind must say, beyond `apiVersion`, `kind` and `metadata.name`.
VERSIONS = {
    "Deployment": "apps/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "Ingress": "networking.k8s.io/v1",
    "Job": "batch/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "PodDisruptionBudget": "policy/v1",
    "PodMonitor": "monitoring.coreos.com/v1",
    "ScaledObject": "keda.sh/v1alpha1",
    "Service": "v1",
    "ServiceAccount": "v1",
}
REQUIRED = {
    "Deployment": {"selector", "template"},
    "HorizontalPodAutoscaler": {"scaleTargetRef", "maxReplicas", "metrics"},
    "Ingress": {"rules"},
    "Job": {"template"},
    "NetworkPolicy": {"podSelector", "policyTypes", "ingress", "egress"},
    "PodDisruptionBudget": {"selector"},
    "PodMonitor": {"selector", "podMetricsEndpoints"},
    "ScaledObject": {"scaleTargetRef", "triggers"},
    "Service": {"selector", "ports"},
}


@cache
def helm() -> str:
    built = ROOT / ".tools" / "bin" / "helm"
    found = shutil.which("helm") or (str(built) if built.exists() else None)
    if found is None:
        pytest.fail("no `helm` command: `make tools` builds it into .tools/bin")
    return found


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([helm(), *arguments], capture_output=True, text=True, check=False)


@cache
def rendered(values: str, *options: str) -> str:
    """The manifests as text."""
    file = str(CHART / "ci" / f"{values}.yaml")
    ended = run("template", "perdure", str(CHART), "--kube-version", KUBERNETES, "--values", file, *options)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def manifests(values: str, *options: str) -> list[Manifest]:
    return [document for document in yaml.safe_load_all(rendered(values, *options)) if document]


def of(kind: str, values: str, *options: str) -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each for each in manifests(values, *options) if each["kind"] == kind}


def pods(values: str) -> Iterator[tuple[str, Manifest]]:
    for each in manifests(values):
        if each["kind"] in {"Deployment", "Job"}:
            yield each["metadata"]["name"], each["spec"]["template"]


@pytest.mark.parametrize("values", VALUES)
def test_the_chart_passes_the_linter(values: str) -> None:
    file = str(CHART / "ci" / f"{values}.yaml")
    ended = run("lint", "--strict", "--kube-version", KUBERNETES, str(CHART), "--values", file)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("values", VALUES)
def test_every_manifest_is_complete_and_named_once(values: str) -> None:
    seen = set()
    for each in manifests(values):
        kind, name = each["kind"], each["metadata"]["name"]
        assert each["apiVersion"] == VERSIONS[kind]
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name)
        assert REQUIRED.get(kind, set()) <= set(each.get("spec", {})), name
        assert {"app.kubernetes.io/name", "app.kubernetes.io/instance"} <= set(each["metadata"]["labels"])
        assert (kind, name) not in seen
        seen.add((kind, name))


@pytest.mark.parametrize("values", VALUES)
def test_whatever_selects_pods_selects_those_of_one_deployment(values: str) -> None:
    labels = {name: pod["metadata"]["labels"] for name, pod in pods(values)}

    def selected(selector: dict[str, str]) -> list[str]:
        return [name for name, has in labels.items() if selector.items() <= has.items()]

    for each in manifests(values):
        spec = each.get("spec", {})
        name = each["metadata"]["name"]
        if each["kind"] in {"Deployment", "PodDisruptionBudget"}:
            assert selected(spec["selector"]["matchLabels"]) == [name]
        if each["kind"] == "Service":
            assert selected(spec["selector"]) == [name]
        if each["kind"] == "NetworkPolicy":
            assert selected(spec["podSelector"]["matchLabels"]) == [name]
        if each["kind"] in {"ScaledObject", "HorizontalPodAutoscaler"}:
            assert spec["scaleTargetRef"]["name"] == name
            assert "replicas" not in of("Deployment", values)[name]["spec"], "the autoscaler decides"


@pytest.mark.parametrize("values", VALUES)
def test_every_pod_runs_without_rights_on_a_file_system_that_it_cannot_write(values: str) -> None:
    for name, pod in pods(values):
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert set(container["resources"]) == {"requests", "limits"}
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert mounted == {volume["name"] for volume in spec["volumes"]}
            assert {"/tmp", "/var/lib/perdure"} <= {mount["mountPath"] for mount in container["volumeMounts"]}  # noqa: S108


@pytest.mark.parametrize("values", VALUES)
def test_pods_are_told_nothing_that_is_not_read(values: str) -> None:
    known = {
        str(field.validation_alias or f"PERDURE_{name.upper()}")
        for name, field in Settings.model_fields.items()
    }
    for name, pod in pods(values):
        for container in pod["spec"]["containers"]:
            told = [variable["name"] for variable in container.get("env", ())]
            assert set(told) <= known | THIRD_PARTY, name
            assert len(told) == len(set(told)), name
            assert all(isinstance(variable["value"], str) for variable in container.get("env", ())), name


def test_only_the_migrations_know_the_owner() -> None:
    for name, pod in pods("full"):
        secrets = [source["secretRef"]["name"] for source in pod["spec"]["containers"][0]["envFrom"]]
        assert ("perdure-owner" in secrets) is (name == "perdure-migrations")


def test_migrations_run_before_everything_else_of_a_release() -> None:
    job = of("Job", "minimal")["perdure-migrations"]
    hooks = job["metadata"]["annotations"]["helm.sh/hook"].split(",")
    assert set(hooks) == {"pre-install", "pre-upgrade", "pre-rollback"}
    assert job["spec"]["template"]["spec"]["containers"][0]["command"] == ["perdure", "migrate"]
    # Hooks come first: what the release makes is not there yet.
    assert "serviceAccountName" not in job["spec"]["template"]["spec"]
    assert of("Job", "bare") == {}


@pytest.mark.parametrize("values", VALUES)
def test_every_task_queue_has_workers(values: str) -> None:
    commands = {
        name: pod["spec"]["containers"][0]["command"] for name, pod in pods(values) if "-worker-" in name
    }
    assert {command[-1] for command in commands.values()} == set(queues.ALL)
    assert all(command[:3] == ["python", "worker.py", "--queues"] for command in commands.values())


def test_workers_scale_by_what_waits_in_their_queue() -> None:
    with_workflows = {kind.queue for kind in KINDS.values()}
    scaled = of("ScaledObject", "full")
    assert set(scaled) == {f"perdure-worker-{queue}" for queue in queues.ALL}
    for queue in queues.ALL:
        spec = scaled[f"perdure-worker-{queue}"]["spec"]
        (trigger,) = spec["triggers"]
        metadata = trigger["metadata"]
        assert (trigger["type"], metadata["taskQueue"]) == ("temporal", queue)
        assert metadata["queueTypes"] == ("workflow,activity" if queue in with_workflows else "activity")
        assert all(isinstance(value, str) for value in metadata.values())
        assert metadata["workerDeploymentName"] == "perdure"
        assert trigger["authenticationRef"] == {"name": "temporal-client"}
        assert spec["minReplicaCount"] >= 1
    assert of("ScaledObject", "minimal") == {}


@pytest.mark.parametrize("values", VALUES)
def test_probes_and_services_ask_ports_that_are_open(values: str) -> None:
    for deployment in of("Deployment", values).values():
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            if probe in container:
                assert container[probe]["httpGet"]["port"] in ports
        told = {variable["name"]: variable["value"] for variable in container["env"]}
        if "PERDURE_WORKER_METRICS_ADDRESS" in told:
            assert told["PERDURE_WORKER_METRICS_ADDRESS"].endswith(f":{ports['metrics']}")
        else:
            assert container["command"][-1] == str(ports["http"])
    (service,) = of("Service", values).values()
    assert service["spec"]["ports"][0]["targetPort"] == "http"


def test_policies_let_metrics_be_read_and_only_fetchers_onto_the_internet() -> None:
    policies = of("NetworkPolicy", "full")
    assert set(policies) == {name for name, _ in pods("full")}
    for name, policy in policies.items():
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        blocks = [
            peer["ipBlock"]
            for rule in policy["spec"]["egress"]
            for peer in rule.get("to", ())
            if "ipBlock" in peer
        ]
        onto_the_internet = [block for block in blocks if block["cidr"] == "0.0.0.0/0"]
        assert bool(onto_the_internet) is (name == "perdure-worker-io"), name
        for block in onto_the_internet:
            assert {"10.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16", "172.16.0.0/12"} <= set(block["except"])
    assert policies["perdure-migrations"]["spec"]["ingress"] == []
    (worker,) = policies["perdure-worker-cpu"]["spec"]["ingress"]
    assert worker["ports"] == [{"protocol": "TCP", "port": 9464}]
    assert of("NetworkPolicy", "bare") == {}


def test_monitors_name_the_jobs_that_alerts_ask_for() -> None:
    (monitor,) = of("PodMonitor", "full").values()
    jobs = {
        endpoint["port"]: endpoint["relabelings"][0]["replacement"]
        for endpoint in monitor["spec"]["podMetricsEndpoints"]
    }
    assert jobs == {"http": "perdure-api", "metrics": "perdure-worker"}
    alerts = (ROOT / "deploy/prometheus/alerts.yml").read_text()
    assert set(re.findall(r'job="([^"]+)"', alerts)) == set(jobs.values())


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("existingSecret=", "DATABASE_URL"),
        ("temporal.address=", "address of Temporal"),
        ("objectStore.url=", "address of the object store"),
        ("objectStore.url=file:///data", "objectStore"),
        ("migrations.existingSecret=", "DATABASE_OWNER_URL"),
        ("workers.io.autoscaling.minReplicas=0", "minReplicas"),
        ("environment.lower_case=1", "lower_case"),
        ("nonsense=1", "nonsense"),
    ],
)
def test_values_that_cannot_work_are_refused_with_a_reason(setting: str, complaint: str) -> None:
    file = str(CHART / "ci" / "minimal.yaml")
    ended = run(
        "template", "perdure", str(CHART), "--kube-version", KUBERNETES, "--values", file, "--set", setting
    )
    assert ended.returncode != 0
    assert complaint in ended.stderr


def test_the_schema_knows_every_value() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(values) == set(schema["properties"]) - {"global"}
