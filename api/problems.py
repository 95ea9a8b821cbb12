"""Every error as RFC 9457 `application/problem+json`, and the page that documents each `type`.

`install(app)` registers the handlers, the page `GET /problems/{slug}` and the schema `Problem` in OpenAPI.
Routers say `responses=problem_responses(404, 409)`.
"""

import errno
import html
import inspect
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from fastapi.openapi.constants import REF_PREFIX
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from temporalio.service import RPCError, RPCStatusCode

from perdure.errors import (
    ConfigurationError,
    FieldError,
    InvalidInputError,
    MalformedRequestError,
    NotFoundError,
    PayloadTooLargeError,
    PerdureError,
    QuotaExceededError,
    UnauthenticatedError,
    UnavailableError,
)

MEDIA_TYPE = "application/problem+json"
RETRY_SOON_S = 2

# Statuses that any route may answer, whatever it does.
COMMON_STATUSES = (400, 401, 403, 413, 422, 429, 500, 503)

_RETRY_AFTER = {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}
_RATE_FIELDS = {name: {"$ref": f"#/components/headers/{name}"} for name in ("RateLimit", "RateLimit-Policy")}
_HEADERS: Mapping[str, Any] = {
    "Retry-After": {
        "description": "Seconds after which the same request may succeed. Absent where waiting does not help.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "RateLimit": {
        "description": "Structured field: what is left. `r` requests now, the whole quota again in `t` seconds; in a "
        "429, `t` says when the next request passes.",
        "schema": {"type": "string", "examples": ['"read";r=11998;t=1']},
    },
    "RateLimit-Policy": {
        "description": "Structured field: the limit that counted this request, `q` requests in `w` seconds.",
        "schema": {"type": "string", "examples": ['"read";q=12000;w=60']},
    },
}

_log = structlog.get_logger("perdure.api")


class ProblemField(BaseModel):
    """One faulty place in the request."""

    pointer: str = Field(description="JSON pointer into the request: `/body/title`, `/query/limit`, …")
    detail: str = Field(description="What is wrong there and what to do about it.")


