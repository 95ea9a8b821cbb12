"""A question to memory is taken apart into people, periods and what is left."""

from datetime import UTC, datetime

import pytest

from perdure.domain.recall_query import RecallQuery, analyse

NOW = datetime(2023, 10, 20, tzinfo=UTC)
PEOPLE = ["Caroline", "Melanie Stone", "Professor F", "Hon. Bill Blair (Minister of Safety)", "Jonathan"]


def ask(query: str) -> RecallQuery:
    return analyse(query, PEOPLE, NOW)


@pytest.mark.parametrize(
    ("query", "people", "meaning"),
    [
        ("When did Caroline paint the lake?", ("Caroline",), "When did paint the lake?"),
        ("What is Caroline's dog called?", ("Caroline",), "What is dog called?"),
        ("What did Melanie and Caroline eat?", ("Melanie Stone", "Caroline"), "What did eat?"),
        ("What did Melanie Stone eat?", ("Melanie Stone",), "What did eat?"),
        ("What did Mel eat?", ("Melanie Stone",), "What did eat?"),
        ("What did Professor F propose?", ("Professor F",), "What did propose?"),
        ("What did Mr. Blair say?", ("Hon. Bill Blair (Minister of Safety)",), "What did Mr. say?"),
        ("what did caroline eat", ("Caroline",), "what did eat"),
        ("What did the professor eat?", (), "What did the professor eat?"),
        ("Who is Jon?", ("Jonathan",), "Who is?"),
        ("Where was Luna?", (), "Where was Luna?"),
        ("What did caroline eat with melanie stone?", ("Caroline", "Melanie Stone"), "What did eat with?"),
        ("What did caroline eat in Rome?", (), "What did caroline eat in Rome?"),
        ("What did the bill say?", (), "What did the bill say?"),
        ("What does jon eat?", (), "What does jon eat?"),
    ],
)
def test_known_people_are_found_and_taken_out(query: str, people: tuple[str, ...], meaning: str) -> None:
    asked = ask(query)
    assert (asked.people, asked.meaning) == (people, meaning)


def test_a_question_that_is_only_a_name_is_looked_for_as_it_is() -> None:
    assert ask("Caroline?").meaning == "Caroline?"


def test_the_same_part_of_two_names_is_both() -> None:
    assert analyse("What does Ann do?", ["Ann Lee", "Ann Poe"], NOW).people == ("Ann Lee", "Ann Poe")


def test_an_ambiguous_beginning_is_nobody() -> None:
    assert analyse("What does Mar do?", ["Martha", "Marcus"], NOW).people == ()


def test_words_of_questions_are_no_nicknames() -> None:
    assert analyse("Will it rain?", ["William"], NOW).people == ()


def test_a_word_that_is_a_name_too_needs_a_capital_or_a_possession() -> None:
    people = ["Will", "Mark Rose"]
    assert analyse("When will it rain?", people, NOW).people == ()
    assert analyse("when did will leave", people, NOW).people == ()
    assert analyse("What is will's dog called?", people, NOW).people == ("Will",)
    assert analyse("Who met mark rose?", people, NOW).people == ("Mark Rose",)


def test_names_are_found_without_their_accents() -> None:
    assert analyse("What did Jose and Zoe\u0308 eat?", ["Jos\u00e9", "Zo\u00eb"], NOW).people == (
        "Jos\u00e9",
        "Zo\u00eb",
    )


def test_what_is_asked_about_time() -> None:
    assert ask("When did it rain?").asks_when
    assert ask("In which year did it rain?").asks_when
    assert ask("Where does Caroline work now?").present == 1
    assert ask("Where did Caroline work?").present == 0
    assert [period.start.month for period in ask("What happened in May 2023?").periods] == [5]


def test_people_are_looked_for_among_thousands_quickly_enough_to_be_asked_each_time() -> None:
    many = [f"Person Number{n}" for n in range(5000)]
    assert analyse("What did Caroline say?", [*many, "Caroline"], NOW).people == ("Caroline",)


def test_the_present_tense_asks_a_little_for_what_holds_now() -> None:
    assert 0 < ask("Where does Caroline work?").present < 0.5
    assert ask("Where is Caroline's office?").present > 0
    assert ask("When does Caroline work?").present == 0
    assert ask("Where has Caroline been?").present == 0


def test_questions_about_the_past_do_not_ask_for_what_holds_now() -> None:
    asked = ask("Where does Caroline no longer work now?")
    assert asked.asks_before
    assert asked.present == 0


def test_what_holds_now_is_sought_as_a_change() -> None:
    now, past = ask("Where does Caroline work now?"), ask("Where did Caroline work?")
    assert past.embedded == past.meaning
    assert now.meaning in now.embedded != now.meaning
