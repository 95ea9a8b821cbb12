"""Changes that evolution makes: applied with what they replace, listed, and undone; the caller owns the transaction."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import RowMapping, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.evolution_runs import StageState
from perdure.db.models import MemoryChangeRow, MemoryRow, SpaceRow
from perdure.db.noted_values import noted_value, same_value
from perdure.domain.evolution import ChangeAction, EvolutionStage
from perdure.domain.ids import new_id
from perdure.domain.memories import RetiredFor
from perdure.errors import ConflictError, NotFoundError
from perdure.schemas.evolution import MemoryChangeRead

# What evolution may change of a row.
COLUMNS = ("retired_at", "retired_for", "superseded_by", "valid_to", "importance")

_NOW = text("SELECT date_trunc('milliseconds', now())")
_LOCK = text(
    """
    SELECT id, version, retired_at, retired_for, superseded_by, valid_to, importance FROM memories
    WHERE id = ANY(CAST(:ids AS text[])) ORDER BY id FOR UPDATE
    """
)
_SET = text(
    """
    UPDATE memories m SET retired_at = r.retired_at, retired_for = r.retired_for, superseded_by = r.superseded_by,
        valid_to = r.valid_to, importance = r.importance
    FROM unnest(
        CAST(:ids AS text[]), CAST(:retired_at AS timestamptz[]), CAST(:retired_for AS text[]),
        CAST(:superseded_by AS text[]), CAST(:valid_to AS timestamptz[]), CAST(:importance AS real[])
    ) AS r (id, retired_at, retired_for, superseded_by, valid_to, importance)
    WHERE m.id = r.id
    """
)
_INSERT = text(
    """
    INSERT INTO memory_changes
        (id, organisation_id, memory_id, space_id, action, stage, reason, operation_id, before, after, planned)
    SELECT r.id, CAST(:organisation AS text), r.memory_id, CAST(:space AS text), r.action, CAST(:stage AS text),
        r.reason, CAST(:operation AS text), r.before::jsonb, r.after::jsonb, CAST(:planned AS boolean)
    FROM unnest(
        CAST(:ids AS text[]), CAST(:memories AS text[]), CAST(:actions AS text[]), CAST(:reasons AS text[]),
        CAST(:befores AS text[]), CAST(:afters AS text[])
    ) AS r (id, memory_id, action, reason, before, after)
    """
)
_UNDONE = text(
    """
    SELECT memory_id, action, after FROM memory_changes
    WHERE memory_id = ANY(CAST(:ids AS text[])) AND undone_at IS NOT NULL AND NOT planned
    """
)
_PLANNED = text(
    """
    SELECT memory_id FROM memory_changes
    WHERE operation_id = :operation AND planned AND after ? 'retired_at'
    """
)
_RELATIONS = text(
    """
    SELECT source_id, kind, target_id, target_type, weight, operation_id, created_at FROM memory_relations
    WHERE source_id = ANY(CAST(:ids AS text[])) OR (CAST(:both AS boolean) AND target_id = ANY(CAST(:ids AS text[])))
    """
)
_DROP_RELATIONS = text(
    """
    DELETE FROM memory_relations r
    USING unnest(CAST(:sources AS text[]), CAST(:kinds AS text[]), CAST(:targets AS text[]))
        AS d (source_id, kind, target_id)
    WHERE r.source_id = d.source_id AND r.kind = d.kind AND r.target_id = d.target_id
    """
)
# A memory that was forgotten meanwhile has no relations any more.
_ADD_RELATIONS = text(
    """
    INSERT INTO memory_relations
        (organisation_id, space_id, source_id, kind, target_id, target_type, weight, operation_id, created_at)
    SELECT CAST(:organisation AS text), CAST(:space AS text), r.source_id, r.kind, r.target_id, r.target_type,
        r.weight, r.operation_id, COALESCE(r.created_at, now())
    FROM unnest(
        CAST(:sources AS text[]), CAST(:kinds AS text[]), CAST(:targets AS text[]), CAST(:types AS text[]),
        CAST(:weights AS real[]), CAST(:operations AS text[]), CAST(:created AS timestamptz[])
    ) AS r (source_id, kind, target_id, target_type, weight, operation_id, created_at)
    JOIN memories m ON m.id = r.source_id
    WHERE r.target_type <> 'memory' OR EXISTS (SELECT FROM memories t WHERE t.id = r.target_id)
    ON CONFLICT (source_id, kind, target_id) DO NOTHING
    """
)
_TAKEN = text(
    """
    SELECT o.id FROM memories m JOIN memories o ON o.space_id = m.space_id AND o.identity = m.identity
    WHERE m.id = :id AND o.id <> m.id AND o.retired_at IS NULL
    """
)


@dataclass(frozen=True, slots=True)
class Retirement:
    """Why a memory is not to be current any more, and what takes its place."""

    retired_for: RetiredFor
    superseded_by: str | None = None
    valid_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Relation:
    """An edge that is to be there."""

    source_id: str
    kind: str
    target_id: str
    weight: float


@dataclass(frozen=True)
class Change:
    """What evolution wants of a memory as it was read, at a version."""

    memory_id: str
    version: int
    action: ChangeAction
    reason: str
    retirement: Retirement | None = None
    importance: float | None = None
    relations: Sequence[Relation] = ()
    needs: Mapping[str, int] = field(default_factory=dict)
    """Versions of other memories that it rests on: they must be as they were, too."""

    @property
    def key(self) -> tuple[str, str, str | None]:
        """By this it is known when it was undone: it is not made again."""
        return self.memory_id, self.action.value, self.retirement.superseded_by if self.retirement else None


class EvolutionChanges:
    """Changes of one organisation's memories."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def apply(self, state: StageState, changes: Sequence[Change]) -> Counter[str]:
        """Make the changes, or in a dry run note them; how many by action.

        A memory that was changed or retired since it was read is passed over, and so is a change that was undone:
        the next run sees the one, nobody wants the other.
        """
        if not changes:
            return Counter()
        ids = sorted(
            {each.memory_id for each in changes} | {other for each in changes for other in each.needs}
        )
        rows = {row.id: dict(row._mapping) for row in await self._session.execute(_LOCK, {"ids": ids})}
        if state.dry_run:
            for memory_id in await self.planned(state) & rows.keys():
                rows[memory_id]["retired_at"] = state.at
        undone, unwanted = await self._undone({each.memory_id for each in changes})
        now: datetime = (await self._session.execute(_NOW)).scalar_one()
        standing = await self._standing(changes)
        made: list[tuple[Change, dict[str, Any], dict[str, Any]]] = []
        edges: list[Relation] = []
        for change in changes:
            if change.key in undone or not _is_as_read(change, rows):
                continue
            before, wanted, relations = _differences(change, rows[change.memory_id], standing, unwanted, now)
            if not wanted:
                continue
            rows[change.memory_id] |= {name: wanted[name] for name in COLUMNS if name in wanted}
            made.append((change, before, wanted))
            edges += relations
        if not made:
            return Counter()
        if not state.dry_run:
            await self._drop([_key(each) for each in edges if _key(each) in standing])
            await self.relate(state.space_id, edges, state.operation_id)
            await self._write(
                rows, {change.memory_id for change, _, wanted in made if wanted.keys() & set(COLUMNS)}
            )
        await self.note(state, made)
        return Counter(change.action.value for change, _, _ in made)

    async def note(
        self, state: StageState, made: Sequence[tuple[Change, Mapping[str, Any], Mapping[str, Any]]]
    ) -> None:
        """Write down changes with what was before and after."""
        await self._session.execute(
            _INSERT,
            {
                "organisation": self._organisation_id,
                "space": state.space_id,
                "stage": state.stage.value,
                "operation": state.operation_id,
                "planned": state.dry_run,
                "ids": [new_id("chg") for _ in made],
                "memories": [change.memory_id for change, _, _ in made],
                "actions": [change.action.value for change, _, _ in made],
                "reasons": [change.reason for change, _, _ in made],
                "befores": [_json(before) for _, before, _ in made],
                "afters": [_json(after) for _, _, after in made],
            },
        )

    async def planned(self, state: StageState) -> set[str]:
        """What a dry run would have retired so far."""
        return set(await self._session.scalars(_PLANNED, {"operation": state.operation_id}))

    async def relate(self, space_id: str, relations: Sequence[Relation], operation_id: str | None) -> None:
        """Insert edges; those that are there stay."""
        await self._insert_relations(
            space_id,
            [
                {
                    "source_id": each.source_id,
                    "kind": each.kind,
                    "target_id": each.target_id,
                    "target_type": "memory",
                    "weight": each.weight,
                    "operation_id": operation_id,
                    "created_at": None,
                }
                for each in relations
            ],
        )

    async def relations(
        self, memory_ids: Sequence[str], *, both: bool = False
    ) -> dict[tuple[str, str, str], RowMapping]:
        """Edges that begin, or with `both` begin or end, at some memories."""
        rows = await self._session.execute(_RELATIONS, {"ids": list(memory_ids), "both": both})
        return {(row.source_id, row.kind, row.target_id): row._mapping for row in rows}

    async def list(
        self,
        *,
        space: str | None = None,
        memory_id: str | None = None,
        operation_id: str | None = None,
        planned: bool = False,
        after: str | None = None,
        limit: int = 50,
    ) -> Sequence[tuple[str, MemoryChangeRead]]:
        """Newest first, each with the key of its row; with `planned`, what dry runs would have changed, too."""
        statement = (
            select(MemoryChangeRow, MemoryRow.content)
            .join(MemoryRow, MemoryRow.id == MemoryChangeRow.memory_id)
            .where(MemoryChangeRow.organisation_id == self._organisation_id)
            .order_by(MemoryChangeRow.id.desc())
            .limit(limit)
        )
        if space is not None:
            statement = statement.join(SpaceRow, SpaceRow.id == MemoryChangeRow.space_id).where(
                SpaceRow.name == space
            )
        if not planned:
            statement = statement.where(MemoryChangeRow.planned.is_(False))
        conditions = {MemoryChangeRow.memory_id: memory_id, MemoryChangeRow.operation_id: operation_id}
        statement = statement.where(
            *(column == value for column, value in conditions.items() if value is not None)
        )
        if after is not None:
            statement = statement.where(MemoryChangeRow.id < after)
        return [
            (row.id, change_read(row, content)) for row, content in await self._session.execute(statement)
        ]

    async def lock(self, change_id: str) -> tuple[MemoryChangeRow, str]:
        """A change that may be undone, with what its memory says; nobody else undoes it meanwhile."""
        statement = (
            select(MemoryChangeRow, MemoryRow.content)
            .join(MemoryRow, MemoryRow.id == MemoryChangeRow.memory_id)
            .where(MemoryChangeRow.id == change_id, MemoryChangeRow.planned.is_(False))
            .with_for_update(of=MemoryChangeRow)
        )
        found = (await self._session.execute(statement)).one_or_none()
        if found is None:
            raise NotFoundError(f"no change {change_id}: list them with GET /api/v1/memories/changes")
        return found[0], found[1]

    async def undo(self, row: MemoryChangeRow) -> None:
        """Make the memory what it was before a change of evolution; ConflictError says what stands in the way."""
        action = ChangeAction(row.action)
        before, after = dict(row.before or {}), dict(row.after or {})
        locked = (await self._session.execute(_LOCK, {"ids": [row.memory_id]})).one()
        current = dict(locked._mapping)
        changed = [name for name in COLUMNS if name in after]
        if any(not same_value(name, current[name], noted_value(name, after[name])) for name in changed):
            raise ConflictError(
                f"memory {row.memory_id} was changed again after this: undo the later changes first, "
                f"see GET /api/v1/memories/changes?memory_id={row.memory_id}"
            )
        await self._undo_relations(
            row, before.get("relations"), after.get("relations"), strict=action is ChangeAction.RELATED
        )
        if action is ChangeAction.DERIVED:
            now: datetime = (await self._session.execute(_NOW)).scalar_one()
            if current["retired_at"] is not None:
                raise ConflictError(
                    f"memory {row.memory_id} is not current any more: there is nothing left to undo"
                )
            restored = current | {"retired_at": now, "retired_for": RetiredFor.UNDONE.value}
        else:
            restored = current | {name: noted_value(name, before.get(name)) for name in changed}
            if current["retired_at"] is not None and restored["retired_at"] is None:
                taken = (await self._session.execute(_TAKEN, {"id": row.memory_id})).scalars().first()
                if taken is not None:
                    raise ConflictError(
                        f"the same was remembered again since, as memory {taken}: forget one of the two"
                    )
        await self._write({row.memory_id: restored}, {row.memory_id})
        row.undone_at = func.now()
        await self._session.flush()
        await self._session.refresh(row)

    async def _undo_relations(
        self,
        row: MemoryChangeRow,
        before: Sequence[Mapping[str, Any]] | None,
        after: Sequence[Mapping[str, Any]] | None,
        *,
        strict: bool,
    ) -> None:
        if not after:
            return
        keys = [(each["source_id"], each["kind"], each["target_id"]) for each in after]
        standing = await self.relations(sorted({key[0] for key in keys}))
        made = [standing[key] for key in keys if key in standing]
        if strict and any(each["operation_id"] != row.operation_id for each in made):
            raise ConflictError(
                f"memory {row.memory_id} was connected again after this: undo the later changes first, "
                f"see GET /api/v1/memories/changes?memory_id={row.memory_id}"
            )
        await self._drop(keys)
        restored = [
            {**each, "created_at": datetime.fromisoformat(each["created_at"])} for each in before or ()
        ]
        await self._insert_relations(row.space_id or "", restored)

    async def _standing(self, changes: Sequence[Change]) -> dict[tuple[str, str, str], RowMapping]:
        sources = sorted({relation.source_id for change in changes for relation in change.relations})
        return await self.relations(sources) if sources else {}

    async def _undone(
        self, memory_ids: Iterable[str]
    ) -> tuple[set[tuple[str, str, str | None]], set[tuple[str, str, str]]]:
        """Changes that somebody took back, and relations that somebody did not want."""
        changes, relations = set(), set()
        for row in await self._session.execute(_UNDONE, {"ids": sorted(memory_ids)}):
            after = row.after or {}
            if "relations" in after:
                relations |= {
                    (each["source_id"], each["kind"], each["target_id"]) for each in after["relations"]
                }
            else:
                changes.add((row.memory_id, row.action, after.get("superseded_by")))
        return changes, relations

    async def _write(self, rows: Mapping[str, Mapping[str, Any]], memory_ids: Iterable[str]) -> None:
        ids = sorted(memory_ids)
        if ids:
            columns = {name: [rows[memory_id][name] for memory_id in ids] for name in COLUMNS}
            await self._session.execute(_SET, {"ids": ids, **columns})

    async def _drop(self, keys: Sequence[tuple[str, str, str]]) -> None:
        if not keys:
            return
        sources, kinds, targets = zip(*keys, strict=True)
        await self._session.execute(
            _DROP_RELATIONS, {"sources": list(sources), "kinds": list(kinds), "targets": list(targets)}
        )

    async def _insert_relations(self, space_id: str, edges: Sequence[Mapping[str, Any]]) -> None:
        if not edges:
            return
        names = {
            "sources": "source_id", "kinds": "kind", "targets": "target_id", "types": "target_type",
            "weights": "weight", "operations": "operation_id", "created": "created_at",
        }  # fmt: skip
        columns = {ours: [each[name] for each in edges] for ours, name in names.items()}
        await self._session.execute(
            _ADD_RELATIONS, {"organisation": self._organisation_id, "space": space_id, **columns}
        )


