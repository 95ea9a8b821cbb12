"""Addresses that messages go to without an endpoint are sealed: whoever knows one may post there."""

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column. What was written before keeps its address in the open, and goes with its retention."""
    op.execute("ALTER TABLE messages ADD COLUMN sealed_recipient BYTEA")


def downgrade() -> None:
    """Drop it."""
    op.execute("ALTER TABLE messages DROP COLUMN sealed_recipient")
