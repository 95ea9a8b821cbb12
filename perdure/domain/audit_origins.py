"""Where an audited request came from, under a key of the person: destroy the key, and the trail forgets them.

The chain covers the sealed form, so it stays whole and verifiable when nobody can open it any more.
"""

import base64
import binascii
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12
_KEY_BITS = 256


def new_person_key() -> str:
    """A fresh AES-256 key."""
    return base64.urlsafe_b64encode(AESGCM.generate_key(_KEY_BITS)).decode()


def _bound_to(organisation_id: str, sequence: int) -> bytes:
    return f"perdure audit origin v1/{organisation_id}/{sequence}".encode()


def seal_origin(address: str, key: str, organisation_id: str, sequence: int) -> str:
    """Encrypt an address for one place in the trail."""
    nonce = os.urandom(_NONCE_BYTES)
    cipher = AESGCM(base64.urlsafe_b64decode(key))
    sealed = cipher.encrypt(nonce, address.encode(), _bound_to(organisation_id, sequence))
    return base64.urlsafe_b64encode(nonce + sealed).decode()


def open_origin(origin: str, key: str, organisation_id: str, sequence: int) -> str | None:
    """The address; None when the key or the place is another, or the text was changed."""
    try:
        raw = base64.urlsafe_b64decode(origin)
        cipher = AESGCM(base64.urlsafe_b64decode(key))
        opened = cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _bound_to(organisation_id, sequence))
    except (InvalidTag, ValueError, binascii.Error):
        return None
    return opened.decode()
