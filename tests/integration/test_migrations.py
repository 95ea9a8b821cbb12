"""The migrations make exactly the schema of the models, and can be taken back."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from perdure.db import migrate
from perdure.db.models import Row
from perdure.db.session import Database
from perdure.embedded import postgres


def _difference(connection: Connection) -> list[object]:
    def ours(_object: object, name: str | None, *_rest: object) -> bool:
        return not (name or "").startswith("chunk_embeddings_hnsw_")  # expression indexes stand in SQL only

    context = MigrationContext.configure(connection, opts={"include_object": ours})
    return list(compare_metadata(context, Row.metadata))


async def test_the_migrated_schema_is_the_schema_of_the_models(database: Database) -> None:
    async with database.engine.connect() as connection:
        assert await connection.run_sync(_difference) == []


async def test_migrations_go_down_and_up_again(embedded_postgres: postgres.EmbeddedPostgres) -> None:
    await postgres.ensure_database(embedded_postgres.socket_directory, "updown")
    owner = embedded_postgres.url(postgres.OWNER_ROLE, "updown")
    await migrate.upgrade(owner, postgres.APP_ROLE)
    await migrate.downgrade(owner, postgres.APP_ROLE)
    database = Database(owner)
    async with database.transaction(None) as session:
        left = await session.scalars(
            text("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'")
        )
        assert set(left) == {"alembic_version"}
    await database.aclose()
    await migrate.upgrade(owner, postgres.APP_ROLE)
