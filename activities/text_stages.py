"""The stages of a classification on some texts at once, by what runs here."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from perdure.db.classification_results import Item, Outcome
from perdure.db.classification_workflows import LearntExample
from perdure.db.label_sets import LabelSets
from perdure.domain.classification import (
    LabelConfidence,
    Prototypes,
    Scored,
    passages_of,
    scores_of_many,
    text_vector,
)
from perdure.domain.clean_text import is_blank
from perdure.domain.deciding import follows, is_sure, next_category
from perdure.domain.entity_finds import EntityFound
from perdure.domain.evidence import Passage, evidence, sentences_to_compare
from perdure.domain.html_words import SeenText
from perdure.domain.languages import detect_language
from perdure.domain.outlines import outline
from perdure.ports.models import EmbeddingCall, Vectors
from perdure.ports.text_analysis import EntityExtractor, SentimentJudge
from perdure.schemas.classification import (
    MAX_TEXT,
    Alternative,
    CategoryRead,
    EntityRead,
    EvidenceRead,
    ItemReason,
    Questions,
    ResultStatus,
    SentimentRead,
    Stage,
    StagesRead,
)

# A language is told by the beginning of a text.
_TOLD_BY = 2_000
# So few texts never wait for a page.
_FEW = 8
_MAIL = re.compile(r"mailto:([^?]*).*", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Readable:
    """A text that can be classified."""

    item: Item
    text: str
    language: str | None
    reference: datetime

    @property
    def seen(self) -> SeenText:
        """What its reader sees."""
        return self.item.seen


@dataclass(frozen=True)
class Categories:
    """What the category stages that run here say of one text, by their places."""

    by_place: Mapping[int, tuple[CategoryRead, float]]
    vector: Vectors

    def held(self) -> dict[str, Any]:
        """For a model's turn: what to fall back to, and what the next stage says."""
        return {
            str(place): {"category": category.model_dump(mode="json"), "raw": raw}
            for place, (category, raw) in self.by_place.items()
        }


@dataclass(frozen=True)
class _Others:
    """What the other stages say of one text."""

    sentiment: SentimentRead | None
    entities: list[EntityRead] | None
    summary: dict[str, Any] | None
    is_for_person: bool


_NOTHING_ELSE = _Others(None, None, None, is_for_person=False)
_NOT_INDEXED = {
    "skipped_duplicate": "has the same content as another document of its space: classify that one",
    "failed": "could not be read: its page says why; upload it anew",
    "quarantined": "could not be read: its page says why; upload it anew",
}


def refusal(item: Item) -> tuple[ItemReason, str] | None:
    """Why an item cannot be classified."""
    if item.given is not None and item.document is None:
        return ItemReason.DOCUMENT_NOT_FOUND, f"no document {item.given}: check the id"
    if item.document is not None and not item.document.is_indexed:
        what = _NOT_INDEXED.get(item.document.status) or (
            f"is {item.document.status}: "
            "classify it when it is indexed; a retry of the operation takes what failed"
        )
        detail = f"document {item.document.id} {what}"
        return ItemReason.DOCUMENT_NOT_INDEXED, detail
    text = item.text or ""
    if is_blank(item.seen.text):
        if item.document is not None:
            return ItemReason.DOCUMENT_WITHOUT_TEXT, f"document {item.document.id} holds no text"
        return ItemReason.EMPTY_TEXT, "the text is empty or blank"
    if len(text) > MAX_TEXT:
        return ItemReason.TOO_LONG, f"the text has {len(text):,} characters; at most {MAX_TEXT:,} are read"
    return None


