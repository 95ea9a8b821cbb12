"""What is extracted without a model, and which schemas may be asked of a text."""

from typing import Any

import pytest

from perdure.domain.extraction_schemas import MAX_FIELDS, check_extraction_schema
from perdure.domain.json_objects import Faults
from perdure.domain.named_fields import field_of, fill
from perdure.providers.entity_patterns import EntityPatterns

TEXT = (
    "Invoice No. INV-2041 of 3 March 2026.\n"
    "Net amount: 1,000.00 EUR. VAT 19 %: 190.00 EUR.\n"
    "Total amount due: 1,190.00 EUR, payable by 17 April 2026 to DE89 3704 0044 0532 0130 00.\n"
    "Questions to billing@harbour.example or to accounts@harbour.example.\n"
)


LEASE = (
    "The lease is between Gannet Quay Estates Ltd. (the landlord) and Kestrel Harbour Instruments Ltd. It begins on\n"
    "1 March 2025 and runs for five years. The tenant may end the lease early, for the first time on 31\n"
    "March 2028, against a payment of two monthly rents of 8,200 EUR. Otherwise the lease, like that before it, ends\n"
    "on 28 February 2030. A deposit of 24,600 EUR is paid.\n"
)


def filled(text: str = TEXT, /, **properties: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    fields = {name: field for name, schema in properties.items() if (field := field_of(name, schema))}
    assert fields.keys() == properties.keys()
    found = fill(text, EntityPatterns().extract(text, region="DE", languages=["en", "de", "fr"]), fields)
    for finds in found.finds.values():
        assert all(text[one.start : one.end] == one.text for one in finds)
    return dict(found.values), found.missing


def test_fields_are_filled_by_what_their_names_say() -> None:
    values, missing = filled(
        invoice_number={"type": "string"},
        total={"type": "number"},
        netAmount={"type": "string"},
        due_date={"type": "string"},
        iban={"type": "string"},
        emails={"type": "array", "items": {"type": "string"}},
        order_number={"type": "string"},
    )
    assert values == {
        "invoice_number": "INV-2041",
        "total": 1190.0,
        "netAmount": "1000.00 EUR",
        "due_date": "2026-04-17",
        "iban": "DE89370400440532013000",
        "emails": ["billing@harbour.example", "accounts@harbour.example"],
    }
    assert missing == ("order_number",)


def test_amounts_in_columns_far_from_their_words_are_read_and_the_date_of_issue_is_not_when_it_is_due() -> (
    None
):
    text = (
        "INVOICE No. BS-2026-0417                        Date: 12 November 2026\n"
        "Labour, 6 hours                          \u00a3 55.00           \u00a3 330.00\n"
        "VAT 20 %                                                   \u00a3 66.00\n"
        "Total due                                                  \u00a3 396.00\n"
        "Payable within 30 days.\n"
    )
    values, missing = filled(text, total={"type": "number"}, due_date={"type": "string"})
    assert (values, missing) == ({"total": 396.0}, ("due_date",))


def test_where_several_could_be_meant_none_is_guessed() -> None:
    assert filled(email={"type": "string"}, price={"type": "number"}) == ({}, ("email", "price"))


def test_the_terms_of_a_contract_are_read_over_the_ends_of_lines() -> None:
    values, missing = filled(
        LEASE,
        companies={"type": "array", "items": {"type": "string"}},
        start_date={"type": "string"},
        end_date={"type": "string"},
        amounts={"type": "array", "items": {"type": "number"}},
    )
    assert values == {
        "companies": ["Gannet Quay Estates Ltd.", "Kestrel Harbour Instruments Ltd."],
        "start_date": "2025-03-01",
        "end_date": "2030-02-28",
        "amounts": [8200.0, 24600.0],
    }
    assert missing == ()


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("Der Vertrag beginnt am 1. M\u00e4rz 2026 und endet am 28. Februar 2027.", "end_date", "2027-02-28"),
        (
            "Der Vertrag beginnt am 1. M\u00e4rz 2026 und endet am 28. Februar 2027.",
            "start_date",
            "2026-03-01",
        ),
        (
            "Le contrat prend effet le 1er avril 2026 et prend fin le 31 mars 2027.",
            "start_date",
            "2026-04-01",
        ),
        ("Signed in Arden on 12 January 2025. It can be ended by either party.", "end_date", None),
        ("Signed in Arden on 12 January 2025.", "due_date", None),
        ("Signed in Arden on 12 January 2025.", "date", "2025-01-12"),
    ],
)
def test_a_date_by_itself_is_not_yet_the_one_that_is_asked_for(
    text: str, field: str, value: str | None
) -> None:
    values, _missing = filled(text, **{field: {"type": "string"}})
    assert values.get(field) == value


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("name", {"type": "string"}),
        ("summary", {"type": "string"}),
        ("number", {"type": "string"}),
        ("", {"type": "string"}),
        ("total", {"type": "boolean"}),
        ("date", {"type": "integer"}),
        ("total", {"type": "object", "properties": {}}),
        ("currency_date", {"type": "string", "enum": ["a"]}),
        ("dates", {"type": "array"} | {"items": {"type": "object"}}),
    ],
)
def test_what_a_name_does_not_say_is_not_filled(name: str, schema: dict[str, Any]) -> None:
    assert field_of(name, schema) is None


def faults(schema: object) -> list[str]:
    found = Faults()
    check_extraction_schema(schema, "/schema", found)
    return [fault.pointer for fault in found]


def test_a_schema_of_fields_is_taken() -> None:
    line = {"type": "object", "properties": {"text": {"type": ["string", "null"]}}, "required": ["text"]}
    whole = {
        "type": "object",
        "properties": {"total": {"type": "number", "minimum": 0}, "lines": {"type": "array", "items": line}},
        "required": ["total"],
        "additionalProperties": False,
    }
    assert faults(whole) == []
    assert faults({"type": "object"}) == []


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ([], "/schema"),
        ({"type": "array"}, "/schema/type"),
        ({"type": "magic"}, "/schema/type"),
        ({"type": "object", "$ref": "http://169.254.169.254/"}, "/schema/$ref"),
        ({"type": "object", "properties": {"a": {"pattern": "(a+)+$"}}}, "/schema/properties/a/pattern"),
        ({"type": "object", "properties": {"a": {"$dynamicRef": "#x"}}}, "/schema/properties/a/$dynamicRef"),
        ({"type": "object", "properties": [1]}, "/schema/properties"),
        ({"type": "object", "properties": {"a": 7}}, "/schema/properties/a"),
        ({"type": "object", "properties": {" ": {}}}, "/schema/properties/ "),
        ({"type": "object", "required": ["b"]}, "/schema/required/0"),
        ({"type": "object", "required": "b"}, "/schema/required"),
        ({"type": "object", "properties": {"a": {"enum": []}}}, "/schema/properties/a/enum"),
        ({"type": "object", "properties": {"a": {"minimum": "1"}}}, "/schema/properties/a/minimum"),
        ({"type": "object", "properties": {"a": {"maxLength": -1}}}, "/schema/properties/a/maxLength"),
        ({"type": "object", "properties": {"a": {"type": [["string"]]}}}, "/schema/properties/a/type"),
        ({"type": "object", "properties": {str(n): {} for n in range(MAX_FIELDS + 1)}}, "/schema"),
        (nested(5), "/schema/properties/a/properties/a/properties/a/properties/a/properties/a"),
    ],
)
def test_a_schema_that_leads_elsewhere_or_never_ends_is_refused(schema: object, place: str) -> None:
    assert place in faults(schema)
