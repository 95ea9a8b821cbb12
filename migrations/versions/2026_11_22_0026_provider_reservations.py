"""What calls of models that are under way may cost."""

from alembic import context, op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

CURRENT_ORGANISATION = "NULLIF(current_setting('app.organisation', true), '')"

# A call that never ends, because its process was killed, holds its share of the budget until `expires_at`.
TABLE = """
CREATE TABLE provider_reservations (
    id TEXT NOT NULL,
    cost_usd NUMERIC(14, 8) NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (id),
    CHECK (cost_usd > 0),
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
)
"""


def upgrade() -> None:
    """Add it, protected like every tenant table."""
    app_role = context.config.attributes["app_role"]
    own = f"organisation_id = {CURRENT_ORGANISATION}"
    op.execute(TABLE)
    op.execute("CREATE INDEX provider_reservations_organisation ON provider_reservations (organisation_id)")
    op.execute("ALTER TABLE provider_reservations ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE provider_reservations FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY organisation ON provider_reservations USING ({own}) WITH CHECK ({own})")
    op.execute(
        "CREATE POLICY maintenance ON provider_reservations TO CURRENT_USER USING (true) WITH CHECK (true)"
    )
    op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON provider_reservations TO "{app_role}"')


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TABLE provider_reservations")
