"""Data keys of organisations, and the values sealed with them."""

from alembic import context, op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

CURRENT_ORGANISATION = "NULLIF(current_setting('app.organisation', true), '')"

TABLES = """
CREATE TABLE master_keys (
    id TEXT NOT NULL,
    check_value BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE data_keys (
    id TEXT NOT NULL,
    master_key_id TEXT NOT NULL,
    wrapped BYTEA NOT NULL,
    active BOOLEAN NOT NULL,
    operation_id TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    retired_at TIMESTAMP WITH TIME ZONE,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (id),
    CHECK (NOT active OR retired_at IS NULL),
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX data_keys_active ON data_keys (organisation_id) WHERE active;
CREATE INDEX data_keys_organisation ON data_keys (organisation_id, id);

CREATE TABLE organisation_secrets (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    last_four TEXT,
    created_by TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(created_by) REFERENCES users (id) ON DELETE SET NULL,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX organisation_secrets_name ON organisation_secrets (organisation_id, name);
"""

# Every process asks at its start, before any organisation is known. Returns ids of master keys only.
FIND = """
CREATE FUNCTION find_master_keys_in_use()
RETURNS TABLE (master_key_id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT DISTINCT k.master_key_id FROM data_keys k WHERE k.retired_at IS NULL
$$
"""
SIGNATURE = "find_master_keys_in_use()"
TENANT_TABLES = ("data_keys", "organisation_secrets")


def upgrade() -> None:
    """Add them, protected like every tenant table; what a master key was known by is never changed by the app."""
    app_role = context.config.attributes["app_role"]
    for statement in TABLES.split(";"):
        if statement.strip():
            op.execute(statement)
    own = f"organisation_id = {CURRENT_ORGANISATION}"
    for table in TENANT_TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY organisation ON {table} USING ({own}) WITH CHECK ({own})")
        op.execute(f"CREATE POLICY maintenance ON {table} TO CURRENT_USER USING (true) WITH CHECK (true)")
        op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO "{app_role}"')
    op.execute(f'GRANT SELECT, INSERT ON master_keys TO "{app_role}"')
    op.execute(FIND)
    op.execute(f"REVOKE ALL ON FUNCTION {SIGNATURE} FROM PUBLIC")
    op.execute(f'GRANT EXECUTE ON FUNCTION {SIGNATURE} TO "{app_role}"')


def downgrade() -> None:
    """Drop them, and with them everything that was sealed."""
    op.execute(f"DROP FUNCTION {SIGNATURE}")
    for table in (*TENANT_TABLES, "master_keys"):
        op.execute(f"DROP TABLE {table}")
