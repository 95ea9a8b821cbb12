"""Tokens that stand for one decision of one person: sealed by the installation, for one purpose, and for a while.

A link in a letter lets its holder decide once; a signal carries the decision itself, because Temporal does not say who
signals. What a token says is encrypted: it passes through mailboxes, shells and histories that anybody may read.
"""

import base64
import binascii
import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from perdure.domain.approval_events import Decision
from perdure.domain.tokens import derive_key
from perdure.errors import InvalidInputError

PREFIX = "pdt_"
MAX_TOKEN = 8_192
_NONCE_BYTES = 12
LINK, SIGNAL = "link", "signal"


class TokenRefusal(Exception):  # noqa: N818  # it says why, as a refusal does
    """A token that does not count; `code` is stable."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionClaims:
    """What a token says. With a decision, it is made; without one, its holder may choose."""

    id: str
    organisation_id: str
    approval_id: str
    person: str
    purpose: str
    revision: str
    expires_at: datetime
    decision: Decision | None = None
    comment: str = ""
    on_behalf_of: str | None = None
    form: dict[str, Any] | None = None


class DecisionTokens:
    """Makes and reads tokens of this installation."""

    def __init__(self, secret: bytes) -> None:
        self._ciphers = {
            purpose: AESGCM(derive_key(secret, f"perdure decision token v1 {purpose}"))
            for purpose in (LINK, SIGNAL)
        }

    def issue(self, claims: DecisionClaims) -> str:
        """A token that says this. `InvalidInputError` for more than fits in one."""
        said = {**asdict(claims), "expires_at": claims.expires_at.astimezone(UTC).isoformat()}
        if claims.form is None:
            del said["form"]  # versions before do not know it
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[claims.purpose].encrypt(nonce, json.dumps(said).encode(), PREFIX.encode())
        token = PREFIX + base64.urlsafe_b64encode(nonce + sealed).decode().rstrip("=")
        if len(token) > MAX_TOKEN:
            raise InvalidInputError("Comment and form are too long for a token; decide without a signal.")
        return token

    def read(self, token: object, purpose: str, now: datetime) -> DecisionClaims:
        """What a token says; TokenRefusal for whatever is none of ours, for this purpose, and still good."""
        claims = self._opened(token, purpose)
        if claims.expires_at <= now:
            raise TokenRefusal("token_expired")
        return claims

    def _opened(self, token: object, purpose: str) -> DecisionClaims:
        if not isinstance(token, str) or not token.startswith(PREFIX) or len(token) > MAX_TOKEN:
            raise TokenRefusal("token_unreadable")
        encoded = token.removeprefix(PREFIX)
        try:
            raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
            nonce, sealed = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
            said: dict[str, Any] = json.loads(self._ciphers[purpose].decrypt(nonce, sealed, PREFIX.encode()))
        except (binascii.Error, UnicodeEncodeError, ValueError, InvalidTag) as error:
            raise TokenRefusal("token_unreadable") from error
        decision = said.pop("decision")
        expires_at = datetime.fromisoformat(said.pop("expires_at"))
        return DecisionClaims(
            **said, expires_at=expires_at, decision=Decision(decision) if decision else None
        )
