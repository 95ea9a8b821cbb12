"""Signed notes of how far an audit trail had come: kept outside its table, they miss what is cut off its end."""

import json
from dataclasses import dataclass
from datetime import datetime

from perdure.domain.signatures import Signer

_PURPOSE = "perdure audit anchor v1"


@dataclass(frozen=True)
class Anchor:
    """The head of an organisation's chain at some moment."""

    organisation_id: str
    sequence: int
    hash: str
    at: datetime


class AnchorSigner:
    """Writes anchors as signed JSON."""

    def __init__(self, secret: bytes) -> None:
        self._signer = Signer(secret, _PURPOSE)

    def seal(self, anchor: Anchor) -> bytes:
        """The anchor with its signature."""
        fields = {
            "organisation_id": anchor.organisation_id,
            "sequence": anchor.sequence,
            "hash": anchor.hash,
            "at": anchor.at.isoformat(),
        }
        return json.dumps(fields | {"signature": self._signer.sign(fields)}).encode()

    def open(self, data: bytes) -> Anchor | None:
        """The anchor inside; None when it is not one of ours, or not as we wrote it."""
        try:
            fields = json.loads(data)
            signature = fields.pop("signature")
            if not self._signer.is_ours(fields, signature):
                return None
            return Anchor(
                organisation_id=fields["organisation_id"],
                sequence=fields["sequence"],
                hash=fields["hash"],
                at=datetime.fromisoformat(fields["at"]),
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
