"""Sealed values: AES-256-GCM, with the id of the key in front, bound to the place where the value stands.

    version (1 byte, 1) · length of the key id (1 byte) · key id (ASCII) · nonce (12 bytes) · ciphertext · tag (16)

Associated data is everything before the nonce, then organisation, table, column and row, each after its length in
four bytes: no two places are written alike, and a value that is copied elsewhere does not open there.
"""

import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from perdure.errors import SealedValueError

KEY_BYTES = 32
_VERSION = 1
_NONCE_BYTES, _TAG_BYTES = 12, 16
_LONGEST_KEY_ID = 255


@dataclass(frozen=True)
class Place:
    """Where a sealed value stands; elsewhere it does not open."""

    organisation_id: str
    table: str
    column: str
    row_id: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column} of {self.row_id}"

    def encoded(self) -> bytes:
        """Unambiguous bytes: each part after its length."""
        parts = (self.organisation_id, self.table, self.column, self.row_id)
        encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
        return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def new_key() -> bytes:
    """256 random bits."""
    return AESGCM.generate_key(bit_length=8 * KEY_BYTES)


def header(key_id: str) -> bytes:
    """What every value that is sealed with this key begins with, and no other."""
    name = key_id.encode("ascii")
    if not 0 < len(name) <= _LONGEST_KEY_ID:
        msg = f"a key id has 1 to {_LONGEST_KEY_ID} characters"
        raise ValueError(msg)
    return bytes((_VERSION, len(name))) + name


def seal(key: bytes, key_id: str, place: Place, plaintext: bytes) -> bytes:
    """Encrypt for a place."""
    begin, nonce = header(key_id), os.urandom(_NONCE_BYTES)
    return begin + nonce + AESGCM(key).encrypt(nonce, plaintext, begin + place.encoded())


def key_id_of(sealed: bytes) -> str:
    """Id of the key that opens the value; SealedValueError when this is no sealed value."""
    return _split(sealed)[0][2:].decode("ascii")


def unseal(key: bytes, place: Place, sealed: bytes) -> bytes:
    """Decrypt at a place; SealedValueError for another key, another place, or one changed bit."""
    begin, rest = _split(sealed)
    nonce, ciphertext = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, begin + place.encoded())
    except InvalidTag as error:
        detail = (
            f"{place} cannot be decrypted: it is damaged, was written for another place, or the key is not the "
            "one it was encrypted with. Restore database and master keys from the same backup, or set it anew."
        )
        raise SealedValueError(detail) from error


def _split(sealed: bytes) -> tuple[bytes, bytes]:
    """Header and rest."""
    end = 2 + sealed[1] if len(sealed) > 2 and sealed[0] == _VERSION else 0
    begin = sealed[:end]
    if end <= 2 or len(sealed) < end + _NONCE_BYTES + _TAG_BYTES or not begin[2:].isascii():
        detail = "This is no sealed value, or one of a newer version of Perdure: restore it, or set it anew."
        raise SealedValueError(detail)
    return begin, sealed[end:]
