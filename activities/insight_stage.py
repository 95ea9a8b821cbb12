"""What memories of a subject have in common becomes an insight, or is proposed as one."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession

from activities.evolution_stages import Changed, Work, fates_of, nothing
from activities.insight_wording import InsightWording
from activities.language_models import RoutedLanguageModels
from perdure.db.evolution_changes import Change, EvolutionChanges, Retirement
from perdure.db.evolution_pages import EvolutionPages, StoredMemory
from perdure.db.evolution_proposals import EvolutionProposals
from perdure.db.evolution_runs import EvolutionRuns, StageState
from perdure.db.insight_writer import Draft, InsightWriter
from perdure.db.memory_writer import MemoryWriter
from perdure.db.models import SpaceRow
from perdure.db.session import Transaction
from perdure.domain.clusters import clusters
from perdure.domain.evolution import ChangeAction, EvolutionRules, Insights
from perdure.domain.insights import Source, insight
from perdure.domain.memories import MemoryKind, RetiredFor
from perdure.ports.models import Embedders, EmbeddingCall, Vectors

# Of one subject, at most so many memories are looked at: the newest.
_MOST = 1000
# Subjects with about so many memories make a page.
_PAGE_MEMORIES = 1000
_PAGE_SUBJECTS = 200
# What is counted of proposals beside the changes.
PROPOSED = "proposed"


@dataclass(frozen=True)
class _Found:
    """What can be drawn from the memories of one subject, and what was drawn before."""

    subject: str
    memories: Sequence[StoredMemory]
    earlier: Sequence[StoredMemory]
    drafts: Sequence[Draft]


class DeriveStage:
    """Clusters become insights that cite their memories; those whose memories have changed end."""

    def __init__(self, transaction: Transaction, embedders: Embedders, models: RoutedLanguageModels) -> None:
        self._transaction, self._embedders = transaction, embedders
        self._writer = InsightWording(models)

    async def look(self, state: StageState) -> Work:
        """The next subjects, with what can be drawn from the memories of each."""
        async with self._transaction(state.organisation_id) as session:
            rules = await EvolutionRuns(session, state.organisation_id).rules(state.space_id)
            subjects = await EvolutionPages(session).subjects(state, _PAGE_SUBJECTS)
            space = await session.get(SpaceRow, state.space_id)
        if not subjects or space is None or rules.insights is Insights.OFF:
            return Work(None, 0, nothing)
        found: list[_Found] = []
        examined = 0
        for subject, _ in subjects:
            found.append(await self._of(state, subject, rules))
            examined += len(found[-1].memories)
            if examined >= _PAGE_MEMORIES:
                break
        found = await self._worded(state, rules, found)
        vectors = await self._embedded(state, space.embedding_model, rules, found)

        async def write(session: AsyncSession) -> Changed:
            counts: Counter[str] = Counter()
            model = await MemoryWriter(session, state.organisation_id, state.space_id).space()
            if model is None or model.embedding_model != space.embedding_model:
                return Changed({})  # it changes its model just now: the next run sees it
            if not state.place and not state.dry_run:
                await EvolutionProposals(session, state.organisation_id).withdraw(state.space_id)
            for each in found:
                counts += await _Subject(session, state, rules, model).settle(each, vectors)
            return Changed(counts)

        return Work(f":{found[-1].subject}", examined, write)

    async def _of(self, state: StageState, subject: str, rules: EvolutionRules) -> _Found:
        async with self._transaction(state.organisation_id) as session:
            pages = EvolutionPages(session)
            memories = await pages.of_subject(state, subject, _MOST)
            earlier = await pages.insights(state, subject)
            bases = await pages.bases(memories)
            planned = await EvolutionChanges(session, state.organisation_id).planned(state)
        half_life = timedelta(days=rules.decay_half_life_days)
        fates = await asyncio.to_thread(fates_of, memories, state.at, bases, half_life)
        gone = planned | {memory_id for memory_id, each in fates.items() if each.is_gone}
        # What was drawn from a memory says nothing that it does not say itself.
        staying = [
            memory
            for memory in memories
            if memory.id not in gone and memory.vector is not None and not memory.rests_on
        ]
        drafts = await asyncio.to_thread(_drafts, subject, sorted(staying, key=lambda each: each.order))
        return _Found(subject, staying, earlier, drafts)

    async def _worded(
        self, state: StageState, rules: EvolutionRules, found: Sequence[_Found]
    ) -> list[_Found]:
        """The same, where a language model is configured with what it makes of the drafts that are new."""
        if state.dry_run or not await self._writer.configured(state.organisation_id):
            return list(found)
        async with self._transaction(state.organisation_id) as session:
            insights = InsightWriter(session, state.organisation_id)
            proposals = EvolutionProposals(session, state.organisation_id)
            known = {
                draft.identity
                for each in found
                for draft in each.drafts
                if await insights.knows(state.space_id, draft)
                or (rules.insights is Insights.PROPOSE and await proposals.knows(state.space_id, draft))
            }
        answers = True
        worded: list[_Found] = []
        for each in found:
            drafts: list[Draft] = []
            for draft in each.drafts:
                asked = answers and draft.identity not in known
                new = await self._writer.worded(state, draft, each.memories) if asked else draft
                answers = answers and new is not None
                drafts.append(new or draft)
            worded.append(replace(each, drafts=drafts))
        return worded

    async def _embedded(
        self, state: StageState, model: str, rules: EvolutionRules, found: Sequence[_Found]
    ) -> Mapping[str, Vectors]:
        """Vectors of what may be kept at once, by identity."""
        drafts = [draft for each in found for draft in each.drafts]
        if not drafts or state.dry_run or rules.insights is not Insights.APPLY:
            return {}
        async with self._transaction(state.organisation_id) as session:
            insights = InsightWriter(session, state.organisation_id)
            new = [draft for draft in drafts if not await insights.knows(state.space_id, draft)]
        if not new:
            return {}
        call = EmbeddingCall(state.organisation_id, "insight", state.operation_id, "evolve_memory")
        vectors = await self._embedders.embed(call, model, [draft.content for draft in new])
        return {draft.identity: vector for draft, vector in zip(new, vectors, strict=True)}


class _Subject:
    """Writes what was found of a subject."""

    def __init__(
        self, session: AsyncSession, state: StageState, rules: EvolutionRules, space: SpaceRow
    ) -> None:
        self._session, self._state, self._rules, self._space = session, state, rules, space
        self._insights = InsightWriter(session, state.organisation_id)
        self._changes = EvolutionChanges(session, state.organisation_id)

    async def settle(self, found: _Found, vectors: Mapping[str, Vectors]) -> Counter[str]:
        """Keep, propose or plan what is new, and end what it takes the place of, or what rests on nothing."""
        counts: Counter[str] = Counter()
        successors: dict[str, str] = {}
        for draft in found.drafts:
            cited = await self._insights.cited(draft.memory_ids)
            if len(cited) < len(draft.memory_ids):
                continue  # changed meanwhile: the next run sees it
            if self._rules.insights is Insights.PROPOSE:
                counts[PROPOSED] += await self._propose(draft)
            elif self._state.dry_run:
                counts[ChangeAction.DERIVED] += await self._plan(draft)
            elif draft.identity in vectors:
                made = await self._insights.write(self._state, self._space, draft, vectors[draft.identity])
                if made is not None:
                    counts[ChangeAction.DERIVED] += 1
                    successors |= dict.fromkeys(draft.memory_ids, made)
        return counts + await self._end(found, successors)

    async def _propose(self, draft: Draft) -> int:
        if await self._insights.knows(self._state.space_id, draft):
            return 0
        proposals = EvolutionProposals(self._session, self._state.organisation_id)
        if self._state.dry_run:
            return int(not await proposals.knows(self._state.space_id, draft))
        deadline = self._state.at + timedelta(days=self._rules.proposal_days)
        return int(await proposals.propose(self._state, draft, deadline))

    async def _plan(self, draft: Draft) -> int:
        if await self._insights.knows(self._state.space_id, draft):
            return 0
        first = draft.memory_ids[0]
        reason = f"with {len(draft.memory_ids) - 1} others"
        change = Change(first, 0, ChangeAction.DERIVED, reason)
        await self._changes.note(self._state, [(change, {}, {"memory_ids": list(draft.memory_ids)})])
        return 1

    async def _end(self, found: _Found, successors: Mapping[str, str]) -> Counter[str]:
        """End insights whose memories are not all current any more, or of which there is a newer one."""
        ended: list[Change] = []
        for earlier in found.earlier:
            rests_on = list(earlier.rests_on or ())
            cited = await self._insights.cited(rests_on)
            # A fact is no smaller insight.
            is_insight = earlier.kind == MemoryKind.INSIGHT
            successor = next(
                (successors[each] for each in rests_on if is_insight and each in successors), None
            )
            if successor is None and len(cited) == len(rests_on):
                continue
            reason = f"{successor} says more" if successor else "memories that it rests on have changed"
            retirement = Retirement(RetiredFor.OUTDATED, successor)
            ended.append(Change(earlier.id, earlier.version, ChangeAction.OUTDATED, reason, retirement))
        return await self._changes.apply(self._state, ended)


def _drafts(subject: str, memories: Sequence[StoredMemory]) -> list[Draft]:
    """What clusters of memories, in the order of time, have in common."""
    if not memories:
        return []
    vectors = np.stack([memory.vector for memory in memories if memory.vector is not None])
    found: list[Draft] = []
    for cluster in clusters(vectors):
        members = [memories[row] for row in cluster.rows]
        drawn = insight(
            [Source(each.id, each.content, each.valid_from, each.session_id or None) for each in members],
            subject,
        )
        if drawn is None:
            continue
        told = max(each.valid_from for each in members if each.id in drawn.memory_ids)
        found.append(Draft(subject, drawn.content, drawn.memory_ids, drawn.confidence, drawn.reason, told))
    return found
