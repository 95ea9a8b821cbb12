"""Which rows an export shows, of whatever tables there will be."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Column, LargeBinary, Table, Text, select, text

from perdure.db.erasure_repository import Scope
from perdure.db.export_repository import ExportedRows, exported_tables
from perdure.db.keyring import Keyring
from perdure.db.models import Row
from perdure.db.personal_data import PLANS
from perdure.db.session import Database
from perdure.domain.sealing import Place
from perdure.embedded import postgres
from perdure.master_keys import MasterKeys
from tests.sealed_secrets import OLD, a_database


@pytest.fixture
async def own_database(embedded_postgres: postgres.EmbeddedPostgres) -> AsyncIterator[Database]:
    async with a_database(embedded_postgres) as database:
        yield database


async def test_a_table_of_tomorrow_is_in_it_opened(own_database: Database) -> None:
    """What nobody has planned for is exported with its organisation, and what is sealed in it, in plain text."""
    table = Table(
        "notes_of_tomorrow",
        Row.metadata,
        Column("id", Text, primary_key=True),
        Column("organisation_id", Text),
        Column("note", LargeBinary, info={"sealed": True}),
        prefixes=["TEMPORARY"],
    )
    try:
        scope = Scope("org_a", "op_a", None)
        assert table in exported_tables(scope)
        assert table.name not in PLANS
        keyring = Keyring(MasterKeys({"test-old": OLD}))
        async with own_database.transaction("org_a") as session:
            await session.execute(text("INSERT INTO organisations (id, name) VALUES ('org_a', 'A')"))
            await (await session.connection()).run_sync(table.create)
            for organisation_id, row_id in (("org_a", "n1"), ("org_a", "n2"), ("org_b", "n3")):
                place = Place("org_a", table.name, "note", row_id)
                note = await keyring.seal(session, place, f"Note {row_id}".encode())
                await session.execute(
                    table.insert().values(id=row_id, organisation_id=organisation_id, note=note)
                )
            await session.execute(table.update().where(table.c.id == "n2").values(note=b"broken"))
            assert len((await session.execute(select(table))).all()) == 3
            page = await ExportedRows(session, scope, keyring).page(table, None)
            assert [(row["id"], row["note"]) for row in page.rows] == [("n1", "Note n1"), ("n2", None)]
            assert page.unreadable == 1
            await session.rollback()
    finally:
        Row.metadata.remove(table)
