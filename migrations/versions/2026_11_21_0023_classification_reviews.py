"""Approvals that ask for the label of a classification."""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

# Requests that do not know of what became of their document, their approvers, or what they ask about.
CHANGED = """
CREATE OR REPLACE FUNCTION find_changed_approvals(after_id text, row_limit integer)
RETURNS TABLE (id text, organisation_id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT a.id, a.organisation_id
    FROM workflow_approvals a
    WHERE a.closed_at IS NULL AND a.state IS NOT NULL AND a.id > after_id AND (
        (a.document_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM documents d JOIN document_versions v ON v.document_id = d.id AND v.number = d.version
            WHERE d.id = a.document_id AND v.sha256 = a.revision))
        OR EXISTS (
            SELECT FROM approval_assignees s
            WHERE s.approval_id = a.id AND s.person LIKE 'user:%' AND NOT EXISTS (
                SELECT FROM memberships m
                WHERE m.organisation_id = a.organisation_id AND m.user_id = substr(s.person, 6))){more})
    ORDER BY a.id LIMIT row_limit
$$
"""
REVIEWED = """
        OR EXISTS (
            SELECT FROM classification_results r WHERE r.id = a.result_id AND r.status <> 'open')"""


def upgrade() -> None:
    """An approval knows the result that it is about, outlives it, and is told when it was answered otherwise."""
    op.execute(
        "ALTER TABLE workflow_approvals ADD COLUMN result_id TEXT "
        "REFERENCES classification_results (id) ON DELETE SET NULL"
    )
    op.execute(
        "CREATE UNIQUE INDEX workflow_approvals_result ON workflow_approvals (result_id) "
        "WHERE result_id IS NOT NULL"
    )
    op.execute(CHANGED.replace("{more}", REVIEWED))


def downgrade() -> None:
    """Without it."""
    op.execute(CHANGED.replace("{more}", ""))
    op.execute("ALTER TABLE workflow_approvals DROP COLUMN result_id")
