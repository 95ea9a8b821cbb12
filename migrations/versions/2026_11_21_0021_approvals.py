"""Approvals: requests, who is asked, comments, and what of their effects has happened."""

from alembic import context, op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

CURRENT_ORGANISATION = "NULLIF(current_setting('app.organisation', true), '')"

TENANT_TABLES = ("workflow_approvals", "approval_assignees", "approval_comments", "approval_effects")

# A request outlives its document: it says what was decided on.
TABLES = """
CREATE TABLE workflow_approvals (
    id TEXT NOT NULL,
    operation_id TEXT NOT NULL,
    execution_id TEXT,
    step_id TEXT,
    visit INTEGER,
    title TEXT NOT NULL,
    summary TEXT DEFAULT '' NOT NULL,
    document_id TEXT,
    document_version INTEGER,
    revision TEXT NOT NULL,
    evidence JSONB DEFAULT '[]'::jsonb NOT NULL,
    policy JSONB NOT NULL,
    state JSONB,
    sequence INTEGER DEFAULT 0 NOT NULL,
    status TEXT DEFAULT 'pending' NOT NULL,
    outcome TEXT,
    requester TEXT NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE,
    opened_at TIMESTAMP WITH TIME ZONE,
    closed_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(operation_id) REFERENCES operations (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX workflow_approvals_operation ON workflow_approvals (operation_id);

CREATE UNIQUE INDEX workflow_approvals_step ON workflow_approvals (execution_id, step_id, visit)
WHERE execution_id IS NOT NULL;

CREATE INDEX workflow_approvals_list ON workflow_approvals (organisation_id, id);

CREATE INDEX workflow_approvals_document ON workflow_approvals (document_id) WHERE document_id IS NOT NULL;

CREATE INDEX workflow_approvals_open ON workflow_approvals (organisation_id, due_at, id) WHERE closed_at IS NULL;

CREATE TABLE approval_assignees (
    approval_id TEXT NOT NULL,
    person TEXT NOT NULL,
    stage TEXT NOT NULL,
    seat TEXT NOT NULL,
    standing TEXT NOT NULL,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (approval_id, person, stage, seat),
    FOREIGN KEY(approval_id) REFERENCES workflow_approvals (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE INDEX approval_assignees_inbox ON approval_assignees (organisation_id, person, due_at, approval_id);

CREATE TABLE approval_comments (
    id TEXT NOT NULL,
    approval_id TEXT NOT NULL,
    person TEXT NOT NULL,
    content TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(approval_id) REFERENCES workflow_approvals (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE INDEX approval_comments_list ON approval_comments (approval_id, id);

CREATE TABLE approval_effects (
    approval_id TEXT NOT NULL,
    effect TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (approval_id, effect),
    FOREIGN KEY(approval_id) REFERENCES workflow_approvals (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);
"""
# Open requests whose document is gone or has another newest version, or that ask somebody who has left: whoever
# brought it about may have died before saying so.
CHANGED = """
CREATE FUNCTION find_changed_approvals(after_id text, row_limit integer)
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
                WHERE m.organisation_id = a.organisation_id AND m.user_id = substr(s.person, 6))))
    ORDER BY a.id LIMIT row_limit
$$
"""
SIGNATURE = "find_changed_approvals(text, integer)"


def upgrade() -> None:
    """Add the tables, protected like every tenant table, and the function."""
    app_role = context.config.attributes["app_role"]
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    own = f"organisation_id = {CURRENT_ORGANISATION}"
    for table in TENANT_TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY organisation ON {table} USING ({own}) WITH CHECK ({own})")
        op.execute(f"CREATE POLICY maintenance ON {table} TO CURRENT_USER USING (true) WITH CHECK (true)")
        op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO "{app_role}"')
    op.execute(CHANGED)
    op.execute(f"REVOKE ALL ON FUNCTION {SIGNATURE} FROM PUBLIC")
    op.execute(f'GRANT EXECUTE ON FUNCTION {SIGNATURE} TO "{app_role}"')


def downgrade() -> None:
    """Drop all of it."""
    op.execute(f"DROP FUNCTION {SIGNATURE}")
    for table in reversed(TENANT_TABLES):
        op.execute(f"DROP TABLE {table}")
