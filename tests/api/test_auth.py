"""Registering, logging in, rotating tokens and logging out, as a client sees it."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from perdure.db.session import Database
from perdure.domain.passwords import TIME_COST, Passwords
from perdure.domain.tokens import hash_secret
from tests.api.conftest import PASSWORD, Account, Accounts, ClientFactory


def a_registration(email: str = "new@example.com", **changed: str) -> dict[str, str]:
    return {"email": email, "password": PASSWORD, "name": "Ada", "organisation": "Engines"} | changed


async def test_whoever_registers_owns_a_new_organisation(http: httpx.AsyncClient, register: Accounts) -> None:
    account = await register("Engines")
    me = (await account.http.get("/api/v1/auth/me")).json()
    assert me["user"]["email"] == account.email
    assert (me["organisation"]["name"], me["role"], me["via"]) == ("Engines", "owner", "access_token")
    assert me["organisations"] == [
        {"organisation_id": account.organisation_id, "organisation_name": "Engines", "role": "owner"}
    ]
    assert "documents:write" in me["scopes"]


async def test_an_email_registers_once_whatever_its_case(http: httpx.AsyncClient, owner: Account) -> None:
    answer = await http.post("/api/v1/auth/register", json=a_registration(owner.email.upper()))
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/conflict")


async def test_two_registrations_at_once_make_one_account(clients: ClientFactory, database: Database) -> None:
    body = a_registration("race-of-two@example.com", organisation="Race of two")
    answers = await asyncio.gather(*(clients().post("/api/v1/auth/register", json=body) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("password", "short"),
        ("password", "aaaaaaaaaaaaaaa"),
        ("password", "x" * 300),
        ("email", "no-at-sign"),
        ("email", "two@at@signs.example"),
        ("name", ""),
        ("name", "a\x07b"),
        ("organisation", "  "),
    ],
)
async def test_a_bad_registration_names_the_field(http: httpx.AsyncClient, field: str, value: str) -> None:
    answer = await http.post("/api/v1/auth/register", json=a_registration(**{field: value}))
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/body/{field}"]


async def test_a_log_in_with_the_right_password_works(http: httpx.AsyncClient, owner: Account) -> None:
    body = {"email": f" {owner.email.upper()} ", "password": PASSWORD}
    answer = await http.post("/api/v1/auth/login", json=body)
    assert answer.status_code == 200
    assert answer.json()["organisation"]["id"] == owner.organisation_id


async def test_a_wrong_password_and_an_unknown_email_look_the_same(
    clients: ClientFactory, owner: Account
) -> None:
    answers = []
    for email in (owner.email, "nobody-of-that-name@example.com"):
        answer = await clients().post(
            "/api/v1/auth/login", json={"email": email, "password": "wrong password"}
        )
        body = answer.json()
        body.pop("request_id")
        answers.append((answer.status_code, body))
    assert answers[0] == answers[1]
    assert answers[0][0] == 401


async def test_guessing_locks_the_account_and_says_how_long(clients: ClientFactory, owner: Account) -> None:
    wrong = {"email": owner.email, "password": "wrong password"}
    seen = [(await clients().post("/api/v1/auth/login", json=wrong)).status_code for _ in range(6)]
    assert seen == [401] * 5 + [429]
    right = {"email": owner.email, "password": PASSWORD}
    locked = await clients().post("/api/v1/auth/login", json=right)
    assert locked.status_code == 429
    assert 1 <= int(locked.headers["retry-after"]) <= 30


async def test_guessing_locks_an_account_that_does_not_exist_as_well(clients: ClientFactory) -> None:
    wrong = {"email": "never-registered@example.com", "password": "wrong password"}
    seen = [(await clients().post("/api/v1/auth/login", json=wrong)).status_code for _ in range(6)]
    assert seen == [401] * 5 + [429]


async def test_guessing_many_accounts_locks_the_address(http: httpx.AsyncClient) -> None:
    seen = []
    for number in range(31):
        wrong = {"email": f"spray-{number}@example.com", "password": "wrong password"}
        seen.append((await http.post("/api/v1/auth/login", json=wrong)).status_code)
    assert seen == [401] * 30 + [429]


async def test_many_guesses_at_once_get_no_further_than_a_few(clients: ClientFactory, owner: Account) -> None:
    wrong = {"email": owner.email, "password": "wrong password"}
    answers = await asyncio.gather(*(clients().post("/api/v1/auth/login", json=wrong) for _ in range(30)))
    checked = sum(answer.status_code == 401 for answer in answers)
    assert 5 <= checked <= 7  # five free ones, and one more in each of the two slots


async def test_a_success_forgets_the_failures(clients: ClientFactory, owner: Account) -> None:
    wrong = {"email": owner.email, "password": "wrong password"}
    right = {"email": owner.email, "password": PASSWORD}
    for _ in range(2):
        for _ in range(4):
            assert (await clients().post("/api/v1/auth/login", json=wrong)).status_code == 401
        assert (await clients().post("/api/v1/auth/login", json=right)).status_code == 200


async def test_an_old_hash_is_made_anew_at_log_in(
    app: FastAPI, http: httpx.AsyncClient, owner: Account, database: Database
) -> None:
    strong = Passwords()
    async with strong:
        verdict = await strong.verify(await _stored_hash(database, owner), PASSWORD)
    assert verdict.matches
    assert verdict.rehash is not None
    assert f"m=47104,t={TIME_COST},p=1" in verdict.rehash
    logins = app.state.logins
    usual, logins._passwords = logins._passwords, strong
    try:
        answer = await http.post("/api/v1/auth/login", json={"email": owner.email, "password": PASSWORD})
    finally:
        logins._passwords = usual
    assert answer.status_code == 200
    assert "m=47104" in await _stored_hash(database, owner)


async def _stored_hash(database: Database, account: Account) -> str:
    async with database.transaction(None) as session:
        found = await session.scalar(
            text("SELECT password_hash FROM users WHERE id = :id"), {"id": account.user_id}
        )
    return str(found)


async def test_a_refresh_token_works_once(http: httpx.AsyncClient, owner: Account) -> None:
    first = await http.post("/api/v1/auth/refresh", json={"refresh_token": owner.refresh_token})
    assert first.status_code == 200
    assert first.json()["refresh_token"] != owner.refresh_token
    second = await http.post("/api/v1/auth/refresh", json={"refresh_token": first.json()["refresh_token"]})
    assert second.status_code == 200


async def test_a_refresh_token_used_twice_ends_the_whole_log_in(
    http: httpx.AsyncClient, clients: ClientFactory, owner: Account
) -> None:
    fresh = (await http.post("/api/v1/auth/refresh", json={"refresh_token": owner.refresh_token})).json()
    stolen = await http.post("/api/v1/auth/refresh", json={"refresh_token": owner.refresh_token})
    assert stolen.status_code == 401
    after = await http.post("/api/v1/auth/refresh", json={"refresh_token": fresh["refresh_token"]})
    assert after.status_code == 401
    assert (await clients(fresh["access_token"]).get("/api/v1/auth/me")).status_code == 401


async def test_of_two_refreshes_at_once_one_works(clients: ClientFactory, owner: Account) -> None:
    body = {"refresh_token": owner.refresh_token}
    answers = await asyncio.gather(*(clients().post("/api/v1/auth/refresh", json=body) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7


async def test_an_expired_refresh_token_does_not_work(
    http: httpx.AsyncClient, owner: Account, database: Database
) -> None:
    async with database.transaction(None) as session:
        await session.execute(
            text("UPDATE refresh_tokens SET expires_at = :past WHERE token_hash = :hash"),
            {"past": datetime.now(UTC) - timedelta(seconds=1), "hash": hash_secret(owner.refresh_token)},
        )
    answer = await http.post("/api/v1/auth/refresh", json={"refresh_token": owner.refresh_token})
    assert answer.status_code == 401


async def test_refreshing_does_not_prolong_the_log_in(
    http: httpx.AsyncClient, owner: Account, database: Database
) -> None:
    fresh = (await http.post("/api/v1/auth/refresh", json={"refresh_token": owner.refresh_token})).json()
    async with database.transaction(None) as session:
        ends = (
            await session.scalars(
                text("SELECT expires_at FROM refresh_tokens WHERE token_hash IN (:a, :b)"),
                {"a": hash_secret(owner.refresh_token), "b": hash_secret(fresh["refresh_token"])},
            )
        ).all()
    assert len(ends) == 2
    assert len(set(ends)) == 1


async def test_logging_out_ends_access_and_refresh(http: httpx.AsyncClient, owner: Account) -> None:
    assert (await owner.http.get("/api/v1/auth/me")).status_code == 200
    for _ in range(2):
        answer = await http.post("/api/v1/auth/logout", json={"refresh_token": owner.refresh_token})
        assert answer.status_code == 204
    assert (await owner.http.get("/api/v1/auth/me")).status_code == 401
    answer = await http.post("/api/v1/auth/refresh", json={"refresh_token": owner.refresh_token})
    assert answer.status_code == 401


async def test_only_hashes_are_stored(owner: Account, database: Database) -> None:
    key = await owner.make_key("documents:read")
    async with database.transaction(owner.organisation_id) as session:
        dumped = []
        for table in ("users", "refresh_tokens", "api_keys", "idempotency_keys"):
            dumped += [str(row) for row in await session.execute(text(f"SELECT * FROM {table}"))]
    everything = "\n".join(dumped)
    assert hash_secret(key) in everything
    for secret in (PASSWORD, owner.refresh_token, owner.access_token, key):
        assert secret not in everything


async def test_a_log_in_to_a_foreign_organisation_answers_404(
    http: httpx.AsyncClient, register: Accounts
) -> None:
    one, other = await register(), await register()
    body = {"email": one.email, "password": PASSWORD, "organisation_id": other.organisation_id}
    assert (await http.post("/api/v1/auth/login", json=body)).status_code == 404


@pytest.mark.parametrize(
    "header", ["Basic YTpi", "Bearer", "Bearer ", "pdr_x", "Bearer nonsense", "Bearer a.b.c"]
)
async def test_a_header_that_is_no_credential_answers_401(http: httpx.AsyncClient, header: str) -> None:
    answer = await http.get("/api/v1/auth/me", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"
