"""Messages to people and to other programs, and where the latter listen."""

from alembic import context, op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

CURRENT_ORGANISATION = "NULLIF(current_setting('app.organisation', true), '')"

TENANT_TABLES = ("webhook_endpoints", "messages")

# What was sent to an endpoint stays known when it goes.
TABLES = """
CREATE TABLE webhook_endpoints (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    shown_url TEXT NOT NULL,
    sealed_url BYTEA,
    sealed_secret BYTEA,
    sealed_previous_secret BYTEA,
    previous_until TIMESTAMP WITH TIME ZONE,
    events TEXT[] NOT NULL,
    is_active BOOLEAN DEFAULT true NOT NULL,
    failures INTEGER DEFAULT 0 NOT NULL,
    last_error TEXT,
    last_attempt_at TIMESTAMP WITH TIME ZONE,
    last_success_at TIMESTAMP WITH TIME ZONE,
    created_by TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    removed_at TIMESTAMP WITH TIME ZONE,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(created_by) REFERENCES users (id) ON DELETE SET NULL,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE INDEX webhook_endpoints_list ON webhook_endpoints (organisation_id, id) WHERE removed_at IS NULL;

CREATE TABLE messages (
    id TEXT NOT NULL,
    effect TEXT NOT NULL,
    channel TEXT NOT NULL,
    kind TEXT NOT NULL,
    recipient TEXT,
    endpoint_id TEXT,
    reference JSONB DEFAULT '{}'::jsonb NOT NULL,
    body TEXT,
    status TEXT DEFAULT 'waiting' NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    tries JSONB DEFAULT '[]'::jsonb NOT NULL,
    next_at TIMESTAMP WITH TIME ZONE DEFAULT now(),
    handed_at TIMESTAMP WITH TIME ZONE,
    last_error TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(endpoint_id) REFERENCES webhook_endpoints (id) ON DELETE SET NULL,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX messages_effect ON messages (organisation_id, effect);

CREATE INDEX messages_list ON messages (organisation_id, id);

CREATE INDEX messages_endpoint ON messages (endpoint_id, id) WHERE endpoint_id IS NOT NULL;

CREATE INDEX messages_due ON messages (next_at) WHERE status = 'waiting';
"""

# The outbox of messages. Whoever was handed one and has not come back long after its time is asked again.
FIND_DUE = """
CREATE FUNCTION find_due_messages(silent_for interval, row_limit integer)
RETURNS TABLE (id text, organisation_id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT m.id, m.organisation_id
    FROM messages m
    WHERE m.status = 'waiting' AND m.next_at <= now() AND (
        m.handed_at IS NULL OR (m.handed_at < now() - silent_for AND m.next_at < now() - silent_for)
    )
    ORDER BY m.next_at LIMIT row_limit
$$
"""
SIGNATURE = "find_due_messages(interval, integer)"


def upgrade() -> None:
    """Add the tables, protected like every tenant table, and the function."""
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
    op.execute(FIND_DUE)
    op.execute(f"REVOKE ALL ON FUNCTION {SIGNATURE} FROM PUBLIC")
    op.execute(f'GRANT EXECUTE ON FUNCTION {SIGNATURE} TO "{app_role}"')


def downgrade() -> None:
    """Drop all of it."""
    op.execute(f"DROP FUNCTION {SIGNATURE}")
    for table in reversed(TENANT_TABLES):
        op.execute(f"DROP TABLE {table}")
