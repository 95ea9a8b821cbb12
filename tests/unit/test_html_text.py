"""What a reader of a web page sees, in its order, and nothing that is hidden."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.domain.html_text import HtmlReader, declared_charset
from perdure.domain.structured_text import StructuredText


def read(page: str) -> tuple[list[tuple[str, str]], HtmlReader]:
    builder = StructuredText(1_000_000)
    reader = HtmlReader(builder)
    reader.feed(page)
    reader.finish()
    return [
        (f"{kind}{level or ''}", builder.text[start:end]) for kind, start, end, level in builder.blocks
    ], reader


@pytest.mark.parametrize(
    ("page", "blocks"),
    [
        ("<p>one</p><p>two</p>", [("paragraph", "one"), ("paragraph", "two")]),
        ("<p>one<p>two", [("paragraph", "one"), ("paragraph", "two")]),
        ("just words", [("paragraph", "just words")]),
        ("<h1>A <em>b</em></h1>text", [("heading1", "A b"), ("paragraph", "text")]),
        ("<div>a <b>bold</b>,\n <i>italic</i> x</div>", [("paragraph", "a bold, italic x")]),
        ("a<br>b<br/> c", [("paragraph", "a\nb\nc")]),
        ("5 &lt; 6 &amp; &uuml;&#x20AC;", [("paragraph", "5 < 6 & ü€")]),
        ("<ul><li>a<li>b<ul><li>c</ul></ul>", [("list", "- a\n- b\n  - c")]),
        ("<ol><li>a</li><li><p>b</p><p>c</p></li></ol>", [("list", "1. a\n2. b c")]),
        ("<ul><li></li><li>x</li></ul>", [("list", "- x")]),
        ("<li>no list around</li>", [("list", "- no list around")]),
        ("<pre>a  b\n  c</pre>", [("code", "a  b\n  c")]),
        ("<blockquote>said</blockquote>", [("paragraph", "said")]),
        ("<dl><dt>Term<dd>Meaning</dl>", [("paragraph", "Term"), ("paragraph", "Meaning")]),
        ("<img alt='A crane' src=x>", [("paragraph", "A crane")]),
        ("<img src=x>", []),
        (
            "<table><tr><th>a<th>b<tr><td>1<td><p>2</p><p>3</p></table>",
            [("table", "| a | b |\n| 1 | 2 3 |")],
        ),
        (
            "<table><tr><td colspan=2>wide<td>x<tr><td>1<td>2<td>3</table>",
            [("table", "| wide |  | x |\n| 1 | 2 | 3 |")],
        ),
        (
            "<table><tr><td>only</td></tr><tr><td>one column</td></tr></table>",
            [("paragraph", "only"), ("paragraph", "one column")],
        ),
        (
            f"<table><tr><td>menu<td>{'x ' * 600}</table>",
            [("paragraph", "menu"), ("paragraph", ("x " * 600).strip())],
        ),
        (
            "<table><tr><td>a<table><tr><td>in<td>ner</table><td>b<tr><td>c<td>d</table>",
            [("table", "| a in ner | b |\n| c | d |")],
        ),
        (
            "<table><tr><td><ul><li>x<li>y</ul><td>z<tr><td>1<td>2</table>",
            [("table", "| x y | z |\n| 1 | 2 |")],
        ),
        ("<table><td>no row</table>", [("paragraph", "no row")]),
        ("</td></table></ul></li>stray ends", [("paragraph", "stray ends")]),
        ("<table><tr><td>never closed<td>x", [("table", "| never closed | x |")]),
        ("<ul><li>never closed", [("list", "- never closed")]),
        ("<pre>never closed", [("code", "never closed")]),
    ],
)
def test_pages_become_blocks(page: str, blocks: list[tuple[str, str]]) -> None:
    assert read(page)[0] == blocks


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>secret()</script>",
        "<style>secret {}</style>",
        "<template><p>secret</p></template>",
        "<nav><a>secret</a></nav>",
        "<div hidden>secret <div>secret</div> secret</div>",
        "<p style='color:red; display : none'>secret</p>",
        "<span style='visibility:hidden'>secret</span>",
        "<svg><title>secret</title><text>secret</text></svg>",
        "<button>secret</button>",
        "<!-- secret -->",
        "<input hidden value=secret>",
    ],
)
def test_what_nobody_sees_is_no_text(hidden: str) -> None:
    assert read(f"<p>before</p>{hidden}<p>after</p>")[0] == [("paragraph", "before"), ("paragraph", "after")]


def test_title_and_language_are_no_text() -> None:
    blocks, reader = read("<html lang='de'><head><title> Der\n Titel </title></head><body>Text</body></html>")
    assert blocks == [("paragraph", "Text")]
    assert (reader.title, reader.language) == ("Der Titel", "de")


@pytest.mark.parametrize(
    ("head", "charset"),
    [
        (b'<meta charset="iso-8859-1">', "iso-8859-1"),
        (b"<meta http-equiv=Content-Type content='text/html; charset=windows-1252'>", "windows-1252"),
        (b'<?xml version="1.0" encoding="UTF-8"?>', "UTF-8"),
        (b"<p>charset = x</p>", None),
    ],
)
def test_the_declared_charset(head: bytes, charset: str | None) -> None:
    assert declared_charset(head) == charset


TAGS = (
    *(
        "p",
        "div",
        "h1",
        "h2",
        "ul",
        "ol",
        "li",
        "table",
        "tr",
        "td",
        "th",
        "pre",
        "br",
        "img",
        "blockquote",
        "b",
    ),
    *("i", "a", "script", "style", "title", "html", "body", "dl", "dt", "dd", "nav", "span"),
)
pieces = st.one_of(
    st.sampled_from([f"<{tag}>" for tag in TAGS] + [f"</{tag}>" for tag in TAGS]),
    st.sampled_from(
        [
            "word ",
            "Grüße",
            " ",
            "\n",
            "&amp;",
            "<",
            ">",
            "&#0;",
            "<td colspan=99999>",
            "<td colspan=x>",
            "<!--",
        ]
    ),
)


@given(st.lists(pieces, max_size=60).map("".join))
def test_any_mess_of_tags_is_read_without_failing(page: str) -> None:
    blocks, _ = read(page)
    assert all(text.strip() for _, text in blocks)


@given(
    st.lists(
        st.sampled_from(
            [f"<{tag}>" for tag in ("p", "h2", "ul", "li", "b", "div", "table", "tr", "td", "blockquote")]
        ),
        max_size=30,
    )
)
def test_no_visible_word_is_lost_whatever_is_left_open(tags: list[str]) -> None:
    page = "".join(f"{tag}word{number} " for number, tag in enumerate(tags))
    words = " ".join(text for _, text in read(page)[0])
    assert all(f"word{number} " in f"{words} ".replace("\n", " ") for number in range(len(tags)))
