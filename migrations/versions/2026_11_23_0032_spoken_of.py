"""What a vote needs to know of its request, in one round trip instead of the three of a transaction."""

from alembic import context, op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

# It reads as who calls it, in the organisation that is named: row level security holds, as in any transaction.
READ = """
CREATE FUNCTION read_spoken_of(organisation text, approval text, speaker text)
RETURNS TABLE (
    state jsonb, policy jsonb, revision text, closed_at timestamptz,
    operation_id text, attempt integer, run_id text, email text)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.organisation', organisation, true);
    RETURN QUERY
        SELECT a.state, a.policy, a.revision::text, a.closed_at,
            o.id::text, o.attempt, o.run_id::text, u.email::text
        FROM workflow_approvals a
        LEFT JOIN operations o ON o.id = a.operation_id
        LEFT JOIN users u ON u.id = speaker
        WHERE a.id = approval;
END
$$
"""
SIGNATURE = "read_spoken_of(text, text, text)"


def upgrade() -> None:
    """Add the function."""
    app_role = context.config.attributes["app_role"]
    op.execute(READ)
    op.execute(f"REVOKE ALL ON FUNCTION {SIGNATURE} FROM PUBLIC")
    op.execute(f'GRANT EXECUTE ON FUNCTION {SIGNATURE} TO "{app_role}"')


def downgrade() -> None:
    """Drop it."""
    op.execute(f"DROP FUNCTION {SIGNATURE}")
