"""Runs of evolution: where each stage is, what it did, and how a space is told to evolve; the caller commits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.models import (
    MemoryEvolutionRow,
    MemoryEvolutionSettingsRow,
    MemoryEvolutionStageRow,
    OperationRow,
    SpaceRow,
)
from perdure.domain.evolution import RULES, EvolutionRules, EvolutionStage, Insights
from perdure.domain.ids import new_id
from perdure.errors import NotFoundError
from perdure.schemas.evolution import (
    EvolutionJob,
    EvolutionRead,
    EvolutionSettings,
    EvolveMemoryResult,
    StageReport,
)
from perdure.schemas.operations import Subject

KIND = "evolve_memory"
# A run looks again at what was recorded shortly before the last one began: it may have been committed after that.
_OVERLAP = timedelta(hours=1)
# The others look at all memories: time goes by for each, and every one may change what is drawn from several.
_ABOUT_NEW = frozenset((EvolutionStage.UPDATE, EvolutionStage.EXTEND))

_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended('evolution ' || :space, 0))")
_LAST = text(
    """
    SELECT max(e.started_at) FROM memory_evolution_stages s
    JOIN memory_evolutions e ON e.operation_id = s.operation_id
    WHERE e.organisation_id = :organisation AND e.space_id = :space AND NOT e.dry_run AND e.rules = :rules
        AND s.stage = :stage AND s.ended_at IS NOT NULL AND e.operation_id <> :operation
    """
)
_COUNT = text(
    """
    SELECT count(*) FROM memories
    WHERE space_id = :space AND retired_at IS NULL AND version_of IS NULL AND id <= :until
    """
)
_CHANGES = text(
    """
    SELECT operation_id, count(*) AS changes FROM memory_changes
    WHERE operation_id = ANY(CAST(:ids AS text[])) GROUP BY 1
    """
)


@dataclass(frozen=True, slots=True)
class StageState:
    """A stage of a run, with all that its next page needs to know."""

    organisation_id: str
    operation_id: str
    space_id: str
    stage: EvolutionStage
    dry_run: bool
    place: str
    since: datetime | None
    until_id: str
    at: datetime
    """When the run began: the same for all of its pages."""
    ended: bool
    changed: Mapping[str, int] = field(default_factory=dict)
    """What it has changed so far, by action."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a page of a stage did; without a `place` it was the last one."""

    place: str | None
    examined: int
    changed: Mapping[str, int]
    junk: int = 0
    took_ms: float = 0.0


