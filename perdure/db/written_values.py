"""What a statement of our own read or wrote, as a row has it."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy.orm.attributes import set_committed_value

from perdure.db.models import Row

RowT = TypeVar("RowT", bound=Row)


def note_written(row: Row, values: Mapping[str, Any]) -> None:
    """Give a row values that stand in the database already: the session does not write them once more."""
    for name, value in values.items():
        set_committed_value(row, name, value)


def row_of(model: type[RowT], values: Sequence[Any]) -> RowT:
    """A row by the columns of its table, in their order. It is of no session, which neither watches nor writes it."""
    row = model()
    for column, value in zip(model.__table__.columns, values, strict=True):
        set_committed_value(row, column.key, value)
    return row