class Problem(BaseModel):
    """An error, as RFC 9457 has it."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": True})

    type: str = Field(description="Stable address of the kind of error; a page documents it.")
    title: str = Field(description="Name of the kind of error.")
    status: int = Field(description="The HTTP status again.")
    detail: str = Field(description="What happened this time and what to do.")
    instance: str = Field(description="Path of the request.")
    request_id: str = Field(description="Stands in the logs too: quote it when you ask for help.")
    errors: list[ProblemField] | None = Field(default=None, description="The faulty fields of a 422.")


class ProblemType(BaseModel):
    """A kind of error, explained."""

    type: str
    title: str
    status: int
    retryable: bool = Field(description="Whether the same request may succeed later.")
    description: str


class MethodNotAllowedError(PerdureError):
    """The path exists, but not for this method; the `Allow` header lists those that do."""

    slug, title, status = "method-not-allowed", "Method not allowed", 405


class UnsupportedMediaTypeError(PerdureError):
    """The body has a content type that this route does not read."""

    slug, title, status = "unsupported-media-type", "Unsupported media type", 415


class HTTPProblemError(PerdureError):
    """An HTTP error without a kind of its own; the detail says what happened."""

    slug, title, status = "http-error", "HTTP error", 400


class InternalError(PerdureError):
    """A fault in Perdure itself. The log has the cause under the request id; nothing of it is shown."""

    slug, title, status, retryable = "internal-error", "Internal error", 500, True


# Starlette's own exceptions by status, in our words.
_BY_STATUS: Mapping[int, type[PerdureError]] = {
    400: MalformedRequestError,
    401: UnauthenticatedError,
    404: NotFoundError,
    405: MethodNotAllowedError,
    413: PayloadTooLargeError,
    415: UnsupportedMediaTypeError,
    503: UnavailableError,
}

_RPC: Mapping[RPCStatusCode, tuple[type[PerdureError], str]] = {
    RPCStatusCode.NOT_FOUND: (NotFoundError, "Temporal has no such workflow, or its retention time is over."),
    RPCStatusCode.UNAVAILABLE: (UnavailableError, "Temporal does not answer right now; try again shortly."),
    RPCStatusCode.DEADLINE_EXCEEDED: (
        UnavailableError,
        "Temporal did not answer in time; try again shortly.",
    ),
    RPCStatusCode.RESOURCE_EXHAUSTED: (
        UnavailableError,
        "Temporal has more requests than it can take; try again shortly.",
    ),
    RPCStatusCode.CANCELLED: (
        UnavailableError,
        "The connection to Temporal was cut; try again shortly.",
    ),
}

# SQLSTATEs that only the caller's text can cause: U+0000, lone surrogates, a number out of range.
_UNSTORABLE = frozenset({"22021", "22P05", "22003"})
# The same, noticed by the driver before it asks the server.
_REFUSED_BY_DRIVER = re.compile(
    r"invalid input for query argument.*(out of (\w+ )?range|codec can't encode)", re.DOTALL
)
_DEADLOCKS = frozenset({"40001", "40P01"})
_UNREACHABLE_PREFIXES = ("08", "57P", "53")

_DATABASE_DOWN = "The database does not answer right now; try again shortly."


def _subclasses(of: type[PerdureError]) -> Iterator[type[PerdureError]]:
    for child in of.__subclasses__():
        yield child
        yield from _subclasses(child)


def problem_types() -> dict[str, type[PerdureError]]:
    """All kinds of errors by slug, those of other modules included."""
    return {kind.slug: kind for kind in _subclasses(PerdureError)}


# What stands at the end of these paths opens something, for whoever has it.
_CREDENTIALS = re.compile(r"(/decide/|/api/v1/content/|/api/v1/erasures/).+", re.DOTALL)


def loggable(path: str) -> str:
    """A path as logs may have it: without the tokens that stand in some."""
    return _CREDENTIALS.sub(r"\1…", path)


def request_id_of(scope: Mapping[str, Any]) -> str:
    """The id that the request middleware gave this request."""
    state = scope.get("state") or {}
    return str(state.get("request_id", "-"))


def _extra_headers(error: PerdureError) -> dict[str, str]:
    if isinstance(error, QuotaExceededError) and error.retry_after is not None:
        return {"Retry-After": str(max(1, math.ceil(error.retry_after.total_seconds())))}
    if isinstance(error, UnauthenticatedError):
        return {"WWW-Authenticate": 'Bearer realm="perdure"'}
    if isinstance(error, UnavailableError):
        return {"Retry-After": str(RETRY_SOON_S)}
    return {}


def render(
    error: PerdureError,
    scope: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
    *,
    status: int | None = None,
    title: str | None = None,
) -> Response:
    """Make the response for an error; usable from plain ASGI middleware too."""
    body: dict[str, Any] = {
        "type": f"/problems/{error.slug}",
        "title": title or error.title,
        "status": status or error.status,
        "detail": str(error) or error.title,
        "instance": scope.get("path", ""),
        "request_id": request_id_of(scope),
    }
    if isinstance(error, InvalidInputError) and error.errors:
        body["errors"] = [{"pointer": each.pointer, "detail": each.detail} for each in error.errors]
    if isinstance(error, QuotaExceededError) and error.policy is not None:
        body["violated-policies"] = [error.policy]
    reason = getattr(error, "reason", None)
    if isinstance(reason, str):
        body["reason"] = reason
    # ASCII escapes: a lone surrogate in an echoed value must not break the answer about it.
    content = json.dumps(body, separators=(",", ":")).encode("ascii")
    return Response(
        content,
        status_code=status or error.status,
        media_type=MEDIA_TYPE,
        headers={**_extra_headers(error), **(headers or {})},
    )


def pointer(location: Sequence[str | int]) -> str:
    """JSON pointer (RFC 6901) of a place in the request."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


_REMEDIES: Mapping[str, str] = {
    "missing": "is required; send it",
    "extra_forbidden": "is not a field of this request; remove it or correct its name",
    "model_attributes_type": "must be a JSON object, sent with `Content-Type: application/json`",
    "string_unicode": "holds characters that are not valid Unicode; remove unpaired surrogates",
}


def _field_error(error: Mapping[str, Any]) -> FieldError:
    location = list(error.get("loc", ()))
    kind, message = str(error.get("type", "")), str(error.get("msg", "is invalid"))
    name = str(location[-1]) if location else "the request"
    if location[1:] and isinstance(location[-1], int):
        name = f"entry {name} of {location[-2]}"
    remedy = _REMEDIES.get(kind)
    if remedy is not None:
        return FieldError(pointer(location), f"{name} {remedy}.")
    message = message.removeprefix("Value error, ").rstrip(".")
    return FieldError(pointer(location), f"{message}; correct {name}.")


