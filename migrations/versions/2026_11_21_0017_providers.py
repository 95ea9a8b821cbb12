"""Providers of models: keys, routing, budgets, circuits, and what their calls took."""

from alembic import context, op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

CURRENT_ORGANISATION = "NULLIF(current_setting('app.organisation', true), '')"

# Logs name keys and operations, and refer to neither: what a call cost stays true when they are gone.
TABLES = """
CREATE TABLE provider_keys (
    id TEXT NOT NULL,
    provider TEXT NOT NULL,
    name TEXT NOT NULL,
    base_url TEXT,
    default_model TEXT,
    sealed BYTEA,
    last_four TEXT,
    requests_per_minute INTEGER,
    created_by TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    tested_at TIMESTAMP WITH TIME ZONE,
    test_outcome TEXT,
    revoked_at TIMESTAMP WITH TIME ZONE,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (id),
    CHECK (requests_per_minute > 0),
    CHECK ((sealed IS NULL) = (revoked_at IS NOT NULL)),
    FOREIGN KEY(created_by) REFERENCES users (id) ON DELETE SET NULL,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE INDEX provider_keys_organisation ON provider_keys (organisation_id, id);

CREATE UNIQUE INDEX provider_keys_name ON provider_keys (organisation_id, name) WHERE revoked_at IS NULL;

CREATE TABLE provider_routes (
    organisation_id TEXT NOT NULL,
    capability TEXT NOT NULL,
    strategy TEXT NOT NULL,
    candidates JSONB NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (organisation_id, capability),
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE TABLE provider_circuits (
    organisation_id TEXT NOT NULL,
    circuit TEXT NOT NULL,
    failures INTEGER DEFAULT 0 NOT NULL,
    opened INTEGER DEFAULT 0 NOT NULL,
    open_until TIMESTAMP WITH TIME ZONE,
    probe_until TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (organisation_id, circuit),
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE TABLE provider_budgets (
    organisation_id TEXT NOT NULL,
    soft_usd NUMERIC(14, 2),
    hard_usd NUMERIC(14, 2),
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (organisation_id),
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE TABLE provider_spending (
    organisation_id TEXT NOT NULL,
    month DATE NOT NULL,
    cost_usd NUMERIC(18, 8) DEFAULT 0 NOT NULL,
    calls BIGINT DEFAULT 0 NOT NULL,
    soft_noted_usd NUMERIC(14, 2),
    PRIMARY KEY (organisation_id, month),
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE TABLE ai_processing_logs (
    id TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    capability TEXT NOT NULL,
    purpose TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    key_id TEXT,
    operation_id TEXT,
    operation_kind TEXT,
    input_tokens BIGINT DEFAULT 0 NOT NULL,
    output_tokens BIGINT DEFAULT 0 NOT NULL,
    cached_tokens BIGINT DEFAULT 0 NOT NULL,
    cost_usd NUMERIC(14, 8),
    latency_ms DOUBLE PRECISION NOT NULL,
    outcome TEXT NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE INDEX ai_processing_logs_at ON ai_processing_logs (organisation_id, at);

CREATE INDEX ai_processing_logs_model ON ai_processing_logs (organisation_id, provider, model, at);

CREATE INDEX ai_processing_logs_operation ON ai_processing_logs (operation_id) WHERE operation_id IS NOT NULL;
"""
TENANT_TABLES = (
    "provider_keys",
    "provider_routes",
    "provider_circuits",
    "provider_budgets",
    "provider_spending",
    "ai_processing_logs",
)


def upgrade() -> None:
    """Add them, protected like every tenant table."""
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
    """Drop them."""
    for table in TENANT_TABLES:
        op.execute(f"DROP TABLE {table}")