class TextStages:
    """Answers a page of texts: one embedding call for all of them."""

    def __init__(self, label_sets: LabelSets, extractor: EntityExtractor, judge: SentimentJudge) -> None:
        self._label_sets, self._extractor, self._judge = label_sets, extractor, judge
        # Two at once, so that the embedder never waits: it takes what came first first, and while that is embedded,
        # what came before is told its labels and written. More would only be held in memory.
        self._slots = asyncio.Semaphore(2)

    async def answer(
        self,
        call: EmbeddingCall,
        questions: Questions,
        learnt: Sequence[LearntExample],
        items: Sequence[Item],
        reference: datetime,
    ) -> list[Outcome]:
        """What becomes of each item."""
        outcomes, readable = [], []
        for item in items:
            refused = refusal(item)
            if refused is None:
                readable.append(_readable(item, questions, reference))
            else:
                outcomes.append(
                    Outcome(
                        item.ordinal,
                        ResultStatus.FAILED,
                        provider=None,
                        reason=refused[0],
                        detail=refused[1],
                        document_id=item.document.id if item.document else None,
                    )
                )
        if readable:
            categories = await self._categories(call, questions, learnt, readable)
            others = await self._others_of(questions, readable)
            answered = [
                self._outcome(questions, one, said, other)
                for one, said, other in zip(readable, categories, others, strict=True)
            ]
            if questions.evidence:
                answered = await self._with_evidence(call, questions, learnt, readable, categories, answered)
            outcomes += answered
        return outcomes

    async def _categories(
        self,
        call: EmbeddingCall,
        questions: Questions,
        learnt: Sequence[LearntExample],
        readable: Sequence[Readable],
    ) -> list[Categories | None]:
        places = [n for n, stage in enumerate(questions.stages) if stage.task is Stage.CATEGORY]
        if not places:
            return [None] * len(readable)
        vectors = await self._text_vectors(call, [one.seen.text for one in readable])
        said: list[dict[int, tuple[CategoryRead, float]]] = [{} for _ in readable]
        for place in places:
            stage = questions.stages[place]
            if stage.provider != "local" and "local" not in stage.fallbacks:
                continue
            prototypes = await self._label_sets.prototypes(call, questions, stage, learnt)
            scored = scores_of_many(
                prototypes,
                vectors,
                languages=[one.language for one in readable],
                applies_from=stage.applies_from,
            )
            for one, answers in zip(scored, said, strict=True):
                answers[place] = (_category(one, prototypes, multi_label=stage.multi_label), one.raw)
        return [Categories(answers, vector) for answers, vector in zip(said, vectors, strict=True)]

    async def _text_vectors(self, call: EmbeddingCall, texts: Sequence[str]) -> Vectors:
        passages = [passages_of(text) for text in texts]
        embedded = await self._embedded(call, [one for each in passages for one in each], items=len(texts))
        rows, at = [], 0
        for each in passages:
            rows.append(embedded[at] if len(each) == 1 else text_vector(embedded[at : at + len(each)]))
            at += len(each)
        return np.stack(rows)

    async def _embedded(self, call: EmbeddingCall, texts: Sequence[str], *, items: int) -> Vectors:
        async with self._slots if items > _FEW else nullcontext():
            return await self._label_sets.embed(call, texts)

    async def _with_evidence(
        self,
        call: EmbeddingCall,
        questions: Questions,
        learnt: Sequence[LearntExample],
        readable: Sequence[Readable],
        categories: Sequence[Categories | None],
        outcomes: Sequence[Outcome],
    ) -> list[Outcome]:
        """The same with the passages that speak for each label; all sentences are embedded at once."""
        split = [
            sentences_to_compare(one.seen.text) if outcome.place is not None else []
            for one, outcome in zip(readable, outcomes, strict=True)
        ]
        sentences = [one.text for found in split if len(found) > 1 for one in found]
        embedded = await self._embedded(call, sentences, items=len(readable))
        at, shown = 0, []
        for one, said, outcome, found in zip(readable, categories, outcomes, split, strict=True):
            vectors = embedded[at : at + len(found)]
            if len(found) > 1:
                at += len(found)
            elif said is not None:
                vectors = said.vector[None, :]  # the text is its only sentence
            category = outcome.stages.category
            if not found or category is None or category.label is None or outcome.place is None:
                shown.append(outcome)
                continue
            stage = questions.stages[outcome.place]
            prototypes = await self._label_sets.prototypes(call, questions, stage, learnt)
            passages = [
                _evidence(passage, one.seen)
                for passage in evidence(found, vectors, prototypes.vector_of(category.label))
            ]
            stages = outcome.stages.model_copy(
                update={"category": category.model_copy(update={"evidence": passages})}
            )
            shown.append(replace(outcome, stages=stages))
        return shown

    async def _others_of(self, questions: Questions, readable: Sequence[Readable]) -> list[_Others]:
        if all(stage.task is Stage.CATEGORY for stage in questions.stages):
            return [_NOTHING_ELSE] * len(readable)
        return await asyncio.to_thread(self._others, questions, readable)

    def _others(self, questions: Questions, readable: Sequence[Readable]) -> list[_Others]:
        sentiments: list[SentimentRead | None] = [None] * len(readable)
        unsure = [False] * len(readable)
        for place, stage in enumerate(questions.stages):
            if stage.task is Stage.SENTIMENT:
                judged = self._judge.judge(
                    [one.seen.text for one in readable], [one.language for one in readable]
                )
                sentiments = [
                    SentimentRead(polarity=one.polarity, label=one.label.value, confidence=one.confidence)
                    for one in judged
                ]
                unsure = [not is_sure(one.confidence, questions.sure_from[place]) for one in judged]
        tasks = {stage.task for stage in questions.stages}
        return [
            _Others(
                sentiment,
                self._entities(one, questions) if Stage.ENTITIES in tasks else None,
                outlined(one.seen) if Stage.SUMMARY in tasks else None,
                is_unsure,
            )
            for one, sentiment, is_unsure in zip(readable, sentiments, unsure, strict=True)
        ]

    def _entities(self, one: Readable, questions: Questions) -> list[EntityRead]:
        found = entities_of(
            one.text,
            one.seen,
            self._extractor,
            region=questions.region,
            reference=one.reference,
            language=one.language,
        )
        return [
            EntityRead(
                type=each.type.value,
                text=each.text,
                value=each.value,
                start=each.start,
                end=each.end,
                confidence=each.confidence,
            )
            for each in found
        ]

    def _outcome(
        self, questions: Questions, one: Readable, said: Categories | None, others: _Others
    ) -> Outcome:
        document_id = one.item.document.id if one.item.document else None
        person = ResultStatus.OPEN if others.is_for_person else ResultStatus.DECIDED
        if said is None:
            sentiment = others.sentiment
            return Outcome(
                one.item.ordinal,
                person,
                stages=_stages(None, others),
                label=sentiment.label if sentiment else None,
                labels=[sentiment.label] if sentiment else [],
                confidence=sentiment.confidence if sentiment else None,
                document_id=document_id,
            )
        status, place = walk(questions, said, 0)
        category, raw = said.by_place.get(place, (None, None))
        held: dict[str, Any] | None = None
        if questions.is_deferred and place == next_category(questions) and category is not None:
            unsure = follows(questions, place, -1.0, asked=False)
            held = {
                "sure": person.value,
                "unsure": unsure.value if isinstance(unsure, ResultStatus) else None,
            }
            status = ResultStatus.SCORED
        elif status is ResultStatus.DECIDED:
            status = person
        if status in (ResultStatus.ESCALATED, ResultStatus.SCORED):
            held = {**(held or {}), "place": place, "said": said.held(), "person": others.is_for_person}
        return Outcome(
            one.item.ordinal,
            status,
            stages=_stages(category, others),
            label=category.label if category else None,
            labels=labels_of(category),
            confidence=category.confidence if category else None,
            raw=raw,
            held=held,
            # Without a workflow nothing is learnt from it.
            vector=said.vector if questions.workflow_id else None,
            vector_model=self._label_sets.model if questions.workflow_id else None,
            document_id=document_id,
            place=place if category else None,
        )


