"""Profiles, and memories that come from documents."""

from alembic import context, op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

CURRENT_ORGANISATION = "NULLIF(current_setting('app.organisation', true), '')"

# The lock comes first, in the order in which those who write take theirs.
# No text stands in an entry: a memory that is forgotten takes its entries along, whoever deletes it.
TABLES = """
LOCK TABLE documents, memories, spaces IN SHARE ROW EXCLUSIVE MODE;

CREATE TABLE profile_entries (
    memory_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    section TEXT NOT NULL,
    attribute TEXT NOT NULL,
    space_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    organisation_id TEXT NOT NULL,
    PRIMARY KEY (memory_id, subject, section, attribute),
    FOREIGN KEY(memory_id) REFERENCES memories (id) ON DELETE CASCADE,
    FOREIGN KEY(space_id) REFERENCES spaces (id) ON DELETE CASCADE,
    FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE INDEX profile_entries_subject ON profile_entries (space_id, subject, section, valid_from, memory_id);

ALTER TABLE memories ADD COLUMN document_id TEXT REFERENCES documents (id) ON DELETE CASCADE;

CREATE INDEX memories_document ON memories (document_id) WHERE document_id IS NOT NULL;

ALTER TABLE spaces ADD COLUMN remember_documents BOOLEAN DEFAULT false NOT NULL;
"""

# What a text states is found by the application; of memories that are here already, kind, subject and speaker tell.
FILL = """
INSERT INTO profile_entries (memory_id, subject, section, attribute, space_id, version, valid_from, organisation_id)
SELECT m.id, n.name, 'context', '', m.space_id, m.version, m.valid_from, m.organisation_id
FROM memories m JOIN LATERAL (SELECT m.subject AS name UNION SELECT m.speaker) n ON n.name <> ''
WHERE m.version_of IS NULL
UNION ALL
SELECT m.id, COALESCE(NULLIF(m.subject, ''), m.speaker), m.kind, '', m.space_id, m.version, m.valid_from,
    m.organisation_id
FROM memories m
WHERE m.version_of IS NULL AND m.kind IN ('fact', 'preference') AND COALESCE(NULLIF(m.subject, ''), m.speaker) <> ''
"""


def upgrade() -> None:
    """Add the table, protected like every tenant table, the columns, and entries of the memories that there are."""
    app_role = context.config.attributes["app_role"]
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    own = f"organisation_id = {CURRENT_ORGANISATION}"
    op.execute("ALTER TABLE profile_entries ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE profile_entries FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY organisation ON profile_entries USING ({own}) WITH CHECK ({own})")
    op.execute("CREATE POLICY maintenance ON profile_entries TO CURRENT_USER USING (true) WITH CHECK (true)")
    op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON profile_entries TO "{app_role}"')
    op.execute(FILL)


def downgrade() -> None:
    """Drop them."""
    op.execute("ALTER TABLE spaces DROP COLUMN remember_documents")
    op.execute("ALTER TABLE memories DROP COLUMN document_id")
    op.execute("DROP TABLE profile_entries")
