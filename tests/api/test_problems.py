"""Whatever goes wrong, the answer is a problem+json that names the place and the remedy, and nothing internal."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Body, FastAPI
from sqlalchemy import text
from temporalio.service import RPCError, RPCStatusCode

from api.problems import problem_types
from api.routes.console_pages import ConsoleRoute
from perdure.db.session import Database
from perdure.errors import DocumentRejectedError, ProviderUnavailableError
from tests.api.conftest import Account, ClientFactory

SECRET = "internal-detail-that-nobody-may-see"


@pytest.fixture(scope="module", autouse=True)
def faults(app: FastAPI, database: Database) -> Iterator[None]:  # noqa: C901  # a list of small routes
    """Routes that fail in every way there is."""

    def raising(error: Exception) -> Any:
        async def fail() -> None:
            raise error

        return fail

    async def echo(value: Annotated[dict[str, Any], Body()]) -> dict[str, Any]:
        return value

    async def store(value: Annotated[str, Body(embed=True)]) -> None:
        async with database.transaction(None) as session:
            await session.execute(text("SELECT CAST(:value AS text)"), {"value": value})

    async def store_number(value: Annotated[int, Body(embed=True)]) -> None:
        async with database.transaction(None) as session:
            await session.execute(text("SELECT CAST(:value AS integer) + 1"), {"value": value})

    async def broken_statement() -> None:
        async with database.transaction(None) as session:
            await session.execute(text(f"SELECT '{SECRET}' FROM no_such_table"))

    async def unreachable() -> None:
        gone = Database("postgresql://perdure_app@127.0.0.1:1/perdure")
        async with gone.transaction(None) as session:
            await session.execute(text("SELECT 1"))

    async def no_socket() -> None:
        gone = Database("postgresql://perdure_app@/perdure?host=/nowhere/at/all")
        async with gone.transaction(None) as session:
            await session.execute(text("SELECT 1"))

    async def backend_killed() -> None:
        async with database.transaction(None) as session:
            await session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    before = list(app.router.routes)
    for path, error in {
        "bug": RuntimeError(SECRET),
        "no-file": FileNotFoundError(2, "No such file", f"/{SECRET}"),
        "rejected": DocumentRejectedError("password_protected", "Remove the password and upload it again."),
        "provider": ProviderUnavailableError("Set OPENAI_API_KEY to use this."),
        "no-workflow": RPCError(SECRET, RPCStatusCode.NOT_FOUND, b""),
        "no-temporal": RPCError(SECRET, RPCStatusCode.UNAVAILABLE, b""),
        "odd-temporal": RPCError(SECRET, RPCStatusCode.INTERNAL, b""),
    }.items():
        app.add_api_route(f"/faults/{path}", raising(error), methods=["GET"])
    app.router.routes.append(ConsoleRoute("/faults/page", raising(RuntimeError(SECRET)), methods=["GET"]))
    app.add_api_route("/faults/echo", echo, methods=["POST"])
    app.add_api_route("/faults/store", store, methods=["POST"])
    app.add_api_route("/faults/store-number", store_number, methods=["POST"])
    app.add_api_route("/faults/broken-statement", broken_statement, methods=["GET"])
    app.add_api_route("/faults/unreachable", unreachable, methods=["GET"])
    app.add_api_route("/faults/no-socket", no_socket, methods=["GET"])
    app.add_api_route("/faults/backend-killed", backend_killed, methods=["GET"])
    yield
    app.router.routes[:] = before


def checked(answer: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """The problem, after checking what every problem must have."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["type"] == f"/problems/{slug}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["instance"] == answer.request.url.path
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert SECRET not in answer.text
    assert "Traceback" not in answer.text
    return problem


@pytest.mark.parametrize(
    ("path", "status", "slug"),
    [
        ("bug", 500, "internal-error"),
        ("no-file", 500, "internal-error"),
        ("rejected", 422, "document-rejected"),
        ("provider", 503, "provider-unavailable"),
        ("no-workflow", 404, "not-found"),
        ("no-temporal", 503, "unavailable"),
        ("odd-temporal", 500, "internal-error"),
        ("broken-statement", 500, "internal-error"),
        ("unreachable", 503, "unavailable"),
        ("no-socket", 503, "unavailable"),
        ("backend-killed", 503, "unavailable"),
        ("nothing-here", 404, "not-found"),
    ],
)
async def test_each_failure_has_its_problem(
    http: httpx.AsyncClient, path: str, status: int, slug: str
) -> None:
    problem = checked(await http.get(f"/faults/{path}"), status, slug)
    if slug == "document-rejected":
        assert problem["reason"] == "password_protected"


async def test_a_fault_of_ours_in_the_console_is_a_page_with_a_way_back(http: httpx.AsyncClient) -> None:
    answer = await http.get("/faults/page")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "text/html; charset=utf-8")
    assert answer.headers["x-request-id"] in answer.text
    assert 'href="/login"' in answer.text
    assert SECRET not in answer.text


async def test_what_passes_later_says_when(http: httpx.AsyncClient) -> None:
    assert int((await http.get("/faults/no-temporal")).headers["retry-after"]) >= 1


