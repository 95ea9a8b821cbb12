"""Circuits of one organisation, which all workers share; see `perdure.domain.circuit_breaker`."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.models import ProviderCircuitRow
from perdure.domain import circuit_breaker
from perdure.domain.circuit_breaker import CLOSED, Admission, Circuit


class ProviderCircuitRepository:
    """Reads and writes circuits by the database's clock; the caller owns the transaction."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def all(self) -> Mapping[str, Circuit]:
        """Circuits that have failed lately."""
        rows = await self._session.scalars(
            select(ProviderCircuitRow).where(ProviderCircuitRow.organisation_id == self._organisation_id)
        )
        return {row.circuit: _circuit(row) for row in rows}

    async def admit(self, name: str) -> Admission:
        """Ask to call; of many who ask at once when it is time for a probe, one may."""
        row = await self._locked(name)
        if row is None:
            return Admission(CLOSED, allowed=True)
        admission = circuit_breaker.admit(_circuit(row), await self._now())
        row.probe_until = admission.circuit.probe_until
        await self._session.flush()
        return admission

    async def note_failure(self, name: str) -> Circuit:
        """Note that the provider did not answer."""
        await self._session.execute(
            insert(ProviderCircuitRow)
            .values(organisation_id=self._organisation_id, circuit=name)
            .on_conflict_do_nothing()
        )
        row = await self._locked(name)
        circuit = circuit_breaker.after_failure(_circuit(row) if row else CLOSED, await self._now())
        if row is not None:
            row.failures, row.opened = circuit.failures, circuit.opened
            row.open_until, row.probe_until = circuit.open_until, circuit.probe_until
            await self._session.flush()
        return circuit

    async def close(self, name: str) -> None:
        """Note that the provider answered."""
        await self._session.execute(
            delete(ProviderCircuitRow).where(
                ProviderCircuitRow.organisation_id == self._organisation_id,
                ProviderCircuitRow.circuit == name,
            )
        )

    async def _locked(self, name: str) -> ProviderCircuitRow | None:
        row: ProviderCircuitRow | None = await self._session.scalar(
            select(ProviderCircuitRow)
            .where(
                ProviderCircuitRow.organisation_id == self._organisation_id,
                ProviderCircuitRow.circuit == name,
            )
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        return row

    async def _now(self) -> datetime:
        now: datetime = (await self._session.execute(select(func.clock_timestamp()))).scalar_one()
        return now


def _circuit(row: ProviderCircuitRow) -> Circuit:
    return Circuit(row.failures, row.opened, row.open_until, row.probe_until)
