import asyncio
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from temporalio.client import Client

from perdure.embedded import ports, temporal_server
from perdure.errors import UnavailableError
from perdure.settings import home_directory


@contextmanager
def a_server(database: Path) -> Iterator[temporal_server.TemporalPorts]:
    binary = temporal_server.find_binary(home_directory())
    assert binary is not None
    listening = temporal_server.TemporalPorts(*ports.unused(4))
    command = temporal_server.server_command(binary, listening, database)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield listening
        finally:
            process.kill()


async def namespace(http_url: str) -> dict[str, dict[str, object]]:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer: dict[str, dict[str, object]] = (
            await client.get(f"{http_url}/api/v1/namespaces/default")
        ).json()
        return answer


async def test_a_server_keeps_its_namespace_over_a_kill(tmp_path: Path) -> None:
    with a_server(tmp_path / "temporal.db") as listening:
        await temporal_server.wait_until_ready(listening.http_url)
        first = await namespace(listening.http_url)
    with a_server(tmp_path / "temporal.db") as listening:
        await temporal_server.wait_until_ready(listening.http_url)
        second = await namespace(listening.http_url)
    assert second["namespaceInfo"]["id"] == first["namespaceInfo"]["id"]
    assert second["config"]["workflowExecutionRetentionTtl"] == "604800s"
    aliases = second["config"]["customSearchAttributeAliases"]
    assert isinstance(aliases, dict)
    assert set(aliases.values()) == set(temporal_server.SEARCH_ATTRIBUTES)


async def test_a_server_that_never_answers_is_unavailable() -> None:
    (port,) = ports.unused(1)
    with pytest.raises(UnavailableError, match="did not become ready"):
        await temporal_server.wait_until_ready(f"http://127.0.0.1:{port}", timeout_s=0.2)


def indexes(database: Path) -> set[str]:
    with closing(sqlite3.connect(database)) as connection:
        found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'").fetchall()
    return {name for (name,) in found if not name.startswith("sqlite_")}


async def test_a_list_of_workflows_keeps_only_the_indexes_that_are_used(tmp_path: Path) -> None:
    database = tmp_path / "temporal.db"
    with a_server(database) as listening:
        await temporal_server.wait_until_ready(listening.http_url)
        before = indexes(database)
        columns = (await namespace(listening.http_url))["config"]["customSearchAttributeAliases"]
        assert await temporal_server.drop_unused_indexes(database, listening.http_url) > 20
        assert await temporal_server.drop_unused_indexes(database, listening.http_url) == 0
        kept = indexes(database)
        client = await Client.connect(listening.address)
        assert isinstance(columns, dict)
        for column, name in columns.items():
            assert f"by_{column[:-2].lower()}_{column[-2:]}" in kept, name
            assert [one async for one in client.list_workflows(f"{name} = 'one'")] == []
        # What is not indexed is found all the same.
        started = await client.start_workflow("Any", id="any", task_queue="none")
        await started.terminate()
        queries = ("HistoryLength > 1", "StateTransitionCount > 0", f"RootRunId = '{started.result_run_id}'")
        for query in queries:
            assert await _first(client, query) == "any"
    assert kept < before
    with a_server(database) as listening:
        await temporal_server.wait_until_ready(listening.http_url)
    assert indexes(database) == kept


async def _first(client: Client, query: str) -> str:
    """The first that is listed, as soon as it is: a list is written a moment after the fact."""
    async with asyncio.timeout(10):
        while True:
            async for one in client.list_workflows(f"WorkflowType = 'Any' AND {query}"):
                return one.id
            await asyncio.sleep(0.05)


async def test_a_file_that_somebody_holds_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "temporal.db"
    monkeypatch.setattr(temporal_server, "_LOCKED_S", 0.05)
    with a_server(database) as listening:
        await temporal_server.wait_until_ready(listening.http_url)
        with closing(sqlite3.connect(database, timeout=10, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            assert await temporal_server.drop_unused_indexes(database, listening.http_url) == 0
            connection.execute("ROLLBACK")