def _is_as_read(change: Change, rows: Mapping[str, Mapping[str, Any]]) -> bool:
    wanted = {change.memory_id: change.version, **change.needs}
    return all(
        memory_id in rows and rows[memory_id]["retired_at"] is None and rows[memory_id]["version"] == version
        for memory_id, version in wanted.items()
    )


def _differences(
    change: Change,
    row: Mapping[str, Any],
    standing: Mapping[tuple[str, str, str], RowMapping],
    unwanted: set[tuple[str, str, str]],
    now: datetime,
) -> tuple[dict[str, Any], dict[str, Any], Sequence[Relation]]:
    """What is to be different, before and after, and the edges among it; nothing when nobody wants it."""
    if change.relations:
        relations = [each for each in change.relations if _key(each) not in unwanted]
        told = [_told(standing[_key(each)]) for each in relations if _key(each) in standing]
        after = {"relations": [shown(each) for each in relations]} if relations else {}
        return {"relations": told}, after, relations
    wanted = _wanted(change, now)
    return {name: row[name] for name in wanted}, wanted, ()


def _wanted(change: Change, now: datetime) -> dict[str, Any]:
    """Columns that are to be different."""
    wanted: dict[str, Any] = {}
    if change.retirement is not None:
        wanted["retired_at"] = now
        wanted["retired_for"] = change.retirement.retired_for.value
        wanted["superseded_by"] = change.retirement.superseded_by
        if change.retirement.valid_to is not None:
            wanted["valid_to"] = change.retirement.valid_to
    if change.importance is not None:
        # As the column keeps it: what is undone is compared with it.
        wanted["importance"] = float(np.float32(change.importance))
    return wanted


def _key(relation: Relation) -> tuple[str, str, str]:
    return relation.source_id, relation.kind, relation.target_id


def shown(relation: Relation) -> dict[str, Any]:
    """An edge as a change notes it."""
    return {
        "source_id": relation.source_id,
        "kind": relation.kind,
        "target_id": relation.target_id,
        "weight": round(relation.weight, 4),
    }


def _told(edge: RowMapping) -> dict[str, Any]:
    return {**edge, "created_at": edge["created_at"].isoformat()}


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(
        {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}
    )


def change_read(row: MemoryChangeRow, content: str) -> MemoryChangeRead:
    """A change as the API shows it."""
    return MemoryChangeRead(
        id=None if row.planned else row.id,
        memory_id=row.memory_id,
        action=ChangeAction(row.action),
        stage=EvolutionStage(row.stage) if row.stage else None,
        reason=row.reason,
        operation_id=row.operation_id,
        at=row.at,
        undone_at=row.undone_at,
        before=row.before,
        after=row.after,
        content=content,
    )
