"""Approvals that ask for the label of a classification."""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """An approval knows the result that it is about; it outlives it."""
    op.execute(
        "ALTER TABLE workflow_approvals ADD COLUMN result_id TEXT "
        "REFERENCES classification_results (id) ON DELETE SET NULL"
    )
    op.execute(
        "CREATE UNIQUE INDEX workflow_approvals_result ON workflow_approvals (result_id) "
        "WHERE result_id IS NOT NULL"
    )


def downgrade() -> None:
    """Without it."""
    op.execute("ALTER TABLE workflow_approvals DROP COLUMN result_id")
