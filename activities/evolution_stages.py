"""What each stage of evolution does with a page: look, without holding anything, then say what to change."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.attribute_index import AttributeIndex
from perdure.db.evolution_changes import Change, EvolutionChanges, Relation, Retirement
from perdure.db.evolution_pages import EvolutionPages, StoredMemory
from perdure.db.evolution_runs import EvolutionRuns, StageState
from perdure.db.session import Transaction
from perdure.domain.attributes import Attribute, attributes, contradicts
from perdure.domain.entities import EntityType, entities
from perdure.domain.evolution import ChangeAction
from perdure.domain.fading import Fate, fate
from perdure.domain.memories import MemoryKind, RetiredFor
from perdure.domain.merging import repeats
from perdure.domain.near_duplicates import NEAR
from perdure.domain.neighbours import Neighbours
from perdure.domain.relations import Node, relations

PAGE = 500
# Compared with each memory, at most so many that are near it.
_NEAREST = 16
_MOST_ROUNDS = 5
# What is longer says more than one attribute: it is no contradiction as a whole.
_LONG_TOKENS = 100
_DRAWN = (MemoryKind.INSIGHT, MemoryKind.SUMMARY)
# Less alike have nothing to do with each other; of those that have, so many are connected with a memory.
_RELATED = 0.3
_CONNECTED = 12
# As exactly as vectors are kept.
_SAME_WEIGHT = 0.01
_NAMES = (EntityType.PERSON, EntityType.ORGANISATION, EntityType.PLACE, EntityType.NAME)
_RETIRED_FOR = {
    ChangeAction.EXPIRED: RetiredFor.EXPIRED,
    ChangeAction.REMOVED: RetiredFor.JUNK,
    ChangeAction.ARCHIVED: RetiredFor.ARCHIVED,
}


@dataclass(frozen=True)
class Changed:
    """What a page changed, counted by action; `junk` of it says nothing or should not be kept."""

    counts: Mapping[str, int]
    junk: int = 0


@dataclass(frozen=True)
class Work:
    """What a page found; `write` changes it in a transaction. Without a `place` the stage is over."""

    place: str | None
    examined: int
    write: Callable[[AsyncSession], Awaitable[Changed]]


class Stage(Protocol):
    """What a stage does."""

    async def look(self, state: StageState) -> Work:
        """See what is to be done from where the stage is; reads only."""


async def nothing(session: AsyncSession) -> Changed:
    """Change nothing."""
    return Changed({})


async def neighbours(
    transaction: Transaction, state: StageState, page: Sequence[StoredMemory], *, floor: float, count: int
) -> Neighbours:
    """The nearest memories of the same subject, of each memory of a page that has a vector."""
    rows = [memory for memory in page if memory.vector is not None]
    vectors = (
        np.stack([memory.vector for memory in rows if memory.vector is not None])
        if rows
        else np.empty((0, 1))
    )
    found = Neighbours(
        [memory.id for memory in rows],
        [memory.subject for memory in rows],
        vectors.astype(np.float32),
        floor=floor,
        count=count,
    )
    subjects = sorted({memory.subject for memory in rows})
    after = ""
    while subjects:
        async with transaction(state.organisation_id) as session:
            block = await EvolutionPages(session).block(state, subjects, after)
        if block is None:
            break
        await asyncio.to_thread(found.add, block.ids, block.subjects, block.vectors)
        after = block.ids[-1]
    return found


class UpdateStage:
    """Contradictions retire what was true before; of what says the same, the first stays.

    It goes through the memories again as long as something was merged: among the nearest of a memory there may be
    others then. So a second run finds nothing.
    """

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def look(self, state: StageState) -> Work:
        """A page of memories, with what they state and what is near them."""
        round_, merged_before, last = _round(state.place)
        async with self._transaction(state.organisation_id) as session:
            page = await EvolutionPages(session).page(replace(state, place=last), PAGE)
        merged = state.changed.get(ChangeAction.MERGED.value, 0)
        if not page and merged > merged_before and round_ < _MOST_ROUNDS:
            return Work(f"{round_ + 1}/{merged}/", 0, nothing)
        if not page:
            return Work(None, 0, nothing)
        near = await neighbours(self._transaction, state, page, floor=NEAR, count=_NEAREST)
        stated = await asyncio.to_thread(_stated, page)
        async with self._transaction(state.organisation_id) as session:
            others = await EvolutionPages(session).some(state, near.ids())

        async def write(session: AsyncSession) -> Changed:
            changes = EvolutionChanges(session, state.organisation_id)
            superseded, gone = await self._supersede(session, state, page, stated)
            counts = await changes.apply(state, superseded)
            if state.dry_run:
                gone |= await changes.planned(state)
            repeated = await asyncio.to_thread(_merges, page, others, near, gone)
            return Changed(counts + await changes.apply(state, repeated))

        place = f"{round_}/{merged_before}/{page[-1].id}"
        return Work(place, len(page) if round_ == 1 else 0, write)

    async def _supersede(
        self,
        session: AsyncSession,
        state: StageState,
        page: Sequence[StoredMemory],
        stated: Mapping[str, Sequence[Attribute]],
    ) -> tuple[list[Change], set[str]]:
        """Changes for what is true no more, and what they retire."""
        index = AttributeIndex(session, state.organisation_id, state.space_id)
        await index.replace(stated)
        stating = [memory_id for memory_id, found in stated.items() if found]
        if not stating:
            return [], set()
        rivals = await index.rivals(stating, state.until_id)
        if state.dry_run:
            rivals -= await EvolutionChanges(session, state.organisation_id).planned(state)
        told = await index.stated(sorted(rivals))
        pages = EvolutionPages(session)
        memories = await pages.some(state, sorted(rivals))
        confirmed = await pages.confirmed(sorted(rivals))
        found = _superseded(sorted(memories.values(), key=lambda memory: memory.order), told, confirmed)
        return found, {change.memory_id for change in found}


def _round(place: str) -> tuple[int, int, str]:
    """Which time the stage goes through the memories, how many were merged before, and where it is."""
    if not place:
        return 1, 0, ""
    number, merged, last = place.split("/", 2)
    return int(number), int(merged), last


def _stated(page: Sequence[StoredMemory]) -> dict[str, list[Attribute]]:
    """What each memory states; what was drawn from others states nothing new, and a document may go again."""
    return {
        memory.id: []
        if memory.kind in _DRAWN or memory.document_id is not None
        else attributes(memory.content, memory.speaker or memory.subject)
        for memory in page
    }


def _superseded(
    memories: Sequence[StoredMemory],
    told: Mapping[str, Sequence[Attribute]],
    confirmed: Mapping[str, datetime],
) -> list[Change]:
    """Of memories in the order of time, those that the next one to say otherwise takes the place of.

    What was said again later, and merged, was true until then at least.
    """
    by_attribute: dict[tuple[str, str, str], list[StoredMemory]] = {}
    for memory in memories:
        for key in {(memory.subject, each.subject.casefold(), each.name) for each in told[memory.id]}:
            by_attribute.setdefault(key, []).append(memory)
    found: dict[str, Change] = {}
    for group in by_attribute.values():
        for at, older in enumerate(group):
            if older.id in found or not _says_one_thing(older, told[older.id]):
                continue
            for newer in group[at + 1 :]:
                if newer.valid_from < confirmed.get(older.id, older.valid_from):
                    continue
                contradiction = contradicts(told[older.id], told[newer.id])
                if contradiction is not None:
                    found[older.id] = Change(
                        older.id,
                        older.version,
                        ChangeAction.SUPERSEDED,
                        # In words of its own only: nothing of the newer one may stay when that is forgotten.
                        f"{contradiction.whose}: no longer \u201c{contradiction.older}\u201d, see {newer.id}",
                        Retirement(RetiredFor.SUPERSEDED, newer.id, newer.valid_from),
                        needs={newer.id: newer.version},
                    )
                    break
    return [found[memory.id] for memory in memories if memory.id in found]


def _says_one_thing(memory: StoredMemory, told: Sequence[Attribute]) -> bool:
    """Whether nothing else is lost with what is not true any more."""
    return memory.token_count <= _LONG_TOKENS and len({(each.subject, each.name) for each in told}) == 1


def _merges(
    page: Sequence[StoredMemory], others: Mapping[str, StoredMemory], near: Neighbours, gone: set[str]
) -> list[Change]:
    """Changes for what only repeats; the one that stays was told first."""
    found: dict[str, Change] = {}
    gone = set(gone)
    rows = [memory for memory in page if memory.vector is not None]
    for row, memory in sorted(enumerate(rows), key=lambda each: each[1].order):
        for other_id, cosine in near.of(row):
            other = others.get(other_id)
            if memory.id in gone:
                break
            if other is None or other_id in gone:
                continue
            earlier, later = sorted((memory, other), key=lambda each: each.order)
            if repeats(later, earlier, cosine):
                gone.add(later.id)
                found[later.id] = Change(
                    later.id,
                    later.version,
                    ChangeAction.MERGED,
                    f"says what {earlier.id} says (likeness {cosine:.2f})",
                    Retirement(RetiredFor.DUPLICATE, earlier.id),
                    needs={earlier.id: earlier.version},
                )
    return sorted(found.values(), key=lambda change: change.memory_id)


class DecayStage:
    """What is over, forgotten by all, or junk is put away; the rest matters less and less, unless it is recalled."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def look(self, state: StageState) -> Work:
        """A page of memories, with what is to become of each."""
        async with self._transaction(state.organisation_id) as session:
            pages = EvolutionPages(session)
            page = await pages.page(state, PAGE)
            bases = await pages.bases(page)
            rules = await EvolutionRuns(session, state.organisation_id).rules(state.space_id)
        if not page:
            return Work(None, 0, nothing)
        half_life = timedelta(days=rules.decay_half_life_days)
        fates = await asyncio.to_thread(fates_of, page, state.at, bases, half_life)
        changes = [_decayed(memory, fates[memory.id]) for memory in page if memory.id in fates]

        async def write(session: AsyncSession) -> Changed:
            made = await EvolutionChanges(session, state.organisation_id).apply(state, changes)
            return Changed(made, made[ChangeAction.REMOVED])

        return Work(page[-1].id, len(page), write)


