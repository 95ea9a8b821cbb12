"""Secrets and rotations for tests: what the API and the activities do, step by step."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import select

from perdure.db import migrate
from perdure.db.key_rotation import KeyRotation
from perdure.db.keyring import Keyring
from perdure.db.models import DataKeyRow, OrganisationSecretRow
from perdure.db.sealed_columns import SEALED_COLUMNS
from perdure.db.secret_repository import SecretRepository
from perdure.db.session import Database
from perdure.domain.audit import SYSTEM
from perdure.domain.ids import new_id
from perdure.domain.sealing import key_id_of
from perdure.embedded import postgres

OLD, NEW = b"o" * 32, b"n" * 32
VALUE = "sk-a-provider-key-of-some-length"


@asynccontextmanager
async def a_database(server: postgres.EmbeddedPostgres) -> AsyncIterator[Database]:
    """A database of its own: master keys that are used with the shared one must be those of the product there."""
    name = new_id("keys")
    await postgres.ensure_database(server.socket_directory, name)
    await migrate.upgrade(server.url(postgres.OWNER_ROLE, name), postgres.APP_ROLE)
    database = Database(server.url(postgres.APP_ROLE, name))
    try:
        yield database
    finally:
        await database.aclose()


async def make_secret(
    database: Database, organisation_id: str, keyring: Keyring, value: str = VALUE, name: str | None = None
) -> str:
    async with database.transaction(organisation_id) as session:
        secrets = SecretRepository(session, organisation_id, keyring)
        row = await secrets.create(
            name=name or new_id("tst"), kind="provider_key", value=value, created_by=None
        )
    return row.id


async def value_of(database: Database, organisation_id: str, keyring: Keyring, secret_id: str) -> str:
    async with database.transaction(organisation_id) as session:
        return await SecretRepository(session, organisation_id, keyring).value(secret_id, SYSTEM)


async def data_keys(database: Database, organisation_id: str) -> dict[str, DataKeyRow]:
    async with database.transaction(organisation_id) as session:
        return {row.id: row for row in await session.scalars(select(DataKeyRow).order_by(DataKeyRow.id))}


async def sealed_with(database: Database, organisation_id: str) -> set[str]:
    async with database.transaction(organisation_id) as session:
        return {key_id_of(sealed) for sealed in await session.scalars(select(OrganisationSecretRow.sealed))}


async def rotate(database: Database, organisation_id: str, keyring: Keyring, *, page: int = 3) -> str:
    """All steps of a rotation, each in a transaction of its own."""
    operation_id = new_id("op")

    async def once(step: str) -> object:
        async with database.transaction(organisation_id) as session:
            rotation = KeyRotation(session, organisation_id, keyring)
            return await (rotation.make_key(operation_id) if step == "make" else getattr(rotation, step)())

    made = str(await once("make"))
    await once("rewrap")
    for column in SEALED_COLUMNS:
        after: str | None = ""
        while after is not None:
            async with database.transaction(organisation_id) as session:
                rotation = KeyRotation(session, organisation_id, keyring)
                after = (await rotation.reencrypt(column, after, page)).last_id
    await once("retire")
    return made
