"""What reviewers are asked beside what a policy asks, and ids of what something else causes."""

import re
from typing import Any

from perdure.db.review_requests import with_labels
from perdure.domain.approval_forms import MAX_CHOICES
from perdure.domain.approval_policies import parse_policy
from perdure.domain.ids import ID_PATTERN, derived_id, made_at, new_id
from perdure.schemas.classification import Definition, LabelGiven, StageGiven

STAGE = {"id": "first", "approvers": [{"user": "usr_1"}], "rule": "any"}


def definition(count: int, *, multi_label: bool = False) -> Definition:
    labels = [LabelGiven(name=f"label {number}") for number in range(count)]
    return Definition(stages=[StageGiven(task="category", labels=labels, multi_label=multi_label)])


def test_each_stage_asks_for_the_label_and_what_it_asked_before() -> None:
    form = {"type": "object", "properties": {"why": {"type": "string"}}, "required": ["why"]}
    given: dict[str, Any] = {"stages": [STAGE, STAGE | {"id": "second", "form": form}]}
    policy = with_labels(given, definition(3), "label 1")
    parse_policy(policy)
    first, second = (stage["form"] for stage in policy["stages"])
    assert first["properties"]["label"]["enum"] == ["label 0", "label 1", "label 2"]
    assert first["properties"]["label"]["default"] == "label 1"
    assert list(second["properties"]) == ["label", "why"]
    assert second["required"] == ["label", "why"]
    assert "form" not in given["stages"][0]
    assert with_labels(policy, definition(3), None) == policy


def test_several_labels_are_a_list_and_too_many_to_list_are_written() -> None:
    several = with_labels({"stages": [STAGE]}, definition(3, multi_label=True), "label 1")
    assert several["stages"][0]["form"]["properties"]["labels"]["type"] == "array"
    many = with_labels({"stages": [STAGE]}, definition(MAX_CHOICES + 1), None)
    assert "enum" not in many["stages"][0]["form"]["properties"]["label"]
    for policy in (several, many):
        parse_policy(policy)


def test_an_id_follows_from_its_cause_and_name() -> None:
    cause = new_id("op")
    found = derived_id("op", cause, "exe_1:keep:1")
    assert found == derived_id("op", cause, "exe_1:keep:1")
    assert (
        len({found, derived_id("op", cause, "exe_1:keep:2"), derived_id("op", new_id("op"), "exe_1:keep:1")})
        == 3
    )
    assert made_at(found) == made_at(cause)
    assert re.fullmatch(ID_PATTERN, found)
