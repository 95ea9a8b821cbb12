"""Open requests by themselves, and whether they know who has which role: not everything that is open, every time."""

from alembic import context, op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

# Roles that nobody has say the same as roles that are left out. Names are compared as bytes, as the state has them.
FIND = """
CREATE FUNCTION find_open_approvals(after_id text, row_limit integer)
RETURNS TABLE (id text, organisation_id text, knows_members boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH page AS MATERIALIZED (
        SELECT a.id, a.organisation_id, a.state -> 'roles' AS roles
        FROM workflow_approvals a
        WHERE a.closed_at IS NULL AND a.state IS NOT NULL AND a.id > after_id
        ORDER BY a.id LIMIT row_limit
    ), members AS (
        SELECT m.organisation_id, m.role, jsonb_agg('user:' || m.user_id ORDER BY m.user_id COLLATE "C") AS people
        FROM memberships m WHERE m.organisation_id IN (SELECT page.organisation_id FROM page)
        GROUP BY m.organisation_id, m.role
    ), held AS MATERIALIZED (
        SELECT o.organisation_id, jsonb_object_agg(o.role, o.people) AS roles
        FROM members o GROUP BY o.organisation_id
    )
    SELECT p.id, p.organisation_id, h.roles IS NOT DISTINCT FROM (
        SELECT jsonb_object_agg(known.key, known.value)
        FROM jsonb_each(p.roles) known WHERE known.value <> '[]')
    FROM page p LEFT JOIN held h ON h.organisation_id = p.organisation_id
    ORDER BY p.id
$$
"""
SIGNATURE = "find_open_approvals(text, integer)"


def upgrade() -> None:
    """Add the function."""
    app_role = context.config.attributes["app_role"]
    op.execute(FIND)
    op.execute(f"REVOKE ALL ON FUNCTION {SIGNATURE} FROM PUBLIC")
    op.execute(f'GRANT EXECUTE ON FUNCTION {SIGNATURE} TO "{app_role}"')


def downgrade() -> None:
    """Drop it."""
    op.execute(f"DROP FUNCTION {SIGNATURE}")
