"""Facts out of what was said, by the language model that the organisation has configured; evidence stays as it is."""

from temporalio import activity

from activities.failures import failures, may_pass
from activities.language_models import ModelCall, RoutedLanguageModels
from perdure.db.fact_writer import Evidence, FactWriter
from perdure.db.models import SpaceRow
from perdure.db.session import Transaction
from perdure.db.vector_index import VectorIndex
from perdure.domain import fact_extraction
from perdure.domain.memories import embedded_text
from perdure.errors import NotFoundError, PerdureError
from perdure.ports.language_models import Prompt, Turn
from perdure.ports.models import Embedders, EmbeddingCall
from perdure.schemas.memories import ExtractedFacts, FactJob

_MAX_TOKENS = 4_000
_KIND, _PURPOSE = "remember", "extract"


class FactActivities:
    """Side effects of extraction. They only add, and what was said is in memory before they begin."""

    def __init__(
        self,
        transaction: Transaction,
        embedders: Embedders,
        models: RoutedLanguageModels,
        vector_index: VectorIndex,
    ) -> None:
        self._transaction, self._embedders, self._models = transaction, embedders, models
        self._vector_index = vector_index

    @activity.defn
    async def extract_facts(self, job: FactJob) -> ExtractedFacts:
        """Draw facts from some of what a request has said. A second run finds them, and asks nobody."""
        with failures():
            async with self._transaction(job.organisation_id) as session:
                writer = FactWriter(session, job.organisation_id, job.space_id, job.operation_id)
                found = await writer.evidence(job.after, fact_extraction.PAGE_MESSAGES + 1)
                told = fact_extraction.page([each.told for each in found])
                drawn = await writer.drawn([each.id for each in told])
            if not told:
                return ExtractedFacts(after=None)
            place = told[-1].id if len(told) < len(found) else None
            if drawn:
                return ExtractedFacts(count=drawn, after=place)
            try:
                count = await self._extract(job, found[: len(told)])
            except PerdureError as error:
                if may_pass(error):
                    raise
                # What was said is remembered, whoever does not answer.
                return ExtractedFacts(missing=str(error))
            return ExtractedFacts(count=count, after=place)

    async def _extract(self, job: FactJob, evidence: list[Evidence]) -> int:
        told, subject = [each.told for each in evidence], evidence[0].subject
        answered = await self._models.generate(
            ModelCall(job.organisation_id, job.operation_id, _KIND, _PURPOSE, schema_required=True),
            Prompt(
                [Turn("user", fact_extraction.question(told, subject))],
                system=fact_extraction.SYSTEM,
                schema=fact_extraction.SCHEMA,
                max_tokens=_MAX_TOKENS,
                temperature=0.0,
            ),
        )
        facts = fact_extraction.facts(answered.generation.value, told, subject)
        added: int | None = None
        while facts and added is None:
            async with self._transaction(job.organisation_id) as session:
                space = await session.get(SpaceRow, job.space_id)
            if space is None:
                raise NotFoundError(f"the space of operation {job.operation_id} was deleted")
            call = EmbeddingCall(job.organisation_id, _PURPOSE, job.operation_id, _KIND)
            texts = [embedded_text(None, fact.statement) for fact in facts]
            vectors = await self._embedders.embed(call, space.embedding_model, texts)
            async with self._transaction(job.organisation_id) as session:
                writer = FactWriter(session, job.organisation_id, job.space_id, job.operation_id)
                added = await writer.write(facts, vectors, evidence, space.embedding_model)
                outgrown = await self._vector_index.outgrown(session, [job.space_id])
            await self._vector_index.admit(job.organisation_id, outgrown)
        return added or 0
