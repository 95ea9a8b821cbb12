"""Pasted HTML is read as its reader sees it; what only speaks of tags is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.domain.html_words import is_html, seen

MAIL = '<div dir="ltr">Hello&nbsp;Ann,<br>the <b>pump</b> is un<i>believ</i>able.<p>Caf&eacute; &amp; more</p></div>'


def test_words_stand_where_they_stood() -> None:
    read = seen(MAIL)
    assert read.text.split() == ["Hello", "Ann,", "the", "pump", "is", "unbelievable.", "Café", "&", "more"]
    for word, said in (("pump", "pump"), ("Café", "Caf&eacute;"), ("unbelievable", "un<i>believ</i>able")):
        at = read.text.index(word)
        start, end = read.span(at, at + len(word))
        assert MAIL[start:end] == said


def test_what_a_reader_does_not_see_is_not_read() -> None:
    page = (
        "<html><head><title>T</title><style>p { color: red }</style></head><body><script>alert(1)</script>"
        '<div style="display: none">preheader <div>inner</div> still</div><!-- secret <b> --><p>Seen.</p></body></html>'
    )
    assert seen(page).text.split() == ["Seen."]


def test_where_links_lead_is_known_and_where_it_stands() -> None:
    page = (
        '<div><a class=x href = "https://Example.com/?a=1&amp;b=2">here</a><a href=mailto:ann@example.com>Ann</a>'
        "<a href='#top'>up</a><a href='javascript:alert(1)'>x</a><a name=a>y</a>"
        "<span style='display:none'><a href='https://hidden.example'>z</a></span></div>"
    )
    links = seen(page).links
    assert [link.address for link in links] == ["https://Example.com/?a=1&b=2", "mailto:ann@example.com"]
    assert page[links[0].start : links[0].end] == "https://Example.com/?a=1&amp;b=2"


def test_headings_and_items_keep_what_marks_them() -> None:
    read = seen("<body><h2>Agenda</h2><ul><li>One</li><li>Two</li></ul></body>")
    assert [line for line in read.text.split("\n") if line.strip()] == ["# Agenda", "- One", "- Two"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "How do I close a <div> in my page? I wrote <p>this</p> and it broke.",
        "if a < b and c > d: print('<br>')",
        "<invoice><total>12</total></invoice>",
        "<ann@example.com> wrote: no",
        "<p> is a tag",
        "I love this &amp; that",
    ],
)
def test_what_is_not_clearly_html_stays_as_it_is(text: str) -> None:
    assert not is_html(text)
    read = seen(text)
    assert (read.text, read.span(1, 3)) == (text, (1, 3))


@pytest.mark.parametrize(
    "text",
    [
        MAIL,
        "<!DOCTYPE html><p>x</p>",
        "From: Ann\nSubject: pump\n\n<html>\n<body>It is broken.</body>\n</html>\n",
        "  <P>Dear all,</P>\n<P>thanks</P> ",
        "<span>x</span>",
    ],
)
def test_pages_and_pasted_mails_are_html(text: str) -> None:
    assert is_html(text)
    assert "<" not in seen(text).text


PIECES = [
    *("<p>", "</p>", "<div style='display:none'>", "</div>", "<!--", "-->", "<br>", "<script>", "</script>"),
    *("<", ">", "&amp;", "&#0;", "&#55296;", "& ", "<a href='", '"', "word", " ", "\n", "é"),
]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_every_character_has_a_place_and_they_are_in_order(inner: str) -> None:
    text = f"<div>{inner}</div>"
    read = seen(text)
    assert read.starts is not None
    assert read.ends is not None
    assert len(read.text) == len(read.starts) == len(read.ends)
    assert list(read.starts) == sorted(read.starts)
    assert all(0 <= start < end <= len(text) for start, end in zip(read.starts, read.ends, strict=True))
