"""A filter is understood wholly, or refused with the place of each fault."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from perdure.domain.filters import (
    CHOICES,
    All,
    AnyOf,
    Condition,
    Filter,
    Kind,
    Not,
    Operator,
    Period,
    parse_filters,
    parse_number,
    parse_period,
)
from perdure.errors import InvalidInputError
from perdure.schemas.documents import DocumentStatus, SourceType


def faults(given: object) -> dict[str, str]:
    with pytest.raises(InvalidInputError) as error:
        parse_filters(given)
    return {fault.pointer: fault.detail for fault in error.value.errors}


def one(given: object) -> Condition:
    parsed = parse_filters(given)
    assert isinstance(parsed, Condition)
    return parsed


@pytest.mark.parametrize("given", [None, {}])
def test_no_filter_asks_for_nothing(given: object) -> None:
    assert parse_filters(given) is None


def test_a_bare_value_means_equality() -> None:
    assert parse_filters({"metadata.author": "Ann"}) == parse_filters({"metadata.author": {"eq": "Ann"}})


def test_several_fields_and_operators_in_one_object_mean_and() -> None:
    parsed = parse_filters({"title": {"contains": "plan"}, "page_count": {"gte": 2, "lt": 9}})
    assert isinstance(parsed, All)
    assert [part.operator for part in parsed.parts if isinstance(part, Condition)] == [
        "contains",
        "gte",
        "lt",
    ]


def test_and_or_not_nest() -> None:
    parsed = parse_filters({"or": [{"tags": "a"}, {"not": {"and": [{"tags": "b"}, {"language": "de"}]}}]})
    assert isinstance(parsed, AnyOf)
    assert isinstance(parsed.parts[1], Not)
    assert isinstance(parsed.parts[1].part, All)


def test_tags_are_metadata() -> None:
    assert one({"tags": {"contains": "x"}}).field.path == ("tags",)


def test_a_path_may_hold_dots_behind_a_backslash() -> None:
    assert one({r"metadata.a\.b.c": 1}).field.path == ("a.b", "c")


def test_equality_with_null_asks_whether_the_field_is_there() -> None:
    absent, present = one({"metadata.a": None}), one({"metadata.a": {"ne": None}})
    assert (absent.operator, absent.values) == (Operator.EXISTS, (False,))
    assert (present.operator, present.values) == (Operator.EXISTS, (True,))


def test_contains_a_list_means_each_of_it() -> None:
    parsed = parse_filters({"tags": {"contains": ["a", "b"]}})
    assert isinstance(parsed, All)
    assert len(parsed.parts) == 2


def test_numbers_may_be_spelled_out_for_number_fields() -> None:
    assert one({"page_count": {"gt": "12"}}).values == (12,)
    assert one({"external_id": 42}).values == ("42",)


def test_a_day_is_a_period_and_a_moment_is_none() -> None:
    day = datetime(2025, 3, 31, tzinfo=UTC)
    assert parse_period("2025-03-31") == Period(day, day + timedelta(days=1))
    moment = parse_period("2025-03-31T14:00:00+02:00")
    assert moment == Period(day + timedelta(hours=12), day + timedelta(hours=12))
    assert parse_period("2025-03-31T12:00:00Z") == moment
    assert parse_period("2025-03-31T12:00:00") == moment


@pytest.mark.parametrize(
    "text", ["", "2025", "31.03.2025", "2025-13-01", "2025-03-31T25:00", "9999-12-31", "20250331"]
)
def test_what_is_no_day_is_none(text: str) -> None:
    assert parse_period(text) is None


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ("7", 7),
        ("7.5", 7.5),
        (" 8 ", 8),
        ("-3", -3),
        ("x", None),
        ("nan", None),
        ("1e999", None),
        (True, None),
    ],
)
def test_text_that_spells_a_number_is_one(given: object, number: float | None) -> None:
    assert parse_number(given) == number


@pytest.mark.parametrize(
    ("given", "pointer", "said"),
    [
        ([], "/body/filters", "must be an object"),
        ("x", "/body/filters", "must be an object"),
        ({"colour": "red"}, "/body/filters/colour", "is no field"),
        ({"metadata": "red"}, "/body/filters/metadata", "is no field"),
        ({"metadata.": "red"}, "/body/filters/metadata.", "empty"),
        ({"metadata.a..b": 1}, "/body/filters/metadata.a..b", "empty"),
        ({"metadata.a/b": {"like": 1}}, "/body/filters/metadata.a~1b/like", "no operator"),
        ({"metadata.a": {}}, "/body/filters/metadata.a", "needs an operator"),
        ({"title": {"gt": "a"}}, "/body/filters/title/gt", "no operator"),
        ({"title": True}, "/body/filters/title", "needs text"),
        ({"metadata.a": {"eq": {"b": 1}}}, "/body/filters/metadata.a/eq", "must be text"),
        ({"metadata.a": {"in": "x"}}, "/body/filters/metadata.a/in", "list"),
        ({"metadata.a": {"in": []}}, "/body/filters/metadata.a/in", "at least one"),
        ({"metadata.a": {"in": [1, [2]]}}, "/body/filters/metadata.a/in/1", "must be text"),
        ({"metadata.a": {"in": list(range(201))}}, "/body/filters/metadata.a/in", "at most 200"),
        ({"metadata.a": {"gt": "red"}}, "/body/filters/metadata.a/gt", "needs a number, or a day"),
        ({"metadata.a": {"gt": True}}, "/body/filters/metadata.a/gt", "needs a number"),
        ({"metadata.a": {"exists": 1}}, "/body/filters/metadata.a/exists", "true or false"),
        ({"metadata.a": "x" * 1001}, "/body/filters/metadata.a", "longer"),
        ({"metadata.a": "x\0"}, "/body/filters/metadata.a", "NUL"),
        ({"metadata.a": "\ud800"}, "/body/filters/metadata.a", "surrogate"),
        ({"metadata.a": float("nan")}, "/body/filters/metadata.a", "finite"),
        ({"metadata.a": 10**300}, "/body/filters/metadata.a", "too large"),
        ({"created_at": "yesterday"}, "/body/filters/created_at", "needs a day or moment"),
        ({"created_at": 5}, "/body/filters/created_at", "needs a day or moment"),
        ({"size_bytes": {"gt": "big"}}, "/body/filters/size_bytes/gt", "needs a number"),
        ({"status": "done"}, "/body/filters/status", "one of chunking"),
        ({"source_type": {"in": ["url", "fax"]}}, "/body/filters/source_type/in/1", "one of email"),
        ({"created_at": None}, "/body/filters/created_at", "must be text"),
        ({"and": []}, "/body/filters/and", "at least one"),
        ({"or": {"title": "x"}}, "/body/filters/or", "list"),
        ({"or": [{"title": "x"}, 5]}, "/body/filters/or/1", "must be an object"),
        ({"not": [{"title": "x"}]}, "/body/filters/not", "must be an object"),
        ({"or": [{"title": "x"}] * 65}, "/body/filters/or", "at most 64"),
        ({"metadata." + ".".join("abcdefghi"): 1}, "/body/filters/metadata.a.b.c.d.e.f.g.h.i", "more than 8"),
    ],
)
def test_a_fault_is_named_with_its_place(given: object, pointer: str, said: str) -> None:
    found = faults(given)
    assert list(found) == [pointer]
    assert said in found[pointer]


def test_all_faults_are_named_at_once() -> None:
    found = faults({"colour": 1, "or": [{"title": {"gt": 1}}, {"status": "x"}]})
    assert list(found) == ["/body/filters/colour", "/body/filters/or/0/title/gt", "/body/filters/or/1/status"]


def test_depth_and_number_are_limited() -> None:
    deep: dict[str, object] = {"title": "x"}
    for _ in range(8):
        deep = {"not": deep}
    assert "deeper than 8" in next(iter(faults(deep).values()))
    wide = {"and": [{"or": [{"title": "x"}] * 33}] * 2}
    assert "66 conditions" in next(iter(faults(wide).values()))


def test_choices_are_those_of_the_documents() -> None:
    assert CHOICES["status"] == {status.value for status in DocumentStatus}
    assert CHOICES["source_type"] == set(get_args(SourceType))


def test_every_field_takes_equality_and_the_wrong_kind_is_refused() -> None:
    parsed: Filter | None = parse_filters({"document_id": "doc_1"})
    assert isinstance(parsed, Condition)
    assert parsed.field.kind is Kind.IDENTIFIER
    assert list(faults({"document_id": {"contains": "doc"}})) == ["/body/filters/document_id/contains"]
