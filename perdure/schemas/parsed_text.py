"""What a parser makes of a file; stored as JSON in the object store, so that re-chunking parses nothing."""

from typing import Literal, Self

from pydantic import Field

from perdure.domain.source_text import SourceText
from perdure.schemas.base import Contract


class PageSpan(Contract):
    """Characters `[start, end)` of `ParsedText.text` that stand on page `number` (from 1)."""

    number: int
    start: int
    end: int


class BlockSpan(Contract):
    """A structural unit, in reading order; blocks do not overlap. `level` is 1 to 6 for headings."""

    kind: Literal["heading", "paragraph", "list", "table", "code"]
    start: int
    end: int
    level: int | None = None


class Attachment(Contract):
    """A file inside the file; its bytes were written to `path` by the parser."""

    name: str
    media_type: str
    path: str
    size_bytes: int


class ParsedText(Contract):
    """Text and structure. `text` holds neither NUL nor lone surrogates; offsets are in code points."""

    text: str
    media_type: str
    title: str | None = None
    language: str | None = Field(
        default=None, description="BCP 47 tag, when the document or a detector knows it."
    )
    page_count: int | None = None
    pages: list[PageSpan] = Field(default_factory=list)
    blocks: list[BlockSpan] = Field(default_factory=list)
    attachments: list[Attachment] = Field(default_factory=list)
    ocr_pages: int = 0
    unread_pages: list[int] = Field(
        default_factory=list, description="Pages that look like pictures and could not be read."
    )
    cleaned_characters: int = 0
    metadata: dict[str, str] = Field(default_factory=dict)

    @classmethod
    def of_source(cls, source: SourceText) -> Self:
        """A text that was read as it is written."""
        return cls(
            text=source.text,
            media_type=source.media_type,
            title=source.title,
            language=source.language,
            blocks=[
                BlockSpan(kind=block.kind, start=block.start, end=block.end, level=block.level)
                for block in source.blocks
            ],
            cleaned_characters=source.cleaned_characters,
        )
