"""Files of texts to classify: what people save from a spreadsheet, and what programs write."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.routes.console_item_files import items_of
from perdure.errors import InvalidInputError
from perdure.schemas.classification import MAX_ITEMS


def read(content: str, name: str = "texts.csv") -> list[tuple[str | None, str | None, str | None]]:
    items = items_of(content.encode(), name)
    return [(item.text, item.document_id, item.external_id) for item in items]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_of_a_spreadsheet_is_read_whatever_separates_its_columns(delimiter: str) -> None:
    rows = [["ID", "Text", "note"], ["7", '"It is, late;\nand\tlong"', "x"], ["8", "Second", ""]]
    content = "\ufeff" + "\r\n".join(delimiter.join(row) for row in rows) + "\r\n\r\n"
    assert read(content) == [("It is, late;\nand\tlong", None, "7"), ("Second", None, "8")]


def test_documents_and_texts_may_stand_in_one_file() -> None:
    content = "document_id,text,external_id\ndoc_1,,a\n,Some text,b\n,,c\n"
    assert read(content) == [(None, "doc_1", "a"), ("Some text", None, "b"), ("", None, "c")]


def test_lines_of_json_are_texts_or_objects() -> None:
    lines = ['"Just a text"', '{"text": "With an id", "id": 12, "more": [1]}', "", '{"document_id": "doc_1"}']
    assert read("\n".join(lines), "texts.jsonl") == [
        ("Just a text", None, None),
        ("With an id", None, "12"),
        (None, "doc_1", None),
    ]


def test_a_list_of_json_is_read_whatever_the_file_is_called() -> None:
    assert read('[{"text": "a"}, "b"]', "export") == [("a", None, None), ("b", None, None)]


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"", "a.csv", "no texts"),
        (b"text\n\n", "a.csv", "no texts"),
        (b"subject,body\na,b", "a.csv", "name its columns"),
        (b"text\nfine\n\xff", "a.csv", "Line 3 of the file is not UTF-8"),
        (b'text\n"open', "a.csv", "is no CSV"),
        (b'{"text": "a"}\n{broken', "a.jsonl", "Line 2 of the file is no JSON"),
        (b"[1, 2]", "a.json", "Line 1 of the file is neither"),
        (b'{"text": ["a"]}', "a.jsonl", "something else than a text"),
        (b"[" * 100_000, "a.json", "no JSON"),
        (b"text,id\na," + b"x" * 600, "a.csv", "more than 512"),
    ],
)
def test_what_cannot_be_read_is_named(content: bytes, name: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        items_of(content, name)


def test_more_than_a_batch_takes_is_refused_and_as_many_are_not() -> None:
    lines = "text\n" + "x\n" * MAX_ITEMS
    assert len(read(lines)) == MAX_ITEMS
    with pytest.raises(InvalidInputError, match="more than 10,000"):
        read(lines + "y\n")


@given(st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20), min_size=1))
def test_what_a_program_writes_as_json_lines_comes_back(texts: list[str]) -> None:
    content = "\n".join(json.dumps({"text": text}) for text in texts)
    assert [item[0] for item in read(content, "a.jsonl")] == texts


@given(st.binary(max_size=200), st.sampled_from(["a.csv", "a.jsonl", "a"]))
def test_whatever_a_file_holds_it_is_read_or_refused_in_words(content: bytes, name: str) -> None:
    with suppress(InvalidInputError):
        assert items_of(content, name)
