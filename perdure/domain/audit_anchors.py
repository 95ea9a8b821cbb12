"""Signed notes of how far an audit trail had come: kept outside its table, they miss what is cut off its end."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime

from perdure.domain.tokens import derive_key

_PURPOSE = "perdure audit anchor v1"


@dataclass(frozen=True)
class Anchor:
    """The head of an organisation's chain at some moment."""

    organisation_id: str
    sequence: int
    hash: str
    at: datetime


class AnchorSigner:
    """Writes anchors as JSON that only who has the installation's secret can make."""

    def __init__(self, secret: bytes) -> None:
        self._key = derive_key(secret, _PURPOSE)

    def seal(self, anchor: Anchor) -> bytes:
        """The anchor with its signature."""
        fields = {
            "organisation_id": anchor.organisation_id,
            "sequence": anchor.sequence,
            "hash": anchor.hash,
            "at": anchor.at.isoformat(),
        }
        return json.dumps(fields | {"signature": self._sign(fields)}).encode()

    def open(self, data: bytes) -> Anchor | None:
        """The anchor inside; None when it is not one of ours, or not as we wrote it."""
        try:
            fields = json.loads(data)
            signature = fields.pop("signature")
            if not hmac.compare_digest(str(signature).encode(), self._sign(fields).encode()):
                return None
            return Anchor(
                organisation_id=fields["organisation_id"],
                sequence=fields["sequence"],
                hash=fields["hash"],
                at=datetime.fromisoformat(fields["at"]),
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            return None

    def _sign(self, fields: dict[str, object]) -> str:
        message = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()