async def test_a_wrong_method_lists_the_right_ones(http: httpx.AsyncClient) -> None:
    answer = await http.delete("/faults/echo")
    checked(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("content", "content_type", "status", "slug"),
    [
        (b'{"a": ', "application/json", 400, "malformed-request"),
        (b"", "application/json", 422, "invalid-input"),
        (b"nonsense", "application/json", 400, "malformed-request"),
        (b'{"a": "\xff\xfe"}', "application/json", 400, "malformed-request"),
        (b"[1]", "application/json", 422, "invalid-input"),
        (b'{"a": 1}', "text/plain", 422, "invalid-input"),
        (b'{"a": 1}', "", 422, "invalid-input"),
        (b"[" * 100_000, "application/json", 400, "malformed-request"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "application/json", 400, "malformed-request"),
        (b'{"a": "' + b"x" * 300_000 + b'"}', "application/json", 413, "payload-too-large"),
        (b"x" * 300_000, "text/plain", 413, "payload-too-large"),
    ],
)
async def test_a_bad_body_is_named(
    http: httpx.AsyncClient, content: bytes, content_type: str, status: int, slug: str
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    checked(await http.post("/faults/echo", content=content, headers=headers), status, slug)


async def test_a_body_without_a_declared_length_is_counted_while_it_streams(http: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while True:
            sent += 10_000
            yield b'"' + b"x" * 9_998 + b'"'

    answer = await http.post("/faults/echo", content=endless(), headers={"Content-Type": "application/json"})
    checked(answer, 413, "payload-too-large")
    assert sent < 400_000


async def test_the_deepest_allowed_json_passes(http: httpx.AsyncClient) -> None:
    body = b'{"a":' * 64 + b"1" + b"}" * 64
    answer = await http.post("/faults/echo", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200
    brackets = json.dumps({"a": "[" * 1000})
    answer = await http.post("/faults/echo", content=brackets, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200


@pytest.mark.parametrize("value", ['"a\\u0000b"', '"\\ud800"', '"' + "\\udfff" * 3 + '"'])
async def test_text_that_cannot_be_stored_is_the_callers_to_mend(http: httpx.AsyncClient, value: str) -> None:
    body = f'{{"value": {value}}}'.encode()
    answer = await http.post("/faults/store", content=body, headers={"Content-Type": "application/json"})
    checked(answer, 422, "invalid-input")


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 2**70])
async def test_a_number_out_of_range_is_the_callers_to_mend(http: httpx.AsyncClient, value: int) -> None:
    checked(await http.post("/faults/store-number", json={"value": value}), 422, "invalid-input")


async def test_every_faulty_field_has_its_pointer(http: httpx.AsyncClient) -> None:
    body = {"email": 7, "password": "a fine password", "organisation": "", "a/b~c": 1}
    problem = checked(await http.post("/api/v1/auth/register", json=body), 422, "invalid-input")
    pointers = {error["pointer"] for error in problem["errors"]}
    assert pointers == {"/body/email", "/body/name", "/body/organisation", "/body/a~1b~0c"}
    assert all(error["detail"] for error in problem["errors"])
    assert "a fine password" not in json.dumps(problem)


async def test_a_request_id_that_was_sent_comes_back(http: httpx.AsyncClient) -> None:
    answer = await http.get("/faults/bug", headers={"X-Request-ID": "from-the-proxy.42"})
    assert checked(answer, 500, "internal-error")["request_id"] == "from-the-proxy.42"


@pytest.mark.parametrize("given", ["", "a b", "x" * 200, '"><script>'])
async def test_an_odd_request_id_is_replaced(http: httpx.AsyncClient, given: str) -> None:
    answer = await http.get("/problems/not-found", headers={"X-Request-ID": given})
    assert len(answer.headers["x-request-id"]) == 26


async def test_every_kind_of_problem_has_its_page(http: httpx.AsyncClient) -> None:
    kinds = problem_types()
    assert len(kinds) > 10
    for slug, kind in kinds.items():
        page = (await http.get(f"/problems/{slug}")).json()
        assert (page["type"], page["status"], page["title"]) == (f"/problems/{slug}", kind.status, kind.title)
        assert len(page["description"]) > 15
        shown = await http.get(f"/problems/{slug}", headers={"Accept": "text/html"})
        assert kind.title in shown.text
    checked(await http.get("/problems/unheard-of"), 404, "not-found")


async def test_every_answer_has_security_headers(http: httpx.AsyncClient, owner: Account) -> None:
    for answer in (
        await owner.http.get("/api/v1/auth/me"),
        await http.get("/faults/bug"),
        await http.get("/nothing-here"),
        await http.post("/faults/echo", content=b"x" * 300_000),
    ):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
    assert (await owner.http.get("/api/v1/auth/me")).headers["cache-control"] == "no-store"


async def test_the_document_describes_problems_as_they_are(app: FastAPI) -> None:
    document = app.openapi()
    problem = document["components"]["schemas"]["Problem"]
    assert {"type", "title", "status", "detail", "instance", "request_id"} <= set(problem["required"])
    assert "ProblemField" in document["components"]["schemas"]
    assert "HTTPValidationError" not in json.dumps(document["paths"]["/api/v1/auth/register"])
    for path, methods in document["paths"].items():
        if not path.startswith("/api/"):
            continue
        for method, operation in methods.items():
            for status in ("401", "422", "500"):
                content = operation["responses"][status]["content"]
                assert content.keys() == {"application/problem+json"}, (path, method, status)


async def test_the_database_works_again_after_a_killed_connection(
    http: httpx.AsyncClient, clients: ClientFactory, owner: Account
) -> None:
    checked(await http.get("/faults/backend-killed"), 503, "unavailable")
    assert (await clients(owner.access_token).get("/api/v1/auth/me")).status_code == 200
