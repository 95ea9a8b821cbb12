"""Into memory and out of it again."""

import asyncio
from typing import Any

from temporalio import activity
from temporalio.client import Client
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)

from activities.failures import failures
from activities.language_models import RoutedLanguageModels
from activities.starting import ORGANISATION, TASK_TIMEOUT
from perdure.db.forgetting import Forgetting
from perdure.db.memory_requests import MemoryRequests
from perdure.db.memory_writer import MemoryWriter
from perdure.db.models import SpaceRow
from perdure.db.session import Transaction
from perdure.db.vector_index import VectorIndex
from perdure.domain.memories import embedded_text, pieces
from perdure.errors import NotFoundError
from perdure.ports.models import Embedders, EmbeddingCall, Tokenizer
from perdure.schemas.memories import (
    ForgetResult,
    MemoryJob,
    PreparedMemories,
    WriteJob,
    WriteMemoriesInput,
    WriteRequest,
    WrittenMemories,
)

# By name, because activities import no workflows.
WRITER, WRITER_SIGNAL = "WriteMemories", "write"


def writer_id(space_id: str, subject_key: str) -> str:
    """Workflow id of the one writer of a subject of a space."""
    return f"memories.{space_id}.{subject_key}"


class MemoryActivities:
    """Side effects of remembering that need the database only. Each is safe to run twice."""

    def __init__(self, transaction: Transaction, vector_index: VectorIndex) -> None:
        self._transaction, self._vector_index = transaction, vector_index

    @activity.defn
    async def hand_over(self, job: MemoryJob) -> None:
        """Tell the subject's writer, which is started when it does not run. Told twice, it finds the work done."""
        client: Client = activity.client()
        request = WriteRequest(operation_id=job.operation_id, workflow_id=job.workflow_id)
        await client.start_workflow(
            WRITER,
            WriteMemoriesInput(organisation_id=job.organisation_id, space_id=job.space_id),
            id=writer_id(job.space_id, job.subject_key),
            task_queue=activity.info().task_queue,
            task_timeout=TASK_TIMEOUT,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal=WRITER_SIGNAL,
            start_signal_args=[request],
            search_attributes=TypedSearchAttributes([SearchAttributePair(ORGANISATION, job.organisation_id)]),
            static_summary="Write the memories of a subject, one request after the other",
        )

    @activity.defn
    async def write_memories(self, job: WriteJob) -> WrittenMemories:
        """Write requests in one transaction. A second run finds their outcomes and changes nothing."""
        with failures():
            async with self._transaction(job.organisation_id) as session:
                writer = MemoryWriter(session, job.organisation_id, job.space_id)
                outcomes = await writer.write(job.operation_ids)
                outgrown = await self._vector_index.outgrown(session, [job.space_id])
            await self._vector_index.admit(job.organisation_id, outgrown)
            return WrittenMemories(outcomes=outcomes)

    @activity.defn
    async def forget_memories(self, job: MemoryJob) -> ForgetResult:
        """Forget in one transaction. A second run finds the receipt."""
        with failures():
            async with self._transaction(job.organisation_id) as session:
                forgetting = Forgetting(session, job.organisation_id, job.space_id)
                receipt = await forgetting.forget(job.operation_id)
            if receipt is None:
                raise NotFoundError(
                    f"nothing is known any more of what operation {job.operation_id} was to forget"
                )
            return receipt


class MemoryTextActivities:
    """What takes a model. Each is safe to run twice."""

    def __init__(
        self,
        transaction: Transaction,
        embedders: Embedders,
        tokenizer: Tokenizer,
        max_tokens: int,
        models: RoutedLanguageModels,
    ) -> None:
        self._transaction, self._embedders, self._models = transaction, embedders, models
        self._tokenizer, self._max_tokens = tokenizer, max_tokens

    @activity.defn
    async def prepare_memories(self, job: MemoryJob) -> PreparedMemories:
        """Cut a request into memories and embed them for its space. A second run computes the same again."""
        with failures():
            async with self._transaction(job.organisation_id) as session:
                row = await MemoryRequests(session, job.organisation_id).get(job.operation_id)
                space = await session.get(SpaceRow, job.space_id)
            if row is None or space is None:
                raise NotFoundError(f"the space of operation {job.operation_id} was deleted")
            if row.outcome is not None or row.body is None:
                # Written for a run that died before it heard of it.
                return PreparedMemories(count=0, extracts=await self._models.configured(job.organisation_id))
            model = self._embedders.named(space.embedding_model)
            body = await asyncio.to_thread(self._cut, row.body)
            texts = [
                embedded_text(body["turns"][piece["turn"]]["speaker"], piece["text"])
                for piece in body["pieces"]
            ]
            call = EmbeddingCall(job.organisation_id, "remember", job.operation_id, "remember")
            # Whether facts are to be drawn afterwards is found out meanwhile.
            vectors, extracts = await asyncio.gather(
                self._embedders.embed(call, model.name, texts), self._models.configured(job.organisation_id)
            )
            async with self._transaction(job.organisation_id) as session:
                requests = MemoryRequests(session, job.organisation_id)
                await requests.prepare(job.operation_id, body, vectors, model)
            return PreparedMemories(count=len(texts), extracts=extracts)

    def _cut(self, body: dict[str, Any]) -> dict[str, Any]:
        """The request with the pieces of its turns in place of their texts."""
        if "pieces" in body:
            return body
        found = [
            {
                "turn": number,
                "text": each.text,
                "start": each.start,
                "end": each.end,
                "tokens": each.token_count,
            }
            for number, turn in enumerate(body["turns"])
            for each in pieces(turn["content"], self._tokenizer, self._max_tokens)
        ]
        turns = [{**turn, "content": None} for turn in body["turns"]]
        return {**body, "turns": turns, "pieces": found}
