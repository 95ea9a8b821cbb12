"""Turns one file into text and structure. Runs inside a parser child, never in the worker itself."""

import contextlib
import importlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from perdure.domain import media_types, rejections
from perdure.domain.archives import ArchiveLimits, check_container
from perdure.domain.clean_text import clean
from perdure.domain.html_text import HtmlReader, declared_charset
from perdure.domain.languages import detect_language, known_tag
from perdure.domain.media_types import HEAD_BYTES
from perdure.domain.pdf_layout import add_page, join_hyphens, match_headings, place_tables
from perdure.domain.pdf_tables import PdfTable, find_tables
from perdure.domain.source_text import read_source
from perdure.domain.structured_text import StructuredText
from perdure.domain.text_blocks import (
    add_source,
    delimited_rows,
    json_entries,
    markdown_blocks,
    prose_blocks,
)
from perdure.domain.xml_text import xml_entries
from perdure.errors import DocumentRejectedError
from perdure.ports.parsing import ParseJob
from perdure.providers import mail_reader, office_extras
from perdure.providers.charsets import decode
from perdure.providers.outlook_attachments import save_attachments
from perdure.providers.tesseract import Tesseract, is_blank_png
from perdure.schemas.parsed_text import Attachment, BlockSpan, PageSpan, ParsedText

LEAST_CHARACTERS = 8
_PAGE_MARK = "perdure-page-mark-{page_num}-7f3a"
_PAGE_MARK_START, _PAGE_MARK_END = _PAGE_MARK.split("{page_num}")
_OCR_DPI = 200
_TABLE_PAGES = 500
_NO_TITLES = frozenset({"untitled", "(unspecified)", "(anonymous)", "none", "document", "title"})


@dataclass(frozen=True)
class ParseLimits:
    """Caps that the parser itself watches; wall time and memory are watched from outside."""

    max_pages: int
    max_inflated_bytes: int
    max_text_bytes: int
    timeout_s: float


