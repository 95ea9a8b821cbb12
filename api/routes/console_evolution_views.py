"""What the templates of evolution are given: runs, changes and proposals with their looks."""

from collections.abc import Mapping
from dataclasses import dataclass

from api.routes.console_memory_views import KIND_LOOKS
from api.routes.console_words import OPERATION_LOOKS, Look, duration
from perdure.domain.evolution import ChangeAction, EvolutionStage, Insights, ProposalStatus
from perdure.schemas.evolution import EvolutionRead, MemoryChangeRead, ProposalRead, StageReport
from perdure.schemas.operations import TERMINAL, OperationRead, OperationStatus

# What each stage does, for those who choose stages.
STAGES: dict[str, tuple[str, str]] = {
    EvolutionStage.UPDATE: (
        "Update",
        "Merge what says the same; let what is true now take the place of what was.",
    ),
    EvolutionStage.EXTEND: (
        "Extend",
        "Connect memories that support, contradict, follow or mention each other.",
    ),
    EvolutionStage.DERIVE: (
        "Derive",
        "Draw insights from memories that belong together, with their sources.",
    ),
    EvolutionStage.DECAY: ("Decay", "Let go of what has expired, says nothing or is asked for by nobody."),
}

ACTIONS: dict[str, Look] = {
    ChangeAction.UPDATED: Look("Corrected", "pencil", "info"),
    ChangeAction.MERGED: Look("Merged", "layers", "info"),
    ChangeAction.SUPERSEDED: Look("Superseded", "arrow-right", "warning"),
    ChangeAction.RELATED: Look("Related", "graph", "violet"),
    ChangeAction.DERIVED: Look("Derived", "bulb", "success"),
    ChangeAction.OUTDATED: Look("Outdated", "clock", "warning"),
    ChangeAction.FADED: Look("Faded", "minus-circle", "neutral"),
    ChangeAction.EXPIRED: Look("Expired", "hourglass", "neutral"),
    ChangeAction.ARCHIVED: Look("Archived", "archive", "neutral"),
    ChangeAction.REMOVED: Look("Removed", "trash", "danger"),
}

PROPOSAL_LOOKS: dict[str, Look] = {
    ProposalStatus.OPEN: Look("Open", "hand", "violet"),
    ProposalStatus.ACCEPTED: Look("Accepted", "check-circle", "success"),
    ProposalStatus.DECLINED: Look("Declined", "x-circle", "neutral"),
    ProposalStatus.EXPIRED: Look("Expired", "hourglass", "neutral"),
}

INSIGHTS: dict[str, str] = {
    Insights.PROPOSE: "Ask before they are kept",
    Insights.APPLY: "Keep them at once",
    Insights.OFF: "Make none",
}


@dataclass(frozen=True)
class StageView:
    """What a stage of a run did."""

    report: StageReport

    @property
    def name(self) -> str:
        """In a word."""
        return STAGES[self.report.stage][0]

    @property
    def changed(self) -> list[tuple[Look, int]]:
        """How often it did what, the most first."""
        counts = sorted(self.report.changed.items(), key=lambda item: -item[1])
        return [(ACTIONS[action], count) for action, count in counts if count]

    @property
    def took(self) -> str:
        """How long it took."""
        return (
            f"{self.report.took_ms:,.0f} ms"
            if self.report.took_ms < 10_000
            else _seconds(self.report.took_ms)
        )


def _seconds(took_ms: float) -> str:
    return f"{took_ms / 1000:,.1f} s"


@dataclass(frozen=True)
class RunView:
    """A run of evolution. `status` is that of its operation, where the run itself has no end."""

    run: EvolutionRead
    status: OperationStatus = OperationStatus.RUNNING

    @property
    def look(self) -> Look:
        """Whether it goes on, and whether it changes anything."""
        if self.is_open:
            return Look("In work", "loader", "info", spins=True)
        if self.run.ended_at is None:
            return OPERATION_LOOKS[self.status]
        if self.run.dry_run:
            return Look("Dry run", "search", "neutral")
        return Look("Done", "check-circle", "success")

    @property
    def is_open(self) -> bool:
        """Whether it goes on: one that failed or was cancelled has no end, and goes on no more."""
        return self.run.ended_at is None and self.status not in TERMINAL

    @property
    def stages(self) -> list[StageView]:
        """What each stage did."""
        return [StageView(report) for report in self.run.stages]

    @property
    def examined(self) -> int:
        """Memories that were looked at, by the stage that looked at most."""
        return max((report.examined for report in self.run.stages), default=0)

    @property
    def planned(self) -> int:
        """Changes by the stages' own count, which a dry run has, too."""
        return sum(sum(report.changed.values()) for report in self.run.stages)

    @property
    def took(self) -> str | None:
        """How long it took."""
        return duration(self.run.ended_at - self.run.started_at) if self.run.ended_at else None

    @property
    def junk(self) -> str | None:
        """Share of junk, in percent."""
        return None if self.run.junk_rate is None else f"{100 * self.run.junk_rate:.1f} %"


def begun(operation: OperationRead, space: str) -> EvolutionRead:
    """A run that is accepted, and that no worker has begun yet."""
    return EvolutionRead(
        operation_id=operation.id,
        space=space,
        started_at=operation.created_at,
        ended_at=None,
        dry_run=False,
        stages=[],
        junk_rate=None,
        changes=0,
    )


@dataclass(frozen=True)
class ChangeView:
    """What became of a memory, and why."""

    change: MemoryChangeRead

    @property
    def look(self) -> Look:
        """What it is."""
        return ACTIONS[self.change.action]

    @property
    def can_undo(self) -> bool:
        """Whether there is something to take back."""
        return self.change.id is not None and self.change.undone_at is None

    @property
    def other_id(self) -> str | None:
        """The memory that took its place."""
        found = (self.change.after or {}).get("superseded_by")
        return found if isinstance(found, str) else None


@dataclass(frozen=True)
class ProposalView:
    """A memory that evolution would make."""

    proposal: ProposalRead

    @property
    def look(self) -> Look:
        """What became of it."""
        return PROPOSAL_LOOKS[self.proposal.status]

    @property
    def kind(self) -> Look:
        """What it would be."""
        return KIND_LOOKS[self.proposal.kind]

    @property
    def is_open(self) -> bool:
        """Whether it waits for a decision."""
        return self.proposal.status is ProposalStatus.OPEN


def settings_values(form: Mapping[str, str]) -> dict[str, object]:
    """Settings as a form sends them; an empty number of hours means never by itself."""
    return {
        "every_hours": form.get("every_hours", "").strip() or None,
        "insights": form.get("insights", ""),
        "proposal_days": form.get("proposal_days", "").strip(),
        "decay_half_life_days": form.get("decay_half_life_days", "").strip(),
    }
