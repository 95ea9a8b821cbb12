"""Memories that may answer a question, and what their scores are made of; the caller owns the transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import repeat
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Executable,
    Select,
    and_,
    bindparam,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from perdure.db.arrays import any_of
from perdure.db.candidates import (
    CANDIDATES,
    REMEMBERED,
    WordCandidates,
    by_words,
    holding,
    nearest,
    one_by_one,
    rarest,
    stored,
    words_of,
)
from perdure.db.models import MemoryEmbeddingRow, MemoryRow
from perdure.db.statements import FixedStatement, Statements
from perdure.domain.memories import RetiredFor
from perdure.domain.relevance import QueryWord
from perdure.domain.text_search import Mentions, configuration
from perdure.ports.models import EmbeddingModel

# Turns on each side of a candidate that are looked at with it.
AROUND = 2
# Names of a space that a question is searched for.
_PEOPLE = 2_000
_TRUE_BEFORE = (RetiredFor.SUPERSEDED.value, RetiredFor.ARCHIVED.value)
# Few memories are retired or have expired: so many times as many as are wanted leave enough that are not.
_SPARE = 4
# Fewer than so many, and it is looked again among all.
_ENOUGH = CANDIDATES // 2
_NOTHING_SAID: Mapping[str, int] = {}

_SPACE = FixedStatement(
    f"""
    SELECT s.id, s.embedding_model, s.embedding_dimension, s.memory_count, s.sampled_memory_count,
        ARRAY(SELECT p.name FROM memory_people p WHERE p.space_id = s.id ORDER BY p.name LIMIT {_PEOPLE}) AS people,
        EXISTS (
            SELECT FROM memories m
            WHERE m.space_id = s.id AND m.retired_at IS NULL AND (m.expires_at IS NULL OR m.expires_at > now())
        ) AS has_current,
        {stored(REMEMBERED)}
    FROM spaces s WHERE s.name = :name
    """
)
# A turn stands in its thread by time, and of the same time by arrival. Row comparisons read the index in order.
_AROUND = """
    SELECT {side}.id FROM memories {side}
    WHERE {side}.space_id = s.space_id AND {side}.subject = s.subject AND {side}.session_id = s.session_id
        AND {side}.retired_at IS NULL AND ({side}.expires_at IS NULL OR {side}.expires_at > now())
        AND ({side}.valid_to IS NULL OR {side}.valid_to > now())
        AND ({side}.valid_from, {side}.sequence, {side}.ordinal, {side}.piece)
            {sign} (s.valid_from, s.sequence, s.ordinal, s.piece)
    ORDER BY {side}.valid_from {order}, {side}.sequence {order}, {side}.ordinal {order}, {side}.piece {order}
    LIMIT :around
