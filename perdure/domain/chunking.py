"""Cuts a parsed text into passages that an embedding model can hold, along the structure of the document."""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

# A token is 4 to 5 characters of prose. What is far above (padding; base64, which is one unknown token) is
# cut by its length, because nobody can read such a passage and PostgreSQL cannot index it.
MAX_CHARACTERS_PER_TOKEN = 16
HEADING_CHARACTERS = 200
# A last passage of a section below this share of the budget takes sentences over from the one before it.
SLIVER = 0.2
# Long enough that the call costs nothing, short enough that the tokens of one slice stay in the cache.
SLICE_CHARACTERS = 50_000
CONTEXT_CHARACTERS = 160

_SPACE = re.compile(r"\s+")
_BLANK_LINES = re.compile(r"\n[^\S\n]*(?:\n[^\S\n]*)+")
_LINES = re.compile(r"\n+")
_SENTENCE_ENDS = re.compile(r"[.!?…]+[\"'”’»)\]]*\s+|[。！？｡]+[」』”）]*\s*")  # noqa: RUF001  # CJK punctuation
_ABBREVIATION = re.compile(
    r"(?<![^\s(])(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|vs|No|Nr|Fig|Figs|Eq|Sec|Inc|Ltd|Co|Corp|Jr|Sr|cf|ca|e\.g|i\.e|"
    r"etc|al|approx|Abb|bzw|usw|z\.B)\.\s$"
)
_TABLE_RULE = re.compile(r"[\s|+:=-]*")


