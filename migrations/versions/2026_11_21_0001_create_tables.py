"""Create the tables, the roles' rights and row level security."""

from alembic import context, op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TENANT_TABLES = (
    "memberships",
    "api_keys",
    "operations",
    "operation_steps",
    "operation_items",
    "operation_events",
    "idempotency_keys",
    "spaces",
    "documents",
    "document_versions",
    "chunks",
    "chunk_embeddings",
)
GLOBAL_TABLES = ("organisations", "users", "refresh_tokens", "sessions", "login_attempts")

# HNSW wants a fixed dimension: one partial index per dimension that a known model has.
VECTOR_DIMENSIONS = (384, 768, 1024, 1536, 3072)

TABLES = """
CREATE TABLE login_attempts (
    subject TEXT NOT NULL,
    failures INTEGER DEFAULT 0 NOT NULL,
    window_started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    locked_until TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (subject)
);

CREATE TABLE organisations (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE users (
    id TEXT NOT NULL,
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (email)
);

CREATE TABLE api_keys (
    id TEXT NOT NULL,
    created_by TEXT NOT NULL,
    name TEXT NOT NULL,
    key_hash TEXT NOT NULL,
    last_four TEXT NOT NULL,
    scopes TEXT[] NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    last_used_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(created_by) REFERENCES users (id) ON DELETE CASCADE,
    UNIQUE (key_hash),
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);
CREATE INDEX api_keys_organisation ON api_keys (organisation_id, id);

CREATE TABLE idempotency_keys (
    organisation_id TEXT NOT NULL,
    key TEXT NOT NULL,
    request_sha256 TEXT NOT NULL,
    operation_id TEXT,
    response JSONB,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (organisation_id, key),
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

CREATE TABLE memberships (
    organisation_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    role TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (organisation_id, user_id),
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE,
    FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX memberships_user ON memberships (user_id);

CREATE TABLE operations (
    id TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    attempt INTEGER DEFAULT 1 NOT NULL,
    subject_type TEXT,
    subject_id TEXT,
    summary TEXT NOT NULL,
    input JSONB NOT NULL,
    run_id TEXT,
    progress_done INTEGER DEFAULT 0 NOT NULL,
    progress_total INTEGER DEFAULT 0 NOT NULL,
    progress_step TEXT,
    result JSONB,
    error JSONB,
    revision BIGINT DEFAULT 0 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    closed_at TIMESTAMP WITH TIME ZONE,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);
CREATE INDEX operations_kind ON operations (organisation_id, kind, id);
CREATE INDEX operations_list ON operations (organisation_id, id);
CREATE INDEX operations_open ON operations (updated_at) WHERE closed_at IS NULL;
CREATE INDEX operations_status ON operations (organisation_id, status, id);
CREATE INDEX operations_subject ON operations (organisation_id, subject_id, id);

CREATE TABLE refresh_tokens (
    id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    active_organisation_id TEXT NOT NULL,
    family_id TEXT NOT NULL,
    token_hash TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id),
    FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE,
    FOREIGN KEY(active_organisation_id) REFERENCES organisations (id) ON DELETE CASCADE,
    UNIQUE (token_hash)
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family_id);
CREATE INDEX refresh_tokens_user ON refresh_tokens (user_id);

CREATE TABLE sessions (
    token_hash TEXT NOT NULL,
    user_id TEXT NOT NULL,
    active_organisation_id TEXT NOT NULL,
    csrf_token TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (token_hash),
    FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE,
    FOREIGN KEY(active_organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE spaces (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    embedding_model TEXT NOT NULL,
    embedding_dimension INTEGER NOT NULL,
    chunk_count BIGINT DEFAULT 0 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX spaces_name ON spaces (organisation_id, name);

CREATE TABLE documents (
    id TEXT NOT NULL,
    space_id TEXT NOT NULL,
    title TEXT NOT NULL,
    external_id TEXT,
    status TEXT NOT NULL,
    reason TEXT,
    detail TEXT,
    media_type TEXT,
    language TEXT,
    size_bytes BIGINT,
    sha256 TEXT,
    page_count INTEGER,
    char_count BIGINT,
    chunk_count INTEGER DEFAULT 0 NOT NULL,
    version INTEGER DEFAULT 0 NOT NULL,
    source_type TEXT,
    parent_id TEXT,
    metadata JSONB DEFAULT '{}'::jsonb NOT NULL,
    operation_id TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(space_id) REFERENCES spaces (id) ON DELETE CASCADE,
    FOREIGN KEY(parent_id) REFERENCES documents (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);
CREATE INDEX documents_content ON documents (space_id, sha256);
CREATE UNIQUE INDEX documents_external ON documents (space_id, external_id);
CREATE INDEX documents_list ON documents (organisation_id, id);
CREATE INDEX documents_metadata ON documents USING gin (metadata jsonb_path_ops);
CREATE INDEX documents_space ON documents (space_id, id);

CREATE TABLE operation_events (
    operation_id TEXT NOT NULL,
    revision BIGINT NOT NULL,
    type TEXT NOT NULL,
    data JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (operation_id, revision),
    FOREIGN KEY(operation_id) REFERENCES operations (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE TABLE operation_items (
    operation_id TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    name TEXT NOT NULL,
    source JSONB NOT NULL,
    status TEXT NOT NULL,
    document_id TEXT,
    version_id TEXT,
    reason TEXT,
    detail TEXT,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (operation_id, ordinal),
    FOREIGN KEY(operation_id) REFERENCES operations (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);
CREATE INDEX operation_items_status ON operation_items (operation_id, status, ordinal);

CREATE TABLE operation_steps (
    operation_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    activity_id TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    error JSONB,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (operation_id, run_id, activity_id),
    FOREIGN KEY(operation_id) REFERENCES operations (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE TABLE chunks (
    id TEXT NOT NULL,
    space_id TEXT NOT NULL,
    document_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    text TEXT NOT NULL,
    heading_path TEXT[] NOT NULL,
    page INTEGER,
    start_offset INTEGER NOT NULL,
    end_offset INTEGER NOT NULL,
    token_count SMALLINT NOT NULL,
    tsv TSVECTOR NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(space_id) REFERENCES spaces (id) ON DELETE CASCADE,
    FOREIGN KEY(document_id) REFERENCES documents (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX chunks_document ON chunks (document_id, ordinal);
CREATE INDEX chunks_space ON chunks (space_id, id);
CREATE INDEX chunks_text ON chunks USING gin (tsv);

CREATE TABLE document_versions (
    id TEXT NOT NULL,
    document_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    status TEXT NOT NULL,
    reason TEXT,
    detail TEXT,
    source JSONB NOT NULL,
    object_key TEXT,
    text_key TEXT,
    sha256 TEXT,
    size_bytes BIGINT,
    media_type TEXT,
    language TEXT,
    page_count INTEGER,
    char_count BIGINT,
    chunk_count INTEGER DEFAULT 0 NOT NULL,
    operation_id TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(document_id) REFERENCES documents (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX document_versions_number ON document_versions (document_id, number);

CREATE TABLE chunk_embeddings (
    chunk_id TEXT NOT NULL,
    model TEXT NOT NULL,
    dimension INTEGER NOT NULL,
    space_id TEXT NOT NULL,
    embedding HALFVEC NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (chunk_id, model),
    FOREIGN KEY(chunk_id) REFERENCES chunks (id) ON DELETE CASCADE,
    FOREIGN KEY(space_id) REFERENCES spaces (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);
CREATE INDEX chunk_embeddings_space ON chunk_embeddings (space_id, model);
"""

