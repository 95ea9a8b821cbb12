"""New vectors for a space."""

from temporalio import activity

from activities.failures import failures
from perdure.db.candidates import PASSAGES
from perdure.db.planner_statistics import refresh_planner_statistics
from perdure.db.reembedding_repository import KINDS, ReembeddingRepository
from perdure.db.session import Transaction
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
                total = sum([await embeddings.count(kind) for kind in KINDS])
                for kind in KINDS:
                    missing = await embeddings.missing(kind, model.name, PAGE_CHUNKS)
                    if missing:
                        break
            if missing:
                vectors = await self._embedders.embed(call, model.name, [each.text for each in missing])
                async with self._transaction(job.organisation_id) as session:
                    embeddings = ReembeddingRepository(session, job.organisation_id, job.space_id)
                    await embeddings.add(kind, [each.id for each in missing], vectors, model)
                await refresh_planner_statistics(self._transaction)
            return ReembedPage(count=len(missing), total=total)

    @activity.defn
    async def switch_model(self, job: ReembedJob) -> ReembedSpaceResult | None:
        """Serve the new vectors if they are complete, else None. A second run switches to what is served."""
        with failures():
            model = self._embedders.named(job.model)
            async with self._transaction(job.organisation_id) as session:
                embeddings = ReembeddingRepository(session, job.organisation_id, job.space_id)
                if await embeddings.space(lock=True) is None:
                    raise NotFoundError(f"space {job.space_id} was deleted")
                for kind in KINDS:
                    if await embeddings.missing(kind, model.name, 1):
                        return None
                await embeddings.switch(model)
                return ReembedSpaceResult(model=model.name, chunk_count=await embeddings.count(PASSAGES))
