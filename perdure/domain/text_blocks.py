"""Structure of plain texts: Markdown, plain prose, delimited tables and JSON become blocks."""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from perdure.domain.structured_text import BlockKind, StructuredText

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_ATX = re.compile(r"^ {0,3}(#{1,6})(?:[ \t]+(.*?))??(?:[ \t]+#+)?[ \t]*$")
_SETEXT = re.compile(r"^ {0,3}(=+|-+)[ \t]*$")
_RULE = re.compile(r"^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$")
_ITEM = re.compile(r"^\s*(?:[-*+•‣◦▪–]|\(?\d{1,3}[.)]|[a-z][.)])[ \t]+\S")  # noqa: RUF001  # dashes start items too
_TABLE_ROW = re.compile(r"^\s*\|.*\|\s*$")
_TABLE_RULE = re.compile(r"^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$")
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*\n", re.DOTALL)
_NUMBERED = re.compile(r"^(\d{1,2}(?:\.\d{1,2}){0,4})\.?[ \t]+(\S.*)$")
_LETTERED = re.compile(
    r"^(?:chapter|section|part|article|appendix|annex|kapitel|abschnitt|anhang|chapitre|cap[ií]tulo|capitolo)"
    r"[ \t]+(?:\d+|[IVXLC]+|[A-Z])\b.{0,80}$",
    re.IGNORECASE,
)
_UNDERLINE = re.compile(r"^(=|-|~|\*){4,}\s*$")
_SENTENCE_END = re.compile(r"[.!?;,:…]$")
_MONTHS = frozenset(
    [
        *("january", "february", "march", "april", "may", "june", "july", "august", "september", "october"),
        *("november", "december", "januar", "februar", "märz", "mai", "juni", "juli", "oktober", "dezember"),
        *(
            "janvier",
            "février",
            "mars",
            "avril",
            "juin",
            "juillet",
            "août",
            "septembre",
            "octobre",
            "novembre",
        ),
    ]
)
MAX_HEADING = 100
_LONGEST_WRAPPED = 200
_MOST_LINES = 30


@dataclass(frozen=True)
class Block:
    """A piece `[start, end)` of a source text."""

    kind: BlockKind
    start: int
    end: int
    level: int | None = None


@dataclass(frozen=True)
class _Line:
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    @property
    def blank(self) -> bool:
        return not self.text.strip()


def _lines(text: str) -> list[_Line]:
    lines, position = [], 0
    for line in text.split("\n"):
        lines.append(_Line(line, position))
        position += len(line) + 1
    return lines


def markdown_blocks(text: str) -> list[Block]:
    """Blocks of a Markdown text, which itself stays as it is. A heading spans its words without the marks."""
    lines = _lines(text)
    first = 0
    if front := _FRONT_MATTER.match(text):
        first = text.count("\n", 0, front.end())
    return list(_markdown(lines, first))


def _markdown(lines: list[_Line], first: int) -> Iterator[Block]:
    index = first
    while index < len(lines):
        line = lines[index]
        if line.blank or (_RULE.match(line.text) and not _FENCE.match(line.text)):
            index += 1
            continue
        if fence := _FENCE.match(line.text):
            last = _fence_end(lines, index, fence.group(1))
            yield Block("code", line.start, lines[last].end)
            index = last + 1
            continue
        if heading := _atx(line):
            yield heading
            index += 1
            continue
        last = _run_end(lines, index)
        yield from _markdown_run(lines, index, last)
        index = last + 1


def _fence_end(lines: list[_Line], index: int, fence: str) -> int:
    for position in range(index + 1, len(lines)):
        if lines[position].text.lstrip().startswith(fence):
            return position
    return len(lines) - 1


def _atx(line: _Line) -> Block | None:
    match = _ATX.match(line.text)
    if match is None or not match.group(2):
        return None
    return Block("heading", line.start + match.start(2), line.start + match.end(2), len(match.group(1)))


def _run_end(lines: list[_Line], index: int) -> int:
    """Last line before the next blank line, heading or fence; items may have blank lines between."""
    last = index
    in_list = bool(_ITEM.match(lines[index].text))
    for position in range(index + 1, len(lines)):
        line = lines[position]
        if _FENCE.match(line.text) or _atx(line):
            break
        if line.blank:
            follows = lines[position + 1] if position + 1 < len(lines) else None
            if (
                in_list
                and follows
                and (_ITEM.match(follows.text) or follows.text.startswith(("  ", "\t")))
                and not follows.blank
            ):
                continue
            break
        last = position
    return last


def _markdown_run(lines: list[_Line], index: int, last: int) -> Iterator[Block]:
    run = lines[index : last + 1]
    if (
        len(run) > 1
        and (mark := _SETEXT.match(run[1].text))
        and not _ITEM.match(run[0].text)
        and "|" not in run[0].text
    ):
        stripped = run[0].text.strip()
        start = run[0].start + run[0].text.index(stripped)
        yield Block("heading", start, start + len(stripped), 1 if mark.group(1).startswith("=") else 2)
        if len(run) > 2:
            yield from _markdown_run(lines, index + 2, last)
        return
    if len(run) > 1 and "|" in run[0].text and _TABLE_RULE.match(run[1].text):
        yield Block("table", run[0].start, run[-1].end)
    elif _ITEM.match(run[0].text):
        yield Block("list", run[0].start, run[-1].end)
    else:
        # prose that leads straight into a list or a table
        for offset, line in enumerate(run[1:], start=1):
            if _ITEM.match(line.text) or (_TABLE_ROW.match(line.text) and "|" not in run[0].text):
                yield Block("paragraph", run[0].start, run[offset - 1].end)
                yield from _markdown_run(lines, index + offset, last)
                return
        kind: BlockKind = "code" if all(one.text.startswith(("    ", "\t")) for one in run) else "paragraph"
        yield Block(kind, run[0].start, run[-1].end)


