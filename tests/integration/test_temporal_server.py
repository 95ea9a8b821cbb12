import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

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
