"""Signed notes of how far an audit trail had come: kept outside its table, they miss what is cut off its end."""

import json
from dataclasses import dataclass
from datetime import datetime

from perdure.domain.signatures import Signer

_PURPOSE = "perdure audit anchor v1"
# An anchor says how far a trail had come, a cut that it may begin there: nobody can make one of the other.
_CUT_PURPOSE = "perdure audit cut v1"


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
        self._cutter = Signer(secret, _CUT_PURPOSE)

    def seal(self, anchor: Anchor) -> bytes:
        """The anchor with its signature."""
        return self._seal(anchor, self._signer)

    def seal_cut(self, cut: Anchor) -> bytes:
        """The last event that went for its age, with a signature."""
        return self._seal(cut, self._cutter)

    def open(self, data: bytes) -> Anchor | None:
        """The anchor inside; None when it is not one of ours, or not as we wrote it."""
        return self._open(data, self._signer)

    def open_cut(self, data: bytes) -> Anchor | None:
        """The cut inside; None when it is not one of ours, or not as we wrote it."""
        return self._open(data, self._cutter)

    @staticmethod
    def _seal(anchor: Anchor, signer: Signer) -> bytes:
        fields = {
            "organisation_id": anchor.organisation_id,
            "sequence": anchor.sequence,
            "hash": anchor.hash,
            "at": anchor.at.isoformat(),
        }
        return json.dumps(fields | {"signature": signer.sign(fields)}).encode()

    @staticmethod
    def _open(data: bytes, signer: Signer) -> Anchor | None:
        try:
            fields = json.loads(data)
            signature = fields.pop("signature")
            if not signer.is_ours(fields, signature):
                return None
            return Anchor(
                organisation_id=fields["organisation_id"],
                sequence=fields["sequence"],
                hash=fields["hash"],
                at=datetime.fromisoformat(fields["at"]),
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
