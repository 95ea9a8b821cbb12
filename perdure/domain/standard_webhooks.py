"""Signatures of outgoing webhooks, as Standard Webhooks 1.0 wants them; and when a message is tried again."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from perdure.errors import InvalidInputError

SECRET_PREFIX = "whsec_"  # noqa: S105  # a mark, not a secret
_SECRET_BYTES = 32
_LEAST_BYTES, _MOST_BYTES = 24, 64

# How long after each attempt that failed the next one comes: three days and a half altogether.
BACK_OFF = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=2),
    timedelta(hours=4),
    timedelta(hours=8),
    timedelta(hours=12),
    timedelta(hours=24),
    timedelta(hours=24),
)
MOST_ATTEMPTS = len(BACK_OFF) + 1
# Who says when to come back is believed up to here.
LONGEST_WAIT = timedelta(hours=24)
_SPREAD = 0.2


def new_secret() -> str:
    """A fresh secret as it is shown to whoever verifies."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def check_secret(given: str) -> str:
    """The secret; InvalidInputError unless others could verify with it."""
    try:
        size = len(_key(given))
    except (binascii.Error, ValueError):
        size = 0
    if not given.startswith(SECRET_PREFIX) or not _LEAST_BYTES <= size <= _MOST_BYTES:
        detail = (
            f"A secret is {SECRET_PREFIX} and {_LEAST_BYTES} to {_MOST_BYTES} bytes in base64; leave it out to have "
            "one made."
        )
        raise InvalidInputError(detail)
    return given


def signed_headers(message_id: str, at: datetime, body: bytes, keys: Sequence[str]) -> dict[str, str]:
    """The headers of one attempt: who verifies with any of the secrets is satisfied."""
    timestamp = str(int(at.timestamp()))
    content = b".".join((message_id.encode(), timestamp.encode(), body))
    signatures = (
        base64.b64encode(hmac.digest(_key(each), content, hashlib.sha256)).decode() for each in keys
    )
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def retry_in(message_id: str, attempts: int, asked: timedelta | None = None) -> timedelta | None:
    """How long to wait after so many attempts that failed; None after the last.

    Messages that failed together come back spread out by their ids, the same way each time it is worked out.
    """
    if attempts >= MOST_ATTEMPTS:
        return None
    digest = hashlib.sha256(f"{message_id}:{attempts}".encode()).digest()
    spread = 1 - _SPREAD / 2 + _SPREAD * digest[0] / 255
    wait = BACK_OFF[max(attempts, 1) - 1] * spread
    return max(wait, min(asked, LONGEST_WAIT)) if asked is not None else wait


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
