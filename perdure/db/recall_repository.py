"""Memories that may answer a question, and what their scores are made of; the caller owns the transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    Double,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.models import MemoryEmbeddingRow, MemoryPersonRow, MemoryRow
from perdure.db.search_repository import CANDIDATES, WORD_HITS, WordCandidates, rarest, settled
from perdure.domain.memories import RetiredFor
from perdure.domain.relevance import QueryWord
from perdure.domain.text_search import configuration, searchable, words
from perdure.ports.models import EmbeddingModel

# Turns on each side of a candidate that are looked at with it.
AROUND = 3
# Names of a space that a question is searched for.
_PEOPLE = 2_000

_TEXTS = ARRAY(Text)
_HNSW = "(memory_embeddings.embedding::halfvec({0})) <=> CAST(:vector AS halfvec({0}))"
_EXACT = "memory_embeddings.embedding <=> CAST(:vector AS halfvec)"
_SPACE = text(
    """
    SELECT id, embedding_model, embedding_dimension, memory_count, sampled_memory_count
    FROM spaces WHERE name = :name
    """
)
_LEXEMES = text(
    """
    SELECT u.lexeme, u.positions, (
        SELECT f.frequency * :memories FROM memory_lexemes f
        WHERE f.space_id = CAST(:space AS text) AND f.lexeme = u.lexeme
    ) AS memories
    FROM unnest(to_tsvector(CAST(:configuration AS regconfig), :query)) AS u
    """
)
# A turn stands in its thread by time, and of the same time by arrival. Row comparisons read the index in order.
_AROUND = """
    SELECT {side}.id FROM memories {side}
    WHERE {side}.space_id = s.space_id AND {side}.subject = s.subject AND {side}.session_id = s.session_id
        AND {side}.retired_at IS NULL AND ({side}.expires_at IS NULL OR {side}.expires_at > now())
        AND ({side}.valid_from, {side}.sequence, {side}.ordinal, {side}.piece)
            {sign} (s.valid_from, s.sequence, s.ordinal, s.piece)
    ORDER BY {side}.valid_from {order}, {side}.sequence {order}, {side}.ordinal {order}, {side}.piece {order}
    LIMIT :around
