"""Proof that an approval was told something by us: whoever reaches Temporal can send an update, and it says nobody."""

from collections.abc import Mapping
from typing import Any

from perdure.domain.signatures import Signer


class ToldSigner:
    """Signs what approvals are told."""

    def __init__(self, secret: bytes) -> None:
        self._signer = Signer(secret, "perdure approval told v1")

    def sign(self, approval_id: str, said: Mapping[str, Any]) -> str:
        """The proof that we say this, to this approval."""
        return self._signer.sign({"approval": approval_id, "said": said})

    def is_ours(self, approval_id: str, said: Mapping[str, Any], proof: str) -> bool:
        """Whether we said exactly this, to this approval."""
        return self._signer.is_ours({"approval": approval_id, "said": said}, proof)
