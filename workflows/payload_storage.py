"""Payloads that are too large for Temporal lie in the object store; the history has a reference (claim check)."""

import asyncio
from collections.abc import Sequence

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.api.sdk.v1.external_storage_pb2 import ExternalStorageReference
from temporalio.converter import (
    StorageDriver,
    StorageDriverClaim,
    StorageDriverRetrieveContext,
    StorageDriverStoreContext,
)

from perdure.domain.payload_keys import payload_key, split_payload_key
from perdure.errors import InvalidInputError, NotFoundError, SealedValueError
from perdure.ports.storage import ObjectStore
from workflows.payload_codec import NONCE, is_encrypted, workflow_of

_ENCODING = b"json/protobuf"
# What older SDKs wrote; we never did.
_OLD_ENCODING = b"json/external-storage-reference"
_REFERENCE = ExternalStorageReference.DESCRIPTOR.full_name.encode()
# Stands in every history with a large payload: it never changes.
NAME = "perdure-objects"


def is_reference(payload: Payload) -> bool:
    """Whether a payload says that its content lies elsewhere, whoever wrote it."""
    encoding = payload.metadata.get("encoding")
    return encoding == _OLD_ENCODING or (
        encoding == _ENCODING and payload.metadata.get("messageType") == _REFERENCE
    )


def stored_key(payload: Payload) -> str | None:
    """Key of the object that a reference in a history stands for; None for every other payload."""
    if payload.metadata.get("encoding") != _ENCODING or not is_reference(payload):
        return None
    try:
        reference = json_format.Parse(payload.data, ExternalStorageReference())
    except (json_format.ParseError, UnicodeDecodeError, RecursionError):
        return None
    return reference.claim_data.get("key", "") if reference.driver_name == NAME else None


class PayloadStorage(StorageDriver):
    """Keeps encrypted payloads under their workflow, named by their content."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def name(self) -> str:
        """See `StorageDriver`."""
        return NAME

    def type(self) -> str:
        """See `StorageDriver`."""
        return "perdure.objects"

    async def store(
        self, context: StorageDriverStoreContext, payloads: Sequence[Payload]
    ) -> list[StorageDriverClaim]:
        """Write what is not there yet. The codec has run before, and says whose the payload is."""
        return list(await asyncio.gather(*(self._store(payload) for payload in payloads)))

    async def _store(self, payload: Payload) -> StorageDriverClaim:
        workflow_id = workflow_of(payload) if is_encrypted(payload) else ""
        if not workflow_id:
            detail = (
                f"A payload of {payload.ByteSize()} bytes belongs to no workflow with which it would be removed: "
                "store it as an object and hand on its key."
            )
            raise InvalidInputError(detail)
        key = payload_key(workflow_id, payload.metadata[NONCE].hex())
        content = await asyncio.to_thread(payload.SerializeToString)
        if await self._objects.size(key) != len(content):
            await self._objects.put(key, content)
        return StorageDriverClaim({"key": key})

    async def retrieve(
        self, context: StorageDriverRetrieveContext, claims: Sequence[StorageDriverClaim]
    ) -> list[Payload]:
        """Read them; SealedValueError when one is gone for good or was changed."""
        return list(await asyncio.gather(*(self._retrieve(claim) for claim in claims)))

    async def _retrieve(self, claim: StorageDriverClaim) -> Payload:
        key = claim.claim_data.get("key", "")
        found = split_payload_key(key)
        if found is None:
            detail = f"A history refers to {key!r}, which is no payload of a workflow: it was changed."
            raise SealedValueError(detail)
        try:
            content = await self._objects.get(key)
        except NotFoundError as error:
            detail = (
                f"A payload of workflow {found[0]} is gone from the object store ({key}): restore it from a "
                "backup, or terminate the workflow and retry its operation."
            )
            raise SealedValueError(detail) from error
        return await asyncio.to_thread(_parse, key, content)


def _parse(key: str, content: bytes) -> Payload:
    """The payload of an object. What it says of itself must fit its place; the codec looks at every bit."""
    try:
        payload = Payload.FromString(content)
    except DecodeError:
        payload = Payload()
    if key != payload_key(workflow_of(payload), payload.metadata.get(NONCE, b"").hex()):
        detail = f"The object {key} is damaged: restore it from a backup."
        raise SealedValueError(detail)
    return payload
