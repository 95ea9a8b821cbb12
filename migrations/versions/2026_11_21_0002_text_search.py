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
# Few chunks: the planner chooses between the index on spaces or documents and the one on words. Many: word by
# word through the index on words; concatenating an empty string keeps it from reading the whole space instead.
FIND = f"""
CREATE FUNCTION find_chunks_by_words(
    wanted_spaces text[], wanted_documents text[], words text[], few boolean, row_limit integer
)
RETURNS TABLE (chunk_id text, document_id text, word integer, token_count smallint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp SET enable_seqscan = off SET jit = off AS $$
BEGIN
    IF few THEN
        RETURN QUERY EXECUTE '
            WITH matching AS MATERIALIZED (
                SELECT c.id, c.document_id, c.token_count, c.tsv FROM chunks c
                WHERE c.organisation_id = {CURRENT_ORGANISATION.replace("'", "''")}
                  AND c.space_id = ANY($1) AND ($2 IS NULL OR c.document_id = ANY($2)) AND c.tsv @@ $4
            )
            SELECT m.id, m.document_id, w.number::integer, m.token_count
            FROM matching m
            JOIN unnest($3) WITH ORDINALITY AS w(word, number) ON m.tsv @@ w.word::tsquery'
        USING wanted_spaces, wanted_documents, words, array_to_string(words, ' | ')::tsquery;
        RETURN;
    END IF;
    FOR number IN 1 .. cardinality(words) LOOP
        RETURN QUERY EXECUTE '
            SELECT c.id, c.document_id, $2, c.token_count FROM chunks c
            WHERE c.tsv @@ $3 AND c.organisation_id || '''' = {CURRENT_ORGANISATION.replace("'", "''")}
              AND c.space_id || '''' = ANY($1)
            LIMIT $4'
        USING wanted_spaces, number, words[number]::tsquery, row_limit;
    END LOOP;
END $$
"""

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
