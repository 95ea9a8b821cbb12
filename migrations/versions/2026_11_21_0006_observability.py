"""What is open and stuck over all organisations; the trace of an operation; the oldest code that still runs."""

from alembic import context, op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Counts only, and nothing by which an organisation could be told: `/metrics` asks on behalf of nobody.
FIGURES = """
CREATE FUNCTION find_operation_figures(stuck_after interval)
RETURNS TABLE (kind text, status text, open bigint, silent bigint, oldest_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT o.kind, o.status, count(*),
        count(*) FILTER (WHERE o.status IN ('pending', 'running') AND o.updated_at < now() - stuck_after),
        min(o.created_at)
    FROM operations o WHERE o.closed_at IS NULL GROUP BY o.kind, o.status
$$
"""
SIGNATURE = "find_operation_figures(interval)"

# A migration that takes something away replaces this function: versions that know the revision it names, and no
# older ones, run on the schema. See CONTRIBUTING.md.
OLDEST = """
CREATE FUNCTION oldest_supported_revision() RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT '0006' $$
"""


def upgrade() -> None:
    """Add them."""
    app_role = context.config.attributes["app_role"]
    op.execute("ALTER TABLE operations ADD COLUMN trace_parent TEXT")
    op.execute(FIGURES)
    op.execute(f"REVOKE ALL ON FUNCTION {SIGNATURE} FROM PUBLIC")
    op.execute(f'GRANT EXECUTE ON FUNCTION {SIGNATURE} TO "{app_role}"')
    op.execute(OLDEST)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP FUNCTION oldest_supported_revision()")
    op.execute(f"DROP FUNCTION {SIGNATURE}")
    op.execute("ALTER TABLE operations DROP COLUMN trace_parent")
