"""Text that PostgreSQL can hold and people can read."""

import pytest
from pydantic import ValidationError

from perdure.domain.clean_text import clean, is_blank, one_line
from perdure.schemas.approval_requests import ApprovalCreate


@pytest.mark.parametrize(
    ("dirty", "cleaned", "count"),
    [
        ("plain", "plain", 0),
        ("", "", 0),
        ("a\x00b", "ab", 1),
        ("a\ud800b", "a\ufffdb", 1),
        ("\udcff\udcfe", "\ufffd\ufffd", 2),
        ("a\x07\x1b[31mb", "a[31mb", 2),
        ("tab\tand\nline\fand page", "tab\tand\nline\fand page", 0),
        ("dos\r\nmac\runix\n", "dos\nmac\nunix\n", 0),
        ("next\x85line\u2028sep\u2029par", "next\nline\nsep\npar", 0),
        ("\ufeffmark", "mark", 1),
        ("soft\u00adhyphen", "softhyphen", 1),
        ("\ufffe\uffff", "", 2),
        ("1986\u00e2\u0080\u00931990", "1986–1990", 2),  # noqa: RUF001  # a dash that was encoded twice
        ("Ã¼ stays, it may be meant", "Ã¼ stays, it may be meant", 0),
        ("😀 and 日本 and é", "😀 and 日本 and é", 0),
    ],
)
def test_characters_are_cleaned_and_counted(dirty: str, cleaned: str, count: int) -> None:
    result = clean(dirty)
    assert (result.text, result.cleaned_characters) == (cleaned, count)


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b\u2060", "\ufeff", "\u202e\u00ad\x00"])
def test_what_cannot_be_seen_is_blank(text: str) -> None:
    assert is_blank(text)


@pytest.mark.parametrize("text", [".", "\u200bx", "\U0001f600", "\u4e2d", ":-)"])
def test_whatever_can_be_seen_is_not(text: str) -> None:
    assert not is_blank(text)


@pytest.mark.parametrize(
    ("given", "title"),
    [
        ("A lease", "A lease"),
        ("  A\tlease\r\nBcc: eve@example.org ", "A lease Bcc: eve@example.org"),
        ("Pay \u202e000,1\u202c EUR", "Pay 000,1 EUR"),
        ("\u2066קבלה\u2069 17", "קבלה 17"),
        ("one\u2028two\x1bthree", "one twothree"),
    ],
)
def test_a_title_is_one_line_that_reads_as_it_is_written(given: str, title: str) -> None:
    assert one_line(given) == title
    assert ApprovalCreate(title=given, policy={}).title == title


@pytest.mark.parametrize("unseen", [" ", "\u202e", "\u200b\n"])
def test_a_title_that_nobody_sees_is_refused(unseen: str) -> None:
    with pytest.raises(ValidationError, match="must not be blank"):
        ApprovalCreate(title=unseen, policy={})
