"""No filter silently returns nothing: what people mean is what PostgreSQL compares."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from perdure.db.filter_sql import compiled
from perdure.db.models import DocumentRow, SpaceRow
from perdure.db.session import Database
from perdure.domain.filters import parse_filters
from perdure.domain.ids import new_id

METADATA: dict[str, dict[str, object]] = {
    "number": {"year": 2024, "price": 9.5, "on": "2024-05-01T10:30:00Z", "ok": True},
    "text": {"year": "2024", "price": "12", "on": "2024-05-02", "ok": "true", "author": "Ann O'Neil"},
    "list": {
        "year": [2020, 2021],
        "tags": ["red", "blue team"],
        "authors": [{"name": "Ann"}, {"name": "Bob"}],
    },
    "nested": {"a": {"b": {"c": "deep"}}, "dotted.key": 1, "empty": None, "none": [], 'qu"ote': "x"},
    "odd": {"year": "unknown", "price": None, "on": "soon", "tags": "red", "author": {"name": "Ann"}},
    "bare": {},
}
COLUMNS: dict[str, dict[str, object]] = {
    "number": {"language": "en", "page_count": 3, "source_type": "upload", "external_id": "A-1"},
    "text": {"language": "en-GB", "page_count": 30, "media_type": "application/pdf"},
    "list": {"language": "de", "size_bytes": 5_000_000_000, "external_id": "42"},
}


@pytest.fixture
async def organisation_with_documents(database: Database, organisation_id: str) -> str:
    space_id = new_id("spc")
    async with database.transaction(organisation_id) as session:
        session.add(
            SpaceRow(
                id=space_id,
                organisation_id=organisation_id,
                name="default",
                embedding_model="m",
                embedding_dimension=384,
            )
        )
        await session.flush()
        for day, (title, metadata) in enumerate(METADATA.items(), start=1):
            session.add(
                DocumentRow(
                    id=new_id("doc"),
                    organisation_id=organisation_id,
                    space_id=space_id,
                    title=title,
                    status="partial" if title == "odd" else "indexed",
                    metadata_=metadata,
                    created_at=datetime(2025, 3, day, 12, tzinfo=UTC),
                    **COLUMNS.get(title, {}),
                )
            )
    return organisation_id


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # A number and the text that spells it are the same; a list matches by what it holds.
        ({"metadata.year": 2024}, "number text"),
        ({"metadata.year": "2024"}, "number text"),
        ({"metadata.year": 2024.0}, "number text"),
        ({"metadata.year": 2020}, "list"),
        ({"metadata.year": {"ne": 2024}}, "list nested odd bare"),
        ({"metadata.year": {"in": [2021, "unknown"]}}, "list odd"),
        ({"metadata.year": {"gt": 2021}}, "number text"),
        ({"metadata.year": {"gte": 2021}}, "number text list"),
        ({"metadata.year": {"lt": "2021"}}, "list"),
        ({"metadata.year": {"gte": 2021, "lte": 2023}}, "list"),
        ({"metadata.price": {"lte": 9.5}}, "number"),
        ({"metadata.price": {"gt": 10}}, "text"),
        ({"metadata.ok": True}, "number text"),
        ({"metadata.ok": "true"}, "number text"),
        ({"metadata.ok": False}, ""),
        # Days and moments.
        ({"metadata.on": "2024-05-01"}, "number"),
        ({"metadata.on": "2024-05-01T10:30:00Z"}, "number"),
        ({"metadata.on": "2024-05-01T12:30:00+02:00"}, "number"),
        ({"metadata.on": {"gte": "2024-05-01"}}, "number text"),
        ({"metadata.on": {"gt": "2024-05-01"}}, "text"),
        ({"metadata.on": {"lte": "2024-05-01"}}, "number"),
        ({"metadata.on": {"lt": "2024-05-01T10:30:00Z"}}, ""),
        ({"metadata.on": {"lt": "2024-05-01T10:30:01Z"}}, "number"),
        ({"metadata.on": "soon"}, "odd"),
        # Lists, nesting, names with odd characters.
        ({"tags": "red"}, "list odd"),
        ({"tags": {"contains": "red"}}, "list odd"),
        ({"tags": {"contains": ["red", "blue team"]}}, "list"),
        ({"tags": {"contains": "blue"}}, ""),
        ({"metadata.tags": {"in": ["green", "red"]}}, "list odd"),
        ({"metadata.authors.name": "Bob"}, "list"),
        ({"metadata.author.name": "Ann"}, "odd"),
        ({"metadata.author": "Ann O'Neil"}, "text"),
        ({"metadata.author": {"contains": "ann o'"}}, "text"),
        ({"metadata.a.b.c": "deep"}, "nested"),
        ({r"metadata.dotted\.key": 1}, "nested"),
        ({'metadata.qu"ote': "x"}, "nested"),
        ({"metadata.year": {"contains": 2021}}, "list"),
        # Missing keys and null.
        ({"metadata.year": {"exists": True}}, "number text list odd"),
        ({"metadata.year": {"exists": False}}, "nested bare"),
        ({"metadata.empty": {"exists": True}}, ""),
        ({"metadata.none": {"exists": True}}, "nested"),
        ({"metadata.price": None}, "list nested odd bare"),
        ({"metadata.price": {"ne": None}}, "number text"),
        ({"not": {"metadata.year": {"gt": 2000}}}, "nested odd bare"),
        # Columns.
        ({"title": "list"}, "list"),
        ({"title": {"contains": "E"}}, "number text nested bare"),
        ({"language": "en"}, "number text"),
        ({"language": "EN-gb"}, "text"),
        ({"language": {"ne": "en"}}, "list nested odd bare"),
        ({"language": {"exists": False}}, "nested odd bare"),
        ({"external_id": 42}, "list"),
        ({"external_id": {"in": ["A-1", 42]}}, "number list"),
        ({"media_type": "Application/PDF"}, "text"),
        ({"source_type": "upload"}, "number"),
        ({"source_type": {"ne": "upload"}}, "text list nested odd bare"),
        ({"status": "partial"}, "odd"),
        ({"page_count": 3}, "number"),
        ({"page_count": {"gt": 2.5, "lt": "31"}}, "number text"),
        ({"page_count": {"ne": 3}}, "text list nested odd bare"),
        ({"size_bytes": {"gte": 5_000_000_000}}, "list"),
        ({"created_at": "2025-03-02"}, "text"),
        ({"created_at": "2025-03-02T12:00:00Z"}, "text"),
        ({"created_at": {"gt": "2025-03-02", "lte": "2025-03-04"}}, "list nested"),
        ({"created_at": {"in": ["2025-03-01", "2025-03-06"]}}, "number bare"),
        ({"created_at": {"ne": "2025-03-01"}}, "text list nested odd bare"),
        # Joined.
        ({"and": [{"language": "en"}, {"metadata.year": 2024}], "page_count": 3}, "number"),
        ({"or": [{"title": "bare"}, {"tags": "red"}]}, "list odd bare"),
        ({"not": {"or": [{"title": "bare"}, {"tags": "red"}]}}, "number text nested"),
        ({"not": {"not": {"title": "bare"}}}, "bare"),
    ],
)
async def test_a_filter_finds_what_is_meant(
    database: Database, organisation_with_documents: str, given: object, expected: str
) -> None:
    parsed = parse_filters(given)
    assert parsed is not None
    async with database.transaction(organisation_with_documents) as session:
        found = await session.scalars(select(DocumentRow.title).where(compiled(parsed)))
        assert set(found) == set(expected.split())


async def test_values_are_bound_and_never_written_into_the_statement(
    database: Database, organisation_with_documents: str
) -> None:
    hostile = "x'); DROP TABLE documents; --"
    for given in ({"title": hostile}, {"metadata.a": hostile}, {f"metadata.{hostile}": 1}):
        parsed = parse_filters(given)
        assert parsed is not None
        assert "DROP" not in str(compiled(parsed))
        async with database.transaction(organisation_with_documents) as session:
            assert (await session.scalars(select(DocumentRow.id).where(compiled(parsed)))).all() == []
