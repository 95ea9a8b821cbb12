"""Marked texts: the text itself is never changed, whatever was found in it and wherever it claims to be."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, StrictUndefined, select_autoescape

from api.routes.console_marked_text import Entity, Piece, Run, entity_tone, legend, marked_text

TEXT = "Invoice 4711: 1,200.00 EUR, due on 2 March 2026."
MONEY = Entity("money", 14, 26, "1200.00 EUR")
DATE = Entity("date", 35, 47, "2026-03-02")

_STYLES = Path(__file__).parents[2] / "api/static/css/components.css"


def pieces_of(runs: list[Run]) -> list[Piece]:
    return [piece for run in runs for piece in run.pieces]


def test_each_entity_is_one_piece_with_its_own_words() -> None:
    found = {
        piece.entity: piece.text for piece in pieces_of(marked_text(TEXT, [DATE, MONEY])) if piece.entity
    }
    assert found == {MONEY: "1,200.00 EUR", DATE: "2 March 2026"}


def test_evidence_is_a_run_that_keeps_the_entities_within() -> None:
    runs = marked_text(TEXT, [MONEY], [(8, 26)])
    assert [run.is_evidence for run in runs] == [False, True, False]
    assert "".join(piece.text for piece in runs[1].pieces) == "4711: 1,200.00 EUR"
    assert [piece.entity for piece in runs[1].pieces] == [None, MONEY]


def test_an_entity_that_evidence_cuts_is_shown_on_both_sides() -> None:
    runs = marked_text(TEXT, [MONEY], [(0, 20)])
    assert runs[0].pieces[-1] == Piece("1,200.", MONEY)
    assert runs[1].pieces[0] == Piece("00 EUR", MONEY, is_end=True)


def test_passages_that_overlap_or_touch_are_one_run() -> None:
    runs = marked_text(TEXT, evidence=[(0, 12), (7, 20), (20, 26)])
    assert [(run.is_evidence, len(run.pieces)) for run in runs] == [(True, 1), (False, 1)]


def test_of_entities_that_overlap_the_shorter_one_is_shown_and_the_longer_one_around_it() -> None:
    address = Entity("address", 0, 20)
    place = Entity("place", 5, 10)
    shown = [(piece.text, piece.entity) for piece in pieces_of(marked_text(TEXT, [address, place]))]
    assert shown == [
        (TEXT[:5], address),
        (TEXT[5:10], place),
        (TEXT[10:20], address),
        (TEXT[20:], None),
    ]


def test_an_entity_in_several_pieces_is_named_once_at_its_last_one() -> None:
    address, place = Entity("address", 0, 20), Entity("place", 5, 10)
    ends = [piece.is_end for piece in pieces_of(marked_text(TEXT, [address, place], [(0, 15)]))]
    assert ends == [False, True, False, True, False]


def test_offsets_that_lie_outside_or_the_wrong_way_round_mark_nothing() -> None:
    wrong = [Entity("money", *ends) for ends in ((-3, 4), (60, 70), (9, 9), (12, 3))]
    assert marked_text(TEXT, wrong, [(-1, 3), (99, 100), (5, 5)]) == [Run(False, [Piece(TEXT)])]


def test_no_text_has_no_pieces_and_a_long_one_is_cut() -> None:
    assert marked_text("") == []
    assert pieces_of(marked_text("x" * 90, [Entity("url", 40, 80)], most=50))[-1].text == "x" * 10


@given(
    st.text(max_size=60),
    st.lists(st.tuples(st.integers(-5, 70), st.integers(-5, 70)), max_size=8),
    st.lists(st.tuples(st.integers(-5, 70), st.integers(-5, 70)), max_size=5),
)
def test_the_pieces_are_the_text_and_every_mark_lies_where_it_was_found(
    text: str, places: list[tuple[int, int]], evidence: list[tuple[int, int]]
) -> None:
    entities = [Entity(f"type_{number}", *ends) for number, ends in enumerate(places)]
    runs = marked_text(text, entities, evidence)
    assert "".join(piece.text for piece in pieces_of(runs)) == text
    place = 0
    for run in runs:
        for piece in run.pieces:
            assert piece.text
            inside = range(place, place + len(piece.text))
            valid = [e for e in entities if 0 <= e.start < min(e.end, len(text))]
            if piece.entity:
                assert piece.entity.start <= inside.start
                assert inside.stop <= piece.entity.end
            else:
                assert not any(e.start <= spot < e.end for e in valid for spot in inside)
            given_ends = [ends for ends in evidence if 0 <= ends[0] < min(ends[1], len(text))]
            assert all(any(a <= spot < b for a, b in given_ends) == run.is_evidence for spot in inside)
            place = inside.stop


def test_hostile_text_is_text_in_the_page() -> None:
    hostile = "<script>alert(1)</script> \"&'> {{ 7 * 7 }} </mark><img src=x onerror=alert(1)>"
    runs = marked_text(hostile, [Entity("url", 3, 12, "<b>")], [(0, 30)])
    environment = Environment(autoescape=select_autoescape(default=True), undefined=StrictUndefined)
    shown = environment.from_string(
        "{% for run in runs %}{% for piece in run.pieces %}{{ piece.text }}{% endfor %}{% endfor %}"
    ).render(runs=runs)
    assert "<" not in shown
    assert "49" not in shown


def test_the_legend_counts_types_and_every_tone_is_one_that_there_is() -> None:
    counted = legend([MONEY, DATE, Entity("money", 0, 1), Entity("licence_plate", 1, 2)])
    assert [(entry.label, entry.count) for entry in counted] == [
        ("Money", 2),
        ("Date", 1),
        ("Licence plate", 1),
    ]
    styles = _STYLES.read_text()
    assert all(f".tone-{entry.tone} " in styles for entry in counted)
    assert entity_tone("unheard of") == "neutral"
