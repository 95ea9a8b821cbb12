"""Where data of people and organisations lie, and what becomes of each table when they are erased.

Every table of the models has a line here; a test holds it against the catalogue. A table that a plan forgets goes
with its organisation all the same: only what is named here is kept.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Table

from perdure.db.models import Row


class Fate(StrEnum):
    """What becomes of rows."""

    DELETED = "deleted"
    ANONYMISED = "anonymised"
    KEPT = "kept"


@dataclass(frozen=True)
class TablePlan:
    """What becomes of a table with its organisation, and with a person.

    Conditions are SQL over the parameters `organisation`, `operation` (the erasure itself), `person`, `actors` (the
    person and their API keys) and `people` (accounts that go when they are in no other organisation).
    """

    with_organisation: Fate = Fate.DELETED
    of_organisation: str = "organisation_id = :organisation"
    with_person: Fate = Fate.KEPT
    of_person: str | None = None
    link: str | None = None
    reason: str = ""
    is_exported: bool = True
    # Which rows an export shows, where that is more than what goes.
    exported: str | None = None
    secret_columns: frozenset[str] = frozenset()


# Erasures, this one and earlier ones, name the person by an id that leads nowhere; they go by age, as others do.
_OPERATIONS = (
    "SELECT o.id FROM operations o WHERE o.kind <> 'delete_user_data' AND o.id <> :operation "
    "AND (o.actor_id = ANY(:actors) "
    "OR (o.subject_type = 'user' AND o.subject_id = :person))"
)
# A version is whose operation brought it. A document is theirs when what is searchable of it is theirs, or all of it.
_OWN_VERSION = (
    "EXISTS (SELECT FROM operations o WHERE o.id = {version}.operation_id AND o.actor_id = ANY(:actors))"
)
_DOCUMENTS = f"""
    WITH RECURSIVE theirs AS (
        SELECT d.id FROM documents d WHERE EXISTS (
            SELECT FROM document_versions v
            WHERE v.document_id = d.id AND {_OWN_VERSION.format(version="v")}
                AND (v.number = d.version OR NOT EXISTS (
                    SELECT FROM document_versions w
                    WHERE w.document_id = d.id AND NOT {_OWN_VERSION.format(version="w")}
                ))
        )
        UNION
        SELECT c.id FROM documents c JOIN theirs t ON c.parent_id = t.id
    )
    SELECT id FROM theirs
