"""What a memory is connected with: the turns beside it, the rest of its message, and relations that were found."""

from collections.abc import Sequence

from perdure.db.statements import FixedStatement, Statements
from perdure.schemas.memories import RelatedMemory

# Beside one memory, at most so many of each kind.
_MOST = 20

_SAME_THREAD = "o.space_id = s.space_id AND o.subject = s.subject AND o.session_id = s.session_id"
_TURN = """
    SELECT s.id, 'follows' AS relation, '{direction}' AS direction, CAST(1 AS real) AS weight, t.id AS other
    FROM sought s JOIN LATERAL (
        SELECT o.id FROM memories o WHERE {thread} AND o.retired_at IS NULL
            AND (o.valid_from, o.sequence, o.ordinal, o.piece) {sign} (s.valid_from, s.sequence, s.ordinal, s.piece)
        ORDER BY o.valid_from {order}, o.sequence {order}, o.ordinal {order}, o.piece {order} LIMIT 1
    ) t ON s.subject <> '' OR s.session_id <> ''
"""
_RELATED = FixedStatement(
    f"""
    WITH sought AS (SELECT * FROM memories m WHERE m.id = ANY(CAST(:memories AS text[]))),
    edges AS (
        {_TURN.format(direction="out", thread=_SAME_THREAD, sign="<", order="DESC")}
        UNION ALL
        {_TURN.format(direction="in", thread=_SAME_THREAD, sign=">", order="ASC")}
        UNION ALL
        SELECT s.id, 'part_of', 'out', 1, t.id FROM sought s JOIN LATERAL (
            SELECT o.id FROM memories o
            WHERE {_SAME_THREAD} AND o.valid_from = s.valid_from AND o.sequence = s.sequence
                AND o.ordinal = s.ordinal AND o.piece <> s.piece AND o.retired_at IS NULL
            ORDER BY o.piece LIMIT :most
        ) t ON true
        UNION ALL
        SELECT r.source_id, r.kind, 'out', r.weight, r.target_id FROM memory_relations r
        WHERE r.source_id = ANY(CAST(:memories AS text[]))
        UNION ALL
        SELECT r.target_id, r.kind, 'in', r.weight, r.source_id FROM memory_relations r
        WHERE r.target_id = ANY(CAST(:memories AS text[]))
    )
    SELECT e.id, e.relation, e.direction, e.weight, m.id AS other, m.content, m.speaker
    FROM edges e JOIN memories m ON m.id = e.other AND m.retired_at IS NULL
        AND (m.expires_at IS NULL OR m.expires_at > now())
    ORDER BY e.id, e.weight DESC, e.relation, e.direction DESC, m.id
    """
)


async def related_memories(
    statements: Statements, memory_ids: Sequence[str]
) -> dict[str, list[RelatedMemory]]:
    """What each of some memories is connected with, the stronger first."""
    rows = await statements.rows(_RELATED, {"memories": list(memory_ids), "most": _MOST})
    found: dict[str, list[RelatedMemory]] = {}
    for memory_id, relation, direction, weight, other, content, speaker in rows:
        found.setdefault(memory_id, []).append(
            RelatedMemory(
                id=other,
                relation=relation,
                direction=direction,
                weight=round(weight, 4),
                content=content,
                speaker=speaker,
            )
        )
    return found