class Tokens(Protocol):
    """Where the tokens of a text are; `ports.models.Tokenizer` is one."""

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Character spans of the tokens, without special tokens, in order."""


class Page(Protocol):
    """Characters `[start, end)` stand on page `number`; `schemas.parsed_text.PageSpan` is one."""

    @property
    def number(self) -> int: ...
    @property
    def start(self) -> int: ...


class Block(Protocol):
    """A structural unit; `schemas.parsed_text.BlockSpan` is one."""

    @property
    def kind(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def level(self) -> int | None: ...


class Text(Protocol):
    """A text and its structure; `schemas.parsed_text.ParsedText` is one."""

    @property
    def text(self) -> str: ...
    @property
    def pages(self) -> Sequence[Page]: ...
    @property
    def blocks(self) -> Sequence[Block]: ...


@dataclass(frozen=True, slots=True)
class ChunkSpan:
    """A passage: `text` is characters `[start, end)` of the whole; `heading_path`, outermost first."""

    ordinal: int
    text: str
    start: int
    end: int
    page: int | None
    heading_path: tuple[str, ...]
    token_count: int


@dataclass(frozen=True, slots=True)
class _Atom:
    """A span that is cut no further; it neither starts nor ends with white space."""

    start: int
    end: int
    tokens: int
    path: tuple[str, ...]
    section: int
    heading: bool = False


_Splitter = Callable[[str, int, int], Iterator[tuple[int, int]]]


class _Measure:
    """Counts the tokens of any span after tokenising the whole text once.

    Exact where the span's ends are at white space; a cut inside a word is counted again by `recount`.
    """

    def __init__(self, text: str, tokenizer: Tokens) -> None:
        self.text = text
        self._tokenizer = tokenizer
        starts: list[npt.NDArray[np.int64]] = []
        for start, end in _slices(text):
            spans = tokenizer.offsets(text[start:end])
            if spans:
                starts.append(np.array(spans, dtype=np.int64)[:, 0] + start)
        self.starts = np.concatenate(starts) if starts else np.empty(0, dtype=np.int64)

    def index(self, position: int) -> int:
        """Number of tokens that start before `position`."""
        return int(self.starts.searchsorted(position))

    def count(self, start: int, end: int) -> int:
        """Number of tokens that start within the span."""
        return self.index(end) - self.index(start)

    def recount(self, start: int, end: int) -> int:
        """Number of tokens of the span read by itself."""
        return len(self._tokenizer.offsets(self.text[start:end]))


def chunk(parsed: Text, tokenizer: Tokens, max_tokens: int) -> list[ChunkSpan]:
    """Cut a text into passages of at most `max_tokens`, in reading order; linear in the length of the text.

    Headings start passages, tables are cut between rows; what is too large falls back to sentences, words,
    then characters, and what is small is put together. Each character that is not white space is in exactly
    one passage.
    """
    text = parsed.text
    measure = _Measure(text, tokenizer)
    cutter = _Cutter(measure, max_tokens)
    pages = _Pages(parsed.pages)
    chunks: list[ChunkSpan] = []
    for group in _balanced(_grouped(cutter.atoms(parsed.blocks), cutter), max_tokens):
        for start, end, tokens in _verified(group[0].start, group[-1].end, measure, max_tokens):
            chunks.append(
                ChunkSpan(
                    ordinal=len(chunks),
                    text=text[start:end],
                    start=start,
                    end=end,
                    page=pages.at(start),
                    heading_path=_path(group),
                    token_count=tokens,
                )
            )
    return chunks


def contextual_text(title: str | None, heading_path: Sequence[str], text: str) -> str:
    """What is embedded for a passage: its place in the document, then its text.

    Headings that the passage itself starts with are not said twice. The context is kept so short that the
    whole passage stays within the model's window.
    """
    lead = _SPACE.sub(" ", text[: 2 * HEADING_CHARACTERS]).lstrip("# ").lower()
    parts = [
        part
        for part in dict.fromkeys((title or "", *heading_path))
        if part and not lead.startswith(part.lower())
    ]
    context = ": ".join(parts)
    if len(context) > CONTEXT_CHARACTERS:
        context = context[-CONTEXT_CHARACTERS:].split(" ", 1)[-1]
    return f"{context}\n{text}" if context else text


def _slices(text: str) -> Iterator[tuple[int, int]]:
    position = 0
    while position < len(text):
        end = min(position + SLICE_CHARACTERS, len(text))
        if end < len(text):
            space = _SPACE.search(text, end, min(end + SLICE_CHARACTERS, len(text)))
            end = space.end() if space else min(end + SLICE_CHARACTERS, len(text))
        yield position, end
        position = end


class _Pages:
    def __init__(self, pages: Sequence[Page]) -> None:
        self._pages = sorted(pages, key=lambda page: page.start)
        self._starts = [page.start for page in self._pages]

    def at(self, position: int) -> int | None:
        """Page of a position; between pages, the page before."""
        index = bisect_right(self._starts, position) - 1
        return self._pages[index].number if index >= 0 else None


class _Cutter:
    """Blocks to atoms."""

    def __init__(self, measure: _Measure, max_tokens: int) -> None:
        self._measure = measure
        self._text = measure.text
        self.max_tokens = max_tokens
        self.max_characters = max_tokens * MAX_CHARACTERS_PER_TOKEN

    def atoms(self, blocks: Sequence[Block]) -> Iterator[_Atom]:
        """All atoms in reading order, with their section and heading path."""
        stack: list[tuple[int, str]] = []
        section = pending = 0
        for kind, level, start, end in self._whole(blocks):
            tokens = self._measure.count(start, end)
            if (
                kind == "heading"
                and tokens <= self.max_tokens // 2
                and end - start <= self.max_characters // 2
            ):
                depth = level or 1
                while stack and stack[-1][0] >= depth:
                    stack.pop()
                stack.append((depth, _heading_text(self._text[start:end])))
                section += 0 if pending else 1
                pending += tokens
                yield _Atom(start, end, tokens, _names(stack), section, heading=True)
                continue
            # A passage of headings alone answers nothing: what follows them is cut so that some of it fits.
            limit = self.max_tokens - pending if pending < self.max_tokens // 2 else self.max_tokens
            pending = 0
            for cut_start, cut_end, header in self._block(kind, start, end, limit):
                path = _names(stack) if header is None else (*_names(stack), header)
                yield _Atom(cut_start, cut_end, self._measure.count(cut_start, cut_end), path, section)

    def _whole(self, blocks: Sequence[Block]) -> Iterator[tuple[str, int | None, int, int]]:
        """The blocks, and as paragraphs what stands between them; trimmed, in order, never overlapping."""
        position, length = 0, len(self._text)
        for block in sorted(blocks, key=lambda block: (block.start, block.end)):
            start, end = max(block.start, position), min(block.end, length)
            if start >= end:
                continue
            yield from self._paragraphs(position, start)
            for trimmed in self._trimmed(start, end):
                yield block.kind, block.level, *trimmed
            position = end
        yield from self._paragraphs(position, length)

    def _paragraphs(self, start: int, end: int) -> Iterator[tuple[str, int | None, int, int]]:
        for span in _split(_BLANK_LINES)(self._text, start, end):
            for trimmed in self._trimmed(*span):
                yield "paragraph", None, *trimmed

    def _trimmed(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        while start < end and self._text[start].isspace():
            start += 1
        while end > start and self._text[end - 1].isspace():
            end -= 1
        if start < end:
            yield start, end

    def _block(self, kind: str, start: int, end: int, limit: int) -> Iterator[tuple[int, int, str | None]]:
        """Spans that fit, and the header of their table where it stands in another span."""
        header = self._table_header(start, end) if kind == "table" else None
        for cut_start, cut_end in self._cut(start, end, limit, _LEVELS.get(kind, _LEVELS["paragraph"])):
            yield cut_start, cut_end, None if header is None or cut_start < header[0] else header[1]

    def _fits(self, start: int, end: int, limit: int) -> bool:
        return end - start <= self.max_characters and self._measure.count(start, end) <= limit

    def _cut(
        self, start: int, end: int, limit: int, levels: Sequence[_Splitter]
    ) -> Iterator[tuple[int, int]]:
        if self._fits(start, end, limit):
            yield start, end
        elif not levels:
            yield from self._words(start, end, limit)
        else:
            for part in levels[0](self._text, start, end):
                for trimmed in self._trimmed(*part):
                    yield from self._cut(*trimmed, limit, levels[1:])

    def _words(self, start: int, end: int, limit: int) -> Iterator[tuple[int, int]]:
        """As many words as fit, again and again; a word that is too long is cut between characters."""
        while start < end:
            reach = self._reach(start, end, limit)
            if reach < end and not self._text[reach].isspace():
                space = _last_space(self._text, (start + reach) // 2, reach)
                reach = space if space > 0 else _between_clusters(self._text, start, reach)
            yield from self._trimmed(start, reach)
            start = reach

    def _reach(self, start: int, end: int, limit: int) -> int:
        starts, index = self._measure.starts, self._measure.index(start) + limit
        by_tokens = int(starts[index]) if index < len(starts) else end
        return max(min(by_tokens, end, start + self.max_characters), start + 1)

    def _table_header(self, start: int, end: int) -> tuple[int, str] | None:
        """Where the rows below the first one start, and that first row as a line."""
        line_end = self._text.find("\n", start, end)
        if line_end < 0:
            return None
        cells = [cell.strip() for cell in re.split(r"[|\t]", self._text[start:line_end])]
        name = " | ".join(cell for cell in cells if cell)[:HEADING_CHARACTERS]
        return (line_end, name) if name and not _TABLE_RULE.fullmatch(name) else None


def _split(separator: re.Pattern[str]) -> _Splitter:
    def split(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
        position = start
        for match in separator.finditer(text, start, end):
            yield position, match.start()
            position = match.end()
        yield position, end

    return split


def _sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    position = start
    for match in _SENTENCE_ENDS.finditer(text, start, end):
        after = match.end()
        if after >= end or text[after].islower():
            continue
        if _ABBREVIATION.search(text, max(position, match.start() - 12), match.start() + 2):
            continue
        yield position, after
        position = after
    yield position, end


_LEVELS: dict[str, tuple[_Splitter, ...]] = {
    "paragraph": (_split(_BLANK_LINES), _sentences, _split(_LINES)),
    "heading": (_sentences, _split(_LINES)),
    "list": (_split(_BLANK_LINES), _split(_LINES), _sentences),
    "table": (_split(_LINES), _sentences),
    "code": (_split(_BLANK_LINES), _split(_LINES)),
}


def _last_space(text: str, start: int, end: int) -> int:
    for position in range(end - 1, start, -1):
        if text[position].isspace():
            return position
    return -1


def _between_clusters(text: str, start: int, position: int) -> int:
    """The last place at or before `position` that does not tear a combining mark off its letter."""
    for candidate in range(position, max(start, position - 32), -1):
        character = text[candidate]
        joined = (
            unicodedata.combining(character) or character in "\u200d\ufe0f" or text[candidate - 1] == "\u200d"
        )
        if not joined:
            return candidate
    return position


def _heading_text(text: str) -> str:
    return _SPACE.sub(" ", text).strip("# ")[:HEADING_CHARACTERS]


def _names(stack: Sequence[tuple[int, str]]) -> tuple[str, ...]:
    return tuple(name for _, name in stack if name)


def _grouped(atoms: Iterator[_Atom], cutter: _Cutter) -> Iterator[list[_Atom]]:
    """Neighbours of one section, up to the budget."""
    group: list[_Atom] = []
    tokens = 0
    for atom in atoms:
        fits = (
            group
            and atom.section == group[0].section
            and tokens + atom.tokens <= cutter.max_tokens
            and atom.end - group[0].start <= cutter.max_characters
        )
        if group and not fits:
            yield group
            group, tokens = [], 0
        group.append(atom)
        tokens += atom.tokens
    if group:
        yield group


def _balanced(groups: Iterator[list[_Atom]], max_tokens: int) -> Iterator[list[_Atom]]:
    """No slivers: a small last passage of a section takes atoms over from the one before."""
    before: list[_Atom] | None = None
    for group in groups:
        if before is not None:
            tokens = sum(atom.tokens for atom in group)
            if group[0].section == before[0].section and tokens < SLIVER * max_tokens:
                while _may_move(before, group[-1].end, tokens, max_tokens):
                    group.insert(0, before.pop())
                    tokens += group[0].tokens
            yield before
        before = group
    if before is not None:
        yield before


def _may_move(before: Sequence[_Atom], end: int, tokens: int, max_tokens: int) -> bool:
    return (
        len(before) > 1
        and not before[-2].heading
        and tokens + before[-1].tokens <= max_tokens // 2
        and end - before[-1].start <= max_tokens * MAX_CHARACTERS_PER_TOKEN
    )


def _path(group: Sequence[_Atom]) -> tuple[str, ...]:
    """Headings over the passage; a table's header row is among them where the passage lacks that row."""
    headings = [atom for atom in group if atom.heading]
    return headings[-1].path if headings else group[0].path


def _verified(start: int, end: int, measure: _Measure, max_tokens: int) -> Iterator[tuple[int, int, int]]:
    """Halve what turns out too long because a cut inside a word made other tokens of it."""
    text = measure.text
    inside = _inside_word(text, start) or _inside_word(text, end)
    tokens = measure.recount(start, end) if inside else measure.count(start, end)
    if tokens <= max_tokens or end - start == 1:
        yield start, end, tokens
        return
    middle = (start + end) // 2
    space = _last_space(text, start, middle)
    middle = space if space > start else middle
    left, right = middle, middle
    while text[left - 1].isspace():
        left -= 1
    while text[right].isspace():
        right += 1
    yield from _verified(start, left, measure, max_tokens)
    yield from _verified(right, end, measure, max_tokens)


def _inside_word(text: str, position: int) -> bool:
    return 0 < position < len(text) and not text[position - 1].isspace() and not text[position].isspace()