class EvolutionRuns:
    """Runs of one organisation."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def alone(self, space_id: str) -> None:
        """Nobody else accepts a run of this space until the transaction ends."""
        await self._session.execute(_ONE_AT_A_TIME, {"space": space_id})

    async def running(self, space_id: str) -> OperationRow | None:
        """The operation that evolves a space now, or is about to."""
        statement = (
            select(OperationRow)
            .where(
                OperationRow.organisation_id == self._organisation_id,
                OperationRow.subject_id == space_id,
                OperationRow.kind == KIND,
                OperationRow.closed_at.is_(None),
            )
            .order_by(OperationRow.id.desc())
            .limit(1)
        )
        return (await self._session.scalars(statement)).one_or_none()

    async def begin(self, job: EvolutionJob) -> int:
        """Note the run and its stages, once; how many memories there are to look at."""
        statement = insert(MemoryEvolutionRow).values(
            operation_id=job.operation_id,
            organisation_id=self._organisation_id,
            space_id=job.space_id,
            dry_run=job.dry_run,
            stages=[stage.value for stage in job.stages],
            until_id=new_id("mem"),
            rules=RULES,
        )
        await self._session.execute(statement.on_conflict_do_nothing())
        run = await self._session.get_one(MemoryEvolutionRow, job.operation_id)
        for stage in job.stages:
            given = {
                "organisation": self._organisation_id,
                "space": job.space_id,
                "rules": RULES,
                "stage": stage.value,
                "operation": job.operation_id,
            }
            last: datetime | None = None
            if stage in _ABOUT_NEW:
                last = (await self._session.execute(_LAST, given)).scalar_one()
            values = {
                "operation_id": job.operation_id,
                "organisation_id": self._organisation_id,
                "stage": stage.value,
                "since": last - _OVERLAP if last else None,
            }
            await self._session.execute(
                insert(MemoryEvolutionStageRow).values(values).on_conflict_do_nothing()
            )
        counted = {"space": job.space_id, "until": run.until_id}
        return int((await self._session.execute(_COUNT, counted)).scalar_one())

    async def state(self, operation_id: str, stage: EvolutionStage, *, lock: bool = False) -> StageState:
        """Where a stage is; locked, nobody else takes it further until the transaction ends."""
        run = await self._session.get(MemoryEvolutionRow, operation_id)
        row = await self._session.get(
            MemoryEvolutionStageRow, (operation_id, stage.value), with_for_update=lock or None
        )
        if run is None or row is None:
            raise NotFoundError(f"nothing is known any more of the evolution {operation_id}")
        return StageState(
            organisation_id=self._organisation_id,
            operation_id=operation_id,
            space_id=run.space_id,
            stage=stage,
            dry_run=run.dry_run,
            place=row.place,
            since=row.since,
            until_id=run.until_id,
            at=run.started_at,
            ended=row.ended_at is not None,
            changed=row.changed,
        )

    async def advance(self, state: StageState, progress: Progress) -> None:
        """Note what a page did, and where the next begins; in the transaction that did it."""
        row = await self._session.get_one(
            MemoryEvolutionStageRow, (state.operation_id, state.stage.value), with_for_update=True
        )
        changed = dict(row.changed)
        for action, count in progress.changed.items():
            changed[action] = changed.get(action, 0) + count
        values: dict[str, Any] = {
            "place": state.place if progress.place is None else progress.place,
            "examined": row.examined + progress.examined,
            "junk": row.junk + progress.junk,
            "changed": dict(sorted(changed.items())),
            "took_ms": row.took_ms + progress.took_ms,
        }
        if progress.place is None:
            values["ended_at"] = func.clock_timestamp()
        statement = update(MemoryEvolutionStageRow).where(
            MemoryEvolutionStageRow.operation_id == state.operation_id,
            MemoryEvolutionStageRow.stage == state.stage.value,
        )
        await self._session.execute(statement.values(**values))

    async def conclude(self, operation_id: str) -> EvolveMemoryResult:
        """Note that a run is over; what it did. A second time it stays as it is."""
        statement = (
            update(MemoryEvolutionRow)
            .where(MemoryEvolutionRow.operation_id == operation_id, MemoryEvolutionRow.ended_at.is_(None))
            .values(ended_at=func.clock_timestamp())
        )
        await self._session.execute(statement)
        run = await self.get(operation_id)
        if run is None:
            raise NotFoundError(f"nothing is known any more of the evolution {operation_id}")
        return EvolveMemoryResult(
            space=run.space, dry_run=run.dry_run, stages=run.stages, junk_rate=run.junk_rate
        )

    async def get(self, operation_id: str) -> EvolutionRead | None:
        """One run."""
        found = await self._read(MemoryEvolutionRow.operation_id == operation_id, limit=1)
        return found[0] if found else None

    async def list(
        self, *, space: str | None = None, after: str | None = None, limit: int = 50
    ) -> Sequence[EvolutionRead]:
        """Newest first; `after` is the id that the page before ended with."""
        conditions: list[Any] = [MemoryEvolutionRow.organisation_id == self._organisation_id]
        if space is not None:
            conditions.append(SpaceRow.name == space)
        if after is not None:
            conditions.append(MemoryEvolutionRow.operation_id < after)
        return await self._read(*conditions, limit=limit)

    async def _read(self, *conditions: Any, limit: int) -> Sequence[EvolutionRead]:
        statement = (
            select(MemoryEvolutionRow, func.coalesce(SpaceRow.name, MemoryEvolutionRow.space_id))
            .outerjoin(SpaceRow, SpaceRow.id == MemoryEvolutionRow.space_id)
            .where(*conditions)
            .order_by(MemoryEvolutionRow.operation_id.desc())
            .limit(limit)
            .execution_options(populate_existing=True)
        )
        runs = [(row, space) for row, space in await self._session.execute(statement)]
        ids = [row.operation_id for row, _ in runs]
        stages: dict[str, dict[str, MemoryEvolutionStageRow]] = {}
        of_these = (
            select(MemoryEvolutionStageRow)
            .where(MemoryEvolutionStageRow.operation_id.in_(ids))
            .execution_options(populate_existing=True)
        )
        for stage in await self._session.scalars(of_these):
            stages.setdefault(stage.operation_id, {})[stage.stage] = stage
        counts = {
            row.operation_id: row.changes for row in await self._session.execute(_CHANGES, {"ids": ids})
        }
        return [
            _run(row, space, stages.get(row.operation_id, {}), counts.get(row.operation_id, 0))
            for row, space in runs
        ]

    async def rules(self, space_id: str) -> EvolutionRules:
        """How a space evolves."""
        row = await self._session.get(MemoryEvolutionSettingsRow, space_id)
        if row is None:
            return EvolutionRules()
        return EvolutionRules(
            row.every_hours, Insights(row.insights), row.proposal_days, row.decay_half_life_days
        )

    async def scheduled(self) -> Sequence[str]:
        """Spaces that evolve by themselves."""
        statement = select(MemoryEvolutionSettingsRow.space_id).where(
            MemoryEvolutionSettingsRow.organisation_id == self._organisation_id,
            MemoryEvolutionSettingsRow.every_hours.is_not(None),
        )
        return (await self._session.scalars(statement)).all()

    async def change_rules(self, space_id: str, settings: EvolutionSettings) -> None:
        """Say how a space evolves from now on."""
        values = settings.model_dump(mode="json")
        statement = insert(MemoryEvolutionSettingsRow).values(
            space_id=space_id, organisation_id=self._organisation_id, **values
        )
        await self._session.execute(
            statement.on_conflict_do_update(
                index_elements=["space_id"], set_={**values, "updated_at": func.now()}
            )
        )


def evolution_operation(
    organisation_id: str,
    actor_id: str,
    space_id: str,
    stages: Sequence[EvolutionStage],
    *,
    dry_run: bool,
) -> dict[str, Any]:
    """What `OperationRepository.create` needs to know of a run."""
    return {
        "organisation_id": organisation_id,
        "actor_id": actor_id,
        "kind": KIND,
        "summary": "Report how memories would evolve" if dry_run else "Evolve memories",
        "subject": Subject(type="space", id=space_id),
        "input": {
            "space_id": space_id,
            "stages": [stage.value for stage in stages],
            "dry_run": dry_run,
        },
    }


def settings_of(rules: EvolutionRules) -> EvolutionSettings:
    """As the API shows them."""
    return EvolutionSettings(
        every_hours=rules.every_hours,
        insights=rules.insights,
        proposal_days=rules.proposal_days,
        decay_half_life_days=rules.decay_half_life_days,
    )


def _run(
    row: MemoryEvolutionRow, space: str, stages: Mapping[str, MemoryEvolutionStageRow], changes: int
) -> EvolutionRead:
    ordered = [stages[name] for name in EvolutionStage if name in stages]
    counted = [each for each in ordered if each.stage == EvolutionStage.DECAY.value]
    merged = sum(int(each.changed.get("merged", 0)) for each in ordered)
    examined = sum(each.examined for each in counted)
    junk = sum(each.junk for each in counted)
    return EvolutionRead(
        operation_id=row.operation_id,
        space=space,
        started_at=row.started_at,
        ended_at=row.ended_at,
        dry_run=row.dry_run,
        stages=[
            StageReport(
                stage=EvolutionStage(each.stage),
                examined=each.examined,
                changed=each.changed,
                took_ms=round(each.took_ms, 1),
            )
            for each in ordered
        ],
        junk_rate=round((junk + merged) / (examined + merged), 4) if examined + merged else None,
        changes=changes,
    )
