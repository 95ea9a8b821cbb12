"""How memories evolve: runs and their stages, proposals, settings of a space, and what sentences state."""

from alembic import context, op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

CURRENT_ORGANISATION = "NULLIF(current_setting('app.organisation', true), '')"

TENANT_TABLES = (
    "memory_evolutions",
    "memory_evolution_stages",
    "memory_evolution_settings",
    "memory_proposals",
    "memory_attributes",
)

# Runs refer to operations, and not to spaces as well: see 0012.
TABLES = """
CREATE TABLE memory_evolutions (
    operation_id TEXT NOT NULL,
    space_id TEXT NOT NULL,
    dry_run BOOLEAN DEFAULT false NOT NULL,
    stages TEXT[] NOT NULL,
    until_id TEXT NOT NULL,
    rules INTEGER NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (operation_id),
    FOREIGN KEY(operation_id) REFERENCES operations (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE INDEX memory_evolutions_space ON memory_evolutions (organisation_id, space_id, operation_id);

CREATE TABLE memory_evolution_stages (
    operation_id TEXT NOT NULL,
    stage TEXT NOT NULL,
    since TIMESTAMP WITH TIME ZONE,
    place TEXT DEFAULT '' NOT NULL,
    examined BIGINT DEFAULT 0 NOT NULL,
    junk BIGINT DEFAULT 0 NOT NULL,
    changed JSONB DEFAULT '{}'::jsonb NOT NULL,
    took_ms DOUBLE PRECISION DEFAULT 0 NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (operation_id, stage),
    FOREIGN KEY(operation_id) REFERENCES operations (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE TABLE memory_evolution_settings (
    space_id TEXT NOT NULL,
    every_hours INTEGER,
    insights TEXT NOT NULL,
    proposal_days INTEGER NOT NULL,
    decay_half_life_days DOUBLE PRECISION NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (space_id),
    FOREIGN KEY(space_id) REFERENCES spaces (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE TABLE memory_proposals (
    id TEXT NOT NULL,
    space_id TEXT NOT NULL,
    operation_id TEXT,
    action TEXT NOT NULL,
    content TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT DEFAULT '' NOT NULL,
    memory_ids TEXT[] NOT NULL,
    identity TEXT NOT NULL,
    reason TEXT NOT NULL,
    confidence REAL NOT NULL,
    status TEXT DEFAULT 'open' NOT NULL,
    deadline TIMESTAMP WITH TIME ZONE NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    decided_at TIMESTAMP WITH TIME ZONE,
    decided_by TEXT,
    memory_id TEXT,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(space_id) REFERENCES spaces (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX memory_proposals_identity ON memory_proposals (space_id, identity);

CREATE INDEX memory_proposals_list ON memory_proposals (organisation_id, status, id);

CREATE INDEX memory_proposals_cited ON memory_proposals USING gin (memory_ids);

CREATE TABLE memory_attributes (
    memory_id TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    space_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    holder TEXT NOT NULL,
    name TEXT NOT NULL,
    stated JSONB NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (memory_id, ordinal),
    FOREIGN KEY(memory_id) REFERENCES memories (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE INDEX memory_attributes_name ON memory_attributes (space_id, subject, holder, name);

ALTER TABLE memory_changes ADD COLUMN space_id TEXT;

ALTER TABLE memory_changes ADD COLUMN stage TEXT;

ALTER TABLE memory_changes ADD COLUMN planned BOOLEAN DEFAULT false NOT NULL;

UPDATE memory_changes c SET space_id = m.space_id FROM memories m WHERE m.id = c.memory_id;

CREATE INDEX memory_changes_space ON memory_changes (organisation_id, space_id, id);

CREATE INDEX memory_changes_operation ON memory_changes (operation_id, id) WHERE operation_id IS NOT NULL;

CREATE INDEX memories_superseded_by ON memories (superseded_by) WHERE superseded_by IS NOT NULL;

ALTER TABLE memories ADD COLUMN rests_on TEXT[];

CREATE INDEX memories_rests_on ON memories USING gin (rests_on) WHERE rests_on IS NOT NULL;
"""

# What was drawn from a memory says what it said: it goes with it, whoever deletes it.
DERIVED = """
CREATE FUNCTION delete_derived_memories() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
DECLARE
    ids text[];
BEGIN
    SELECT array_agg(id) INTO ids FROM gone;
    IF ids IS NOT NULL THEN
        DELETE FROM memories WHERE rests_on && ids;
        DELETE FROM memory_proposals WHERE memory_ids && ids;
    END IF;
    RETURN NULL;
END $$
"""
TRIGGER = """
CREATE TRIGGER memories_derived AFTER DELETE ON memories REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION delete_derived_memories()
"""


def upgrade() -> None:
    """Add the tables, protected like every tenant table, and what they need of those that are there."""
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
    op.execute(DERIVED)
    op.execute(TRIGGER)


def downgrade() -> None:
    """Drop all of it; what a dry run planned is no change, and insights stay as they are."""
    op.execute("DROP TRIGGER memories_derived ON memories")
    op.execute("DROP FUNCTION delete_derived_memories()")
    for index in ("memories_rests_on", "memories_superseded_by"):
        op.execute(f"DROP INDEX {index}")
    op.execute("DELETE FROM memory_changes WHERE planned")
    for index in ("memory_changes_operation", "memory_changes_space"):
        op.execute(f"DROP INDEX {index}")
    op.execute("ALTER TABLE memories DROP COLUMN rests_on")
    for column in ("planned", "stage", "space_id"):
        op.execute(f"ALTER TABLE memory_changes DROP COLUMN {column}")
    for table in reversed(TENANT_TABLES):
        op.execute(f"DROP TABLE {table}")
