"""Payloads that cannot be stored, sent or read leave an operation that says so, and hold up no other."""

import secrets

from fastapi import FastAPI
from temporalio.client import Client
from temporalio.worker import Worker

from api.operations import Operations
from api.reconciler import Reconciler
from perdure.db.models import OperationRow
from perdure.db.operation_repository import OperationRepository, StartedRun
from perdure.db.session import Database
from perdure.domain.ids import new_id
from perdure.errors import UnavailableError
from perdure.master_keys import MasterKeys
from perdure.providers.obstore_object_store import ObstoreObjectStore
from perdure.settings import Settings
from tests.workflows.courier import Courier, hand_back
from worker import sandbox
from workflows.client import protected
from workflows.payload_codec import INLINE_BYTES
from workflows.payload_limits import MAX_PAYLOAD_BYTES


class UnreachableStore(ObstoreObjectStore):
    """An object store during an outage."""

    async def put(self, key: str, data: bytes) -> None:
        raise UnavailableError(f"the object store cannot handle {key!r} right now")


async def accepted(database: Database, organisation_id: str, actor_id: str = "usr_test") -> OperationRow:
    """A recorded operation; the actor is that of the argument only here, in memory."""
    async with database.transaction(organisation_id) as session:
        row = await OperationRepository(session).create(
            organisation_id=organisation_id,
            actor_id="usr_test",
            kind="delete_document",
            summary="Delete a document",
            input={"document_id": new_id("doc")},
        )
    row.actor_id = actor_id
    return row


async def found(database: Database, row: OperationRow) -> OperationRow:
    async with database.transaction(row.organisation_id) as session:
        again = await OperationRepository(session).get(row.id)
        assert again is not None
        return again


def with_converter(temporal: Client, keys: MasterKeys, objects: ObstoreObjectStore) -> Client:
    config = temporal.config()
    config["data_converter"] = protected(keys, objects)
    return Client(**config)


async def test_an_input_that_no_workflow_carries_fails_its_operation(
    product: FastAPI, database: Database, organisation_id: str
) -> None:
    row = await accepted(database, organisation_id, "x" * MAX_PAYLOAD_BYTES)
    await product.state.operations.launch(row)
    ended = await found(database, row)
    assert ended.error is not None
    assert (ended.status, ended.error["type"]) == ("failed", "payload-too-large")
    assert ended.closed_at is not None


async def test_an_outage_of_the_store_leaves_a_large_input_to_the_reconciler(
    product: FastAPI, database: Database, organisation_id: str, temporal: Client, settings: Settings
) -> None:
    unreachable = with_converter(
        temporal, MasterKeys({"first": bytes(32)}), UnreachableStore.from_url("memory:///")
    )
    operations = Operations(database, unreachable, settings, product.state.metrics)
    row = await accepted(database, organisation_id, secrets.token_hex(INLINE_BYTES))
    await operations.launch(row)
    assert row.run_id is None


async def test_a_result_that_cannot_be_decrypted_ends_its_operation(
    product: FastAPI, database: Database, organisation_id: str, temporal: Client, settings: Settings
) -> None:
    row = await accepted(database, organisation_id)
    lost = MasterKeys({"lost": secrets.token_bytes(32)})
    objects = ObstoreObjectStore.from_url("memory://")
    async with Worker(
        with_converter(temporal, lost, objects),
        task_queue="lost-key",
        workflows=[Courier],
        activities=[hand_back],
        workflow_runner=sandbox(),
    ) as worker:
        handle = await worker.client.start_workflow(Courier.run, "a text", id=row.id, task_queue="lost-key")
        await handle.result()
    async with database.transaction(organisation_id) as session:
        run = StartedRun(row.id, 1, handle.first_execution_run_id or "")
        await OperationRepository(session).record_starts([run])
    reconciler = Reconciler(database, temporal, product.state.operations, settings)
    await reconciler._look_at(row.id, organisation_id)
    ended = await found(database, row)
    assert ended.error is not None
    assert (ended.status, ended.error["type"]) == ("failed", "configuration-error")
    assert "master key lost" in ended.error["detail"]
