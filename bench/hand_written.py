"""The same steps as a workflow that somebody wrote by hand. `python -m bench.hand_written` serves it.

Its activities are those of the product, run and recorded by the product's own workers.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio import workflow
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from activities.document_steps import DocumentTextStepActivities
    from bench.bare_worker import sandbox
    from bench.product import Product
    from perdure.embedded.processes import tied_to_parent
    from perdure.schemas.workflow_executions import StepJob
    from perdure.settings import Settings
    from workflows import policies
    from workflows.client import connect

QUEUE = "hand-written"
STEPS = 5


@workflow.defn
class HandWritten:
    """One activity after the other."""

    @workflow.run
    async def run(self, job: StepJob) -> int:
        found = 0
        for number in range(STEPS):
            step = job.model_copy(update={"step_id": f"s{number}"})
            output = await workflow.execute_activity_method(
                DocumentTextStepActivities.analyse_step, step, **policies.CPU
            )
            found += len(output.output)
        return found


async def serve() -> None:
    """Serve the queue until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    client = await connect(Settings())
    async with Worker(client, task_queue=QUEUE, workflows=[HandWritten], workflow_runner=sandbox()):
        await stopping.wait()
    sys.stdout.flush()
    os._exit(0)


@asynccontextmanager
async def hand_written(product: Product) -> AsyncIterator[None]:
    """A worker process for it, beside the product's own."""
    environment = {**os.environ, **product.stack.environment, "DATABASE_OWNER_URL": ""}
    log = product.stack.files.logs / "hand-written.log"
    with log.open("ab") as output:
        command = tied_to_parent((sys.executable, "-m", "bench.hand_written"), None)
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=output, stderr=output
        )
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


if __name__ == "__main__":
    asyncio.run(serve())
