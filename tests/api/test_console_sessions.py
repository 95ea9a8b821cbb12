"""Console sessions: the cookie, CSRF, and session fixation."""

from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI, Request
from sqlalchemy import text
from starlette.responses import JSONResponse, Response

from api import sessions
from api.dependencies import Caller
from perdure.db.session import Database
from perdure.domain.tokens import hash_secret
from perdure.schemas.auth import LoginCreate
from tests.api.conftest import PASSWORD, Account, ClientFactory


@pytest.fixture(scope="module", autouse=True)
def pages(app: FastAPI) -> Iterator[None]:
    """Pages as the console has them, under a path of their own."""

    async def log_in(request: Request) -> Response:
        sessions.check_same_origin(request)
        form = await request.form()
        body = LoginCreate(email=str(form["email"]), password=str(form["password"]))
        who = await sessions.logins(request).log_in(body, sessions.visitor(request))
        response = JSONResponse({})
        principal = await sessions.start_session(request, response, who)
        response.headers["x-test-csrf"] = principal.csrf_token or ""
        return response

    async def act(caller: Caller) -> dict[str, str]:
        return {"via": caller.via, "organisation_id": caller.organisation_id}

    async def log_out(request: Request, caller: Caller) -> Response:
        response = Response(status_code=204)
        await sessions.end_session(request, response)
        return response

    before = list(app.router.routes)
    app.add_api_route("/test-console/login", log_in, methods=["POST"], response_model=None)
    app.add_api_route("/test-console/act", act, methods=["GET", "POST"])
    app.add_api_route("/test-console/logout", log_out, methods=["POST"], response_model=None)
    yield
    app.router.routes[:] = before


@pytest.fixture
async def browser(clients: ClientFactory, owner: Account) -> httpx.AsyncClient:
    """A browser that is logged in; `x-csrf-token` is not yet set."""
    http = clients()
    answer = await http.post("/test-console/login", data={"email": owner.email, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    http.headers["x-kept-csrf"] = answer.headers["x-test-csrf"]
    return http


def csrf(browser: httpx.AsyncClient) -> str:
    return browser.headers["x-kept-csrf"]


async def test_the_cookie_is_hidden_from_scripts_and_other_sites(
    clients: ClientFactory, owner: Account
) -> None:
    answer = await clients().post("/test-console/login", data={"email": owner.email, "password": PASSWORD})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/" in cookie


async def test_a_session_identifies_its_user(browser: httpx.AsyncClient, owner: Account) -> None:
    answer = await browser.get("/test-console/act")
    assert answer.json() == {"via": "session", "organisation_id": owner.organisation_id}


async def test_the_database_knows_only_the_hash(browser: httpx.AsyncClient, database: Database) -> None:
    cookie = browser.cookies[sessions.COOKIE]
    async with database.transaction(None) as session:
        rows = str((await session.execute(text("SELECT * FROM sessions"))).all())
    assert hash_secret(cookie) in rows
    assert cookie not in rows


async def test_an_unsafe_request_needs_the_csrf_token(browser: httpx.AsyncClient) -> None:
    without = await browser.post("/test-console/act")
    assert (without.status_code, without.json()["type"]) == (403, "/problems/permission-denied")
    wrong = await browser.post("/test-console/act", headers={"X-CSRF-Token": "wrong"})
    assert wrong.status_code == 403
    assert (
        await browser.post("/test-console/act", headers={"X-CSRF-Token": csrf(browser)})
    ).status_code == 200
    assert (await browser.post("/test-console/act", data={"csrf_token": csrf(browser)})).status_code == 200
    assert (await browser.post("/test-console/act", data={"csrf_token": "wrong"})).status_code == 403


async def test_the_token_of_another_session_does_not_count(
    browser: httpx.AsyncClient, clients: ClientFactory, owner: Account
) -> None:
    other = clients()
    answer = await other.post("/test-console/login", data={"email": owner.email, "password": PASSWORD})
    foreign = {"X-CSRF-Token": answer.headers["x-test-csrf"]}
    assert (await browser.post("/test-console/act", headers=foreign)).status_code == 403


async def test_another_site_is_refused_even_with_the_token(browser: httpx.AsyncClient) -> None:
    headers = {"X-CSRF-Token": csrf(browser), "Origin": "https://evil.example"}
    assert (await browser.post("/test-console/act", headers=headers)).status_code == 403
    headers["Origin"] = "http://perdure.test"
    assert (await browser.post("/test-console/act", headers=headers)).status_code == 200


async def test_another_site_cannot_log_a_browser_in(clients: ClientFactory, owner: Account) -> None:
    answer = await clients().post(
        "/test-console/login",
        data={"email": owner.email, "password": PASSWORD},
        headers={"Origin": "https://evil.example"},
    )
    assert answer.status_code == 403


async def test_a_bearer_needs_no_csrf_token(owner: Account) -> None:
    assert (await owner.http.post("/test-console/act")).json()["via"] == "access_token"


async def test_a_bad_bearer_is_not_saved_by_a_good_cookie(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/test-console/act", headers={"Authorization": "Bearer nonsense"})
    assert answer.status_code == 401


async def test_a_planted_cookie_is_worth_nothing_after_log_in(clients: ClientFactory, owner: Account) -> None:
    http = clients(cookies={sessions.COOKIE: "planted"})
    await http.post("/test-console/login", data={"email": owner.email, "password": PASSWORD})
    planted = clients(cookies={sessions.COOKIE: "planted"})
    assert (await planted.get("/test-console/act")).status_code == 401


async def test_logging_in_again_ends_the_session_before(
    browser: httpx.AsyncClient, clients: ClientFactory, owner: Account
) -> None:
    old = browser.cookies[sessions.COOKIE]
    await browser.post("/test-console/login", data={"email": owner.email, "password": PASSWORD})
    assert (await browser.get("/test-console/act")).status_code == 200
    assert (await clients(cookies={sessions.COOKIE: old}).get("/test-console/act")).status_code == 401


async def test_logging_out_ends_the_session_on_the_server(
    browser: httpx.AsyncClient, clients: ClientFactory
) -> None:
    old = browser.cookies[sessions.COOKIE]
    assert (await browser.get("/test-console/act")).status_code == 200
    answer = await browser.post("/test-console/logout", headers={"X-CSRF-Token": csrf(browser)})
    assert answer.status_code == 204
    assert sessions.COOKIE not in browser.cookies
    assert (await clients(cookies={sessions.COOKIE: old}).get("/test-console/act")).status_code == 401
