"""Texts that are read as they are written: prose and Markdown."""

from perdure.domain import media_types, rejections
from perdure.domain.clean_text import clean
from perdure.domain.languages import detect_language
from perdure.domain.text_blocks import markdown_blocks, prose_blocks
from perdure.schemas.parsed_text import BlockSpan, ParsedText

TITLE_CHARACTERS = 512


def parse_source(source: str, media_type: str, language: str | None = None) -> ParsedText:
    """Keep the text as it is, and add only where its blocks are. DocumentRejectedError `empty` for blanks."""
    cleaned = clean(source)
    text = cleaned.text.strip("\n \t\f")
    if not text:
        raise rejections.empty("The file holds nothing but blanks")
    markdown = media_type == media_types.MARKDOWN
    blocks = markdown_blocks(text) if markdown else prose_blocks(text)
    first = next((block for block in blocks if block.kind == "heading"), None)
    return ParsedText(
        text=text,
        media_type=media_type,
        title=text[first.start : first.end][:TITLE_CHARACTERS] if first and markdown else None,
        language=language or detect_language(text),
        blocks=[
            BlockSpan(kind=block.kind, start=block.start, end=block.end, level=block.level)
            for block in blocks
        ],
        cleaned_characters=cleaned.cleaned_characters,
    )
