"""Files of texts to classify: CSV with a header, JSON lines, or a JSON list."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

from perdure.errors import InvalidInputError
from perdure.schemas.classification import MAX_ITEMS, MAX_TEXT, ClassificationItem

_DELIMITERS = ",;\t|"
_JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")
_CSV_SUFFIXES = (".csv", ".tsv")

# The limit of a field holds for the whole process; as it comes, it is shorter than a text may be.
csv.field_size_limit(MAX_TEXT + 1)


def items_of(content: bytes, name: str) -> list[ClassificationItem]:
    """What a file asks to classify, in its order. InvalidInputError says which line cannot be read and why."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidInputError(
            f"Line {line} of the file is not UTF-8. Save it as UTF-8 and try again."
        ) from error
    items = []
    for item in _read(text, name.lower()):
        items.append(item)
        if len(items) > MAX_ITEMS:
            raise InvalidInputError(
                f"The file has more than {MAX_ITEMS:,} texts. Split it into several batches."
            )
    if not items:
        raise InvalidInputError("The file has no texts. Give a line for each.")
    return items


def _read(text: str, name: str) -> Iterator[ClassificationItem]:
    is_json = text.lstrip()[:1] in ("{", "[") and not name.endswith(_CSV_SUFFIXES)
    if is_json or name.endswith(_JSON_SUFFIXES):
        return _json_items(text)
    return _csv_items(text)


def _csv_items(text: str) -> Iterator[ClassificationItem]:
    header = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(_DELIMITERS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: list[str] | None = None
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if columns is None:
                columns = [cell.strip().casefold() for cell in row]
                if not {"text", "document_id"} & set(columns):
                    raise InvalidInputError(
                        "The first line of the file has to name its columns: one of them `text` or `document_id`, "
                        "and `external_id` if the results are to carry your own ids."
                    )
                continue
            yield _item(dict(zip(columns, row, strict=False)), reader.line_num)
    except csv.Error as error:
        raise InvalidInputError(f"Line {reader.line_num} of the file is no CSV: {error}.") from error


def _json_items(text: str) -> Iterator[ClassificationItem]:
    if text.lstrip().startswith("["):
        whole = _parsed(text, 1)
        values = [(number, value) for number, value in enumerate(whole if isinstance(whole, list) else [], 1)]
    else:
        lines = enumerate(text.split("\n"), 1)
        values = [(number, _parsed(line, number)) for number, line in lines if line.strip()]
    for number, value in values:
        if isinstance(value, str):
            yield ClassificationItem(text=value)
        elif isinstance(value, dict):
            yield _item(value, number)
        else:
            raise InvalidInputError(
                f"Line {number} of the file is neither a text nor an object with a `text`."
            )


def _parsed(line: str, number: int) -> Any:
    try:
        return json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        detail = error.msg if isinstance(error, json.JSONDecodeError) else "it nests too deep"
        raise InvalidInputError(f"Line {number} of the file is no JSON: {detail}.") from error


def _item(values: Mapping[str, Any], line: int) -> ClassificationItem:
    """A row; one without anything is an item that will fail by itself."""
    given = {name: _text(values.get(name), line) for name in ("text", "document_id", "external_id")}
    external = given["external_id"] or _text(values.get("id"), line) or None
    if external is not None and len(external) > 512:
        raise InvalidInputError(f"Line {line} of the file has an id of more than 512 characters.")
    document = given["document_id"].strip()
    if not document or given["text"].strip():
        return ClassificationItem(text=given["text"], external_id=external)
    return ClassificationItem(document_id=document[:200], external_id=external)


def _text(value: Any, line: int) -> str:
    if value is None:
        return ""
    if isinstance(value, str | int | float):
        return str(value)
    raise InvalidInputError(f"Line {line} of the file has something else than a text as a text or an id.")