@dataclass(frozen=True)
class _Found:
    """What a format's reader found besides the text in the builder."""

    title: str | None = None
    language: str | None = None
    page_count: int | None = None
    ocr_pages: int = 0
    unread_pages: tuple[int, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    metadata: Mapping[str, str] | None = None


class KreuzbergParser:
    """Reads every supported format: text, web pages and mail by itself, PDF and office files through kreuzberg."""

    def __init__(self, limits: ParseLimits, tesseract: Tesseract | None) -> None:
        self._limits = limits
        self._tesseract = tesseract

    def parse(self, job: ParseJob) -> ParsedText:
        """Parse one file by what it is, whatever its name says. DocumentRejectedError when that fails."""
        with job.path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        media_type = media_types.detect(head, job.path, job.name)
        if media_type not in media_types.SUPPORTED:
            raise DocumentRejectedError(
                "unsupported_type",
                f"{media_type} is not read as a document. A .zip goes to POST /api/v1/documents/batch; a "
                f"single file may be {media_types.SUPPORTED_TEXT}.",
            )
        if media_type in media_types.ZIP_CONTAINERS:
            check_container(job.path, ArchiveLimits(max_total_bytes=self._limits.max_inflated_bytes))
        if media_type in {media_types.TEXT, media_types.MARKDOWN}:
            return self._parse_source(job, media_type)
        builder = StructuredText(self._limits.max_text_bytes)
        found = self._reader(media_type)(job, media_type, builder)
        builder.end_page()
        return self._result(job, media_type, builder, found)

    def _reader(self, media_type: str) -> Callable[[ParseJob, str, StructuredText], _Found]:
        readers: dict[str, Callable[[ParseJob, str, StructuredText], _Found]] = {
            media_types.PDF: self._read_pdf,
            media_types.CSV: self._read_table,
            media_types.TSV: self._read_table,
            media_types.JSON: self._read_json,
            media_types.XML: self._read_xml,
            media_types.HTML: self._read_html,
            media_types.EPUB: self._read_e_book,
            media_types.EML: self._read_mail,
        }
        if media_type in media_types.IMAGES:
            return self._read_image
        return readers.get(media_type, self._read_office)

    def _result(self, job: ParseJob, media_type: str, builder: StructuredText, found: _Found) -> ParsedText:
        text = builder.text
        title = clean(found.title or "").text.strip() or _first_heading(builder, text)
        return ParsedText(
            text=text,
            media_type=media_type,
            title=title[:512] if title else None,
            language=job.language or known_tag(found.language) or detect_language(text),
            page_count=found.page_count,
            pages=[PageSpan(number=number, start=start, end=end) for number, start, end in builder.pages],
            blocks=[
                BlockSpan(kind=kind, start=start, end=end, level=level)
                for kind, start, end, level in builder.blocks
            ],
            attachments=list(found.attachments),
            ocr_pages=found.ocr_pages,
            unread_pages=list(found.unread_pages),
            cleaned_characters=builder.cleaned_characters,
            metadata={key: clean(value).text for key, value in (found.metadata or {}).items()},
        )

    # plain texts

    def _decoded(self, job: ParseJob) -> str:
        size = job.path.stat().st_size
        # no charset needs more than four bytes for what UTF-8 writes in one
        if size > 4 * self._limits.max_text_bytes:
            raise rejections.too_much_text(self._limits.max_text_bytes)
        return decode(job.path.read_bytes())

    def _parse_source(self, job: ParseJob, media_type: str) -> ParsedText:
        parsed = ParsedText.of_source(read_source(self._decoded(job), media_type, job.language))
        if len(parsed.text.encode()) > self._limits.max_text_bytes:
            raise rejections.too_much_text(self._limits.max_text_bytes)
        return parsed

    def _read_table(self, job: ParseJob, media_type: str, builder: StructuredText) -> _Found:
        text = clean(self._decoded(job)).text
        if not text.strip():
            raise rejections.empty("The table has no rows")
        builder.add_table(delimited_rows(text, "\t" if media_type == media_types.TSV else None))
        return _Found()

    def _read_json(self, job: ParseJob, media_type: str, builder: StructuredText) -> _Found:
        text = self._decoded(job)
        try:
            entries = json_entries(text)
        except (ValueError, RecursionError):
            add_source(builder, text, prose_blocks(clean(text).text))
            return _Found()
        for entry in entries:
            builder.add("paragraph", entry)
        return _Found()

    def _read_xml(self, job: ParseJob, media_type: str, builder: StructuredText) -> _Found:
        for entry in xml_entries(job.path.read_bytes()):
            builder.add("paragraph", entry)
        return _Found()

    # web pages, e-books, mail

    def _read_html(self, job: ParseJob, media_type: str, builder: StructuredText) -> _Found:
        data = job.path.read_bytes()
        page = _add_html(builder, decode(data, declared_charset(data)))
        return _Found(title=_text_of(page.title), language=page.language)

    def _read_e_book(self, job: ParseJob, media_type: str, builder: StructuredText) -> _Found:
        book = office_extras.e_book(job.path)
        for page in book.pages:
            _add_html(builder, decode(page, declared_charset(page)))
        return _Found(title=_text_of(book.title), language=book.language)

    def _read_mail(self, job: ParseJob, media_type: str, builder: StructuredText) -> _Found:
        mail = mail_reader.read(job.path, job.workspace)
        builder.add("paragraph", "\n".join(f"{name}: {value}" for name, value in mail.headers))
        if mail.text is not None:
            source = clean(mail.text)
            builder.cleaned_characters += source.cleaned_characters
            add_source(builder, source.text, prose_blocks(source.text))
        elif mail.html is not None:
            _add_html(builder, mail.html)
        headers = {name.lower(): value for name, value in mail.headers}
        return _Found(title=mail.subject, attachments=tuple(mail.attachments), metadata=headers)

    # office documents

    def _read_office(self, job: ParseJob, media_type: str, builder: StructuredText) -> _Found:
        with _named(job, media_type) as path:
            result = _extract(path, media_type, page_marks=media_type == media_types.PPTX)
        metadata = result.metadata
        nodes = (result.document or {}).get("nodes", [])
        notes = office_extras.speaker_notes(job.path) if media_type == media_types.PPTX else {}
        walk = _NodeWalk(builder, nodes, notes)
        walk.run()
        if not builder.blocks and result.content.strip():
            source = clean(result.content).text
            add_source(builder, source, markdown_blocks(source))
        pages = len(builder.pages) + (1 if walk.on_page else 0)
        if pages > self._limits.max_pages:
            raise rejections.too_many_pages(pages, self._limits.max_pages)
        return _Found(
            title=_text_of(metadata.get("title"))
            or _text_of(metadata.get("subject") if media_type == media_types.MSG else None),
            language=_text_of(metadata.get("language")),
            page_count=pages or None,
            metadata=_plain_metadata(metadata),
            attachments=tuple(save_attachments(job.path, job.workspace))
            if media_type == media_types.MSG
            else (),
        )

    # PDF and pictures

    def _read_pdf(self, job: ParseJob, media_type: str, builder: StructuredText) -> _Found:
        deadline = time.monotonic() + self._limits.timeout_s * 0.8
        kreuzberg = _kreuzberg()
        with _translated():
            page_count = len(kreuzberg.PdfPageIterator(str(job.path)))
        if page_count > self._limits.max_pages:
            raise rejections.too_many_pages(page_count, self._limits.max_pages)
        result = _extract(job.path, media_type, page_marks=False)
        texts = {page["page_number"]: join_hyphens(page["content"]) for page in result.pages or []}
        tables = self._tables(job.path) if any(texts.values()) else {}
        headings = _headings_by_page((result.document or {}).get("nodes", []))
        ocr_pages, unread = 0, []
        for number in range(1, page_count + 1):
            text = texts.get(number, "")
            if _visible(text) < LEAST_CHARACTERS:
                read = self._ocr_page(job, number, deadline)
                if read is None:
                    unread.append(number)
                elif read:
                    text, ocr_pages = read, ocr_pages + 1
            builder.start_page(number)
            placed = place_tables(text, tables.get(number, []))
            add_page(builder, text, match_headings(text, headings.get(number, [])), placed)
        metadata = result.metadata
        return _Found(
            title=_text_of(metadata.get("title")),
            page_count=page_count,
            ocr_pages=ocr_pages,
            unread_pages=tuple(unread),
            metadata=_plain_metadata(metadata),
        )

    def _tables(self, path: Path) -> dict[int, list[PdfTable]]:
        pdf_lines = importlib.import_module("perdure.providers.pdf_lines")
        pages = pdf_lines.lines_by_page(path, max_pages=_TABLE_PAGES, seconds=self._limits.timeout_s * 0.2)
        return {number: find_tables(lines) for number, lines in pages.items()}

    def _ocr_page(self, job: ParseJob, number: int, deadline: float) -> str | None:
        """Text of a page that is a picture; empty for a blank page; None when it could not be read."""
        kreuzberg = _kreuzberg()
        with _translated():
            if is_blank_png(kreuzberg.render_pdf_page(str(job.path), number - 1, dpi=36)):
                return ""
        left = deadline - time.monotonic()
        if self._tesseract is None or left <= 0:
            return None
        with _translated():
            png = kreuzberg.render_pdf_page(str(job.path), number - 1, dpi=_OCR_DPI)
        return self._tesseract.read(png, job.language, timeout_s=left)

    def _read_image(self, job: ParseJob, media_type: str, builder: StructuredText) -> _Found:
        if self._tesseract is None:
            return _Found(page_count=1, unread_pages=(1,))
        text = self._tesseract.read(
            job.path.read_bytes(), job.language, timeout_s=self._limits.timeout_s * 0.8
        )
        if text is None:
            return _Found(page_count=1, unread_pages=(1,))
        pages = text.rstrip("\f").split("\f")
        for number, page in enumerate(pages, start=1):
            builder.start_page(number)
            source = clean(page).text
            add_source(builder, source, prose_blocks(source))
        return _Found(page_count=len(pages), ocr_pages=sum(1 for page in pages if page.strip()))


def _add_html(builder: StructuredText, text: str) -> HtmlReader:
    reader = HtmlReader(builder)
    reader.feed(text)
    reader.finish()
    return reader


class _NodeWalk:
    """Feeds kreuzberg's document nodes to a builder, in reading order."""

    def __init__(
        self, builder: StructuredText, nodes: Sequence[Mapping[str, Any]], notes: Mapping[int, str]
    ) -> None:
        self._builder = builder
        self._nodes = nodes
        self._notes = notes
        self._page = 0

    @property
    def on_page(self) -> bool:
        """A page was started and not ended yet."""
        return self._page > 0

    def run(self) -> None:
        """Add everything. Notes of a slide come at its end."""
        index = 0
        while index < len(self._nodes):
            node = self._nodes[index]
            kind = node["content"]["node_type"]
            if kind == "list":
                index = self._add_list(index)
                continue
            self._add(kind, node["content"])
            index += 1
        self._add_notes()

    def _add_list(self, index: int) -> int:
        content = self._nodes[index]["content"]
        items, position = [], index + 1
        while position < len(self._nodes):
            child = self._nodes[position]["content"]
            if child["node_type"] == "list_item":
                items.append(child.get("text") or "")
            elif not (child["node_type"] == "list" and child.get("ordered") == content.get("ordered")):
                break
            position += 1
        self._builder.add_list(items, ordered=bool(content.get("ordered")))
        return position

    def _add(self, kind: str, content: Mapping[str, Any]) -> None:
        text = content.get("text") or ""
        if kind == "paragraph" and not any(map(str.isalnum, text)):
            return  # an empty placeholder of a slide leaves its bullet
        if kind in {"title", "heading"}:
            self._builder.add("heading", text, 1 if kind == "title" else content.get("level") or 1)
        elif kind == "table":
            self._builder.add_table(_grid_rows(content.get("grid") or {}))
        elif kind == "code":
            self._builder.add("code", text)
        elif kind == "image":
            self._builder.add("paragraph", _alternative_text(content.get("description")))
        elif kind == "metadata_block":
            pairs = content.get("entries") or []
            self._builder.add("paragraph", "\n".join(f"{name}: {value}" for name, value in pairs))
        elif kind not in {"group", "quote", "page_break", "slide"} and not self._page_mark(text):
            self._builder.add("list" if kind == "list_item" else "paragraph", text)

    def _page_mark(self, text: str) -> bool:
        if not (text.startswith(_PAGE_MARK_START) and text.endswith(_PAGE_MARK_END)):
            return False
        self._add_notes()
        self._page = int(text[len(_PAGE_MARK_START) : -len(_PAGE_MARK_END)])
        self._builder.start_page(self._page)
        return True

    def _add_notes(self) -> None:
        if notes := self._notes.get(self._page):
            self._builder.add("paragraph", f"Notes: {notes}")


def _grid_rows(grid: Mapping[str, Any]) -> list[list[str]]:
    rows: list[list[str]] = [[""] * int(grid.get("cols", 0)) for _ in range(int(grid.get("rows", 0)))]
    for cell in grid.get("cells", []):
        rows[cell["row"]][cell["col"]] = cell.get("content") or ""
    return rows


def _alternative_text(description: str | None) -> str:
    text = (description or "").replace("Description automatically generated", "").strip()
    return f"Picture: {text}" if text else ""


def _headings_by_page(nodes: Iterable[Mapping[str, Any]]) -> dict[int, list[tuple[str, int]]]:
    found: dict[int, list[tuple[str, int]]] = {}
    for node in nodes:
        content = node["content"]
        if content["node_type"] in {"heading", "title"} and node.get("page"):
            found.setdefault(node["page"], []).append((content.get("text") or "", content.get("level") or 1))
    return found


def _visible(text: str) -> int:
    return sum(1 for character in text if character.isalnum())


def _first_heading(builder: StructuredText, text: str) -> str | None:
    for kind, start, end, _ in builder.blocks[:5]:
        if kind == "heading":
            return text[start:end]
    return None


def _text_of(value: object) -> str | None:
    """A value that says something: writers put `untitled` and the like where they know nothing."""
    if not isinstance(value, str) or value.strip().lower() in _NO_TITLES:
        return None
    return value.strip() or None


_KEPT_METADATA = (
    "subject",
    "created_at",
    "modified_at",
    "created_by",
    "modified_by",
    "producer",
    "pdf_version",
)


def _plain_metadata(metadata: Mapping[str, Any]) -> dict[str, str]:
    kept = {key: str(metadata[key]) for key in _KEPT_METADATA if metadata.get(key)}
    if authors := metadata.get("authors"):
        kept["authors"] = ", ".join(str(author) for author in authors)
    return kept


# kreuzberg


def _kreuzberg() -> ModuleType:
    """Loaded on first use: a child that only reads plain text never pays for it."""
    return importlib.import_module("kreuzberg")


class _translated:  # noqa: N801  # a context manager that reads as a word
    """Turns kreuzberg's exceptions into ours."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, DocumentRejectedError):
            return
        if isinstance(error, (_kreuzberg().KreuzbergError, RuntimeError, ValueError, OSError)):
            raise _rejection(str(error)) from error


def _rejection(message: str) -> DocumentRejectedError:
    lowered = message.lower()
    if "password" in lowered or "encrypt" in lowered:
        return rejections.password_protected()
    if "decompress" in lowered or "zip bomb" in lowered or "securitylimit" in lowered.replace(" ", ""):
        return rejections.zip_bomb()
    if "unsupported" in lowered:
        return DocumentRejectedError("unsupported_type", f"Perdure reads {media_types.SUPPORTED_TEXT}.")
    return rejections.corrupt(message[:200])


_EXTENSIONS = {
    media_types.DOCX: "docx",
    media_types.PPTX: "pptx",
    media_types.XLSX: "xlsx",
    media_types.ODT: "odt",
    media_types.ODS: "ods",
    media_types.DOC: "doc",
    media_types.XLS: "xls",
    media_types.PPT: "ppt",
    media_types.RTF: "rtf",
    media_types.MSG: "msg",
}


@contextlib.contextmanager
def _named(job: ParseJob, media_type: str) -> Iterator[Path]:
    """The file under a name that ends as its type wants: kreuzberg opens spreadsheets by their extension."""
    link = job.workspace / f".document.{_EXTENSIONS[media_type]}"
    link.symlink_to(job.path.resolve())
    try:
        yield link
    finally:
        link.unlink()


def _extract(path: Path, media_type: str, *, page_marks: bool) -> Any:  # kreuzberg has no types
    kreuzberg = _kreuzberg()
    is_pdf = media_type == media_types.PDF
    config = kreuzberg.ExtractionConfig(
        use_cache=False,
        enable_quality_processing=False,
        include_document_structure=True,
        output_format="markdown",
        pages=kreuzberg.PageConfig(
            extract_pages=is_pdf, insert_page_markers=page_marks, marker_format=f"\n\n{_PAGE_MARK}\n\n"
        )
        if is_pdf or page_marks
        else None,
        # what a page repeats is part of it: a contract number in a footer is often the only place it stands
        content_filter=kreuzberg.ContentFilterConfig(
            include_headers=True, include_footers=True, strip_repeating_text=False, include_watermarks=True
        ),
        concurrency=kreuzberg.ConcurrencyConfig(max_threads=1),
    )
    with _translated():
        return kreuzberg.extract_file_sync(str(path), media_type, config=config)
