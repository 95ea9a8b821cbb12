"""What a file is, told by its content. The name decides only between kinds of plain text."""

import json
import re
import zipfile
from pathlib import Path, PurePath

from perdure.domain import rejections
from perdure.domain.archives import entry_names
from perdure.domain.compound_file import MAGIC as _OLE_MAGIC
from perdure.domain.compound_file import CompoundFile
from perdure.errors import DocumentRejectedError

HEAD_BYTES = 16_384

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ODT = "application/vnd.oasis.opendocument.text"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
EPUB = "application/epub+zip"
RTF = "application/rtf"
HTML = "text/html"
XML = "application/xml"
EML = "message/rfc822"
MSG = "application/vnd.ms-outlook"
TEXT = "text/plain"
MARKDOWN = "text/markdown"
CSV = "text/csv"
TSV = "text/tab-separated-values"
JSON = "application/json"
ZIP = "application/zip"
DOC = "application/msword"
XLS = "application/vnd.ms-excel"
PPT = "application/vnd.ms-powerpoint"

IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/bmp", "image/tiff", "image/webp"})
ZIP_CONTAINERS = frozenset({DOCX, PPTX, XLSX, ODT, ODS, EPUB})
PLAIN_TEXTS = frozenset({TEXT, MARKDOWN, CSV, TSV, JSON})
SUPPORTED = frozenset({PDF, RTF, HTML, XML, EML, MSG, DOC, XLS, PPT}) | IMAGES | ZIP_CONTAINERS | PLAIN_TEXTS
SUPPORTED_TEXT = (
    "pdf, docx, pptx, xlsx, odt, ods, doc, xls, ppt, rtf, html, md, txt, csv, tsv, json, xml, eml, msg, "
    "epub, and pictures (png, jpeg, gif, bmp, tiff, webp) by OCR"
)

_IMAGE_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)
_AUDIO_VIDEO_MAGIC = (
    (b"ID3\x02", "audio (mp3)"),
    (b"ID3\x03", "audio (mp3)"),
    (b"ID3\x04", "audio (mp3)"),
    (b"OggS\x00", "audio or video (ogg)"),
    (b"fLaC\x00", "audio (flac)"),
    (b"\x1aE\xdf\xa3", "video (matroska or webm)"),
    (b"FLV\x01", "video (flv)"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "audio or video (wma, wmv)"),
    (b"\x00\x00\x01\xba", "video (mpeg)"),
    (b"\x00\x00\x01\xb3", "video (mpeg)"),
    (b"#!AMR", "audio (amr)"),
    (b"MThd\x00", "audio (midi)"),
    (b".snd\x00", "audio (au)"),
)
_OTHER_MAGIC = (
    (b"\x7fELF", "a program"),
    (b"MZ", "a Windows program"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a rar archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstandard archive"),
    (b"SQLite format 3\x00", "an SQLite database"),
)
_ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))