def from_validation(errors: Sequence[Any]) -> PerdureError:
    """Our error for what FastAPI's validation found."""
    if any(each.get("type") == "json_invalid" for each in errors):
        first = next(each for each in errors if each.get("type") == "json_invalid")
        place = first.get("loc", ("body", 0))[-1]
        why = (first.get("ctx") or {}).get("error", "syntax error")
        return MalformedRequestError(
            f"The body is not valid JSON (at byte {place}: {why}); correct it and send again."
        )
    fields = [_field_error(each) for each in errors]
    named = "; ".join(f"{each.pointer}: {each.detail.removesuffix('.')}" for each in fields[:3])
    more = f" (and {len(fields) - 3} more)" if len(fields) > 3 else ""
    return InvalidInputError(f"{named}{more}.", fields)


def _caused_by(error: BaseException) -> PerdureError | None:
    """Our error, when one of ours was raised while the framework read the body."""
    cause = error.__cause__
    if isinstance(cause, PerdureError):
        return cause
    if isinstance(cause, UnicodeDecodeError):
        return MalformedRequestError("The body is not valid UTF-8; encode it as UTF-8 and send it again.")
    if isinstance(cause, RecursionError):
        return MalformedRequestError("The JSON is nested too deeply; flatten it and send it again.")
    return None


_DETAILS: Mapping[int, str] = {
    400: "The request cannot be read; check that the body matches its Content-Type.",
    404: "Nothing is served at this path; see /docs for those that exist.",
    405: "This path does not take this method; the Allow header lists those that it takes.",
}


def from_database(error: DBAPIError) -> PerdureError | None:
    """Our error for a database failure that is not a bug; None when it is one."""
    state = str(getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None) or "")
    if state in _UNSTORABLE or _REFUSED_BY_DRIVER.search(str(error.orig)):
        return InvalidInputError(
            "The request holds something that cannot be stored (the character U+0000, an unpaired surrogate "
            "or a number out of range); remove it and send the request again."
        )
    if state in _DEADLOCKS:
        return UnavailableError("Two requests changed the same thing at the same moment; try again.")
    if error.connection_invalidated or state.startswith(_UNREACHABLE_PREFIXES):
        return UnavailableError(_DATABASE_DOWN)
    if isinstance(error, OperationalError | InterfaceError) and not state:
        return UnavailableError(_DATABASE_DOWN)
    return None


def translate(error: BaseException) -> PerdureError | None:
    """Our error for a foreign exception that is not a bug of ours; None when it is one."""
    translated: PerdureError | None = None
    match error:
        case PerdureError():
            translated = error
        case DBAPIError():
            translated = from_database(error)
        case PoolTimeoutError():
            translated = UnavailableError("All database connections are busy; try again shortly.")
        case RPCError() if error.status in _RPC:
            kind, detail = _RPC[error.status]
            translated = kind(detail)
        case ClientDisconnect():
            translated = MalformedRequestError("The connection was closed before the request was complete.")
        case UnicodeDecodeError():
            translated = MalformedRequestError("The request is not valid UTF-8; encode it as UTF-8.")
        case ConnectionError():
            translated = UnavailableError(_DATABASE_DOWN)
        case OSError() if error.errno == errno.ENOENT and error.filename is None:
            translated = UnavailableError(_DATABASE_DOWN)  # the database's socket is gone
        case _:
            pass
    return translated


def unforeseen(error: BaseException, scope: Mapping[str, Any]) -> InternalError:
    """A fault of ours, logged in full and shown as its request id only."""
    _log.error("unhandled error", path=loggable(scope.get("path", "")), exc_info=error)
    return InternalError(
        f"Something in Perdure went wrong; the log has it under request id {request_id_of(scope)}. "
        "Try again; if it stays, report it with that id."
    )


def respond(error: BaseException, scope: Mapping[str, Any]) -> Response:
    """The answer to any exception."""
    known = translate(error)
    if known is None:
        known = unforeseen(error, scope)
    elif isinstance(known, UnavailableError | ConfigurationError):
        _log.warning(
            "dependency failed",
            path=loggable(scope.get("path", "")),
            detail=str(known),
            cause=repr(error)[:500],
        )
    return render(known, scope)


