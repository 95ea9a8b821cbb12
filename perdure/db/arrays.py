"""Conditions on lists of texts: one parameter, however long the list."""

from collections.abc import Iterable

from sqlalchemy import ARRAY, Text, any_, cast
from sqlalchemy.sql.expression import CollectionAggregate

TEXTS = ARRAY(Text)


def any_of(values: Iterable[str]) -> CollectionAggregate[bool]:
    """For `column == any_of(…)`."""
    return any_(cast(list(values), TEXTS))
