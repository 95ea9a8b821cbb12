"""New vectors for a space."""

from temporalio import activity

from activities.failures import failures
from perdure.db.reembedding_repository import ReembeddingRepository
from perdure.db.session import Transaction
from perdure.domain.chunking import contextual_text
from perdure.domain.memories import embedded_text
from perdure.errors import NotFoundError
from perdure.ports.models import Embedders, EmbeddingCall
from perdure.schemas.documents import ReembedJob, ReembedPage, ReembedSpaceResult

PAGE_CHUNKS = 256


class ReembeddingActivities:
    """Side effects of re-embedding. Each is safe to run twice: only what is missing is computed."""

    def __init__(self, transaction: Transaction, embedders: Embedders) -> None:
        self._transaction, self._embedders = transaction, embedders

    @activity.defn
    async def embed_missing(self, job: ReembedJob) -> ReembedPage:
        """Embed up to 256 chunks, or when all have one up to 256 memories, that have no vector of the model."""
        with failures():
            model = self._embedders.named(job.model)
            call = EmbeddingCall(job.organisation_id, "reembed", job.operation_id, "reembed_space")
            async with self._transaction(job.organisation_id) as session:
                embeddings = ReembeddingRepository(session, job.organisation_id, job.space_id)
                chunks = await embeddings.missing(model.name, PAGE_CHUNKS)
                total = await embeddings.count() + await embeddings.count_memories()
                memories = [] if chunks else await embeddings.missing_memories(model.name, PAGE_CHUNKS)
            if memories:
                texts = [embedded_text(memory.speaker, memory.content) for memory in memories]
                vectors = await self._embedders.embed(call, model.name, texts)
                async with self._transaction(job.organisation_id) as session:
                    embeddings = ReembeddingRepository(session, job.organisation_id, job.space_id)
                    ids = [memory.memory_id for memory in memories]
                    await embeddings.add_memories(ids, vectors, model)
                return ReembedPage(count=len(memories), total=total)
            if not chunks:
                return ReembedPage(count=0, total=total)
            texts = [contextual_text(chunk.title, chunk.heading_path, chunk.text) for chunk in chunks]
            vectors = await self._embedders.embed(call, model.name, texts)
            async with self._transaction(job.organisation_id) as session:
                embeddings = ReembeddingRepository(session, job.organisation_id, job.space_id)
                await embeddings.add([chunk.chunk_id for chunk in chunks], vectors, model)
            return ReembedPage(count=len(chunks), total=total)

    @activity.defn
    async def switch_model(self, job: ReembedJob) -> ReembedSpaceResult | None:
        """Serve the new vectors if they are complete, else None. A second run switches to what is served."""
        with failures():
            model = self._embedders.named(job.model)
            async with self._transaction(job.organisation_id) as session:
                embeddings = ReembeddingRepository(session, job.organisation_id, job.space_id)
                if await embeddings.space(lock=True) is None:
                    raise NotFoundError(f"space {job.space_id} was deleted")
                if await embeddings.missing(model.name, 1) or await embeddings.missing_memories(
                    model.name, 1
                ):
                    return None
                await embeddings.switch(model)
                return ReembedSpaceResult(model=model.name, chunk_count=await embeddings.count())
