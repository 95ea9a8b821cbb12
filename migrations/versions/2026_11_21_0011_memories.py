"""Memories: what was said, its vectors and words, who said it, what changed, and what must not come back."""

from alembic import context, op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

CURRENT_ORGANISATION = "NULLIF(current_setting('app.organisation', true), '')"
VECTOR_DIMENSIONS = (384, 768, 1024, 1536, 3072)

TENANT_TABLES = (
    "memories",
    "memory_embeddings",
    "memory_relations",
    "memory_changes",
    "memory_accesses",
    "memory_tombstones",
    "memory_recalls",
    "memory_people",
    "memory_lexemes",
)

TABLES = """
ALTER TABLE spaces ADD COLUMN memory_count BIGINT DEFAULT 0 NOT NULL;

ALTER TABLE spaces ADD COLUMN sampled_memory_count BIGINT DEFAULT 0 NOT NULL;

ALTER TABLE spaces ADD COLUMN mean_memory_tokens REAL DEFAULT 0 NOT NULL;

CREATE TABLE memories (
    id TEXT NOT NULL,
    space_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    content TEXT NOT NULL,
    subject TEXT DEFAULT '' NOT NULL,
    speaker TEXT,
    role TEXT,
    external_id TEXT,
    session_id TEXT DEFAULT '' NOT NULL,
    confidence REAL DEFAULT 1 NOT NULL,
    importance REAL DEFAULT 0.5 NOT NULL,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    valid_to TIMESTAMP WITH TIME ZONE,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT date_trunc('milliseconds', now()) NOT NULL,
    retired_at TIMESTAMP WITH TIME ZONE,
    retired_for TEXT,
    superseded_by TEXT,
    version INTEGER DEFAULT 1 NOT NULL,
    version_of TEXT,
    source JSONB NOT NULL,
    tags TEXT[] DEFAULT '{}' NOT NULL,
    metadata JSONB DEFAULT '{}'::jsonb NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    sequence BIGINT NOT NULL,
    ordinal INTEGER DEFAULT 0 NOT NULL,
    piece INTEGER DEFAULT 0 NOT NULL,
    fingerprint TEXT NOT NULL,
    identity TEXT NOT NULL,
    operation_id TEXT,
    token_count SMALLINT NOT NULL,
    tsv TSVECTOR NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(space_id) REFERENCES spaces (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE INDEX memories_list ON memories (organisation_id, id);

CREATE INDEX memories_space ON memories (space_id, id);

CREATE INDEX memories_thread ON memories (space_id, subject, session_id, valid_from, sequence, ordinal, piece)
WHERE retired_at IS NULL;

CREATE UNIQUE INDEX memories_identity ON memories (space_id, identity) WHERE retired_at IS NULL;

CREATE INDEX memories_fingerprint ON memories (space_id, fingerprint);

CREATE INDEX memories_external ON memories (space_id, external_id) WHERE external_id IS NOT NULL;

CREATE INDEX memories_speaker ON memories (space_id, speaker);

CREATE INDEX memories_version_of ON memories (version_of) WHERE version_of IS NOT NULL;

CREATE INDEX memories_text ON memories USING gin (tsv);

CREATE TABLE memory_embeddings (
    memory_id TEXT NOT NULL,
    model TEXT NOT NULL,
    dimension INTEGER NOT NULL,
    space_id TEXT NOT NULL,
    embedding HALFVEC NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (memory_id, model),
    FOREIGN KEY(memory_id) REFERENCES memories (id) ON DELETE CASCADE,
    FOREIGN KEY(space_id) REFERENCES spaces (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE INDEX memory_embeddings_space ON memory_embeddings (space_id, model);

CREATE TABLE memory_relations (
    source_id TEXT NOT NULL,
    target_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    target_type TEXT DEFAULT 'memory' NOT NULL,
    weight REAL DEFAULT 1 NOT NULL,
    space_id TEXT NOT NULL,
    operation_id TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (source_id, kind, target_id),
    FOREIGN KEY(source_id) REFERENCES memories (id) ON DELETE CASCADE,
    FOREIGN KEY(space_id) REFERENCES spaces (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE INDEX memory_relations_target ON memory_relations (target_id);

CREATE TABLE memory_changes (
    id TEXT NOT NULL,
    memory_id TEXT NOT NULL,
    action TEXT NOT NULL,
    reason TEXT,
    actor_id TEXT,
    operation_id TEXT,
    before JSONB,
    after JSONB,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    undone_at TIMESTAMP WITH TIME ZONE,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(memory_id) REFERENCES memories (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE INDEX memory_changes_memory ON memory_changes (memory_id, id);

CREATE TABLE memory_accesses (
    memory_id TEXT NOT NULL,
    accesses BIGINT DEFAULT 1 NOT NULL,
    last_accessed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (memory_id),
    FOREIGN KEY(memory_id) REFERENCES memories (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE TABLE memory_tombstones (
    space_id TEXT NOT NULL,
    digest TEXT NOT NULL,
    operation_id TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (space_id, digest),
    FOREIGN KEY(space_id) REFERENCES spaces (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE TABLE memory_recalls (
    id TEXT NOT NULL,
    space_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    query TEXT NOT NULL,
    mode TEXT NOT NULL,
    outcome TEXT NOT NULL,
    hits JSONB NOT NULL,
    took_ms REAL NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(space_id) REFERENCES spaces (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE INDEX memory_recalls_session ON memory_recalls (organisation_id, session_id, id);

CREATE TABLE memory_people (
    space_id TEXT NOT NULL,
    name TEXT NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (space_id, name),
    FOREIGN KEY(space_id) REFERENCES spaces (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE TABLE memory_lexemes (
    space_id TEXT NOT NULL,
    lexeme TEXT NOT NULL,
    frequency REAL NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (space_id, lexeme),
    FOREIGN KEY(space_id) REFERENCES spaces (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);
"""

