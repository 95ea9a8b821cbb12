"""Spaces, documents and passages put straight into the database, as the workers would."""

from collections.abc import Sequence

import numpy as np

from perdure.db.chunk_repository import ChunkRepository, IndexedContent
from perdure.db.models import DocumentRow, SpaceRow
from perdure.db.session import Database
from perdure.domain.chunking import ChunkSpan
from perdure.domain.ids import new_id
from perdure.ports.models import EmbeddingModel, Vectors

MODEL = EmbeddingModel("test-model", 384, 256)


def some_vectors(
    count: int, seed: int, around: Vectors | None = None, dimension: int = MODEL.dimension
) -> Vectors:
    """Random ones of length 1; close to `around` if given."""
    vectors = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    if around is not None:
        vectors = around + 0.02 * vectors
    rows: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return rows


async def a_space(
    database: Database, organisation_id: str, name: str = "default", model: EmbeddingModel = MODEL
) -> str:
    """An empty one; its id."""
    space_id = new_id("spc")
    async with database.transaction(organisation_id) as session:
        session.add(
            SpaceRow(
                id=space_id,
                organisation_id=organisation_id,
                name=name,
                embedding_model=model.name,
                embedding_dimension=model.dimension,
            )
        )
    return space_id


async def a_document(database: Database, organisation_id: str, space_id: str, **values: object) -> str:
    """Without passages; its id."""
    document_id = new_id("doc")
    async with database.transaction(organisation_id) as session:
        session.add(
            DocumentRow(
                id=document_id,
                organisation_id=organisation_id,
                space_id=space_id,
                **{"title": "A title", "status": "indexed", **values},
            )
        )
    return document_id


async def write_passages(
    database: Database,
    organisation_id: str,
    space_id: str,
    texts: Sequence[str],
    vectors: Vectors,
    model: EmbeddingModel = MODEL,
) -> None:
    """A document of as many passages as there are vectors."""
    document_id = await a_document(database, organisation_id, space_id, version=1, chunk_count=len(vectors))
    spans = [ChunkSpan(n, said, 0, len(said), None, (), len(said.split())) for n, said in enumerate(texts)]
    content = IndexedContent(space_id, document_id, 1, "en", "A title", spans, vectors)
    async with database.transaction(organisation_id) as session:
        await ChunkRepository(session, organisation_id).replace([content], model)
