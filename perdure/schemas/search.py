"""Search, as HTTP sees it."""

from enum import StrEnum
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from perdure.domain.relevance import Term
from perdure.schemas.base import Contract, RequestBody
from perdure.schemas.documents import SpaceName


class SearchMode(StrEnum):
    """What is compared: meaning (vectors), words (full text), or both."""

    HYBRID = "hybrid"
    VECTOR = "vector"
    KEYWORD = "keyword"


class SearchRequest(RequestBody):
    """A question to one or more spaces."""

    query: str = Field(min_length=1, max_length=10_000, description="A question, or a few words.")
    space: SpaceName | None = Field(default=None, description="Default: `default`. Or give `spaces`.")
    spaces: list[SpaceName] | None = Field(default=None, min_length=1, max_length=20)
    limit: int = Field(default=10, ge=1, le=100)
    mode: SearchMode = SearchMode.HYBRID
    filters: dict[str, Any] | None = Field(
        default=None,
        description=(
            "Which documents count. Fields: `metadata.<path>`, `tags`, title, external_id, source_type, "
            "media_type, language, status, created_at, updated_at, document_id, size_bytes, page_count. "
            "Operators: eq, ne, in, gt, gte, lt, lte, contains, exists; joined by and, or, not."
        ),
        examples=[{"created_at": {"gte": "2025-01-01"}, "not": {"tags": {"contains": "draft"}}}],
    )
    min_score: float = Field(default=0.0, ge=0.0, le=1.0, description="Leave out passages below this score.")
    explain: bool = Field(default=False, description="Fill `terms` with the parts of each score.")
    highlight: bool = Field(
        default=False, description="Fill `highlights` with the words that answer the query."
    )

    @field_validator("query")
    @classmethod
    def _says_something(cls, value: str) -> str:
        if not value.strip():
            msg = "the query is blank; say what to look for"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _one_of_space_and_spaces(self) -> "SearchRequest":
        if self.space is not None and self.spaces is not None:
            msg = "give `space` or `spaces`, not both"
            raise ValueError(msg)
        return self

    @property
    def space_names(self) -> list[str]:
        """The spaces asked, each once."""
        return list(dict.fromkeys(self.spaces or [self.space or "default"]))


class ScoreTerm(Contract):
    """A part of a score; the values of all parts add up to it."""

    name: str = Field(
        description="Search: `meaning` (vectors), `words` (full text), `context` (the better neighbour). Recall has "
        "more: what stands before and after, `session`, `speaker`, `period`, `change`, `recency`, `newer`, …"
    )
    value: float = Field(description="What it adds to the score: weight times raw.")
    weight: float
    raw: float = Field(description="How well the passage does in this respect, 0 to 1.")
    detail: str | None = Field(default=None, description="For words: each word found, and how often.")

    @classmethod
    def of(cls, term: Term) -> Self:
        """A part as the ranking made it."""
        return cls(
            name=term.name,
            value=round(term.value, 6),
            weight=term.weight,
            raw=round(term.raw, 6),
            detail=term.detail,
        )


class Highlight(Contract):
    """Characters `[start, end)` of the passage's `text`."""

    start: int
    end: int


class SearchHit(Contract):
    """A passage, and where it stands; `start` and `end` are character offsets into the document's text."""

    chunk_id: str
    document_id: str
    document_title: str
    text: str
    score: float = Field(description="0 to 1; the same passage and query always get the same score.")
    terms: list[ScoreTerm] = Field(default_factory=list)
    heading_path: list[str] = Field(default_factory=list)
    page: int | None = None
    start: int
    end: int
    highlights: list[Highlight] | None = None


class SearchAnswer(Contract):
    """Passages, best first."""

    items: list[SearchHit]
    took_ms: float
    notice: str | None = Field(
        default=None,
        description="Why the answer may lack something, such as a query that could not be embedded.",
    )
