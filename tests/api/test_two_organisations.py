"""No route shows or changes another organisation's things; a new route is covered, or fails until it can be.

Every route of the application is walked. Organisation A has a row in every table. Organisation B calls each route
with A's ids and must get 404; A itself calls it first, so that the 404 proves something. A path parameter that
`RESOURCES` does not know fails here: add it there.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import Mount

from api import sessions
from perdure.db.login_repository import LoginRepository
from perdure.db.models import TENANT_TABLES
from perdure.db.session import Database
from perdure.domain.exports import archive_key
from perdure.domain.tokens import SESSION_LIFETIME, hash_secret, new_secret
from tests.api.conftest import quick_passwords
from tests.row_factory import RowFactory, table

# Which column holds the value of a path parameter: of a row that A has.
RESOURCES = {
    "document_id": ("documents", "id"),
    "operation_id": ("operations", "id"),
    "api_key_id": ("api_keys", "id"),
    "user_id": ("memberships", "user_id"),
    "space": ("spaces", "name"),
    "secret_id": ("organisation_secrets", "id"),
    "memory_id": ("memories", "id"),
    "change_id": ("memory_changes", "id"),
    "proposal_id": ("memory_proposals", "id"),
    "session_id": ("memory_recalls", "session_id"),
    "export_id": ("exports", "operation_id"),
    "subject": ("profile_entries", "subject"),
    "workflow_id": ("classification_workflows", "id"),
    "result_id": ("classification_results", "id"),
    "version": ("classification_versions", "version"),
    "key_id": ("provider_keys", "id"),
    "approval_id": ("workflow_approvals", "id"),
    "execution_id": ("workflow_executions", "id"),
    "document_workflow_id": ("document_workflows", "id"),
    "number": ("document_workflow_versions", "version"),
    "endpoint_id": ("webhook_endpoints", "id"),
    "message_id": ("messages", "id"),
}
# Query parameters without which a route looks elsewhere.
QUERIES = {"GET /api/v1/profiles/{subject:path}": {"space": ("spaces", "name")}}
# Path parameters that name no resource of an organisation.
WORDS = {"verb": "pause", "template": "invoice-approval", "name": "invoice-approval", "token": "none"}

# Who needs no log-in, and why.
PUBLIC = {
    "POST /api/v1/auth/register": "there is no account yet",
    "POST /api/v1/auth/login": "this is the log-in",
    "POST /api/v1/auth/refresh": "the refresh token is the credential",
    "POST /api/v1/auth/logout": "the refresh token is the credential",
    "GET /api/v1/content/{token}": "the signed link is the credential",
    "GET /api/v1/erasures/{token}": "the token is the credential: whoever was erased cannot log in",
    "GET /receipt": "the token in the query is the credential: whoever was erased cannot log in",
    "GET /decide/{token}": "the sealed link is the credential: an approver may have no account",
    "POST /decide/{token}": "the sealed link is the credential: an approver may have no account",
    "GET /problems/{slug}": "documentation",
    "GET /docs": "documentation",
    "GET /openapi.json": "documentation",
    "GET /health": "for load balancers; tells versions and states only",
    "GET /health/live": "for load balancers",
    "GET /health/ready": "for load balancers",
    "GET /metrics": "for Prometheus; totals only",
    "GET /": "sends the browser on",
    "GET /login": "this is the log-in",
    "POST /login": "this is the log-in",
    "GET /register": "there is no account yet",
    "POST /register": "there is no account yet",
    "POST /logout": "logging out twice is no error",
}

# Bodies that the schema alone does not make valid.
BODIES: dict[str, dict[str, Any]] = {
    "POST /api/v1/memories": {"content": "x"},
    "POST /api/v1/ai/classification/enhanced": {"text": "x", "stages": ["sentiment"]},
    "POST /api/v1/ai/classification/batch": {"items": [{"text": "x"}], "stages": ["sentiment"]},
    "POST /api/v1/ai/classification/results/{result_id}/review": {"label": "positive"},
    "POST /api/v1/ai/classification/workflows": {"name": "x", "stages": [{"task": "sentiment"}]},
}
BODIES |= {
    f"POST /api/v1/approvals/{{approval_id}}/{verb}": {field: "email:someone@example.com"}
    for verb, field in {
        "delegate": "to",
        "end-delegation": "to",
        "reassign": "to",
        "add-approver": "person",
    }.items()
}
BODIES["POST /api/v1/approvals/{approval_id}/remove-approver"] = {"seat": "first/1"}
VALUES = {"email": "someone@example.com", "role": "viewer", "password": "a fine password"}

_ENDLESS_S = 3.0


@dataclass(frozen=True)
class Route:
    """One method of one path."""

    method: str
    path: str

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def parameters(self) -> list[str]:
        return [part[1:-1].partition(":")[0] for part in self.path.split("/") if part.startswith("{")]

    @property
    def is_console(self) -> bool:
        return not self.path.startswith("/api/")


@dataclass(frozen=True)
class Side:
    """One organisation with its ways in."""

    organisation_id: str
    bearer: httpx.AsyncClient
    browser: httpx.AsyncClient
    rows: dict[str, dict[str, Any]]

    def http(self, route: Route) -> httpx.AsyncClient:
        return self.browser if route.is_console else self.bearer

    def ids(self) -> set[str]:
        """Everything that must not appear in the other's answers."""
        made = {str(row["id"]) for row in self.rows.values() if "id" in row}
        return made | {self.organisation_id, str(self.rows["memberships"]["user_id"])}


