"""Insights in a language model's words. Whatever goes wrong, they stay what stands in the memories, word for word."""

from collections.abc import Sequence
from dataclasses import replace

import structlog
from temporalio.exceptions import ApplicationError

from activities.language_models import ModelCall, RoutedLanguageModels
from perdure.db.evolution_pages import StoredMemory
from perdure.db.evolution_runs import StageState
from perdure.db.insight_writer import Draft
from perdure.domain import insight_wording
from perdure.domain.insights import Source
from perdure.errors import PerdureError
from perdure.ports.language_models import Prompt, Turn

logger = structlog.get_logger()

_MAX_TOKENS = 800
_KIND, _PURPOSE = "evolve_memory", "insight"


class InsightWording:
    """Asks for the words of a draft. What it rests on, and so what it is known by, stays."""

    def __init__(self, models: RoutedLanguageModels) -> None:
        self._models = models

    async def configured(self, organisation_id: str) -> bool:
        """Whether there is a language model to ask."""
        return await self._models.configured(organisation_id)

    async def worded(self, state: StageState, draft: Draft, memories: Sequence[StoredMemory]) -> Draft | None:
        """The draft in sentences that cite what it rests on and are supported by it, else as it is.

        None when nobody answers: it is not worth asking for the next one.
        """
        by_id = {memory.id: memory for memory in memories}
        notes = [
            Source(each.id, each.content, each.valid_from)
            for each in map(by_id.get, draft.memory_ids)
            if each
        ]
        call = ModelCall(state.organisation_id, state.operation_id, _KIND, _PURPOSE, schema_required=True)
        prompt = Prompt(
            [Turn("user", insight_wording.question(notes, draft.subject))],
            system=insight_wording.SYSTEM,
            schema=insight_wording.SCHEMA,
            max_tokens=_MAX_TOKENS,
            temperature=0.0,
        )
        try:
            answered = await self._models.generate(call, prompt)
        except (PerdureError, ApplicationError) as error:
            logger.warning("insight_not_worded", error=str(error))
            return None
        found = insight_wording.wording(answered.generation.value, notes, draft.subject)
        if found is None:
            return draft
        sentences = "sentence" if found.dropped == 1 else "sentences"
        dropped = f", {found.dropped} unsupported {sentences} dropped" if found.dropped else ""
        reason = f"{draft.reason}; worded by {answered.provider}/{answered.model}{dropped}"
        return replace(draft, content=found.text, reason=reason)
