"""How many messages wait and were given up, over all organisations."""

from alembic import context, op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

# Counts only, as of operations: `/metrics` asks on behalf of nobody.
FIGURES = """
CREATE OR REPLACE FUNCTION find_message_figures()
RETURNS TABLE (channel text, status text, messages bigint, oldest_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT m.channel, m.status, count(*), min(m.created_at)
    FROM messages m WHERE m.status IN ('waiting', 'dead') GROUP BY m.channel, m.status
$$
"""
SIGNATURE = "find_message_figures()"
INDEX = "messages_unsent"


def upgrade() -> None:
    """Add the function, and the index that keeps it from reading what was sent."""
    app_role = context.config.attributes["app_role"]
    op.execute(FIGURES)
    op.execute(f"REVOKE ALL ON FUNCTION {SIGNATURE} FROM PUBLIC")
    op.execute(f'GRANT EXECUTE ON FUNCTION {SIGNATURE} TO "{app_role}"')
    with op.get_context().autocommit_block():
        # One that an attempt before left behind half-built.
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX}")
        op.execute(
            f"CREATE INDEX CONCURRENTLY {INDEX} ON messages (channel, status, created_at) "
            "WHERE status IN ('waiting', 'dead')"
        )


def downgrade() -> None:
    """Drop both."""
    op.execute(f"DROP INDEX {INDEX}")
    op.execute(f"DROP FUNCTION {SIGNATURE}")
