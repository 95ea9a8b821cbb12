"""Classification: workflows and their versions, what was asked, results, and what people answered."""

from alembic import context, op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

CURRENT_ORGANISATION = "NULLIF(current_setting('app.organisation', true), '')"

TENANT_TABLES = (
    "classification_workflows",
    "classification_versions",
    "classification_batches",
    "classification_results",
    "classification_reviews",
    "classification_examples",
)

# A result of a document goes with it; a workflow is never deleted, only archived.
TABLES = """
CREATE TABLE classification_workflows (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    active_version INTEGER NOT NULL,
    latest_version INTEGER NOT NULL,
    created_by TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    archived_at TIMESTAMP WITH TIME ZONE,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(created_by) REFERENCES users (id) ON DELETE SET NULL,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE INDEX classification_workflows_list ON classification_workflows (organisation_id, id);

CREATE UNIQUE INDEX classification_workflows_name ON classification_workflows (organisation_id, name)
WHERE archived_at IS NULL;

CREATE TABLE classification_versions (
    workflow_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    definition JSONB NOT NULL,
    learnt INTEGER DEFAULT 0 NOT NULL,
    learnt_until TIMESTAMP WITH TIME ZONE,
    calibration JSONB,
    note TEXT,
    comparison JSONB,
    forced BOOLEAN DEFAULT false NOT NULL,
    created_by TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    activated_at TIMESTAMP WITH TIME ZONE,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (workflow_id, version),
    FOREIGN KEY(workflow_id) REFERENCES classification_workflows (id) ON DELETE CASCADE,
    FOREIGN KEY(created_by) REFERENCES users (id) ON DELETE SET NULL,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE TABLE classification_batches (
    operation_id TEXT NOT NULL,
    workflow_id TEXT,
    version INTEGER,
    definition JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (operation_id),
    FOREIGN KEY(operation_id) REFERENCES operations (id) ON DELETE CASCADE,
    FOREIGN KEY(workflow_id) REFERENCES classification_workflows (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE TABLE classification_results (
    id TEXT NOT NULL,
    operation_id TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    external_id TEXT,
    document_id TEXT,
    workflow_id TEXT,
    version INTEGER,
    content TEXT,
    status TEXT DEFAULT 'queued' NOT NULL,
    decision TEXT,
    label TEXT,
    labels TEXT[] DEFAULT '{}' NOT NULL,
    confidence DOUBLE PRECISION,
    raw DOUBLE PRECISION,
    stages JSONB DEFAULT '{}'::jsonb NOT NULL,
    held JSONB,
    vector BYTEA,
    vector_model TEXT,
    provider TEXT,
    model TEXT,
    input_tokens INTEGER DEFAULT 0 NOT NULL,
    output_tokens INTEGER DEFAULT 0 NOT NULL,
    cached_tokens INTEGER DEFAULT 0 NOT NULL,
    cost_usd NUMERIC(14, 8),
    reason TEXT,
    detail TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    classified_at TIMESTAMP WITH TIME ZONE,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(operation_id) REFERENCES operations (id) ON DELETE CASCADE,
    FOREIGN KEY(document_id) REFERENCES documents (id) ON DELETE CASCADE,
    FOREIGN KEY(workflow_id) REFERENCES classification_workflows (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX classification_results_item ON classification_results (operation_id, ordinal);

CREATE INDEX classification_results_list ON classification_results (organisation_id, id);

CREATE INDEX classification_results_workflow ON classification_results (workflow_id, id)
WHERE workflow_id IS NOT NULL;

CREATE INDEX classification_results_document ON classification_results (document_id)
WHERE document_id IS NOT NULL;

CREATE INDEX classification_results_open ON classification_results (organisation_id, id) WHERE status = 'open';

CREATE TABLE classification_reviews (
    result_id TEXT NOT NULL,
    labels TEXT[] NOT NULL,
    comment TEXT,
    reviewed_by TEXT NOT NULL,
    reviewed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (result_id),
    FOREIGN KEY(result_id) REFERENCES classification_results (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE TABLE classification_examples (
    id TEXT NOT NULL,
    workflow_id TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    labels TEXT[] NOT NULL,
    content TEXT NOT NULL,
    is_frozen BOOLEAN NOT NULL,
    vector BYTEA NOT NULL,
    vector_model TEXT NOT NULL,
    document_id TEXT,
    actor_id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(workflow_id) REFERENCES classification_workflows (id) ON DELETE CASCADE,
    FOREIGN KEY(document_id) REFERENCES documents (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX classification_examples_text ON classification_examples (workflow_id, sha256);

CREATE INDEX classification_examples_document ON classification_examples (document_id)
WHERE document_id IS NOT NULL;
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
