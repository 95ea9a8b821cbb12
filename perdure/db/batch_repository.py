"""Items of batch operations; the caller owns the transaction."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, func, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.document_repository import DocumentRepository, Source
from perdure.db.models import DocumentRow, DocumentVersionRow, OperationItemRow
from perdure.db.quota_repository import QuotaRepository
from perdure.domain.ids import new_id
from perdure.domain.quotas import Quota
from perdure.schemas.documents import SETTLED, BatchItem, DocumentJob, DocumentStatus, Reason

_SETTLED = [status.value for status in SETTLED]
_REFUSE = text(
    "UPDATE operation_items SET status = 'failed', reason = :reason, detail = :detail, updated_at = now() "
    "WHERE operation_id = :operation_id AND ordinal = :ordinal"
)
_LINK = text(
    """
    UPDATE operation_items i SET document_id = r.document_id, version_id = r.version_id
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (ordinal integer, document_id text, version_id text)
    WHERE i.operation_id = :operation_id AND i.ordinal = r.ordinal
    """
)


@dataclass(frozen=True)
class OpenItem:
    """An item of a page that is not settled, with the document that it became."""

    item: BatchItem
    job: DocumentJob


class BatchRepository:
    """Items of the organisation of the session."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session = session
        self._organisation_id = organisation_id

    async def add_items(self, operation_id: str, items: Sequence[BatchItem]) -> None:
        """Insert items as queued, or failed when refused; those that are there already stay as they are."""
        statement = upsert(OperationItemRow).on_conflict_do_nothing(
            index_elements=["operation_id", "ordinal"]
        )
        await self._session.execute(
            statement,
            [
                {
                    "organisation_id": self._organisation_id,
                    "operation_id": operation_id,
                    "ordinal": item.ordinal,
                    "name": item.name,
                    "source": {"url": item.url} if item.url else {},
                    "status": (DocumentStatus.FAILED if item.refusal else DocumentStatus.QUEUED).value,
                    "reason": Reason.LEFT_OUT.value if item.refusal else None,
                    "detail": item.refusal,
                }
                for item in items
            ],
        )

    async def settled(self, operation_id: str) -> tuple[int, int]:
        """How many items are settled, of how many."""
        done = func.count(case((OperationItemRow.status.in_(_SETTLED), 1)))
        statement = select(done, func.count()).where(OperationItemRow.operation_id == operation_id)
        settled, total = (await self._session.execute(statement)).one()
        return settled, total

    async def outcomes(self, operation_id: str) -> dict[str, int]:
        """Items by status."""
        statement = (
            select(OperationItemRow.status, func.count())
            .where(OperationItemRow.operation_id == operation_id)
            .group_by(OperationItemRow.status)
            .order_by(OperationItemRow.status)
        )
        return dict((await self._session.execute(statement)).all())

    async def open_items(
        self, operation_id: str, items: Sequence[BatchItem], spaces: Mapping[str, str]
    ) -> list[OpenItem]:
        """Items that are not settled, each with its document; documents are made where there is none yet."""
        ordinals = [item.ordinal for item in items]
        rows = {
            row.ordinal: row
            for row in await self._session.scalars(
                select(OperationItemRow)
                .where(OperationItemRow.operation_id == operation_id, OperationItemRow.ordinal.in_(ordinals))
                .with_for_update()
            )
        }
        open_items: list[OpenItem] = []
        new: list[OpenItem] = []
        documents = DocumentRepository(self._session, self._organisation_id)
        unsettled = [item for item in items if DocumentStatus(rows[item.ordinal].status) not in SETTLED]
        fresh = [item for item in unsettled if not rows[item.ordinal].document_id]
        refused = await self._refuse(operation_id, fresh)
        for item in unsettled:
            row = rows[item.ordinal]
            if item.ordinal in refused:
                continue
            if row.document_id and row.version_id:
                open_items.append(OpenItem(item, self._job(operation_id, row.document_id, row.version_id)))
            elif item.fields.external_id is None:
                new.append(OpenItem(item, self._job(operation_id, new_id("doc"), new_id("ver"))))
            else:
                accepted = await documents.accept(
                    item.fields,
                    _source(item),
                    space_id=spaces[item.fields.space],
                    operation_id=operation_id,
                    default_title=item.name,
                )
                job = self._job(operation_id, accepted.document_id, accepted.version_id)
                await self._link(operation_id, [OpenItem(item, job)])
                open_items.append(OpenItem(item, job))
        if new:
            await self._insert(operation_id, new, spaces)
            await self._link(operation_id, new)
        return sorted([*open_items, *new], key=lambda entry: entry.item.ordinal)

    async def _refuse(self, operation_id: str, items: Sequence[BatchItem]) -> set[int]:
        """Settle the items for which the organisation's quotas leave no room; their ordinals."""
        quotas = QuotaRepository(self._session, self._organisation_id)
        if not items or not await quotas.limits():
            return set()
        places, room = await quotas.room(Quota.DOCUMENTS), await quotas.room(Quota.STORED_BYTES)
        known = await quotas.known((item.fields.space, item.fields.external_id) for item in items)
        refused: dict[int, str] = {}
        for item in items:
            named = (item.fields.space, item.fields.external_id)
            size_bytes = max(1, len((item.text or "").encode()))
            is_new = named not in known
            if is_new and places is not None and places < 1:
                refused[item.ordinal] = Quota.DOCUMENTS.value
            elif room is not None and room < size_bytes:
                refused[item.ordinal] = Quota.STORED_BYTES.value
            else:
                places = places - is_new if places is not None else None
                room = room - size_bytes if room is not None else None
                known |= {named} if named[1] is not None else set()
        if refused:
            connection = await self._session.connection()
            await connection.execute(
                _REFUSE,
                [
                    {
                        "operation_id": operation_id,
                        "ordinal": ordinal,
                        "reason": Reason.QUOTA_EXCEEDED.value,
                        "detail": f"the organisation's quota '{quota}' leaves no room for it",
                    }
                    for ordinal, quota in refused.items()
                ],
            )
        return set(refused)

    def _job(self, operation_id: str, document_id: str, version_id: str) -> DocumentJob:
        return DocumentJob(
            organisation_id=self._organisation_id,
            operation_id=operation_id,
            document_id=document_id,
            version_id=version_id,
        )

    async def _insert(self, operation_id: str, new: Sequence[OpenItem], spaces: Mapping[str, str]) -> None:
        shared: dict[str, Any] = {
            "organisation_id": self._organisation_id,
            "operation_id": operation_id,
            "status": DocumentStatus.QUEUED.value,
        }
        await self._session.execute(
            insert(DocumentRow),
            [
                {
                    **shared,
                    "id": entry.job.document_id,
                    "space_id": spaces[entry.item.fields.space],
                    "title": entry.item.fields.title or entry.item.name,
                    "metadata_": entry.item.fields.metadata,
                    "source_type": entry.item.fields.source_type,
                    "language": entry.item.fields.language,
                }
                for entry in new
            ],
        )
        await self._session.execute(
            insert(DocumentVersionRow),
            [
                {
                    **shared,
                    "id": entry.job.version_id,
                    "document_id": entry.job.document_id,
                    "number": 1,
                    "source": _source(entry.item).described(entry.item.fields),
                    "object_key": entry.item.object_key,
                    "language": entry.item.fields.language,
                }
                for entry in new
            ],
        )

    async def _link(self, operation_id: str, entries: Sequence[OpenItem]) -> None:
        links = [
            {
                "ordinal": entry.item.ordinal,
                "document_id": entry.job.document_id,
                "version_id": entry.job.version_id,
            }
            for entry in entries
        ]
        await self._session.execute(_LINK, {"operation_id": operation_id, "rows": json.dumps(links)})


def _source(item: BatchItem) -> Source:
    return Source(item.name, object_key=item.object_key, url=item.url, inline=item.text is not None)
