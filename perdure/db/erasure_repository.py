"""What is known of a person or an organisation: counted, deleted in batches; the caller owns the transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Text, bindparam, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.document_repository import DocumentRepository
from perdure.db.models import (
    ApiKeyRow,
    AuditEventRow,
    ErasureRow,
    MembershipRow,
    OperationRow,
    OrganisationRow,
)
from perdure.db.personal_data import (
    OWN_DOCUMENTS,
    OWN_OPERATIONS,
    OWN_VERSIONS,
    PLANS,
    Fate,
    children_first,
    plan_of,
)
from perdure.db.statistics_repository import MEMORIES, StatisticsRepository
from perdure.schemas.operations import OperationStatus, Subject
from perdure.schemas.privacy import Amounts, Kept, SubjectType

BATCH_ROWS = 5_000
BATCH_DOCUMENTS = 100
PAGE = 1_000

_COUNT_MEMORIES = """
    UPDATE spaces s SET memory_count = c.size FROM (
        SELECT s.id, (SELECT count(*) FROM memories m WHERE m.space_id = s.id) AS size FROM spaces s
    ) c WHERE c.id = s.id AND s.memory_count <> c.size
"""
_OWN_OPERATION = (
    "Its progress and result can be read until operations of its age are deleted; it names the person by an id that "
    "leads nowhere any more."
)
# They go when everything else is gone: with the organisation's own row.
_LAST = "organisations"


@dataclass(frozen=True)
class Scope:
    """Whose data: a person's in one organisation, or, without a `person`, all of the organisation."""

    organisation_id: str
    operation_id: str
    person: str | None
    actors: Sequence[str] = ()
    people: Sequence[str] = ()

    @property
    def subject(self) -> Subject:
        """As an operation's subject."""
        if self.person is None:
            return Subject(type=SubjectType.ORGANISATION.value, id=self.organisation_id)
        return Subject(type=SubjectType.USER.value, id=self.person)

    def parameters(self) -> dict[str, Any]:
        """What the conditions of the plans refer to."""
        return {
            "organisation": self.organisation_id,
            "operation": self.operation_id,
            "person": self.person,
            "actors": list(self.actors),
            "people": list(self.people),
        }


def condition_of(table: str, scope: Scope) -> str | None:
    """Which rows of a table the scope is about; None when none is."""
    plan = PLANS[table]
    return plan.of_organisation if scope.person is None else plan.of_person


def fate_of(table: str, scope: Scope) -> Fate:
    """What becomes of them."""
    plan = PLANS[table]
    return plan.with_organisation if scope.person is None else plan.with_person


