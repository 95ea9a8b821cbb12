"""Dialogues, measures and weights of the evaluation are what they say."""

from pathlib import Path

import numpy as np
import pytest

from bench.evaluation.chats import make_chats
from bench.evaluation.dialogues import Dialogue, read_directory, write_directory
from bench.evaluation.learning import learn
from bench.evaluation.measures import judged, newer_first, summarised
from bench.evaluation.vocabulary_learning import LEARNING
from bench.evaluation.vocabulary_testing import TESTING
from bench.evaluation.written_chats import FOR_LEARNING, FOR_TESTING, read_written


def checked(dialogue: Dialogue) -> None:
    ids = [turn.id for turn in dialogue.turns]
    assert len(set(ids)) == len(ids)
    for question in dialogue.questions:
        assert question.relevant
        assert question.relevant | question.outdated <= set(ids)
        assert not question.relevant & question.outdated
        assert "{" not in question.query


def test_the_same_seed_makes_the_same_chats_and_another_makes_others() -> None:
    assert make_chats(TESTING, 5, 2) == make_chats(TESTING, 5, 2) != make_chats(TESTING, 6, 2)


@pytest.mark.parametrize("vocabulary", [LEARNING, TESTING])
def test_every_question_of_an_invented_chat_has_its_answer_in_it(vocabulary: object) -> None:
    chats = make_chats(vocabulary, 3, 3)  # type: ignore[arg-type]  # one of the two
    kinds = {question.type for chat in chats for question in chat.questions}
    assert kinds == {"single-hop", "multi-hop", "temporal", "updated"}
    for chat in chats:
        checked(chat)
        assert [turn.said_at for turn in chat.turns] == sorted(turn.said_at for turn in chat.turns)
        assert not any("{" in turn.text for turn in chat.turns)


def test_the_vocabularies_share_no_phrase() -> None:
    def phrases(vocabulary: object) -> set[str]:
        return {phrase for topic in vocabulary.topics for phrase in topic.tells + topic.asked + topic.echoes}  # type: ignore[attr-defined]  # one of the two

    assert not phrases(LEARNING) & phrases(TESTING)


@pytest.mark.parametrize("name", [*FOR_LEARNING, *FOR_TESTING])
def test_written_chats_are_hidden_among_the_others_under_the_same_names(name: str) -> None:
    (chat,) = read_written([name])
    checked(chat)
    assert len(chat.speakers) == 2
    assert len(chat.turns) > 300


def test_dialogues_are_read_as_they_were_written(tmp_path: Path) -> None:
    made = make_chats(TESTING, 4, 1, sessions=4)
    write_directory(made, tmp_path)
    (read,) = read_directory(tmp_path)
    assert [turn.text for turn in read.turns] == [turn.text for turn in made[0].turns]
    assert [turn.said_at for turn in read.turns] == [turn.said_at for turn in made[0].turns]
    assert list(read.questions) == list(made[0].questions)


def test_a_directory_without_dialogues_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no \.json file"):
        read_directory(tmp_path)


def test_recall_is_the_share_of_the_answers_among_the_first() -> None:
    order = [*"abcdefghijklmnop"]
    assert judged(order, {"c", "g", "x"}) == (1 / 3, 2 / 3, 2 / 3, 1.0, 1 / 3)
    assert judged(order, {"x"}) == (0, 0, 0, 0, 0)


def test_what_holds_now_must_come_before_what_held() -> None:
    assert newer_first(["a", "new", "old"], {"new"}, {"old"})
    assert not newer_first(["a", "old", "new"], {"new"}, {"old"})
    assert not newer_first(["a"], {"new"}, {"old"})
    assert not newer_first([*map(str, range(10)), "new"], {"new"}, {"old"})


def test_the_interval_holds_the_mean_and_is_narrower_with_more_questions() -> None:
    few, many = ([(float(n % 2),) * 5 for n in range(count)] for count in (10, 400))
    wide, narrow = summarised(few)["MRR"], summarised(many)["MRR"]
    assert wide.low <= wide.mean == 0.5 == narrow.mean <= wide.high
    assert wide.high - wide.low > narrow.high - narrow.low


def test_what_tells_answers_apart_is_learned_and_what_does_not_keeps_its_weight() -> None:
    dice = np.random.default_rng(3)
    examples = []
    for _ in range(60):
        answers = np.zeros(30)
        answers[dice.integers(30)] = 1
        tells = np.clip(answers * 0.5 + dice.random(30) * 0.5, 0, 1)
        examples.append(({"tells": tells, "noise": dice.random(30)}, answers))
    weights = learn(examples, {"tells": 0.5, "noise": 0.5}, penalty=0.001)
    assert weights["tells"] > 0.8
    assert sum(weights.values()) == pytest.approx(1, abs=1e-3)
    assert learn(examples, {"tells": 0.5, "noise": 0.5}, penalty=1e4)["noise"] == pytest.approx(0.5, abs=0.05)
