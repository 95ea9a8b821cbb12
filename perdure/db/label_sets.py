"""Where the labels of a definition lie among the vectors; embedded once, and kept for the next texts."""

import asyncio
import hashlib
from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from typing import TypeVar
from weakref import WeakValueDictionary

import numpy as np

from perdure.db.classification_workflows import LearntExample
from perdure.domain.calibration import Calibration
from perdure.domain.classification import Label, Prototypes, texts_of
from perdure.ports.models import Embedders, EmbeddingCall, Vectors
from perdure.schemas.classification import LabelGiven, Questions, StageGiven

# Sets of labels that are kept: a thousand labels of 384 numbers are 1.5 MB.
_KEPT = 32
# Texts of labels whose vectors are kept, so that a set that differs little from another is made at once: 15 MB.
_KEPT_TEXTS = 10_000
# A reviewer's answers to one label count so far, the newest first.
MOST_LEARNT = 50

Key = TypeVar("Key")
Value = TypeVar("Value")


class LabelSets:
    """Prototypes by what they are made of."""

    def __init__(self, embedders: Embedders) -> None:
        self._embedders = embedders
        self._kept: OrderedDict[str, Prototypes] = OrderedDict()
        self._texts: OrderedDict[bytes, Vectors] = OrderedDict()
        self._making: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def model(self) -> str:
        """The model that texts and labels are compared under."""
        return self._embedders.default.name

    async def embed(self, call: EmbeddingCall, texts: Sequence[str]) -> Vectors:
        """Vectors that compare with the prototypes."""
        return await self._embedders.embed(call, self.model, texts)

    async def prototypes(
        self,
        call: EmbeddingCall,
        questions: Questions,
        stage: StageGiven,
        learnt: Sequence[LearntExample] = (),
    ) -> Prototypes:
        """Of the labels of a stage, with what reviewers have answered; whoever asks for one in the making, waits."""
        key = self._key(questions, stage, learnt)
        async with self._making.setdefault(key, asyncio.Lock()):
            found = self._kept.get(key)
            if found is None:
                found = await self._made(call, questions, stage, learnt)
            _keep(self._kept, {key: found}, _KEPT)
        return found

    def _key(self, questions: Questions, stage: StageGiven, learnt: Sequence[LearntExample]) -> str:
        made_of = [self.model, stage.model_dump_json(include={"labels", "multi_label"})]
        made_of += [str(questions.calibration), *(example.id for example in learnt)]
        return hashlib.sha256("\n".join(made_of).encode()).hexdigest()

    async def _made(
        self,
        call: EmbeddingCall,
        questions: Questions,
        stage: StageGiven,
        learnt: Sequence[LearntExample],
    ) -> Prototypes:
        known = {one.id: one.vector for one in learnt if one.vector_model == self.model}
        labels = _labels(stage.labels, [one for one in learnt if one.id in known])
        texts = texts_of(labels)
        embedded = await self._embedded(call, [content for content in texts if content not in known])
        rows = [known[content] if content in known else embedded[content] for content in texts]
        return Prototypes.of(
            labels,
            np.stack(rows),
            multi_label=stage.multi_label,
            calibration=Calibration.from_json(questions.calibration),
        )

    async def _embedded(self, call: EmbeddingCall, texts: Sequence[str]) -> dict[str, Vectors]:
        """Vectors by text; what is known from another set is not embedded again."""
        keys = {text: self._text_key(text) for text in texts}
        found = {text: self._texts[key] for text, key in keys.items() if key in self._texts}
        new = [text for text in keys if text not in found]
        if new:
            # Copies: a row would hold the matrix of all.
            found |= {text: row.copy() for text, row in zip(new, await self.embed(call, new), strict=True)}
        _keep(self._texts, {key: found[text] for text, key in keys.items()}, _KEPT_TEXTS)
        return found

    def _text_key(self, text: str) -> bytes:
        return hashlib.sha256(f"{self.model}\n{text}".encode("utf-8", "surrogatepass")).digest()


def _keep(kept: OrderedDict[Key, Value], used: Mapping[Key, Value], most: int) -> None:
    """Note what was used last, and drop what was not for the longest."""
    for key, value in used.items():
        kept[key] = value
        kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)


def _labels(given: Sequence[LabelGiven], learnt: Sequence[LearntExample]) -> list[Label]:
    """Labels with reviewed texts among their examples; for these stand their ids, because their vectors are known."""
    answered: defaultdict[str, list[str]] = defaultdict(list)
    for example in learnt:
        for name in example.labels:
            if len(answered[name]) < MOST_LEARNT:
                answered[name].append(example.id)
    return [
        Label(one.name, one.description, (*one.examples, *answered[one.name]), one.parent) for one in given
    ]
