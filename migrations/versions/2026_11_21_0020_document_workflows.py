"""Document workflows: definitions, their versions, executions of them, and how their steps do."""

from alembic import context, op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

CURRENT_ORGANISATION = "NULLIF(current_setting('app.organisation', true), '')"

TENANT_TABLES = (
    "document_workflows",
    "document_workflow_versions",
    "workflow_executions",
    "workflow_execution_steps",
)

# An execution on a document goes with it; a workflow is never deleted, only archived.
TABLES = """
CREATE TABLE document_workflows (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    version INTEGER NOT NULL,
    template TEXT,
    created_by TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    archived_at TIMESTAMP WITH TIME ZONE,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(created_by) REFERENCES users (id) ON DELETE SET NULL,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE INDEX document_workflows_list ON document_workflows (organisation_id, id);

CREATE UNIQUE INDEX document_workflows_name ON document_workflows (organisation_id, name)
WHERE archived_at IS NULL;

CREATE TABLE document_workflow_versions (
    workflow_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    definition JSONB NOT NULL,
    sha256 TEXT NOT NULL,
    steps INTEGER NOT NULL,
    note TEXT,
    created_by TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (workflow_id, version),
    FOREIGN KEY(workflow_id) REFERENCES document_workflows (id) ON DELETE CASCADE,
    FOREIGN KEY(created_by) REFERENCES users (id) ON DELETE SET NULL,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE TABLE workflow_executions (
    id TEXT NOT NULL,
    operation_id TEXT NOT NULL,
    batch_id TEXT,
    ordinal INTEGER,
    workflow_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    document_id TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(operation_id) REFERENCES operations (id) ON DELETE CASCADE,
    FOREIGN KEY(batch_id) REFERENCES operations (id) ON DELETE CASCADE,
    FOREIGN KEY(workflow_id) REFERENCES document_workflows (id) ON DELETE CASCADE,
    FOREIGN KEY(document_id) REFERENCES documents (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX workflow_executions_operation ON workflow_executions (operation_id);

CREATE INDEX workflow_executions_list ON workflow_executions (organisation_id, id);

CREATE INDEX workflow_executions_workflow ON workflow_executions (workflow_id, id);

CREATE UNIQUE INDEX workflow_executions_batch ON workflow_executions (batch_id, ordinal)
WHERE batch_id IS NOT NULL;

CREATE INDEX workflow_executions_document ON workflow_executions (document_id)
WHERE document_id IS NOT NULL;

CREATE TABLE workflow_execution_steps (
    execution_id TEXT NOT NULL,
    step_id TEXT NOT NULL,
    state TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    record JSONB NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (execution_id, step_id),
    FOREIGN KEY(execution_id) REFERENCES workflow_executions (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);
"""


def upgrade() -> None:
    """Add the tables, protected like every tenant table."""
    app_role = context.config.attributes["app_role"]
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    own = f"organisation_id = {CURRENT_ORGANISATION}"
    for table in TENANT_TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY organisation ON {table} USING ({own}) WITH CHECK ({own})")
        op.execute(f"CREATE POLICY maintenance ON {table} TO CURRENT_USER USING (true) WITH CHECK (true)")
        op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO "{app_role}"')


def downgrade() -> None:
    """Drop all of it."""
    for table in reversed(TENANT_TABLES):
        op.execute(f"DROP TABLE {table}")