"""
OWN_VERSIONS = f"""(
    document_versions.document_id IN ({_DOCUMENTS})
    OR {_OWN_VERSION.format(version="document_versions")}
)"""
OWN_OPERATIONS = f"id IN ({_OPERATIONS})"
OWN_DOCUMENTS = f"id IN ({_DOCUMENTS})"

# A memory is whose operation brought it.
_MEMORIES = f"SELECT m.id FROM memories m WHERE {_OWN_VERSION.format(version='m')}"

_ORGANISATIONS_OWN = "It belongs to the organisation, not to a person."
_OF_OPERATION = f"operation_id IN ({_OPERATIONS})"
_NOT_THIS_OPERATION = "organisation_id = :organisation AND operation_id <> :operation"
_AUDIT = (
    "It proves who did what (GDPR Art. 17(3)(b) and (e)). People stand in it by ids that lead nowhere any more; where "
    "they acted from is unreadable, because their key is gone."
)

PLANS: Mapping[str, TablePlan] = {
    "organisations": TablePlan(of_organisation="id = :organisation", reason=_ORGANISATIONS_OWN),
    "users": TablePlan(
        of_organisation=(
            "id = ANY(:people) AND NOT EXISTS "
            "(SELECT FROM find_memberships(users.id) m WHERE m.organisation_id <> :organisation)"
        ),
        with_person=Fate.DELETED,
        of_person=(
            "id = ANY(:people) AND NOT EXISTS "
            "(SELECT FROM find_memberships(users.id) m WHERE m.organisation_id <> :organisation)"
        ),
        exported="id = ANY(:people)",
        secret_columns=frozenset({"password_hash"}),
    ),
    "refresh_tokens": TablePlan(
        of_organisation="active_organisation_id = :organisation",
        with_person=Fate.DELETED,
        of_person="user_id = :person AND active_organisation_id = :organisation",
        secret_columns=frozenset({"token_hash"}),
    ),
    "sessions": TablePlan(
        of_organisation="active_organisation_id = :organisation",
        with_person=Fate.DELETED,
        of_person="user_id = :person AND active_organisation_id = :organisation",
        secret_columns=frozenset({"token_hash", "csrf_token"}),
    ),
    "login_attempts": TablePlan(
        with_organisation=Fate.KEPT,
        reason="Counts under a hash or an address, deleted within a day; they name nobody.",
        is_exported=False,
    ),
    "rate_limits": TablePlan(
        with_organisation=Fate.KEPT,
        reason="Counts under keyed hashes that tell nobody who it is, deleted within a day.",
        is_exported=False,
    ),
    "master_keys": TablePlan(
        with_organisation=Fate.KEPT, reason="The installation's own; nothing of anybody.", is_exported=False
    ),
    "memberships": TablePlan(with_person=Fate.DELETED, of_person="user_id = :person"),
    "quotas": TablePlan(reason=_ORGANISATIONS_OWN),
    "api_keys": TablePlan(
        with_person=Fate.DELETED, of_person="created_by = :person", secret_columns=frozenset({"key_hash"})
    ),
    "data_keys": TablePlan(reason=_ORGANISATIONS_OWN, is_exported=False),
    "organisation_secrets": TablePlan(
        with_person=Fate.ANONYMISED,
        of_person="created_by = :person",
        link="created_by",
        reason=_ORGANISATIONS_OWN,
        secret_columns=frozenset({"sealed"}),
    ),
    "operations": TablePlan(
        of_organisation="organisation_id = :organisation AND id <> :operation",
        with_person=Fate.DELETED,
        of_person=OWN_OPERATIONS,
    ),
    "operation_steps": TablePlan(
        of_organisation=_NOT_THIS_OPERATION, with_person=Fate.DELETED, of_person=_OF_OPERATION
    ),
    "operation_items": TablePlan(
        of_organisation=_NOT_THIS_OPERATION, with_person=Fate.DELETED, of_person=_OF_OPERATION
    ),
    "operation_events": TablePlan(
        of_organisation=_NOT_THIS_OPERATION, with_person=Fate.DELETED, of_person=_OF_OPERATION
    ),
    "idempotency_keys": TablePlan(
        with_person=Fate.DELETED,
        of_person=f"({_OF_OPERATION} OR response::text LIKE '%' || :person || '%')",
        is_exported=False,
    ),
    "spaces": TablePlan(reason=_ORGANISATIONS_OWN),
    "space_lexemes": TablePlan(
        reason="Shares of common words of a space, sampled anew without what the person brought.",
        is_exported=False,
    ),
    "documents": TablePlan(with_person=Fate.DELETED, of_person=OWN_DOCUMENTS),
    "document_versions": TablePlan(with_person=Fate.DELETED, of_person=OWN_VERSIONS),
    "chunks": TablePlan(
        with_person=Fate.DELETED,
        of_person=f"document_id IN ({_DOCUMENTS})",
        secret_columns=frozenset({"tsv"}),
    ),
    # Vectors are made of the passages, and can be made again: an export has the passages.
    "chunk_embeddings": TablePlan(
        with_person=Fate.DELETED,
        of_person=f"chunk_id IN (SELECT c.id FROM chunks c WHERE c.document_id IN ({_DOCUMENTS}))",
        is_exported=False,
    ),
    "exports": TablePlan(
        with_person=Fate.DELETED,
        # An archive of the whole organisation holds the person too: it goes, and can be made again.
        of_person=f"({_OF_OPERATION} OR subject_id = :person OR subject_type = 'organisation')",
        is_exported=False,
    ),
    "retention_rules": TablePlan(reason=_ORGANISATIONS_OWN),
    # What was drawn from a memory says what it said.
    "memories": TablePlan(
        with_person=Fate.DELETED,
        of_person=f"({_OWN_VERSION.format(version='memories')} OR memories.rests_on && ARRAY({_MEMORIES}))",
        secret_columns=frozenset({"tsv"}),
    ),
    "memory_embeddings": TablePlan(
        with_person=Fate.DELETED, of_person=f"memory_id IN ({_MEMORIES})", is_exported=False
    ),
    "profile_entries": TablePlan(with_person=Fate.DELETED, of_person=f"memory_id IN ({_MEMORIES})"),
    "memory_relations": TablePlan(
        with_person=Fate.DELETED, of_person=f"(source_id IN ({_MEMORIES}) OR target_id IN ({_MEMORIES}))"
    ),
    "memory_changes": TablePlan(
        with_person=Fate.DELETED, of_person=f"(memory_id IN ({_MEMORIES}) OR actor_id = ANY(:actors))"
    ),
    "memory_accesses": TablePlan(with_person=Fate.DELETED, of_person=f"memory_id IN ({_MEMORIES})"),
    "memory_evolutions": TablePlan(
        of_organisation=_NOT_THIS_OPERATION, with_person=Fate.DELETED, of_person=_OF_OPERATION
    ),
    "memory_evolution_stages": TablePlan(
        of_organisation=_NOT_THIS_OPERATION, with_person=Fate.DELETED, of_person=_OF_OPERATION
    ),
    "memory_evolution_settings": TablePlan(reason=_ORGANISATIONS_OWN),
    "memory_proposals": TablePlan(
        with_person=Fate.DELETED,
        of_person=f"(memory_ids && ARRAY({_MEMORIES}) OR decided_by = ANY(:actors))",
    ),
    "memory_attributes": TablePlan(
        with_person=Fate.DELETED, of_person=f"memory_id IN ({_MEMORIES})", is_exported=False
    ),
    "memory_requests": TablePlan(
        of_organisation=_NOT_THIS_OPERATION,
        with_person=Fate.DELETED,
        of_person=_OF_OPERATION,
        secret_columns=frozenset({"vectors"}),
    ),
    "memory_tombstones": TablePlan(
        reason="Digests of texts that are to stay forgotten; no text and no name can be read in them.",
        is_exported=False,
    ),
    "memory_recalls": TablePlan(with_person=Fate.DELETED, of_person="actor_id = ANY(:actors)"),
    "memory_people": TablePlan(
        with_person=Fate.DELETED,
        of_person=(
            "NOT EXISTS (SELECT FROM memories m WHERE m.space_id = memory_people.space_id "
            "AND (m.speaker = memory_people.name OR m.subject = memory_people.name) "
            f"AND NOT {_OWN_VERSION.format(version='m')})"
        ),
    ),
    "memory_lexemes": TablePlan(
        reason="Shares of common words of a space, sampled anew without what the person brought.",
        is_exported=False,
    ),
    "provider_keys": TablePlan(
        with_person=Fate.ANONYMISED,
        of_person="created_by = :person",
        link="created_by",
        reason=_ORGANISATIONS_OWN,
        secret_columns=frozenset({"sealed"}),
    ),
    "provider_routes": TablePlan(reason=_ORGANISATIONS_OWN),
    "provider_circuits": TablePlan(
        reason="How a provider has failed lately; nothing of anybody.", is_exported=False
    ),
    "provider_budgets": TablePlan(reason=_ORGANISATIONS_OWN),
    "provider_spending": TablePlan(reason=_ORGANISATIONS_OWN),
    "provider_reservations": TablePlan(
        reason="What calls under way may cost, for minutes; nothing of anybody.", is_exported=False
    ),
    "ai_processing_logs": TablePlan(
        reason="What calls of models took; operations stand in it by ids, and no text does."
    ),
    "classification_workflows": TablePlan(
        with_person=Fate.ANONYMISED,
        of_person="created_by = :person",
        link="created_by",
        reason=_ORGANISATIONS_OWN,
    ),
    "classification_versions": TablePlan(
        with_person=Fate.ANONYMISED,
        of_person="created_by = :person",
        link="created_by",
        reason=_ORGANISATIONS_OWN,
    ),
    "classification_batches": TablePlan(
        of_organisation=_NOT_THIS_OPERATION, with_person=Fate.DELETED, of_person=_OF_OPERATION
    ),
    # Vectors are made of the texts, and can be made again.
    "classification_results": TablePlan(
        of_organisation=_NOT_THIS_OPERATION,
        with_person=Fate.DELETED,
        of_person=f"({_OF_OPERATION} OR document_id IN ({_DOCUMENTS}))",
        secret_columns=frozenset({"vector", "held"}),
    ),
    "classification_reviews": TablePlan(
        with_person=Fate.DELETED,
        of_person=(
            "(reviewed_by = ANY(:actors) OR result_id IN (SELECT r.id FROM classification_results r "
            f"WHERE r.operation_id IN ({_OPERATIONS}) OR r.document_id IN ({_DOCUMENTS})))"
        ),
    ),
    "classification_examples": TablePlan(
        with_person=Fate.DELETED,
        of_person=f"(actor_id = ANY(:actors) OR document_id IN ({_DOCUMENTS}))",
        secret_columns=frozenset({"vector"}),
    ),
    "document_workflows": TablePlan(
        with_person=Fate.ANONYMISED,
        of_person="created_by = :person",
        link="created_by",
        reason=_ORGANISATIONS_OWN,
    ),
    "document_workflow_versions": TablePlan(
        with_person=Fate.ANONYMISED,
        of_person="created_by = :person",
        link="created_by",
        reason=_ORGANISATIONS_OWN,
    ),
    "workflow_executions": TablePlan(
        of_organisation=_NOT_THIS_OPERATION,
        with_person=Fate.DELETED,
        of_person=f"({_OF_OPERATION} OR document_id IN ({_DOCUMENTS}))",
    ),
    "workflow_execution_steps": TablePlan(
        with_person=Fate.DELETED,
        of_person=(
            "execution_id IN (SELECT e.id FROM workflow_executions e "
            f"WHERE e.operation_id IN ({_OPERATIONS}) OR e.document_id IN ({_DOCUMENTS}))"
        ),
    ),
    "workflow_step_answers": TablePlan(
        with_person=Fate.DELETED,
        of_person=(
            "execution_id IN (SELECT e.id FROM workflow_executions e "
            f"WHERE e.operation_id IN ({_OPERATIONS}) OR e.document_id IN ({_DOCUMENTS}))"
        ),
    ),
    # What was decided is the organisation's: in what others asked for, who decided is an id that leads nowhere.
    "workflow_approvals": TablePlan(
        of_organisation=_NOT_THIS_OPERATION,
        with_person=Fate.DELETED,
        of_person=f"({_OF_OPERATION} OR document_id IN ({_DOCUMENTS}) OR requester = 'user:' || :person)",
    ),
    "approval_assignees": TablePlan(with_person=Fate.DELETED, of_person="person = 'user:' || :person"),
    "approval_comments": TablePlan(with_person=Fate.DELETED, of_person="person = 'user:' || :person"),
    "approval_effects": TablePlan(
        reason="That something happened once, by ids and hashes.", is_exported=False
    ),
    "webhook_endpoints": TablePlan(
        with_person=Fate.ANONYMISED,
        of_person="created_by = :person",
        link="created_by",
        reason=_ORGANISATIONS_OWN,
        secret_columns=frozenset({"sealed_url", "sealed_secret", "sealed_previous_secret"}),
    ),
    # What was said to a person, or of them to a program: ids of people stand in references and events.
    "messages": TablePlan(
        with_person=Fate.DELETED,
        of_person=(
            "(recipient = 'user:' || :person "
            "OR recipient = 'email:' || (SELECT u.email FROM users u WHERE u.id = :person) "
            "OR body LIKE '%' || :person || '%' "
            "OR reference::text LIKE '%' || :person || '%')"
        ),
        secret_columns=frozenset({"body", "sealed_recipient"}),
    ),
    "audit_events": TablePlan(
        with_organisation=Fate.KEPT,
        of_person="(person_id = :person OR actor_id = ANY(:actors) OR subject_id = :person)",
        reason=_AUDIT,
    ),
    "audit_heads": TablePlan(with_organisation=Fate.KEPT, reason=_AUDIT, is_exported=False),
    "audit_person_keys": TablePlan(
        with_person=Fate.DELETED,
        of_person="user_id = :person",
        is_exported=False,
        secret_columns=frozenset({"key"}),
    ),
    "erasures": TablePlan(
        with_organisation=Fate.KEPT,
        reason="It proves that an erasure took place (GDPR Art. 5(2)); it holds ids and counts only.",
        is_exported=False,
    ),
}


def plan_of(table: Table) -> TablePlan:
    """What becomes of a table; one that has no line goes with its organisation."""
    return PLANS.get(table.name, TablePlan())


# By these it is known what else is somebody's.
_LAST = ("operations", "users", "organisations")


def exported_condition(table: Table, *, of_person: bool) -> str | None:
    """Which rows of a table an export has; None when none has a place in it."""
    plan = plan_of(table)
    if not plan.is_exported:
        return None
    condition = plan.of_person if of_person else plan.of_organisation
    return (plan.exported or condition) if condition else None


def children_first() -> Iterator[Table]:
    """All tables, each before those it refers to, and before those by which its rows are known."""
    tables = list(reversed(Row.metadata.sorted_tables))
    yield from (table for table in tables if table.name not in _LAST)
    yield from (Row.metadata.tables[name] for name in _LAST)
