"""The vectors of memories of small spaces stay out of the HNSW index, as those of passages do."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

VECTOR_DIMENSIONS = (384, 768, 1024, 1536, 3072)


def upgrade() -> None:
    """Mark what is in the index. Until now everything was, and what an older version writes still goes there.

    Each statement may be repeated, because indexes are built beside writers and thus in no transaction.
    """
    op.execute(
        "ALTER TABLE memory_embeddings ADD COLUMN IF NOT EXISTS in_vector_index BOOLEAN DEFAULT true NOT NULL"
    )
    op.execute("ALTER TABLE spaces ADD COLUMN IF NOT EXISTS memory_vector_index TEXT DEFAULT 'none' NOT NULL")
    op.execute("UPDATE spaces SET memory_vector_index = 'complete' WHERE memory_vector_index = 'none'")
    _replace("hnsw", "nearest", " AND in_vector_index")


def downgrade() -> None:
    """Everything in the index again."""
    _replace("nearest", "hnsw", "")
    op.execute("ALTER TABLE spaces DROP COLUMN IF EXISTS memory_vector_index")
    op.execute("ALTER TABLE memory_embeddings DROP COLUMN IF EXISTS in_vector_index")


def _replace(old: str, new: str, condition: str) -> None:
    with op.get_context().autocommit_block():
        # Nobody waits for these statements, so they may wait for others.
        op.execute("SET lock_timeout = 0")
        for dimension in VECTOR_DIMENSIONS:
            # One that a run left half-built is not valid.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS memory_embeddings_{new}_{dimension}")
            op.execute(
                f"CREATE INDEX CONCURRENTLY memory_embeddings_{new}_{dimension} ON memory_embeddings "
                f"USING hnsw ((embedding::halfvec({dimension})) halfvec_cosine_ops) "
                f"WITH (m = 16, ef_construction = 64) WHERE dimension = {dimension}{condition}"
            )
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS memory_embeddings_{old}_{dimension}")
        op.execute("RESET lock_timeout")
