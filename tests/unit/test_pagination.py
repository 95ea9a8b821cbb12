"""Cursors: opaque, and refused when mangled."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from api.pagination import PageParameters, decode_cursor, encode_cursor, paginate
from perdure.errors import InvalidInputError


class Number(BaseModel):
    value: int


@given(st.text(min_size=1).filter(lambda text: text.isprintable()))
def test_a_cursor_comes_back_as_it_was(key: str) -> None:
    cursor = encode_cursor(key)
    assert decode_cursor(cursor) == key
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(st.text())
def test_any_other_text_is_refused_by_name(cursor: str) -> None:
    with pytest.raises(InvalidInputError) as error:
        decode_cursor(cursor)
    assert error.value.errors[0].pointer == "/query/cursor"


@given(st.integers(0, 30), st.characters(codec="ascii", categories=["L", "N"]))
def test_a_changed_character_is_noticed(position: int, character: str) -> None:
    cursor = encode_cursor("doc_01hzzzzzzzzzzzzzzzzzzzzzzz")
    changed = cursor[:position] + character + cursor[position + 1 :]
    if changed != cursor:
        with pytest.raises(InvalidInputError):
            decode_cursor(changed)


def test_the_id_alone_is_no_cursor() -> None:
    with pytest.raises(InvalidInputError):
        decode_cursor(base64.urlsafe_b64encode(b"doc_01hzzzzzzzzzzzzzzzzzzzzzzz").decode())


@pytest.mark.parametrize("foreign", ["doc_1", "-1", "1.5", "९", "9" * 16])
def test_the_cursor_of_another_list_is_no_number(foreign: str) -> None:
    with pytest.raises(InvalidInputError):
        PageParameters(after=foreign).after_number()


@given(st.integers(0, 40), st.integers(1, 10))
def test_walking_the_pages_shows_everything_once(count: int, limit: int) -> None:
    numbers = list(range(count, 0, -1))
    seen: list[int] = []
    after: int | None = None
    while True:
        rows = [number for number in numbers if after is None or number < after][: limit + 1]
        page = paginate(
            rows, PageParameters(None, limit), read=lambda row: Number(value=row), key=lambda row: row
        )
        assert len(page.items) <= limit
        seen += [item.value for item in page.items]
        if page.next_cursor is None:
            break
        after = PageParameters(after=decode_cursor(page.next_cursor)).after_number()
    assert seen == numbers
