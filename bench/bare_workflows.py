"""What somebody writes by hand on a bare Temporal: no base class, no operation, no record of steps."""

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel

    from activities.indexing import IndexActivities
    from activities.sources import SourceActivities
    from activities.texts import TextActivities
    from perdure.schemas.documents import DocumentJob, DocumentOutcome

IO, CPU = "bare-io", "bare-cpu"
STEPS = ("detect_document", "parse_document", "chunk_document", "embed_document", "index_document")

_OPTIONS: dict[str, Any] = {
    "start_to_close_timeout": timedelta(minutes=10),
    "retry_policy": RetryPolicy(initial_interval=timedelta(milliseconds=500)),
}


class TextJob(BaseModel):
    """A text as the payload of a raw start: the bytes that a POST carries."""

    text: str


@workflow.defn
class BareText:
    """As little as a workflow can do."""

    @workflow.run
    async def run(self, job: TextJob) -> int:
        return len(job.text)


@workflow.defn
class BareIngest:
    """The steps of `ingest_document`: the very same activities, one after the other."""

    @workflow.run
    async def run(self, document: DocumentJob) -> list[DocumentOutcome]:
        act = workflow.execute_activity_method
        await act(SourceActivities.detect_document, document, task_queue=IO, **_OPTIONS)
        await act(TextActivities.parse_document, document, task_queue=CPU, **_OPTIONS)
        unit = await act(TextActivities.chunk_document, document, task_queue=CPU, **_OPTIONS)
        await act(TextActivities.embed_document, unit, task_queue=CPU, **_OPTIONS)
        return await act(IndexActivities.index_document, unit, task_queue=IO, **_OPTIONS)


@workflow.defn
class BareNothing:
    """As many steps that do nothing: what the engine itself takes."""

    @workflow.run
    async def run(self, document: DocumentJob) -> None:
        for step in STEPS:
            await workflow.execute_activity("nothing", document, task_queue=_queue_of(step), **_OPTIONS)


@workflow.defn
class BareRequest:
    """Waits for a decision, and keeps it nowhere but in its history."""

    def __init__(self) -> None:
        self._decision = ""

    @workflow.update
    def decide(self, decision: str) -> str:
        """Decide."""
        self._decision = decision
        return decision

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: bool(self._decision))
        return self._decision


@workflow.defn
class BareAsking:
    """A request, then a step that does nothing, on another worker: what the engine takes from one to the other."""

    @workflow.run
    async def run(self, document: DocumentJob) -> str:
        decision = await workflow.execute_child_workflow(BareRequest.run, id=request_of(document))
        await workflow.execute_activity("nothing", document, task_queue=CPU, **_OPTIONS)
        return decision


def request_of(document: DocumentJob) -> str:
    """Id of the workflow that waits for the decision."""
    return f"request-{document.version_id}"


def _queue_of(step: str) -> str:
    return IO if step in {"detect_document", "index_document"} else CPU


WORKFLOWS = [BareText, BareIngest, BareNothing, BareRequest, BareAsking]
