"""Search over real PostgreSQL and the real embedding model."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import text

from perdure.db.chunk_repository import ChunkRepository, IndexedContent
from perdure.db.models import DocumentRow, SpaceRow
from perdure.db.search_service import SearchService
from perdure.db.session import Database
from perdure.db.vector_index import VectorIndex
from perdure.domain.chunking import chunk, contextual_text
from perdure.domain.ids import new_id
from perdure.errors import ConflictError, InvalidInputError, NotFoundError
from perdure.ports.models import EmbeddingCall, EmbeddingModel, Vectors
from perdure.schemas.parsed_text import ParsedText
from perdure.schemas.search import SearchAnswer, SearchRequest
from perdure.settings import Settings
from tests.embedding import embedder, tokenizer

DOCUMENTS = {
    "Harbour report": (
        "The harbour of Norden handled 312 ships in March. Two cranes were out of service for a week, so "
        "container traffic was slower than usual. Dredging of the northern basin starts in autumn."
    ),
    "Vacation rules": (
        "Employees take thirty days of paid leave a year. Leave that is left over at the end of December expires "
        "in March. Ask your supervisor two weeks before."
    ),
    "Espresso machine": (
        "Descale the machine every two months. The error code E47 means that the water tank is empty. "
        "Never put milk into the boiler."
    ),
    "Compiler notes": (
        "The optimiser removes dead branches and folds constants. Register allocation uses graph colouring. "
        "Link time optimisation doubles the build time."
    ),
}


class OneEmbedder:
    """The default model is all there is."""

    @property
    def default(self) -> EmbeddingModel:
        return embedder().model

    def runs_here(self, name: str) -> bool:
        return name == self.default.name

    def named(self, name: str) -> EmbeddingModel:
        if name != self.default.name:
            msg = f"unknown model {name}"
            raise InvalidInputError(msg)
        return self.default

    async def require(self, organisation_id: str, name: str) -> None:
        self.named(name)

    async def embed(self, call: EmbeddingCall, name: str, texts: Sequence[str]) -> Vectors:
        self.named(name)
        return await asyncio.to_thread(embedder().embed, texts)


async def fill(
    database: Database,
    organisation_id: str,
    documents: dict[str, str],
    space: str = "default",
    language: str | None = "en",
    *,
    in_vector_index: bool = False,
    **values: object,
) -> dict[str, str]:
    """Index documents as the workers do; their ids by title."""
    model = embedder().model
    async with database.transaction(organisation_id) as session:
        row = await session.scalar(
            SpaceRow.__table__.select().with_only_columns(SpaceRow.id).where(SpaceRow.name == space)
        )
        space_id = row or new_id("spc")
        if row is None:
            session.add(
                SpaceRow(
                    id=space_id,
                    organisation_id=organisation_id,
                    name=space,
                    embedding_model=model.name,
                    embedding_dimension=model.dimension,
                )
            )
            await session.flush()
        contents, ids = [], {}
        for title, said in documents.items():
            ids[title] = new_id("doc")
            spans = chunk(ParsedText(text=said, media_type="text/plain"), tokenizer(), 64)
            session.add(
                DocumentRow(
                    id=ids[title],
                    organisation_id=organisation_id,
                    space_id=space_id,
                    title=title,
                    status="indexed",
                    version=1,
                    chunk_count=len(spans),
                    language=language,
                    **values,
                )
            )
            vectors = embedder().embed(
                [contextual_text(title, span.heading_path, span.text) for span in spans]
            )
            contents.append(IndexedContent(space_id, ids[title], 1, language, title, spans, vectors))
        await session.flush()
        await ChunkRepository(session, organisation_id).replace(contents, model)
    if in_vector_index:
        await VectorIndex(database.transaction, 0).admit(organisation_id, [space_id])
    return ids


@pytest.fixture
def service(database: Database) -> SearchService:
    return SearchService(database.quick, OneEmbedder(), Settings())


async def ask(service: SearchService, organisation_id: str, query: str, **options: object) -> SearchAnswer:
    return await service.search(organisation_id, SearchRequest.model_validate({"query": query, **options}))


def titles(answer: SearchAnswer) -> list[str]:
    return [item.document_title for item in answer.items]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("How many holidays do I get?", "Vacation rules"),
        ("E47", "Espresso machine"),
        ("dead code elimination", "Compiler notes"),
        ("shipping traffic at the port", "Harbour report"),
        ("What do I do when the coffee maker shows E47", "Espresso machine"),
    ],
)
async def test_the_passage_that_answers_comes_first(
    database: Database, organisation_id: str, service: SearchService, query: str, expected: str
) -> None:
    await fill(database, organisation_id, DOCUMENTS)
    answer = await ask(service, organisation_id, query)
    assert titles(answer)[0] == expected
    best = answer.items[0]
    assert DOCUMENTS[expected][best.start : best.end] == best.text
    assert 0 < best.score <= 1
    assert answer.took_ms > 0


async def test_modes_look_at_meaning_at_words_or_at_both(
    database: Database, organisation_id: str, service: SearchService
) -> None:
    await fill(database, organisation_id, DOCUMENTS)
    by_words = await ask(service, organisation_id, "milk", mode="keyword")
    assert titles(by_words) == ["Espresso machine"]
    assert (await ask(service, organisation_id, "holidays", mode="keyword")).items == []
    by_meaning = await ask(service, organisation_id, "holidays", mode="vector")
    assert titles(by_meaning)[0] == "Vacation rules"
    assert len(by_meaning.items) > 1


async def test_explaining_shows_terms_that_add_up_to_the_score(
    database: Database, organisation_id: str, service: SearchService
) -> None:
    await fill(database, organisation_id, DOCUMENTS)
    answer = await ask(service, organisation_id, "water tank of the espresso machine", explain=True)
    for item in answer.items:
        assert [term.name for term in item.terms] == ["meaning", "words", "context"]
        assert item.score == pytest.approx(sum(term.value for term in item.terms), abs=1e-5)
    assert answer.items[0].terms[1].detail is not None
    assert "tank" in answer.items[0].terms[1].detail
    assert (await ask(service, organisation_id, "water tank")).items[0].terms == []


async def test_highlights_are_offsets_into_the_passage(
    database: Database, organisation_id: str, service: SearchService
) -> None:
    await fill(database, organisation_id, DOCUMENTS)
    (item,) = (await ask(service, organisation_id, "cranes in service", limit=1, highlight=True)).items
    assert item.highlights is not None
    assert [item.text[mark.start : mark.end] for mark in item.highlights] == ["cranes", "service"]
    assert (await ask(service, organisation_id, "cranes")).items[0].highlights is None


async def test_scores_are_the_same_each_time_and_whatever_the_limit(
    database: Database, organisation_id: str, service: SearchService
) -> None:
    await fill(database, organisation_id, DOCUMENTS)
    first = await ask(service, organisation_id, "machine error in March")
    again = await ask(service, organisation_id, "machine error in March", limit=2)
    assert [(i.chunk_id, i.score) for i in again.items] == [(i.chunk_id, i.score) for i in first.items[:2]]
    least = first.items[1].score
    cut = await ask(service, organisation_id, "machine error in March", min_score=least)
    assert [i.chunk_id for i in cut.items] == [i.chunk_id for i in first.items[:2]]


async def test_equal_passages_stand_in_the_order_of_their_documents(
    database: Database, organisation_id: str, service: SearchService
) -> None:
    same = {f"Copy {n}": "The very same words." for n in range(5)}
    ids = await fill(database, organisation_id, same)
    answer = await ask(service, organisation_id, "very same words", mode="keyword")
    assert [item.document_id for item in answer.items] == sorted(ids.values())


async def test_filters_narrow_to_documents_and_wrong_ones_are_refused(
    database: Database, organisation_id: str, service: SearchService
) -> None:
    await fill(database, organisation_id, DOCUMENTS, metadata_={"year": 2024})
    await fill(database, organisation_id, {"Newer": DOCUMENTS["Vacation rules"]}, metadata_={"year": "2025"})
    answer = await ask(service, organisation_id, "paid leave", filters={"metadata.year": {"gte": 2025}})
    assert titles(answer) == ["Newer"]
    none = await ask(service, organisation_id, "paid leave", filters={"metadata.year": 1999})
    assert none.items == []
    with pytest.raises(InvalidInputError):
        await ask(service, organisation_id, "paid leave", filters={"colour": "red"})


async def test_the_same_filter_gives_the_same_documents_on_both_ways_through_the_index(
    database: Database, organisation_id: str
) -> None:
    await fill(database, organisation_id, DOCUMENTS, in_vector_index=True, metadata_={"keep": True})
    other = {f"Other {n}": f"Paid leave in the company number {n}." for n in range(30)}
    await fill(database, organisation_id, other, metadata_={"keep": False})
    for exact_below in (5_000, 0):
        searched = SearchService(database.quick, OneEmbedder(), Settings(exact_search_below=exact_below))
        for mode in ("hybrid", "vector", "keyword"):
            answer = await ask(
                searched, organisation_id, "paid leave", filters={"metadata.keep": True}, mode=mode
            )
            assert titles(answer)[0] == "Vacation rules"
            assert not any(title.startswith("Other") for title in titles(answer))


async def test_several_spaces_are_searched_as_one(
    database: Database, organisation_id: str, service: SearchService
) -> None:
    await fill(database, organisation_id, {"Vacation rules": DOCUMENTS["Vacation rules"]}, "staff")
    await fill(database, organisation_id, {"Espresso machine": DOCUMENTS["Espresso machine"]}, "kitchen")
    both = await ask(service, organisation_id, "two months, two weeks", spaces=["staff", "kitchen", "staff"])
    assert set(titles(both)) == {"Vacation rules", "Espresso machine"}
    one = await ask(service, organisation_id, "two months, two weeks", space="kitchen")
    assert titles(one) == ["Espresso machine"]


async def test_an_unknown_space_is_named_and_the_default_one_may_be_empty(
    organisation_id: str, service: SearchService
) -> None:
    assert (await ask(service, organisation_id, "anything")).items == []
    with pytest.raises(NotFoundError, match="'nowhere'"):
        await ask(service, organisation_id, "anything", spaces=["default", "nowhere"])


async def test_another_organisation_finds_nothing(
    database: Database, organisation_id: str, service: SearchService
) -> None:
    await fill(database, organisation_id, DOCUMENTS)
    stranger = new_id("org")
    async with database.transaction(stranger) as session:
        await session.execute(
            text("INSERT INTO organisations (id, name) VALUES (:id, 'Stranger')"), {"id": stranger}
        )
    await fill(database, stranger, {"Own": "Paid leave in the harbour."})
    for mode in ("hybrid", "vector", "keyword"):
        assert titles(await ask(service, stranger, "paid leave harbour ships", mode=mode)) == ["Own"]


async def test_the_owner_function_gives_no_chunk_of_another_organisation(
    database: Database, organisation_id: str
) -> None:
    await fill(database, organisation_id, DOCUMENTS)
    async with database.transaction(organisation_id) as session:
        spaces: Sequence[str] = (await session.scalars(text("SELECT id FROM spaces"))).all()
    call = text(
        "SELECT count(*) FROM find_chunks_by_words(CAST(:spaces AS text[]), NULL, ARRAY['''harbour'''], :few, 9)"
    )
    for reader, expected in ((organisation_id, 1), (new_id("org"), 0), (None, 0)):
        for few in (True, False):
            async with database.transaction(reader) as session:
                parameters = {"spaces": list(spaces), "few": few}
                assert (await session.execute(call, parameters)).scalar_one() == expected


async def test_languages_are_mixed_in_one_space(
    database: Database, organisation_id: str, service: SearchService
) -> None:
    await fill(database, organisation_id, {"Bericht": "Die Häuser wurden gestrichen."}, language="de")
    await fill(database, organisation_id, {"Report": "The houses were painted."}, language="en")
    await fill(database, organisation_id, {"报告": "我们使用向量数据库进行搜索。"}, language="zh")
    await fill(database, organisation_id, {"Unknown": "Zxqv frobnicates widgets."}, language=None)
    for query, expected in (
        ("Haus", "Bericht"),
        ("painting house", "Report"),
        ("数据库", "报告"),
        ("frobnicating", "Unknown"),
    ):
        assert titles(await ask(service, organisation_id, query, mode="keyword"))[:1] == [expected]


@pytest.mark.parametrize(
    "query",
    [
        "'",
        "\\",
        "' | 'x",
        "a & b | !c <-> (d)",
        ":* & foo:*",
        "\0 nul",
        "the of and",
        "😀",
        "x" * 10_000,
        "word " * 2_000,
        "%_'\"--;",
    ],
)
async def test_no_query_is_an_error(
    database: Database, organisation_id: str, service: SearchService, query: str
) -> None:
    await fill(database, organisation_id, DOCUMENTS)
    answer = await ask(service, organisation_id, query)
    assert len(answer.items) <= 10


@pytest.mark.parametrize(
    "given",
    [
        {"query": ""},
        {"query": "  \n"},
        {"query": "x" * 10_001},
        {"query": "x", "limit": 0},
        {"query": "x", "limit": 101},
        {"query": "x", "mode": "fuzzy"},
        {"query": "x", "min_score": 1.5},
        {"query": "x", "space": "a", "spaces": ["b"]},
        {"query": "x", "spaces": []},
        {"query": "x", "space": "no spaces"},
        {"query": "x", "colour": "red"},
    ],
)
def test_a_wrong_request_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        SearchRequest.model_validate(given)


async def test_a_space_of_another_model_says_what_to_do(
    database: Database, organisation_id: str, service: SearchService
) -> None:
    await fill(database, organisation_id, DOCUMENTS)
    async with database.transaction(organisation_id) as session:
        await session.execute(text("UPDATE spaces SET embedding_model = 'retired-model'"))
    with pytest.raises(ConflictError, match="Re-embed"):
        await ask(service, organisation_id, "harbour")
    assert titles(await ask(service, organisation_id, "harbour", mode="keyword")) == ["Harbour report"]