async def _perdure_error(request: Request, error: Exception) -> Response:
    return respond(error, request.scope)


async def _validation_error(request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    return render(from_validation(found), request.scope)


async def _http_exception(request: Request, error: Exception) -> Response:
    if (ours := _caused_by(error)) is not None:
        return render(ours, request.scope)
    status = error.status_code if isinstance(error, HTTPException) else 500
    kind = _BY_STATUS.get(status)
    said = str(getattr(error, "detail", "") or "")
    standard = HTTPStatus(status).phrase if status in set(HTTPStatus) else ""
    detail = said if said and said != standard else _DETAILS.get(status, said or "The request failed.")
    if status == 400 and said == "There was an error parsing the body":
        detail = _DETAILS[400]
    headers = getattr(error, "headers", None)
    if kind is None:
        return render(HTTPProblemError(detail), request.scope, headers, status=status, title=standard or None)
    return render(kind(detail), request.scope, headers)


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a router or route: these statuses and those that any route may answer."""
    schema = {"$ref": f"{REF_PREFIX}Problem"}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": schema}},
            **({"headers": _RETRY_AFTER} if status in {429, 503} else {}),
        }
        for status in sorted({*COMMON_STATUSES, *statuses})
    }


def describe(kind: type[PerdureError]) -> ProblemType:
    """What the page of a kind of error says."""
    return ProblemType(
        type=f"/problems/{kind.slug}",
        title=kind.title,
        status=kind.status,
        retryable=kind.retryable,
        description=inspect.getdoc(kind) or kind.title,
    )


def _page(kind: ProblemType) -> str:
    again = "Yes, later." if kind.retryable else "No; change the request first."
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(kind.title)}</title>"
        f"<h1>{html.escape(kind.title)}</h1>"
        f"<p>HTTP status {kind.status}, type <code>{html.escape(kind.type)}</code></p>"
        f"<p>{html.escape(kind.description)}</p>"
        f"<p>Does it help to send the same request again? {again}</p></html>"
    )


async def read_problem(slug: str, request: Request) -> Response:
    """Explain a kind of error: JSON, or HTML for a browser."""
    kind = problem_types().get(slug)
    if kind is None:
        detail = f"There is no problem type {slug!r}; those that exist: {', '.join(sorted(problem_types()))}."
        raise NotFoundError(detail)
    description = describe(kind)
    if "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(_page(description))
    return JSONResponse(description.model_dump(mode="json"))


def _hoist_definitions(node: Any, schemas: dict[str, Any]) -> None:
    """Move `$defs` of schemas written by hand to the components, where their references point."""
    if isinstance(node, list):
        for item in node:
            _hoist_definitions(item, schemas)
    elif isinstance(node, dict):
        for name, definition in node.pop("$defs", {}).items():
            schemas.setdefault(name, definition)
        for item in node.values():
            _hoist_definitions(item, schemas)


def _describe_rate_limits(paths: dict[str, Any]) -> None:
    """Every answer below /api/ may tell what is left."""
    for path, methods in paths.items():
        if path.startswith("/api/"):
            for operation in methods.values():
                for response in operation["responses"].values():
                    response["headers"] = {**response.get("headers", {}), **_RATE_FIELDS}


def install(app: FastAPI) -> None:
    """Register the handlers, the page of each kind, and the schema `Problem` in OpenAPI."""
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)
    for kind in (
        PerdureError,
        DBAPIError,
        PoolTimeoutError,
        RPCError,
        UnicodeDecodeError,
        OSError,
        ClientDisconnect,
    ):
        app.add_exception_handler(kind, _perdure_error)
    app.add_exception_handler(ResponseValidationError, _perdure_error)
    app.add_exception_handler(Exception, _perdure_error)
    app.add_api_route(
        "/problems/{slug}",
        read_problem,
        methods=["GET"],
        tags=["problems"],
        response_model=ProblemType,
        responses={**problem_responses(404), 200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
    )
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        components = document.setdefault("components", {})
        components.setdefault("headers", dict(_HEADERS))
        _describe_rate_limits(document["paths"])
        schemas = components.setdefault("schemas", {})
        _hoist_definitions(document["paths"], schemas)
        if "Problem" not in schemas:
            problem = Problem.model_json_schema(ref_template=REF_PREFIX + "{model}")
            schemas.update(problem.pop("$defs", {}))
            schemas["Problem"] = problem
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # the way FastAPI documents to extend the document
