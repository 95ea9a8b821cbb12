"""Payloads outside of Temporal: where they lie, and what happens when they do not."""

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    DataConverter,
    StorageDriverClaim,
    StorageDriverRetrieveContext,
    StorageDriverStoreContext,
    WorkflowSerializationContext,
)

from perdure.domain.payload_keys import payload_key, split_payload_key
from perdure.errors import InvalidInputError, PayloadTooLargeError, SealedValueError
from perdure.master_keys import MasterKeys
from perdure.providers.obstore_object_store import ObstoreObjectStore
from workflows.client import protected
from workflows.payload_codec import INLINE_BYTES
from workflows.payload_limits import MAX_PAYLOAD_BYTES
from workflows.payload_storage import NAME, PayloadStorage

LARGE = "The valve was repaired on Tuesday. " * (1 << 16)
STORING = StorageDriverStoreContext()
RETRIEVING = StorageDriverRetrieveContext()


class Puts(ObstoreObjectStore):
    """A store in memory that counts."""

    count = 0

    async def put(self, key: str, data: bytes) -> None:
        self.count += 1
        await super().put(key, data)


@pytest.fixture
def objects() -> Puts:
    return Puts.from_url("memory:///")  # type: ignore[return-value]  # the class method makes one of its class


def converter(objects: ObstoreObjectStore, workflow_id: str = "op_1") -> DataConverter:
    context = WorkflowSerializationContext(namespace="default", workflow_id=workflow_id)
    return protected(MasterKeys({"first": bytes(32)}), objects).with_context(context)


async def keys_of(objects: ObstoreObjectStore) -> list[str]:
    return [key async for key in objects.list("payloads")]


async def test_a_large_payload_leaves_a_reference_and_comes_back(objects: Puts) -> None:
    (reference,) = await converter(objects).encode([LARGE])
    assert reference.ByteSize() < 500
    assert NAME.encode() in reference.data
    (key,) = await keys_of(objects)
    found = split_payload_key(key)
    assert found is not None
    assert found[0] == "op_1"
    assert b"valve" not in await objects.get(key)
    assert await converter(objects).decode([reference], [str]) == [LARGE]


async def test_a_small_payload_stays_inside(objects: Puts) -> None:
    (payload,) = await converter(objects).encode(["valve"])
    assert payload.ByteSize() < 200
    assert await keys_of(objects) == []


async def test_a_payload_that_compresses_stays_inside(objects: Puts) -> None:
    (payload,) = await converter(objects).encode(["valve " * 100_000])
    assert payload.ByteSize() < INLINE_BYTES
    assert await keys_of(objects) == []


async def test_storing_again_writes_nothing(objects: Puts) -> None:
    first = await converter(objects).encode([LARGE])
    assert await converter(objects).encode([LARGE]) == first
    assert (len(await keys_of(objects)), objects.count) == (1, 1)


async def test_what_was_written_in_part_is_written_again(objects: Puts) -> None:
    (reference,) = await converter(objects).encode([LARGE])
    (key,) = await keys_of(objects)
    await objects.put(key, b"half")
    await converter(objects).encode([LARGE])
    assert await converter(objects).decode([reference], [str]) == [LARGE]


async def test_a_payload_that_is_gone_names_its_workflow(objects: Puts) -> None:
    (reference,) = await converter(objects).encode([LARGE])
    await objects.delete(await keys_of(objects))
    with pytest.raises(SealedValueError, match="workflow op_1 is gone"):
        await converter(objects).decode([reference], [str])


@pytest.mark.parametrize("damage", [b"", b"half", b"\x00" * 100])
async def test_a_damaged_object_is_noticed(objects: Puts, damage: bytes) -> None:
    (reference,) = await converter(objects).encode([LARGE])
    (key,) = await keys_of(objects)
    await objects.put(key, damage or (await objects.get(key))[:-1] + b"!")
    with pytest.raises(SealedValueError, match=r"damaged|cannot be decrypted"):
        await converter(objects).decode([reference], [str])


@pytest.mark.parametrize("key", ["", "org_1/originals/obj_1", "payloads/op_1/../../x", "payloads/op_1/short"])
async def test_a_reference_reaches_nothing_but_payloads(objects: Puts, key: str) -> None:
    with pytest.raises(SealedValueError, match="was changed"):
        await PayloadStorage(objects).retrieve(RETRIEVING, [StorageDriverClaim({"key": key})])


async def test_a_payload_without_a_workflow_is_not_stored(objects: Puts) -> None:
    with pytest.raises(InvalidInputError, match="belongs to no workflow"):
        await PayloadStorage(objects).store(STORING, [Payload(data=bytes(INLINE_BYTES))])
    with pytest.raises(InvalidInputError, match="belongs to no workflow"):
        await converter(objects, "").encode([LARGE])


async def test_more_than_a_workflow_carries_is_refused(objects: Puts) -> None:
    with pytest.raises(
        PayloadTooLargeError, match=rf"str takes \d+ bytes as a payload; .* at most {MAX_PAYLOAD_BYTES}"
    ):
        await converter(objects).encode(["x" * MAX_PAYLOAD_BYTES])
    assert objects.count == 0


@pytest.mark.parametrize("workflow_id", ["op_1", "op_1.2", "a/b", "..%2f", "näher", "a#1"])
def test_a_key_tells_its_workflow(workflow_id: str) -> None:
    key = payload_key(workflow_id, "0" * 24)
    assert split_payload_key(key) == (workflow_id, "0" * 24)
    assert key.count("/") == 2
