"""`python -m bench.evaluation classification [--learn] [--json FILE]`: how well texts are classified without a key.

Judged are the sets that nothing was learnt from. Labels are given by their names only; news, the largest set, also
with examples, which are taken out of what is judged, in several draws.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from bench.evaluation.classification.judging import (
    SHARES,
    TARGETS,
    Answers,
    answered,
    applying,
    strangers,
)
from bench.evaluation.classification.labelled_texts import (
    FOREIGN,
    MULTI_LABEL,
    LabelledSet,
    learning_sets,
    testing_sets,
)
from bench.evaluation.classification.learning import learned
from perdure.ports.models import Embedder

_EXAMPLES = (4, 16)
_DRAWS = 10
# German, French, Spanish and Italian in one set: any of them will do to say that it is not English.
_FOREIGN_LANGUAGE = "de"


def report(console: Console, embedder: Embedder, file: Path | None = None, *, learn: bool = False) -> None:
    """Print the figures, or what is learned; write them to a file, too."""
    if learn:
        console.print_json(json.dumps(learned(embedder)))
        return
    judged = testing_sets()
    figures = {name: _figures(answers) for name, answers in _all_answers(judged, embedder).items()}
    _show(console, figures)
    several = next(one for one in judged if one.name == MULTI_LABEL)
    answers, f1 = applying(several, embedder)
    said = answers.measures()
    console.print(
        f"{len(several.texts)} texts with one label or more of {len(several.labels)}: micro F1 {f1:.3f}, "
        f"labels that were said right {said['accuracy']}, ECE {said['ECE']}"
    )
    none = _none(judged, embedder)
    for name, (area, error) in none.items():
        console.print(
            f"{name}: texts of other domains told apart (AUC) {area:.3f}, own taken for none {error:.3f}"
        )
    learnt_from = sum(len(one.texts) for one in learning_sets())
    console.print(
        f"{sum(len(one.texts) for one in judged)} texts judged; learnt on {learnt_from} others. "
        "In brackets: 95 % of resampled answers."
    )
    if file:
        content = {
            "sets": figures,
            "several": {"f1": f1, **{name: asdict(value) for name, value in said.items()}},
            "none": {name: {"auc": area, "own": error} for name, (area, error) in none.items()},
        }
        file.write_text(json.dumps(content, indent=2) + "\n")


def _all_answers(judged: Sequence[LabelledSet], embedder: Embedder) -> dict[str, Answers]:
    found: dict[str, Answers] = {}
    for one in judged:
        if one.name == MULTI_LABEL:
            continue
        language = _FOREIGN_LANGUAGE if one.name == FOREIGN else None
        found[one.name] = answered(one, embedder, language=language)
    news = next(one for one in judged if one.name == "news")
    # A few texts more than the examples have to be left of each label.
    for count in _EXAMPLES:
        draws = [answered(news, embedder, count, seed) for seed in range(_DRAWS)]
        found[f"news, {count} examples a label"] = sum(draws[1:], draws[0])
    found["all in English, names only"] = sum(
        (answers for name, answers in found.items() if name != FOREIGN and "," not in name), Answers((), ())
    )
    return found


def _figures(answers: Answers) -> dict[str, Any]:
    targets = {}
    for target in TARGETS:
        share, accuracy = answers.at_target(target)
        targets[f"{target}"] = {"automatic": share, "accuracy": accuracy}
    measures = {name: asdict(value) for name, value in answers.measures().items()}
    return {"answers": len(answers.right), "measures": measures, "targets": targets}


def _none(judged: Sequence[LabelledSet], embedder: Embedder) -> dict[str, tuple[float, float]]:
    plain = [one for one in judged if one.name not in (MULTI_LABEL, FOREIGN)]
    return {
        one.name: strangers(one, [other for other in plain if other is not one], embedder) for one in plain
    }


def _show(console: Console, figures: Mapping[str, Mapping[str, Any]]) -> None:
    table = Table(box=box.SIMPLE_HEAD, title="Classification without a key", title_justify="left")
    table.add_column("set")
    names = ("accuracy", *(f"surest {share:.0%}" for share in SHARES), "ECE")
    for heading in ("answers", *names, *(f"target {target}: share, accuracy" for target in TARGETS)):
        table.add_column(heading, justify="right")
    for name, row in figures.items():
        cells = [
            f"{one['value']:.3f} ({one['low']:.2f}-{one['high']:.2f})"
            for one in (row["measures"][each] for each in names)
        ]
        aims = [f"{one['automatic']:.0%}, {one['accuracy']:.3f}" for one in row["targets"].values()]
        table.add_row(name, str(row["answers"]), *cells, *aims)
    console.print(table)
