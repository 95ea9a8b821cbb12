import json
from datetime import UTC, datetime
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis.strategies import text
from sqlalchemy import Column, MetaData, Table, Text

from perdure.db.personal_data import exported_condition
from perdure.domain.exports import document_entry, json_line, object_entry, safe_name, text_entry


@pytest.mark.parametrize(
    ("given_name", "expected"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\plan.docx", "plan.docx"),
        ("Übersicht 2026 (final).xlsx", "Übersicht 2026 (final).xlsx"),
        ("a\x00b\nc.txt", "a_b_c.txt"),
        ("..", "file"),
        ("", "file"),
        ("https://example.com/path/", "file"),
    ],
)
def test_a_file_name_leads_nowhere_else(given_name: str, expected: str) -> None:
    assert safe_name(given_name) == expected


@given(text())
def test_every_name_is_one_short_name(name: str) -> None:
    safe = safe_name(name)
    assert PurePosixPath(safe).name == safe
    assert safe not in {"", ".", ".."}
    assert len(safe) <= 120


def test_a_long_name_keeps_its_ending() -> None:
    assert safe_name("x" * 500 + ".pdf").endswith("xx.pdf")


def test_entries_cannot_meet() -> None:
    original = document_entry("doc_1", 2, "v2.text.json")
    assert original == "documents/doc_1/v2/v2.text.json"
    assert text_entry("doc_1", 2) == "documents/doc_1/v2.text.json"
    assert object_entry("org_1", "org_1/inbox/a.txt") == "objects/inbox/a.txt"


def test_a_row_is_one_line_of_json() -> None:
    row = {
        "at": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        "raw": b"\x00\xff",
        "text": "a\nb é",
        "n": None,
    }
    line = json_line(row)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "at": "2026-01-02T03:04:05.000006Z",
        "raw": "AP8=",
        "text": "a\nb é",
        "n": None,
    }


def test_a_table_that_nobody_planned_is_exported_with_its_organisation() -> None:
    table = Table("things_to_come", MetaData(), Column("id", Text), Column("organisation_id", Text))
    assert exported_condition(table, of_person=False) == "organisation_id = :organisation"
    assert exported_condition(table, of_person=True) is None
