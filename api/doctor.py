"""`python -m api.doctor`: checks what Perdure needs, and says how to mend what fails. See `perdure doctor`."""

import argparse
import asyncio
import json
import platform
import shutil
import stat
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

import httpx
import psutil
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeTaskQueueRequest,
    GetClusterInfoRequest,
)
from temporalio.client import Client
from temporalio.converter import DataConverter
from temporalio.service import RPCError, RPCStatusCode

from perdure.db.guard import Fault, find_faults
from perdure.db.master_key_check import examine_master_keys
from perdure.db.session import Database
from perdure.embedded import loopback, ports, temporal_server
from perdure.embedded.stack_files import StackFiles
from perdure.errors import PerdureError
from perdure.kms_command import TIMEOUT_S as KMS_TIMEOUT_S
from perdure.master_key_file import key_file_path, makes_key_file
from perdure.master_keys import MasterKeys, load_master_keys
from perdure.providers.minilm_export import is_exported
from perdure.providers.obstore_object_store import ObstoreObjectStore
from perdure.providers.redis_rate_store import RedisRateStore
from perdure.providers.tesseract import Tesseract, find_tesseract
from perdure.secret_key import FILE_NAME as SECRET_FILE
from perdure.secret_key import load_secret_key
from perdure.settings import Settings
from workflows import queues
from workflows.client import connect
from workflows.schedules import RETENTION

GIBIBYTE = 1024**3
_ENOUGH_DISK, _LITTLE_DISK = 5 * GIBIBYTE, GIBIBYTE
_OLDEST_POSTGRES = 150_000
_TIMEOUT = timedelta(seconds=5)
_NOT_RUNNING = "start Perdure with `perdure up`, or configure an address"


