"""Accepting something to remember in one round trip."""

from alembic import context, op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# The twin of `accept_document`; see there. No row, and nothing written, for what is not ordinary.
ACCEPT = """
CREATE FUNCTION accept_memory(given jsonb) RETURNS TABLE (space_id text, accepted timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
    organisation CONSTANT text := given ->> 'organisation_id';
    operation CONSTANT text := given ->> 'operation_id';
    space text;
BEGIN
    PERFORM set_config('app.organisation', organisation, true);
    SELECT s.id INTO space FROM spaces s WHERE s.name = given ->> 'space';
    IF space IS NULL OR EXISTS (SELECT FROM quotas) THEN
        RETURN;
    END IF;
    INSERT INTO operations (id, organisation_id, actor_id, kind, status, subject_type, subject_id, summary, input,
        trace_parent)
    VALUES (operation, organisation, given ->> 'actor_id', given ->> 'kind', 'pending', 'space', space,
        given ->> 'summary', jsonb_build_object('space_id', space, 'subject_key', given ->> 'subject_key'),
        given ->> 'trace_parent')
    RETURNING created_at INTO accepted;
    INSERT INTO memory_requests (operation_id, organisation_id, space_id, subject, body)
    VALUES (operation, organisation, space, given ->> 'subject', given -> 'body');
    space_id := space;
    RETURN NEXT;
END $$
"""


def upgrade() -> None:
    """Add the function."""
    app_role = context.config.attributes["app_role"]
    op.execute(ACCEPT)
    op.execute("REVOKE ALL ON FUNCTION accept_memory(jsonb) FROM PUBLIC")
    op.execute(f'GRANT EXECUTE ON FUNCTION accept_memory(jsonb) TO "{app_role}"')


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP FUNCTION accept_memory(jsonb)")
