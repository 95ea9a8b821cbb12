"""Whatever is remembered and asked, by whomever and with whatever filter: nobody sees another's memories."""

import random
from typing import Any

import pytest

from tests.accounts import Account
from tests.integration.test_memories import remember

WORDS = ["boat", "cat", "lamp", "river", "train", "garden", "letter", "window", "coffee", "winter"]
PEOPLE = ("Ann", "Ben", "Cleo")
SPACES = ("default", "home", "work")
MODES = ("hybrid", "dense", "keyword", "fusion")


def some_filter(dice: random.Random, depth: int = 0) -> dict[str, Any]:
    """A filter of the kind that callers write."""
    if depth < 2 and dice.random() < 0.4:
        parts = [some_filter(dice, depth + 1) for _ in range(2)]
        return dice.choice([{"and": parts}, {"or": parts}, {"not": parts[0]}])
    return dice.choice(
        [
            {"speaker": dice.choice(PEOPLE)},
            {"kind": {"in": ["evidence", "fact"]}},
            {"metadata.place": {"ne": "north"}},
            {"tags": {"contains": "chat"}},
            {"valid_from": {"gte": "2020-01-01"}},
            {"subject": {"exists": True}},
            {"confidence": {"gt": 0.1}},
        ]
    )


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", range(3))
async def test_nobody_sees_anothers_memories(caller: Account, stranger: Account, seed: int) -> None:
    dice = random.Random(seed)
    own: dict[str, set[str]] = {}
    for account in (caller, stranger):
        ids: set[str] = set()
        for space in SPACES:
            turns = [
                {"speaker": dice.choice(PEOPLE), "content": " ".join(dice.choices(WORDS, k=6))}
                for _ in range(8)
            ]
            where = {"space": space, "subject": dice.choice(PEOPLE), "session_id": f"s{dice.randrange(2)}"}
            what = {"tags": ["chat"], "metadata": {"place": dice.choice(("north", "south"))}}
            ids |= set((await remember(account, messages=turns, **where, **what))["memory_ids"])
        own[account.organisation_id] = ids
    found = 0
    for _ in range(25):
        for account, other in ((caller, stranger), (stranger, caller)):
            question: dict[str, Any] = {
                "query": " ".join(dice.choices((*WORDS, *PEOPLE), k=3)),
                "space": dice.choice(SPACES),
                "mode": dice.choice(MODES),
                "limit": 100,
                "session_id": "asked",
            }
            if dice.random() < 0.6:
                question["filters"] = some_filter(dice)
            if dice.random() < 0.3:
                question["subject"] = dice.choice(PEOPLE)
            if dice.random() < 0.3:
                question[dice.choice(("as_of", "known_at"))] = "2030-01-01T00:00:00Z"
            answer = await account.post("/memories/recall", 200, json=question)
            seen = {item["id"] for item in answer["items"]}
            assert seen <= own[account.organisation_id], question
            assert not seen & own[other.organisation_id]
            found += len(seen)
    assert found > 100
    for account, other in ((caller, stranger), (stranger, caller)):
        listed = await account.get("/memories", limit=200, state="all")
        assert {item["id"] for item in listed["items"]} == own[account.organisation_id]
        asked = await account.get("/memories/sessions/asked", limit=200)
        assert (
            not {hit["id"] for recall in asked["items"] for hit in recall["hits"]}
            & own[other.organisation_id]
        )
        wanted = sorted(own[other.organisation_id])[:3]
        taken = await account.post("/memories/forget?wait=true", 200, json={"ids": wanted})
        assert (taken["result"]["forgotten"], taken["result"]["missing"]) == (0, 3)
