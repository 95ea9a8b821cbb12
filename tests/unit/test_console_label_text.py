"""Labels as people type them: what is written is what was read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from api.routes.console_label_text import LabelTextError, depths, labels_of, text_of
from perdure.schemas.classification import LabelGiven

TYPED = """
Invoice: asks for payment of something that was delivered
  > Please find attached invoice 4711: 1,200 EUR.
  Reminder: says that a payment is late
    >   You still owe us 12 EUR.

Complaint
\tFinal: "the last one", before a lawyer writes
"Questions: general": about anything
"""


def test_a_line_is_a_label_with_what_belongs_to_it_its_examples_and_its_parent() -> None:
    invoice, reminder, complaint, final, questions = labels_of(TYPED)
    assert (invoice.name, invoice.description) == (
        "Invoice",
        "asks for payment of something that was delivered",
    )
    assert invoice.examples == ["Please find attached invoice 4711: 1,200 EUR."]
    assert (reminder.parent, reminder.examples) == ("Invoice", ["You still owe us 12 EUR."])
    assert (complaint.parent, complaint.description) == (None, "")
    assert (final.parent, final.description) == ("Complaint", '"the last one", before a lawyer writes')
    assert (questions.name, questions.description) == ("Questions: general", "about anything")


def test_nothing_typed_is_no_labels() -> None:
    assert labels_of(" \n\n\t\r\n") == []


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("> an example", "Line 1 is an example"),
        ("a\n: no name", "Line 2 has no label"),
        ('a\n\n"open', "Line 3 opens a quotation mark"),
        ('"": x', "Line 1 has no label"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(typed: str, said: str) -> None:
    with pytest.raises(LabelTextError, match=said):
        labels_of(typed)


def test_what_the_schema_refuses_is_refused() -> None:
    with pytest.raises(ValidationError):
        labels_of("x" * 201)


def test_a_label_that_stands_between_others_of_its_depth_comes_back_to_it() -> None:
    found = {label.name: label.parent for label in labels_of("a\n  b\n    c\n  d\ne\n    f\n  g")}
    assert found == {"a": None, "b": "a", "c": "b", "d": "a", "e": None, "f": "e", "g": "e"}


def test_depths_are_counted_from_the_outermost_and_a_circle_is_no_trap() -> None:
    assert depths(labels_of("a\n  b\n    c\nd")) == {"a": 0, "b": 1, "c": 2, "d": 0}
    circle = [LabelGiven(name="a", parent="b"), LabelGiven(name="b", parent="a")]
    assert depths(circle) == {"a": 1, "b": 1}


WORDS = st.text(st.sampled_from("abc éß:>,'-# 1"), min_size=1, max_size=20).map(str.split).map(" ".join)
NAMES = WORDS.filter(bool)


@st.composite
def label_sets(draw: st.DrawFn) -> list[LabelGiven]:
    """Labels of which each may be part of one before it."""
    labels: list[LabelGiven] = []
    for name in draw(st.lists(NAMES, max_size=8, unique_by=str.casefold)):
        parent = draw(st.none() | st.sampled_from(labels)) if labels else None
        labels.append(
            LabelGiven(
                name=name,
                description=draw(WORDS),
                examples=draw(st.lists(NAMES, max_size=3)),
                parent=parent.name if parent else None,
            )
        )
    return labels


@given(label_sets())
def test_what_is_written_is_read_back(labels: list[LabelGiven]) -> None:
    assert {label.name: label for label in labels_of(text_of(labels))} == {
        label.name: label for label in labels
    }


def test_a_parent_that_is_no_label_and_a_circle_lose_no_outermost_label() -> None:
    orphan = LabelGiven(name="a", parent="gone", examples=["two\nlines"])
    assert text_of([orphan]) == "a\n  > two lines"
