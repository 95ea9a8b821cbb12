"""What a statement of our own wrote, as the row in the session has it from then on."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm.attributes import set_committed_value

from perdure.db.models import Row


def note_written(row: Row, values: Mapping[str, Any]) -> None:
    """Give a row values that stand in the database already: the session does not write them once more."""
    for name, value in values.items():
        set_committed_value(row, name, value)