class PersonalData:
    """Rows of one scope, table by table."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope

    def _tables(self, fate: Fate) -> Iterable[tuple[str, str]]:
        """Names of the tables of this fate with the condition for their rows, children first."""
        for table in children_first():
            plan = plan_of(table)
            if self._scope.person is None:
                found, condition = plan.with_organisation, plan.of_organisation
            else:
                found, condition = plan.with_person, plan.of_person or ""
            if found is fate and condition and table.name != _LAST:
                yield table.name, condition

    async def _execute(self, statement: str, **more: Any) -> Any:
        types = [
            bindparam(name, type_=ARRAY(Text)) for name in ("actors", "people") if f":{name}" in statement
        ]
        given = {**self._scope.parameters(), **more}
        used = {name: value for name, value in given.items() if f":{name}" in statement}
        return await self._session.execute(text(statement).bindparams(*types), used)

    async def count(self, fate: Fate = Fate.DELETED) -> dict[str, int]:
        """How many rows there are, by table; tables without any are left out."""
        found = {}
        for table, condition in self._tables(fate):
            count = (await self._execute(f"SELECT count(*) FROM {table} WHERE {condition}")).scalar_one()
            if count:
                found[table] = count
        return found

    async def delete_batch(self) -> int:
        """Delete up to 5,000 rows of the first table that has some; how many. Nothing is left at 0."""
        for table, condition in self._tables(Fate.DELETED):
            deleted = await self._execute(
                f"DELETE FROM {table} WHERE ctid = ANY(ARRAY("
                f"SELECT ctid FROM {table} WHERE {condition} LIMIT :batch)) RETURNING 1",
                batch=BATCH_ROWS,
            )
            count = len(deleted.all())
            if count:
                return count
        return 0

    async def end_access(self) -> None:
        """Let nobody of the scope in any more: log-ins end, keys are revoked, memberships go."""
        for table in ("refresh_tokens", "sessions", "memberships"):
            await self._execute(f"DELETE FROM {table} WHERE {condition_of(table, self._scope)}")
        revoked = "UPDATE api_keys SET revoked_at = now() WHERE revoked_at IS NULL AND "
        await self._execute(f"{revoked} {condition_of('api_keys', self._scope)}")

    async def anonymise(self) -> None:
        """Cut the links to the person."""
        for table, condition in self._tables(Fate.ANONYMISED):
            await self._execute(f"UPDATE {table} SET {PLANS[table].link} = NULL WHERE {condition}")

    async def delete_documents(self) -> int:
        """Delete up to 100 of the person's documents with all that hangs on them; how many there were."""
        rows = await self._execute(
            f"SELECT id FROM documents WHERE {OWN_DOCUMENTS} ORDER BY id LIMIT :batch", batch=BATCH_DOCUMENTS
        )
        ids = list(rows.scalars())
        documents = DocumentRepository(self._session, self._scope.organisation_id)
        for document_id in ids:
            await documents.delete(document_id)
        return len(ids)

    async def forget_words(self) -> None:
        """Sample the word statistics of spaces anew, without what is gone."""
        statement = "SELECT id, chunk_count FROM spaces WHERE sampled_chunk_count > 0 ORDER BY id"
        statistics = StatisticsRepository(self._session, self._scope.organisation_id)
        for space_id, chunk_count in (await self._execute(statement)).all():
            await statistics.refresh(space_id, chunk_count)
        await self._execute(_COUNT_MEMORIES)
        statement = "SELECT id, memory_count FROM spaces WHERE sampled_memory_count > 0 ORDER BY id"
        statistics = StatisticsRepository(self._session, self._scope.organisation_id, MEMORIES)
        for space_id, memory_count in (await self._execute(statement)).all():
            await statistics.refresh(space_id, memory_count)

    async def object_keys(self, after: str) -> Sequence[str]:
        """Keys of stored objects that only the person's rows refer to, in order; at most 1,000."""
        rows = await self._execute(
            f"""
            SELECT DISTINCT key FROM (
                SELECT unnest(ARRAY[object_key, text_key]) AS key FROM document_versions WHERE {OWN_VERSIONS}
                UNION ALL
                SELECT input #>> '{{source,object_key}}' FROM operations WHERE {OWN_OPERATIONS}
            ) keys
            WHERE key > :after AND NOT EXISTS (
                SELECT FROM document_versions
                WHERE (object_key = key OR text_key = key) AND NOT {OWN_VERSIONS}
            )
            ORDER BY key LIMIT :batch
            """,
            after=after,
            batch=PAGE,
        )
        found: Sequence[str] = rows.scalars().all()
        return found

    async def own_operations(self, ids: Iterable[str]) -> set[str]:
        """Those of some operations that are in the scope, other than the erasure itself."""
        condition = OWN_OPERATIONS if self._scope.person is not None else "id <> :operation"
        statement = text(f"SELECT id FROM operations WHERE id = ANY(:ids) AND {condition}").bindparams(
            *[
                bindparam(name, type_=ARRAY(Text))
                for name in ("ids", "actors")
                if name == "ids" or f":{name}" in condition
            ]
        )
        given = {**self._scope.parameters(), "ids": list(ids)}
        used = {name: value for name, value in given.items() if f":{name}" in str(statement)}
        return set(await self._session.scalars(statement, used))

    async def close_operations(self) -> Sequence[OperationRow]:
        """Note up to 1,000 open operations as cancelled, so that nobody starts them again; which they were."""
        condition = OWN_OPERATIONS if self._scope.person is not None else "id <> :operation"
        rows = await self._execute(
            f"""
            UPDATE operations SET status = :cancelled, closed_at = clock_timestamp()
            WHERE id IN (
                SELECT id FROM operations WHERE closed_at IS NULL AND {condition} ORDER BY id LIMIT :batch FOR UPDATE
            ) RETURNING id
            """,
            cancelled=OperationStatus.CANCELLED.value,
            batch=PAGE,
        )
        ids = list(rows.scalars())
        statement = select(OperationRow).where(OperationRow.id.in_(ids))
        return (await self._session.scalars(statement)).all()


