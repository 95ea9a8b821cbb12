"""What a measurement found, and how it is shown: a table, JSON, Markdown."""

import json
import os
import platform
import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import psutil
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

FIGURES_BEGIN = "<!-- figures: begin -->"
FIGURES_END = "<!-- figures: end -->"


@dataclass(frozen=True)
class Target:
    """What is to be reached: by the value itself, or by its ratio to the bare thing."""

    of: Literal["value", "ratio"]
    sense: Literal["at most", "at least"]
    limit: float

    def met(self, value: float) -> bool:
        """Whether a measured number reaches it."""
        return value <= self.limit if self.sense == "at most" else value >= self.limit


@dataclass(frozen=True)
class Figure:
    """One measured number. `bare` is the same thing without us, or done by a peer, in the same run."""

    group: str
    name: str
    unit: str
    ours: float
    bare: float | None = None
    target: Target | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours by bare."""
        return self.ours / self.bare if self.bare else None

    @property
    def met(self) -> bool | None:
        """Whether the target was reached; None without one."""
        if self.target is None:
            return None
        value = self.ours if self.target.of == "value" else self.ratio
        return None if value is None else self.target.met(value)


@dataclass(frozen=True)
class Options:
    """How to measure: `quick` only shows that everything works; `profile` breaks times down."""

    console: Console
    quick: bool = False
    profile: bool = False

    def say(self, what: str) -> None:
        """Tell what is being done."""
        self.console.print(what, style="dim", highlight=False)

    def repeats(self, thorough: int, quick: int) -> int:
        """How often something is repeated."""
        return quick if self.quick else thorough


Run = Callable[[Options], Awaitable[Sequence[Figure]]]


@dataclass(frozen=True)
class Results:
    """The figures of a run, and what they were measured on."""

    figures: list[Figure]
    failures: dict[str, str] = field(default_factory=dict)
    machine: dict[str, object] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Save as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, paths: Sequence[Path]) -> "Results":
        """Load one or more saved runs as one; a later file overrules the figures of an earlier one."""
        figures: dict[tuple[str, str], Figure] = {}
        machine: dict[str, object] = {}
        failures: dict[str, str] = {}
        for path in paths:
            stored = json.loads(path.read_text())
            machine, failures = stored["machine"], failures | stored["failures"]
            for entry in stored["figures"]:
                target = Target(**entry.pop("target")) if entry["target"] else entry.pop("target")
                figure = Figure(**entry, target=target)
                figures[figure.group, figure.name] = figure
        return cls(list(figures.values()), failures, machine)


def machine(quick: bool) -> dict[str, object]:
    """What a figure depends on besides the code."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "temporalio": version("temporalio"),
        "onnxruntime": version("onnxruntime"),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of the values does not exceed."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def median(values: Sequence[float]) -> float:
    """The value in the middle."""
    return statistics.median(values)


def number(value: float | None, unit: str = "") -> str:
    """Three figures are enough."""
    if value is None:
        return ""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f} {unit}".rstrip()


def _target(figure: Figure) -> str:
    if figure.target is None:
        return ""
    sign = "≤" if figure.target.sense == "at most" else "≥"
    if figure.target.of == "ratio":
        return f"{sign} {figure.target.limit:g}x"
    return f"{sign} {figure.target.limit:,g} {figure.unit}"


def _verdict(figure: Figure) -> str:
    return {True: "yes", False: "no", None: ""}[figure.met]


def show(console: Console, results: Results) -> None:
    """Print the figures as a table."""
    table = Table(box=box.SIMPLE_HEAD, title="Figures", title_justify="left")
    for heading in ("figure", "ours", "bare or peer", "ratio", "target", "met?"):
        table.add_column(heading, justify="left" if heading == "figure" else "right", overflow="fold")
    group = ""
    for figure in results.figures:
        if figure.group != group:
            table.add_section()
            table.add_row(Text(figure.group, style="bold"))
            group = figure.group
        label = Text.assemble(figure.name, (f"\n{figure.note}", "dim") if figure.note else "")
        verdict = Text(_verdict(figure), style="green" if figure.met else "bold red")
        ratio = f"{figure.ratio:.2f}x" if figure.ratio is not None else ""
        table.add_row(
            label,
            number(figure.ours, figure.unit),
            number(figure.bare, figure.unit),
            ratio,
            _target(figure),
            verdict,
        )
    console.print(table)
    console.print(_conditions(results), style="dim", highlight=False)
    for name, reason in results.failures.items():
        console.print(Text(f"{name} could not be measured: {reason}", style="bold red"))


def _conditions(results: Results) -> str:
    facts = results.machine
    quick = (
        " A quick run: it shows that everything works, and measures nothing." if facts.get("quick") else ""
    )
    return (
        f"{facts.get('processor')}, {facts.get('cores')} cores, {facts.get('memory_gib')} GiB, "
        f"Python {facts.get('python')}; load before: {facts.get('load_before')}; "
        f"{facts.get('measured_at')}.{quick}"
    )


def markdown(results: Results) -> str:
    """The figures as a Markdown table."""
    lines = ["| figure | ours | bare or peer | ratio | target | met |", "|---|--:|--:|--:|--:|---|"]
    for figure in results.figures:
        ratio = f"{figure.ratio:.2f}x" if figure.ratio is not None else ""
        cells = (
            f"{figure.group}: {figure.name}" + (f" ({figure.note})" if figure.note else ""),
            number(figure.ours, figure.unit),
            number(figure.bare, figure.unit),
            ratio,
            _target(figure),
            _verdict(figure),
        )
        lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    return "\n".join([*lines, "", _conditions(results)])


def write_markdown(results: Results, path: Path) -> None:
    """Replace the table between the two marks of a file."""
    text = path.read_text()
    before, begin, rest = text.partition(FIGURES_BEGIN)
    _old, end, after = rest.partition(FIGURES_END)
    if not begin or not end:
        msg = f"{path} lacks the lines {FIGURES_BEGIN} and {FIGURES_END}"
        raise ValueError(msg)
    path.write_text(f"{before}{begin}\n{markdown(results)}\n{end}{after}")
