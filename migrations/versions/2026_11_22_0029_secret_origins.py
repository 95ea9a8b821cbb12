"""Secrets that are sent as headers go to one origin only, whoever writes the workflow that sends them."""

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.execute("ALTER TABLE organisation_secrets ADD COLUMN origin TEXT")


def downgrade() -> None:
    """Drop it."""
    op.execute("ALTER TABLE organisation_secrets DROP COLUMN origin")