def walk(questions: Questions, said: Categories, start: int) -> tuple[ResultStatus, int]:
    """Through the category stages that run here: what becomes of the text, and at which place."""
    place = next_category(questions, start)
    while place is not None:
        if place not in said.by_place or questions.stages[place].provider != "local":
            return ResultStatus.ESCALATED, place
        status = follows(questions, place, said.by_place[place][0].confidence, asked=False)
        if isinstance(status, ResultStatus):
            return status, place
        place = status
    msg = "a walk begins where a category stage is"
    raise ValueError(msg)


def outlined(given: SeenText) -> dict[str, Any]:
    """The outline of a text; its items stand where they stand in what was given."""
    told: dict[str, Any] = {"kind": "outline", **asdict(outline(given.text))}
    for items in (told["topics"], told["decisions"], told["actions"]):
        for item in items:
            item["start"], item["end"] = given.span(item["start"], item["end"])
    return told


def as_given(found: EntityFound, text: str, words: SeenText) -> EntityFound:
    """What was found among the words of a text, as it stands in the text."""
    start, end = words.span(found.start, found.end)
    return replace(found, text=text[start:end], start=start, end=end)


def entities_of(
    text: str,
    words: SeenText,
    extractor: EntityExtractor,
    *,
    region: str | None = None,
    reference: datetime | None,
    language: str | None,
) -> list[EntityFound]:
    """What a text names, as it stands in the text; of HTML also where links lead, when no word says that."""
    languages = [language] if language else []
    found = [
        as_given(each, text, words)
        for each in extractor.extract(words.text, region=region, reference=reference, languages=languages)
    ]
    said = {(each.type, each.value) for each in found}
    for link in words.links:
        told = extractor.extract(_MAIL.sub(r"\1", link.address), languages=languages)
        if not told or told[0].start or (told[0].type, told[0].value) in said:
            continue
        one = replace(told[0], text=text[link.start : link.end], start=link.start, end=link.end)
        if not any(each.start < one.end and one.start < each.end for each in found):
            said.add((one.type, one.value))
            found.append(one)
    return sorted(found, key=lambda each: each.start)


