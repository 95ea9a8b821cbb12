"""Quotas of an organisation and what it uses of them; the caller owns the transaction.

Only an organisation that has a quota pays for counting. Whoever adds to what is counted waits for the others who do,
so that two requests at once cannot both take the last place.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.models import (
    DocumentRow,
    DocumentVersionRow,
    MembershipRow,
    OperationRow,
    QuotaRow,
)
from perdure.domain.ids import first_id_at
from perdure.domain.quotas import Quota, check, day_of

# The name of a space, and the caller's id of a document in it.
Named = tuple[str, str | None]

_KEPT = "quotas"

_KNOWN = text(
    """
    SELECT DISTINCT s.name, d.external_id
    FROM unnest(CAST(:spaces AS text[]), CAST(:externals AS text[])) AS asked (space, external)
    JOIN spaces s ON s.name = asked.space
    JOIN documents d ON d.space_id = s.id AND d.external_id = asked.external
    """
)
_QUEUE = text("SELECT pg_advisory_xact_lock(hashtextextended('quota ' || :organisation_id, 0))")


class QuotaRepository:
    """Quotas of the organisation of the session."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def limits(self) -> dict[Quota, int]:
        """The quotas that are set; asked for once in a transaction."""
        kept: dict[Quota, int] | None = self._session.info.get(_KEPT)
        if kept is None:
            row = await self._session.get(QuotaRow, self._organisation_id)
            found = {quota: getattr(row, quota.value, None) for quota in Quota}
            kept = {quota: limit for quota, limit in found.items() if limit is not None}
            self._session.info[_KEPT] = kept
        return kept

    async def change(self, limits: Mapping[Quota, int | None]) -> None:
        """Change some quotas; None takes one away."""
        values = {quota.value: limit for quota, limit in limits.items()}
        statement = insert(QuotaRow).values(organisation_id=self._organisation_id, **values)
        await self._session.execute(
            statement.on_conflict_do_update(
                index_elements=["organisation_id"], set_={**values, "updated_at": func.now()}
            )
        )
        self._session.info.pop(_KEPT, None)
        self._session.expire_all()

    async def used(self, quotas: Iterable[Quota], now: datetime | None = None) -> dict[Quota, int]:
        """How much of each is used."""
        instant = now or datetime.now(UTC)
        counts = {quota: self.counting(quota, instant) for quota in quotas}
        return {quota: int(await self._session.scalar(count) or 0) for quota, count in counts.items()}

    def counting(self, quota: Quota, now: datetime) -> Select[Any]:
        """The query for how much is used; an index answers it."""
        own = self._organisation_id
        match quota:
            case Quota.DOCUMENTS:
                return select(func.count()).where(DocumentRow.organisation_id == own)
            case Quota.STORED_BYTES:
                sizes = func.sum(DocumentVersionRow.size_bytes)
                return select(sizes).where(DocumentVersionRow.organisation_id == own)
            case Quota.OPERATIONS_PER_DAY:
                today = OperationRow.id >= first_id_at("op", day_of(now)[0])
                return select(func.count()).where(OperationRow.organisation_id == own, today)
            case Quota.MEMBERS:
                return select(func.count()).where(MembershipRow.organisation_id == own)

    async def admit_documents(self, named: Iterable[Named], size_bytes: int) -> None:
        """`admit` for documents that are new, or new versions of those with a known external id.

        A size that is not known yet is one byte: an organisation without room gets in nothing.
        """
        if not await self.limits():
            return
        named = list(named)
        known = await self.known(named)
        new = sum(external is None for _, external in named) + len(
            {each for each in named if each[1] is not None} - known
        )
        await self.admit({Quota.DOCUMENTS: new, Quota.STORED_BYTES: max(1, size_bytes)})

    async def admit(self, more: Mapping[Quota, int]) -> None:
        """Raise `QuotaExceededError` unless all of it fits; until the transaction ends nobody else is admitted."""
        limits = await self._limits_of(more)
        if limits:
            check(limits, await self.used(limits), more, datetime.now(UTC))

    async def room(self, quota: Quota) -> int | None:
        """How much more fits; None when there is no limit. Nobody else is admitted until the transaction ends."""
        limits = await self._limits_of([quota])
        if quota not in limits:
            return None
        return max(0, limits[quota] - (await self.used([quota]))[quota])

    async def _limits_of(self, quotas: Iterable[Quota]) -> dict[Quota, int]:
        limits = await self.limits()
        bound = {quota: limits[quota] for quota in quotas if quota in limits}
        if bound:
            await self._session.execute(_QUEUE, {"organisation_id": self._organisation_id})
        return bound

    async def known(self, named: Iterable[Named]) -> set[Named]:
        """Those of (space, external id) that stand for a document already."""
        asked = [(space, external) for space, external in named if external is not None]
        if not asked:
            return set()
        spaces, externals = zip(*asked, strict=True)
        rows = await self._session.execute(_KNOWN, {"spaces": list(spaces), "externals": list(externals)})
        return {(row.name, row.external_id) for row in rows}