# An unset organisation is null, and null equals nothing: it sees nothing.
CURRENT_ORGANISATION = "NULLIF(current_setting('app.organisation', true), '')"

# What must be answered before an organisation is known. Each returns ids and rights only, and runs as the owner.
FUNCTIONS = """
CREATE FUNCTION find_api_key(wanted_hash text)
RETURNS TABLE (id text, organisation_id text, created_by text, name text, scopes text[], expires_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT k.id, k.organisation_id, k.created_by, k.name, k.scopes, k.expires_at
    FROM api_keys k
    WHERE k.key_hash = wanted_hash AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
$$;

CREATE FUNCTION find_memberships(wanted_user text)
RETURNS TABLE (organisation_id text, organisation_name text, role text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT m.organisation_id, o.name, m.role
    FROM memberships m JOIN organisations o ON o.id = m.organisation_id
    WHERE m.user_id = wanted_user ORDER BY m.created_at, m.organisation_id
$$;

CREATE FUNCTION find_open_operations(after_id text, row_limit integer)
RETURNS TABLE (id text, organisation_id text, kind text, status text, run_id text, updated_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT o.id, o.organisation_id, o.kind, o.status, o.run_id, o.updated_at
    FROM operations o WHERE o.closed_at IS NULL AND o.id > after_id ORDER BY o.id LIMIT row_limit
$$;

CREATE FUNCTION find_unstarted_operations(older_than interval, row_limit integer)
RETURNS TABLE (id text, organisation_id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT o.id, o.organisation_id
    FROM operations o
    WHERE o.closed_at IS NULL AND o.run_id IS NULL AND o.updated_at < now() - older_than
    ORDER BY o.updated_at LIMIT row_limit
$$;
"""
FUNCTION_SIGNATURES = (
    "find_api_key(text)",
    "find_memberships(text)",
    "find_open_operations(text, integer)",
    "find_unstarted_operations(interval, integer)",
)


def _protect(table: str, column: str) -> None:
    own = f"{column} = {CURRENT_ORGANISATION}"
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY organisation ON {table} USING ({own}) WITH CHECK ({own})")
    op.execute(f"CREATE POLICY maintenance ON {table} TO CURRENT_USER USING (true) WITH CHECK (true)")


def upgrade() -> None:
    """Make everything; the app role may read and write rows and nothing else."""
    app_role = context.config.attributes["app_role"]
    for statement in TABLES.split(";"):
        if statement.strip():
            op.execute(statement)
    for dimension in VECTOR_DIMENSIONS:
        op.execute(
            f"CREATE INDEX chunk_embeddings_hnsw_{dimension} ON chunk_embeddings "
            f"USING hnsw ((embedding::halfvec({dimension})) halfvec_cosine_ops) "
            f"WITH (m = 16, ef_construction = 64) WHERE dimension = {dimension}"
        )
    for table in TENANT_TABLES:
        _protect(table, "organisation_id")
    _protect("organisations", "id")
    op.execute(f'GRANT USAGE ON SCHEMA public TO "{app_role}"')
    for table in (*GLOBAL_TABLES, *TENANT_TABLES):
        op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO "{app_role}"')
    op.execute(f'GRANT SELECT ON alembic_version TO "{app_role}"')
    for statement in FUNCTIONS.split("$$;"):
        if statement.strip():
            op.execute(f"{statement} $$")
    for signature in FUNCTION_SIGNATURES:
        op.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
        op.execute(f'GRANT EXECUTE ON FUNCTION {signature} TO "{app_role}"')


def downgrade() -> None:
    """Drop everything."""
    for signature in FUNCTION_SIGNATURES:
        op.execute(f"DROP FUNCTION {signature}")
    for table in (*reversed(TENANT_TABLES), *reversed(GLOBAL_TABLES)):
        op.execute(f"DROP TABLE {table} CASCADE")
