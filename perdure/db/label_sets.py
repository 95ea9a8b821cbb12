"""Where the labels of a definition lie among the vectors; embedded once, and kept for the next texts."""

import hashlib
from collections import OrderedDict, defaultdict
from collections.abc import Sequence

import numpy as np

from perdure.db.classification_workflows import LearntExample
from perdure.domain.calibration import Calibration
from perdure.domain.classification import Label, Prototypes, texts_of
from perdure.ports.models import Embedders, EmbeddingCall, Vectors
from perdure.schemas.classification import LabelGiven, Questions, StageGiven

# Sets of labels that are kept: a thousand labels of 384 numbers are 1.5 MB.
_KEPT = 32
# A reviewer's answers to one label count so far, the newest first.
MOST_LEARNT = 50


class LabelSets:
    """Prototypes by what they are made of."""

    def __init__(self, embedders: Embedders) -> None:
        self._embedders = embedders
        self._kept: OrderedDict[str, Prototypes] = OrderedDict()

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
        """Of the labels of a stage, with what reviewers have answered."""
        key = self._key(questions, stage, learnt)
        found = self._kept.get(key)
        if found is None:
            found = await self._made(call, questions, stage, learnt)
            self._kept[key] = found
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
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
        embedded = iter(await self.embed(call, [content for content in texts if content not in known]))
        rows = [known[content] if content in known else next(embedded) for content in texts]
        return Prototypes.of(
            labels,
            np.stack(rows),
            multi_label=stage.multi_label,
            calibration=Calibration.from_json(questions.calibration),
        )


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
