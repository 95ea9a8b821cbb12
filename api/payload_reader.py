"""Reads payloads as they stand in Temporal's histories: encrypted, or as references to the object store."""

from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.converter import StorageDriverClaim, StorageDriverRetrieveContext

from perdure.domain.payload_keys import split_payload_key
from perdure.ports.storage import ObjectStore
from workflows.payload_codec import is_encrypted, workflow_of
from workflows.payload_storage import PayloadStorage, stored_key

# What is larger is no use on a page, and more of it would not fit into an answer.
SHOWN_BYTES = 1024 * 1024
SHOWN_TOGETHER_BYTES = 16 * SHOWN_BYTES


class PayloadReader:
    """Decrypts as the workers do, for one request. Whether somebody may see it, is for the caller to find out."""

    def __init__(self, client: Client, objects: ObjectStore) -> None:
        self._converter = client.data_converter
        self._objects, self._storage = objects, PayloadStorage(objects)
        self._left_bytes = SHOWN_TOGETHER_BYTES

    def owner(self, payload: Payload) -> str | None:
        """Id of the workflow that it says it belongs to, which `read` proves; None when nothing is encrypted."""
        if is_encrypted(payload):
            return workflow_of(payload)
        key = stored_key(payload)
        if key is None:
            return None
        found = split_payload_key(key)
        return found[0] if found else ""

    async def read(self, payload: Payload) -> Payload:
        """Decrypt; a reference to a large payload is left as it is."""
        key = stored_key(payload)
        if key is not None:
            size = await self._objects.size(key) or 0
            if size > min(SHOWN_BYTES, self._left_bytes):
                return payload
            self._left_bytes -= size
            claim = StorageDriverClaim({"key": key})
            (payload,) = await self._storage.retrieve(StorageDriverRetrieveContext(), [claim])
        codec = self._converter.payload_codec
        return (await codec.decode([payload]))[0] if codec else payload
