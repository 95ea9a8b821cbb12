"""`python -m bench.evaluation [SET…] [--direct] [--json FILE] [--learn]`: how well memory finds what was said.

A set is `invented` (chats that the project makes), `written` (chats written by hand), or a directory of dialogues
as `bench.evaluation.dialogues` describes. Without sets: both of the project's own. Each is asked four ways: by
meaning alone, by words alone, both fused by rank, and as `recall` ranks. `--learn` prints weights learned from
the half of the project's own data that is not judged.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from bench.evaluation.chats import make_chats
from bench.evaluation.dialogues import Dialogue, read_directory
from bench.evaluation.direct import DirectMemory
from bench.evaluation.learning import Example, learn
from bench.evaluation.measures import DEPTH, MEASURES, Measured, judged, summarised
from bench.evaluation.vocabulary_learning import LEARNING
from bench.evaluation.vocabulary_testing import TESTING
from bench.evaluation.written_chats import FOR_LEARNING, FOR_TESTING, read_written
from perdure.domain.ranking_weights import UNTUNED_RECALL_WEIGHTS
from perdure.domain.recall_ranking import RecallMode
from perdure.ports.models import Embedder
from perdure.providers.minilm_embedder import MiniLMEmbedder
from perdure.providers.minilm_export import ensure_exported
from perdure.settings import home_directory

_LEARNING_SEED, _TESTING_SEED = 1, 2
# What people wrote is twice as much like what people say as what a generator made.
_WRITTEN_SHARE = 2.0

Summary = dict[str, dict[str, Measured]]
"""Measures by `mode` and `mode, type of question`."""


def dialogues(name: str) -> list[Dialogue]:
    """The dialogues of a set."""
    if name == "invented":
        return make_chats(TESTING, _TESTING_SEED, 6)
    if name == "written":
        return read_written(FOR_TESTING)
    return read_directory(Path(name))


def evaluate(asked: Sequence[Dialogue], embedder: Embedder) -> Summary:
    """Ask every question in every mode."""
    rows: dict[str, list[tuple[float, ...]]] = {}
    for dialogue in asked:
        memory = DirectMemory(dialogue, embedder)
        for question in dialogue.questions:
            for mode in RecallMode:
                row = judged(memory.recall(question, mode, DEPTH), question.relevant)
                rows.setdefault(mode, []).append(row)
                if question.type:
                    rows.setdefault(f"{mode}, {question.type}", []).append(row)
    return {
        label: summarised(found) | {"questions": Measured(len(found), 0, 0)} for label, found in rows.items()
    }


def learned(embedder: Embedder) -> dict[str, float]:
    """Weights from the chats for learning; the same data give the same weights."""
    sets = [(make_chats(LEARNING, _LEARNING_SEED, 8), 1.0), (read_written(FOR_LEARNING), _WRITTEN_SHARE)]
    examples: list[Example] = []
    shares: list[float] = []
    for chats, share in sets:
        found = [
            memory.judged(question)
            for dialogue in chats
            for memory in [DirectMemory(dialogue, embedder)]
            for question in dialogue.questions
        ]
        examples += found
        shares += [share / len(found)] * len(found)
    return learn(examples, UNTUNED_RECALL_WEIGHTS, shares)


def show(console: Console, name: str, summary: Summary) -> None:
    """Print one table for a set."""
    table = Table(box=box.SIMPLE_HEAD, title=name, title_justify="left")
    for heading in ("ranking", "questions", *MEASURES):
        table.add_column(heading, justify="left" if heading == "ranking" else "right")
    for label in sorted(summary, key=lambda label: (label.partition(", ")[2], label)):
        row = summary[label]
        cells = [f"{row[one].mean:.3f} ({row[one].low:.2f}-{row[one].high:.2f})" for one in MEASURES]
        table.add_row(label, f"{row['questions'].mean:.0f}", *cells)
    console.print(table)
    best = max(
        (mode for mode in RecallMode if mode != RecallMode.HYBRID), key=lambda mode: _at_ten(summary, mode)
    )
    ours, theirs = _at_ten(summary, RecallMode.HYBRID), _at_ten(summary, best)
    gain = f"{ours / theirs - 1:+.0%}" if theirs else "n/a"
    console.print(f"recall@10 {ours:.3f} against {theirs:.3f} of the best other ({best}): {gain}\n")


def _at_ten(summary: Summary, mode: RecallMode) -> float:
    return summary[mode]["recall@10"].mean


def main(arguments: Sequence[str]) -> None:
    """Evaluate the sets that are named."""
    parser = argparse.ArgumentParser(prog="python -m bench.evaluation", description=__doc__)
    parser.add_argument("sets", nargs="*", default=["invented", "written"])
    parser.add_argument("--direct", action="store_true", help="in process, without a server")
    parser.add_argument("--json", type=Path, help="write the measures to this file")
    parser.add_argument("--learn", action="store_true", help="print learned weights instead")
    parser.add_argument("--models", type=Path, default=home_directory() / "models")
    given = parser.parse_args(arguments)
    ensure_exported(given.models)
    embedder, console = MiniLMEmbedder(given.models), Console(width=150)
    if given.learn:
        console.print_json(json.dumps(learned(embedder)))
        return
    results: dict[str, Summary] = {}
    for name in given.sets:
        results[name] = evaluate(dialogues(name), embedder)
        show(console, name, results[name])
    if given.json:
        content = {
            name: {
                label: {one: asdict(value) for one, value in row.items()} for label, row in summary.items()
            }
            for name, summary in results.items()
        }
        given.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