def _evidence(passage: Passage, given: SeenText) -> EvidenceRead:
    start, end = given.span(passage.start, passage.end)
    return EvidenceRead(text=passage.text, start=start, end=end, score=round(passage.score, 4))


def labels_of(category: CategoryRead | None) -> list[str]:
    """All labels of an answer."""
    if category is None:
        return []
    if category.labels:
        return [one.label for one in category.labels]
    return [category.label] if category.label is not None else []


def _readable(item: Item, questions: Questions, reference: datetime) -> Readable:
    text = item.text or ""
    document = item.document
    language = questions.language or (document.language if document else None)
    return Readable(
        item,
        text,
        language or detect_language(item.seen.text[:_TOLD_BY]),
        document.created_at if document else reference,
    )


def _category(scored: Scored, prototypes: Prototypes, *, multi_label: bool) -> CategoryRead:
    chosen = scored.labels[0] if multi_label and scored.labels else None
    label = scored.label if not multi_label else (chosen.label if chosen else None)
    return CategoryRead(
        label=label,
        confidence=scored.confidence,
        none_fits=scored.none,
        labels=_alternatives(scored.labels) if multi_label else [],
        path=[one.label for one in scored.path] if len(scored.path) > 1 else [],
        alternatives=_alternatives(scored.alternatives),
    )


def _alternatives(given: Sequence[LabelConfidence]) -> list[Alternative]:
    return [Alternative(label=one.label, confidence=one.confidence) for one in given]


def _stages(category: CategoryRead | None, others: _Others) -> StagesRead:
    return StagesRead(
        category=category,
        sentiment=others.sentiment,
        entities=others.entities,
        summary=others.summary,
    )
