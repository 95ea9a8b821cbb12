"""What an export shows of a person or an organisation: rows of every table, and which files belong to what.

Tables are found in the models, and what is shown of each in `personal_data`; the caller owns the transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    Column,
    Table,
    Text,
    TextClause,
    bindparam,
    func,
    literal,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.erasure_repository import PersonalData, Scope
from perdure.db.keyring import Keyring
from perdure.db.models import AuditEventRow, AuditPersonKeyRow, ExportRow, Row
from perdure.db.personal_data import OWN_VERSIONS, PLANS, exported_condition, plan_of
from perdure.domain.audit_origins import open_origin
from perdure.domain.sealing import Place
from perdure.errors import SealedValueError
from perdure.schemas.privacy import SubjectType

PAGE = 250

_TAKEN = text(
    """
    SELECT key FROM unnest(CAST(:keys AS text[])) AS key
    WHERE EXISTS (SELECT FROM document_versions v WHERE v.object_key = key OR v.text_key = key)
    """
)


@dataclass(frozen=True)
class VersionFiles:
    """Where the original of a version lies, and the text that was read from it."""

    version_id: str
    document_id: str
    number: int
    name: str
    media_type: str | None
    object_key: str | None
    text_key: str | None


@dataclass(frozen=True)
class RowPage:
    """Rows in the order of the primary key; `last` is where the next page begins, None after the last one."""

    rows: Sequence[Mapping[str, Any]]
    last: list[Any] | None
    unreadable: int = 0


def exported_tables(scope: Scope) -> list[Table]:
    """The tables an export of this scope has, by name."""
    of_person = scope.person is not None
    tables = Row.metadata.tables.values()
    found = [table for table in tables if exported_condition(table, of_person=of_person)]
    return sorted(found, key=lambda table: table.name)


def left_out(scope: Scope) -> dict[str, str]:
    """What an export leaves out on purpose, and why."""
    tables = sorted(Row.metadata.tables.values(), key=lambda table: table.name)
    told = {
        f"{table.name}.{column}": "a secret, a hash of one, or an index that is made of the rest"
        for table in tables
        for column in sorted(plan_of(table).secret_columns)
        if plan_of(table).is_exported
    }
    told |= {
        table.name: plan_of(table).reason or "made of the rest, or of use to the installation alone"
        for table in tables
        if not plan_of(table).is_exported
    }
    if scope.person is not None:
        told |= {
            table.name: "belongs to the organisation: its owner's export has it"
            for table in tables
            if plan_of(table).is_exported and exported_condition(table, of_person=True) is None
        }
    told["histories in Temporal"] = (
        "what went into operations and came out of them is in data/operations.jsonl"
    )
    return told


class ExportedRows:
    """Rows of one scope."""

    def __init__(self, session: AsyncSession, scope: Scope, keyring: Keyring) -> None:
        self._session, self._scope, self._keyring = session, scope, keyring

    def _condition(self, table: Table) -> TextClause:
        condition = exported_condition(table, of_person=self._scope.person is not None) or "false"
        return self._bound(f"({condition})")

    def _bound(self, statement: str, **more: Any) -> TextClause:
        given = {**self._scope.parameters(), **more}
        parameters = [
            bindparam(name, value, type_=ARRAY(Text) if isinstance(value, list) else None)
            for name, value in given.items()
            if f":{name}" in statement
        ]
        return text(statement).bindparams(*parameters)

    async def count(self, table: Table) -> int:
        """How many rows of a table the export has."""
        statement = select(func.count()).select_from(table).where(self._condition(table))
        return (await self._session.execute(statement)).scalar_one()

    async def page(self, table: Table, after: Sequence[Any] | None) -> RowPage:
        """The next rows."""
        key = list(table.primary_key.columns)
        shown = _shown(table)
        hidden = [column for column in key if column not in set(shown)]
        statement = select(*shown, *hidden).where(self._condition(table)).order_by(*key).limit(PAGE)
        if after is not None:
            given = [literal(value, column.type) for value, column in zip(after, key, strict=True)]
            statement = statement.where(tuple_(*key) > tuple_(*given))
        found = (await self._session.execute(statement)).mappings().all()
        names = [column.name for column in shown]
        rows, unreadable = await self._opened(table, [{name: row[name] for name in names} for row in found])
        last = [found[-1][column.name] for column in key] if len(found) == PAGE else None
        if table.name == AuditEventRow.__tablename__:
            await self._tell_origins(rows)
        return RowPage(rows, last, unreadable)

    async def _opened(self, table: Table, rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], int]:
        """Sealed values, opened; one that does not open is null, and counted."""
        unreadable = 0
        for column in (column for column in _shown(table) if column.info.get("sealed")):
            for row in rows:
                if row[column.name] is None:
                    continue
                place = Place(self._scope.organisation_id, table.name, column.name, row["id"])
                try:
                    opened = await self._keyring.open(self._session, place, row[column.name])
                    row[column.name] = opened.decode(errors="replace")
                except SealedValueError:
                    row[column.name] = None
                    unreadable += 1
        return rows, unreadable

    async def _tell_origins(self, rows: list[dict[str, Any]]) -> None:
        """From where people acted, which the trail keeps under keys of theirs; of others a person learns nothing."""
        person = self._scope.person
        people = {row["person_id"] for row in rows if person in {None, row["person_id"]}}
        statement = select(AuditPersonKeyRow).where(AuditPersonKeyRow.user_id.in_(people))
        keys = {row.user_id: row.key for row in await self._session.scalars(statement)}
        for row in rows:
            key, origin = keys.get(row["person_id"]), row["origin"]
            is_known = key is not None and origin is not None
            row["address"] = (
                open_origin(origin, str(key), row["organisation_id"], row["sequence"]) if is_known else None
            )

    async def versions(self, after: str) -> Sequence[VersionFiles]:
        """Files of documents, by id of the version."""
        condition = OWN_VERSIONS if self._scope.person is not None else "organisation_id = :organisation"
        statement = self._bound(
            f"""
            SELECT id, document_id, number, COALESCE(source ->> 'name', '') AS name, media_type, object_key, text_key
            FROM document_versions WHERE {condition} AND id > :after ORDER BY id LIMIT :page
            """,
            after=after,
            page=PAGE,
        )
        return [VersionFiles(*row) for row in await self._session.execute(statement)]

    async def other_keys(self, keys: Sequence[str]) -> list[str]:
        """Those of some objects that belong to no version of a document."""
        taken = set(await self._session.scalars(_TAKEN, {"keys": list(keys)}))
        return [key for key in keys if key not in taken]

    async def referred_to(self, after: str) -> Sequence[str]:
        """Keys of objects that only the person's rows refer to, page by page."""
        return await PersonalData(self._session, self._scope).object_keys(after)


