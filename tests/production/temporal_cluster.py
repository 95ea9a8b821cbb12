"""A Temporal server of four services over PostgreSQL: its configuration, its schema, its namespaces."""

import asyncio
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import httpx
from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from perdure.embedded import loopback, ports, temporal_server
from perdure.embedded.ports import LOOPBACK
from tests.production.postgres_servers import PostgresServer

TOOLS = Path(__file__).parents[2] / ".tools"
ROLE, PASSWORD = "temporal", "temporal-test"
STORES = ("temporal", "visibility")
_SHARDS = 4
_SERVICES = ("frontend", "history", "matching", "worker")


@dataclass(frozen=True)
class TemporalCluster:
    """How to run the server, and how to reach it."""

    command: tuple[str, ...]
    address: str
    http_url: str

    async def answers(self) -> bool:
        """Whether the frontend serves."""
        return await loopback.answers(f"{self.http_url}/api/v1/cluster-info")

    async def pollers(self, namespace: str, queue: str) -> set[int]:
        """Process ids of the workers that ask for the activities of a queue."""
        url = f"{self.http_url}/api/v1/namespaces/{namespace}/task-queues/{queue}"
        async with loopback.client() as http:
            try:
                answer = await http.get(url, params={"taskQueueType": "TASK_QUEUE_TYPE_ACTIVITY"})
            except httpx.HTTPError:
                return set()
        found = answer.json().get("pollers", []) if answer.is_success else []
        return {int(poller["identity"].partition("@")[0]) for poller in found}

    async def register(self, namespace: str) -> None:
        """A namespace with what Perdure needs in it, once everybody in the cluster knows it."""
        client = await Client.connect(self.address, namespace=namespace)
        await client.workflow_service.register_namespace(
            RegisterNamespaceRequest(
                namespace=namespace,
                workflow_execution_retention_period=Duration(seconds=7 * 24 * 3600),
            )
        )
        wanted = dict.fromkeys(temporal_server.SEARCH_ATTRIBUTES, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD)
        add = AddSearchAttributesRequest(namespace=namespace, search_attributes=wanted)
        list_them = ListSearchAttributesRequest(namespace=namespace)
        async with asyncio.timeout(60):
            added = False
            while True:
                try:
                    if not added:
                        await client.operator_service.add_search_attributes(add)
                        added = True
                    listed = await client.operator_service.list_search_attributes(list_them)
                    if set(wanted) <= set(listed.custom_attributes):
                        return
                except RPCError as error:
                    # What one service was told the others hear a little later.
                    if error.status not in {RPCStatusCode.NOT_FOUND, RPCStatusCode.UNAVAILABLE}:
                        raise
                await asyncio.sleep(0.2)


def make_schema(server: PostgresServer) -> None:
    """Both databases with the schema that comes with the server's module. Blocking."""
    tool = [str(TOOLS / "bin" / "temporal-sql-tool"), "--plugin", "postgres12", "--endpoint", LOOPBACK]
    tool += ["--port", str(server.port), "--user", ROLE, "--password", PASSWORD]
    for store in STORES:
        for verb in (
            ["setup-schema", "--version", "0.0"],
            ["update-schema", "-d", str(TOOLS / "temporal-schema" / store)],
        ):
            ended = subprocess.run(
                [*tool, "--database", store, *verb],
                cwd=server.directory.parent,
                capture_output=True,
                text=True,
                check=False,
            )
            assert ended.returncode == 0, ended.stdout + ended.stderr


def prepared(directory: Path, server: PostgresServer) -> TemporalCluster:
    """Write the configuration; JSON is YAML."""
    directory.mkdir()
    numbers = ports.unused(2 * len(_SERVICES) + 1)
    http_port = numbers.pop()
    services = {
        name: {
            "rpc": {
                "grpcPort": numbers.pop(),
                "membershipPort": numbers.pop(),
                "bindOnIP": LOOPBACK,
                **({"httpPort": http_port} if name == "frontend" else {}),
            }
        }
        for name in _SERVICES
    }
    address = f"{LOOPBACK}:{services['frontend']['rpc']['grpcPort']}"
    dynamic = directory / "dynamic.yaml"
    dynamic.write_text(json.dumps(_dynamic_configuration()))
    configuration = {
        "log": {"stdout": True, "level": "warn"},
        "persistence": {
            "defaultStore": "temporal",
            "visibilityStore": "visibility",
            "numHistoryShards": _SHARDS,
            "datastores": {store: {"sql": _store(server, store)} for store in STORES},
        },
        "global": {"membership": {"maxJoinDuration": "30s", "broadcastAddress": LOOPBACK}},
        "services": services,
        "clusterMetadata": {
            "enableGlobalNamespace": False,
            "failoverVersionIncrement": 10,
            "masterClusterName": "active",
            "currentClusterName": "active",
            "clusterInformation": {
                "active": {
                    "enabled": True,
                    "initialFailoverVersion": 1,
                    "rpcName": "frontend",
                    "rpcAddress": address,
                }
            },
        },
        "dcRedirectionPolicy": {"policy": "noop"},
        "publicClient": {"hostPort": address},
        "dynamicConfigClient": {"filepath": str(dynamic), "pollInterval": "60s"},
    }
    (directory / "production.yaml").write_text(json.dumps(configuration, indent=2))
    command = (str(TOOLS / "bin" / "temporal-server"), "--root", str(directory), "--config", ".")
    return TemporalCluster(
        (*command, "--env", "production", "--allow-no-auth", "start"),
        address,
        f"http://{LOOPBACK}:{http_port}",
    )


def _store(server: PostgresServer, database: str) -> dict[str, object]:
    return {
        "pluginName": "postgres12",
        "databaseName": database,
        "connectAddr": f"{LOOPBACK}:{server.port}",
        "connectProtocol": "tcp",
        "user": ROLE,
        "password": PASSWORD,
        "maxConns": 20,
        "maxIdleConns": 20,
        "maxConnLifetime": "1h",
    }


def _dynamic_configuration() -> dict[str, list[dict[str, object]]]:
    """The same tuning as that of the embedded server."""
    tuned = (
        value.partition("=")
        for flag, value in temporal_server.TUNED_FLAGS
        if flag == "--dynamic-config-value"
    )
    return {key: [{"value": json.loads(value)}] for key, _, value in tuned}
