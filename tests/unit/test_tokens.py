"""Access tokens: of the forged ones none is accepted."""

from datetime import UTC, datetime, timedelta

import pytest

from perdure.domain.tokens import (
    ACCESS_TOKEN_LIFETIME,
    API_KEY_PREFIX,
    AccessClaims,
    AccessTokens,
    hash_secret,
    new_secret,
)
from perdure.errors import UnauthenticatedError
from tests.forged_tokens import Forger, forgeries

SECRET = b"a secret of the installation, long enough"
CLAIMS = AccessClaims("usr_1", "org_1", "fam_1")
FORGER = Forger(SECRET, CLAIMS)
# What HTTP cannot carry in a header.
UNSENDABLE = {"not ASCII": "é.é.é", "empty": "", "a line break at the end": f"{FORGER.good()}\r\n"}
FORGERIES = forgeries(FORGER) | UNSENDABLE


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forged_token_is_refused(forgery: str) -> None:
    with pytest.raises(UnauthenticatedError):
        AccessTokens(SECRET).read(forgery)


def test_the_token_that_the_forgeries_imitate_is_accepted() -> None:
    assert AccessTokens(SECRET).read(FORGER.good()) == CLAIMS


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
