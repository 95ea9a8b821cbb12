"""Profiles: which memories stand where, kept beside the memories themselves; the caller owns the transaction.

Entries hold no text. What was retired, is over or has expired is left out when a profile is read, and what is deleted
takes its entries along, so that a profile is never older than its memories.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import RowMapping, delete, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.arrays import any_of
from perdure.db.models import MemoryRow, ProfileEntryRow
from perdure.domain.profiles import (
    SHOWN_FACTS,
    SHOWN_PREFERENCES,
    SHOWN_RECENT,
    SHOWN_RELATIONS,
    Entry,
    Section,
    Statement,
    current,
    entries,
)
from perdure.schemas.profiles import ProfileRead, ProfileRelation, ProfileStatement, ProfileSummary

# Entries that are looked at for a section, the newest: several may tell of one attribute, some are retired, and what
# is shown above is not repeated.
_FACTS, _PREFERENCES = 3 * SHOWN_FACTS, 2 * SHOWN_PREFERENCES
_RECENT = SHOWN_FACTS + SHOWN_PREFERENCES + SHOWN_RECENT
_EDGES = 5 * SHOWN_RELATIONS
_CURRENT = """
    m.retired_at IS NULL AND (m.expires_at IS NULL OR m.expires_at > now())
    AND (m.valid_to IS NULL OR m.valid_to > now())