"""
_NEIGHBOURS = text(
    f"""
    SELECT s.id,
        ARRAY({_AROUND.format(side="b", sign="<", order="DESC")}) AS before,
        ARRAY({_AROUND.format(side="a", sign=">", order="ASC")}) AS after
    FROM memories s
    WHERE s.id = ANY(CAST(:memories AS text[])) AND (s.subject <> '' OR s.session_id <> '')
    """
)
_SCORES = text(
    """
    SELECT m.id, m.content, m.kind, m.subject, m.speaker, m.external_id, m.session_id, m.source, m.valid_from,
           m.valid_to, m.importance, m.ordinal, l.lexemes, l.mentions,
           1 - (e.embedding <=> CAST(:vector AS halfvec)) AS cosine
    FROM memories m
    LEFT JOIN memory_embeddings e ON e.memory_id = m.id AND e.model = :model
    LEFT JOIN LATERAL (
        SELECT array_agg(u.lexeme) AS lexemes, array_agg(cardinality(u.positions)) AS mentions
        FROM unnest(m.tsv) AS u WHERE u.lexeme = ANY(CAST(:lexemes AS text[]))
    ) l ON true
    WHERE m.id = ANY(CAST(:memories AS text[])) AND m.space_id = :space
    """
)
_LOG = text(
    """
    INSERT INTO memory_recalls
        (id, organisation_id, space_id, session_id, actor_id, query, mode, outcome, hits, took_ms)
    VALUES (:id, :organisation, :space, :session, :actor, :query, :mode, :outcome, :hits, :took_ms)
    """
).bindparams(bindparam("hits", type_=JSONB))
_ACCESS = text(
    """
    INSERT INTO memory_accesses (memory_id, organisation_id)
    SELECT m.id, m.organisation_id FROM memories m WHERE m.id = ANY(CAST(:memories AS text[])) ORDER BY m.id
    ON CONFLICT (memory_id) DO UPDATE
    SET accesses = memory_accesses.accesses + 1, last_accessed_at = now()
    """
)


@dataclass(frozen=True, slots=True)
class RecallSpace:
    """What recall needs to know of a space."""

    id: str
    model: str
    dimension: int
    memories: int
    sampled: int


@dataclass(frozen=True)
class RecallScope:
    """Which memories may answer; `few` of them are looked at one by one."""

    space: RecallSpace
    condition: ColumnElement[bool]
    subject: str | None
    memories: int
    few: bool
    narrowed: bool = False
    """Whether less, or more, than all current memories may answer."""


@dataclass(frozen=True, slots=True)
class FoundMemory:
    """A memory as the score needs it and the answer shows it."""

    id: str
    content: str
    kind: str
    subject: str
    speaker: str | None
    external_id: str | None
    session_id: str
    source: Mapping[str, Any]
    valid_from: datetime
    valid_to: datetime | None
    importance: float
    ordinal: int
    mentions: Mapping[str, int]
    cosine: float | None

    @property
    def thread(self) -> str | None:
        """The conversation that it stands in."""
        return f"{self.subject}\x1f{self.session_id}" if self.subject or self.session_id else None


def visible(as_of: datetime | None, known_at: datetime | None) -> ColumnElement[bool]:
    """Which memories there are, from the point of view of a time in the world and a time of knowing."""
    conditions: list[ColumnElement[bool]] = []
    if known_at is not None:
        conditions += [
            MemoryRow.recorded_at <= known_at,
            or_(MemoryRow.retired_at.is_(None), MemoryRow.retired_at > known_at),
        ]
    elif as_of is not None:
        # What was superseded was true before; what was corrected never was.
        superseded = MemoryRow.retired_for == RetiredFor.SUPERSEDED.value
        conditions.append(or_(MemoryRow.retired_at.is_(None), superseded))
    else:
        conditions.append(MemoryRow.retired_at.is_(None))
    now = known_at or func.now()
    conditions.append(or_(MemoryRow.expires_at.is_(None), MemoryRow.expires_at > now))
    if as_of is not None:
        conditions += [
            MemoryRow.valid_from <= as_of,
            or_(MemoryRow.valid_to.is_(None), MemoryRow.valid_to > as_of),
        ]
    return and_(*conditions)


@cache
def _nearest(dimension: int, *, exact: bool) -> Select[str]:
    """A constant stands for the dimension, because the planner must see that the partial index fits."""
    distance = _EXACT if exact else _HNSW.format(dimension)
    return (
        select(MemoryEmbeddingRow.memory_id)
        .join(MemoryRow, MemoryRow.id == MemoryEmbeddingRow.memory_id)
        .where(
            MemoryEmbeddingRow.space_id == bindparam("space"),
            MemoryEmbeddingRow.model == bindparam("model"),
            MemoryEmbeddingRow.dimension == literal_column(str(dimension)),
        )
        .order_by(text(distance))
        .limit(CANDIDATES)
    )


class RecallRepository:
    """Reads of one recall, as one organisation."""

    def __init__(self, session: AsyncSession, organisation_id: str, exact_below: int) -> None:
        self._session, self._organisation_id = session, organisation_id
        self._exact_below = exact_below

    async def space(self, name: str) -> RecallSpace | None:
        """A space by name."""
        row = (await self._session.execute(_SPACE, {"name": name})).one_or_none()
        return None if row is None else RecallSpace(*row)

    async def people(self, space: RecallSpace) -> list[str]:
        """Speakers and subjects of the space, as far as a question can be searched for them."""
        statement = (
            select(MemoryPersonRow.name)
            .where(MemoryPersonRow.space_id == space.id)
            .order_by(MemoryPersonRow.name)
            .limit(_PEOPLE)
        )
        return list(await self._session.scalars(statement))

    async def scope(
        self, space: RecallSpace, condition: ColumnElement[bool], subject: str | None, *, narrowed: bool
    ) -> RecallScope | None:
        """What may answer; None when nothing may. `narrowed` when more than current memories are asked for."""
        conditions = [MemoryRow.space_id == space.id, condition]
        if subject is not None:
            conditions.append(MemoryRow.subject == subject)
        memories = space.memories
        if narrowed or subject is not None:
            counted = select(literal(1)).where(*conditions).limit(self._exact_below + 1).subquery()
            memories = (await self._session.execute(select(func.count()).select_from(counted))).scalar_one()
        else:
            first = select(MemoryRow.id).where(*conditions).limit(1)
            memories = memories if (await self._session.execute(first)).first() is not None else 0
        if not memories:
            return None
        return RecallScope(
            space=space,
            condition=and_(*conditions),
            subject=subject,
            memories=memories if memories <= self._exact_below else space.memories,
            few=memories <= self._exact_below,
            narrowed=narrowed,
        )

    async def by_vector(self, scope: RecallScope, model: EmbeddingModel, vector: str) -> Sequence[str]:
        """The nearest memories, at most `CANDIDATES`; `vector` is a literal. Set `TUNING` before."""
        values = {"space": scope.space.id, "model": model.name, "vector": vector}
        if not scope.few:
            statement = _nearest(int(model.dimension), exact=False).where(scope.condition)
            found = (await self._session.scalars(statement, values)).all()
            if len(found) >= CANDIDATES:
                return found
        # Few memories, or a condition so narrow that the index gave up before it had found enough.
        statement = _nearest(int(model.dimension), exact=True).where(scope.condition)
        return (await self._session.scalars(statement, values)).all()

    async def words(self, scope: RecallScope, query: str) -> list[QueryWord]:
        """The words of a query as they are stemmed; counts come from the statistics."""
        rows = await self._session.execute(
            _LEXEMES,
            {
                "space": scope.space.id,
                "memories": scope.space.memories,
                "configuration": configuration(None),
                "query": searchable(query),
            },
        )
        found = [(lexeme, positions, memories or 0.0) for lexeme, positions, memories in rows]
        counts = {lexeme: memories for lexeme, _, memories in found}
        return [
            QueryWord(word, min(sum(counts[lexeme] for lexeme in word.lexemes), scope.memories))
            for word in words((lexeme, positions) for lexeme, positions, _ in found)
        ]

    async def by_words(self, scope: RecallScope, query_words: Sequence[QueryWord]) -> WordCandidates:
        """The memories that hold the rarest words, at most `CANDIDATES`; counts words while it looks for them."""
        sought = rarest(query_words, scope.memories, sampled=scope.space.sampled > 0)
        if not sought:
            return WordCandidates(query_words, ())
        values = {
            "spaces": [scope.space.id],
            "wanted_subject": scope.subject,
            "words": [word.word.tsquery for word in sought],
            "few": scope.few,
            "all_memories": scope.memories,
        }
        row = (await self._session.execute(_by_words(scope.condition), values)).one()
        counted: dict[str, int] = row[0] or {}
        by_word = {word.word: float(counted.get(str(at), 0)) for at, word in enumerate(sought, start=1)}
        return WordCandidates(
            [QueryWord(w.word, settled(w.chunks, by_word.get(w.word))) for w in query_words], row[1] or ()
        )

    async def neighbours(self, memory_ids: Sequence[str]) -> list[list[str]]:
        """Of each memory in a conversation, the turns around it and itself, in order."""
        rows = await self._session.execute(_NEIGHBOURS, {"memories": list(memory_ids), "around": AROUND})
        return [[*reversed(row.before), row.id, *row.after] for row in rows]

    async def found(
        self,
        scope: RecallScope,
        memory_ids: Sequence[str],
        query_words: Sequence[QueryWord],
        vector: str | None,
    ) -> list[FoundMemory]:
        """All that scores and answers need of these memories."""
        rows = await self._session.execute(
            _SCORES,
            {
                "space": scope.space.id,
                "memories": list(memory_ids),
                "lexemes": sorted({lexeme for word in query_words for lexeme in word.word.lexemes}),
                "model": scope.space.model,
                "vector": vector,
            },
        )
        return [
            FoundMemory(
                id=row.id,
                content=row.content,
                kind=row.kind,
                subject=row.subject,
                speaker=row.speaker,
                external_id=row.external_id,
                session_id=row.session_id,
                source=row.source,
                valid_from=row.valid_from,
                valid_to=row.valid_to,
                importance=row.importance,
                ordinal=row.ordinal,
                mentions=dict(zip(row.lexemes or (), row.mentions or (), strict=True)),
                cosine=row.cosine,
            )
            for row in rows
        ]

    async def visible_of(self, scope: RecallScope, memory_ids: Sequence[str]) -> set[str]:
        """Those of some memories that may answer: what stands beside a candidate need not."""
        statement = select(MemoryRow.id).where(
            MemoryRow.id == any_(cast(list(memory_ids), _TEXTS)), scope.condition
        )
        return set(await self._session.scalars(statement))

    async def note(self, memory_ids: Sequence[str], log: Mapping[str, Any] | None) -> None:
        """Count what was recalled; in a session, keep the question and its hits."""
        if memory_ids:
            await self._session.execute(_ACCESS, {"memories": list(memory_ids)})
        if log is not None:
            await self._session.execute(_LOG, {"organisation": self._organisation_id, **log})


def _by_words(condition: ColumnElement[bool]) -> Select[dict[str, int], list[str]]:
    hits = (
        func.find_memories_by_words(
            bindparam("spaces", type_=_TEXTS),
            bindparam("wanted_subject", type_=Text),
            bindparam("words", type_=_TEXTS),
            bindparam("few", type_=Boolean),
            WORD_HITS,
        )
        .table_valued("memory_id", "word", "token_count")
        .alias("hit")
    )
    found = select(hits.c.memory_id, hits.c.word, hits.c.token_count).cte("found")
    counts = select(found.c.word, func.count().label("memories")).group_by(found.c.word).cte("counts")
    all_memories = bindparam("all_memories", type_=Double)
    rarity = func.sum(
        func.ln(1 + (all_memories + 0.5) / (cast(counts.c.memories, Double) + 0.5), type_=Double)
    )
    ranked = (
        select(found.c.memory_id, found.c.token_count, rarity.label("rarity"))
        .join(counts, counts.c.word == found.c.word)
        .group_by(found.c.memory_id, found.c.token_count)
        .cte("ranked")
    )
    chosen = (
        select(ranked.c.memory_id)
        .join(MemoryRow, MemoryRow.id == ranked.c.memory_id)
        .where(condition)
        .order_by(ranked.c.rarity.desc(), ranked.c.token_count, ranked.c.memory_id)
        .limit(CANDIDATES)
        .subquery()
    )
    return select(
        select(func.json_object_agg(counts.c.word, counts.c.memories)).scalar_subquery(),
        select(func.array_agg(chosen.c.memory_id)).scalar_subquery(),
    )
