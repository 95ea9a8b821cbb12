"""Takes a correction back: a memory says again what it said before, as a new version; the caller commits."""

from typing import Any

from sqlalchemy import func, text
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.memory_repository import MemoryRepository
from perdure.db.models import MemoryChangeRow
from perdure.db.noted_values import noted_value, same_value, stored_vector
from perdure.errors import ConflictError, NotFoundError
from perdure.ports.models import EmbeddingModel, Vectors

_VERSION = text(
    """
    SELECT v.token_count, s.embedding_model, s.embedding_dimension, halfvec_send(e.embedding) AS vector
    FROM memories v JOIN spaces s ON s.id = v.space_id
    JOIN memory_embeddings e ON e.memory_id = v.id AND e.model = s.embedding_model
    WHERE v.id = :id
    """
)


async def take_back(
    session: AsyncSession, organisation_id: str, change: MemoryChangeRow, actor_id: str
) -> None:
    """Undo a correction; ConflictError when the memory was changed again since."""
    memories = MemoryRepository(session, organisation_id)
    row = await memories.lock(change.memory_id)
    if row is None:
        raise NotFoundError(f"memory {change.memory_id} was forgotten meanwhile")
    after = _columns(change.after or {})
    if row.retired_at is not None or any(
        not same_value(name, getattr(row, name), value) for name, value in after.items()
    ):
        raise ConflictError(
            f"memory {row.id} was changed again after this: undo the later changes first, "
            f"see GET /api/v1/memories/changes?memory_id={row.id}"
        )
    before = _columns(change.before or {})
    embedded = None
    if "content" in before:
        embedded = await _embedded(session, str((change.before or {}).get("version_id")))
    reason = f"{change.id} was undone"
    await memories.change(row, before, actor_id=actor_id, reason=reason, embedded=embedded)
    change.undone_at = func.now()
    await session.flush()


async def _embedded(session: AsyncSession, version_id: str) -> tuple[Vectors, EmbeddingModel, int]:
    """What the version before was found by."""
    found = (await session.execute(_VERSION, {"id": version_id})).one_or_none()
    if found is None:
        raise ConflictError("the version before has no vector yet: try again when the space is embedded")
    model = EmbeddingModel(found.embedding_model, found.embedding_dimension, found.token_count)
    return stored_vector(found.vector), model, found.token_count


def _columns(values: dict[str, Any]) -> dict[str, Any]:
    """Columns out of JSON."""
    return {
        "metadata_" if name == "metadata" else name: noted_value(name, value)
        for name, value in values.items()
        if name != "version_id"
    }