class ErasureRepository:
    """Records of erasures, which outlive what they are about."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def knows(self, person: str) -> bool:
        """Whether anything here is, or was, of this user."""
        conditions = (
            select(MembershipRow.user_id).where(MembershipRow.user_id == person),
            select(OperationRow.id).where(OperationRow.actor_id == person),
            select(ApiKeyRow.id).where(ApiKeyRow.created_by == person),
            select(AuditEventRow.sequence).where(
                AuditEventRow.organisation_id == self._organisation_id, AuditEventRow.person_id == person
            ),
            select(AuditEventRow.sequence).where(
                AuditEventRow.organisation_id == self._organisation_id, AuditEventRow.subject_id == person
            ),
        )
        for condition in conditions:
            if (await self._session.execute(condition.limit(1))).first() is not None:
                return True
        return False

    async def scope(self, operation_id: str, person: str | None) -> Scope:
        """Whom an erasure is about: its record says it, so that a later look finds those too who are gone."""
        row = await self.get(operation_id)
        if row is not None:
            return Scope(self._organisation_id, operation_id, person, row.actors, row.people)
        if person is None:
            members = select(MembershipRow.user_id).order_by(MembershipRow.user_id)
            return Scope(
                self._organisation_id, operation_id, None, (), list(await self._session.scalars(members))
            )
        keys = select(ApiKeyRow.id).where(ApiKeyRow.created_by == person).order_by(ApiKeyRow.id)
        actors = [person, *await self._session.scalars(keys)]
        return Scope(self._organisation_id, operation_id, person, actors, [person])

    async def begin(self, scope: Scope, found: Amounts) -> None:
        """Write the record; a second time it stays as it is."""
        await self._session.execute(
            insert(ErasureRow)
            .values(
                operation_id=scope.operation_id,
                organisation_id=scope.organisation_id,
                subject_type=scope.subject.type,
                subject_id=scope.subject.id,
                actors=list(scope.actors),
                people=list(scope.people),
                found=found.model_dump(mode="json"),
            )
            .on_conflict_do_nothing(index_elements=["operation_id"])
        )

    async def get(self, operation_id: str, *, lock: bool = False) -> ErasureRow | None:
        """The record of an erasure."""
        return await self._session.get(ErasureRow, operation_id, with_for_update=lock or None)

    async def add_found(self, operation_id: str, found: Amounts) -> Amounts:
        """Note what was found beyond what is noted; all that was ever found."""
        row = await self.get(operation_id, lock=True)
        if row is None or row.completed_at is not None:
            return found
        merged = Amounts.model_validate(row.found).or_more(found)
        row.found = merged.model_dump(mode="json")
        await self._session.flush()
        return merged

    async def complete(
        self, operation_id: str, completed_at: datetime, receipt: dict[str, Any], signature: str
    ) -> None:
        """Write the receipt, for good."""
        await self._session.execute(
            update(ErasureRow)
            .where(ErasureRow.operation_id == operation_id)
            .values(completed_at=completed_at, receipt=receipt, signature=signature, actors=[], people=[])
        )

    async def delete_organisation(self) -> None:
        """Delete the organisation's own row, and with it the operation that erases it."""
        await self._session.execute(
            delete(OrganisationRow).where(OrganisationRow.id == self._organisation_id)
        )

    async def now(self) -> datetime:
        """The database's clock."""
        now: datetime = (await self._session.execute(select(func.clock_timestamp()))).scalar_one()
        return now


def kept(scope: Scope) -> list[Kept]:
    """What stays, and why."""
    tables = [
        Kept(what=name, reason=plan.reason)
        for name, plan in sorted(PLANS.items())
        if fate_of(name, scope) is not Fate.DELETED
    ]
    if scope.person is None:
        return tables
    return [*tables, Kept(what="the erasure's own operation", reason=_OWN_OPERATION)]