_TEXT_EXTENSIONS = {
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".mdown": MARKDOWN,
    ".csv": CSV,
    ".tsv": TSV,
    ".tab": TSV,
    ".json": JSON,
    ".jsonl": TEXT,
    ".ndjson": TEXT,
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": HTML,
    ".xml": XML,
    ".eml": EML,
    ".txt": TEXT,
    ".text": TEXT,
    ".log": TEXT,
    ".rst": TEXT,
}
_MAIL_HEADER = re.compile(
    r"^(from|to|cc|subject|date|message-id|mime-version|received|return-path|delivered-to|content-type|reply-to"
    r"|x-[\w-]+):",
    re.IGNORECASE,
)
_HEADER_LINE = re.compile(r"^[!-9;-~]+:|^[ \t]")
_HTML_START = re.compile(
    r"^(?:\s|<!--.*?-->)*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
_HTML_TAG = re.compile(r"<(?:html|body|head|div|p|table|h[1-6]|ul|span|article|section)[\s>]", re.IGNORECASE)
_XML_START = re.compile(r"^\s*<\?xml\b|^\s*<!DOCTYPE\s", re.IGNORECASE)
_MARKDOWN_SIGNS = (
    re.compile(r"^#{1,6} \S", re.MULTILINE),
    re.compile(r"^(?:[-*+]|\d+\.) \S", re.MULTILINE),
    re.compile(r"\[[^\]\n]+\]\([^)\n]+\)"),
    re.compile(r"^\|.+\|\s*\n\|[ :|-]+\|", re.MULTILINE),
    re.compile(r"^```", re.MULTILINE),
    re.compile(r"\*\*[^*\n]+\*\*"),
)


def _unsupported(what: str) -> DocumentRejectedError:
    return DocumentRejectedError(
        "unsupported_type", f"This file is {what}. Perdure reads {SUPPORTED_TEXT}; convert it to one of them."
    )


def detect(head: bytes, path: Path | None, name: str) -> str:
    """Media type by content: `head` is the first `HEAD_BYTES` of the file, or all of it.

    With `path` the directory of a zip or OLE container is read too; without it only `head` is looked at.
    DocumentRejectedError: `empty`, `unsupported_type`, `password_protected` or `corrupt`.
    """
    if not head:
        raise rejections.empty("The file has no bytes in it")
    if b"%PDF-" in head[:1024]:
        return PDF
    if head.startswith(_ZIP_MAGICS):
        return _zip_type(head, path)
    if head.startswith(_OLE_MAGIC):
        return _ole_type(head, path)
    marked = any(head.startswith(bom) for bom, _ in _BOMS)
    if not marked and (binary := _binary_type(head)):
        return binary
    text = decode_head(head)
    if text is None:
        raise _unsupported("binary data of a kind that Perdure does not know")
    if not text.strip():
        # blank as far as one sees: the parser reads it to the end and says whether it is empty
        return TEXT
    return _text_type(text, PurePath(name).suffix.lower(), whole=len(head) < HEAD_BYTES)


def _binary_type(head: bytes) -> str | None:
    for magic, media_type in _IMAGE_MAGIC:
        if head.startswith(magic):
            return media_type
    if head[:2] == b"BM" and len(head) > 26 and head[6:10] == b"\x00\x00\x00\x00":
        return "image/bmp"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    _refuse_known_binary(head)
    return None


def _refuse_known_binary(head: bytes) -> None:
    if head[:4] == b"RIFF":
        raise _audio_or_video("audio (wav)" if head[8:12] == b"WAVE" else "audio or video (riff)")
    if head[:4] == b"FORM" and head[8:11] == b"AIF":
        raise _audio_or_video("audio (aiff)")
    if head[4:8] == b"ftyp":
        if head[8:12] in {b"heic", b"heix", b"mif1", b"avif"}:
            raise _unsupported("a HEIF or AVIF picture")
        raise _audio_or_video("audio or video (mp4, m4a or mov)")
    for magic, what in _AUDIO_VIDEO_MAGIC:
        if head.startswith(magic):
            raise _audio_or_video(what)
    if _is_mpeg_audio(head):
        raise _audio_or_video("audio (mp3)")
    for magic, what in _OTHER_MAGIC:
        if head.startswith(magic) and decode_head(head) is None:
            raise _unsupported(what)


def _is_mpeg_audio(head: bytes) -> bool:
    """A frame header: eleven set bits, then no reserved version, layer, bitrate or sampling rate."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = (head[1] >> 3) & 3, (head[1] >> 1) & 3
    return version != 1 and layer != 0 and head[2] >> 4 not in {0, 15} and (head[2] >> 2) & 3 != 3


def _audio_or_video(what: str) -> DocumentRejectedError:
    return DocumentRejectedError(
        "unsupported_type",
        f"This file is {what}. Audio and video are not read yet; upload a transcript. "
        f"Perdure reads {SUPPORTED_TEXT}.",
    )


def _zip_type(head: bytes, path: Path | None) -> str:
    names: set[str] | None = None
    if path is not None:
        try:
            names = set(entry_names(path))
        except (zipfile.BadZipFile, ValueError, EOFError):
            names = None
    found = _zip_type_by_names(names) if names is not None else None
    found = found or _zip_type_by_head(head)
    if found is not None:
        return found
    if path is not None and names is None:
        raise rejections.corrupt("it begins like a zip archive but has no directory, so it was cut off")
    return ZIP


def _zip_type_by_names(names: set[str]) -> str | None:
    for part, media_type in (("word/", DOCX), ("ppt/", PPTX), ("xl/", XLSX)):
        if "[Content_Types].xml" in names and any(name.startswith(part) for name in names):
            return media_type
    if "META-INF/container.xml" in names and any(name.endswith(".opf") for name in names):
        return EPUB
    return None


def _zip_type_by_head(head: bytes) -> str | None:
    """The `mimetype` entry of OpenDocument and EPUB comes first, uncompressed; OOXML names parts early."""
    for media_type in (ODT, ODS, EPUB):
        if b"mimetype" + media_type.encode() in head[30:200]:
            return media_type
    if b"mimetypeapplication/vnd.oasis.opendocument." in head[30:200]:
        raise _unsupported("an OpenDocument file that is neither text nor spreadsheet")
    if b"[Content_Types].xml" in head:
        for part, media_type in ((b"word/", DOCX), (b"ppt/", PPTX), (b"xl/", XLSX)):
            if part in head:
                return media_type
    return None


def _ole_type(head: bytes, path: Path | None) -> str:
    data = head
    if path is not None:
        data = path.read_bytes()[: 64 * 1024 * 1024]
    names = CompoundFile(data).names
    if "EncryptedPackage" in names or "EncryptionInfo" in names:
        raise rejections.password_protected()
    for stream, media_type in (
        ("__properties_version1.0", MSG),
        ("WordDocument", DOC),
        ("Workbook", XLS),
        ("Book", XLS),
        ("PowerPoint Document", PPT),
    ):
        if stream in names:
            return media_type
    raise _unsupported("an OLE container without a document that Perdure knows")


def decode_head(head: bytes) -> str | None:
    """The head as text to look at, or None when it is no text. A character cut at the end is dropped."""
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            return head[len(bom) :].decode(encoding, "ignore")
    zeros = head.count(0)
    if zeros:
        return _decode_without_bom(head, zeros)
    controls = sum(head.count(code) for code in range(32) if code not in (8, 9, 10, 12, 13, 27))
    if controls > len(head) * 0.005 + 1:
        return None
    try:
        return head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start >= len(head) - 3:
            return head[: error.start].decode("utf-8")
    # some single-byte charset: which one does not matter for the markup, which is ASCII
    return head.decode("latin-1")


def _decode_without_bom(head: bytes, zeros: int) -> str | None:
    """UTF-16 without a mark shows its zeros at every other place; a few stray NULs are dirt in a text."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if zeros > len(head) * 0.2:
        if odd > 10 * max(even, 1) or (odd and not even):
            return head.decode("utf-16-le", "ignore")
        if even > 10 * max(odd, 1) or (even and not odd):
            return head.decode("utf-16-be", "ignore")
        return None
    if zeros > max(len(head) * 0.01, 1):
        return None
    return decode_head(head.replace(b"\0", b""))


def _text_type(text: str, extension: str, *, whole: bool) -> str:
    start = text.lstrip("\ufeff \t\r\n")
    if start.startswith("{\\rtf"):
        return RTF
    if markup := _markup_type(start, extension):
        return markup
    if _is_mail(start, extension):
        return EML
    if start[0] in "{[" and _is_json(start, extension, whole=whole):
        return JSON
    named = _TEXT_EXTENSIONS.get(extension)
    if named in {MARKDOWN, CSV, TSV, TEXT}:
        return named
    return _table_type(start) or (MARKDOWN if _looks_like_markdown(start) else TEXT)


def _markup_type(start: str, extension: str) -> str | None:
    if _HTML_START.match(start):
        return HTML
    if _XML_START.match(start):
        return HTML if re.search(r"<html[\s>]", start, re.IGNORECASE) else XML
    named = _TEXT_EXTENSIONS.get(extension)
    if start.startswith("<") and named in {HTML, XML}:
        return named
    if named == HTML and len(_HTML_TAG.findall(start)) >= 2:
        return HTML
    return None


def _is_mail(start: str, extension: str) -> bool:
    known = 0
    for line in start.split("\n", 40)[:40]:
        stripped = line.rstrip("\r")
        if not stripped:
            break
        if _MAIL_HEADER.match(stripped):
            known += 1
        elif not _HEADER_LINE.match(stripped) and not stripped.startswith("From "):
            return False
    return known >= (1 if extension == ".eml" else 3)


def _is_json(start: str, extension: str, *, whole: bool) -> bool:
    if not whole:
        return extension == ".json"
    try:
        json.loads(start)
    except (ValueError, RecursionError):
        return False
    return True


def _table_type(start: str) -> str | None:
    lines = [line for line in start.splitlines()[:20] if line.strip()]
    lines = lines[:-1] if len(lines) == 20 else lines
    if len(lines) < 3:
        return None
    for delimiter, media_type, least in (("\t", TSV, 1), (";", CSV, 2), (",", CSV, 2), ("|", CSV, 2)):
        counts = {line.count(delimiter) for line in lines}
        if len(counts) == 1 and counts.pop() >= least:
            return media_type
    return None


def _looks_like_markdown(text: str) -> bool:
    return sum(1 for sign in _MARKDOWN_SIGNS if sign.search(text)) >= 2
