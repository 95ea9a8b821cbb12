"""What memories state of single-valued attributes: by it, contradictions are found; the caller owns the transaction."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.domain.attributes import Attribute

# Of one attribute, at most so many statements are compared: the newest.
MOST = 500

_CLEAR = text("DELETE FROM memory_attributes WHERE memory_id = ANY(CAST(:ids AS text[]))")
_ADD = text(
    """
    INSERT INTO memory_attributes (organisation_id, space_id, memory_id, ordinal, subject, holder, name, stated)
    SELECT CAST(:organisation AS text), CAST(:space AS text), m.id, r.ordinal, m.subject, r.holder, r.name,
        r.stated::jsonb
    FROM unnest(
        CAST(:ids AS text[]), CAST(:ordinals AS integer[]), CAST(:holders AS text[]), CAST(:names AS text[]),
        CAST(:stated AS text[])
    ) AS r (memory_id, ordinal, holder, name, stated)
    JOIN memories m ON m.id = r.memory_id
    """
)
_RIVALS = text(
    """
    SELECT DISTINCT o.memory_id
    FROM (
        SELECT DISTINCT space_id, subject, holder, name FROM memory_attributes
        WHERE memory_id = ANY(CAST(:ids AS text[]))
    ) a
    JOIN LATERAL (
        SELECT r.memory_id FROM memory_attributes r JOIN memories m ON m.id = r.memory_id
        WHERE r.space_id = a.space_id AND r.subject = a.subject AND r.holder = a.holder AND r.name = a.name
            AND m.retired_at IS NULL AND m.valid_to IS NULL AND m.id <= :until
        ORDER BY m.valid_from DESC, m.id DESC LIMIT :most
    ) o ON true
    """
)
_STATED = text(
    """
    SELECT memory_id, stated FROM memory_attributes
    WHERE memory_id = ANY(CAST(:ids AS text[])) ORDER BY memory_id, ordinal
    """
)


class AttributeIndex:
    """Attributes of the memories of one space."""

    def __init__(self, session: AsyncSession, organisation_id: str, space_id: str) -> None:
        self._session, self._organisation_id, self._space_id = session, organisation_id, space_id

    async def replace(self, stated: Mapping[str, Sequence[Attribute]]) -> None:
        """Note what some memories state, in place of what is noted of them."""
        rows = [
            (memory_id, number, each)
            for memory_id, found in stated.items()
            for number, each in enumerate(found)
        ]
        await self._session.execute(_CLEAR, {"ids": list(stated)})
        if not rows:
            return
        await self._session.execute(
            _ADD,
            {
                "organisation": self._organisation_id,
                "space": self._space_id,
                "ids": [memory_id for memory_id, _, _ in rows],
                "ordinals": [number for _, number, _ in rows],
                "holders": [each.subject.casefold() for _, _, each in rows],
                "names": [each.name for _, _, each in rows],
                "stated": [json.dumps(asdict(each)) for _, _, each in rows],
            },
        )

    async def rivals(self, memory_ids: Sequence[str], until_id: str) -> set[str]:
        """Current memories that state something of an attribute of which one of these states something."""
        given = {"ids": list(memory_ids), "until": until_id, "most": MOST}
        return set(await self._session.scalars(_RIVALS, given))

    async def stated(self, memory_ids: Sequence[str]) -> dict[str, list[Attribute]]:
        """What some memories state."""
        found: dict[str, list[Attribute]] = {}
        for row in await self._session.execute(_STATED, {"ids": list(memory_ids)}):
            found.setdefault(row.memory_id, []).append(Attribute(**row.stated))
        return found
