"""Bodies that FastAPI cannot read by itself, because a route takes JSON or a form."""

import json
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from perdure.errors import FieldError, InvalidInputError, MalformedRequestError

Body = TypeVar("Body", bound=BaseModel)


def validate(model: type[Body], value: Any) -> Body:
    """A body model; errors point into `/body`."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        errors = [{**item, "loc": ("body", *item["loc"])} for item in error.errors()]
        raise RequestValidationError(errors) from error


async def read_json(request: Request, model: type[Body]) -> Body:
    """The JSON body as a model."""
    return validate(model, await read_json_value(request))


async def read_json_value(request: Request) -> Any:
    """The JSON body, whatever it says."""
    try:
        return json.loads(await request.body())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise MalformedRequestError(f"the body is not JSON in UTF-8: {error}") from error


def json_field(fields: dict[str, str], name: str) -> Any:
    """A form field that holds JSON."""
    try:
        return json.loads(fields[name])
    except json.JSONDecodeError as error:
        detail = f"{name} must be JSON: {error}"
        raise InvalidInputError(detail, [FieldError(f"/body/{name}", detail)]) from error


def content_type(request: Request) -> str:
    """The media type of the body, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
