"""Answers a search: both parts at once, one ranking, the best passages."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from perdure.db.candidates import TUNING
from perdure.db.filter_sql import compiled
from perdure.db.search_repository import Passage, Scope, SearchedSpace, SearchRepository, vector_literal
from perdure.db.session import QuickTransaction
from perdure.domain.filters import Filter, parse_filters
from perdure.domain.highlighting import highlight
from perdure.domain.ranking import Candidate, Ranked, Ranking
from perdure.domain.ranking_weights import CONTEXT_WEIGHT, MEANING_WEIGHT, WORDS_WEIGHT
from perdure.domain.relevance import QueryWord
from perdure.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    ProviderError,
    ProviderUnavailableError,
    QuotaExceededError,
)
from perdure.ports.models import Embedders, EmbeddingCall, EmbeddingModel
from perdure.schemas.search import Highlight, ScoreTerm, SearchAnswer, SearchHit, SearchMode, SearchRequest
from perdure.settings import Settings

DEFAULT_SPACE = "default"
# The embedding model reads no further anyway, and PostgreSQL need not.
_EMBEDDED_CHARACTERS = 4_000
# A provider that takes longer is not waited for: there are words to search by.
_PATIENCE = timedelta(seconds=5)
# Why a query has no vector though its model is known: no key, no answer, nothing left to spend.
NOT_EMBEDDED = (ProviderError, ProviderUnavailableError, QuotaExceededError)


@dataclass(frozen=True)
class _Found:
    """What one part of a search offers."""

    chunk_ids: Sequence[str] = ()
    words: Sequence[QueryWord] = ()


@dataclass(frozen=True)
class Question:
    """A query's vector under one of the models that serve the spaces asked."""

    model: EmbeddingModel
    vector: str


class Asked:
    """A query, and its vectors under the models that have been asked for."""

    def __init__(self, embedders: Embedders, organisation_id: str, query: str) -> None:
        self.query = query
        self._embedders = embedders
        self._call = EmbeddingCall(organisation_id, "query", patience=_PATIENCE)
        self._vectors: dict[str, asyncio.Task[Question]] = {}

    def begin(self, model: str) -> None:
        """Start to embed; a fault shows in `under`."""
        if model not in self._vectors:
            self._vectors[model] = asyncio.create_task(self._embed(model))

    async def under(self, model: str) -> Question:
        """The vector under a model. ConflictError when this server does not have the model; see `NOT_EMBEDDED`."""
        self.begin(model)
        return await self._vectors[model]

    def embedded_under(self, model: str) -> Question | None:
        """The vector under a model, when it is there already."""
        task = self._vectors.get(model)
        ready = task is not None and task.done() and not task.cancelled() and task.exception() is None
        return task.result() if task is not None and ready else None

    async def under_each(
        self, models: Iterable[str], *, needed: bool
    ) -> tuple[dict[str, Question], str | None]:
        """The vectors under some models, and, unless they are `needed`, why there is none under one of them."""
        found: dict[str, Question] = {}
        notice: str | None = None
        for model in models:
            try:
                found[model] = await self.under(model)
            except NOT_EMBEDDED as error:
                if needed:
                    raise
                notice = (
                    f"Found by words alone, because the query could not be embedded with {model}: {error}"
                )
        return found, notice

    async def aclose(self) -> None:
        """Wait for what nobody asked for in the end."""
        await asyncio.gather(*self._vectors.values(), return_exceptions=True)

    async def _embed(self, model: str) -> Question:
        try:
            identity = self._embedders.named(model)
        except InvalidInputError as error:
            msg = (
                f"The space is served by the embedding model '{model}', which this server does not have. "
                "Re-embed the space (POST /api/v1/spaces/{name}/reembed), or search with mode 'keyword'."
            )
            raise ConflictError(msg) from error
        vectors = await self._embedders.embed(self._call, model, [self.query[:_EMBEDDED_CHARACTERS]])
        return Question(identity, vector_literal(vectors[0]))


