"""Files are known by their content; the name only decides between kinds of plain text."""

import io
import zipfile
from pathlib import Path

import pytest

from perdure.domain import media_types
from perdure.domain.media_types import HEAD_BYTES, SUPPORTED, detect
from perdure.errors import DocumentRejectedError

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"

OF_SAMPLES = {
    "lease.pdf": media_types.PDF,
    "delivery-note-scanned.pdf": media_types.PDF,
    "visitor-notice.png": "image/png",
    "employee-handbook.docx": media_types.DOCX,
    "sales-review.pptx": media_types.PPTX,
    "price-list.xlsx": media_types.XLSX,
    "incident-report.html": media_types.HTML,
    "minutes.md": media_types.MARKDOWN,
    "suppliers.csv": media_types.CSV,
    "warranty-claim.eml": media_types.EML,
    "field-service-handbook.txt": media_types.TEXT,
    "broken/mislabelled-image.pdf": "image/png",
    "broken/mislabelled-web-page.docx": media_types.HTML,
}


def refusal(head: bytes, name: str = "file", path: Path | None = None) -> DocumentRejectedError:
    with pytest.raises(DocumentRejectedError) as error:
        detect(head, path, name)
    return error.value


@pytest.mark.parametrize(("name", "media_type"), OF_SAMPLES.items())
@pytest.mark.parametrize("called", ["", "renamed.bin", "renamed.docx", "renamed.pdf"])
def test_a_sample_is_known_whatever_it_is_called(name: str, media_type: str, called: str) -> None:
    path = SAMPLES / name
    with path.open("rb") as file:
        assert detect(file.read(HEAD_BYTES), path, called or path.name) == media_type


@pytest.mark.parametrize("name", ["employee-handbook.docx", "sales-review.pptx", "price-list.xlsx"])
def test_an_office_file_is_known_by_its_head_alone(name: str) -> None:
    head = (SAMPLES / name).read_bytes()[:HEAD_BYTES]
    assert detect(head, None, "") in {OF_SAMPLES[name], media_types.ZIP}


@pytest.mark.parametrize(
    ("head", "name", "media_type"),
    [
        (b"Just some words.", "notes.txt", media_types.TEXT),
        (b"Just some words.", "notes", media_types.TEXT),
        (b"Just some words.", "photo.png", media_types.TEXT),
        (b"Just some words.", "notes.md", media_types.MARKDOWN),
        (b"# Title\n\nText with [a link](https://example.com).\n", "README", media_types.MARKDOWN),
        (b"a,b,c\n1,2,3\n4,5,6\n", "table.csv", media_types.CSV),
        (b"a,b,c\n1,2,3\n4,5,6\n", "table", media_types.CSV),
        (b"a\tb\n1\t2\n3\t4\n", "table", media_types.TSV),
        (b"one, two\nthree\n", "table", media_types.TEXT),
        (b'{"a": [1, 2]}', "data", media_types.JSON),
        (b'{"a": [1, 2', "data", media_types.TEXT),
        (b"[draft] a note in brackets", "note.json", media_types.TEXT),
        (b'{"a": 1}\n{"a": 2}\n', "data.jsonl", media_types.TEXT),
        (b"<!DOCTYPE html><title>x</title>", "x", media_types.HTML),
        (b"\xef\xbb\xbf  <!-- a --><html lang='en'>", "x.txt", media_types.HTML),
        (b"<p>one</p><p>two</p>", "x.html", media_types.HTML),
        (b"<?xml version='1.0'?><note/>", "x.html", media_types.XML),
        (b"<?xml version='1.0'?><html xmlns='x'>", "x.xml", media_types.HTML),
        (b"<note><to>x</to></note>", "x.xml", media_types.XML),
        (b"{\\rtf1\\ansi hello}", "x.doc", media_types.RTF),
        (b"From: a@example.com\r\nTo: b@example.com\r\nSubject: hi\r\n\r\nhello", "mail", media_types.EML),
        (b"Subject: hi\r\n\r\nhello", "mail.eml", media_types.EML),
        (b"Subject: hi\r\n\r\nhello", "mail.txt", media_types.TEXT),
        (b"Received: from x\n by y\nDate: today\nFrom: z\n\nbody", "", media_types.EML),
        ("Grüße aus München".encode("latin-1"), "x.txt", media_types.TEXT),
        ("Grüße aus München".encode("utf-16"), "x.txt", media_types.TEXT),
        ("Wide text without a mark".encode("utf-16-le"), "x.txt", media_types.TEXT),
        ("Wide text without a mark".encode("utf-16-be"), "x.txt", media_types.TEXT),
        (b"   \n\t ", "x.txt", media_types.TEXT),
        (b"%PDF-1.7\n%\xe2\xe3", "x.txt", media_types.PDF),
        (b"junk before\n%PDF-1.4\n", "x", media_types.PDF),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "x", "image/jpeg"),
        (b"II*\x00rest", "x", "image/tiff"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "x", "image/webp"),
        (b"GIF89a", "x", "image/gif"),
        (b"BM" + b"\x46\x00\x00\x00" + b"\x00" * 4 + b"\x36" + b"\x00" * 40, "x", "image/bmp"),
        (b"MZ is how this note begins, and nothing more.", "x.txt", media_types.TEXT),
        (b"FORMAT of the letter: formal", "x.txt", media_types.TEXT),
    ],
)
def test_content_decides(head: bytes, name: str, media_type: str) -> None:
    assert detect(head, None, name) == media_type


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (b"RIFF\x10\x00\x00\x00WAVEfmt ", "audio"),
        (b"ID3\x04\x00", "audio"),
        (b"\xff\xfb\x90\x64" + b"\x00" * 100, "audio"),
        (b"OggS\x00\x02", "audio"),
        (b"fLaC\x00\x00", "audio"),
        (b"\x00\x00\x00\x18ftypmp42", "video"),
        (b"\x1aE\xdf\xa3\x01\x00", "video"),
        (b"RIFF\x10\x00\x00\x00AVI LIST", "video"),
        (b"\x00\x00\x00\x18ftypheic", "HEIF"),
        (b"\x7fELF\x02\x01\x01" + b"\x00" * 60, "program"),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x01\x02\x03", "gzip"),
        (b"SQLite format 3\x00" + b"\x10\x00\x01\x01\x00\x40\x20\x20", "SQLite"),
        (bytes(range(256)) * 4, "binary"),
    ],
)
def test_what_is_not_read_says_what_it_is_and_what_is_read(head: bytes, says: str) -> None:
    error = refusal(head, "report.txt")
    assert error.reason == "unsupported_type"
    assert says in error.detail
    assert "docx" in error.detail


