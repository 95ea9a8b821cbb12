"""Accepting a document in one round trip."""

from alembic import context, op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# Everything that an ordinary new document needs, in a transaction that is one statement. The caller's rights and
# row level security hold in it as they do outside. NULL, and nothing written, for what is not ordinary: the space
# does not exist yet, or the organisation has quotas to be looked at.
ACCEPT = """
CREATE FUNCTION accept_document(given jsonb) RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    organisation CONSTANT text := given ->> 'organisation_id';
    operation CONSTANT text := given ->> 'operation_id';
    document CONSTANT text := given ->> 'document_id';
    space text;
    accepted timestamptz;
BEGIN
    PERFORM set_config('app.organisation', organisation, true);
    SELECT id INTO space FROM spaces WHERE name = given ->> 'space';
    IF space IS NULL OR EXISTS (SELECT FROM quotas) THEN
        RETURN NULL;
    END IF;
    INSERT INTO documents (id, organisation_id, space_id, title, status, language, source_type, metadata, operation_id)
    VALUES (document, organisation, space, given ->> 'title', 'queued', given ->> 'language',
        given ->> 'source_type', given -> 'metadata', operation);
    INSERT INTO document_versions (id, organisation_id, document_id, number, status, source, object_key, sha256,
        size_bytes, language, operation_id)
    VALUES (given ->> 'version_id', organisation, document, 1, 'queued', given -> 'source', given ->> 'object_key',
        given ->> 'sha256', (given ->> 'size_bytes')::bigint, given ->> 'language', operation);
    INSERT INTO operations (id, organisation_id, actor_id, kind, status, subject_type, subject_id, summary, input,
        trace_parent)
    VALUES (operation, organisation, given ->> 'actor_id', given ->> 'kind', 'pending', 'document', document,
        given ->> 'summary', given -> 'input', given ->> 'trace_parent')
    RETURNING created_at INTO accepted;
    RETURN accepted;
END $$
"""


def upgrade() -> None:
    """Add the function."""
    app_role = context.config.attributes["app_role"]
    op.execute(ACCEPT)
    op.execute("REVOKE ALL ON FUNCTION accept_document(jsonb) FROM PUBLIC")
    op.execute(f'GRANT EXECUTE ON FUNCTION accept_document(jsonb) TO "{app_role}"')


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP FUNCTION accept_document(jsonb)")
