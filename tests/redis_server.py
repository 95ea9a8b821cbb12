"""A real Redis or Valkey of a test alone."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from perdure.embedded import ports


def binary() -> str:
    """The server's command; without it the test is skipped, in CI it fails."""
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None and os.environ.get("CI"):
        pytest.fail("no `redis-server` command: .ci/run installs it")
    if found is None:
        pytest.skip("no `redis-server` command: install Debian's redis-server")
    return found


@dataclass
class RedisServer:
    """Starts and stops; nothing is kept on disk."""

    directory: Path
    port: int = field(default_factory=lambda: ports.unused(1)[0])
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Return when it answers."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen(
            [binary(), *options], cwd=self.directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 10
        with Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                except (RedisError, OSError):
                    assert time.monotonic() < deadline, "redis-server does not start"
                    time.sleep(0.02)
                else:
                    return

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def redis_server(directory: Path) -> Iterator[RedisServer]:
    """Running, until the end of the block."""
    server = RedisServer(directory)
    server.start()
    try:
        yield server
    finally:
        server.stop()
