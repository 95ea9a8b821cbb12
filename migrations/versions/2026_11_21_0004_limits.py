"""Rate limits and quotas."""

from alembic import context, op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# An update of a row stays on its page as long as there is room: half of each is kept free.
RATE_LIMITS = """
CREATE UNLOGGED TABLE rate_limits (
    key TEXT NOT NULL,
    booked_until TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (key)
) WITH (fillfactor = 50)
"""
QUOTAS = """
CREATE TABLE quotas (
    organisation_id TEXT NOT NULL,
    documents BIGINT,
    stored_bytes BIGINT,
    operations_per_day BIGINT,
    members BIGINT,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (organisation_id),
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
)
"""
# Adding up what an organisation stores reads this and nothing else.
STORED = "CREATE INDEX document_versions_stored ON document_versions (organisation_id) INCLUDE (size_bytes)"
OWN = "organisation_id = NULLIF(current_setting('app.organisation', true), '')"


def upgrade() -> None:
    """Add them."""
    app_role = context.config.attributes["app_role"]
    op.execute(RATE_LIMITS)
    op.execute(QUOTAS)
    op.execute(STORED)
    op.execute("ALTER TABLE quotas ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE quotas FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY organisation ON quotas USING ({OWN}) WITH CHECK ({OWN})")
    op.execute("CREATE POLICY maintenance ON quotas TO CURRENT_USER USING (true) WITH CHECK (true)")
    op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON rate_limits, quotas TO "{app_role}"')


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP INDEX document_versions_stored")
    op.execute("DROP TABLE quotas")
    op.execute("DROP TABLE rate_limits")