class SearchService:
    """Searches the documents of an organisation."""

    def __init__(self, transaction: QuickTransaction, embedders: Embedders, settings: Settings) -> None:
        self._transaction, self._embedders = transaction, embedders
        self._exact_below = settings.exact_search_below

    async def search(self, organisation_id: str, request: SearchRequest) -> SearchAnswer:
        """The best passages. NotFoundError names a space that does not exist, unless it is the default one."""
        started = time.perf_counter()
        filters = parse_filters(request.filters)
        query = request.query.replace("\0", " ")
        # Nearly every space is served by the default model: its vector is there when the scope is known.
        asked = Asked(self._embedders, organisation_id, query)
        if request.mode is not SearchMode.KEYWORD:
            asked.begin(self._embedders.default.name)
        try:
            scope = await self._scope(organisation_id, request.space_names, filters)
            items: list[SearchHit] = []
            notice: str | None = None
            if scope is not None:
                items, notice = await self._items(organisation_id, scope, asked, request)
        finally:
            await asked.aclose()
        took_ms = round((time.perf_counter() - started) * 1000, 2)
        return SearchAnswer(items=items, took_ms=took_ms, notice=notice)

    async def _scope(
        self, organisation_id: str, names: Sequence[str], filters: Filter | None
    ) -> Scope | None:
        """Where to look; None when there is nothing to be found."""
        async with self._transaction(organisation_id) as statements:
            repository = SearchRepository(statements, self._exact_below)
            found = await repository.spaces(names)
            for name in names:
                if name not in found and name != DEFAULT_SPACE:
                    msg = f"There is no space '{name}'. Spaces are made when a first document is posted to them."
                    raise NotFoundError(msg)
            spaces = [space for space in found.values() if space.chunk_count]
            if not spaces:
                return None
            scope = await repository.scope(spaces, compiled(filters) if filters else None)
            return scope if scope.chunk_count else None

    async def _items(
        self, organisation_id: str, scope: Scope, asked: Asked, request: SearchRequest
    ) -> tuple[list[SearchHit], str | None]:
        mode, query = request.mode, asked.query
        # Each part has a transaction of its own and waits for no other, so a full pool cannot lock up.
        by_vector, by_words = await asyncio.gather(
            self._by_vector(organisation_id, scope, asked, mode),
            self._by_words(organisation_id, scope, query, mode),
        )
        questions, near, notice = by_vector
        if notice is not None and not questions:
            mode = SearchMode.KEYWORD
        chunk_ids = list(dict.fromkeys((*near, *by_words.chunk_ids)))
        if not chunk_ids:
            return [], notice
        ranking = Ranking(
            words=by_words.words,
            chunks=scope.chunk_count,
            mean_tokens=scope.mean_tokens,
            meaning=0.0 if mode is SearchMode.KEYWORD else MEANING_WEIGHT,
            by_words=0.0 if mode is SearchMode.VECTOR else WORDS_WEIGHT,
            context=CONTEXT_WEIGHT if mode is SearchMode.HYBRID else 0.0,
        )
        candidates: list[Candidate] = []
        async with self._transaction(organisation_id) as statements:
            repository = SearchRepository(statements, self._exact_below)
            for model, spaces in _by_model(scope.spaces).items():
                question = questions.get(model)
                candidates += await repository.candidates(
                    spaces,
                    chunk_ids,
                    by_words.words,
                    question.model if question else None,
                    question.vector if question else None,
                )
            ranked = ranking.rank(candidates, request.limit)
            best = [item for item in ranked if item.score >= request.min_score and item.score > 0]
            passages = await repository.passages([item.candidate.chunk_id for item in best])
        hits = [
            _hit(item, passages[item.candidate.chunk_id], query, request)
            for item in best
            if item.candidate.chunk_id in passages  # else deleted a moment ago
        ]
        return hits, notice

    async def _by_vector(
        self, organisation_id: str, scope: Scope, asked: Asked, mode: SearchMode
    ) -> tuple[dict[str, Question], list[str], str | None]:
        if mode is SearchMode.KEYWORD:
            return {}, [], None
        models = _by_model(scope.spaces)
        questions, notice = await asked.under_each(models, needed=mode is SearchMode.VECTOR)
        near: list[str] = []
        async with self._transaction(organisation_id, settings=TUNING) as statements:
            repository = SearchRepository(statements, self._exact_below)
            for question in questions.values():
                near += await repository.by_vector(scope, question.model, question.vector)
        return questions, near, notice

    async def _by_words(self, organisation_id: str, scope: Scope, query: str, mode: SearchMode) -> _Found:
        if mode is SearchMode.VECTOR:
            return _Found()
        async with self._transaction(organisation_id) as statements:
            repository = SearchRepository(statements, self._exact_below)
            found = await repository.by_words(scope, await repository.words(scope, query))
            return _Found(found.ids, found.words)


def _by_model(spaces: Sequence[SearchedSpace]) -> dict[str, list[SearchedSpace]]:
    grouped: dict[str, list[SearchedSpace]] = {}
    for space in spaces:
        grouped.setdefault(space.model, []).append(space)
    return grouped


def _hit(item: Ranked, passage: Passage, query: str, request: SearchRequest) -> SearchHit:
    return SearchHit(
        chunk_id=passage.chunk_id,
        document_id=passage.document_id,
        document_title=passage.document_title,
        text=passage.text,
        score=item.score,
        terms=[ScoreTerm.of(term) for term in item.terms] if request.explain else [],
        heading_path=passage.heading_path,
        page=passage.page,
        start=passage.start,
        end=passage.end,
        highlights=_highlights(passage.text, query) if request.highlight else None,
    )


def _highlights(text: str, query: str) -> list[Highlight]:
    marks, position = [], 0
    for piece in highlight(text, query):
        end = position + len(piece.text)
        if piece.marked:
            marks.append(Highlight(start=position, end=end))
        position = end
    return marks
