"""Payloads as Temporal stores them: encrypted under the master key, and each bound to its workflow.

The key is the installation's and needs no database, so workers, replay and the codec server agree on it. What is
bound (key id and workflow id) stands beside the ciphertext and is authenticated with it: a payload can be decoded
anywhere, but not be passed off as another workflow's.
"""

import asyncio
import hmac
import os
import zlib
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec, SerializationContext, WithSerializationContext

from perdure.errors import SealedValueError
from perdure.master_keys import MasterKeys
from workflows.payload_limits import MAX_PAYLOAD_BYTES

ENCODING = b"binary/perdure-aes256gcm"
KEY, WORKFLOW = "perdure-key", "perdure-workflow"
PURPOSE, NONCE_PURPOSE = "temporal-payloads", "temporal-payload-nonces"

# What is larger is kept outside of Temporal.
INLINE_BYTES = 256 * 1024
# Compression at 70 MB/s pays where it keeps a payload small or inside; larger ones would hold up a workflow task.
COMPRESSED_BYTES = range(4 * 1024, 1024 * 1024)
# More than half a millisecond of work leaves the event loop.
_THREAD_BYTES = 128 * 1024
_NONCE_BYTES = 12
_RAW, _DEFLATED = b"\0", b"\1"


def is_encrypted(payload: Payload) -> bool:
    """Whether a payload was written by this codec."""
    return payload.metadata.get("encoding") == ENCODING


def workflow_of(payload: Payload) -> str:
    """Id of the workflow that an encrypted payload says it belongs to; only decryption proves it."""
    return payload.metadata.get(WORKFLOW, b"").decode(errors="replace")


class PayloadCipher:
    """AES-256-GCM with keys derived from the master keys."""

    def __init__(self, keys: MasterKeys) -> None:
        self._keys = keys
        self._ciphers: dict[str, AESGCM] = {}

    def encrypt(self, payload: Payload, workflow_id: str) -> Payload:
        """The whole payload, with its metadata, as one that says only which key opens it and whose it is."""
        key_id = self._keys.current_id
        bound = _associated_data(key_id.encode(), workflow_id.encode())
        body = _pack(payload.SerializeToString(deterministic=True))
        nonce = os.urandom(_NONCE_BYTES) if len(body) < INLINE_BYTES else self._nonce(key_id, bound, body)
        return Payload(
            metadata={"encoding": ENCODING, KEY: key_id.encode(), WORKFLOW: workflow_id.encode()},
            data=nonce + self._cipher(key_id).encrypt(nonce, body, bound),
        )

    def decrypt(self, payload: Payload) -> Payload:
        """The payload that was encrypted; SealedValueError when a bit of it, or what it is bound to, was changed.

        ConfigurationError when its master key is not among those given.
        """
        key_id, workflow_id = payload.metadata.get(KEY, b""), payload.metadata.get(WORKFLOW, b"")
        cipher = self._cipher(key_id.decode(errors="replace"))
        nonce, sealed = payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:]
        try:
            body = cipher.decrypt(nonce, sealed, _associated_data(key_id, workflow_id))
            return Payload.FromString(_unpack(body))
        except (InvalidTag, ValueError, DecodeError, zlib.error) as error:
            detail = (
                f"A payload of workflow {workflow_of(payload) or '(none)'} cannot be decrypted with master key "
                f"{key_id.decode(errors='replace')}: it was changed, or another key has this id now. "
                "Restore the master keys or the Temporal database from the same backup."
            )
            raise SealedValueError(detail) from error

    def _cipher(self, key_id: str) -> AESGCM:
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            cipher = self._ciphers[key_id] = AESGCM(self._keys.derive(key_id, PURPOSE))
        return cipher

    def _nonce(self, key_id: str, bound: bytes, body: bytes) -> bytes:
        """The same for the same content: what is kept outside is stored once, however often it is encoded."""
        digest = hmac.new(self._keys.derive(key_id, NONCE_PURPOSE), bound, "sha256")
        digest.update(body)
        return digest.digest()[:_NONCE_BYTES]


class EncryptingCodec(PayloadCodec, WithSerializationContext):
    """The cipher as Temporal's SDK calls it. What is not encrypted passes: it is older than the encryption."""

    def __init__(self, cipher: PayloadCipher, workflow_id: str = "") -> None:
        self._cipher, self._workflow_id = cipher, workflow_id

    def with_context(self, context: SerializationContext) -> "EncryptingCodec":
        """The codec for the payloads of one workflow."""
        return EncryptingCodec(self._cipher, getattr(context, "workflow_id", None) or "")

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt."""
        return [
            self._cipher.encrypt(payload, self._workflow_id)
            if len(payload.data) < _THREAD_BYTES
            else await asyncio.to_thread(self._cipher.encrypt, payload, self._workflow_id)
            for payload in payloads
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt."""
        return [payload if not is_encrypted(payload) else await self._decode(payload) for payload in payloads]

    async def _decode(self, payload: Payload) -> Payload:
        bound = workflow_of(payload)
        # A schedule's input is bound to the name that its workflows' ids begin with.
        if self._workflow_id and bound and not f"{self._workflow_id}-".startswith(f"{bound}-"):
            detail = (
                f"A payload of workflow {bound} stands in the history of {self._workflow_id}: it was moved there. "
                "Terminate the workflow, and find out who can write to Temporal."
            )
            raise SealedValueError(detail)
        if len(payload.data) < _THREAD_BYTES:
            return self._cipher.decrypt(payload)
        return await asyncio.to_thread(self._cipher.decrypt, payload)


def _associated_data(key_id: bytes, workflow_id: bytes) -> bytes:
    return b"\0".join((ENCODING, key_id, workflow_id))


def _pack(plain: bytes) -> bytes:
    if len(plain) in COMPRESSED_BYTES:
        deflated = zlib.compress(plain, 1)
        if len(deflated) < len(plain) * 0.9:
            return _DEFLATED + deflated
    return _RAW + plain


def _unpack(body: bytes) -> bytes:
    if body[:1] != _DEFLATED:
        return body[1:]
    return zlib.decompressobj().decompress(body[1:], MAX_PAYLOAD_BYTES)
