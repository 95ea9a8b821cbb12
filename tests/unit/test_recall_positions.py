from datetime import UTC, datetime, timedelta

from perdure.db.recall_repository import FoundMemory
from perdure.db.recall_service import positions

START = datetime(2025, 1, 1, tzinfo=UTC)


def turn(name: str, minute: int, ordinal: int = 0, session_id: str = "s") -> FoundMemory:
    return FoundMemory(
        id=name,
        content=name,
        subject="Ann",
        speaker=None,
        session_id=session_id,
        valid_from=START + timedelta(minutes=minute),
        importance=0.5,
        ordinal=ordinal,
        mentions={},
        cosine=None,
    )


def test_turns_that_follow_each_other_differ_by_one_and_others_by_more() -> None:
    memories = [turn("d", 9), turn("a", 1), turn("b", 2), turn("c", 3), turn("e", 10)]
    found = dict(zip("dabce", positions(memories, [["a", "b"], ["b", "c"], ["d", "e"]]), strict=True))
    assert (found["b"] - found["a"], found["c"] - found["b"], found["e"] - found["d"]) == (1, 1, 1)
    assert found["d"] - found["c"] > 3


def test_a_run_that_begins_with_what_may_not_be_seen_is_still_one() -> None:
    found = positions([turn("b", 2), turn("c", 3)], [["a", "b", "c"]])
    assert found[1] - found[0] == 1


def test_what_was_told_in_one_request_is_as_far_apart_as_it_was_told() -> None:
    memories = [turn("a", 1, 10), turn("b", 2, 11), turn("z", 60, 200)]
    assert positions(memories, [["a", "b"]]) == [10, 11, 200]


def test_each_conversation_counts_for_itself() -> None:
    memories = [turn("a", 1), turn("b", 2, session_id="t"), turn("c", 3, session_id="t")]
    assert positions(memories, [["a"], ["b", "c"]]) == [0, 0, 1]


def test_runs_of_different_moments_may_leave_a_turn_out_or_turn_two_around() -> None:
    memories = [turn("a", 0), turn("b", 1), turn("c", 2)]
    assert positions(memories, [["a", "b", "c"], ["a", "c"]]) == [0, 1, 2]
    left_out = positions(memories, [["a", "c"], ["a", "b", "c"]])
    assert len(set(left_out)) == 3
    turned = positions(memories, [["a", "b"], ["b", "a"]])
    assert len(set(turned)) == 3
