"""Answers a question to memory: candidates by vector and by word, what stands beside them, one ranking."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
from sqlalchemy import ColumnElement

from perdure.db.candidates import TUNING
from perdure.db.filter_sql import MEMORIES, compiled
from perdure.db.recall_repository import (
    CURRENT,
    FoundMemory,
    RecallRepository,
    RecallScope,
    RecallSpace,
    ScoredMemories,
    ShownMemory,
    visible,
)
from perdure.db.related_memories import related_memories
from perdure.db.search_service import DEFAULT_SPACE, Asked, Question
from perdure.db.session import QuickTransaction
from perdure.db.statements import Statements
from perdure.domain.filters import MEMORY_FIELDS, parse_filters
from perdure.domain.ids import new_id
from perdure.domain.memories import MemoryKind
from perdure.domain.recall_query import RecallQuery, analyse
from perdure.domain.recall_ranking import (
    RankedMemory,
    RecallCandidates,
    RecallMode,
    mention_matrix,
    rank,
)
from perdure.domain.relevance import QueryWord, is_relevant
from perdure.errors import NotFoundError
from perdure.ports.models import Embedders
from perdure.schemas.memories import (
    MemorySource,
    RecallAnswer,
    RecallHit,
    RecallOutcome,
    RecallRequest,
    RelatedMemory,
)
from perdure.schemas.search import ScoreTerm
from perdure.settings import Settings

# A question has an answer when a memory is at least so close to it, holds so much of what its words tell, or is of
# somebody whom it names. Without these, all find something: every question has a nearest memory. Seen with MiniLM:
# what has nothing to do with a question is at 0.05 to 0.12, the turn that answers it mostly above 0.3.
_CLOSE = 0.2
# Candidates of each way whose neighbours are looked at: an answer seldom stands beside a worse one.
_WIDENED = 50
# Between the positions of turns of which it is not known how many stand between them: further apart than a turn
# can be that says what another is about.
_GAP = 4


@dataclass(frozen=True)
class _Gathered:
    """What storage found."""

    memories: Sequence[FoundMemory]
    words: Sequence[QueryWord]
    runs: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class _Call:
    """A question as it came in; without an actor, what is found does not count as recalled."""

    organisation_id: str
    request: RecallRequest
    actor_id: str | None
    started: float


@dataclass(frozen=True, slots=True)
class _Held:
    """The words of a question, counted while they were looked for, and what holds them.

    Without `scored`, the scores of what was found wait for the question's vector.
    """

    words: Sequence[QueryWord] = ()
    found: Sequence[str] = ()
    scored: ScoredMemories | None = None


@dataclass(frozen=True, slots=True)
class _Near:
    """What was found by vector; without a vector, `notice` may say why."""

    scored: ScoredMemories | None = None
    notice: str | None = None


@dataclass(frozen=True, slots=True)
class _Sought:
    """A question, and what was found for it in both ways; without a `scope`, nothing may answer it."""

    space: RecallSpace
    query: RecallQuery
    scope: RecallScope | None = None
    held: _Held = _Held()
    near: _Near = _Near()


class RecallService:
    """Recalls memories of an organisation."""

    def __init__(self, transaction: QuickTransaction, embedders: Embedders, settings: Settings) -> None:
        self._transaction, self._embedders = transaction, embedders
        self._exact_below = settings.exact_search_below

    async def recall(self, organisation_id: str, actor_id: str, request: RecallRequest) -> RecallAnswer:
        """The best memories. NotFoundError names a space that does not exist, unless it is the default one."""
        return await self._find(organisation_id, request, actor_id)

    async def matches(self, organisation_id: str, request: RecallRequest) -> list[str]:
        """Ids of what would be recalled, which does not count as recalling it."""
        return [item.id for item in (await self._find(organisation_id, request, None)).items]

    async def _find(self, organisation_id: str, request: RecallRequest, actor_id: str | None) -> RecallAnswer:
        call = _Call(organisation_id, request, actor_id, time.perf_counter())
        sought = await self._sought(call)
        if sought is None:
            return RecallAnswer(items=[], outcome=RecallOutcome.NOTHING_STORED, took_ms=_since(call.started))
        if isinstance(sought, RecallAnswer):
            return sought
        async with self._transaction(organisation_id, durable=False) as statements:
            return await self._answer(statements, call, sought)

    async def _answer(self, statements: Statements, call: _Call, sought: _Sought) -> RecallAnswer:
        """What was recalled is counted with the reading: one transaction costs less than two."""
        repository = self._repository(statements, call)
        request, scope, counted = call.request, sought.scope, call.actor_id is not None
        outcome, items = RecallOutcome.NOTHING_STORED, list[RecallHit]()
        if scope is not None:
            gathered = _gathered(sought)
            best = _ranked(gathered, sought.query, scope.memories, request)
            chosen = [(item, gathered.memories[item.row]) for item in best]
            ids = [memory.id for _, memory in chosen]
            related = await related_memories(statements, ids) if request.graph and ids else {}
            items = await _hits(repository, chosen, related, counted=counted)
            outcome = RecallOutcome.FOUND if items else RecallOutcome.NOTHING_RELEVANT
        answer = RecallAnswer(
            items=items, outcome=outcome, took_ms=_since(call.started), notice=sought.near.notice
        )
        if call.actor_id is not None and request.session_id is not None:
            await repository.log(_log(call.actor_id, sought.space, request.session_id, request, answer))
        return answer

    def _repository(self, statements: Statements, call: _Call) -> RecallRepository:
        return RecallRepository(statements, call.organisation_id, self._exact_below)

    async def _sought(self, call: _Call) -> _Sought | RecallAnswer | None:
        """What both ways find, each in a transaction that waits for no other, so a full pool cannot lock up.

        The answer to it, where the way that ended last could give it.
        """
        organisation_id, request, mode = call.organisation_id, call.request, call.request.mode
        condition = _condition(request)
        ended: asyncio.Future[_Held] = asyncio.get_running_loop().create_future()
        asked: Asked | None = None
        by_vector: asyncio.Task[_Near | RecallAnswer] | None = None
        try:
            async with self._transaction(organisation_id) as statements:
                repository = self._repository(statements, call)
                space = await _space(repository, request.space)
                people = space.people if space else ()
                query = analyse(request.query, people, request.known_at or datetime.now(UTC))
                if space is None:
                    return None
                asked = Asked(self._embedders, organisation_id, _embedded(query, mode))
                if mode is not RecallMode.KEYWORD:
                    asked.begin(space.model)
                scope = await repository.scope(space, condition, request.subject)
                sought = _Sought(space, query, scope)
                if scope is None:
                    return sought
                words: Sequence[QueryWord] = ()
                if mode is not RecallMode.DENSE:
                    words = await repository.words(scope, query.meaning)
                if mode is not RecallMode.KEYWORD:
                    by_vector = asyncio.create_task(self._by_vector(call, sought, scope, asked, words, ended))
                held = await _by_words(repository, scope, asked, words, mode)
                if held.scored is not None or not held.found:
                    ended.set_result(held)
            if not ended.done():
                # Beside the way by vector, which begins as late.
                question, _ = await _question(asked, call, scope)
                vector = question.vector if question else None
                async with self._transaction(organisation_id) as statements:
                    repository = self._repository(statements, call)
                    scored = await _scored(repository, scope, held.found, held.words, vector, mode)
                held = replace(held, scored=scored)
                ended.set_result(held)
            near = await by_vector if by_vector is not None else _Near()
        finally:
            if by_vector is not None:
                by_vector.cancel()
                await asyncio.gather(by_vector, return_exceptions=True)
            if asked is not None:
                await asked.aclose()
        return near if isinstance(near, RecallAnswer) else replace(sought, held=held, near=near)

    async def _by_vector(
        self,
        call: _Call,
        sought: _Sought,
        scope: RecallScope,
        asked: Asked,
        words: Sequence[QueryWord],
        ended: asyncio.Future[_Held],
    ) -> _Near | RecallAnswer:
        question, notice = await _question(asked, call, scope)
        if question is None:
            return _Near(notice=notice)
        async with self._transaction(call.organisation_id, durable=False, settings=TUNING) as statements:
            repository, mode = self._repository(statements, call), call.request.mode
            ids = await repository.by_vector(scope, question.model, question.vector)
            scored = await _scored(repository, scope, ids, words, question.vector, mode) if ids else None
            near = _Near(scored)
            if not ended.done():
                return near
            return await self._answer(statements, call, replace(sought, held=ended.result(), near=near))


async def _question(asked: Asked, call: _Call, scope: RecallScope) -> tuple[Question | None, str | None]:
    """The question's vector, or why there is none.

    What is found to be forgotten must not depend on who answers just now, and by meaning alone there is nothing else:
    then the vector is needed.
    """
    model = scope.space.model
    needed = call.actor_id is None or call.request.mode is RecallMode.DENSE
    questions, notice = await asked.under_each([model], needed=needed)
    return questions.get(model), notice


async def _by_words(
    repository: RecallRepository,
    scope: RecallScope,
    asked: Asked,
    words: Sequence[QueryWord],
    mode: RecallMode,
) -> _Held:
    """What holds the words, with its scores where these need no vector, or one that is there."""
    if not words:
        return _Held()
    found = await repository.by_words(scope, words)
    question = asked.embedded_under(scope.space.model)
    if not found.ids or (question is None and mode is not RecallMode.KEYWORD):
        return _Held(found.words, found.ids)  # no connection waits for a provider
    vector = question.vector if question else None
    scored = await _scored(repository, scope, found.ids, found.words, vector, mode)
    return _Held(found.words, found.ids, scored)


async def _scored(
    repository: RecallRepository,
    scope: RecallScope,
    found: Sequence[str],
    words: Sequence[QueryWord],
    vector: str | None,
    mode: RecallMode,
) -> ScoredMemories:
    """What was found, with what stands beside the best of it."""
    return await repository.scored(scope, found, words, vector, _WIDENED if mode is RecallMode.HYBRID else 0)


def _condition(request: RecallRequest) -> ColumnElement[bool]:
    filters = parse_filters(request.filters, fields=MEMORY_FIELDS)
    if filters is None and request.as_of is None and request.known_at is None:
        return CURRENT
    condition = visible(request.as_of, request.known_at)
    return condition if filters is None else condition & compiled(filters, MEMORIES)


async def _space(repository: RecallRepository, name: str) -> RecallSpace | None:
    space = await repository.space(name)
    if space is None and name != DEFAULT_SPACE:
        msg = f"There is no space '{name}'. Spaces are made when something is first posted to them."
        raise NotFoundError(msg)
    return space


def _gathered(sought: _Sought) -> _Gathered:
    """What was found and what stands beside it."""
    memories: dict[str, FoundMemory] = {}
    runs: list[Sequence[str]] = []
    for scored in (sought.near.scored, sought.held.scored):
        if scored is not None:
            memories.update((memory.id, memory) for memory in scored.memories)
            runs += scored.runs
    return _Gathered(list(memories.values()), sought.held.words, runs)


def _ranked(
    gathered: _Gathered, query: RecallQuery, memories: int, request: RecallRequest
) -> list[RankedMemory]:
    if not _is_relevant(gathered, query, memories):
        return []
    ranked = rank(
        query,
        gathered.words,
        memories,
        _candidates(gathered),
        request.limit,
        request.mode,
        explain=request.explain,
    )
    return [item for item in ranked if item.score >= request.min_score and item.score > 0]


async def _hits(
    repository: RecallRepository,
    best: Sequence[tuple[RankedMemory, FoundMemory]],
    related: Mapping[str, list[RelatedMemory]],
    *,
    counted: bool,
) -> list[RecallHit]:
    if not best:
        return []
    shown = await repository.shown([memory.id for _, memory in best], counted=counted)
    return [
        _hit(item, memory, shown[memory.id], related.get(memory.id, []))
        for item, memory in best
        if memory.id in shown
    ]


def _log(
    actor_id: str, space: RecallSpace, session_id: str, request: RecallRequest, answer: RecallAnswer
) -> dict[str, object]:
    """What a session keeps of a question."""
    return {
        "id": new_id("rcl"),
        "space": space.id,
        "session": session_id,
        "actor": actor_id,
        "query": request.query,
        "mode": request.mode.value,
        "outcome": answer.outcome.value,
        "hits": {"items": [{"id": item.id, "score": item.score} for item in answer.items]},
        "took_ms": answer.took_ms,
    }


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)


def _embedded(query: RecallQuery, mode: RecallMode) -> str:
    """What is embedded; those ways that are there to compare with take the question as it is."""
    return query.embedded if mode is RecallMode.HYBRID else query.meaning


def _is_relevant(gathered: _Gathered, query: RecallQuery, memories: int) -> bool:
    """Whether anything that was found has to do with the question."""
    if any(memory.cosine is not None and memory.cosine >= _CLOSE for memory in gathered.memories):
        return True
    if any({memory.speaker, memory.subject} & set(query.people) for memory in gathered.memories):
        return True
    return is_relevant(gathered.words, memories, (memory.mentions for memory in gathered.memories))


def _candidates(gathered: _Gathered) -> RecallCandidates:
    memories = gathered.memories
    # By column: to look at each of a thousand rows a dozen times takes longer than to rank them.
    ids, texts, subjects, speakers, _, said_at, importance, _, mentions, cosines = zip(*memories, strict=True)
    return RecallCandidates(
        ids=ids,
        texts=texts,
        cosine=np.array(cosines, dtype=np.float64),  # None becomes NaN
        mentions=mention_matrix(gathered.words, mentions),
        sessions=[memory.thread for memory in memories],
        positions=np.array(positions(memories, gathered.runs), dtype=np.int64),
        speakers=speakers,
        said_at=said_at,
        subjects=[subject or None for subject in subjects],
        importance=np.array(importance),
    )


def positions(memories: Sequence[FoundMemory], runs: Sequence[Sequence[str]]) -> list[int]:
    """Numbers by which turns of a conversation that follow each other differ by one, and others by more.

    Runs are pieces of conversations, in order; where two overlap they are one. Of what was told in one request the
    distance is known, too. Runs that were read at different moments may contradict each other: the first is believed.
    """
    following: dict[str, str] = {}
    preceding: dict[str, str] = {}
    for run in runs:
        for before, after in pairwise(run):
            if before not in following and after not in preceding:
                following[before], preceding[after] = after, before
    ids = [memory.id for memory in memories]
    ordinals = {memory.id: memory.ordinal for memory in memories}
    at: dict[str, int] = {}
    ends: dict[str | None, int] = {}
    for _, _, memory_id, place in sorted(
        (memory.valid_from, memory.ordinal, memory.id, place) for place, memory in enumerate(memories)
    ):
        if memory_id in at:
            continue
        turn: str | None = memory_id
        # What was put into another order between two runs may lead back to where it began.
        while (earlier := preceding.get(turn or "")) is not None and earlier != memory_id:
            turn = earlier
        thread = memories[place].thread
        position = max(ends.get(thread, 0), ordinals.get(turn or "", 0))
        while turn is not None and turn not in at:
            at[turn] = position
            position += 1
            turn = following.get(turn)
        ends[thread] = position + _GAP
    return [at[memory_id] for memory_id in ids]


def _hit(
    item: RankedMemory, memory: FoundMemory, shown: ShownMemory, related: list[RelatedMemory]
) -> RecallHit:
    return RecallHit(
        id=memory.id,
        content=memory.content,
        kind=MemoryKind(shown.kind),
        subject=memory.subject or None,
        speaker=memory.speaker,
        external_id=shown.external_id,
        session_id=memory.session_id or None,
        score=item.score,
        terms=[ScoreTerm.of(term) for term in item.terms],
        source=MemorySource.model_validate(shown.source),
        valid_from=memory.valid_from,
        valid_to=shown.valid_to,
        related=related,
    )