def test_a_file_without_bytes_is_empty() -> None:
    assert refusal(b"").reason == "empty"


def _zip(path: Path, names: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in names.items():
            archive.writestr(name, text)
    return path


@pytest.mark.parametrize(
    ("names", "media_type"),
    [
        ({"mimetype": media_types.ODT, "content.xml": "<x/>"}, media_types.ODT),
        ({"mimetype": media_types.ODS, "content.xml": "<x/>"}, media_types.ODS),
        ({"mimetype": media_types.EPUB, "META-INF/container.xml": "<x/>"}, media_types.EPUB),
        ({"META-INF/container.xml": "<x/>", "OEBPS/content.opf": "<x/>"}, media_types.EPUB),
        ({"[Content_Types].xml": "<x/>", "word/document.xml": "<x/>"}, media_types.DOCX),
        ({"letter.txt": "word/ is only a word here"}, media_types.ZIP),
        ({"word/notes.txt": "a folder that is called word"}, media_types.ZIP),
    ],
)
def test_a_zip_is_known_by_its_directory(tmp_path: Path, names: dict[str, str], media_type: str) -> None:
    path = _zip(tmp_path / "container", names)
    assert detect(path.read_bytes()[:HEAD_BYTES], path, "x.zip") == media_type


def test_a_zip_without_its_end_is_corrupt(tmp_path: Path) -> None:
    path = _zip(tmp_path / "whole", {"a.txt": "x" * 1000, "b.txt": "y"})
    cut = tmp_path / "cut"
    cut.write_bytes(path.read_bytes()[:600])
    assert refusal(cut.read_bytes(), "x.zip", cut).reason == "corrupt"


def test_an_opendocument_drawing_is_not_read() -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.graphics")
    assert refusal(data.getvalue()).reason == "unsupported_type"


def test_the_list_of_formats_names_what_the_specification_asks_for() -> None:
    wanted = ("pdf docx pptx xlsx odt rtf html md txt", "csv tsv json xml eml msg epub")
    for extension in " ".join(wanted).split():
        assert extension in media_types.SUPPORTED_TEXT
    assert {"image/png", "image/jpeg", media_types.PDF} <= SUPPORTED
