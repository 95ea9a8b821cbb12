"""Workflows of classification: versions, what reviewers answer, and that none gets worse unnoticed."""

from typing import Any

import pytest

from perdure.domain.deciding import is_frozen, text_digest
from tests.accounts import Account
from tests.classifying import LABELS, TEXTS, batch, classified, results, workflow

PATH = "/ai/classification/workflows"


def texts(count: int, *, frozen: bool) -> list[tuple[str, str]]:
    """Labels and texts that are part of the frozen set, or that are not."""
    found: list[tuple[str, str]] = []
    for number in range(10_000):
        for label, content in TEXTS.items():
            shown = f"{content} Reference {number}."
            if is_frozen(text_digest(shown)) is frozen:
                found.append((label, shown))
            if len(found) == count:
                return found
    raise AssertionError(count)


async def reviewed(account: Account, workflow_id: str, answers: list[tuple[str, str]]) -> None:
    """Texts that a person has labelled."""
    operation = await batch(account, [{"text": content} for _, content in answers], workflow_id=workflow_id)
    for result, (label, _) in zip(await results(account, operation_id=operation["id"]), answers, strict=True):
        path = f"/ai/classification/results/{result['id']}/review"
        await account.post(path, 200, json={"label": label})


async def test_a_workflow_is_made_read_listed_and_named_once(caller: Account, stranger: Account) -> None:
    made = await workflow(caller, threshold=0.8)
    assert (made["version"], made["latest_version"], made["results"]) == (1, 1, 0)
    assert made["labels"] == [label["name"] for label in LABELS]
    (version,) = made["versions"]
    assert version["is_active"]
    assert version["stages"][0]["threshold"] == 0.8
    assert await caller.get(f"{PATH}/{made['id']}") == made
    (listed,) = (await caller.get(PATH))["items"]
    assert listed["id"] == made["id"]
    stage = {"task": "category", "labels": LABELS}
    await caller.post(PATH, 409, json={"name": made["name"], "stages": [stage]})
    for path in (made["id"], f"{made['id']}/quality"):
        await stranger.get(f"{PATH}/{path}", 404)
    assert (await stranger.get(PATH))["items"] == []


@pytest.mark.parametrize(
    "stage",
    [
        {"task": "category"},
        {"task": "category", "labels": []},
        {"task": "category", "labels": LABELS[:1]},
        {"task": "category", "labels": LABELS, "provider": "oracle"},
        {"task": "category", "labels": LABELS, "below": "shrug"},
        {"task": "category", "labels": LABELS, "threshold": 1.5},
        {"task": "category", "labels": LABELS, "threshold": 0.5, "target_accuracy": 0.9},
        {"task": "entities", "threshold": 0.5},
        {"task": "sentiment", "provider": "openai"},
        {"task": "summary", "labels": LABELS},
        {"task": "mood"},
    ],
)
async def test_a_stage_that_cannot_be_meant_is_refused(caller: Account, stage: dict[str, Any]) -> None:
    await caller.post(PATH, 422, json={"name": "x", "stages": [stage]})


async def test_a_review_becomes_the_label_and_is_kept_apart_by_a_fixed_rule(caller: Account) -> None:
    made = await workflow(caller, threshold=0.999)
    answer = await classified(caller, text="Well, who knows.", workflow_id=made["id"])
    path = f"/ai/classification/results/{answer['id']}/review"
    await caller.post(path, 422, json={"label": "Weather"})
    await caller.post(path, 422, json={"labels": ["Invoice", "Complaint"]})
    await caller.post(path, 422, json={})
    done = await caller.post(path, 200, json={"label": "Complaint", "comment": "I know the sender."})
    assert (done["label"], done["status"], done["decision"]) == ("Complaint", "reviewed", "human_review")
    assert done["review"]["comment"] == "I know the sender."
    assert done["stages"]["category"]["label"] == answer["stages"]["category"]["label"]
    again = await caller.post(path, 200, json={"label": "Invoice"})
    assert (again["label"], again["review"]["comment"]) == ("Invoice", None)
    assert await results(caller, status="open") == []
    assert len(await results(caller, label="Invoice", status="reviewed")) == 1
    assert (await caller.get(f"{PATH}/{made['id']}"))["open_reviews"] == 0


