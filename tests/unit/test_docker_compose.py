"""Docker does not run where these tests do: what can be known by reading is checked by reading."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from perdure.embedded.temporal_server import SEARCH_ATTRIBUTES
from perdure.settings import Settings
from workflows import queues

ROOT = Path(__file__).parents[2]

# Read by libraries of ours, not by `Settings`.
THIRD_PARTY = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def app_services(compose: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (service for service in compose["services"].values() if service["image"] == "perdure:local")


def mounts(service: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Named volumes and bind mounts, each with where it appears."""
    for volume in service.get("volumes", ()):
        source, target, *_ = volume.split(":")
        yield source, target


def test_every_published_port_is_on_loopback_and_its_own(compose: dict[str, Any]) -> None:
    published = [port for service in compose["services"].values() for port in service.get("ports", ())]
    assert all(port.startswith("127.0.0.1:") for port in published)
    outside = [port.split(":")[1] for port in published]
    assert sorted(outside) == ["3000", "8000", "8233", "9090"]


def test_whatever_is_published_can_be_reached_and_what_holds_data_cannot_get_out(
    compose: dict[str, Any],
) -> None:
    assert compose["networks"]["inside"] == {"internal": True}
    for name, service in compose["services"].items():
        if service.get("ports"):
            assert "outside" in service["networks"], name
    for name in ("postgres", "temporal", "objects", "valkey", "setup", "worker-cpu"):
        assert compose["services"][name]["networks"] == ["inside"], name


def test_services_volumes_networks_and_files_that_are_named_exist(compose: dict[str, Any]) -> None:
    services = compose["services"]
    used: set[str] = set()
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
        assert set(service.get("networks", ())) <= set(compose["networks"])
        assert {config["source"] for config in service.get("configs", ())} <= set(compose["configs"])
        for source, _ in mounts(service):
            if source.startswith("./"):
                assert (ROOT / source).exists(), source
            else:
                used.add(source)
    assert used == set(compose["volumes"])


def test_who_waits_for_health_waits_for_somebody_who_tells_it(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for name, wait in service.get("depends_on", {}).items():
            awaited = compose["services"][name]
            if wait["condition"] == "service_healthy":
                assert "test" in awaited["healthcheck"], name
            if wait["condition"] == "service_completed_successfully":
                assert awaited.get("restart") in {None, "on-failure"}, name


def test_every_image_is_pinned(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        name, _, tag = service["image"].partition(":")
        assert tag, name
        assert tag != "latest", name


def test_the_app_is_told_nothing_that_it_does_not_read(compose: dict[str, Any]) -> None:
    known = {
        str(field.validation_alias or f"PERDURE_{name.upper()}")
        for name, field in Settings.model_fields.items()
    }
    for service in app_services(compose):
        assert set(service["environment"]) - THIRD_PARTY <= known


def test_addresses_of_the_app_are_those_of_services(compose: dict[str, Any]) -> None:
    services = compose["services"]
    environment = {
        name: re.sub(r"\$\{\w+:\?\}", "secret", str(value))
        for name, value in services["api"]["environment"].items()
    }
    assert urlsplit(environment["DATABASE_URL"]).hostname in services
    assert urlsplit(environment["REDIS_URL"]).hostname in services
    assert environment["TEMPORAL_ADDRESS"].split(":")[0] in services
    store = urlsplit(environment["OBJECT_STORE_URL"])
    options = parse_qs(store.query)
    assert urlsplit(options["endpoint"][0]).hostname in services
    assert options["links"] == ["api"], "browsers are not inside"
    # The bucket of a server that keeps files is a folder.
    assert services["objects-folder"]["command"][-1] == f"/data/{store.netloc}"


def test_the_app_runs_without_rights_on_a_file_system_that_it_cannot_write(compose: dict[str, Any]) -> None:
    for service in app_services(compose):
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert any(mount.startswith("/var/lib/perdure:") for mount in service["tmpfs"])


def test_only_the_setup_knows_the_owner(compose: dict[str, Any]) -> None:
    told = [
        name
        for name, service in compose["services"].items()
        if "DATABASE_OWNER_URL" in service.get("environment", {})
    ]
    assert told == ["setup"]


def test_every_task_queue_has_a_worker(compose: dict[str, Any]) -> None:
    commands = [service["command"] for service in app_services(compose)]
    polled = {command[-1] for command in commands if command[:2] == ["python", "worker.py"]}
    assert polled == set(queues.ALL)


def test_prometheus_asks_everybody_where_they_listen(compose: dict[str, Any]) -> None:
    jobs = {
        job["job_name"]: job
        for job in yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    }
    services = compose["services"]
    asked = {
        name: job
        for job in jobs.values()
        for found in job.get("dns_sd_configs", ())
        for name in found["names"]
    }
    assert set(asked) == {"api", "worker-io", "worker-cpu"}
    (api,) = jobs["perdure-api"]["dns_sd_configs"]
    assert str(api["port"]) == services["api"]["command"][-1]
    (worker,) = jobs["perdure-worker"]["dns_sd_configs"]
    for name in worker["names"]:
        assert services[name]["environment"]["PERDURE_WORKER_METRICS_ADDRESS"].endswith(f":{worker['port']}")
    (temporal,) = jobs["temporal"]["static_configs"]
    port = temporal["targets"][0].split(":")[1]
    assert services["temporal"]["environment"]["PROMETHEUS_ENDPOINT"].endswith(f":{port}")


def test_grafana_finds_its_datasource_and_its_dashboards(compose: dict[str, Any]) -> None:
    folder = ROOT / "deploy/grafana"
    (source,) = yaml.safe_load((folder / "provisioning/datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    assert urlsplit(source["url"]).hostname in compose["services"]
    (provider,) = yaml.safe_load((folder / "provisioning/dashboards/perdure.yml").read_text())["providers"]
    targets = dict(mounts(compose["services"]["grafana"]))
    assert targets["./deploy/grafana/dashboards"] == provider["options"]["path"]
    for dashboard in (folder / "dashboards").glob("*.json"):
        asked = re.findall(r'"uid": "([a-z]+)"', dashboard.read_text())
        assert source["uid"] in asked


def test_the_temporal_ui_has_payloads_decrypted_by_the_api(compose: dict[str, Any]) -> None:
    ui, api = (compose["services"][name]["environment"] for name in ("temporal-ui", "api"))
    assert ui["TEMPORAL_CODEC_ENDPOINT"] == f"{api['PERDURE_PUBLIC_URL']}/codec"
    assert ui["TEMPORAL_CODEC_INCLUDE_CREDENTIALS"] == "true"


def test_the_search_attributes_are_those_of_the_dev_server(compose: dict[str, Any]) -> None:
    command = compose["services"]["search-attributes"]["command"]
    names = [value for flag, value in pairwise(command) if flag == "--name"]
    assert names == list(SEARCH_ATTRIBUTES)


def test_secrets_have_no_default_and_an_example_names_them_all() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    asked = re.findall(r"\$\{(\w+)(.*?)\}", text)
    assert {default for _, default in asked} == {":?"}
    lines = (ROOT / ".env.example").read_text().splitlines()
    example = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert set(example) == {name for name, _ in asked}
    assert set(example.values()) == {""}
