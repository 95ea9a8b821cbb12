"""Where sentences end, and where a line merely does."""

import pytest

from perdure.domain.sentences import sentences

LEASE = (
    "3. Notice\n\nThe notice period is six months to the end of a quarter. Notice must be given in writing and reach\n"
    "the other party by registered letter. The tenant may end the lease early, for the first time on 31\n"
    "March 2028, against a payment of two monthly rents.\n\n5. Deposit\n\n"
    "The tenant pays a deposit of 24,600 euros, which is three monthly rents of the first year. The\n"
    "landlord keeps it in a separate account and returns it with interest within eight weeks after the keys\n"
    "are handed back.\n"
)


def said(text: str) -> list[str]:
    return [" ".join(one.text.split()) for one in sentences(text)]


def test_a_line_that_is_full_goes_on_in_the_next() -> None:
    assert said(LEASE) == [
        *("3. Notice", "The notice period is six months to the end of a quarter."),
        "Notice must be given in writing and reach the other party by registered letter.",
        "The tenant may end the lease early, for the first time on 31 March 2028, against a payment of two monthly "
        "rents.",
        *("5.", "Deposit"),
        "The tenant pays a deposit of 24,600 euros, which is three monthly rents of the first year.",
        "The landlord keeps it in a separate account and returns it with interest within eight weeks after the keys "
        "are handed back.",
    ]


def test_sentences_stand_where_they_say() -> None:
    assert all(LEASE[one.start : one.end] == one.text for one in sentences(LEASE))


@pytest.mark.parametrize(
    "text",
    [
        "Milk\nBread\nTwo kilos of potatoes",
        "Ann: shall we move the review to Thursday because of the holiday in Lyon\nBen: fine with me, Thursday it is",
        "Minutes of the meeting of the supervisory board of 12 March 2026 in Arden\nPresent: Calder, Lindqvist",
        "- the roof, the outer walls and the crane rails are kept in repair by us\n"
        "- the tenant bears small repairs inside up to 800 euros in each single case",
        "[00:12:03] we will look at the budget of the northern region next week\n"
        "[00:12:09] and then decide about the barrier boards of the gate in spring",
        "| Year | From | Monthly rent in euros without value added tax |\n| 1 | 1 March 2025 | 8,200 EUR | 950 EUR |",
    ],
)
def test_lines_of_lists_transcripts_headings_and_tables_end_with_their_line(text: str) -> None:
    assert said(text) == [" ".join(line.split()) for line in text.split("\n")]


def test_paragraphs_of_one_line_each_stay_apart() -> None:
    text = "\n".join(
        f"Section {number} of the handbook deals with {'the inspection of ' * number}cranes"
        for number in range(1, 9)
    )
    assert len(sentences(text)) == 8


def test_a_full_line_before_an_empty_one_ends_there() -> None:
    text = LEASE.replace("on 31\nMarch", "on 31\n\nMarch")
    assert "The tenant may end the lease early, for the first time on 31" in said(text)
