"""Access tokens as attackers make them: each row imitates a good token in all but one thing."""

import base64
import hashlib
import hmac
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from perdure.domain.tokens import AccessClaims, derive_key

HEADER = {"alg": "HS256", "typ": "at+jwt"}
FOREIGN_KEY = b"another key of thirty-two bytes!"


def encoded(data: bytes) -> str:
    """Base64 as tokens have it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _part(value: Any) -> str:
    return encoded(json.dumps(value, default=lambda instant: int(instant.timestamp())).encode())


@dataclass(frozen=True)
class Forger:
    """Knows the claims of somebody, and the installation's secret so as to be wrong in one thing only."""

    secret: bytes
    claims: AccessClaims

    @property
    def key(self) -> bytes:
        """What good tokens are signed with."""
        return derive_key(self.secret, "perdure access token v1")

    def payload(self, **changed: Any) -> dict[str, Any]:
        """Claims of a good token, some of them changed; None leaves one out."""
        now = datetime.now(UTC)
        whole = {
            "iss": "perdure",
            "aud": "perdure-api",
            "sub": self.claims.user_id,
            "org": self.claims.organisation_id,
            "fam": self.claims.family_id,
            "iat": now,
            "nbf": now,
            "exp": now + timedelta(minutes=15),
        } | changed
        return {name: value for name, value in whole.items() if value is not None}

    def signed(
        self,
        key: Any = None,
        algorithm: str = "HS256",
        headers: Mapping[str, Any] | None = None,
        **changed: Any,
    ) -> str:
        """By a library, which follows the rules."""
        header = {"typ": "at+jwt"} | dict(headers or {})
        with warnings.catch_warnings(action="ignore", category=jwt.warnings.InsecureKeyLengthWarning):
            return jwt.encode(
                self.payload(**changed), self.key if key is None else key, algorithm=algorithm, headers=header
            )

    def raw(self, header: Any, key: bytes | None = None, **changed: Any) -> str:
        """By hand, which follows none; with HMAC-SHA-256 under any key, or without a signature."""
        content = f"{_part(header)}.{_part(self.payload(**changed))}"
        if key is None:
            return f"{content}."
        return f"{content}.{encoded(hmac.new(key, content.encode(), hashlib.sha256).digest())}"

    def good(self) -> str:
        """The one that all others imitate."""
        return self.signed()


@cache
def _rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _public(key: Any) -> bytes:
    data: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return data


def _unsigned(forger: Forger) -> dict[str, str]:
    return {
        f"no signature, algorithm {name!r}": forger.raw({"alg": name, "typ": "at+jwt"})
        for name in ("none", "None", "NONE", "nOnE", "", None, "HS256")
    } | {
        "no algorithm, but a good signature": forger.raw({"typ": "at+jwt"}, forger.key),
        "algorithm none, but a good signature": forger.raw({"alg": "none", "typ": "at+jwt"}, forger.key),
    }


def _other_algorithms(forger: Forger) -> dict[str, str]:
    private = _rsa_key()
    curve = ec.generate_private_key(ec.SECP256R1())
    edwards = ed25519.Ed25519PrivateKey.generate()
    head_of_es256 = f"{_part({'alg': 'ES256', 'typ': 'at+jwt'})}.{_part(forger.payload())}"
    return {
        "HS384 with our key": forger.signed(algorithm="HS384"),
        "HS512 with our key": forger.signed(algorithm="HS512"),
        "RS256": forger.signed(key=private, algorithm="RS256"),
        "PS256": forger.signed(key=private, algorithm="PS256"),
        "ES256": forger.signed(key=curve, algorithm="ES256"),
        "EdDSA": forger.signed(key=edwards, algorithm="EdDSA"),
        "a public key used as a shared secret": forger.raw(HEADER, _public(private)),
        "RS256 signed with a shared secret": forger.raw({"alg": "RS256", "typ": "at+jwt"}, _public(private)),
        "ES256 with a signature of zeros": f"{head_of_es256}.{encoded(bytes(64))}",
        "the name of the algorithm in lower case": forger.raw({"alg": "hs256", "typ": "at+jwt"}, forger.key),
        "a list of algorithms": forger.raw({"alg": ["HS256"], "typ": "at+jwt"}, forger.key),
    }


