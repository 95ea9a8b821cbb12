"""What holds for every text: nothing visible is lost, offsets fit, and no input raises what it should not."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from perdure.domain.addresses import AddressRules, check_url, is_public
from perdure.domain.archives import ArchiveLimits, safe_name
from perdure.domain.clean_text import clean
from perdure.domain.languages import detect_language
from perdure.domain.media_types import SUPPORTED, ZIP, detect
from perdure.domain.pdf_layout import add_page, match_headings
from perdure.domain.structured_text import StructuredText
from perdure.domain.text_blocks import Block, markdown_blocks, prose_blocks
from perdure.errors import DocumentRejectedError
from perdure.providers.charsets import decode

any_text = st.text(alphabet=st.characters(), max_size=400)
MARKS = (
    "# Head", "## Two", "text goes here.", "- item", "1. first", "", "", "```", "| a | b |", "| --- | --- |", "====",
    "----", "    code", "> quote", "  more", "1.2 Notice", "CAPITALS HERE", "\t", "***", "word " * 50,
)  # fmt: skip
markup = st.lists(st.sampled_from(MARKS), max_size=40).map("\n".join)


@given(any_text)
def test_cleaned_text_can_be_stored_and_is_stable(text: str) -> None:
    cleaned = clean(text)
    assert "\0" not in cleaned.text
    cleaned.text.encode("utf-8")
    again = clean(cleaned.text)
    assert (again.text, again.cleaned_characters) == (cleaned.text, 0)


def check(text: str, blocks: list[Block]) -> None:
    end = 0
    for block in blocks:
        assert end <= block.start < block.end <= len(text)
        assert text[block.start : block.end].strip()
        assert (block.level is not None) == (block.kind == "heading")
        end = block.end


@given(markup | any_text)
def test_blocks_of_a_text_stand_in_order_inside_it(text: str) -> None:
    cleaned = clean(text).text
    check(cleaned, markdown_blocks(cleaned))
    check(cleaned, prose_blocks(cleaned))


@given(markup | any_text)
def test_prose_blocks_cover_every_letter(text: str) -> None:
    cleaned = clean(text).text
    covered = "".join(cleaned[block.start : block.end] for block in prose_blocks(cleaned))
    assert [one for one in covered if one.isalnum()] == [one for one in cleaned if one.isalnum()]


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8"), max_size=60), max_size=20))
def test_a_pdf_page_keeps_every_letter(lines: list[str]) -> None:
    page = clean("\n".join(lines)).text
    builder = StructuredText(1_000_000)
    builder.start_page(1)
    add_page(builder, page, match_headings(page, [(line, 2) for line in lines[::3]]))
    builder.end_page()
    assert [one for one in builder.text if one.isalnum()] == [one for one in page if one.isalnum()]
    assert builder.pages[0][2] == len(builder.text)


@given(
    st.binary(max_size=300),
    st.sampled_from(["x", "x.txt", "x.md", "x.csv", "x.json", "x.html", "x.eml", "x.pdf"]),
)
def test_detection_knows_a_type_or_refuses_with_a_reason(head: bytes, name: str) -> None:
    try:
        told = detect(head, None, name)
    except DocumentRejectedError as error:
        told = error.reason
    assert told in SUPPORTED | {ZIP, "empty", "unsupported_type", "password_protected", "corrupt"}


@given(st.binary(max_size=300), st.sampled_from([None, "latin-1", "utf-8", "no-such-charset", "utf-16"]))
def test_decoding_never_fails(data: bytes, hint: str | None) -> None:
    clean(decode(data, hint)).text.encode()


@given(any_text)
def test_utf8_is_decoded_as_it_was_written(text: str) -> None:
    written = "".join(one for one in text if unicodedata.category(one) != "Cs" and one not in "\0\ufeff")
    assert decode(written.encode()) == written or len(written) < 4 or "\x00" in written


@given(any_text)
def test_every_text_has_a_language_or_none(text: str) -> None:
    tag = detect_language(text)
    assert tag is None or len(tag) == 2


@given(any_text)
def test_a_safe_name_stays_inside(name: str) -> None:
    parts = safe_name(name, ArchiveLimits()).split("/")
    assert parts
    assert not {"", ".", ".."} & set(parts)


@given(st.ip_addresses())
def test_a_url_of_an_address_is_accepted_exactly_when_it_is_public(address: object) -> None:
    host = f"[{address}]" if ":" in str(address) else str(address)
    try:
        check_url(f"http://{host}/", AddressRules())
        accepted = True
    except DocumentRejectedError:
        accepted = False
    assert accepted == is_public(str(address))


@given(st.text(max_size=100))
def test_any_url_is_taken_apart_or_refused(url: str) -> None:
    for candidate in (url, f"http://{url}", f"http://example.com/{url}"):
        try:
            target = check_url(candidate, AddressRules())
        except DocumentRejectedError:
            continue
        assert target.url.isascii()
        assert check_url(target.url, AddressRules()) == target