"""
_INSERT = text(
    """
    INSERT INTO profile_entries
        (memory_id, organisation_id, space_id, subject, section, attribute, version, valid_from)
    SELECT m.id, m.organisation_id, m.space_id, r.subject, r.section, r.attribute, m.version, m.valid_from
    FROM unnest(
        CAST(:ids AS text[]), CAST(:subjects AS text[]), CAST(:sections AS text[]), CAST(:attributes AS text[])
    ) AS r (id, subject, section, attribute)
    JOIN memories m ON m.id = r.id
    ON CONFLICT DO NOTHING
    """
)
# One read of a bounded number of rows, each by an index: entries of the sections, newest first, their memories, what
# those are connected with. OFFSET 0 keeps the planner, which knows nothing of fresh tables, from reading them whole.
_READ = text(
    f"""
    WITH found AS MATERIALIZED (
        SELECT s.section, f.*
        FROM (VALUES ('fact', {_FACTS}), ('preference', {_PREFERENCES}), ('context', {_RECENT})) s (section, most)
        JOIN spaces space ON space.name = :space
        CROSS JOIN LATERAL (
            SELECT m.id, m.content, m.kind, e.attribute, m.valid_from, m.recorded_at,
                m.confidence * m.importance AS score
            FROM (
                SELECT memory_id, attribute, valid_from FROM profile_entries
                WHERE space_id = space.id AND subject = :subject AND section = s.section
                ORDER BY valid_from DESC, memory_id DESC LIMIT s.most
            ) e
            JOIN LATERAL (SELECT * FROM memories WHERE id = e.memory_id OFFSET 0) m ON {_CURRENT}
            ORDER BY e.valid_from DESC, e.memory_id DESC
        ) f
    ), ids AS MATERIALIZED (
        SELECT DISTINCT id FROM found
    ), edges AS MATERIALIZED (
        SELECT r.* FROM ids CROSS JOIN LATERAL (
            SELECT source_id AS shown, target_id AS other, kind, 'out' AS direction, weight
            FROM memory_relations WHERE source_id = ids.id
            UNION ALL
            SELECT target_id, source_id, kind, 'in', weight FROM memory_relations WHERE target_id = ids.id
            OFFSET 0
        ) r
        WHERE NOT EXISTS (SELECT FROM ids known WHERE known.id = r.other)
        ORDER BY r.weight DESC, r.other, r.shown, r.kind LIMIT {_EDGES}
    ), related AS (
        SELECT DISTINCT ON (m.id) m.id, m.content, m.kind, m.valid_from, m.recorded_at, e.weight,
            e.shown, e.kind AS relation, e.direction
        FROM edges e JOIN LATERAL (SELECT * FROM memories WHERE id = e.other OFFSET 0) m ON {_CURRENT}
        ORDER BY m.id, e.weight DESC, e.shown, e.kind
    )
    SELECT section, id, content, kind, attribute, valid_from, recorded_at, score,
        NULL AS shown, NULL AS relation, NULL AS direction
    FROM found
    UNION ALL
    (
        SELECT 'relation', id, content, kind, '', valid_from, recorded_at, weight, shown, relation, direction
        FROM related ORDER BY weight DESC, id DESC LIMIT {SHOWN_RELATIONS}
    )
    """
)
_LIST = text(
    f"""
    SELECT p.name, newest.recorded_at
    FROM spaces s JOIN memory_people p ON p.space_id = s.id
    CROSS JOIN LATERAL (
        SELECT m.recorded_at FROM profile_entries e
        JOIN LATERAL (SELECT * FROM memories WHERE id = e.memory_id OFFSET 0) m ON {_CURRENT}
        WHERE e.space_id = s.id AND e.subject = p.name AND e.section = 'context'
        ORDER BY e.valid_from DESC, e.memory_id DESC LIMIT 1
    ) newest
    WHERE s.name = :space AND p.name > :after
    ORDER BY p.name LIMIT :limit
    """
)


@dataclass(frozen=True, slots=True)
class Remembered:
    """A memory that may stand in profiles."""

    memory_id: str
    kind: str
    content: str
    subject: str
    speaker: str | None


async def add_entries(session: AsyncSession, memories: Sequence[Remembered]) -> None:
    """Put memories that were just written into the profiles that they belong to."""
    rows: list[tuple[str, Entry]] = [
        (each.memory_id, entry)
        for each in memories
        for entry in entries(each.content, each.kind, each.subject, each.speaker)
    ]
    if rows:
        await session.execute(
            _INSERT,
            {
                "ids": [memory_id for memory_id, _ in rows],
                "subjects": [entry.subject for _, entry in rows],
                "sections": [entry.section.value for _, entry in rows],
                "attributes": [entry.attribute for _, entry in rows],
            },
        )


async def refresh_memories(session: AsyncSession, memory_ids: Sequence[str]) -> None:
    """Put memories anew into the profiles that they belong to, after content, kind or dates of them changed."""
    await session.execute(delete(ProfileEntryRow).where(ProfileEntryRow.memory_id == any_of(memory_ids)))
    statement = select(
        MemoryRow.id, MemoryRow.kind, MemoryRow.content, MemoryRow.subject, MemoryRow.speaker
    ).where(MemoryRow.id == any_of(memory_ids), MemoryRow.version_of.is_(None))
    await add_entries(session, [Remembered(*row) for row in await session.execute(statement)])


async def read_profile(session: AsyncSession, space: str, subject: str) -> ProfileRead | None:
    """What is known of somebody now; None when it is nothing."""
    rows = (await session.execute(_READ, {"space": space, "subject": subject})).mappings().all()
    found: dict[str, list[Statement]] = {}
    for row in rows:
        found.setdefault(row["section"], []).append(
            Statement(
                memory_id=row["id"],
                content=row["content"],
                kind=row["kind"],
                attribute=row["attribute"],
                valid_from=row["valid_from"],
                recorded_at=row["recorded_at"],
                score=round(row["score"], 4),
            )
        )
    if Section.CONTEXT not in found:
        return None
    facts = current(found.get(Section.FACT, ()), SHOWN_FACTS)
    told = {each.memory_id for each in facts}
    # A sentence that tells a fact and a liking stands with the facts.
    preferences = [
        each
        for each in current(found.get(Section.PREFERENCE, ()), SHOWN_PREFERENCES)
        if each.memory_id not in told
    ]
    told |= {each.memory_id for each in preferences}
    recent = islice((each for each in found[Section.CONTEXT] if each.memory_id not in told), SHOWN_RECENT)
    return ProfileRead(
        subject=subject,
        space=space,
        facts=[_statement(each) for each in facts],
        preferences=[_statement(each) for each in preferences],
        recent=[_statement(each) for each in recent],
        relations=[_relation(row) for row in rows if row["section"] == "relation"],
        updated_at=max(each.recorded_at for section in found.values() for each in section),
    )


async def list_profiles(
    session: AsyncSession, space: str, *, after: str | None, limit: int
) -> Sequence[ProfileSummary]:
    """Names of a space that have a profile, in order; `after` is the one that the page before ended with."""
    rows = await session.execute(_LIST, {"space": space, "after": after or "", "limit": limit})
    return [ProfileSummary(subject=name, space=space, updated_at=at) for name, at in rows]


def _statement(statement: Statement) -> ProfileStatement:
    return ProfileStatement(
        memory_id=statement.memory_id,
        content=statement.content,
        kind=statement.kind,
        attribute=statement.attribute or None,
        valid_from=statement.valid_from,
        score=statement.score,
    )


def _relation(row: RowMapping) -> ProfileRelation:
    return ProfileRelation(
        memory_id=row["id"],
        content=row["content"],
        kind=row["kind"],
        valid_from=row["valid_from"],
        score=round(row["score"], 4),
        relation=row["relation"],
        direction=row["direction"],
        of=row["shown"],
    )
