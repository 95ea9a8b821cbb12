"""Answers that stand in the sources."""

import pytest

from perdure.domain.extraction import excerpts
from perdure.errors import ProviderError
from perdure.ports.language_models import Generation, Prompt, Source, Turn
from perdure.providers.extractive_language_model import ExtractiveLanguageModel

MANUAL = "The pump is blue. The relief valve opens at 7 bar. Which valve is that? Call Ann about pumps."
NOTES = "We met on Monday. Ann said that the relief valve must open at 7 bar, not at 9."


def prompt(question: str, *texts: str) -> Prompt:
    return Prompt(
        [Turn("user", question)], sources=[Source(f"chk_{n}", text) for n, text in enumerate(texts)]
    )


def test_the_sentences_that_answer_are_found_in_their_order() -> None:
    found = excerpts("At what pressure does the relief valve open?", [MANUAL, NOTES], 5)
    assert [one.text for one in found] == [
        "The relief valve opens at 7 bar.",
        "Ann said that the relief valve must open at 7 bar, not at 9.",
    ]
    for one in found:
        assert [MANUAL, NOTES][one.source][one.start : one.end] == one.text


def test_nothing_is_made_up() -> None:
    assert excerpts("Who won the championship in Norway?", [MANUAL, NOTES], 5) == []
    assert excerpts("", [MANUAL], 5) == []
    assert excerpts("valve", [], 5) == []


def test_the_same_sentence_is_said_once() -> None:
    assert len(excerpts("When does the relief valve open?", [MANUAL, MANUAL], 5)) == 1


async def test_the_built_in_model_quotes_with_citations() -> None:
    model = ExtractiveLanguageModel()
    answer = await model.generate(prompt("When does the relief valve open?", MANUAL))
    assert answer.text == "The relief valve opens at 7 bar. [1]"
    (citation,) = answer.citations
    assert MANUAL[citation.start : citation.end] == "The relief valve opens at 7 bar."
    assert citation.source_id == "chk_0"
    pieces = [piece async for piece in model.stream(prompt("When does the relief valve open?", MANUAL))]
    assert isinstance(pieces[-1], Generation)
    assert "".join(piece for piece in pieces if isinstance(piece, str)) == pieces[-1].text


async def test_it_says_when_the_sources_do_not_answer_and_follows_no_schema() -> None:
    model = ExtractiveLanguageModel()
    assert (await model.generate(prompt("Who is the king of Norway?", MANUAL))).citations == []
    with pytest.raises(ProviderError, match="configure a provider"):
        await model.generate(Prompt([Turn("user", "Label it.")], schema={"type": "object"}))
