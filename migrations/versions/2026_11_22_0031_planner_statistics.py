"""Who has written much may have the statistics of the tables that have grown taken at once."""

from alembic import context, op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

# A table that has grown by half since its statistics were taken, or that has none and is no longer small. Its size is
# known at once, unlike what the cumulative statistics count. Whoever does the same just now is not waited for.
REFRESH = """
CREATE FUNCTION refresh_planner_statistics() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    page constant integer := current_setting('block_size')::integer;
    grown regclass;
BEGIN
    FOR grown IN
        SELECT c.oid FROM pg_class c
        WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND pg_has_role(c.relowner, 'USAGE')
            AND pg_relation_size(c.oid) > page * greatest(16, 1.5 * c.relpages)
    LOOP
        EXECUTE format('ANALYZE (SKIP_LOCKED) %s', grown);
    END LOOP;
END
$$
"""
SIGNATURE = "refresh_planner_statistics()"


def upgrade() -> None:
    """Add the function."""
    app_role = context.config.attributes["app_role"]
    op.execute(REFRESH)
    op.execute(f"REVOKE ALL ON FUNCTION {SIGNATURE} FROM PUBLIC")
    op.execute(f'GRANT EXECUTE ON FUNCTION {SIGNATURE} TO "{app_role}"')


def downgrade() -> None:
    """Drop it."""
    op.execute(f"DROP FUNCTION {SIGNATURE}")
