"""Secrets that stand for a caller: access tokens (JWT), refresh tokens, API keys, session cookies."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import jwt

from perdure.errors import UnauthenticatedError

ACCESS_TOKEN_LIFETIME = timedelta(minutes=15)
REFRESH_TOKEN_LIFETIME = timedelta(days=30)
SESSION_LIFETIME = timedelta(days=7)

API_KEY_PREFIX = "pdr_"
REFRESH_TOKEN_PREFIX = "pdrr_"  # noqa: S105  # a prefix, not a secret

ISSUER = "perdure"
AUDIENCE = "perdure-api"
_ALGORITHM = "HS256"
_TYPE = "at+jwt"
_SECRET_BYTES = 32
_CLOCK_SKEW = timedelta(seconds=5)


def new_secret(prefix: str = "") -> str:
    """256 random bits, URL safe, after a prefix that secret scanners can find."""
    return prefix + secrets.token_urlsafe(_SECRET_BYTES)


def hash_secret(secret: str) -> str:
    """SHA-256 in hex. Enough for 256 random bits: there is nothing to guess, so nothing to slow down."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def derive_key(secret: bytes, purpose: str) -> bytes:
    """A key for one purpose out of the installation's secret (HMAC-SHA-256 of the purpose)."""
    return hmac.new(secret, purpose.encode(), hashlib.sha256).digest()


@dataclass(frozen=True)
class AccessClaims:
    """What an access token says: who, in which organisation, out of which chain of refresh tokens."""

    user_id: str
    organisation_id: str
    family_id: str


class AccessTokens:
    """Issues and checks access tokens. One algorithm, one key; a token's own hints at keys are ignored."""

    def __init__(self, secret: bytes) -> None:
        self._key = derive_key(secret, "perdure access token v1")

    def issue(self, claims: AccessClaims, now: datetime | None = None) -> str:
        """A token for 15 minutes."""
        issued = now or datetime.now(UTC)
        payload = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": claims.user_id,
            "org": claims.organisation_id,
            "fam": claims.family_id,
            "iat": issued,
            "nbf": issued,
            "exp": issued + ACCESS_TOKEN_LIFETIME,
        }
        return jwt.encode(payload, self._key, algorithm=_ALGORITHM, headers={"typ": _TYPE})

    def read(self, token: str) -> AccessClaims:
        """The claims of a valid token; raises `UnauthenticatedError` for every other string."""
        try:
            decoded = jwt.decode_complete(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                issuer=ISSUER,
                audience=AUDIENCE,
                leeway=_CLOCK_SKEW,
                options={"require": ["iss", "aud", "sub", "iat", "nbf", "exp"]},
            )
        except jwt.ExpiredSignatureError as error:
            detail = "The access token has expired; get a new one from POST /api/v1/auth/refresh."
            raise UnauthenticatedError(detail) from error
        except (jwt.InvalidTokenError, ValueError) as error:
            raise _invalid() from error
        payload = decoded["payload"]
        claims = (payload.get("sub"), payload.get("org"), payload.get("fam"))
        if decoded["header"].get("typ") != _TYPE or not all(isinstance(each, str) for each in claims):
            raise _invalid()
        return AccessClaims(*claims)


def _invalid() -> UnauthenticatedError:
    return UnauthenticatedError("The access token is not valid; log in at POST /api/v1/auth/login.")
