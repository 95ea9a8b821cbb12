"""Labels are embedded once, whoever asks, and whatever else changes about them."""

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from perdure.db import label_sets
from perdure.db.classification_workflows import LearntExample
from perdure.db.label_sets import LabelSets
from perdure.ports.models import EmbeddingCall, EmbeddingModel, Vectors
from perdure.schemas.classification import LabelGiven, Questions, Stage, StageGiven

CALL = EmbeddingCall("org_1", "classification")
MODEL = EmbeddingModel("made-up", 8, 256)


class CountingEmbedders:
    """Says which texts it was asked about; a vector follows from its text alone."""

    def __init__(self) -> None:
        self.asked: list[Sequence[str]] = []
        self.begun, self.open = asyncio.Event(), asyncio.Event()
        self.open.set()

    @property
    def default(self) -> EmbeddingModel:
        return MODEL

    def runs_here(self, name: str) -> bool:
        return True

    def named(self, name: str) -> EmbeddingModel:
        return MODEL

    async def require(self, organisation_id: str, name: str) -> None:
        """It is there for all."""

    async def embed(self, call: EmbeddingCall, name: str, texts: Sequence[str]) -> Vectors:
        self.asked.append(list(texts))
        self.begun.set()
        await self.open.wait()
        rows = [np.frombuffer(text.encode().ljust(8)[:8], np.uint8).astype(np.float32) for text in texts]
        return np.stack([row / np.linalg.norm(row) for row in rows])


@pytest.fixture
def embedders() -> CountingEmbedders:
    return CountingEmbedders()


def questions(*names: str, multi_label: bool = False) -> Questions:
    labels = [LabelGiven(name=name, description=f"what {name} is") for name in names]
    return Questions(stages=[StageGiven(task=Stage.CATEGORY, labels=labels, multi_label=multi_label)])


async def test_a_set_is_made_once_for_all_who_ask_at_the_same_time(embedders: CountingEmbedders) -> None:
    sets, asked = LabelSets(embedders), questions("zig", "zag")
    embedders.open.clear()
    waiting = [asyncio.create_task(sets.prototypes(CALL, asked, asked.stages[0])) for _ in range(5)]
    await embedders.begun.wait()
    waiting[0].cancel()  # the others do not depend on who came first
    embedders.open.set()
    first, *others = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(first, asyncio.CancelledError)
    assert all(one is others[0] for one in others)
    assert len(embedders.asked) == 2
    assert await sets.prototypes(CALL, asked, asked.stages[0]) is others[0]


async def test_a_slow_set_keeps_no_other_waiting(embedders: CountingEmbedders) -> None:
    sets, slow, quick = LabelSets(embedders), questions("zig", "zag"), questions("yes", "no")
    await sets.prototypes(CALL, quick, quick.stages[0])
    embedders.begun.clear()
    embedders.open.clear()
    waiting = asyncio.create_task(sets.prototypes(CALL, slow, slow.stages[0]))
    await embedders.begun.wait()
    await sets.prototypes(CALL, quick, quick.stages[0])
    embedders.open.set()
    await waiting


async def test_only_what_is_new_in_a_set_is_embedded(embedders: CountingEmbedders) -> None:
    sets, before, after = LabelSets(embedders), questions("zig", "zag"), questions("zag", "zog")
    made = await sets.prototypes(CALL, before, before.stages[0])
    several = questions("zig", "zag", multi_label=True)
    again = await sets.prototypes(CALL, several, several.stages[0])
    assert len(embedders.asked) == 1
    np.testing.assert_array_equal(again.matrix, made.matrix)
    changed = await sets.prototypes(CALL, after, after.stages[0])
    assert embedders.asked[1:] == [["zog", "zog: what zog is", "what zog is"]]
    np.testing.assert_array_equal(changed.vector_of("zag"), made.vector_of("zag"))


async def test_reviewed_texts_are_not_embedded(embedders: CountingEmbedders) -> None:
    sets, asked = LabelSets(embedders), questions("zig", "zag")
    vector = np.eye(8, dtype=np.float32)[0]
    learnt = [LearntExample("clr_1", ["zig"], vector, MODEL.name)]
    made = await sets.prototypes(CALL, asked, asked.stages[0], learnt)
    assert "clr_1" not in embedders.asked[0]
    plain = await sets.prototypes(CALL, asked, asked.stages[0])
    assert made.vector_of("zig") @ vector > plain.vector_of("zig") @ vector


async def test_what_was_not_asked_for_the_longest_is_dropped(
    embedders: CountingEmbedders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_sets, "_KEPT", 1)
    monkeypatch.setattr(label_sets, "_KEPT_TEXTS", 6)
    sets = LabelSets(embedders)
    for names in (("zig", "zag"), ("yes", "no"), ("zig", "zag")):
        asked = questions(*names)
        await sets.prototypes(CALL, asked, asked.stages[0])
    assert [len(texts) for texts in embedders.asked] == [6, 6, 6]
