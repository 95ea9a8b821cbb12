"""The report of a run, as JSON for scripts and as one HTML page for people."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import jinja2

from perdure import __version__
from perdure.chaos.findings import (
    SERVER_TARGET_S,
    WORKER_TARGET_S,
    Outcome,
    percentile,
    recoveries,
)
from perdure.chaos.plan import NOMINAL, SERVERS, WORKERS
from perdure.chaos.run import Run

_WORKERS = "kill of a worker: what was in hand is in hand again"
_SERVERS = "kill of a server: first progress, or of the API: it answers"
_NOT_TRIED = (
    "Clock jumps of PostgreSQL, of Temporal, whose program asks the kernel for the time itself, and of the machine, "
    "whose clock is everybody's who works on it.",
)


def summary(run: Run) -> dict[str, Any]:
    """Everything, in values that JSON knows."""
    return {
        "perdure": __version__,
        "seed": run.seed,
        "command": _command(run),
        "began_at": run.began_at.isoformat(timespec="seconds"),
        "seconds": round(run.seconds, 1),
        "faults": sum(not outcome.skipped for outcome in run.outcomes),
        "operations": sum(outcome.operations for outcome in run.outcomes),
        "violations": run.violations,
        "recovery": [
            _recovery(name, recoveries(run.outcomes, parts), target_s)
            for name, parts, target_s in (
                (_WORKERS, WORKERS, WORKER_TARGET_S),
                (_SERVERS, SERVERS, SERVER_TARGET_S),
                *((f"of these, {part}", (part,), WORKER_TARGET_S) for part in WORKERS),
                *((f"of these, {part}", (part,), SERVER_TARGET_S) for part in SERVERS),
            )
        ],
        "organisation": {"id": run.organisation_id, "erasure": run.receipt_url},
        "not_tried": [*_NOT_TRIED, *sorted({f"{o.fault}: {o.skipped}" for o in run.outcomes if o.skipped})],
        "outcomes": [_outcome(outcome) for outcome in run.outcomes],
    }


def _command(run: Run) -> str:
    """What injects the same faults again."""
    numbers = [outcome.fault.number for outcome in run.outcomes if outcome.fault.number >= 0]
    first, count = min(numbers, default=0), max(numbers, default=0) + 1
    minutes = max(1.0, math.ceil(10 * count * NOMINAL / timedelta(minutes=1)) / 10)
    return f"perdure chaos --seed {run.seed} --duration {minutes:g}" + (f" --first {first}" if first else "")


def _recovery(name: str, seconds: Sequence[float], target_s: float) -> dict[str, Any]:
    p50, p95 = percentile(seconds, 0.5), percentile(seconds, 0.95)
    return {
        "name": name,
        "count": len(seconds),
        "p50_s": _rounded(p50),
        "p95_s": _rounded(p95),
        "max_s": _rounded(max(seconds, default=None)),
        "target_p95_s": target_s,
        "met": None if p95 is None else p95 <= target_s,
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "fault": str(outcome.fault),
        "kind": outcome.fault.kind.value,
        **asdict(outcome.fault),
        "began_s": _rounded(outcome.began_s),
        "lasted_s": _rounded(outcome.lasted_s),
        "recovery_s": _rounded(outcome.recovery_s),
        "interrupted_steps": outcome.interrupted,
        "operations": outcome.operations,
        "skipped": outcome.skipped,
        "violations": [asdict(violation) for violation in outcome.violations],
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)


def write(run: Run, directory: Path) -> Path:
    """Write `chaos.json` and `chaos.html`; where the page is."""
    directory.mkdir(parents=True, exist_ok=True)
    made = summary(run)
    (directory / "chaos.json").write_text(json.dumps(made, indent=1) + "\n")
    page = directory / "chaos.html"
    page.write_text(html(made))
    return page


def html(made: dict[str, Any]) -> str:
    """One page with nothing outside of it."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("report.html").render(made)
