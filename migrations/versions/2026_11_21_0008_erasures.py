"""Erasures and their receipts."""

from alembic import context, op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

CURRENT_ORGANISATION = "NULLIF(current_setting('app.organisation', true), '')"

TABLES = """
CREATE TABLE erasures (
    operation_id TEXT NOT NULL,
    organisation_id TEXT NOT NULL,
    subject_type TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    actors TEXT[] NOT NULL,
    people TEXT[] NOT NULL,
    found JSONB NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    completed_at TIMESTAMP WITH TIME ZONE,
    receipt JSONB,
    signature TEXT,
    PRIMARY KEY (operation_id)
);
CREATE INDEX erasures_organisation ON erasures (organisation_id, operation_id);
"""
REFUSE_SECOND_RECEIPT = """
CREATE FUNCTION refuse_second_receipt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.completed_at IS NOT NULL THEN
        RAISE EXCEPTION 'erasure % is completed: its receipt stays as it is', OLD.operation_id
        USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$
"""
TRIGGERS = (
    "CREATE TRIGGER keep_receipt BEFORE UPDATE ON erasures "
    "FOR EACH ROW EXECUTE FUNCTION refuse_second_receipt()",
    "CREATE TRIGGER keep BEFORE DELETE OR TRUNCATE ON erasures "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
)


def upgrade() -> None:
    """Add the table; the app may begin an erasure and complete it, and that is all."""
    app_role = context.config.attributes["app_role"]
    for statement in TABLES.split(";"):
        if statement.strip():
            op.execute(statement)
    own = f"organisation_id = {CURRENT_ORGANISATION}"
    op.execute("ALTER TABLE erasures ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE erasures FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY organisation ON erasures USING ({own}) WITH CHECK ({own})")
    op.execute("CREATE POLICY maintenance ON erasures TO CURRENT_USER USING (true) WITH CHECK (true)")
    op.execute(f'REVOKE ALL ON erasures FROM PUBLIC, "{app_role}"')
    op.execute(f'GRANT SELECT, INSERT, UPDATE ON erasures TO "{app_role}"')
    op.execute(REFUSE_SECOND_RECEIPT)
    for trigger in TRIGGERS:
        op.execute(trigger)


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TABLE erasures")
    op.execute("DROP FUNCTION refuse_second_receipt()")
