"""Filters as conditions on documents; every value is a bound parameter."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Text,
    and_,
    bindparam,
    cast,
    column,
    exists,
    false,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    true,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH
from sqlalchemy.orm import InstrumentedAttribute

from perdure.db.models import DocumentRow
from perdure.domain.filters import (
    All,
    AnyOf,
    Condition,
    Filter,
    Kind,
    Not,
    Operator,
    Period,
    parse_number,
    parse_period,
)

_COLUMNS: dict[str, InstrumentedAttribute[Any]] = {
    "title": DocumentRow.title,
    "external_id": DocumentRow.external_id,
    "source_type": DocumentRow.source_type,
    "media_type": DocumentRow.media_type,
    "language": DocumentRow.language,
    "status": DocumentRow.status,
    "created_at": DocumentRow.created_at,
    "updated_at": DocumentRow.updated_at,
    "document_id": DocumentRow.id,
    "size_bytes": DocumentRow.size_bytes,
    "page_count": DocumentRow.page_count,
}
# The path of a JSON value within itself: with `#>>`, its text.
_WHOLE: ColumnElement[str] = literal_column("'{}'::text[]")
_SIGNS = {Operator.GT: ">", Operator.GTE: ">=", Operator.LT: "<", Operator.LTE: "<="}


def compiled(wanted: Filter) -> ColumnElement[bool]:
    """A condition on `DocumentRow` that is true or false, never null."""
    if isinstance(wanted, All):
        return and_(true(), *(compiled(part) for part in wanted.parts))
    if isinstance(wanted, AnyOf):
        return or_(false(), *(compiled(part) for part in wanted.parts))
    if isinstance(wanted, Not):
        return not_(compiled(wanted.part))
    if wanted.operator is Operator.NE:
        return not_(compiled(Condition(wanted.field, Operator.EQ, wanted.values)))
    return _metadata(wanted) if wanted.field.kind is Kind.METADATA else _known(wanted)


def _known(wanted: Condition) -> ColumnElement[bool]:
    field = _COLUMNS[wanted.field.name]
    if wanted.operator is Operator.EXISTS:
        return field.is_not(None) if wanted.values[0] else field.is_(None)
    found = or_(*(_one(field, wanted, value) for value in wanted.values))
    return func.coalesce(found, false())


def _one(field: InstrumentedAttribute[Any], wanted: Condition, value: Any) -> ColumnElement[bool]:
    if isinstance(value, Period):
        return _in_period(type_coerce(field, DateTime(timezone=True)), wanted.operator, value)
    if wanted.operator is Operator.CONTAINS:
        return func.strpos(func.lower(field), func.lower(literal(value))) > 0
    if wanted.field.kind is Kind.NUMBER:
        return field.op(_SIGNS.get(wanted.operator, "="), is_comparison=True)(literal(float(value)))
    if wanted.field.kind is Kind.LANGUAGE:
        tag = str(value).lower()
        return or_(func.lower(field) == tag, func.lower(field).startswith(f"{tag}-", autoescape=True))
    plain = wanted.field.name != "media_type"
    return field == literal(value) if plain else func.lower(field) == str(value).lower()


def _in_period(field: ColumnElement[datetime], operator: Operator, period: Period) -> ColumnElement[bool]:
    """A day is compared as a whole: after it, from its start, before it, up to its end."""
    start, end = _instant(period.start), _instant(period.end)
    if operator in {Operator.EQ, Operator.IN}:
        if period.is_moment:
            return _in_period(field, operator, Period(period.start, period.start + timedelta(milliseconds=1)))
        return and_(field >= start, field < end)
    if operator is Operator.GT:
        return field > start if period.is_moment else field >= end
    if operator is Operator.GTE:
        return field >= start
    if operator is Operator.LT:
        return field < start
    return field <= start if period.is_moment else field < end


def _instant(value: datetime) -> ColumnElement[datetime]:
    return literal(value, DateTime(timezone=True))


def _metadata(wanted: Condition) -> ColumnElement[bool]:
    path = "$" + "".join(f".{json.dumps(part)}" for part in wanted.field.path)
    if wanted.operator is Operator.EXISTS:
        present = _some(path, lambda item: item != cast(literal("null"), JSONB))
        return present if wanted.values[0] else not_(present)
    if wanted.operator in _SIGNS:
        return _ordered(path, wanted.operator, wanted.values[0])
    equal = _equal(path, wanted.values)
    if wanted.operator is Operator.CONTAINS and isinstance(wanted.values[0], str):
        part = func.lower(literal(wanted.values[0]))
        return or_(equal, _some_text(path, lambda said: func.strpos(func.lower(said), part) > 0))
    return equal


def _ordered(path: str, operator: Operator, value: Any) -> ColumnElement[bool]:
    if isinstance(value, Period):
        return _some_text(f"{path}[*]", lambda said: _in_period(_as_instant(said), operator, value))
    sign = _SIGNS[operator]
    # `.double()` reads numbers that stand as text; what is none makes the comparison unknown, which is false.
    return _exists(f"{path}[*] ? (@ {sign} $v || @.double() {sign} $v)", value)


def _equal(path: str, values: Sequence[Any]) -> ColumnElement[bool]:
    """Equal to one of the values, or a list that holds it; 7 and "7", true and "true" are the same."""
    forms = [form for value in values for form in _forms(value)]
    found = [_exists(f"{path}[*] ? (@ == $v[*])", forms)]
    for value in values:
        period = parse_period(value) if isinstance(value, str) else None
        if period is not None:
            found.append(_within(path, period))
    return or_(*found)


def _within(path: str, period: Period) -> ColumnElement[bool]:
    return _some_text(f"{path}[*]", lambda said: _in_period(_as_instant(said), Operator.EQ, period))


def _forms(value: Any) -> list[Any]:
    if isinstance(value, bool):
        return [value, str(value).lower()]
    if isinstance(value, str):
        number = parse_number(value)
        truth = {"true": True, "false": False}.get(value.lower())
        return [value, *([] if number is None else [number]), *([] if truth is None else [truth])]
    return [value, json.dumps(value), *([str(int(value))] if float(value).is_integer() else [])]


def _exists(path: str, value: Any) -> ColumnElement[bool]:
    found: ColumnElement[bool] = func.jsonb_path_exists(
        DocumentRow.metadata_, cast(path, JSONPATH), cast(bindparam(None, {"v": value}, JSONB), JSONB), true()
    )
    return func.coalesce(found, false())


def _as_instant(said: ColumnElement[str]) -> ColumnElement[datetime]:
    return func.try_instant(said, type_=DateTime(timezone=True))


def _some(path: str, condition: Any) -> ColumnElement[bool]:
    item = func.jsonb_path_query(
        DocumentRow.metadata_, cast(path, JSONPATH), cast(literal("{}"), JSONB), true()
    )
    items = item.table_valued(column("item", JSONB)).render_derived()
    return exists(select(literal(1)).select_from(items).where(condition(items.c.item)))


def _some_text(path: str, condition: Any) -> ColumnElement[bool]:
    return _some(
        path,
        lambda item: and_(
            func.jsonb_typeof(item) == "string", condition(item.op("#>>", return_type=Text())(_WHOLE))
        ),
    )
