"""Forged tokens against real routes: the claims are those of a real account, and still none is accepted."""

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from fastapi import FastAPI

from api import sessions
from perdure.domain.tokens import AccessClaims
from perdure.secret_key import load_secret_key
from perdure.settings import Settings
from tests.accounts import Account as ProductAccount
from tests.api.conftest import Account, ClientFactory
from tests.forged_tokens import FOREIGN_KEY, Forger, encoded, forgeries

ME = "/api/v1/auth/me"
# Rows by name, so that each is a test of its own; what is in them is made for the account of the test.
ROWS = sorted(forgeries(Forger(b"x" * 40, AccessClaims("usr_1", "org_1", "fam_1"))))


@pytest.fixture
def forger(owner: Account, api_settings: Settings) -> Forger:
    claims = jwt.decode(owner.access_token, options={"verify_signature": False})
    known = AccessClaims(owner.user_id, owner.organisation_id, claims["fam"])
    return Forger(load_secret_key(api_settings), known)


async def test_the_token_that_the_forgeries_imitate_is_accepted(
    clients: ClientFactory, forger: Forger
) -> None:
    assert (await clients(forger.good()).get(ME)).status_code == 200


def test_the_table_has_at_least_sixty_rows() -> None:
    assert len(ROWS) >= 60


@pytest.mark.parametrize("row", ROWS)
async def test_a_forged_token_opens_nothing(clients: ClientFactory, forger: Forger, row: str) -> None:
    token = forgeries(forger)[row]
    http = clients(token)
    for answer in (
        await http.get(ME),
        await http.post("/api/v1/api-keys", json={"name": "x", "scopes": ["x"]}),
    ):
        assert answer.status_code == 401, answer.text
        assert answer.json()["type"] == "/problems/unauthenticated"
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert forger.claims.organisation_id not in answer.text
    as_cookie = clients(cookies={sessions.COOKIE: token})
    assert (await as_cookie.get(ME)).status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        "{token}",
        "bearer: {token}",
        "Basic {token}",
        "Token {token}",
        "Bearer {token} {token}",
        "Bearer",
        "Bearer ",
    ],
)
async def test_a_good_token_counts_in_its_place_only(
    clients: ClientFactory, forger: Forger, header: str
) -> None:
    http = clients()
    http.headers["Authorization"] = header.format(token=forger.good())
    assert (await http.get(ME)).status_code == 401
    assert (await clients().get(ME, params={"access_token": forger.good()})).status_code == 401


async def test_a_token_dies_with_its_log_in(clients: ClientFactory, owner: Account, forger: Forger) -> None:
    out = await clients().post("/api/v1/auth/logout", json={"refresh_token": owner.refresh_token})
    assert out.status_code == 204
    assert (await clients(forger.good()).get(ME)).status_code == 401


def forged_links(secret: bytes, key: str) -> dict[str, str]:
    """Tokens of signed links, each wrong in one thing."""
    now = datetime.now(UTC)
    good: dict[str, Any] = {
        "aud": "perdure-content",
        "exp": now + timedelta(minutes=5),
        "key": key,
        "name": "x",
        "type": "text/html",
    }
    head, body, _ = jwt.encode(good, secret, algorithm="HS256").split(".")
    unsigned = encoded(b'{"alg":"none","typ":"JWT"}')
    without_audience = {name: value for name, value in good.items() if name != "aud"}
    return {
        "no signature": f"{unsigned}.{body}.",
        "an empty signature": f"{head}.{body}.",
        "a foreign key": jwt.encode(good, FOREIGN_KEY, algorithm="HS256"),
        "another algorithm": jwt.encode(good, secret.ljust(64), algorithm="HS512"),
        "a foreign audience": jwt.encode(good | {"aud": "perdure-api"}, secret, algorithm="HS256"),
        "no audience": jwt.encode(without_audience, secret, algorithm="HS256"),
        "expired": jwt.encode(good | {"exp": now - timedelta(seconds=1)}, secret, algorithm="HS256"),
        "a path": "..%2F..%2Fsecret.key",
        "nothing like a token": "x",
    }


async def test_a_forged_link_shows_no_content(product: FastAPI, caller: ProductAccount) -> None:
    document = await caller.ingested(json={"text": "The secret harbour."})
    link = (await caller.get(f"/documents/{document['id']}/content"))["url"]
    token = link.rpartition("/")[2]
    assert (await caller.http.get(link)).content == b"The secret harbour."
    key = jwt.decode(token, options={"verify_signature": False})["key"]
    table = forged_links(load_secret_key(product.state.settings), key)
    access_token = caller.http.headers["Authorization"].partition(" ")[2]
    for row, forgery in (table | {"an access token": access_token, "half a token": token[:-9]}).items():
        answer = await caller.http.get(f"/api/v1/content/{forgery}")
        assert answer.status_code in {403, 404}, row
        assert b"harbour" not in answer.content, row
