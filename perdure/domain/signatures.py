"""Signed JSON: what only who has the installation's secret can have written."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from perdure.domain.tokens import derive_key


class Signer:
    """Signs for one purpose: a signature made for another one is none."""

    def __init__(self, secret: bytes, purpose: str) -> None:
        self._key = derive_key(secret, purpose)

    def sign(self, fields: Mapping[str, Any]) -> str:
        """HMAC-SHA-256 over the JSON with sorted keys, in hex."""
        message = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hmac.new(self._key, message.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

    def is_ours(self, fields: Mapping[str, Any], signature: object) -> bool:
        """Whether the signature was made by us, over the same."""
        shown = str(signature).encode("utf-8", "surrogatepass")
        return hmac.compare_digest(shown, self.sign(fields).encode())


def receipt_signer(secret: bytes) -> Signer:
    """Signs what an erasure left behind as its only trace."""
    return Signer(secret, "perdure erasure receipt v1")
