from hypothesis import given
from hypothesis import strategies as st

from perdure.domain.highlighting import highlight

PASSAGE = (
    "The tenant's notices must reach the landlord in writing. Notice given orally isn't enough; the "
    "landlords' agent may not accept it."
)


@given(st.text(max_size=300), st.text(max_size=60))
def test_the_pieces_joined_are_the_passage(text: str, query: str) -> None:
    assert "".join(piece.text for piece in highlight(text, query)) == text


@given(st.text(max_size=300), st.text(max_size=60))
def test_no_piece_is_empty(text: str, query: str) -> None:
    assert all(piece.text for piece in highlight(text, query))


def marked(query: str, text: str = PASSAGE) -> list[str]:
    return [piece.text for piece in highlight(text, query) if piece.marked]


def test_other_forms_of_a_word_are_marked_too() -> None:
    assert marked("noticing the LANDLORD") == ["notices", "landlord", "Notice", "landlords"]


def test_common_words_are_not_marked_beside_telling_ones() -> None:
    assert marked("is the tenant in there?") == ["tenant's"]


def test_a_query_of_common_words_only_marks_them() -> None:
    assert marked("to be or not", "To be, or not to be") == ["To", "be", "or", "not", "to", "be"]


def test_accented_and_capital_letters_are_words() -> None:
    assert marked("café ÉCOLE", "Le Café près de l école") == ["Café", "école"]
