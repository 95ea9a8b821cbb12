"""Answers of models to steps of executions, so that none is paid for twice."""

from alembic import context, op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

CURRENT_ORGANISATION = "NULLIF(current_setting('app.organisation', true), '')"

TABLE = """
CREATE TABLE workflow_step_answers (
    execution_id TEXT NOT NULL,
    step_id TEXT NOT NULL,
    visit BIGINT NOT NULL,
    output JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (execution_id, step_id, visit),
    FOREIGN KEY(execution_id) REFERENCES workflow_executions (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
)
"""


def upgrade() -> None:
    """Add it, protected like every tenant table."""
    app_role = context.config.attributes["app_role"]
    own = f"organisation_id = {CURRENT_ORGANISATION}"
    op.execute(TABLE)
    op.execute("ALTER TABLE workflow_step_answers ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE workflow_step_answers FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY organisation ON workflow_step_answers USING ({own}) WITH CHECK ({own})")
    op.execute(
        "CREATE POLICY maintenance ON workflow_step_answers TO CURRENT_USER USING (true) WITH CHECK (true)"
    )
    op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON workflow_step_answers TO "{app_role}"')


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TABLE workflow_step_answers")
