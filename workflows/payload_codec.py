"""Payloads as Temporal stores them: encrypted under the master key, and each bound to its workflow.

The key is the installation's and needs no database, so workers, replay and the codec server agree on it. What is
bound (key id and workflow id) stands beside the ciphertext and is authenticated with it: a payload can be decrypted
anywhere, but not be passed off as another workflow's.
"""

import asyncio
import hashlib
import os
import zlib
from collections.abc import Mapping, Sequence

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec, SerializationContext, WithSerializationContext

from perdure.errors import ConfigurationError, SealedValueError
from perdure.master_keys import MasterKeys

logger = structlog.get_logger("perdure.payloads")

ENCODING = b"binary/perdure-aes256gcm"
KEY, WORKFLOW, NONCE, PACKING = "perdure-key", "perdure-workflow", "perdure-nonce", "perdure-packing"
PURPOSE, NONCE_PURPOSE = "temporal-payloads", "temporal-payload-nonces"

# What is larger is kept outside of Temporal.
INLINE_BYTES = 256 * 1024
# Compression at 70 MB/s pays where it keeps a payload small or inside; larger ones would hold up a workflow task.
COMPRESSED_BYTES = range(4 * 1024, 1024 * 1024)
# More than half a millisecond of work leaves the event loop.
_THREAD_BYTES = 128 * 1024
# What may end up outside with all that stands beside it.
_OUTSIDE_BYTES = INLINE_BYTES - 4096
_NONCE_BYTES = 12
_DEFLATE = b"deflate"


def is_encrypted(payload: Payload) -> bool:
    """Whether a payload was written by this codec."""
    return payload.metadata.get("encoding") == ENCODING


def workflow_of(payload: Payload) -> str:
    """Id of the workflow that an encrypted payload says it belongs to; only decryption proves it."""
    return payload.metadata.get(WORKFLOW, b"").decode(errors="replace")


def unreadable(payload: Payload) -> RuntimeError:
    """What fails a task that needs a payload which could not be decrypted or is gone; it is tried again."""
    if not is_encrypted(payload):
        return RuntimeError("A payload is gone from the object store: restore it, or terminate the workflow.")
    detail = (
        f"A payload of workflow {workflow_of(payload) or '(none)'} cannot be decrypted. Give this worker all master "
        "keys that are in use; if it has them, the payload was changed or moved."
    )
    return RuntimeError(detail)


class PayloadCipher:
    """AES-256-GCM with keys derived from the master keys."""

    def __init__(self, keys: MasterKeys) -> None:
        self._keys = keys
        self._ciphers: dict[str, AESGCM] = {}

    def encrypt(self, payload: Payload, workflow_id: str) -> Payload:
        """The whole payload, with its metadata, as one that says only which key opens it and whose it is."""
        key_id = self._keys.current_id
        metadata = {"encoding": ENCODING, KEY: key_id.encode(), WORKFLOW: workflow_id.encode()}
        body = payload.SerializeToString(deterministic=True)
        if len(body) in COMPRESSED_BYTES and len(packed := zlib.compress(body, 1)) < 0.9 * len(body):
            body, metadata[PACKING] = packed, _DEFLATE
        bound = _associated_data(metadata)
        nonce = os.urandom(_NONCE_BYTES) if len(body) < _OUTSIDE_BYTES else self._nonce(key_id, bound, body)
        sealed = self._cipher(key_id).encrypt(nonce, body, bound)
        return Payload(metadata={**metadata, NONCE: nonce}, data=sealed)

    def decrypt(self, payload: Payload) -> Payload:
        """The payload that was encrypted; SealedValueError when a bit of it, or what it is bound to, was changed.

        ConfigurationError when its master key is not among those given.
        """
        metadata = dict(payload.metadata)
        key_id = metadata.get(KEY, b"").decode(errors="replace")
        cipher = self._cipher(key_id)
        try:
            body = cipher.decrypt(metadata.get(NONCE, b""), payload.data, _associated_data(metadata))
            return Payload.FromString(zlib.decompress(body) if metadata.get(PACKING) == _DEFLATE else body)
        except (InvalidTag, ValueError, DecodeError, zlib.error) as error:
            detail = (
                f"A payload of workflow {workflow_of(payload) or '(none)'} cannot be decrypted with master key "
                f"{key_id}: it was changed, or another key has this id now. Restore the master keys and the "
                "Temporal database from the same backup."
            )
            raise SealedValueError(detail) from error

    def _cipher(self, key_id: str) -> AESGCM:
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            cipher = self._ciphers[key_id] = AESGCM(self._keys.derive(key_id, PURPOSE))
        return cipher

    def _nonce(self, key_id: str, bound: bytes, body: bytes) -> bytes:
        """The same for the same content: what is kept outside is stored once, however often it is encoded."""
        key = self._keys.derive(key_id, NONCE_PURPOSE)
        digest = hashlib.blake2b(bound, key=key, digest_size=_NONCE_BYTES)
        digest.update(body)
        return digest.digest()


class EncryptingCodec(PayloadCodec, WithSerializationContext):
    """The cipher as Temporal's SDK calls it. What is not encrypted passes: it is older than the encryption."""

    def __init__(self, cipher: PayloadCipher, workflow_id: str = "", *, hands_on: bool = False) -> None:
        self._cipher, self._workflow_id, self._hands_on = cipher, workflow_id, hands_on

    def with_context(self, context: SerializationContext) -> "EncryptingCodec":
        """The codec for the payloads of one workflow."""
        workflow_id = getattr(context, "workflow_id", None) or ""
        if workflow_id == self._workflow_id:
            return self
        return EncryptingCodec(self._cipher, workflow_id, hands_on=self._hands_on)

    def handing_on(self) -> "EncryptingCodec":
        """The codec that hands on as it is what it cannot decrypt: whoever then wants a value of it fails."""
        return EncryptingCodec(self._cipher, self._workflow_id, hands_on=True)

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt."""
        return [
            self._cipher.encrypt(payload, self._workflow_id)
            if payload.ByteSize() < _THREAD_BYTES
            else await asyncio.to_thread(self._cipher.encrypt, payload, self._workflow_id)
            for payload in payloads
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt."""
        return [await self._opened(payload) if is_encrypted(payload) else payload for payload in payloads]

    async def _opened(self, payload: Payload) -> Payload:
        try:
            return await self._decode(payload)
        except (SealedValueError, ConfigurationError) as error:
            if not self._hands_on:
                raise
            logger.warning("payload_unreadable", workflow_id=self._workflow_id, reason=str(error))
            return payload

    async def _decode(self, payload: Payload) -> Payload:
        bound = workflow_of(payload)
        # A schedule's input is bound to the name that its workflows' ids begin with.
        if self._workflow_id and bound and not f"{self._workflow_id}-".startswith(f"{bound}-"):
            detail = (
                f"A payload of workflow {bound} stands in the history of {self._workflow_id}: it was moved there. "
                "Terminate the workflow, and find out who can write to Temporal."
            )
            raise SealedValueError(detail)
        if payload.ByteSize() < _THREAD_BYTES:
            return self._cipher.decrypt(payload)
        return await asyncio.to_thread(self._cipher.decrypt, payload)


def _associated_data(metadata: Mapping[str, bytes]) -> bytes:
    """Unambiguous bytes of what stands beside the ciphertext: each after its length."""
    parts = [metadata.get(name, b"") for name in ("encoding", KEY, WORKFLOW, PACKING)]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
