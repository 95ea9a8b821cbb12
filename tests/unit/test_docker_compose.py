"""Docker does not run where these tests do: what can be known by reading is checked by reading."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from perdure.embedded.temporal_server import SEARCH_ATTRIBUTES
from perdure.settings import Settings
from workflows import queues

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def app_services(compose: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (service for service in compose["services"].values() if service["image"] == "perdure:local")


def test_every_published_port_is_on_loopback(compose: dict[str, Any]) -> None:
    published = [port for service in compose["services"].values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_services_volumes_and_configs_that_are_named_exist(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert set(service.get("depends_on", {})) <= set(compose["services"])
        assert {volume.split(":")[0] for volume in service.get("volumes", ())} <= set(compose["volumes"])
        assert {config["source"] for config in service.get("configs", ())} <= set(compose["configs"])


def test_the_app_is_told_nothing_that_it_does_not_read(compose: dict[str, Any]) -> None:
    known = {
        str(field.validation_alias or f"PERDURE_{name.upper()}")
        for name, field in Settings.model_fields.items()
    }
    for service in app_services(compose):
        assert set(service["environment"]) <= known


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


def test_the_search_attributes_are_those_of_the_dev_server(compose: dict[str, Any]) -> None:
    command = compose["services"]["search-attributes"]["command"]
    names = [value for flag, value in pairwise(command) if flag == "--name"]
    assert names == list(SEARCH_ATTRIBUTES)


def test_secrets_have_no_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert set(re.findall(r"\$\{\w+(.*?)\}", text)) == {":?"}
