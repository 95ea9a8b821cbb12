"""Console: search, with every answer's citation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import ValidationError
from starlette.responses import Response

from api.dependencies import Principal, require
from api.routes import search
from api.routes.console_pages import ConsoleRoute, Shown, fault_of, is_partial
from api.routes.console_words import unwrapped
from perdure.db.document_repository import DocumentRepository
from perdure.db.search_service import NOT_EMBEDDED
from perdure.errors import InvalidInputError, NotFoundError
from perdure.schemas.search import Highlight, ScoreTerm, SearchHit, SearchMode, SearchRequest

router = APIRouter(prefix="/search", route_class=ConsoleRoute, include_in_schema=False)

Reader = Annotated[Principal, require("search:read")]

RESULTS = 10
_TERMS = {"meaning": "Meaning", "words": "Words"}


@dataclass(frozen=True)
class Piece:
    """A stretch of a passage, marked or not."""

    text: str
    marked: bool


@dataclass(frozen=True)
class Term:
    """A part of a score, and its share of what would be the most."""

    name: str
    value: float
    share: float
    detail: str | None


@dataclass(frozen=True)
class Result:
    """A passage as the page shows it."""

    hit: SearchHit

    @property
    def url(self) -> str:
        """Where the passage stands in its document."""
        return f"/documents/{self.hit.document_id}?passage={self.hit.chunk_id}#{self.hit.chunk_id}"

    @property
    def share(self) -> float:
        """The score as a bar, 0 to 1."""
        return min(1.0, max(0.0, self.hit.score))

    @property
    def pieces(self) -> list[Piece]:
        """The passage cut at its highlights."""
        return cut(unwrapped(self.hit.text), self.hit.highlights or [])

    @property
    def heading_path(self) -> list[str]:
        """The headings above the passage, without a first one that only repeats the title."""
        path = self.hit.heading_path
        return path[1:] if path[:1] == [self.hit.document_title] else path

    @property
    def terms(self) -> list[Term]:
        """The parts of the score."""
        return [_term(term) for term in self.hit.terms]


def _term(term: ScoreTerm) -> Term:
    name = _TERMS.get(term.name, term.name.capitalize())
    return Term(name, term.value, min(1.0, max(0.0, term.value)), term.detail)


def cut(text: str, highlights: Sequence[Highlight]) -> list[Piece]:
    """Cut a text at its highlights; joined, the pieces are the text."""
    pieces: list[Piece] = []
    end = 0
    for mark in sorted(highlights, key=lambda mark: mark.start):
        start = max(mark.start, end)
        if start >= mark.end:
            continue
        pieces += [Piece(text[end:start], marked=False), Piece(text[start : mark.end], marked=True)]
        end = mark.end
    pieces.append(Piece(text[end:], marked=False))
    return [piece for piece in pieces if piece.text]


@router.get("")
async def show_search(
    *,
    request: Request,
    pages: Shown,
    caller: Reader,
    q: Annotated[str, Query(max_length=10_000)] = "",
    space: Annotated[str, Query(max_length=100)] = "",
    mode: SearchMode = SearchMode.HYBRID,
    explain: bool = False,
) -> Response:
    """The question and its answers; with htmx only the answers are sent."""
    async with pages.database.transaction(caller.organisation_id) as session:
        repository = DocumentRepository(session, caller.organisation_id)
        spaces = [row.name for row in await repository.spaces()]
        has_documents = bool(await repository.list(limit=1))
    chosen = space or ("default" if "default" in spaces or not spaces else spaces[0])
    results: list[Result] = []
    took_ms = 0.0
    fault: str | None = None
    notice: str | None = None
    if q.strip() and has_documents:
        try:
            asked = SearchRequest(
                query=q, space=chosen, mode=mode, limit=RESULTS, explain=explain, highlight=True
            )
            answer = await search.search(asked, caller, request)
            results, took_ms, notice = [Result(hit) for hit in answer.items], answer.took_ms, answer.notice
        except ValidationError as error:
            fault = fault_of(error)
        except (InvalidInputError, NotFoundError, *NOT_EMBEDDED) as error:
            fault = str(error)
    return await pages.inside(
        "partials/search_results.html" if is_partial(request) else "search.html",
        caller,
        "search",
        q=q.strip(),
        space=chosen,
        spaces=spaces,
        mode=mode.value,
        explain=explain,
        results=results,
        took_ms=took_ms,
        fault=fault,
        notice=notice,
        has_documents=has_documents,
    )
