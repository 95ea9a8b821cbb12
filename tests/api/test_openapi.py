"""The OpenAPI document says what every route answers, and nothing that does not exist."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from api.problems import MEDIA_TYPE

OPERATIONS = ("get", "post", "put", "patch", "delete")
ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE) (/[^\s`?,;)\"]*)")
# Routes of those whom somebody comes from, and one that is no route of the document.
FOREIGN = re.compile(r"/v[34]/|/mcp$")


@pytest.fixture(scope="module")
def document(product: FastAPI) -> dict[str, Any]:
    return product.openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method in OPERATIONS:
            if method in methods and path.startswith("/api/"):
                yield path, method, methods[method]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from references(item)
    elif isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for item in node.values():
            yield from references(item)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    known = {
        f"#/components/{kind}/{name}" for kind, named in document["components"].items() for name in named
    }
    assert set(references(document)) <= known


def test_every_route_describes_its_errors_as_problems(document: dict[str, Any]) -> None:
    assert "HTTPValidationError" not in document["components"]["schemas"]
    walked = 0
    for path, method, operation in operations(document):
        for status, response in operation["responses"].items():
            if status >= "400" and "content" in response:
                assert response["content"].keys() == {MEDIA_TYPE}, (path, method, status)
        for status in ("400", "401", "403", "413", "422", "429", "500", "503"):
            assert status in operation["responses"], (path, method, status)
        if "{" in path:
            assert "404" in operation["responses"], (path, method)
        walked += 1
    assert walked >= 25


def test_every_answer_tells_of_its_rate_limit_and_a_refusal_when_to_come_back(
    document: dict[str, Any],
) -> None:
    for path, method, operation in operations(document):
        for status, response in operation["responses"].items():
            assert {"RateLimit", "RateLimit-Policy"} <= response["headers"].keys(), (path, method, status)
            assert ("Retry-After" in response["headers"]) == (status in {"429", "503"}), (
                path,
                method,
                status,
            )


def test_every_route_has_a_summary_and_a_name_of_its_own(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    assert all(operation.get("description") for _, _, operation in operations(document))


def test_every_list_is_paged_in_the_same_way(document: dict[str, Any]) -> None:
    paged = 0
    for path, method, operation in operations(document):
        named = {parameter["name"]: parameter["schema"] for parameter in operation.get("parameters", [])}
        if "cursor" in named:
            assert (named["limit"]["minimum"], named["limit"]["maximum"]) == (1, 200), (path, method)
            paged += 1
    assert paged >= 6


def test_every_route_that_a_guide_names_is_there(document: dict[str, Any]) -> None:
    routes = [
        (method.upper(), path.split("/")[1:])
        for path, methods in document["paths"].items()
        for method in methods
    ]

    def is_one(method: str, named: list[str]) -> bool:
        """A guide may leave out the beginning, and says an id as it likes."""
        return any(
            method == known
            and all(
                wanted.startswith("{") or said == wanted
                for said, wanted in zip(named[::-1], path[::-1], strict=False)
            )
            and len(named) <= len(path)
            for known, path in routes
        )

    found = 0
    for guide in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for method, path in NAMED.findall(guide.read_text()):
            if not FOREIGN.search(path):
                assert is_one(method, path.rstrip(".:").split("/")[1:]), f"{guide.name}: {method} {path}"
                found += 1
    assert found >= 50


def test_nothing_that_a_route_needs_is_made_in_a_thread(product: FastAPI) -> None:
    """FastAPI sends a plain function to a thread and back, for each request: a decision waits for that."""
    seen = 0
    for context in iter_route_contexts(product.routes):
        if not isinstance(context.original_route, APIRoute):
            continue
        waiting = [context.original_route.dependant]
        while waiting:
            dependant = waiting.pop()
            waiting += dependant.dependencies
            call = dependant.call
            makers = (call, type(call).__call__)
            assert any(inspect.iscoroutinefunction(maker) for maker in makers), (context.path, call)
            seen += 1
    assert seen > 100