class Verdict(StrEnum):
    """How a check went. Only `fail` makes the exit code 1."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """The outcome of one check."""

    check: str
    verdict: Verdict
    found: str
    remedy: str = ""


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check, Verdict.OK, found)


def warn(check: str, found: str, remedy: str) -> Finding:
    """It works, with less."""
    return Finding(check, Verdict.WARN, found, remedy)


def fail(check: str, found: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding(check, Verdict.FAIL, found, remedy)


Check = Callable[[Settings], Awaitable[list[Finding]]]


async def check_programs(settings: Settings) -> list[Finding]:
    """Python, and the programs that Perdure starts."""
    findings = [ok("python", platform.python_version())]
    binary = temporal_server.find_binary(settings.home)
    if binary is not None:
        findings.append(ok("temporal command", str(binary)))
    elif settings.temporal_address and not StackFiles(settings.home).read_state():
        findings.append(ok("temporal command", "not needed: TEMPORAL_ADDRESS is set"))
    elif shutil.which("go"):
        findings.append(
            warn("temporal command", "missing", "`perdure up` builds it with Go, which takes minutes")
        )
    else:
        remedy = "install the Temporal CLI or Go 1.24, or set TEMPORAL_ADDRESS"
        findings.append(fail("temporal command", "missing, and no Go to build it", remedy))
    return [*findings, await asyncio.to_thread(_ocr), _browser()]


def _ocr() -> Finding:
    program = find_tesseract()
    remedy = "install Tesseract with English (Debian: tesseract-ocr); until then scans end as needs_ocr"
    if program is None:
        return warn("ocr", "no tesseract", remedy)
    languages = sorted(Tesseract(program).languages)
    if "eng" not in languages:
        return warn("ocr", f"{program} without English", remedy)
    return ok("ocr", f"{program}, languages {', '.join(languages)}")


def browser_program() -> str | None:
    """Chromium, without windows if there is that."""
    found = map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))
    return next(filter(None, found), None)


def _browser() -> Finding:
    return ok("browser", browser_program() or "no chromium; only the browser tests need one")


async def check_home(settings: Settings) -> list[Finding]:
    """The directory with all local state, and the disk below it."""
    home = settings.home
    existing = next(folder for folder in (home, *home.parents) if folder.is_dir())
    free = shutil.disk_usage(existing).free
    found = f"{free / GIBIBYTE:.1f} GiB free for {home}"
    remedy = "free some space, or move PERDURE_HOME to another disk"
    if free < _LITTLE_DISK:
        return [fail("disk", found, remedy)]
    if free < _ENOUGH_DISK:
        return [warn("disk", found, remedy)]
    return [ok("disk", found)]


async def check_ports(settings: Settings) -> list[Finding]:
    """Whether the configured ports are ours or free."""
    if StackFiles(settings.home).is_locked():
        return [ok("ports", "in use by this stack")]
    wanted = {"api": settings.api_port}
    if not settings.temporal_address:
        wanted |= {"temporal": settings.temporal_port, "temporal ui": settings.temporal_ui_port}
    busy = [f"{name} {port}" for name, port in wanted.items() if not ports.is_free(port)]
    if busy:
        remedy = "`perdure up` takes the next free ones; or set PERDURE_API_PORT, PERDURE_TEMPORAL_PORT"
        return [warn("ports", f"busy: {', '.join(busy)}", remedy)]
    return [ok("ports", ", ".join(f"{name} {port} free" for name, port in wanted.items()))]


async def check_database(settings: Settings) -> list[Finding]:
    """Reachable, new enough, with pgvector, at the newest schema, and safe for several organisations."""
    if not settings.database_url:
        return [warn("database", "not running", _NOT_RUNNING)]
    database = Database(settings.database_url, pool_size=1)
    try:
        async with asyncio.timeout(_TIMEOUT.total_seconds()):
            async with database.transaction(None) as session:
                number = int(await session.scalar(text("SHOW server_version_num")) or 0)
                vector = await session.scalar(
                    text("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
                )
                role = await session.scalar(text("SELECT current_user"))
            faults = await find_faults(database)
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        reason = str(error).partition("\n")[0] or "no answer"
        return [fail("database", reason, "check DATABASE_URL, and that the server runs")]
    finally:
        await database.aclose()
    version = f"PostgreSQL {number // 10_000}.{number % 10_000}, pgvector {vector or 'missing'}, role {role}"
    findings = [ok("database", version)]
    if number < _OLDEST_POSTGRES:
        findings = [fail("database", version, "Perdure needs PostgreSQL 15 or newer")]
    findings += [fail("database safety", fault.what, fault.remedy) for fault in faults]
    return findings if faults else [*findings, ok("database safety", "role, schema and row level security")]


async def check_temporal(settings: Settings) -> list[Finding]:
    """Reachable, with our search attributes, tuned when it is ours, and with workers that ask for work."""
    if not settings.temporal_address:
        return [warn("temporal", "not running", _NOT_RUNNING)]
    try:
        async with asyncio.timeout(_TIMEOUT.total_seconds()):
            # Nothing here reads a payload, and looking must not make a master key.
            client = await connect(settings, converter=DataConverter.default)
            return [
                await _temporal_server(client),
                *_tuning(settings),
                await _search_attributes(client),
                await _pollers(client),
                await _retention(client),
            ]
    except (RPCError, RuntimeError, OSError, TimeoutError) as error:
        reason = str(error).partition("\n")[0] or "no answer"
        return [fail("temporal", reason, "check TEMPORAL_ADDRESS, and that the server runs")]


async def _temporal_server(client: Client) -> Finding:
    service = client.workflow_service
    info = await service.get_cluster_info(GetClusterInfoRequest())
    described = await service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    kept = described.config.workflow_execution_retention_ttl.ToTimedelta()
    found = f"server {info.server_version}, namespace {client.namespace}, closed workflows kept {kept.days} d"
    if kept < temporal_server.RETENTION:
        remedy = f"`temporal operator namespace update --retention 7d -n {client.namespace}`"
        return warn("temporal", found, remedy)
    return ok("temporal", found)


def _tuning(settings: Settings) -> list[Finding]:
    """Only for a server that `perdure up` runs: another one is its operator's affair."""
    records = [record for record in StackFiles(settings.home).leftovers() if record.name == "temporal"]
    running = [process for record in records if (process := record.find())]
    findings = []
    for process in running:
        try:
            missing = temporal_server.missing_flags(process.cmdline())
        except psutil.Error as error:
            findings.append(warn("temporal tuning", f"cannot be read: {error}", "run as the same user"))
            continue
        if missing:
            found = f"{len(missing)} flags missing, first {missing[0]}"
            findings.append(fail("temporal tuning", found, "restart with `perdure up`"))
        else:
            findings.append(ok("temporal tuning", f"all {len(temporal_server.TUNED_FLAGS)} flags"))
    return findings