def prose_blocks(text: str) -> list[Block]:
    """Blocks of plain text: paragraphs between blank lines, headings by number, capitals or underline."""
    blocks: list[Block] = []
    lines = _lines(text)
    index = 0
    while index < len(lines):
        if lines[index].blank:
            index += 1
            continue
        last = index
        while last + 1 < len(lines) and not lines[last + 1].blank:
            last += 1
        for run in _paragraphs(lines[index : last + 1]):
            blocks.extend(_prose_run(run))
        index = last + 1
    return blocks


def _prose_run(run: list[_Line]) -> Iterator[Block]:
    if len(run) > 1 and max(len(line.text) for line in run) > _LONGEST_WRAPPED:
        # nobody wraps lines that long: each is a paragraph
        for line in run:
            yield from _prose_run([line])
        return
    first = run[0]
    stripped = first.text.strip()
    start = first.start + first.text.index(stripped)
    underlined = len(run) > 1 and bool(_UNDERLINE.match(run[1].text)) and len(stripped) <= MAX_HEADING
    level = 1 if underlined else heading_level(stripped)
    if level is not None and (underlined or len(run) == 1):
        yield Block("heading", start, start + len(stripped), level)
        rest = run[2:] if underlined else run[1:]
        if rest:
            yield from _prose_run(rest)
        return
    items = sum(1 for line in run if _ITEM.match(line.text))
    kind: BlockKind = "list" if _ITEM.match(first.text) and (items > 1 or len(run) == 1) else "paragraph"
    yield Block(kind, start, run[-1].start + len(run[-1].text.rstrip()))


def _paragraphs(run: list[_Line]) -> Iterator[list[_Line]]:
    """Breaks a long text without blank lines after each sentence that ends its line early."""
    if len(run) <= _MOST_LINES:
        yield run
        return
    widths = sorted(len(line.text) for line in run)
    early = 0.75 * widths[len(widths) * 3 // 4]
    first = 0
    for index, line in enumerate(run, start=1):
        if index == len(run) or (
            len(line.text) < early and line.text.rstrip().endswith((".", "!", "?", ":"))
        ):
            yield run[first:index]
            first = index


def heading_level(line: str) -> int | None:
    """Level of a line that stands alone and reads like a heading; None when it does not."""
    if not 2 <= len(line) <= MAX_HEADING or _SENTENCE_END.search(line) or sum(map(str.isalpha, line)) < 2:
        return None
    if numbered := _NUMBERED.match(line):
        number, title = numbered.groups()
        word = title.split()[0].strip(".,").lower()
        if title[0].isupper() and word not in _MONTHS and len(title.split()) <= 12:
            return min(number.count(".") + 1, 6)
        return None
    if _LETTERED.match(line):
        return 1
    letters = [character for character in line if character.isalpha()]
    if len(letters) >= 4 and all(character.isupper() for character in letters) and len(line.split()) <= 10:
        return 2
    return None


def add_source(builder: StructuredText, text: str, blocks: list[Block]) -> None:
    """Copy the blocks of a source into a builder, one by one."""
    for block in blocks:
        builder.add(block.kind, text[block.start : block.end], block.level)


def delimited_rows(text: str, delimiter: str | None = None) -> list[list[str]]:
    """Rows of a CSV or TSV text. Without `delimiter` the one that splits most evenly is taken."""
    chosen = delimiter or best_delimiter(text)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=chosen))
    except csv.Error:
        rows = []
    # a quote that never closes would swallow the rest of the file as one cell
    if len(rows) * 4 < text.count("\n"):
        return [line.split(chosen) for line in text.splitlines()]
    return rows


def best_delimiter(text: str) -> str:
    """The most regular of comma, semicolon, tab and bar in the first lines."""
    lines = [line for line in text.splitlines()[:50] if line.strip()]
    best, best_score = ",", 0.0
    for candidate in ",;\t|":
        try:
            counts = [len(row) - 1 for row in csv.reader(lines, delimiter=candidate)]
        except csv.Error:
            continue
        if not counts or max(counts) == 0:
            continue
        usual = max(set(counts), key=counts.count)
        score = usual and counts.count(usual) / len(counts) + min(usual, 20) / 100
        if score > best_score:
            best, best_score = candidate, score
    return best


def json_entries(text: str) -> list[str]:
    """JSON as `path: value` lines, those of one top-level entry together. ValueError when it is none."""
    value = json.loads(text)
    if isinstance(value, dict):
        parts = [(str(key), one) for key, one in value.items()]
    elif isinstance(value, list):
        parts = [(f"[{index}]", one) for index, one in enumerate(value)]
    else:
        parts = [("", value)]
    return ["\n".join(_json_lines(one, path)) for path, one in parts]


def _json_lines(value: object, path: str) -> Iterator[str]:
    # iterative: a hostile file nests deeper than Python's stack
    stack: list[tuple[str, object]] = [(path, value)]
    while stack:
        where, current = stack.pop()
        if isinstance(current, dict):
            stack.extend(
                (f"{where}.{key}" if where else str(key), one) for key, one in reversed(current.items())
            )
        elif isinstance(current, list):
            stack.extend((f"{where}[{index}]", one) for index, one in reversed(list(enumerate(current))))
        else:
            said = current if isinstance(current, str) else json.dumps(current)
            yield f"{where}: {said}" if where else str(said)