# The twin of `find_chunks_by_words`; see there why it is the owner's.
FIND = f"""
CREATE FUNCTION find_memories_by_words(
    wanted_spaces text[], wanted_subject text, words text[], few boolean, row_limit integer
)
RETURNS TABLE (memory_id text, word integer, token_count smallint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp SET enable_seqscan = off SET jit = off AS $$
DECLARE
    organisation CONSTANT text := {CURRENT_ORGANISATION};
    columns CONSTANT text := 'SELECT m.id, $1, m.token_count FROM memories m WHERE m.tsv @@ $2';
    matching text;
BEGIN
    IF NOT few THEN
        matching := ' AND m.organisation_id || '''' = $3 AND m.space_id || '''' = ANY($4)';
    ELSE
        matching := ' AND m.organisation_id = $3 AND m.space_id = ANY($4)';
    END IF;
    IF wanted_subject IS NOT NULL THEN
        matching := matching || ' AND m.subject = $5';
    END IF;
    FOR number IN 1 .. cardinality(words) LOOP
        RETURN QUERY EXECUTE columns || matching || ' LIMIT $6'
        USING number, words[number]::tsquery, organisation, wanted_spaces, wanted_subject, row_limit;
    END LOOP;
END $$
"""  # nosec B608  # a constant
SIGNATURE = "find_memories_by_words(text[], text, text[], boolean, integer)"


def upgrade() -> None:
    """Add the tables, protected like every tenant table, their indexes and the function."""
    app_role = context.config.attributes["app_role"]
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    for dimension in VECTOR_DIMENSIONS:
        op.execute(
            f"CREATE INDEX memory_embeddings_hnsw_{dimension} ON memory_embeddings "
            f"USING hnsw ((embedding::halfvec({dimension})) halfvec_cosine_ops) "
            f"WITH (m = 16, ef_construction = 64) WHERE dimension = {dimension}"
        )
    own = f"organisation_id = {CURRENT_ORGANISATION}"
    for table in TENANT_TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY organisation ON {table} USING ({own}) WITH CHECK ({own})")
        op.execute(f"CREATE POLICY maintenance ON {table} TO CURRENT_USER USING (true) WITH CHECK (true)")
        op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO "{app_role}"')
    op.execute(FIND)
    op.execute(f"REVOKE ALL ON FUNCTION {SIGNATURE} FROM PUBLIC")
    op.execute(f'GRANT EXECUTE ON FUNCTION {SIGNATURE} TO "{app_role}"')


def downgrade() -> None:
    """Drop all of it."""
    op.execute(f"DROP FUNCTION {SIGNATURE}")
    for table in reversed(TENANT_TABLES):
        op.execute(f"DROP TABLE {table}")
    for column in ("memory_count", "sampled_memory_count", "mean_memory_tokens"):
        op.execute(f"ALTER TABLE spaces DROP COLUMN {column}")