def fates_of(
    memories: Sequence[StoredMemory], now: datetime, bases: Mapping[str, float], half_life: timedelta
) -> dict[str, Fate]:
    """What is to become of memories, of those that do not stay as they are."""
    found = {memory.id: fate(memory, now, bases[memory.id], half_life) for memory in memories}
    return {memory_id: each for memory_id, each in found.items() if each is not None}


def _decayed(memory: StoredMemory, found: Fate) -> Change:
    retirement = Retirement(_RETIRED_FOR[found.action]) if found.is_gone else None
    return Change(
        memory.id, memory.version, found.action, found.reason, retirement, importance=found.importance
    )


class ExtendStage:
    """Memories are connected with those of the same subject that they have to do with."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def look(self, state: StageState) -> Work:
        """A page of memories, with what is near them, but for what is about to be put away."""
        async with self._transaction(state.organisation_id) as session:
            page = await EvolutionPages(session).page(state, PAGE)
        if not page:
            return Work(None, 0, nothing)
        last = page[-1].id
        near = await neighbours(self._transaction, state, page, floor=_RELATED, count=2 * _CONNECTED)
        async with self._transaction(state.organisation_id) as session:
            pages = EvolutionPages(session)
            others = {memory.id: memory for memory in page} | await pages.some(state, near.ids())
            bases = await pages.bases(list(others.values()))
            rules = await EvolutionRuns(session, state.organisation_id).rules(state.space_id)
            planned = await EvolutionChanges(session, state.organisation_id).planned(state)
        half_life = timedelta(days=rules.decay_half_life_days)
        fates = await asyncio.to_thread(fates_of, list(others.values()), state.at, bases, half_life)
        gone = planned | {memory_id for memory_id, each in fates.items() if each.is_gone}
        staying = {memory_id: each for memory_id, each in others.items() if memory_id not in gone}
        found = await asyncio.to_thread(_relations, page, staying, near)

        async def write(session: AsyncSession) -> Changed:
            changes = EvolutionChanges(session, state.organisation_id)
            standing = await changes.relations(sorted({each.source_id for each in found}))
            wanted: dict[str, list[Relation]] = {}
            for each in found:
                known = standing.get((each.source_id, each.kind, each.target_id))
                if known is None or abs(known["weight"] - each.weight) > _SAME_WEIGHT:
                    wanted.setdefault(each.source_id, []).append(each)
            made = [
                Change(
                    source_id,
                    staying[source_id].version,
                    ChangeAction.RELATED,
                    "it has to do with " + ", ".join(sorted({each.target_id for each in relations})),
                    relations=relations,
                )
                for source_id, relations in wanted.items()
            ]
            return Changed(await changes.apply(state, made))

        return Work(last, len(page), write)


def _relations(
    page: Sequence[StoredMemory], others: Mapping[str, StoredMemory], near: Neighbours
) -> list[Relation]:
    """Edges of a page, each once."""
    nodes: dict[str, Node] = {}
    found: dict[tuple[str, str, str], Relation] = {}
    rows = [memory for memory in page if memory.vector is not None]
    for row, memory in enumerate(rows):
        if memory.id not in others or memory.kind in _DRAWN:
            continue
        beside = [each for each in near.of(row) if each[0] in others][:_CONNECTED]
        node, *around = (
            _node(others[memory_id], nodes) for memory_id in (memory.id, *(one for one, _ in beside))
        )
        for each in relations(node, around, [cosine for _, cosine in beside]):
            key = each.source, each.kind.value, each.target
            found[key] = Relation(*key, each.weight)
    return [found[key] for key in sorted(found)]


def _node(memory: StoredMemory, nodes: dict[str, Node]) -> Node:
    """Without its place in a message or a conversation: what stands there is found by that."""
    if memory.id not in nodes:
        nodes[memory.id] = Node(
            memory.id,
            memory.content,
            memory.valid_from,
            attributes=attributes(memory.content, memory.speaker or memory.subject),
            names=frozenset(each.text.casefold() for each in entities(memory.content) if each.type in _NAMES),
            of=frozenset(name.casefold() for name in (memory.subject, memory.speaker) if name),
        )
    return nodes[memory.id]