def _shown(table: Table) -> list[Column[Any]]:
    hidden = PLANS[table.name].secret_columns if table.name in PLANS else frozenset()
    return [column for column in table.columns if column.name not in hidden]


class ExportRepository:
    """Archives that were made."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def add(self, scope: Scope, size_bytes: int, sha256: str, lifetime: timedelta) -> ExportRow:
        """Note an archive; a second time it stays as it is."""
        await self._session.execute(
            insert(ExportRow)
            .values(
                operation_id=scope.operation_id,
                organisation_id=self._organisation_id,
                subject_type=scope.subject.type,
                subject_id=scope.subject.id,
                size_bytes=size_bytes,
                sha256=sha256,
                expires_at=func.now() + lifetime,
            )
            .on_conflict_do_nothing(index_elements=["operation_id"])
        )
        statement = select(ExportRow).where(ExportRow.operation_id == scope.operation_id)
        return (await self._session.scalars(statement)).one()

    async def get(self, operation_id: str) -> ExportRow | None:
        """One archive, unless it has expired."""
        statement = select(ExportRow).where(
            ExportRow.operation_id == operation_id, ExportRow.expires_at > func.now()
        )
        return (await self._session.scalars(statement)).one_or_none()

    async def list(self, *, subject_id: str | None, after: str | None, limit: int) -> Sequence[ExportRow]:
        """Archives that have not expired, newest first; of one subject, or all."""
        statement = (
            select(ExportRow)
            .where(
                ExportRow.organisation_id == self._organisation_id,
                ExportRow.expires_at > func.now(),
            )
            .order_by(ExportRow.operation_id.desc())
            .limit(limit)
        )
        if subject_id is not None:
            statement = statement.where(ExportRow.subject_id == subject_id)
        if after is not None:
            statement = statement.where(ExportRow.operation_id < after)
        return (await self._session.scalars(statement)).all()

    async def of_organisation(self) -> Sequence[str]:
        """Archives of the whole organisation, those included that have expired."""
        statement = select(ExportRow.operation_id).where(
            ExportRow.organisation_id == self._organisation_id,
            ExportRow.subject_type == SubjectType.ORGANISATION.value,
        )
        return (await self._session.scalars(statement)).all()

    async def expired(self, now: datetime, limit: int) -> Sequence[str]:
        """Archives whose time is over."""
        statement = (
            select(ExportRow.operation_id)
            .where(ExportRow.organisation_id == self._organisation_id, ExportRow.expires_at <= now)
            .order_by(ExportRow.operation_id)
            .limit(limit)
        )
        return (await self._session.scalars(statement)).all()
