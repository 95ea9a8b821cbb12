import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import psutil
import pytest

from perdure.embedded import ports
from perdure.embedded.children import Child, ChildSpec
from perdure.embedded.processes import ProcessRecord, end_leftovers
from perdure.embedded.supervisor import Programs, Stack
from perdure.errors import ConflictError, UnavailableError
from perdure.settings import Settings

# A stand-in for API and workers: serves readiness when given a port, notes its start and its orderly end.
PROGRAM = """
import argparse, http.server, os, pathlib, signal, sys, threading
parser = argparse.ArgumentParser()
parser.add_argument("name")
parser.add_argument("--queues"); parser.add_argument("--host"); parser.add_argument("--port", type=int)
options = parser.parse_args()
journal = pathlib.Path(os.environ["PERDURE_HOME"]) / "journal"
def note(what):
    with journal.open("a") as file:
        file.write(f"{what} {options.queues or options.name}\\n")
done = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: done.set())
note("start")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health/ready" else 404); self.end_headers()
    def log_message(self, *_):
        pass
if options.port:
    server = http.server.HTTPServer((options.host, options.port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
done.wait()
note("end")
"""


class Reports:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __call__(self, part: str, what: str, *, passing: bool = False) -> None:
        self.lines.append((part, what))

    def of(self, part: str) -> list[str]:
        return [what for name, what in self.lines if name == part]


async def ready() -> bool:
    return True


