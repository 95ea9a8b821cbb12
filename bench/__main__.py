"""`python -m bench [GROUP…] [--quick] [--profile] [--json FILE] [--markdown [FILE]]`: the figures of the project.

A group is a module of this package with `async def run(options: Options) -> Sequence[Figure]`; add it to GROUPS.
A module whose `run` takes anything else is a tool of its own, and is not run from here.
"""

import argparse
import asyncio
import os
import sys
import time
import traceback
from importlib import import_module
from importlib.util import find_spec
from inspect import signature
from pathlib import Path

from rich.console import Console

from bench.report import Figure, Options, Results, Run, machine, markdown, show, write_markdown

GROUPS = {
    "accept": "bench.accept",
    "small_text": "bench.small_text",
    "batch_texts": "bench.batch_texts",
    "llama_index": "bench.llama_index_pipeline",
    "search": "bench.search_speed",
    "memory": "bench.memory",
    "evolution": "bench.evolution",
    "mem0": "bench.mem0_memory",
    "idle_memory": "bench.idle_memory",
    "warm_start": "bench.warm_start",
    "pause": "bench.pause",
    "providers": "bench.providers",
    "classification": "bench.classification",
    "approvals": "bench.approvals",
    "document_workflows": "bench.document_workflows",
    "codec": "bench.codec",
    "backup": "bench.backup",
    "text_analysis": "bench.text_analysis",
    "definitions": "bench.definitions",
    "capacity": "bench.capacity",
}
# A quarter of an hour and more: only when they are named.
LONG_GROUPS = {"soak": "bench.soak", "memory_million": "bench.memory_million"}


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure the figures of the project."
    )
    parser.add_argument(
        "groups",
        nargs="*",
        metavar="GROUP",
        help=f"default: all of {', '.join(GROUPS)}; also: {', '.join(LONG_GROUPS)}",
    )
    parser.add_argument("--quick", action="store_true", help="little of everything: shows that it works")
    parser.add_argument("--profile", action="store_true", help="break times down")
    parser.add_argument("--cores", type=int, default=2, help="pin everything to so many cores (default: 2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="save the figures")
    parser.add_argument(
        "--markdown", type=Path, nargs="?", const=Path("-"), metavar="FILE",
        help="print the figures as Markdown, or write them between the marks of FILE",
    )  # fmt: skip
    parser.add_argument(
        "--show", type=Path, nargs="+", metavar="FILE", help="show saved figures instead of measuring"
    )
    given = parser.parse_args()
    if unknown := [name for name in given.groups if name not in GROUPS | LONG_GROUPS]:
        parser.error(f"unknown groups {unknown}; known are {', '.join(GROUPS | LONG_GROUPS)}")
    if given.quick and given.markdown not in (None, Path("-")):
        parser.error("a quick run measures nothing: its figures are not written into a file")
    return given


def entry_point(name: str) -> Run | None:
    """The `run` of a group; None when its module is not there or is a tool of its own."""
    module = (GROUPS | LONG_GROUPS)[name]
    if find_spec(module) is None:
        return None
    run: Run | None = getattr(import_module(module), "run", None)
    return run if run is not None and list(signature(run).parameters) == ["options"] else None


def measure(names: list[str], options: Options) -> Results:
    """One group after the other; one that fails does not take the others with it."""
    facts = machine(quick=options.quick)
    figures: list[Figure] = []
    failures: dict[str, str] = {}
    for name in names:
        started = time.monotonic()
        options.console.rule(name, style="dim")
        try:
            run = entry_point(name)
            if run is None:
                options.say(f"{name} has no `run(options)`: left out")
                continue
            figures.extend(asyncio.run(_run(run, options)))
        except Exception as error:  # noqa: BLE001  # the process boundary: shown, and the others are measured
            options.console.print(traceback.format_exc(), style="red", markup=False, highlight=False)
            failures[name] = f"{type(error).__name__}: {error}"
        options.say(f"{name}: {time.monotonic() - started:.0f} s")
    return Results(figures, failures, facts)


async def _run(run: Run, options: Options) -> list[Figure]:
    return list(await run(options))


def main() -> int:
    """Measure and show; 1 when a group failed. A target that was missed is no failure: it is shown."""
    given = arguments()
    # A pipe is wide: what reads it wraps lines by itself.
    console = Console() if sys.stdout.isatty() else Console(width=150)
    if given.show:
        results = Results.read(given.show)
    else:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: given.cores])
        options = Options(console, quick=given.quick, profile=given.profile)
        results = measure(given.groups or list(GROUPS), options)
    if given.json:
        results.write(given.json)
    if given.markdown == Path("-"):
        print(markdown(results))
    else:
        show(console, results)
        if given.markdown:
            write_markdown(results, given.markdown)
    return 1 if results.failures else 0


if __name__ == "__main__":
    sys.exit(main())
