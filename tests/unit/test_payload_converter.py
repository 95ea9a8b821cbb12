"""A converter that is bound to a workflow is what the SDK would make of it, and leaves the first as it was."""

import hashlib
from pathlib import Path

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ActivitySerializationContext,
    DataConverter,
    StorageDriverStoreContext,
    StorageDriverWorkflowInfo,
    WorkflowSerializationContext,
)

from perdure.master_keys import MasterKeys
from perdure.providers.obstore_object_store import ObstoreObjectStore
from workflows.client import protected
from workflows.payload_codec import workflow_of
from workflows.payload_limits import GuardedPayloadConverter

WORKFLOW = WorkflowSerializationContext(namespace="default", workflow_id="op_1")
ACTIVITY = ActivitySerializationContext(
    namespace="default",
    workflow_id="op_1",
    workflow_type="IngestDocument",
    activity_type="parse_document",
    activity_id="1",
    activity_task_queue="cpu",
    is_local=False,
)


def converter(directory: Path) -> DataConverter:
    return protected(MasterKeys({"first": bytes(32)}), ObstoreObjectStore.from_url(directory.as_uri()))


async def owner(bound: DataConverter) -> str:
    """The workflow that what it encodes belongs to."""
    (payload,) = await bound.encode(["valve"])
    return workflow_of(payload)


async def test_what_is_encoded_belongs_to_the_workflow_that_it_is_bound_to(tmp_path: Path) -> None:
    unbound = converter(tmp_path)
    bound = unbound.with_context(WORKFLOW)
    assert (await owner(bound), await owner(unbound)) == ("op_1", "")
    assert await bound.decode(await bound.encode(["valve"])) == ["valve"]


async def test_an_activity_of_a_workflow_needs_no_converter_of_its_own(tmp_path: Path) -> None:
    bound = converter(tmp_path).with_context(WORKFLOW)
    assert bound.with_context(ACTIVITY) is bound


def test_all_parts_but_the_codec_are_shared_as_the_sdk_shares_them(tmp_path: Path) -> None:
    unbound = converter(tmp_path)
    bound, theirs = unbound.with_context(WORKFLOW), DataConverter.with_context(unbound, WORKFLOW)
    for part in ("payload_converter", "failure_converter", "external_storage"):
        assert getattr(bound, part) is getattr(theirs, part) is getattr(unbound, part)


async def test_what_is_kept_outside_is_kept_for_the_workflow(tmp_path: Path) -> None:
    unbound = converter(tmp_path)
    target = StorageDriverWorkflowInfo(id="op_1", run_id="r", type="IngestDocument", namespace="default")
    store = StorageDriverStoreContext(target=target)
    bound = unbound._with_contexts(WORKFLOW, store)
    large = hashlib.shake_128(b"valve").hexdigest(400_000)
    (reference,) = await bound.encode([large])
    assert len(reference.SerializeToString()) < 4096
    assert await bound.decode([reference]) == [large]
    assert unbound.external_storage is not bound.external_storage


def test_converters_of_values_share_what_they_have_learnt_of_types() -> None:
    (payload,) = GuardedPayloadConverter().to_payloads([1])
    assert payload == Payload(metadata={"encoding": b"json/plain"}, data=b"1")
    first, second = GuardedPayloadConverter(), GuardedPayloadConverter()
    assert [*first.converters.values()] == [*second.converters.values()]
