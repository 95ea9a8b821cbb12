"""All columns with sealed values, and how rotation goes through them page by page."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Column, Table, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.models import Row
from perdure.domain.sealing import Place, header


@dataclass(frozen=True)
class SealedColumn:
    """A column of type `Sealed`."""

    table: Table
    column: Column[bytes]

    @property
    def name(self) -> str:
        """`table.column`."""
        return f"{self.table.name}.{self.column.name}"


SEALED_COLUMNS = tuple(
    sorted(
        (
            SealedColumn(table, column)
            for table in Row.metadata.tables.values()
            for column in table.columns
            if column.info.get("sealed")
        ),
        key=lambda column: column.name,
    )
)


class SealedValues:
    """The values of one sealed column in one organisation; the caller owns the transaction."""

    def __init__(self, session: AsyncSession, organisation_id: str, column: SealedColumn) -> None:
        self._session, self._organisation_id, self._column = session, organisation_id, column

    def place(self, row_id: str) -> Place:
        """Where the value of a row stands."""
        return Place(self._organisation_id, self._column.table.name, self._column.column.name, row_id)

    async def count(self, key_id: str, *, under: bool) -> int:
        """How many values are sealed with this key, or how many with another one."""
        table, column, begin = self._column.table, self._column.column, header(key_id)
        prefix = func.substring(column, 1, len(begin))
        statement = (
            select(func.count())
            .select_from(table)
            .where(
                table.c.organisation_id == self._organisation_id,
                prefix == begin if under else prefix != begin,
            )
        )
        return (await self._session.execute(statement)).scalar_one()

    async def page(self, other_than: str, after: str, limit: int) -> Sequence[tuple[str, bytes]]:
        """The next rows whose value is sealed with another key; locked, so that nobody replaces it meanwhile."""
        table, column, begin = self._column.table, self._column.column, header(other_than)
        statement = (
            select(table.c.id, column)
            .where(
                table.c.organisation_id == self._organisation_id,
                table.c.id > after,
                func.substring(column, 1, len(begin)) != begin,
            )
            .order_by(table.c.id)
            .limit(limit)
            .with_for_update(key_share=True)
        )
        return [(row[0], row[1]) for row in await self._session.execute(statement)]

    async def write(self, row_id: str, sealed: bytes) -> None:
        """Replace the value of a row."""
        table = self._column.table
        await self._session.execute(
            update(table)
            .where(table.c.organisation_id == self._organisation_id, table.c.id == row_id)
            .values({self._column.column.name: sealed})
        )