"""
# A column is an array: to read a thousand rows takes as long as to find them. Vectors are looked up in the order of
# their index, a literal is read once for all rows, and who reads the answer counts the words: each for speed.
_SCORED = FixedStatement(
    f"""
    WITH run AS MATERIALIZED (
        SELECT s.id,
            ARRAY({_AROUND.format(side="b", sign="<", order="DESC")}) AS before,
            ARRAY({_AROUND.format(side="a", sign=">", order="ASC")}) AS after
        FROM memories s
        WHERE s.id = ANY(CAST(:widened AS text[])) AND (s.subject <> '' OR s.session_id <> '')
    ), wanted AS MATERIALIZED (
        SELECT ARRAY(
            SELECT unnest(CAST(:memories AS text[])) UNION SELECT unnest(r.before || r.after) FROM run r
        ) AS ids
    ), likeness AS MATERIALIZED (
        SELECT e.memory_id, 1 - (e.embedding <=> (SELECT CAST(:vector AS halfvec))) AS cosine
        FROM memory_embeddings e
        WHERE e.memory_id = ANY(CAST((SELECT w.ids FROM wanted w) AS text[])) AND e.model = :model
    )
    SELECT (SELECT array_agg(array_to_string(r.before, ' ')) FROM run r), (SELECT array_agg(r.id) FROM run r),
           (SELECT array_agg(array_to_string(r.after, ' ')) FROM run r),
           array_agg(m.id), array_agg(m.content), array_agg(m.subject), array_agg(m.speaker),
           array_agg(m.session_id), array_agg(m.valid_from), array_agg(m.importance), array_agg(m.ordinal),
           array_agg(CASE WHEN m.tsv @@ (SELECT CAST(:any_word AS tsquery)) THEN m.tsv::text END),
           array_agg(likeness.cosine)
    FROM memories m LEFT JOIN likeness ON likeness.memory_id = m.id
    WHERE m.id = ANY(CAST((SELECT w.ids FROM wanted w) AS text[])) AND m.space_id = :space
    """
)
_FOUND = "memories m WHERE m.id = ANY(CAST(:memories AS text[]))"
_SHOWN_ONLY = FixedStatement(f"SELECT m.id, m.kind, m.external_id, m.source, m.valid_to FROM {_FOUND}")
_SHOWN_AND_COUNTED = FixedStatement(
    f"""
    WITH found AS MATERIALIZED (
        SELECT m.id, m.organisation_id, m.kind, m.external_id, m.source, m.valid_to FROM {_FOUND}
    ), counted AS (
        INSERT INTO memory_accesses (memory_id, organisation_id)
        SELECT f.id, f.organisation_id FROM found f ORDER BY f.id
        ON CONFLICT (memory_id) DO UPDATE
        SET accesses = memory_accesses.accesses + 1, last_accessed_at = now()
    )
    SELECT f.id, f.kind, f.external_id, f.source, f.valid_to FROM found f
    """
)
_LOG = text(
    """
    INSERT INTO memory_recalls
        (id, organisation_id, space_id, session_id, actor_id, query, mode, outcome, hits, took_ms)
    VALUES (:id, :organisation, :space, :session, :actor, :query, :mode, :outcome, :hits, :took_ms)
    """
).bindparams(bindparam("hits", type_=JSONB))


@dataclass(frozen=True, slots=True)
class RecallSpace:
    """What recall needs to know of a space."""

    id: str
    model: str
    dimension: int
    memories: int
    sampled: int
    people: Sequence[str]
    """Speakers and subjects, as far as a question can be searched for them."""
    has_current: bool
    in_vector_index: bool
    texts_of_all: float
    vectors_of_all: float


@dataclass(frozen=True)
class RecallScope:
    """Which memories may answer; `few` of them are looked at one by one."""

    space: RecallSpace
    condition: ColumnElement[bool]
    subject: str | None
    memories: int
    few: bool
    narrowed: bool = False
    """Whether other than all current memories may answer: what stands beside one that may need not."""


class FoundMemory(NamedTuple):
    """A memory as the score needs it."""

    id: str
    content: str
    subject: str
    speaker: str | None
    session_id: str
    valid_from: datetime
    importance: float
    ordinal: int
    mentions: Mapping[str, int]
    cosine: float | None

    @property
    def thread(self) -> str | None:
        """The conversation that it stands in."""
        return f"{self.subject}\x1f{self.session_id}" if self.subject or self.session_id else None


@dataclass(frozen=True, slots=True)
class ScoredMemories:
    """What was found and what stands beside it."""

    memories: Sequence[FoundMemory]
    runs: Sequence[Sequence[str]]
    """Pieces of conversations around the best, in order."""


@dataclass(frozen=True, slots=True)
class ShownMemory:
    """What an answer says of a memory besides."""

    kind: str
    external_id: str | None
    source: Mapping[str, Any]
    valid_to: datetime | None


def visible(as_of: datetime | None, known_at: datetime | None) -> ColumnElement[bool]:
    """Which memories there are, from the point of view of a time in the world and a time of knowing."""
    conditions: list[ColumnElement[bool]] = []
    if known_at is not None:
        conditions += [
            MemoryRow.recorded_at <= known_at,
            or_(MemoryRow.retired_at.is_(None), MemoryRow.retired_at > known_at),
        ]
    elif as_of is not None:
        # What was superseded, or put away unasked for, was true before; what was corrected never was.
        conditions.append(or_(MemoryRow.retired_at.is_(None), MemoryRow.retired_for.in_(_TRUE_BEFORE)))
    else:
        conditions += [
            MemoryRow.retired_at.is_(None),
            or_(MemoryRow.valid_to.is_(None), MemoryRow.valid_to > func.now()),
        ]
    now = known_at or func.now()
    conditions.append(or_(MemoryRow.expires_at.is_(None), MemoryRow.expires_at > now))
    if as_of is not None:
        conditions += [
            MemoryRow.valid_from <= as_of,
            or_(MemoryRow.valid_to.is_(None), MemoryRow.valid_to > as_of),
        ]
    return and_(*conditions)


# Of the usual question, whatever space it is about.
CURRENT = visible(None, None)


@cache
def _nearest_current(dimension: int, *, exact: bool) -> FixedStatement:
    """Looks up only those few that are near: to join all would mean to look all up."""
    near = nearest(REMEMBERED, dimension, exact=exact, limit=CANDIDATES * (_SPARE if exact else 1)).subquery()
    return FixedStatement(
        select(near.c.memory_id)
        .join(MemoryRow, MemoryRow.id == near.c.memory_id)
        .where(CURRENT)
        .order_by(near.c.distance)
        .limit(literal_column(str(CANDIDATES)))
    )


@cache
def _holding_current(of_best: int | None) -> FixedStatement:
    return FixedStatement(holding(REMEMBERED, CURRENT, of_best))


class RecallRepository:
    """Reads of one recall, as one organisation."""

    def __init__(self, statements: Statements, organisation_id: str, exact_below: int) -> None:
        self._statements, self._organisation_id = statements, organisation_id
        self._exact_below = exact_below

    async def space(self, name: str) -> RecallSpace | None:
        """A space by name."""
        rows = await self._statements.rows(_SPACE, {"name": name})
        return RecallSpace(*rows[0]) if rows else None

    async def scope(
        self, space: RecallSpace, condition: ColumnElement[bool], subject: str | None
    ) -> RecallScope | None:
        """What may answer; None when nothing may. A condition other than `CURRENT` may ask for more, or for less."""
        narrowed = subject is not None or condition is not CURRENT
        if subject is not None:
            condition = and_(MemoryRow.subject == subject, condition)
        if narrowed:
            conditions = (MemoryRow.space_id == space.id, condition)
            counted = select(literal(1)).where(*conditions).limit(self._exact_below + 1).subquery()
            ((memories,),) = await self._statements.rows(select(func.count()).select_from(counted), {})
        else:
            memories = space.memories if space.has_current else 0
        if not memories:
            return None
        few = narrowed and memories <= self._exact_below
        return RecallScope(
            space=space,
            condition=condition,
            subject=subject,
            memories=memories if few else space.memories,
            few=few or one_by_one(space.memories, space.texts_of_all, self._exact_below),
            narrowed=narrowed,
        )

    async def by_vector(self, scope: RecallScope, model: EmbeddingModel, vector: str) -> Sequence[str]:
        """The nearest memories, at most `CANDIDATES`; `vector` is a literal. Set `TUNING` before."""
        space, dimension = scope.space, int(model.dimension)
        values = {"spaces": [space.id], "model": model.name, "vector": vector}
        exact = (
            not space.in_vector_index
            or (scope.narrowed and scope.memories <= self._exact_below)
            or one_by_one(space.memories, space.vectors_of_all, self._exact_below)
        )
        if not scope.narrowed:
            found = await self._ids(_nearest_current(dimension, exact=exact), values)
            if len(found) >= _ENOUGH or (exact and space.memories <= _SPARE * CANDIDATES):
                return found
        elif not exact:
            found = await self._ids(self._nearest(scope, dimension, exact=False), values)
            if len(found) >= CANDIDATES:
                return found
        # Few memories, or so few of them visible that what is near had to be looked through.
        return await self._ids(self._nearest(scope, dimension, exact=True), values)

    @staticmethod
    def _nearest(scope: RecallScope, dimension: int, *, exact: bool) -> Select[str, float]:
        return (
            nearest(REMEMBERED, dimension, exact=exact)
            .join(MemoryRow, MemoryRow.id == MemoryEmbeddingRow.memory_id)
            .where(scope.condition)
        )

    async def words(self, scope: RecallScope, query: str) -> list[QueryWord]:
        """The words of a query as they are stemmed; counts come from the statistics."""
        return await words_of(
            self._statements, REMEMBERED, query, [scope.space.id], [configuration(None)], scope.memories
        )

    async def by_words(self, scope: RecallScope, query_words: Sequence[QueryWord]) -> WordCandidates:
        """The memories that hold the rarest words, at most `CANDIDATES`; counts words while it looks for them."""
        sought = rarest(query_words, scope.memories, sampled=scope.space.sampled > 0)
        values = {
            "spaces": [scope.space.id],
            "narrowed_to": scope.subject,
            "few": scope.few,
            "all_texts": scope.memories,
        }
        if scope.narrowed:
            statement = holding(REMEMBERED, scope.condition)
            return await by_words(self._statements, statement, query_words, sought, values)
        found = await by_words(
            self._statements, _holding_current(_SPARE * CANDIDATES), query_words, sought, values
        )
        holders = sum(word.chunks for word in found.words if word.word in {each.word for each in sought})
        if len(found.ids) < _ENOUGH and holders > _SPARE * CANDIDATES:
            return await by_words(self._statements, _holding_current(None), query_words, sought, values)
        return found

    async def scored(
        self,
        scope: RecallScope,
        found: Sequence[str],
        query_words: Sequence[QueryWord],
        vector: str | None,
        widened: int = 0,
    ) -> ScoredMemories:
        """All that scores need of what was found, and of the turns around the first `widened` of it."""
        sought = Mentions(lexeme for word in query_words for lexeme in word.word.lexemes)
        ((before, at, after, *columns, mentions, cosines),) = await self._statements.rows(
            _SCORED,
            {
                "space": scope.space.id,
                "memories": list(found),
                "widened": list(found[:widened]),
                "around": AROUND,
                # Most of what stands beside a candidate holds none of them, and is not taken apart.
                "any_word": sought.tsquery,
                "model": scope.space.model,
                "vector": vector,
            },
        )
        if not cosines:
            return ScoredMemories((), ())
        said = [sought.counted(tsvector) if tsvector else _NOTHING_SAID for tsvector in mentions]
        rows = zip(*columns, said, cosines, strict=True)
        # As `FoundMemory._make`, without a call of Python's for each.
        memories: list[FoundMemory] = list(map(tuple.__new__, repeat(FoundMemory), rows))
        runs = [
            [*reversed(earlier.split()), memory_id, *later.split()]
            for earlier, memory_id, later in zip(before or (), at or (), after or (), strict=True)
        ]
        if scope.narrowed and runs:  # what stands beside a candidate need not be what was asked for
            beside = {memory.id for memory in memories} - set(found)
            hidden = beside - await self._visible_of(scope, sorted(beside))
            memories = [memory for memory in memories if memory.id not in hidden]
        return ScoredMemories(memories, runs)

    async def shown(self, memory_ids: Sequence[str], *, counted: bool) -> dict[str, ShownMemory]:
        """What an answer says of memories, and that they were recalled; one that is gone by now is missing."""
        statement = _SHOWN_AND_COUNTED if counted else _SHOWN_ONLY
        rows = await self._statements.rows(statement, {"memories": list(memory_ids)})
        return {memory_id: ShownMemory(*rest) for memory_id, *rest in rows}

    async def log(self, values: Mapping[str, Any]) -> None:
        """Keep a question of a session and its hits."""
        await self._statements.rows(_LOG, {"organisation": self._organisation_id, **values})

    async def _visible_of(self, scope: RecallScope, memory_ids: Sequence[str]) -> set[str]:
        """Those of some memories that may answer."""
        statement = select(MemoryRow.id).where(MemoryRow.id == any_of(memory_ids), scope.condition)
        return set(await self._ids(statement, {}))

    async def _ids(
        self, statement: FixedStatement | Executable, values: Mapping[str, object]
    ) -> Sequence[str]:
        """The first column."""
        return [row[0] for row in await self._statements.rows(statement, values)]
