"""A worker as one writes it by hand: our activities, and nothing around them. `python -m bench.bare_worker QUEUE`.

Settings come from the environment, as the product's own workers get them.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from temporalio import activity
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from bench.bare_workflows import CPU, IO, WORKFLOWS
from bench.product import Product, bare_client
from perdure.embedded.processes import tied_to_parent
from perdure.schemas.documents import DocumentJob
from perdure.settings import Settings
from worker import Dependencies  # noqa: TID251  # the comparison needs the very same activities

READY_TIMEOUT_S = 60.0


@activity.defn
async def nothing(_document: DocumentJob) -> None:
    """A step without work."""


def sandbox() -> SandboxedWorkflowRunner:
    """Tuned as everybody should: what a workflow only imports is passed through."""
    modules = ("activities", "perdure", "pydantic", "pydantic_core", "sqlalchemy", "numpy", "structlog")
    return SandboxedWorkflowRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules(*modules)
    )


async def serve(queue: str) -> None:
    """Serve one queue until SIGTERM."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    settings = Settings()
    async with AsyncExitStack() as stack:
        dependencies = Dependencies(settings, stack)
        ours = dependencies.io() if queue == IO else dependencies.cpu()
        async with Worker(
            await bare_client(settings.temporal_address),
            task_queue=queue,
            workflows=WORKFLOWS if queue == IO else [],
            activities=[*ours, nothing],
            workflow_runner=sandbox(),
        ):
            await stopping.wait()
    sys.stdout.flush()
    os._exit(0)  # as the product's worker does: the engine's threads may abort at a slow exit


@asynccontextmanager
async def bare_workers(product: Product, queues: Sequence[str] = (IO, CPU)) -> AsyncIterator[None]:
    """Worker processes beside the product's own, on the same server."""
    environment = {**os.environ, **product.stack.environment, "DATABASE_OWNER_URL": ""}
    log = product.stack.files.logs / "bare-worker.log"
    processes = []
    try:
        with log.open("ab") as output:
            for queue in queues:
                command = tied_to_parent((sys.executable, "-m", "bench.bare_worker", queue), None)
                processes.append(
                    await asyncio.create_subprocess_exec(
                        *command, env=environment, stdout=output, stderr=output
                    )
                )
        await asyncio.gather(*(_until_polled(product, queue) for queue in queues))
        yield
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        await asyncio.gather(*(process.wait() for process in processes))


async def _until_polled(product: Product, queue: str) -> None:
    request = DescribeTaskQueueRequest(
        namespace=product.temporal.namespace,
        task_queue=TaskQueue(name=queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    )
    async with asyncio.timeout(READY_TIMEOUT_S):
        while not (await product.temporal.workflow_service.describe_task_queue(request)).pollers:  # noqa: ASYNC110  # polling is all there is
            await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
