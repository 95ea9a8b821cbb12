"""Access tokens: of the forged ones none is accepted."""

import base64
import json
import warnings
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from perdure.domain.tokens import (
    ACCESS_TOKEN_LIFETIME,
    API_KEY_PREFIX,
    AccessClaims,
    AccessTokens,
    derive_key,
    hash_secret,
    new_secret,
)
from perdure.errors import UnauthenticatedError

SECRET = b"a secret of the installation, long enough"
KEY = derive_key(SECRET, "perdure access token v1")
CLAIMS = AccessClaims("usr_1", "org_1", "fam_1")


def payload(**changed: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    whole = {
        "iss": "perdure",
        "aud": "perdure-api",
        "sub": "usr_1",
        "org": "org_1",
        "fam": "fam_1",
        "iat": now,
        "nbf": now,
        "exp": now + timedelta(minutes=15),
    } | changed
    return {name: value for name, value in whole.items() if value is not None}


def signed(
    key: Any = KEY, algorithm: str = "HS256", headers: dict[str, Any] | None = None, **changed: Any
) -> str:
    return jwt.encode(
        payload(**changed), key, algorithm=algorithm, headers={"typ": "at+jwt"} | (headers or {})
    )


def unsigned(header: dict[str, Any]) -> str:
    def part(value: dict[str, Any]) -> str:
        content = json.dumps(value, default=lambda instant: int(instant.timestamp())).encode()
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    return f"{part(header)}.{part(payload())}."


def foreign_rsa() -> tuple[Any, bytes]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return key, public


def forgeries() -> dict[str, str]:
    now = datetime.now(UTC)
    private, _ = foreign_rsa()
    foreign_key = b"another key of thirty-two bytes!"
    good = signed()
    head, body, signature = good.split(".")
    other_body = signed(key=foreign_key, sub="usr_2").split(".")[1]
    return {
        "no algorithm": unsigned({"alg": "none", "typ": "at+jwt"}),
        "no algorithm, spelt oddly": unsigned({"alg": "nOnE", "typ": "at+jwt"}),
        "empty signature": f"{head}.{body}.",
        "another algorithm with our key": signed(algorithm="HS512"),
        "an asymmetric algorithm": signed(key=private, algorithm="RS256"),
        "a foreign key": signed(key=foreign_key),
        "the installation's secret itself": signed(key=SECRET),
        "an empty key": signed(key=b"\0" * 32),
        "a key by address": signed(
            key=foreign_key, headers={"jku": "http://127.0.0.1/keys.json", "kid": "1"}
        ),
        "a certificate by address": signed(key=foreign_key, headers={"x5u": "http://127.0.0.1/cert.pem"}),
        "a key inside": signed(key=foreign_key, headers={"jwk": {"kty": "oct", "k": "AAAA"}}),
        "a key by path": signed(key=foreign_key, headers={"kid": "../../../../dev/null"}),
        "another payload under a good signature": f"{head}.{other_body}.{signature}",
        "expired": signed(exp=now - timedelta(minutes=1)),
        "never expiring": signed(exp=None),
        "not valid yet": signed(nbf=now + timedelta(days=1)),
        "no start": signed(nbf=None),
        "issued in the future": signed(iat=now + timedelta(days=1)),
        "a foreign audience": signed(aud="another-api"),
        "no audience": signed(aud=None),
        "a foreign issuer": signed(iss="someone"),
        "another type of token": signed(headers={"typ": "JWT"}),
        "no user": signed(sub=None),
        "a user that is no text": signed(sub=["usr_1"]),
        "no organisation": signed(org=None),
        "an organisation that is no text": signed(org={"id": "org_1"}),
        "no family": signed(fam=None),
        "unknown critical header": signed(headers={"crit": ["b64"], "b64": False}),
        "not a token": "nonsense",
        "three empty parts": "..",
        "not ASCII": "é.é.é",
        "empty": "",
    }


with warnings.catch_warnings(action="ignore", category=jwt.warnings.InsecureKeyLengthWarning):
    FORGERIES = forgeries()


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forged_token_is_refused(forgery: str) -> None:
    with pytest.raises(UnauthenticatedError):
        AccessTokens(SECRET).read(forgery)


def test_the_token_that_the_forgeries_imitate_is_accepted() -> None:
    assert AccessTokens(SECRET).read(signed()) == CLAIMS


def test_an_issued_token_tells_its_claims() -> None:
    tokens = AccessTokens(SECRET)
    assert tokens.read(tokens.issue(CLAIMS)) == CLAIMS


def test_an_issued_token_lives_fifteen_minutes() -> None:
    tokens = AccessTokens(SECRET)
    issued = datetime.now(UTC) - ACCESS_TOKEN_LIFETIME
    assert tokens.read(tokens.issue(CLAIMS, issued + timedelta(minutes=1))) == CLAIMS
    with pytest.raises(UnauthenticatedError, match="refresh"):
        tokens.read(tokens.issue(CLAIMS, issued - timedelta(minutes=1)))


def test_another_installation_accepts_nothing_of_ours() -> None:
    with pytest.raises(UnauthenticatedError):
        AccessTokens(b"another installation's secret key").read(AccessTokens(SECRET).issue(CLAIMS))


def test_secrets_are_long_and_all_different() -> None:
    secrets = {new_secret(API_KEY_PREFIX) for _ in range(1000)}
    assert len(secrets) == 1000
    assert all(
        secret.startswith("pdr_") and len(secret) == 47 for secret in secrets
    )  # 43 characters of 6 bits
    assert len({hash_secret(secret) for secret in secrets}) == 1000
