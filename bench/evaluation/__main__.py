"""`python -m bench.evaluation [SET…] [--direct | --url URL --key KEY] [--json FILE]`: how well memory finds.

A set is `invented` (chats that the project makes), `written` (chats written by hand), or a directory of dialogues
as `bench.evaluation.dialogues` describes. Without sets: both of the project's own. Each is asked four ways: by
meaning alone, by words alone, both fused by rank, and as `recall` ranks: through the API of a server that is
started for it or is at `--url`, or with `--direct` in process. The API takes names out of every question; in
process, only ours does. `--learn` prints weights learned from the half of the project's own data that is not judged.

`python -m bench.evaluation classification [--learn] [--json FILE]`: how well texts get their labels, in process.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from bench.evaluation.chats import make_chats
from bench.evaluation.classification.kept_vectors import KeptVectors
from bench.evaluation.classification.report import report
from bench.evaluation.dialogues import Dialogue, Question, read_directory
from bench.evaluation.direct import DirectMemory
from bench.evaluation.learning import Example, learn
from bench.evaluation.measures import (
    DEPTH,
    MEASURES,
    NEWER_FIRST,
    Measured,
    judged,
    newer_first,
    summarised,
)
from bench.evaluation.over_http import RemoteMemory, server
from bench.evaluation.vocabulary_learning import LEARNING
from bench.evaluation.vocabulary_testing import TESTING
from bench.evaluation.written_chats import FOR_LEARNING, FOR_TESTING, read_written
from perdure.domain.ids import new_id
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


class Answers:
    """Measures of questions, by how they were asked."""

    def __init__(self) -> None:
        self._rows: dict[str, list[tuple[float, ...]]] = {}
        self._newer_first: dict[str, list[tuple[float, ...]]] = {}

    def add(self, question: Question, mode: RecallMode, order: Sequence[str]) -> None:
        """Judge one answer."""
        row = judged(order, question.relevant)
        self._rows.setdefault(mode, []).append(row)
        if question.type:
            self._rows.setdefault(f"{mode}, {question.type}", []).append(row)
        if question.outdated:
            first = newer_first(order, question.relevant, question.outdated)
            self._newer_first.setdefault(mode, []).append((float(first),))

    def summary(self) -> Summary:
        """All of them together."""
        summary = {
            label: summarised(found) | {"questions": Measured(len(found), 0, 0)}
            for label, found in self._rows.items()
        }
        for mode, found in self._newer_first.items():
            summary[mode][NEWER_FIRST] = summarised(found, (NEWER_FIRST,))[NEWER_FIRST]
        return summary


def evaluate(asked: Sequence[Dialogue], embedder: Embedder) -> Summary:
    """Ask every question in every mode, in process."""
    answers = Answers()
    for dialogue in asked:
        memory = DirectMemory(dialogue, embedder)
        for question in dialogue.questions:
            for mode in RecallMode:
                answers.add(question, mode, memory.recall(question, mode, DEPTH))
    return answers.summary()


async def evaluate_remotely(
    sets: Mapping[str, Sequence[Dialogue]], url: str | None, key: str | None
) -> dict[str, Summary]:
    """Ask every question of each set in every mode, through the API."""
    summaries = {}
    run = new_id("eval").lower().replace("_", "-")
    async with server(url, key) as client:
        for nth, (name, asked) in enumerate(sets.items()):
            answers = Answers()
            for number, dialogue in enumerate(asked):
                memory = RemoteMemory(client, f"{run}-{nth}-{number}")
                await memory.remember(dialogue)
                for question in dialogue.questions:
                    for mode in RecallMode:
                        answers.add(question, mode, await memory.recall(question, mode))
            summaries[name] = answers.summary()
    return summaries


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
    newer = [
        f"{mode} {summary[mode][NEWER_FIRST].mean:.3f}" for mode in RecallMode if NEWER_FIRST in summary[mode]
    ]
    if newer:
        console.print(f"{name}: of facts that changed, the newer one among ten and first: {', '.join(newer)}")
    console.print(f"{name}: recall@10 {ours:.3f} against {theirs:.3f} of the best other ({best}): {gain}\n")


def _at_ten(summary: Summary, mode: RecallMode) -> float:
    return summary[mode]["recall@10"].mean


def main(arguments: Sequence[str]) -> None:
    """Evaluate the sets that are named."""
    parser = argparse.ArgumentParser(prog="python -m bench.evaluation", description=__doc__)
    parser.add_argument("sets", nargs="*", default=["invented", "written"])
    parser.add_argument("--direct", action="store_true", help="in process, without a server")
    parser.add_argument("--url", help="of a running server; default: one is started")
    parser.add_argument("--key", help="an API key of that server, for memories")
    parser.add_argument("--json", type=Path, help="write the measures to this file")
    parser.add_argument("--learn", action="store_true", help="print learned weights instead")
    parser.add_argument("--models", type=Path, default=home_directory() / "models")
    given = parser.parse_args(arguments)
    console = Console(width=150)
    if given.sets == ["classification"]:
        embedder = KeptVectors(_embedder(given.models), home_directory() / "bench")
        report(console, embedder, given.json, learn=given.learn)
        return
    if given.learn:
        console.print_json(json.dumps(learned(_embedder(given.models))))
        return
    sets = {name: dialogues(name) for name in given.sets}
    if given.direct:
        embedder = _embedder(given.models)
        results = {name: evaluate(asked, embedder) for name, asked in sets.items()}
    else:
        results = asyncio.run(evaluate_remotely(sets, given.url, given.key))
    for name, summary in results.items():
        show(console, name, summary)
    if given.json:
        content = {
            name: {
                label: {one: asdict(value) for one, value in row.items()} for label, row in summary.items()
            }
            for name, summary in results.items()
        }
        given.json.write_text(json.dumps(content, indent=2) + "\n")


def _embedder(directory: Path) -> MiniLMEmbedder:
    ensure_exported(directory)
    return MiniLMEmbedder(directory)


if __name__ == "__main__":
    main(sys.argv[1:])
