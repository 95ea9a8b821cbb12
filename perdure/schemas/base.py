"""Base classes of everything that crosses a process boundary."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    model_validator,
)

from perdure.domain.ids import ID_PATTERN


def rfc3339(instant: datetime) -> str:
    """Render an aware instant as RFC 3339 UTC with milliseconds and `Z`."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

_NUMBER = re.compile(r"\s*[-+]?\d+(\.\d*)?\s*")


def _spelled_out(value: Any) -> Any:
    if isinstance(value, int | float) or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        msg = "is a number; give a date and time such as 2025-03-31T12:00:00Z"
        raise ValueError(msg)
    return value


# A number is not taken for seconds since 1970: nobody who sends 7 or 2025 means that.
GivenInstant = Annotated[AwareDatetime, BeforeValidator(_spelled_out)]
Instant = Annotated[AwareDatetime, PlainSerializer(rfc3339, return_type=str, when_used="json")]
Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Contract(BaseModel):
    """Frozen; unknown fields are ignored so that old histories decode with new code."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def storable(value: Any) -> Any:
    """The same JSON value without NUL and lone surrogates, in keys too."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {storable(key): storable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [storable(inner) for inner in value]
    return value


class RequestBody(BaseModel):
    """A request body: unknown fields are refused, so that a typing error never passes silently.

    What JSON can spell and PostgreSQL cannot hold (NUL, lone surrogates) is replaced by U+FFFD.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        return storable(value)


Item = TypeVar("Item")


class Page(Contract, Generic[Item]):
    """One page of a cursor-paginated list."""

    items: list[Item]
    next_cursor: str | None = Field(
        default=None, description="Pass as `cursor` for the next page; null at the end."
    )