def routes_of(app: FastAPI) -> Iterator[Route]:
    for context in iter_route_contexts(app.routes):
        assert not isinstance(context.original_route, Mount) or context.path == "/static"
        for method in sorted((context.methods or set()) - {"HEAD", "OPTIONS"}):
            assert context.path is not None
            yield Route(method, context.path)


def example(schema: dict[str, Any], components: dict[str, Any], name: str = "") -> Any:
    """A small value that fits a JSON schema of ours."""
    if "$ref" in schema:
        return example(components[schema["$ref"].rpartition("/")[2]], components, name)
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            rest = {key: value for key, value in schema.items() if key != choice}
            return example(rest | schema[choice][0], components, name)
    kind = schema.get("type", "object")
    if kind == "object":
        properties, required = schema.get("properties", {}), schema.get("required", [])
        return {key: example(properties[key], components, key) for key in required}
    if kind == "array":
        return [example(schema.get("items", {"type": "string"}), components)]
    return _plain_example(schema, kind, name)


def _plain_example(schema: dict[str, Any], kind: str, name: str) -> Any:
    for fixed in (schema.get("const"), *schema.get("enum", [])[:1]):
        if fixed is not None:
            return VALUES.get(name, fixed)
    if kind == "string":
        return VALUES.get(name, "x" * max(1, schema.get("minLength", 1)))
    return True if kind == "boolean" else schema.get("minimum", 1)


def body_for(app: FastAPI, route: Route) -> dict[str, Any]:
    """Keyword arguments for httpx: a body that the route accepts."""
    if route.method not in {"POST", "PUT", "PATCH"}:
        return {}
    if route.is_console:
        return {"data": BODIES.get(route.name, VALUES | {"name": "x", "scopes": "documents:read"})}
    document = app.openapi()
    operation = document["paths"][route.path][route.method.lower()]
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" not in content:
        return {}
    schema, components = content["application/json"]["schema"], document["components"]["schemas"]
    return {"json": BODIES.get(route.name) or example(schema, components)}


async def call(http: httpx.AsyncClient, app: FastAPI, route: Route, path: str) -> httpx.Response:
    async with asyncio.timeout(_ENDLESS_S):
        return await http.request(route.method, path, **body_for(app, route))


def path_with(route: Route, rows: dict[str, dict[str, Any]]) -> str:
    path = route.path
    for parameter in route.parameters:
        if parameter in WORDS:
            value = WORDS[parameter]
        else:
            assert parameter in RESOURCES, (
                f"{route.name}: say in RESOURCES (tests/api/test_two_organisations.py) which table holds "
                f"{{{parameter}}}"
            )
            name, column = RESOURCES[parameter]
            value = str(rows[name][column])
        path = re.sub(rf"{{{parameter}(?::\w+)?}}", value, path)
    queries = QUERIES.get(route.name, {})
    return path + "".join(f"?{each}={rows[name][column]}" for each, (name, column) in queries.items())


async def _side(app: FastAPI, database: Database) -> Side:
    transport = httpx.ASGITransport(app, client=("192.0.2.1", 1))
    bearer = httpx.AsyncClient(transport=transport, base_url="http://perdure.test")
    browser = httpx.AsyncClient(transport=transport, base_url="http://perdure.test")
    person = {"email": f"{new_secret()}@example.com", "password": "a fine password"}
    answer = await bearer.post("/api/v1/auth/register", json=person | {"name": "x", "organisation": "x"})
    assert answer.status_code == 201, answer.text
    grant = answer.json()
    organisation_id, user_id = grant["organisation"]["id"], grant["user"]["id"]
    bearer.headers["Authorization"] = f"Bearer {grant['access_token']}"
    cookie, csrf = new_secret(), new_secret()
    async with database.transaction(None) as session:
        await LoginRepository(session).start_session(
            user_id, organisation_id, hash_secret(cookie), csrf, SESSION_LIFETIME
        )
    browser.cookies.set(sessions.COOKIE, cookie)
    browser.headers[sessions.CSRF_HEADER] = csrf
    async with database.transaction(organisation_id) as session:
        # Registering was recorded: there is a head already.
        factory = RowFactory(session, organisation_id, {"audit_heads": {"organisation_id": organisation_id}})
        rows = {name: await factory.row(table(name)) for name in TENANT_TABLES}
    return Side(organisation_id, bearer, browser, rows)


@pytest.fixture(scope="module")
async def sides(product: FastAPI, database: Database) -> AsyncIterator[tuple[Side, Side]]:
    product.state.logins._passwords = quick_passwords()
    both = await _side(product, database), await _side(product, database)
    for side in both:
        await product.state.objects.put(str(side.rows["document_versions"]["object_key"]), b"original")
        archive = archive_key(side.organisation_id, side.rows["exports"]["operation_id"])
        await product.state.objects.put(archive, b"archive")
    yield both
    for side in both:
        await side.bearer.aclose()
        await side.browser.aclose()


