"""Vectors that a provider is asked to make shorter have an index, too."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

VECTOR_DIMENSIONS = (256, 512)
TABLES = ("chunk_embeddings", "memory_embeddings")


def upgrade() -> None:
    """Beside writers, as those of other dimensions were made; of any dimension else, a space is searched exactly."""
    with op.get_context().autocommit_block():
        # Nobody waits for these statements, so they may wait for others.
        op.execute("SET lock_timeout = 0")
        for table in TABLES:
            for dimension in VECTOR_DIMENSIONS:
                # One that a run left half-built is not valid.
                op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {table}_nearest_{dimension}")
                op.execute(
                    f"CREATE INDEX CONCURRENTLY {table}_nearest_{dimension} ON {table} "
                    f"USING hnsw ((embedding::halfvec({dimension})) halfvec_cosine_ops) "
                    f"WITH (m = 16, ef_construction = 64) WHERE dimension = {dimension} AND in_vector_index"
                )
        op.execute("RESET lock_timeout")


def downgrade() -> None:
    """Without them."""
    with op.get_context().autocommit_block():
        for table in TABLES:
            for dimension in VECTOR_DIMENSIONS:
                op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {table}_nearest_{dimension}")