async def _search_attributes(client: Client) -> Finding:
    request = ListSearchAttributesRequest(namespace=client.namespace)
    listed = await client.operator_service.list_search_attributes(request)
    missing = sorted(set(temporal_server.SEARCH_ATTRIBUTES) - set(listed.custom_attributes))
    if missing:
        remedy = "; ".join(
            f"`temporal operator search-attribute create --name {name} --type Keyword`" for name in missing
        )
        return fail("search attributes", f"missing: {', '.join(missing)}", remedy)
    return ok("search attributes", ", ".join(temporal_server.SEARCH_ATTRIBUTES))


async def _pollers(client: Client) -> Finding:
    counted: dict[str, int] = {}
    for queue in queues.ALL:
        request = DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        )
        counted[queue] = len((await client.workflow_service.describe_task_queue(request)).pollers)
    found = ", ".join(f"{queue}: {number} workers" for queue, number in counted.items())
    silent = [queue for queue, number in counted.items() if number == 0]
    if silent:
        return fail("task queues", found, f"start `python worker.py --queues {','.join(silent)}`")
    return ok("task queues", found)


async def _retention(client: Client) -> Finding:
    """Whether what is too old goes."""
    try:
        described = await client.get_schedule_handle(RETENTION).describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return warn("retention", "no schedule", "a worker of the queue io makes it when it starts")
    if described.schedule.state.paused:
        found = f"paused: {described.schedule.state.note or 'nobody said why'}"
        return warn("retention", found, f"`temporal schedule toggle --unpause -s {RETENTION}`")
    following = [f"next {at:%Y-%m-%d %H:%M} UTC" for at in described.info.next_action_times[:1]]
    return ok("retention", ", ".join([f"schedule {RETENTION}", *following]))


async def check_model(settings: Settings) -> list[Finding]:
    """The embedding model, ready for onnxruntime."""
    directory = settings.model_directory
    if is_exported(directory):
        return [ok("embedding model", f"all-MiniLM-L6-v2 in {directory}")]
    remedy = f"`python -m perdure.providers.minilm_export {directory}`; `perdure up` does it, too"
    return [warn("embedding model", "not exported yet", remedy)]


async def check_objects(settings: Settings) -> list[Finding]:
    """Write, read and delete one object."""
    try:
        await ObstoreObjectStore.from_url(settings.objects_url).check()
    except PerdureError as error:
        return [fail("object store", str(error), "check OBJECT_STORE_URL, its credentials and its rights")]
    return [ok("object store", settings.objects_url)]


async def check_keys(settings: Settings) -> list[Finding]:
    """The secret of this installation, and files that others must not read."""
    findings = []
    if not settings.secret_key and not (settings.home / SECRET_FILE).exists():
        findings.append(ok("secret key", "made at the first start"))
    else:
        try:
            load_secret_key(settings)
            where = "from PERDURE_SECRET_KEY" if settings.secret_key else f"in {settings.home / SECRET_FILE}"
            findings.append(ok("secret key", where))
        except PerdureError as error:
            findings.append(fail("secret key", "unusable", str(error)))
    private = [settings.home / name for name in ("stack.env", "demo.env")]
    open_files = [path for path in private if _readable_by_others(path)]
    findings += [
        fail("private files", f"{path} can be read by others", f"chmod 600 {path}") for path in open_files
    ]
    return findings


async def check_encryption(settings: Settings) -> list[Finding]:
    """The master keys: readable, and those that this database was used with."""
    try:
        keys, faults = await _examine_keys(settings)
    except (SQLAlchemyError, OSError, TimeoutError):
        return [warn("master keys", "cannot be compared with the database", "mend the database first")]
    except PerdureError as error:
        return [fail("master keys", "unusable", str(error))]
    if faults:
        return [fail("master keys", fault.what, fault.remedy) for fault in faults]
    if keys is None:
        return [ok("master keys", "made at the first start")]
    found = f"{keys.current_id} encrypts, {len(keys.ids()) - 1} more for reading"
    path = key_file_path(settings)
    return [ok("master keys", f"{found}; back up {path}" if path.exists() else found)]