async def eventually(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110  # what is waited for happens in other processes
            await asyncio.sleep(0.02)


@asynccontextmanager
async def a_child(spec: ChildSpec, reports: Reports) -> AsyncIterator[Child]:
    child = Child(spec, reports, lambda: None)
    try:
        await child.start(timeout_s=10)
        yield child
    finally:
        child.kill()
        await child.stop()


def python(tmp_path: Path, script: str, **options: object) -> ChildSpec:
    command = (sys.executable, "-c", script)
    return ChildSpec(name="child", command=command, log=tmp_path / "child.log", is_ready=ready, **options)  # type: ignore[arg-type]  # options are checked by the dataclass


async def test_a_killed_child_is_started_again(tmp_path: Path) -> None:
    reports = Reports()
    async with a_child(python(tmp_path, "import time; time.sleep(600)"), reports) as child:
        await eventually(lambda: child.record is not None)
        first = child.record
        assert first is not None
        os.kill(first.pid, signal.SIGKILL)
        await eventually(lambda: child.record != first)
        assert child.record is not None
        second = child.record.find()
        assert second is not None
    assert not second.is_running()
    assert "was ended by SIGKILL; starting it again in 0.2 s" in reports.of("child")


async def test_a_child_that_keeps_failing_fails_the_start_with_the_end_of_its_log(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    spec = ChildSpec(
        name="child",
        command=(sys.executable, "-c", "import sys; sys.exit('no such table')"),
        log=tmp_path / "child.log",
        is_ready=never,
    )
    child = Child(spec, Reports(), lambda: None)
    with pytest.raises(UnavailableError, match=r"(?s)keeps ending.*no such table"):
        await child.start(timeout_s=30)
    await child.stop()


async def test_a_child_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    script = "import signal, time; signal.signal(15, signal.SIG_IGN); open('ready', 'w'); time.sleep(600)"
    spec = python(tmp_path, script, stop_timeout_s=0.3, directory=tmp_path)
    reports = Reports()
    async with a_child(spec, reports) as child:
        await eventually((tmp_path / "ready").exists)
        await child.stop()
        assert child.record is not None
        assert child.record.find() is None
    assert "did not end in 0 s: killed" in reports.of("child")


async def test_a_child_does_not_hear_ctrl_c_of_the_terminal(tmp_path: Path) -> None:
    async with a_child(python(tmp_path, "import time; time.sleep(600)"), Reports()) as child:
        await eventually(lambda: child.record is not None)
        assert child.record is not None
        assert os.getpgid(child.record.pid) != os.getpgid(0)


async def test_children_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    parent = """
import asyncio, pathlib, sys
from perdure.embedded.children import Child, ChildSpec
async def ready(): return True
async def main():
    command = (sys.executable, "-c", "import time; time.sleep(600)")
    spec = ChildSpec("child", command, pathlib.Path(sys.argv[1]), ready)
    child = Child(spec, lambda *_, **__: None, lambda: None)
    await child.start()
    while child.record is None:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    sys.stdout.write(f"{child.record.pid}\\n"); sys.stdout.flush()
    await asyncio.sleep(600)
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", parent, str(tmp_path / "log"), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    record = ProcessRecord.of("child", int(await process.stdout.readline()))
    assert record is not None
    process.kill()
    await process.wait()
    await eventually(lambda: record.find() is None)


def test_leftovers_are_ended_and_strangers_are_not(tmp_path: Path) -> None:
    with (
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as leftover,
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as stranger,
    ):
        try:
            record = ProcessRecord.of("worker io", leftover.pid)
            assert record is not None
            same_number = ProcessRecord("worker cpu", stranger.pid, time.time() - 86_400, signal.SIGTERM)
            end_leftovers([record, same_number], Reports())
            assert leftover.wait(5) == -signal.SIGTERM
            assert stranger.poll() is None
        finally:
            leftover.kill()
            stranger.kill()


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    nothing = (sys.executable, "-c", "")
    return Programs(
        worker=(sys.executable, str(script), "worker"),
        api=(sys.executable, str(script), "api"),
        migrate=nothing,
        export_model=nothing,
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (api_port,) = ports.unused(1)
    return Settings(home=tmp_path / "home", api_port=api_port, temporal_address="127.0.0.1:1")


async def test_the_stack_comes_up_runs_and_leaves_nothing(settings: Settings, programs: Programs) -> None:
    reports = Reports()
    home = settings.home
    async with Stack(settings, reports, programs) as stack:
        # Without an HTTP address of Temporal nothing waits for workers, and these want to hear of the end.
        await eventually(lambda: (home / "journal").read_text().count("start") == 3)
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"{stack.url}/health/ready")).is_success
        environment = home / "stack.env"
        assert stat.S_IMODE(environment.stat().st_mode) == 0o600
        configured = Settings(_env_file=environment)
        assert configured.public_url == stack.url
        connection = await asyncpg.connect(configured.database_url)
        assert await connection.fetchval("SELECT current_user") == "perdure_app"
        await connection.close()
        children = [
            psutil.Process(entry["pid"])
            for entry in json.loads((home / "stack.json").read_text())["children"]
        ]
        assert len(children) == 4
    assert [process for process in children if process.is_running()] == []
    assert not (home / "stack.json").exists()
    assert not (home / "stack.env").exists()
    ended = [line for line in (home / "journal").read_text().splitlines() if line.startswith("end")]
    assert ended[0] == "end api"
    assert sorted(ended[1:]) == ["end cpu", "end io"]
    stopped = [part for part, what in reports.lines if what == "stopped"]
    assert stopped[0] == "api"
    assert stopped[-1] == "postgres"


async def test_a_second_stack_on_the_same_home_is_told_where_the_first_is(
    settings: Settings, programs: Programs
) -> None:
    async with Stack(settings, Reports(), programs) as stack:
        with pytest.raises(ConflictError, match=f"runs already from .*: {stack.url}"):
            async with Stack(settings, Reports(), programs):
                pass
        assert (settings.home / "stack.json").exists()


async def test_a_busy_port_is_named_and_the_next_free_one_taken(
    settings: Settings, programs: Programs
) -> None:
    reports = Reports()
    with socket.socket() as occupant:
        occupant.bind(("127.0.0.1", settings.api_port))
        occupant.listen()
        async with Stack(settings, reports, programs) as stack:
            assert stack.url != f"http://127.0.0.1:{settings.api_port}"
    assert any(what.startswith(f"port {settings.api_port} is busy, taking") for what in reports.of("api"))


async def test_a_killed_database_comes_back_in_the_same_place(settings: Settings, programs: Programs) -> None:
    reports = Reports()
    async with Stack(settings, reports, programs) as stack:
        children = json.loads((settings.home / "stack.json").read_text())["children"]
        (pid,) = [entry["pid"] for entry in children if entry["name"] == "postgres"]
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: any("was ended by SIGKILL" in what for what in reports.of("postgres")))

        async def one() -> object:
            connection = await asyncpg.connect(stack.environment["DATABASE_URL"])
            try:
                return await connection.fetchval("SELECT 1")
            finally:
                await connection.close()

        async with asyncio.timeout(90):  # recovery syncs every file, which takes its time on a busy disk
            while True:
                try:
                    assert await one() == 1
                    break
                except (OSError, asyncpg.PostgresError):
                    await asyncio.sleep(0.1)


async def test_a_start_that_fails_takes_everything_down(settings: Settings, programs: Programs) -> None:
    broken = Programs(
        worker=programs.worker,
        api=programs.api,
        migrate=(sys.executable, "-c", "import sys; sys.exit('relation exists')"),
        export_model=programs.export_model,
    )
    with pytest.raises(UnavailableError, match=r"(?s)migrations failed with exit code 1.*relation exists"):
        async with Stack(settings, Reports(), broken):
            pass
    assert not (settings.home / "stack.json").exists()
    with pytest.raises(OSError, match=r"(?i)connect|no such file"):
        await asyncpg.connect(host=str(settings.home / "postgres"), user="postgres")


async def test_killing_ends_everything_at_once(settings: Settings, programs: Programs) -> None:
    async with Stack(settings, Reports(), programs) as stack:
        children = [
            psutil.Process(e["pid"])
            for e in json.loads((settings.home / "stack.json").read_text())["children"]
        ]
        stack.kill()
        await stack.stop()
    assert "end " not in (settings.home / "journal").read_text()
    assert [process for process in children if process.is_running()] == []


async def test_migrations_that_were_applied_are_not_loaded_again(
    settings: Settings, programs: Programs
) -> None:
    real = Programs(worker=programs.worker, api=programs.api, export_model=programs.export_model)
    reports = Reports()
    for expected in ("ready in", "ready, nothing to do"):
        async with Stack(settings, reports, real):
            assert reports.of("migrations")[-1].startswith(expected)
    (settings.home / "schema.json").write_text('{"migrations": "of another version", "revision": "0001"}')
    async with Stack(settings, reports, real):
        assert reports.of("migrations")[-1].startswith("ready in")


async def test_what_a_killed_supervisor_left_is_cleaned_up_by_the_next(
    settings: Settings, programs: Programs, tmp_path: Path
) -> None:
    supervisor = f"""
import asyncio, sys
from perdure.embedded.supervisor import Programs, Stack
from perdure.settings import Settings
async def main():
    settings = Settings.model_validate_json(sys.argv[1])
    async with Stack(settings, lambda *_, **__: None, {programs!r}):
        sys.stdout.write("up\\n"); sys.stdout.flush()
        await asyncio.sleep(600)
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", supervisor, settings.model_dump_json(by_alias=False), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"up\n"
    left = [
        ProcessRecord(**entry) for entry in json.loads((settings.home / "stack.json").read_text())["children"]
    ]
    assert all(record.find() is not None for record in left)
    process.kill()
    await process.wait()
    async with Stack(settings, Reports(), programs) as stack:
        assert [record.name for record in left if record.find() is not None] == []
        connection = await asyncpg.connect(stack.environment["DATABASE_URL"])
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()