async def test_every_table_with_ids_of_its_own_can_stand_in_a_path(product: FastAPI) -> None:
    known = set(RESOURCES) | set(WORDS)
    for route in routes_of(product):
        if route.name not in PUBLIC:
            path_with(route, {name: {column: "x"} for name, column in RESOURCES.values()})
            assert set(route.parameters) <= known


async def test_what_is_public_still_exists(product: FastAPI) -> None:
    assert set(PUBLIC) <= {route.name for route in routes_of(product)}


async def test_without_credentials_every_other_route_is_closed(
    product: FastAPI, sides: tuple[Side, Side]
) -> None:
    a, _ = sides
    transport = httpx.ASGITransport(product, client=("192.0.2.2", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://perdure.test") as nobody:
        for route in routes_of(product):
            if route.name in PUBLIC:
                continue
            answer = await call(nobody, product, route, path_with(route, a.rows))
            if route.is_console:
                to_log_in = answer.status_code == 303 and answer.headers["location"].startswith("/login")
                assert to_log_in or answer.status_code == 401, route.name
            else:
                assert answer.status_code == 401, (route.name, answer.status_code)
            assert not _leaks(answer, a, but=set(path_with(route, a.rows).split("/"))), route.name


async def test_a_foreign_id_is_not_found_on_any_route(product: FastAPI, sides: tuple[Side, Side]) -> None:
    a, b = sides
    walked = 0
    for route in routes_of(product):
        if route.name in PUBLIC or not set(route.parameters) & set(RESOURCES):
            continue
        answer = await call(b.http(route), product, route, path_with(route, a.rows))
        # A form of the console shows its page again, with the sentence that a 404 of the API has.
        shown_again = route.is_console and route.method == "POST" and answer.status_code == 422
        assert answer.status_code == 404 or shown_again, (
            f"{route.name} answered {answer.status_code} to another organisation. If it is 422, give it a valid "
            f"body in BODIES: {answer.text[:300]}"
        )
        assert not _leaks(answer, a, but=set(path_with(route, a.rows).split("/"))), route.name
        walked += 1
    assert walked >= 15


async def test_a_foreign_id_in_a_query_shows_nothing(product: FastAPI, sides: tuple[Side, Side]) -> None:
    a, b = sides
    for route in routes_of(product):
        if route.name in PUBLIC or route.method != "GET" or route.parameters:
            continue
        for row in a.rows.values():
            if "id" not in row:
                continue
            queries = {
                name: str(row["id"]) for name in ("subject", "document_id", "operation_id", "space", "q")
            }
            async with asyncio.timeout(_ENDLESS_S):
                answer = await b.http(route).get(route.path, params=queries)
            assert not _leaks(answer, a, but=set(queries.values())), route.name


async def test_no_list_shows_another_organisations_things(product: FastAPI, sides: tuple[Side, Side]) -> None:
    a, b = sides
    walked = 0
    for route in routes_of(product):
        if route.method != "GET" or route.parameters or route.name == "GET /openapi.json":
            continue
        answer = await call(b.http(route), product, route, route.path)
        assert answer.status_code < 400, (route.name, answer.text[:300])
        assert not _leaks(answer, a), route.name
        walked += 1
    assert walked >= 10


async def test_search_finds_nothing_of_another_organisation(
    product: FastAPI, sides: tuple[Side, Side]
) -> None:
    a, b = sides
    words = {"query": str(a.rows["chunks"]["text"]), "space": str(a.rows["spaces"]["name"])}
    for body in (words, {"query": words["query"]}):
        answer = await b.bearer.post("/api/v1/search", json=body)
        assert not _leaks(answer, a, but=set(words.values()))


async def test_the_owner_does_find_what_the_other_does_not(
    product: FastAPI, sides: tuple[Side, Side]
) -> None:
    a, _ = sides
    for route in routes_of(product):
        if route.name in PUBLIC or route.method != "GET" or not set(route.parameters) & set(RESOURCES):
            continue
        try:
            answer = await call(a.http(route), product, route, path_with(route, a.rows))
        except TimeoutError:
            continue  # an open stream of events was found
        assert answer.status_code < 400, (route.name, answer.text[:300])


async def test_nothing_of_the_walked_organisation_was_changed(
    database: Database, sides: tuple[Side, Side]
) -> None:
    a, _ = sides
    async with database.transaction(a.organisation_id) as session:
        for name, row in a.rows.items():
            this = table(name)
            key = [column == row[column.name] for column in this.primary_key.columns]
            assert (await session.execute(this.select().where(*key))).first() is not None, name


def _leaks(answer: httpx.Response, side: Side, but: set[str] = frozenset()) -> list[str]:  # type: ignore[assignment]  # an empty set
    """Ids of the side that stand in the answer, other than those the caller sent."""
    text = answer.text + json.dumps(dict(answer.headers))
    return [each for each in side.ids() - but if each in text]