def _other_keys(forger: Forger) -> dict[str, str]:
    jwk = {"kty": "oct", "alg": "HS256", "k": encoded(FOREIGN_KEY)}
    private = _rsa_key()
    rsa_jwk = jwt.algorithms.RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
    hints: dict[str, dict[str, Any]] = {
        "jku": {"jku": "http://127.0.0.1/keys.json", "kid": "1"},
        "x5u": {"x5u": "http://127.0.0.1/cert.pem"},
        "jwk": {"jwk": jwk},
        "jwk and kid": {"jwk": {**jwk, "kid": "1"}, "kid": "1"},
        "x5c": {"x5c": [encoded(b"a certificate")]},
        "kid, a path": {"kid": "../../../../dev/null"},
        "kid, SQL": {"kid": "x' UNION SELECT 'another key of thirty-two bytes!' --"},
        "kid, a command": {"kid": "| cat /etc/passwd"},
        "kid, an address": {"kid": "http://127.0.0.1/key"},
    }
    return {
        "a foreign key": forger.signed(key=FOREIGN_KEY),
        "an empty key": forger.raw(HEADER, b""),
        "a key of zeros": forger.signed(key=bytes(32)),
        "the installation's secret itself": forger.signed(key=forger.secret),
        "a key derived for another purpose": forger.signed(
            key=derive_key(forger.secret, "perdure rate limits v1")
        ),
        "a public key inside, and its signature": forger.signed(
            key=private, algorithm="RS256", headers={"jwk": rsa_jwk}
        ),
        "an empty key, as if kid named an empty file": forger.raw(
            {"alg": "HS256", "typ": "at+jwt", "kid": "/dev/null"}, b""
        ),
    } | {
        f"a foreign key, pointed at by {name}": forger.signed(key=FOREIGN_KEY, headers=hint)
        for name, hint in hints.items()
    }


def _claims(forger: Forger) -> dict[str, str]:
    now = datetime.now(UTC)
    wrong: dict[str, dict[str, Any]] = {
        "expired": {"exp": now - timedelta(minutes=1)},
        "expired long ago": {"exp": 1},
        "never expiring": {"exp": None},
        "expiring at no number": {"exp": "never"},
        "expiring at infinity": {"exp": float("inf")},
        "not valid yet": {"nbf": now + timedelta(days=1)},
        "no start": {"nbf": None},
        "issued in the future": {"iat": now + timedelta(days=1)},
        "not issued": {"iat": None},
        "a foreign audience": {"aud": "another-api"},
        "the audience of content links": {"aud": "perdure-content"},
        "a list of foreign audiences": {"aud": ["another-api", "perdure-content"]},
        "no audience": {"aud": None},
        "an empty audience": {"aud": ""},
        "a foreign issuer": {"iss": "someone"},
        "an issuer that is a list": {"iss": ["someone", "perdure"]},
        "no issuer": {"iss": None},
        "no user": {"sub": None},
        "a user that is no text": {"sub": [forger.claims.user_id]},
        "no organisation": {"org": None},
        "an organisation that is no text": {"org": {"id": forger.claims.organisation_id}},
        "no family": {"fam": None},
    }
    return {name: forger.raw(HEADER, forger.key, **changed) for name, changed in wrong.items()}


def _forms(forger: Forger) -> dict[str, str]:
    good = forger.good()
    head, body, signature = good.split(".")
    other = forger.signed(key=FOREIGN_KEY, sub="usr_00000000000000000000000000").split(".")[1]
    flipped = signature[:10] + ("A" if signature[10] != "A" else "B") + signature[11:]
    flattened = json.dumps({"protected": head, "payload": body, "signature": signature})
    return {
        "another payload under a good signature": f"{head}.{other}.{signature}",
        "one character of the signature changed": f"{head}.{body}.{flipped}",
        "half a signature": f"{head}.{body}.{signature[:20]}",
        "an empty signature": f"{head}.{body}.",
        "no signature part": f"{head}.{body}",
        "a part too many": f"{good}.{signature}",
        "a good token within quotes": f'"{good}"',
        "a good token in JSON": flattened,
        "a good token inside a token": forger.raw({"alg": "none", "typ": "at+jwt", "cty": "JWT"}, inner=good),
        "another type of token": forger.signed(headers={"typ": "JWT"}),
        "no type": forger.raw({"alg": "HS256"}, forger.key),
        "an unknown critical header": forger.signed(headers={"crit": ["b64"], "b64": False}),
        "a header that is a list": forger.raw(["HS256"], forger.key),
        "a header that is no JSON": f"{encoded(b'nonsense')}.{body}.{signature}",
        "a payload that is a list": f"{head}.{_part([1])}.{signature}",
        "not a token": "nonsense",
        "three empty parts": "..",
    }


def forgeries(forger: Forger) -> dict[str, str]:
    """All of them, by what is wrong."""
    return {
        **_unsigned(forger),
        **_other_algorithms(forger),
        **_other_keys(forger),
        **_claims(forger),
        **_forms(forger),
    }
