"""Word statistics of spaces, and the keyword search that row level security would rob of its index."""

from alembic import context, op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

CURRENT_ORGANISATION = "NULLIF(current_setting('app.organisation', true), '')"

TABLES = """
ALTER TABLE spaces ADD COLUMN text_configurations TEXT[] DEFAULT '{}' NOT NULL;

ALTER TABLE spaces ADD COLUMN sampled_chunk_count BIGINT DEFAULT 0 NOT NULL;

ALTER TABLE spaces ADD COLUMN mean_chunk_tokens REAL DEFAULT 0 NOT NULL;

CREATE TABLE space_lexemes (
    space_id TEXT NOT NULL,
    lexeme TEXT NOT NULL,
    frequency REAL NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (space_id, lexeme),
    FOREIGN KEY(space_id) REFERENCES spaces (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);
"""

# `@@` is not leakproof: under row level security PostgreSQL must not evaluate it, or use an index for it, before
# the policy. So this runs as the owner, whose policy is `true`, and asks for the organisation itself.
#
# Word by word, because a match of one word is read off its index and never looked up in the chunk again. Few
# chunks: the planner chooses between the index on spaces or documents and the one on words. Many: only the one on
# words; concatenating an empty string keeps it from reading the whole space instead.
FIND = f"""
CREATE FUNCTION find_chunks_by_words(
    wanted_spaces text[], wanted_documents text[], words text[], few boolean, row_limit integer
)
RETURNS TABLE (chunk_id text, document_id text, word integer, token_count smallint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp SET enable_seqscan = off SET jit = off AS $$
DECLARE
    organisation CONSTANT text := {CURRENT_ORGANISATION};
    columns CONSTANT text := 'SELECT c.id, c.document_id, $1, c.token_count FROM chunks c WHERE c.tsv @@ $2';
    matching text;
BEGIN
    IF NOT few THEN
        matching := ' AND c.organisation_id || '''' = $3 AND c.space_id || '''' = ANY($4) LIMIT $6';
    ELSIF wanted_documents IS NULL THEN
        matching := ' AND c.organisation_id = $3 AND c.space_id = ANY($4) LIMIT $6';
    ELSE
        matching := ' AND c.organisation_id = $3 AND c.space_id = ANY($4) AND c.document_id = ANY($5) LIMIT $6';
    END IF;
    FOR number IN 1 .. cardinality(words) LOOP
        RETURN QUERY EXECUTE columns || matching
        USING number, words[number]::tsquery, organisation, wanted_spaces, wanted_documents, row_limit;
    END LOOP;
END $$
"""  # nosec B608  # a constant

# For dates in metadata, where anything may stand. What has no zone is UTC.
TRY_INSTANT = """
CREATE FUNCTION try_instant(said text) RETURNS timestamptz
LANGUAGE plpgsql STABLE STRICT SET timezone = 'UTC' AS $$
BEGIN
    IF said !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}' THEN
        RETURN NULL;
    END IF;
    RETURN said::timestamptz;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END $$
"""
SIGNATURE = "find_chunks_by_words(text[], text[], text[], boolean, integer)"


def upgrade() -> None:
    """Add the statistics, protected like every tenant table, and the function."""
    app_role = context.config.attributes["app_role"]
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    own = f"organisation_id = {CURRENT_ORGANISATION}"
    op.execute("ALTER TABLE space_lexemes ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE space_lexemes FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY organisation ON space_lexemes USING ({own}) WITH CHECK ({own})")
    op.execute("CREATE POLICY maintenance ON space_lexemes TO CURRENT_USER USING (true) WITH CHECK (true)")
    op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON space_lexemes TO "{app_role}"')
    op.execute(FIND)
    op.execute(TRY_INSTANT)
    for signature in (SIGNATURE, "try_instant(text)"):
        op.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
        op.execute(f'GRANT EXECUTE ON FUNCTION {signature} TO "{app_role}"')


def downgrade() -> None:
    """Drop the function and the statistics."""
    op.execute(f"DROP FUNCTION {SIGNATURE}")
    op.execute("DROP FUNCTION try_instant(text)")
    op.execute("DROP TABLE space_lexemes")
    for column in ("text_configurations", "sampled_chunk_count", "mean_chunk_tokens"):
        op.execute(f"ALTER TABLE spaces DROP COLUMN {column}")
