"""The audit trail, and what retention needs."""

from alembic import context, op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

CURRENT_ORGANISATION = "NULLIF(current_setting('app.organisation', true), '')"

TABLES = """
CREATE TABLE audit_events (
    organisation_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id TEXT,
    person_id TEXT,
    action TEXT NOT NULL,
    subject_type TEXT,
    subject_id TEXT,
    request_id TEXT,
    origin TEXT,
    details TEXT NOT NULL,
    previous_hash TEXT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (organisation_id, sequence)
);
CREATE INDEX audit_events_action ON audit_events (organisation_id, action, sequence);
CREATE INDEX audit_events_actor ON audit_events (organisation_id, actor_id, sequence);
CREATE INDEX audit_events_at ON audit_events (organisation_id, at);
CREATE INDEX audit_events_person ON audit_events (organisation_id, person_id, sequence);
CREATE INDEX audit_events_subject ON audit_events (organisation_id, subject_id, sequence);

CREATE TABLE audit_heads (
    organisation_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    hash TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (organisation_id)
);
CREATE INDEX audit_heads_at ON audit_heads (at);

CREATE TABLE audit_person_keys (
    organisation_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (organisation_id, user_id),
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE,
    FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
"""
# What the app may do with each. Rows of the trail are for ever; a head only moves on.
RIGHTS = {
    "audit_events": "SELECT, INSERT",
    "audit_heads": "SELECT, INSERT, UPDATE",
    "audit_person_keys": "SELECT, INSERT, DELETE",
}

# Rights can be granted again by an owner in a hurry; the triggers then still refuse.
REFUSE_CHANGE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: the audit trail is append-only', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END $$
"""
REFUSE_REWIND = """
CREATE FUNCTION refuse_rewind() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.sequence NOT IN (OLD.sequence, OLD.sequence + 1)
        OR (NEW.sequence = OLD.sequence AND NEW.hash <> OLD.hash) THEN
        RAISE EXCEPTION 'the head of an audit trail only moves on by one'
        USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$
"""
TRIGGERS = (
    "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER keep BEFORE DELETE OR TRUNCATE ON audit_heads "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER move_on BEFORE UPDATE ON audit_heads FOR EACH ROW EXECUTE FUNCTION refuse_rewind()",
)

# For the anchors and for verifying all trails: which there are and how far each is, nothing of what they say.
FIND_HEADS = """
CREATE FUNCTION find_audit_heads(since timestamptz, after_id text, row_limit integer)
RETURNS TABLE (organisation_id text, sequence bigint, hash text, at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT h.organisation_id, h.sequence, h.hash, h.at FROM audit_heads h
    WHERE h.at >= since AND h.organisation_id > after_id ORDER BY h.organisation_id LIMIT row_limit
$$
"""
FUNCTION_SIGNATURES = ("find_audit_heads(timestamptz, text, integer)",)


def upgrade() -> None:
    """Add the tables, protected like every tenant table, and what keeps them as they are."""
    app_role = context.config.attributes["app_role"]
    for statement in TABLES.split(";"):
        if statement.strip():
            op.execute(statement)
    own = f"organisation_id = {CURRENT_ORGANISATION}"
    for table, rights in RIGHTS.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY organisation ON {table} USING ({own}) WITH CHECK ({own})")
        op.execute(f"CREATE POLICY maintenance ON {table} TO CURRENT_USER USING (true) WITH CHECK (true)")
        op.execute(f'REVOKE ALL ON {table} FROM PUBLIC, "{app_role}"')
        op.execute(f'GRANT {rights} ON {table} TO "{app_role}"')
    for statement in (REFUSE_CHANGE, REFUSE_REWIND, *TRIGGERS, FIND_HEADS):
        op.execute(statement)
    for signature in FUNCTION_SIGNATURES:
        op.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
        op.execute(f'GRANT EXECUTE ON FUNCTION {signature} TO "{app_role}"')


def downgrade() -> None:
    """Drop them."""
    for signature in FUNCTION_SIGNATURES:
        op.execute(f"DROP FUNCTION {signature}")
    for table in RIGHTS:
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP FUNCTION refuse_change()")
    op.execute("DROP FUNCTION refuse_rewind()")
