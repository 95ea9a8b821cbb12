"""What PostgreSQL plans by, kept up with what is written in bulk.

Autovacuum looks once a minute. Until then a table that was just filled is planned for as if it were nearly empty: a
recall among ten thousand memories that were imported a moment ago took twice as long, a page of their evolution too.
"""

from sqlalchemy import text

from perdure.db.session import Transaction

_REFRESH = text("SELECT refresh_planner_statistics()")


async def refresh_planner_statistics(transaction: Transaction) -> None:
    """Analyse the tables that have grown by half since they were last; a millisecond where none has.

    For whoever has written a page of rows, after its transaction. What somebody else analyses just now is left to them.
    """
    async with transaction(None, durable=False) as session:
        await session.execute(_REFRESH)
