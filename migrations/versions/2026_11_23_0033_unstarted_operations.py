"""What was accepted and not started is found without reading all that is open: people may take days to decide."""

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

INDEX = "operations_unstarted"


def upgrade() -> None:
    """Add the index, while others write."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        # One that an attempt before left behind half-built.
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX}")
        op.execute(
            f"CREATE INDEX CONCURRENTLY {INDEX} ON operations (updated_at) WHERE closed_at IS NULL AND run_id IS NULL"
        )
        op.execute("RESET lock_timeout")


def downgrade() -> None:
    """Drop it."""
    op.execute(f"DROP INDEX {INDEX}")