async def _examine_keys(settings: Settings) -> tuple[MasterKeys | None, list[Fault]]:
    if not settings.database_url:
        if makes_key_file(settings) and not key_file_path(settings).exists():
            return None, []
        return await asyncio.to_thread(load_master_keys, settings, make=False), []
    database = Database(settings.database_url, pool_size=1)
    try:
        async with asyncio.timeout(_TIMEOUT.total_seconds() + KMS_TIMEOUT_S):
            return await examine_master_keys(database, settings)
    finally:
        await database.aclose()


def _readable_by_others(path: Path) -> bool:
    return path.exists() and bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


async def check_api(settings: Settings) -> list[Finding]:
    """Whether the API says that it is ready."""
    if not settings.public_url:
        return [warn("api", "not running", _NOT_RUNNING)]
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT.total_seconds(), trust_env=False) as client:
            answer = await client.get(f"{settings.public_url}/health/ready")
    except httpx.HTTPError as error:
        return [fail("api", f"{settings.public_url}: {error}", "see api.log in the log folder")]
    if answer.is_error:
        return [fail("api", f"not ready: {answer.text[:200]}", "mend what it names")]
    return [ok("api", f"{settings.public_url} is ready")]


async def check_metrics(settings: Settings) -> list[Finding]:
    """Whether the parts of this stack answer Prometheus."""
    urls = StackFiles(settings.home).read_state().get("metrics")
    if not isinstance(urls, dict) or not urls:
        return [ok("metrics", "each API at /metrics, workers where PERDURE_WORKER_METRICS_ADDRESS says")]
    silent = [f"{name} ({url})" for name, url in urls.items() if not await loopback.answers(url)]
    if silent:
        return [warn("metrics", f"no answer from {', '.join(silent)}", "see metrics_not_served in its log")]
    return [ok("metrics", ", ".join(f"{name} {url}" for name, url in urls.items()))]


async def check_rate_limits(settings: Settings) -> list[Finding]:
    """Where API processes count requests together."""
    if not settings.redis_url:
        return [ok("rate limits", "counted in the database")]
    remedy = "check REDIS_URL, and that the server runs; until then each API process counts alone"
    try:
        store = RedisRateStore(settings.redis_url)
    except PerdureError as error:
        return [fail("rate limits", str(error), remedy)]
    try:
        await store.book({"doctor": 0})
    except PerdureError as error:
        return [fail("rate limits", str(error), remedy)]
    finally:
        await store.aclose()
    return [ok("rate limits", "counted in Redis or Valkey")]


CHECKS: tuple[Check, ...] = (
    check_programs,
    check_home,
    check_ports,
    check_keys,
    check_database,
    check_encryption,
    check_temporal,
    check_model,
    check_objects,
    check_api,
    check_metrics,
    check_rate_limits,
)


async def examine(settings: Settings) -> list[Finding]:
    """Run every check."""
    return [finding for check in CHECKS for finding in await check(settings)]


def render(findings: list[Finding]) -> Table:
    """A table for people."""
    styles = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "bold red"}
    table = Table(header_style="bold")
    for column in ("", "check", "found", "how to mend it"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        verdict = Text(finding.verdict, style=styles[finding.verdict])
        table.add_row(verdict, finding.check, Text(finding.found), Text(finding.remedy))
    return table


def main() -> None:
    """Print what was found; exit code 1 when something fails."""
    parser = argparse.ArgumentParser(description="Check what Perdure needs.")
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")
    options = parser.parse_args()
    findings = asyncio.run(examine(Settings.load()))
    if options.json:
        sys.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=2) + "\n")
    else:
        Console().print(render(findings))
    sys.exit(any(finding.verdict is Verdict.FAIL for finding in findings))


if __name__ == "__main__":
    main()
