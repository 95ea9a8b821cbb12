"""Texts that are read as they are written: prose and Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass

from perdure.domain import media_types, rejections
from perdure.domain.clean_text import clean, is_blank
from perdure.domain.languages import detect_language
from perdure.domain.text_blocks import Block, markdown_blocks, prose_blocks

_TITLE_CHARACTERS = 512


@dataclass(frozen=True)
class SourceText:
    """A text, and where its blocks are."""

    text: str
    media_type: str
    title: str | None
    language: str | None
    blocks: Sequence[Block]
    cleaned_characters: int


def read_source(source: str, media_type: str, language: str | None = None) -> SourceText:
    """Keep the text as it is, but for what cannot be stored. DocumentRejectedError `empty` for blanks."""
    cleaned = clean(source)
    text = cleaned.text.strip("\n \t\f")
    if is_blank(text):
        raise rejections.empty("The file holds nothing but blanks")
    markdown = media_type == media_types.MARKDOWN
    blocks = markdown_blocks(text) if markdown else prose_blocks(text)
    first = next((block for block in blocks if block.kind == "heading"), None)
    return SourceText(
        text=text,
        media_type=media_type,
        title=text[first.start : first.end][:_TITLE_CHARACTERS] if first and markdown else None,
        language=language or detect_language(text),
        blocks=blocks,
        cleaned_characters=cleaned.cleaned_characters,
    )
