import secrets
from datetime import timedelta

import pytest
from fastapi import FastAPI
from temporalio.client import Client
from temporalio.converter import WorkflowSerializationContext

from api.payload_sweeper import PayloadSweeper
from perdure.db.operation_repository import OperationRepository
from perdure.db.session import Database
from perdure.domain.ids import new_id
from perdure.domain.payload_keys import payload_folder
from perdure.ports.storage import ObjectStore
from tests.accounts import Account
from workflows.payload_codec import INLINE_BYTES

AT_ONCE = timedelta(seconds=-1)


@pytest.fixture
def objects(product: FastAPI) -> ObjectStore:
    store: ObjectStore = product.state.objects
    return store


@pytest.fixture
def sweeper(database: Database, objects: ObjectStore, temporal: Client) -> PayloadSweeper:
    return PayloadSweeper(database, objects, temporal)


async def store_payload(temporal: Client, workflow_id: str) -> None:
    """Something large, as a worker of that workflow stores it."""
    context = WorkflowSerializationContext(namespace="default", workflow_id=workflow_id)
    await temporal.data_converter.with_context(context).encode([secrets.token_hex(INLINE_BYTES)])


async def count(objects: ObjectStore, workflow_id: str) -> int:
    return len([key async for key in objects.list(payload_folder(workflow_id))])


async def test_payloads_go_when_temporal_has_forgotten_their_workflow(
    caller: Account, temporal: Client, objects: ObjectStore, sweeper: PayloadSweeper
) -> None:
    operation = await caller.ended(await caller.post("/documents", json={"text": "The pump was repaired."}))
    # Its attempt before this one: Temporal deletes a history when its retention time is over.
    kept, forgotten = operation["workflow_id"], f"{operation['id']}.0"
    for workflow_id in (kept, forgotten):
        await store_payload(temporal, workflow_id)
    assert await sweeper.sweep(timedelta(hours=1)) == 0
    assert await sweeper.sweep(AT_ONCE) == 1
    assert (await count(objects, kept), await count(objects, forgotten)) == (1, 0)


async def test_payloads_of_an_operation_that_is_about_to_start_stay(
    organisation_id: str,
    database: Database,
    temporal: Client,
    objects: ObjectStore,
    sweeper: PayloadSweeper,
) -> None:
    async with database.transaction(organisation_id) as session:
        row = await OperationRepository(session).create(
            organisation_id=organisation_id, actor_id="usr_test", kind="count", summary="Count"
        )
        row.run_id = "kept from the reconciler, which would start it"
    await store_payload(temporal, row.id)
    await sweeper.sweep(AT_ONCE)
    assert await count(objects, row.id) == 1


async def test_what_is_of_no_operation_is_left_alone(
    temporal: Client, objects: ObjectStore, sweeper: PayloadSweeper
) -> None:
    nightly, retried = f"nightly-{new_id('op')}", f"{new_id('op')}.2"
    for workflow_id in (nightly, retried):
        await store_payload(temporal, workflow_id)
    await sweeper.sweep(AT_ONCE)
    assert (await count(objects, nightly), await count(objects, retried)) == (1, 0)
