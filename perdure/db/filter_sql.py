"""Filters as conditions on documents or memories; every value is a bound parameter."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
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

from perdure.db.models import DocumentRow, MemoryRow
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


@dataclass(frozen=True)
class Target:
    """What is filtered: the columns by name, and the JSON object that everything else stands in."""

    columns: Mapping[str, ColumnElement[Any] | InstrumentedAttribute[Any]]
    metadata: ColumnElement[Any] | InstrumentedAttribute[Any]


DOCUMENTS = Target(
    {
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
    },
    DocumentRow.metadata_,
)
MEMORIES = Target(
    {
        "kind": MemoryRow.kind,
        "subject": func.nullif(MemoryRow.subject, ""),
        "speaker": MemoryRow.speaker,
        "role": MemoryRow.role,
        "session_id": func.nullif(MemoryRow.session_id, ""),
        "external_id": MemoryRow.external_id,
        "valid_from": MemoryRow.valid_from,
        "valid_to": MemoryRow.valid_to,
        "recorded_at": MemoryRow.recorded_at,
        "confidence": MemoryRow.confidence,
        "importance": MemoryRow.importance,
        "memory_id": MemoryRow.id,
    },
    # A filter on `tags` is one on metadata that everything has.
    MemoryRow.metadata_.op("||")(
        func.jsonb_build_object("tags", func.to_jsonb(func.nullif(MemoryRow.tags, cast([], ARRAY(Text)))))
    ),
)
# The path of a JSON value within itself: with `#>>`, its text.
_WHOLE: ColumnElement[str] = literal_column("'{}'::text[]")
_SIGNS = {Operator.GT: ">", Operator.GTE: ">=", Operator.LT: "<", Operator.LTE: "<="}


def compiled(wanted: Filter, target: Target = DOCUMENTS) -> ColumnElement[bool]:
    """A condition on the target's rows that is true or false, never null."""
    if isinstance(wanted, All):
        return and_(true(), *(compiled(part, target) for part in wanted.parts))
    if isinstance(wanted, AnyOf):
        return or_(false(), *(compiled(part, target) for part in wanted.parts))
    if isinstance(wanted, Not):
        return not_(compiled(wanted.part, target))
    if wanted.operator is Operator.NE:
        return not_(compiled(Condition(wanted.field, Operator.EQ, wanted.values), target))
    return _metadata(wanted, target) if wanted.field.kind is Kind.METADATA else _known(wanted, target)


def _known(wanted: Condition, target: Target) -> ColumnElement[bool]:
    field = target.columns[wanted.field.name]
    if wanted.operator is Operator.EXISTS:
        return field.is_not(None) if wanted.values[0] else field.is_(None)
    found = or_(*(_one(field, wanted, value) for value in wanted.values))
    return func.coalesce(found, false())


def _one(
    field: ColumnElement[Any] | InstrumentedAttribute[Any], wanted: Condition, value: Any
) -> ColumnElement[bool]:
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


def _metadata(wanted: Condition, target: Target) -> ColumnElement[bool]:
    path = "$" + "".join(f".{json.dumps(part)}" for part in wanted.field.path)
    if wanted.operator is Operator.EXISTS:
        present = _some(target, path, lambda item: item != cast(literal("null"), JSONB))
        return present if wanted.values[0] else not_(present)
    if wanted.operator in _SIGNS:
        return _ordered(target, path, wanted.operator, wanted.values[0])
    equal = _equal(target, path, wanted.values)
    if wanted.operator is Operator.CONTAINS and isinstance(wanted.values[0], str):
        part = func.lower(literal(wanted.values[0]))
        return or_(equal, _some_text(target, path, lambda said: func.strpos(func.lower(said), part) > 0))
    return equal


def _ordered(target: Target, path: str, operator: Operator, value: Any) -> ColumnElement[bool]:
    if isinstance(value, Period):
        return _some_text(target, f"{path}[*]", lambda said: _in_period(_as_instant(said), operator, value))
    sign = _SIGNS[operator]
    # `.double()` reads numbers that stand as text; what is none makes the comparison unknown, which is false.
    return _exists(target, f"{path}[*] ? (@ {sign} $v || @.double() {sign} $v)", value)


def _equal(target: Target, path: str, values: Sequence[Any]) -> ColumnElement[bool]:
    """Equal to one of the values, or a list that holds it; 7 and "7", true and "true" are the same."""
    forms = [form for value in values for form in _forms(value)]
    found = [_exists(target, f"{path}[*] ? (@ == $v[*])", forms)]
    for value in values:
        period = parse_period(value) if isinstance(value, str) else None
        if period is not None:
            found.append(_within(target, path, period))
    return or_(*found)


def _within(target: Target, path: str, period: Period) -> ColumnElement[bool]:
    return _some_text(target, f"{path}[*]", lambda said: _in_period(_as_instant(said), Operator.EQ, period))


def _forms(value: Any) -> list[Any]:
    if isinstance(value, bool):
        return [value, str(value).lower()]
    if isinstance(value, str):
        number = parse_number(value)
        truth = {"true": True, "false": False}.get(value.lower())
        return [value, *([] if number is None else [number]), *([] if truth is None else [truth])]
    return [value, json.dumps(value), *([str(int(value))] if float(value).is_integer() else [])]


def _exists(target: Target, path: str, value: Any) -> ColumnElement[bool]:
    found: ColumnElement[bool] = func.jsonb_path_exists(
        target.metadata, cast(path, JSONPATH), cast(bindparam(None, {"v": value}, JSONB), JSONB), true()
    )
    return func.coalesce(found, false())


def _as_instant(said: ColumnElement[str]) -> ColumnElement[datetime]:
    return func.try_instant(said, type_=DateTime(timezone=True))


def _some(target: Target, path: str, condition: Any) -> ColumnElement[bool]:
    item = func.jsonb_path_query(target.metadata, cast(path, JSONPATH), cast(literal("{}"), JSONB), true())
    items = item.table_valued(column("item", JSONB)).render_derived()
    return exists(select(literal(1)).select_from(items).where(condition(items.c.item)))


def _some_text(target: Target, path: str, condition: Any) -> ColumnElement[bool]:
    return _some(
        target,
        path,
        lambda item: and_(
            func.jsonb_typeof(item) == "string", condition(item.op("#>>", return_type=Text())(_WHOLE))
        ),
    )
