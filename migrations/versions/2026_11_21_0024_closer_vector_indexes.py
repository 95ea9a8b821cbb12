"""HNSW indexes look further around while a vector is put in, so that a search finds the nearest sooner."""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

VECTOR_DIMENSIONS = (256, 384, 512, 768, 1024, 1536, 3072)
TABLES = ("chunk_embeddings", "memory_embeddings")


def upgrade() -> None:
    """Built anew beside readers and writers; each statement may be repeated."""
    _build(128)


def downgrade() -> None:
    """As they were."""
    _build(64)


def _build(ef_construction: int) -> None:
    with op.get_context().autocommit_block():
        # Nobody waits for these statements, so they may wait for others.
        op.execute("SET lock_timeout = 0")
        for table in TABLES:
            for dimension in VECTOR_DIMENSIONS:
                index = f"{table}_nearest_{dimension}"
                op.execute(f"ALTER INDEX {index} SET (ef_construction = {ef_construction})")
                op.execute(f"REINDEX INDEX CONCURRENTLY {index}")
        op.execute("RESET lock_timeout")
