"""Cursor pagination, the same for every list: newest first, opaque cursor, `limit` from 1 to 200.

async def list_things(page: PageRequest, …) -> Page[ThingRead]:
    rows = await repository.list(after=page.after, limit=page.limit + 1)  # one more than asked for
    return paginate(rows, page, read=thing_read, key=lambda row: row.id)
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel

from perdure.errors import FieldError, InvalidInputError
from perdure.schemas.base import Page

DEFAULT_LIMIT = 50
MAX_LIMIT = 200

_CHECKSUM_BYTES = 6

Row = TypeVar("Row")
Read = TypeVar("Read", bound=BaseModel)


def _bad_cursor() -> InvalidInputError:
    detail = "cursor is not one that this list returned; pass `next_cursor` unchanged, or leave it out."
    return InvalidInputError(detail, [FieldError("/query/cursor", detail)])


def _checksum(value: bytes) -> bytes:
    return hashlib.sha256(b"cursor:" + value).digest()[:_CHECKSUM_BYTES]


def encode_cursor(last: str | int) -> str:
    """Opaque, URL-safe form of the key of the last row that was sent."""
    value = str(last).encode()
    return base64.urlsafe_b64encode(_checksum(value) + value).rstrip(b"=").decode()


def decode_cursor(cursor: str) -> str:
    """The key inside; a mangled cursor is an `InvalidInputError` that names the field.

    The checksum finds accidents only. A forged cursor shows nothing that the caller may not list anyway.
    """
    try:
        padding = "=" * (-len(cursor) % 4)
        raw = base64.b64decode(cursor.encode("ascii") + padding.encode(), altchars=b"-_", validate=True)
        checksum, value = raw[:_CHECKSUM_BYTES], raw[_CHECKSUM_BYTES:]
        if not value or checksum != _checksum(value):
            raise _bad_cursor()
        return value.decode()
    except (binascii.Error, ValueError) as error:  # ValueError covers both Unicode errors
        raise _bad_cursor() from error


@dataclass(frozen=True)
class PageParameters:
    """`after` is the key of the last row seen, or None for the first page."""

    after: str | None = None
    limit: int = DEFAULT_LIMIT

    def after_number(self) -> int | None:
        """`after`, for lists whose key is a number; a cursor of another list is refused."""
        if self.after is None:
            return None
        if not self.after.isascii() or not self.after.isdigit() or len(self.after) > 15:
            raise _bad_cursor()
        return int(self.after)


async def page_parameters(
    cursor: Annotated[
        str | None,
        Query(max_length=512, description="`next_cursor` of the page before; absent for the first."),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Most items in a page.")] = DEFAULT_LIMIT,
) -> PageParameters:
    """Dependency that reads `cursor` and `limit`."""
    return PageParameters(after=decode_cursor(cursor) if cursor else None, limit=limit)


PageRequest = Annotated[PageParameters, Depends(page_parameters)]


def paginate(
    rows: Sequence[Row], page: PageParameters, *, read: Callable[[Row], Read], key: Callable[[Row], str | int]
) -> Page[Read]:
    """One page out of up to `limit + 1` rows; the extra row only tells that there is more."""
    shown = rows[: page.limit]
    more = len(rows) > page.limit
    return Page(
        items=[read(row) for row in shown],
        next_cursor=encode_cursor(key(shown[-1])) if more and shown else None,
    )