async def test_a_version_learns_and_one_that_is_worse_is_not_activated(caller: Account) -> None:
    made = await workflow(caller)
    path = f"{PATH}/{made['id']}"
    nothing = await caller.get(f"{path}/quality")
    assert (nothing["n"], nothing["accuracy"], nothing["reliability"]) == (0, None, [])
    await reviewed(caller, made["id"], texts(9, frozen=True) + texts(6, frozen=False))
    before = await caller.get(f"{path}/quality")
    assert (before["version"], before["n"], before["accuracy"]) == (1, 9, 1.0)
    assert before["accuracy_low"] < 1.0 == before["accuracy_high"]
    assert 0 <= before["ece"] <= 1
    assert before["risk_coverage"][-1]["coverage"] == 1.0
    assert sum(one["count"] for one in before["reliability"]) == 9

    learnt = await caller.post(f"{path}/versions", 201, json={"note": "with what was answered"})
    assert (learnt["version"], learnt["learnt"], learnt["is_active"]) == (2, 6, False)
    assert learnt["comparison"]["n"] == 9
    active = await caller.post(f"{path}/versions/2/activate", 200)
    assert active["version"] == 2

    swapped = [
        {"name": "Invoice", "description": LABELS[1]["description"]},
        {"name": "Complaint", "description": LABELS[0]["description"]},
        LABELS[2],
    ]
    body = {"stages": [{"task": "category", "labels": swapped}], "learn": False}
    worse = await caller.post(f"{path}/versions", 201, json=body)
    assert worse["comparison"]["accuracy"] < worse["comparison"]["before"]
    refused = await caller.post(f"{path}/versions/3/activate", 409)
    assert "of the 9 texts of the frozen set" in refused["detail"]
    assert (await caller.get(path))["version"] == 2
    forced = await caller.post(f"{path}/versions/3/activate", 200, json={"force": True})
    assert forced["version"] == 3
    assert forced["versions"][0]["forced"]
    answer = await classified(caller, text="Anything.", workflow_id=made["id"])
    assert answer["version"] == 3
    await caller.post(f"{path}/versions/4/activate", 404)
    history = (await caller.get(f"{path}/quality"))["history"]
    assert [version["version"] for version in history] == [3, 2, 1]
    actions = [event["action"] for event in (await caller.get("/audit"))["items"]]
    assert actions.count("classification.version_activated") == 2
    await caller.get(f"{path}/quality", 404, version=9)


async def test_labels_that_are_several_are_reviewed_as_several(caller: Account) -> None:
    made = await workflow(caller, multi_label=True)
    answer = await classified(caller, text=TEXTS["Invoice"], workflow_id=made["id"])
    path = f"/ai/classification/results/{answer['id']}/review"
    done = await caller.post(path, 200, json={"labels": ["Complaint", "Invoice"]})
    assert done["labels"] == ["Complaint", "Invoice"]
    none = await caller.post(path, 200, json={"labels": []})
    assert (none["label"], none["labels"]) == (None, [])


async def test_a_workflow_and_a_version_are_made_once_for_a_key(caller: Account) -> None:
    body = {"name": "Once", "stages": [{"task": "category", "labels": LABELS}]}
    key = {"Idempotency-Key": "make-a-workflow"}
    made = await caller.post(PATH, 201, json=body, headers=key)
    assert (await caller.post(PATH, 200, json=body, headers=key))["id"] == made["id"]
    path, key = f"{PATH}/{made['id']}/versions", {"Idempotency-Key": "make-a-version"}
    version = await caller.post(path, 201, json={"note": "x"}, headers=key)
    assert await caller.post(path, 200, json={"note": "x"}, headers=key) == version
    assert (await caller.get(f"{PATH}/{made['id']}"))["latest_version"] == 2
