"""Exports, how long each kind of data is kept, and the one way in which old audit events may go."""

from alembic import context, op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

CURRENT_ORGANISATION = "NULLIF(current_setting('app.organisation', true), '')"

TABLES = """
CREATE TABLE exports (
    operation_id TEXT NOT NULL,
    subject_type TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (operation_id),
    FOREIGN KEY(operation_id) REFERENCES operations (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);
CREATE INDEX exports_organisation ON exports (organisation_id, operation_id);
CREATE INDEX exports_expiry ON exports (organisation_id, expires_at);

CREATE TABLE retention_rules (
    organisation_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    days INTEGER,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (organisation_id, kind),
    CHECK (days > 0),
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);
"""
TENANT_TABLES = ("exports", "retention_rules")

# Whatever a rule says, and whoever asks: what happened within these days stays.
REFUSE_DELETION = """
CREATE FUNCTION refuse_recent_deletion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF COALESCE(current_setting('perdure.trimming', true), '') <> 'on' OR OLD.at > now() - interval '90 days' THEN
        RAISE EXCEPTION 'DELETE on audit_events is refused: the audit trail is append-only'
        USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN OLD;
END $$
"""
# The app has no right to delete events. This takes the oldest of its organisation, in the order of the chain.
TRIM = """
CREATE FUNCTION trim_audit_events(up_to bigint, row_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    own text := NULLIF(current_setting('app.organisation', true), '');
    deleted integer;
BEGIN
    PERFORM set_config('perdure.trimming', 'on', true);
    DELETE FROM audit_events e WHERE e.organisation_id = own AND e.sequence IN (
        SELECT f.sequence FROM audit_events f
        WHERE f.organisation_id = own AND f.sequence <= up_to ORDER BY f.sequence LIMIT row_limit
    );
    GET DIAGNOSTICS deleted = ROW_COUNT;
    PERFORM set_config('perdure.trimming', '', true);
    RETURN deleted;
END $$
"""
# Retention goes through all organisations; it learns their ids, and enters each as that organisation.
FIND_ORGANISATIONS = """
CREATE FUNCTION find_organisations(after_id text, row_limit integer) RETURNS TABLE (id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT o.id FROM organisations o WHERE o.id > after_id ORDER BY o.id LIMIT row_limit
$$
"""
FUNCTION_SIGNATURES = ("trim_audit_events(bigint, integer)", "find_organisations(text, integer)")


def upgrade() -> None:
    """Add them, protected like every tenant table."""
    app_role = context.config.attributes["app_role"]
    for statement in TABLES.split(";"):
        if statement.strip():
            op.execute(statement)
    own = f"organisation_id = {CURRENT_ORGANISATION}"
    for table in TENANT_TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY organisation ON {table} USING ({own}) WITH CHECK ({own})")
        op.execute(f"CREATE POLICY maintenance ON {table} TO CURRENT_USER USING (true) WITH CHECK (true)")
        op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO "{app_role}"')
    for statement in (REFUSE_DELETION, TRIM, FIND_ORGANISATIONS):
        op.execute(statement)
    op.execute("DROP TRIGGER append_only ON audit_events")
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR TRUNCATE ON audit_events "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER keep_recent BEFORE DELETE ON audit_events "
        "FOR EACH ROW EXECUTE FUNCTION refuse_recent_deletion()"
    )
    for signature in FUNCTION_SIGNATURES:
        op.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
        op.execute(f'GRANT EXECUTE ON FUNCTION {signature} TO "{app_role}"')


def downgrade() -> None:
    """Drop them; nothing of a trail goes any more."""
    for signature in FUNCTION_SIGNATURES:
        op.execute(f"DROP FUNCTION {signature}")
    op.execute("DROP TRIGGER keep_recent ON audit_events")
    op.execute("DROP TRIGGER append_only ON audit_events")
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute("DROP FUNCTION refuse_recent_deletion()")
    for table in TENANT_TABLES:
        op.execute(f"DROP TABLE {table}")
