"""The pages of evolution with invented content, extremes included."""

from typing import Any

from api.routes.console_evolution_views import (
    INSIGHTS,
    PROPOSAL_LOOKS,
    STAGES,
    ChangeView,
    ProposalView,
    RunView,
)
from perdure.domain.evolution import ChangeAction, EvolutionStage, ProposalStatus
from perdure.domain.ids import new_id
from perdure.domain.memories import MemoryKind
from perdure.schemas.evolution import (
    EvolutionRead,
    EvolutionSettings,
    MemoryChangeRead,
    ProposalRead,
    StageReport,
)
from tests.browser.preview import Page, ago
from tests.browser.preview_memories import SAID, explorer, memory, memory_page


def run(*, ended: bool = True, dry_run: bool = False, quiet: bool = False) -> RunView:
    changed = [
        {"merged": 12, "superseded": 3},
        {"related": 1_204},
        {"derived": 4},
        {"expired": 2, "removed": 7},
    ]
    stages = [
        StageReport(stage=stage, examined=41_211, changed={} if quiet else counts, took_ms=took)
        for stage, counts, took in zip(EvolutionStage, changed, (812.4, 12_345.6, 99.0, 7.2), strict=True)
    ]
    return RunView(
        EvolutionRead(
            operation_id=new_id("op"),
            space="default",
            started_at=ago(minutes=4),
            ended_at=ago(minutes=3) if ended else None,
            dry_run=dry_run,
            stages=stages if ended else [],
            junk_rate=0.043 if ended else None,
            changes=28,
        )
    )


def changes(count: int, *, planned: bool = False) -> list[ChangeView]:
    actions = list(ChangeAction)
    return [
        ChangeView(
            MemoryChangeRead(
                id=None if planned else new_id("chg"),
                memory_id=new_id("mem"),
                action=actions[place % len(actions)],
                stage=EvolutionStage.UPDATE,
                reason="Ann's home: Lisbon takes the place of Porto, which was said before"
                if place
                else None,
                operation_id=new_id("op"),
                at=ago(minutes=3),
                undone_at=ago(minutes=1) if place == 2 else None,
                before=None,
                after={"superseded_by": new_id("mem")} if place == 1 else None,
                content=SAID[place % len(SAID)],
            )
        )
        for place in range(count)
    ]


def overview(runs: list[RunView], **more: Any) -> dict[str, Any]:
    return explorer("evolution") | {
        "space": "default",
        "spaces": ["default", "contracts"],
        "stages": STAGES,
        "runs": runs,
        "live": False,
        "settings": EvolutionSettings(every_hours=24) if runs else EvolutionSettings(),
        "insights": INSIGHTS,
        "open_proposals": len(runs),
        "many_proposals": False,
        "first_url": "/memories/evolution",
        "next_url": "/memories/evolution?cursor=x" if runs else None,
        "is_first_page": True,
        **more,
    }


def report(view: RunView, found: list[ChangeView]) -> dict[str, Any]:
    return explorer(
        "evolution",
        view=view,
        changes=found,
        back=f"/memories/evolution/{view.run.operation_id}",
        next_url="?cursor=x" if found else None,
        is_first_page=True,
    )


def proposals(statuses: list[ProposalStatus], status: str = "") -> dict[str, Any]:
    sources = [new_id("mem") for _ in range(3)]
    views = [
        ProposalView(
            ProposalRead(
                id=new_id("prp"),
                space="default",
                action="derive",
                content=SAID[place % len(SAID)],
                kind=MemoryKind.INSIGHT,
                subject="Ann",
                memory_ids=sources,
                reason="Three memories say it in other words",
                confidence=0.71,
                status=state,
                deadline=ago(days=-14),
                created_at=ago(days=1),
                decided_at=None if state is ProposalStatus.OPEN else ago(hours=2),
                decided_by=None,
                memory_id=new_id("mem") if state is ProposalStatus.ACCEPTED else None,
            )
        )
        for place, state in enumerate(statuses)
    ]
    return explorer(
        "proposals",
        space="default",
        spaces=["default", "contracts"],
        status=status,
        looks=PROPOSAL_LOOKS,
        proposals=views,
        contents={sources[0]: SAID[0], sources[1]: SAID[4]},
        next_url=None,
    )


def changed_memory() -> dict[str, Any]:
    view = memory(SAID[0], retired_at=ago(hours=2), superseded_by=new_id("mem"))
    back = f"/memories/{view.memory.id}"
    own = [ChangeView(each.change.model_copy(update={"memory_id": view.memory.id})) for each in changes(3)]
    return memory_page(view, 2) | {"changes": own, "back": back}


PAGES: dict[str, Page] = {
    "evolution": Page(
        "memories_evolution.html",
        lambda: overview([run(ended=False), run(dry_run=True), run(), run(quiet=True)]),
    ),
    "evolution-empty": Page(
        "memories_evolution.html", lambda: overview([], fault="Tick at least one stage.")
    ),
    "evolution-run": Page("memories_run.html", lambda: report(run(), changes(11))),
    "evolution-dry-run": Page(
        "memories_run.html", lambda: report(run(dry_run=True), changes(3, planned=True))
    ),
    "evolution-run-open": Page("memories_run.html", lambda: report(run(ended=False), [])),
    "memory-changed": Page("memory.html", changed_memory),
    "proposals": Page("memories_proposals.html", lambda: proposals(list(ProposalStatus))),
    "proposals-none": Page("memories_proposals.html", lambda: proposals([], "open")),
}
