"""What Temporal is given instead of a payload, and what is refused on the way back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload
from temporalio.converter import ActivitySerializationContext, WorkflowSerializationContext

from perdure.errors import ConfigurationError, SealedValueError
from perdure.master_keys import MasterKeys
from workflows.payload_codec import (
    COMPRESSED_BYTES,
    INLINE_BYTES,
    KEY,
    NONCE,
    PACKING,
    WORKFLOW,
    EncryptingCodec,
    PayloadCipher,
    is_encrypted,
)

FIRST, SECOND = bytes(range(32)), bytes(range(32, 64))
MARK = b"the secret of the valve"


def codec(workflow_id: str = "", **keys: bytes) -> EncryptingCodec:
    context = WorkflowSerializationContext(namespace="default", workflow_id=workflow_id)
    return EncryptingCodec(PayloadCipher(MasterKeys(keys or {"first": FIRST}))).with_context(context)


def json_payload(data: bytes) -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=data)


async def encrypted(workflow_id: str = "op_1", data: bytes = MARK, **keys: bytes) -> Payload:
    (payload,) = await codec(workflow_id, **keys).encode([json_payload(data)])
    return payload


@given(st.binary(max_size=3000), st.text(max_size=40))
def test_what_is_encrypted_decrypts_and_shows_nothing(data: bytes, workflow_id: str) -> None:
    cipher = PayloadCipher(MasterKeys({"first": FIRST}))
    payload = Payload(metadata={"encoding": b"json/plain", "title": b"Minutes"}, data=MARK + data)
    stored = cipher.encrypt(payload, workflow_id)
    assert cipher.decrypt(stored) == payload
    shown = stored.SerializeToString()
    assert MARK not in shown
    assert b"Minutes" not in shown
    assert b"json/plain" not in shown


@pytest.mark.parametrize("size", [0, 1, 5_000, COMPRESSED_BYTES.stop - 100, COMPRESSED_BYTES.stop, 3_000_000])
@pytest.mark.parametrize("compresses", [True, False])
async def test_every_size_comes_back(size: int, *, compresses: bool) -> None:
    data = (b"valve " * (size // 6 + 1))[:size] if compresses else bytes(i * i % 251 for i in range(size))
    stored = await encrypted(data=data)
    assert await codec("op_1").decode([stored]) == [json_payload(data)]
    if compresses and size in COMPRESSED_BYTES:
        assert len(stored.data) < size / 2


async def test_equal_payloads_do_not_look_equal_unless_they_are_kept_outside() -> None:
    assert (await encrypted()).data != (await encrypted()).data
    large = bytes(i * i % 251 for i in range(INLINE_BYTES)) * 5
    assert await encrypted(data=large) == await encrypted(data=large)
    assert (await encrypted("op_1", large)).data != (await encrypted("op_2", large)).data


async def test_any_changed_bit_is_noticed() -> None:
    stored = await encrypted()
    for bit in range(8 * len(stored.data)):
        data = bytearray(stored.data)
        data[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealedValueError, match="op_1 cannot be decrypted"):
            await codec("op_1").decode([Payload(metadata=stored.metadata, data=bytes(data))])


@pytest.mark.parametrize("data", [b"", b"short", b"sixteen bytes and more"])
async def test_bytes_that_were_never_encrypted_are_refused(data: bytes) -> None:
    stored = await encrypted()
    with pytest.raises(SealedValueError):
        await codec("op_1").decode([Payload(metadata=stored.metadata, data=data)])


@pytest.mark.parametrize("name", [NONCE, PACKING, WORKFLOW])
@pytest.mark.parametrize("value", [b"", b"deflate", b"another workflow"])
async def test_what_stands_beside_cannot_be_changed(name: str, value: bytes) -> None:
    stored = await encrypted()
    stored.metadata[name] = value
    if name == PACKING and not value:
        assert await codec("op_1").decode([stored]) == [json_payload(MARK)]
        return
    with pytest.raises(SealedValueError):
        await codec().decode([stored])


async def test_a_payload_without_its_nonce_is_refused() -> None:
    stored = await encrypted()
    del stored.metadata[NONCE]
    with pytest.raises(SealedValueError):
        await codec().decode([stored])


async def test_a_payload_cannot_be_passed_off_as_another_workflows() -> None:
    stored = await encrypted("op_1")
    stored.metadata[WORKFLOW] = b"op_2"
    with pytest.raises(SealedValueError, match="op_2 cannot be decrypted"):
        await codec("op_2").decode([stored])


async def test_a_payload_that_was_moved_into_another_history_is_refused() -> None:
    with pytest.raises(SealedValueError, match="op_1 stands in the history of op_2"):
        await codec("op_2").decode([await encrypted("op_1")])


async def test_the_input_of_a_schedule_serves_the_workflows_that_it_starts() -> None:
    stored = await encrypted("nightly")
    assert await codec("nightly-2026-11-21T00:00:00Z").decode([stored]) == [json_payload(MARK)]


async def test_an_activity_reads_what_its_workflow_wrote() -> None:
    context = ActivitySerializationContext(
        namespace="default",
        activity_id="1",
        activity_type="parse_document",
        activity_task_queue="cpu",
        workflow_id="op_1",
        workflow_type="IngestDocument",
        is_local=False,
    )
    assert await codec("op_1").with_context(context).decode([await encrypted("op_1")]) == [json_payload(MARK)]


async def test_old_keys_read_and_the_current_one_writes() -> None:
    old = await encrypted(first=FIRST)
    both = codec("op_1", second=SECOND, first=FIRST)
    assert await both.decode([old]) == [json_payload(MARK)]
    (new,) = await both.encode([json_payload(MARK)])
    assert (old.metadata[KEY], new.metadata[KEY]) == (b"first", b"second")


async def test_an_unknown_key_is_named_with_the_remedy() -> None:
    stored = await encrypted(lost=FIRST)
    with pytest.raises(ConfigurationError, match=r"master key lost .*PERDURE_MASTER_KEYS"):
        await codec("op_1", other=SECOND).decode([stored])


async def test_another_key_of_the_same_id_is_noticed() -> None:
    with pytest.raises(SealedValueError, match="same backup"):
        await codec("op_1", first=SECOND).decode([await encrypted(first=FIRST)])


async def test_what_was_stored_before_there_was_encryption_passes() -> None:
    plain = json_payload(MARK)
    assert await codec("op_1").decode([plain]) == [plain]
    assert not is_encrypted(plain)
