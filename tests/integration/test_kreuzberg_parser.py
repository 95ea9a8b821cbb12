"""What becomes of real files: text, structure, pages, attachments, and a typed reason for each broken one."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pikepdf
import pytest
from reportlab.pdfgen import canvas

from perdure.domain import media_types
from perdure.errors import DocumentRejectedError
from perdure.ports.parsing import ParseJob
from perdure.providers.kreuzberg_parser import KreuzbergParser, ParseLimits
from perdure.providers.tesseract import Tesseract, find_tesseract, is_blank_png
from perdure.schemas.parsed_text import ParsedText
from tests.compound_files import Storage, compound_file, outlook_message

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
REAL_FILES = ROOT.parent / "shared/data/documents"
LIMITS = ParseLimits(max_pages=100, max_inflated_bytes=64 << 20, max_text_bytes=1 << 20, timeout_s=60.0)
PROGRAM = find_tesseract()
needs_tesseract = pytest.mark.skipif(PROGRAM is None, reason="the program tesseract is not installed")
Read = Callable[[str | bytes], ParsedText]


class NoOcr(Tesseract):
    """Fails on every picture, as Tesseract does on one it cannot open."""

    def read(self, source: bytes | Path, language: str | None, *, timeout_s: float) -> str | None:
        return None


def parse(
    path: Path, workspace: Path, limits: ParseLimits = LIMITS, ocr: Tesseract | None = None
) -> ParsedText:
    parsed = KreuzbergParser(limits, ocr).parse(ParseJob(path, "", path.name, workspace))
    check(parsed)
    return parsed


def check(parsed: ParsedText) -> None:
    """What holds for every parsed file."""
    end = 0
    for block in parsed.blocks:
        assert end <= block.start < block.end <= len(parsed.text)
        end = block.end
    for page in parsed.pages:
        assert 0 <= page.start <= page.end <= len(parsed.text)
    parsed.text.encode()
    assert "\0" not in parsed.text


def kinds(parsed: ParsedText, kind: str) -> list[str]:
    return [parsed.text[one.start : one.end] for one in parsed.blocks if one.kind == kind]


def rejected(path: Path, workspace: Path, limits: ParseLimits = LIMITS) -> DocumentRejectedError:
    with pytest.raises(DocumentRejectedError) as error:
        parse(path, workspace, limits)
    return error.value


def a_pdf(path: Path, pages: list[str]) -> Path:
    page = canvas.Canvas(str(path), invariant=1)
    for text in pages:
        for number, line in enumerate(text.splitlines()):
            page.drawString(72, 760 - 14 * number, line)
        page.showPage()
    page.save()
    return path


# samples


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("lease.pdf", "The notice period is six months to the end of a quarter."),
        ("lease.pdf", "| 3 | 1 March 2027 | 8,531 EUR | 1,000 EUR |"),
        ("employee-handbook.docx", "Annual leave is 27 working days"),
        ("employee-handbook.docx", "| Hotel, per night | 140 EUR (180 EUR in capitals) | Team lead |"),
        ("sales-review.pptx", "Series production starts on 14 September 2026"),
        ("sales-review.pptx", "| Nordic countries | 0.97 M EUR | 1.15 M EUR |"),
        ("sales-review.pptx", "Nordic growth comes from one customer"),
        ("price-list.xlsx", "| TG-310 | Radar tide gauge | 4950 | 12 |"),
        ("incident-report.html", "had expired"),
        ("incident-report.html", "| 04:40 | Cause found |"),
        ("minutes.md", "**Decision:** the hall at Mill Lane is rented from 1 October 2026"),
        ("suppliers.csv", "| Möller & Söhne | Germany | pressure cells PC-7 | 9 | Jörg Möller | B |"),
        ("warranty-claim.eml", "before the spring tides of 18 June"),
        ("field-service-handbook.txt", "Stop when the wind is above 14 metres a second"),
    ],
)
def test_the_answer_stands_in_the_text_of_the_sample(tmp_path: Path, name: str, answer: str) -> None:
    assert answer in parse(SAMPLES / name, tmp_path).text


@pytest.mark.parametrize(
    ("name", "title", "language", "pages", "headings"),
    [
        ("lease.pdf", "Commercial lease: Unit 7, Quayside Works", "en", 2, 10),
        ("employee-handbook.docx", "Employee handbook", "en", None, 18),
        ("sales-review.pptx", "Sales review, second quarter 2026", "en", 5, 5),
        ("price-list.xlsx", "Price list 2026", "en", None, 3),
        ("incident-report.html", "Incident report 2026-04-17: telemetry gateway down", "en", None, 5),
        ("minutes.md", "Minutes of the management meeting", "en", None, 6),
        ("warranty-claim.eml", "Warranty claim: three TG-200 with damp housings", "en", None, 0),
    ],
)
def test_title_language_pages_and_headings(
    tmp_path: Path, name: str, title: str, language: str, pages: int | None, headings: int
) -> None:
    parsed = parse(SAMPLES / name, tmp_path)
    assert (parsed.title, parsed.language, parsed.page_count) == (title, language, pages)
    assert len(kinds(parsed, "heading")) == headings


def test_pages_of_a_pdf_begin_where_their_first_words_stand(tmp_path: Path) -> None:
    parsed = parse(SAMPLES / "lease.pdf", tmp_path)
    first, second = parsed.pages
    assert parsed.text[first.start :].startswith("Commercial lease")
    assert parsed.text[second.start :].startswith("6. Repairs")


def test_speaker_notes_stand_on_the_page_of_their_slide(tmp_path: Path) -> None:
    parsed = parse(SAMPLES / "sales-review.pptx", tmp_path)
    fifth = parsed.pages[4]
    assert "Notes: Nordic growth" in parsed.text[fifth.start : fifth.end]


def test_scripts_and_styles_of_a_web_page_are_not_text(tmp_path: Path) -> None:
    text = parse(SAMPLES / "incident-report.html", tmp_path).text
    assert "not part of the report" not in text
    assert "font-family" not in text


def test_attachments_of_a_mail_are_written_and_listed(tmp_path: Path) -> None:
    parsed = parse(SAMPLES / "warranty-claim.eml", tmp_path)
    (attachment,) = parsed.attachments
    assert (attachment.name, attachment.media_type) == ("affected gauges.csv", "text/csv")
    assert Path(attachment.path).parent == tmp_path
    assert b"20622" in Path(attachment.path).read_bytes()
    assert Path(attachment.path).stat().st_size == attachment.size_bytes


@needs_tesseract
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("delivery-note-scanned.pdf", "212 kilograms"),
        ("visitor-notice.png", "Wanda Petrie"),
        ("broken/mislabelled-image.pdf", "Ferry Inn"),
    ],
)
def test_pictures_are_read_by_ocr(tmp_path: Path, name: str, words: str) -> None:
    assert PROGRAM is not None
    parsed = parse(SAMPLES / name, tmp_path, ocr=Tesseract(PROGRAM))
    assert words in parsed.text
    assert (parsed.ocr_pages, parsed.unread_pages) == (1, [])


@pytest.mark.parametrize("name", ["delivery-note-scanned.pdf", "visitor-notice.png"])
@pytest.mark.parametrize("ocr", [None, NoOcr("missing")])
def test_without_ocr_a_picture_is_an_unread_page_and_never_silently_empty(
    tmp_path: Path, name: str, ocr: Tesseract | None
) -> None:
    parsed = parse(SAMPLES / name, tmp_path, ocr=ocr)
    assert (parsed.text, parsed.unread_pages, parsed.page_count) == ("", [1], 1)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("password-protected.pdf", "password_protected"),
        ("truncated.pdf", "corrupt"),
        ("zip-bomb.docx", "decompression_limit"),
        ("empty.txt", "empty"),
        ("voicemail.wav", "unsupported_type"),
    ],
)
def test_each_broken_sample_has_its_reason(tmp_path: Path, name: str, reason: str) -> None:
    error = rejected(SAMPLES / "broken" / name, tmp_path)
    assert error.reason == reason
    assert len(error.detail) > 30


def test_a_web_page_that_is_called_docx_is_read_as_what_it_is(tmp_path: Path) -> None:
    parsed = parse(SAMPLES / "broken/mislabelled-web-page.docx", tmp_path)
    assert parsed.media_type == media_types.HTML
    assert "6.40 euros" in parsed.text


@pytest.mark.parametrize(
    "name",
    [
        "lease.pdf",
        "employee-handbook.docx",
        "sales-review.pptx",
        "price-list.xlsx",
        "incident-report.html",
        "warranty-claim.eml",
    ],
)
@pytest.mark.parametrize("called", ["upload", "upload.txt", "upload.docx"])
def test_a_file_is_read_alike_whatever_it_is_called(tmp_path: Path, name: str, called: str) -> None:
    path, workspace = tmp_path / called, tmp_path / "workspace"
    path.write_bytes((SAMPLES / name).read_bytes())
    workspace.mkdir()
    assert parse(path, workspace).text == parse(SAMPLES / name, tmp_path).text


# damage


@pytest.mark.parametrize("name", ["employee-handbook.docx", "sales-review.pptx", "price-list.xlsx"])
@pytest.mark.parametrize("kept", [0.3, 0.7, 0.97])
def test_a_cut_office_file_is_corrupt(tmp_path: Path, name: str, kept: float) -> None:
    data = (SAMPLES / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(data[: int(len(data) * kept)])
    assert rejected(path, tmp_path).reason == "corrupt"


def test_an_office_file_without_its_main_part_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "x.docx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/styles.xml", "<w:styles/>")
    error = rejected(path, tmp_path)
    assert error.reason == "corrupt"


def test_an_encrypted_office_file_asks_for_a_copy_without_password(tmp_path: Path) -> None:
    path = tmp_path / "x.docx"
    path.write_bytes(compound_file(Storage({"EncryptionInfo": b"x", "EncryptedPackage": b"y"})))
    assert rejected(path, tmp_path).reason == "password_protected"


def test_a_zip_points_to_the_batch(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "x")
    error = rejected(path, tmp_path)
    assert error.reason == "unsupported_type"
    assert "/documents/batch" in error.detail


# limits


def test_too_many_pages(tmp_path: Path) -> None:
    path = a_pdf(tmp_path / "x.pdf", ["one page of text"] * 12)
    limits = ParseLimits(max_pages=10, max_inflated_bytes=1 << 20, max_text_bytes=1 << 20, timeout_s=10)
    error = rejected(path, tmp_path, limits)
    assert error.reason == "too_many_pages"
    assert "12 pages" in error.detail


@pytest.mark.parametrize("name", ["x.txt", "x.md", "x.csv", "x.json", "x.html"])
def test_too_much_text(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    body = "word, word, word\n" * 10_000
    path.write_text(f"<!doctype html><body><p>{body}" if name == "x.html" else body)
    limits = ParseLimits(max_pages=10, max_inflated_bytes=1 << 20, max_text_bytes=100_000, timeout_s=10)
    assert rejected(path, tmp_path, limits).reason == "too_large"


def test_an_office_file_that_inflates_beyond_the_limit(tmp_path: Path) -> None:
    limits = ParseLimits(max_pages=10, max_inflated_bytes=20_000, max_text_bytes=1 << 20, timeout_s=10)
    assert rejected(SAMPLES / "employee-handbook.docx", tmp_path, limits).reason == "decompression_limit"


def test_ocr_stops_when_its_time_is_used_up_and_says_which_pages_are_left(tmp_path: Path) -> None:
    limits = ParseLimits(max_pages=10, max_inflated_bytes=1 << 20, max_text_bytes=1 << 20, timeout_s=0.0)
    parsed = parse(SAMPLES / "delivery-note-scanned.pdf", tmp_path, limits, ocr=NoOcr("never asked"))
    assert parsed.unread_pages == [1]


# pages that are pictures, pages that are blank


def test_only_the_pages_that_are_pictures_are_unread(tmp_path: Path) -> None:
    mixed = tmp_path / "mixed.pdf"
    with (
        pikepdf.open(
            a_pdf(tmp_path / "a.pdf", ["Text of the first page.", "", "Text of the third page."])
        ) as text,
        pikepdf.open(SAMPLES / "delivery-note-scanned.pdf") as scan,
    ):
        text.pages.append(scan.pages[0])
        text.save(mixed)
    parsed = parse(mixed, tmp_path)
    assert (parsed.page_count, parsed.unread_pages) == (4, [4])
    assert parsed.text == "Text of the first page.\n\nText of the third page."
    assert [parsed.text[one.start : one.end] for one in parsed.pages] == [
        "Text of the first page.",
        "",
        "Text of the third page.",
        "",
    ]


def test_a_pdf_of_blank_pages_has_no_text_and_nothing_unread(tmp_path: Path) -> None:
    parsed = parse(a_pdf(tmp_path / "x.pdf", ["", ""]), tmp_path)
    assert (parsed.text, parsed.unread_pages, parsed.page_count) == ("", [], 2)


def test_what_is_no_png_is_not_blank() -> None:
    assert not is_blank_png(b"GIF89a")
    assert not is_blank_png(b"\x89PNG\r\n\x1a\n")
    assert not is_blank_png((SAMPLES / "visitor-notice.png").read_bytes())


# plain texts


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Grüße aus München".encode(), "Grüße aus München"),
        (b"\xef\xbb\xbf" + "Grüße".encode(), "Grüße"),
        ("Grüße aus München, schöne Straße und Äpfel für alle Bürger".encode("cp1252"), "Grüße aus München"),
        ("Grüße aus München".encode("utf-16"), "Grüße aus München"),
        ("Wide text without any mark at all".encode("utf-16-le"), "Wide text without any mark at all"),
        ("Grüße, Äpfel, Öl ".encode() * 5 + b"\xff wound", "Grüße"),
        (b"line one\r\nline two\rline three", "line one\nline two\nline three"),
        (b"NUL\x00 inside a text that is long enough to be one" + b" and so on" * 30, "NUL inside"),
    ],
)
def test_texts_are_decoded_whatever_wrote_them(tmp_path: Path, data: bytes, text: str) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(data)
    assert text in parse(path, tmp_path).text


@pytest.mark.parametrize("data", [b"   \n\t\n", b"\xef\xbb\xbf", b"\n" * 1000, b"\xff\xfe"])
def test_a_text_of_blanks_is_empty(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(data)
    assert rejected(path, tmp_path).reason == "empty"


def test_json_and_xml_become_readable_lines(tmp_path: Path) -> None:
    json_path, xml_path = tmp_path / "x.json", tmp_path / "x.xml"
    json_path.write_text('{"berths": [{"name": "Coal quay", "depth": 7.5}]}')
    xml_path.write_text(
        "<?xml version='1.0'?><berths><berth id='4'><name>Coal quay</name></berth>"
        "<note>a <b>bold</b> word</note></berths>"
    )
    assert parse(json_path, tmp_path).text == "berths[0].name: Coal quay\nberths[0].depth: 7.5"
    assert parse(xml_path, tmp_path).text == "berth.id: 4\nberth.name: Coal quay\n\nnote: a bold word"


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        ("<?xml version='1.0'?><a><b></a>", "corrupt"),
        ("<?xml version='1.0'?>" + "<a>" * 500, "corrupt"),
        (
            "<?xml version='1.0'?><!DOCTYPE l [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]><l>&b;</l>",
            "decompression_limit",
        ),
    ],
)
def test_hostile_xml_is_refused(tmp_path: Path, xml: str, reason: str) -> None:
    path = tmp_path / "x.xml"
    path.write_text(xml)
    assert rejected(path, tmp_path).reason == reason


def test_an_external_entity_is_not_read(tmp_path: Path) -> None:
    secret, path = tmp_path / "secret", tmp_path / "x.xml"
    secret.write_text("the password")
    path.write_text(
        f"<?xml version='1.0'?><!DOCTYPE l [<!ENTITY a SYSTEM '{secret.as_uri()}'>]><l>hello &a;</l>"
    )
    assert parse(path, tmp_path).text == "l: hello"


# other office formats, mail


def a_zip(path: Path, parts: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return path


_ODF = (
    '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"><office:body>{}</office:body>'
    "</office:document-content>"
)
_ODF_TABLE = (
    '<table:table table:name="Berths"><table:table-row><table:table-cell office:value-type="string">'
    "<text:p>Berth</text:p></table:table-cell>"
    '<table:table-cell office:value-type="string"><text:p>Depth</text:p></table:table-cell>'
    '</table:table-row><table:table-row><table:table-cell office:value-type="string"><text:p>B4</text:p>'
    '</table:table-cell><table:table-cell office:value-type="string"><text:p>7.5 m</text:p></table:table-cell>'
    "</table:table-row></table:table>"
)


def _odf(media_type: str, body: str) -> dict[str, str]:
    manifest = '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
    return {"mimetype": media_type, "META-INF/manifest.xml": manifest, "content.xml": _ODF.format(body)}


def test_an_opendocument_text(tmp_path: Path) -> None:
    body = (
        '<office:text><text:h text:outline-level="1">Dry dock rules</text:h><text:p>Emptied in four hours.</text:p>'
        f"<text:list><text:list-item><text:p>wear boots</text:p></text:list-item></text:list>{_ODF_TABLE}</office:text>"
    )
    parsed = parse(a_zip(tmp_path / "x", _odf(media_types.ODT, body)), tmp_path)
    assert kinds(parsed, "heading") == ["Dry dock rules"]
    assert kinds(parsed, "list") == ["- wear boots"]
    assert kinds(parsed, "table") == ["| Berth | Depth |\n| B4 | 7.5 m |"]


def test_an_opendocument_spreadsheet(tmp_path: Path) -> None:
    body = f"<office:spreadsheet>{_ODF_TABLE}</office:spreadsheet>"
    parsed = parse(a_zip(tmp_path / "x", _odf(media_types.ODS, body)), tmp_path)
    assert kinds(parsed, "table") == ["| Berth | Depth |\n| B4 | 7.5 m |"]


def test_an_e_book(tmp_path: Path) -> None:
    page = '<html xmlns="http://www.w3.org/1999/xhtml"><body><h1>{}</h1><p>{}</p></body></html>'
    parts = {
        "mimetype": media_types.EPUB,
        "META-INF/container.xml": '<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
        '<rootfiles><rootfile full-path="O/c.opf" media-type="application/oebps-package+xml"/>'
        "</rootfiles></container>",
        "O/c.opf": '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="i">'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        "<dc:title>The Pilot Book</dc:title><dc:language>en-GB</dc:language>"
        '<dc:identifier id="i">x</dc:identifier></metadata><manifest>'
        '<item id="a" href="a.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="b" href="b.xhtml" media-type="application/xhtml+xml"/></manifest>'
        '<spine><itemref idref="b"/><itemref idref="a"/></spine></package>',
        "O/a.xhtml": page.format("Anchoring", "The bottom is mud."),
        "O/b.xhtml": page.format("Approach", "Keep the spire in line."),
    }
    parsed = parse(a_zip(tmp_path / "x", parts), tmp_path)
    assert parsed.title == "The Pilot Book"
    assert kinds(parsed, "heading") == ["Approach", "Anchoring"]  # the order of the spine


def test_a_rich_text(tmp_path: Path) -> None:
    path = tmp_path / "x.rtf"
    path.write_bytes(
        rb"{\rtf1\ansi\ansicpg1252 The crane lifts 12 tonnes. Gr\'fc\'dfe.\par Second line.\par}"
    )
    parsed = parse(path, tmp_path)
    assert parsed.media_type == media_types.RTF
    assert "12 tonnes. Grüße." in parsed.text


def test_an_outlook_message_with_an_attachment(tmp_path: Path) -> None:
    path = tmp_path / "x.msg"
    data = (SAMPLES / "lease.pdf").read_bytes().ljust(4_096, b"\n")
    path.write_bytes(
        outlook_message("Berth 4", "The crane is out of order.", "Martha Osei", {"../lease.pdf": data})
    )
    parsed = parse(path, tmp_path)
    assert parsed.media_type == media_types.MSG
    assert parsed.title == "Berth 4"
    assert "The crane is out of order." in parsed.text
    (attachment,) = parsed.attachments
    assert attachment.name == "lease.pdf"
    assert Path(attachment.path).read_bytes() == data


def a_mail(path: Path, lines: str) -> Path:
    path.write_bytes(lines.replace("\n", "\r\n").encode())
    return path


def test_a_mail_in_html_only_with_encoded_headers(tmp_path: Path) -> None:
    mail = a_mail(
        tmp_path / "x.eml",
        "From: =?utf-8?q?J=C3=B6rg?= <j@example.com>\nTo: k@example.com\nSubject: =?utf-8?b?R3LDvMOfZQ==?=\n"
        "Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
        "<html><body><h1>Grüße</h1><p>The berth is <b>free</b>.</p></body></html>\n",
    )
    parsed = parse(mail, tmp_path)
    assert parsed.title == "Grüße"
    assert "From: Jörg <j@example.com>" in parsed.text
    assert kinds(parsed, "heading") == ["Grüße"]
    assert "The berth is free." in parsed.text
    assert list(tmp_path.iterdir()) == [mail]


def test_a_mail_inside_a_mail_is_an_attachment(tmp_path: Path) -> None:
    mail = a_mail(
        tmp_path / "x.eml",
        "From: a@example.com\nTo: b@example.com\nSubject: Fwd\nMIME-Version: 1.0\n"
        'Content-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/plain\n\nSee below.\n--b\n'
        "Content-Type: message/rfc822\n\nFrom: c@example.com\nSubject: The original\n\nOriginal words.\n--b\n"
        'Content-Type: application/pdf; name="../../x.pdf"\nContent-Transfer-Encoding: base64\n\nJVBERg==\n--b\n'
        "Content-Type: image/png\nContent-Transfer-Encoding: base64\n\niVBORw==\n--b--\n",
    )
    parsed = parse(mail, tmp_path)
    assert [(one.name, one.media_type) for one in parsed.attachments] == [
        ("The original.eml", "message/rfc822"),
        ("x.pdf", "application/pdf"),
    ]
    assert b"Original words." in Path(parsed.attachments[0].path).read_bytes()
    assert "Original words." not in parsed.text


@pytest.mark.parametrize(
    "headers",
    [
        "From: =?no-such-charset?q?x?=\nSubject: s",
        "From: x\nSubject: =?utf-8?b?broken",
        "From: a@b\nContent-Type: text/plain; charset=no-such-charset",
        "From: a@b\nContent-Type: multipart/mixed\nSubject: without a boundary",
        "From: a@b\nContent-Transfer-Encoding: base64\nSubject: broken base64",
        "From: a@b\nDate: not a date\nTo: <<<>>>\nSubject: \u00fc raw",
    ],
)
def test_a_malformed_mail_is_read_as_far_as_it_goes(tmp_path: Path, headers: str) -> None:
    assert (
        "From:"
        in parse(a_mail(tmp_path / "x.eml", f"{headers}\n\nbody of the mail, à la carte\n"), tmp_path).text
    )


# real files


@pytest.mark.skipif(not REAL_FILES.is_dir(), reason="the shared test data are not on this machine")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("csv-semicolon.csv", "| Sheryl | Baxter | Rasmussen Group |"),
        ("docx-tables.docx", "| Header Col 1 | Header Col 2 |"),
        ("example-10k-1p.html", "Galaxy Gaming, Inc."),
        ("fake-email-attachment.eml", "Here's the attachments!"),
        ("fake-memo.pdf", "20,000 bottles of water"),
        ("layout-parser-paper-with-table.pdf", "| PRImA [3] | M | - | Layouts of scanned modern magazines"),
        ("multi-column-2p.pdf", "Open-domain question answering relies on efficient passage retrieval"),
        ("norwich-city.txt", "1990–1993 Huddersfield Town"),  # noqa: RUF001  # a dash
        ("sample-presentation.pptx", "- And a list of bulleted information"),
        ("vodafone.xlsx", "| Mobile customers | Nine quarters to 30 June 2023 |"),
        ("wiki.md", "nicknamed Big Blue"),
        ("word_sample.docx", "Enjoy summer warmth"),
    ],
)
def test_real_files_keep_their_words(tmp_path: Path, name: str, words: str) -> None:
    assert words in parse(REAL_FILES / name, tmp_path).text


def test_no_cell_of_a_workbook_is_lost(tmp_path: Path) -> None:
    text = parse(SAMPLES / "price-list.xlsx", tmp_path).text
    for cell in (
        "KH-4",
        "4.2",
        "150000",
        "12",
        "Emergency call-out within 24 hours",
        "640",
        "Lead time weeks",
    ):
        assert cell in text


def test_a_picture_format_that_only_claims_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + io.BytesIO(b"not a picture").getvalue())
    parsed = parse(path, tmp_path, ocr=Tesseract(PROGRAM) if PROGRAM else None)
    assert (parsed.text, parsed.unread_pages) == ("", [1])
