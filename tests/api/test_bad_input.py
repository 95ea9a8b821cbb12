"""Every route refuses what it cannot use, and says where and what to do.

The requests are made from the OpenAPI document, so new routes are covered.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from api import sessions
from api.problems import MEDIA_TYPE
from perdure.db.login_repository import LoginRepository
from perdure.db.session import Database
from perdure.domain.ids import new_id
from perdure.domain.tokens import SESSION_LIFETIME, hash_secret, new_secret
from tests.accounts import Account

METHODS = ("get", "post", "put", "patch", "delete")
JSON = "application/json"
# A value that no schema of ours takes where it says the type on the left.
WRONG: dict[str, Any] = {
    "string": 7,
    "integer": "many",
    "number": "many",
    "boolean": "perhaps",
    "array": {"not": "a list"},
    "object": ["not", "an", "object"],
}
# Bodies in which one field is wrong need the others right.
VALID: dict[str, Any] = {
    "email": "ada@example.com",
    "password": "a fine password",
    "role": "viewer",
    "text": "x",
    "items": [{"text": "x"}],
    "scopes": ["documents:read"],
    "to": "email:ada@example.com",
    "person": "email:ada@example.com",
    "revision": "0" * 64,
    "seat": "first/1",
}
# They answer what is wrong with a definition, whatever it is; of a next version, the workflow is looked up first.
JUDGES = {
    "POST /api/v1/ai/workflows/validate",
    "POST /api/v1/ai/workflows/{document_workflow_id}/validate",
    "PUT /api/v1/ai/workflows/{document_workflow_id}",
}
# Which of several fields is given where exactly one must be, and the schema cannot say it.
ONE_OF = {"/api/v1/ai/classification/results/{result_id}/review": ["label"]}


@dataclass(frozen=True)
class Route:
    """One operation of the document."""

    path: str
    method: str
    operation: dict[str, Any]
    components: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"

    def url(self, **values: str) -> str:
        """The path with well-formed ids that nobody has."""
        url = self.path
        for parameter in self.parameters("path"):
            name = parameter["name"]
            unknown = "nobody-has-this" if name in {"space", "token"} else new_id("doc")
            if parameter["schema"].get("type") == "integer":
                unknown = "1"
            url = url.replace(f"{{{name}}}", values.get(name, unknown))
        return url

    def parameters(self, place: str) -> list[dict[str, Any]]:
        return [each for each in self.operation.get("parameters", []) if each["in"] == place]

    def body(self) -> dict[str, Any] | None:
        """Schema of the JSON body."""
        content = self.operation.get("requestBody", {}).get("content", {})
        schema = content.get(JSON, {}).get("schema")
        return self.resolved(schema) if schema else None

    def resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Without references, and without the null that makes it optional."""
        if "$ref" in schema:
            return self.resolved(self.components[schema["$ref"].rpartition("/")[2]])
        choices = [each for each in schema.get("anyOf", []) if each.get("type") != "null"]
        if len(choices) == 1:
            return {**schema, **self.resolved(choices[0])}
        return schema

    def example(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The least valid body."""
        properties = schema.get("properties", {})
        named = [*schema.get("required", []), *ONE_OF.get(self.path, [])]
        return {name: self._value(name, properties[name]) for name in named}

    def _value(self, name: str, schema: dict[str, Any]) -> Any:
        schema = self.resolved(schema)
        if name in VALID:
            return VALID[name]
        if schema.get("enum"):
            return schema["enum"][0]
        return {"string": "x", "integer": 1, "number": 1, "boolean": True, "array": [], "object": {}}[
            schema["type"]
        ]


def routes(app: FastAPI) -> Iterator[Route]:
    document = app.openapi()
    for path, methods in document["paths"].items():
        if path.startswith("/api/"):
            for method in METHODS:
                if method in methods:
                    yield Route(path, method, methods[method], document["components"]["schemas"])


def refused(answer: httpx.Response, *statuses: int, pointer: str | None = None, what: str) -> None:
    """The answer is a problem that names the place and says what to do."""
    said = f"{what}: {answer.status_code} {answer.text[:400]}"
    assert answer.status_code in statuses, said
    assert answer.headers["content-type"] == MEDIA_TYPE, said
    problem = answer.json()
    assert problem["status"] == answer.status_code, said
    assert problem["type"].startswith("/problems/"), said
    assert len(problem["detail"]) > 15, said
    assert problem["request_id"], said
    if pointer is not None:
        errors = {each["pointer"]: each["detail"] for each in problem.get("errors", [])}
        assert any(each == pointer or each.startswith(f"{pointer}/") for each in errors), said
        assert all(len(detail) >= len("is missing") for detail in errors.values()), said


async def send(caller: Account, route: Route, url: str | None = None, **request: Any) -> httpx.Response:
    return await caller.http.request(route.method, url or route.url(), **request)


def json_body(content: bytes) -> dict[str, Any]:
    return {"content": content, "headers": {"Content-Type": JSON}}


async def test_ids_that_are_no_ids_are_refused(product: FastAPI, caller: Account) -> None:
    walked = 0
    for route in routes(product):
        schema = route.body()
        body: dict[str, Any] = {"json": route.example(schema)} if schema is not None else {}
        for parameter in route.parameters("path"):
            for value in (
                "%00",
                "%F0%9F%92%A9",
                "x" * 600,
                "%20",
                "a%2Fb",
                "'; DROP TABLE documents; --",
                "%FF",
            ):
                url = route.url(**{parameter["name"]: value})
                answer = await send(caller, route, url, **body)
                refused(answer, 400, 403, 404, 405, 422, what=f"{route} with {value!r}")
                walked += 1
    assert walked > 100


async def test_unknown_ids_are_not_found(product: FastAPI, caller: Account) -> None:
    walked = 0
    for route in routes(product):
        if not route.parameters("path"):
            continue
        schema = route.body()
        body: dict[str, Any] = {"json": route.example(schema)} if schema is not None else {}
        refused(await send(caller, route, **body), 404, what=str(route))
        walked += 1
    assert walked >= 15


def bad_values(schema: dict[str, Any], name: str) -> Iterator[str]:
    """Query strings that a parameter cannot take."""
    if name == "cursor":
        yield from ("rubbish", "%00", "x" * 5000, "MTIz", "bnVsbA")
    if schema.get("type") == "integer":
        yield from ("many", "1.5", "", str(10**30), str(schema.get("minimum", 0) - 1))
        if "maximum" in schema:
            yield str(schema["maximum"] + 1)
    if schema.get("enum"):
        yield from ("nonsense", "%00")
    for value in (" ", "\0", "\N{PILE OF POO}") if "pattern" in schema else ():
        if not re.search(schema["pattern"], value):
            yield quote(value)
    if schema.get("maxLength"):
        yield "x" * (schema["maxLength"] + 1)


async def test_query_parameters_are_checked_and_named(product: FastAPI, caller: Account) -> None:
    walked = 0
    for route in routes(product):
        if "{" in route.path:
            continue  # the id is looked up first or the value is; either is refused
        for parameter in route.parameters("query"):
            for value in bad_values(route.resolved(parameter["schema"]), parameter["name"]):
                answer = await send(caller, route, f"{route.url()}?{parameter['name']}={value}")
                what = f"{route} with {parameter['name']}={value[:40]!r}"
                refused(answer, 422, pointer=f"/query/{parameter['name']}", what=what)
                walked += 1
    assert walked > 30


async def test_cursors_of_lists_below_a_document_or_an_operation_are_checked(
    product: FastAPI, caller: Account
) -> None:
    document = await caller.ingested(json={"text": "Something to list."})
    known = {"document_id": document["id"], "operation_id": document["operation_id"]}
    walked = 0
    for route in routes(product):
        for parameter in route.parameters("query"):
            if not set(known) & {each["name"] for each in route.parameters("path")}:
                continue
            for value in bad_values(route.resolved(parameter["schema"]), parameter["name"]):
                answer = await send(caller, route, f"{route.url(**known)}?{parameter['name']}={value}")
                what = f"{route} with {parameter['name']}={value[:40]!r}"
                refused(answer, 422, pointer=f"/query/{parameter['name']}", what=what)
                walked += 1
    assert walked > 20


async def test_bodies_that_are_no_json_objects_are_refused(product: FastAPI, caller: Account) -> None:
    walked = 0
    for route in routes(product):
        if route.body() is None or str(route) in JUDGES:
            continue
        optional = not route.operation["requestBody"].get("required", False)
        for content in (b"", b"{", b"\xff\xfe", b'{"a": "\xff"}', b"nul", b'{"a": 1,}', b"[" * 10_000):
            if optional and not content:
                continue
            answer = await send(caller, route, **json_body(content))
            refused(answer, 400, 422, what=f"{route} with {content[:20]!r}")
        for content in (b"[]", b'"text"', b"7", b"null"):
            if optional and content == b"null":
                continue
            answer = await send(caller, route, **json_body(content))
            refused(answer, 422, pointer="/body", what=f"{route} with {content!r}")
        walked += 1
    assert walked >= 10


async def test_fields_are_checked_and_named(product: FastAPI, caller: Account) -> None:
    walked = 0
    for route in routes(product):
        schema = route.body()
        if schema is None or str(route) in JUDGES:
            continue
        valid = route.example(schema)
        for name, wrong in bad_fields(route, schema):
            answer = await send(caller, route, json={**valid, name: wrong})
            refused(answer, 422, pointer=f"/body/{name}", what=f"{route} with {name}={str(wrong)[:40]!r}")
            walked += 1
        for name in schema.get("required", []):
            body = {key: value for key, value in valid.items() if key != name}
            refused(
                await send(caller, route, json=body), 422, pointer=f"/body/{name}", what=f"{route} - {name}"
            )
            walked += 1
        answer = await send(caller, route, json={**valid, "no_such_field": 1})
        refused(answer, 422, pointer="/body/no_such_field", what=f"{route} with another field")
    assert walked > 40


def bad_fields(route: Route, schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Values that a field of a body cannot take."""
    for name, given in schema.get("properties", {}).items():
        field = route.resolved(given)
        kind = field.get("type", "object")
        yield name, WRONG[kind]
        if "maxLength" in field:
            yield name, "x" * (field["maxLength"] + 1)
        if "minLength" in field:
            yield name, ""
        # U+0000 is replaced before anything is checked, so it is not among the wrong ones.
        for text in (" ", "\n", "?!") if "pattern" in field else ():
            if not re.search(field["pattern"], text):
                yield name, text
        if field.get("enum"):
            yield name, "nonsense"
        if "maximum" in field:
            yield name, field["maximum"] + 1
        if "minimum" in field:
            yield name, field["minimum"] - 1
        if "maxItems" in field:
            yield name, [None] * (field["maxItems"] + 1)


@pytest.mark.parametrize(
    "key",
    ["", " ", "x" * 256, "two words", "umlaut-ü"],
    ids=["empty", "blank", "long", "spaced", "not ASCII"],
)
async def test_idempotency_keys_are_checked_on_every_route_that_takes_one(
    product: FastAPI, caller: Account, key: str
) -> None:
    walked = 0
    for route in routes(product):
        if "Idempotency-Key" not in {each["name"] for each in route.parameters("header")}:
            continue
        schema = route.body()
        body: dict[str, Any] = {"json": route.example(schema)} if schema is not None else {}
        answer = await send(caller, route, headers={"Idempotency-Key": key.encode()}, **body)
        refused(answer, 422, pointer="/header/Idempotency-Key", what=str(route))
        walked += 1
    assert walked >= 8


async def test_bodies_that_are_too_large_are_refused(product: FastAPI, caller: Account) -> None:
    limit = product.state.settings.max_json_bytes
    head = {"Content-Type": JSON, "Content-Length": str(limit + 1)}

    async def endless() -> Any:
        yield b"["
        pytest.fail("the declared length was enough to know")

    walked = 0
    for route in routes(product):
        if route.body() is None:
            continue
        refused(await send(caller, route, headers=head, content=endless()), 413, what=str(route))
        walked += 1
    assert walked >= 10


RUBBISH: tuple[dict[str, str | bytes], ...] = (
    {},
    {"name": "x" * 100_000, "email": "x" * 100_000, "password": "x" * 100_000},
    {"name": "\0", "email": "\0", "password": "\0", "role": "\0", "scopes": "\0"},
    {"name": b"\xff", "email": b"\xff", "password": b"\xff", "organisation": b"\xff"},
)


async def test_no_form_of_the_console_fails_on_rubbish(
    product: FastAPI, caller: Account, database: Database
) -> None:
    walked = 0
    me = await caller.get("/auth/me")
    for context in iter_route_contexts(product.routes):
        if not context.path or context.path.startswith("/api/") or "POST" not in (context.methods or set()):
            continue
        path = re.sub(r"\{[^}]*\}", new_id("op"), context.path)
        for form in RUBBISH:
            # Each with a session of its own: one of the forms ends it.
            cookie, csrf = new_secret(), new_secret()
            async with database.transaction(None) as session:
                await LoginRepository(session).start_session(
                    me["user"]["id"], caller.organisation_id, hash_secret(cookie), csrf, SESSION_LIFETIME
                )
            transport = httpx.ASGITransport(product)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as browser:
                browser.cookies.set(sessions.COOKIE, cookie)
                answer = await browser.post(path, data=form, headers={sessions.CSRF_HEADER: csrf})
            assert answer.status_code < 500, (context.path, form, answer.text[:300])
            walked += 1
    assert walked >= 20
