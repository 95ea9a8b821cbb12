"""`python -m bench.evaluation.sentiment [FILE…] [--learn]`: how well the local sentiment does on review sentences.

A file has a sentence a line after `+` (good), `-` (bad), `0` (neither) or `~` (both); a name that ends in `_de` says
that they are German. Without files: the project's own that are never learnt from. `--learn` prints the weights for
`perdure/domain/sentiment_weights.py`, learnt from `perdure/providers/review_sentences.txt`, and how well they do on
those sentences that had no part in them.
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.evaluation.classification.kept_vectors import KeptVectors
from bench.evaluation.sentiment.learning import Learning, Numbers
from perdure.domain.calibration import expected_calibration_error
from perdure.domain.sentiment import FEELINGS, Feeling
from perdure.providers.described_sentiment import DescribedSentiment, review_sentences
from perdure.providers.minilm_embedder import MiniLMEmbedder
from perdure.providers.minilm_export import ensure_exported
from perdure.settings import home_directory

TESTING = Path(__file__).parent / "testing.txt"


def main() -> None:
    """Judge, or learn."""
    parser = argparse.ArgumentParser(prog="python -m bench.evaluation.sentiment")
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--learn", action="store_true")
    given = parser.parse_args()
    models = home_directory() / "models"
    ensure_exported(models)
    judge = DescribedSentiment(KeptVectors(MiniLMEmbedder(models), home_directory() / "bench"))
    console = Console()
    table = Table("sentences", "n", "accuracy", "95 %", "good or bad", "95 %", "ECE")
    if given.learn:
        told = review_sentences()
        for name, english in (("ENGLISH", True), ("OTHER", False)):
            learning = Learning(judge, told, english=english)
            table.add_row(f"learnt from, crossed ({name})", *_figures(*learning.crossed()))
            console.print(f"{name} = {learning.weights()}", soft_wrap=True, highlight=False)
    else:
        for path in given.files or [TESTING, *sorted(TESTING.parent.glob("testing_*.txt"))]:
            told = review_sentences(path)
            found = judge.probabilities([one for _, one in told], [_language(path)] * len(told))
            table.add_row(path.stem, *_figures(found, [feeling for feeling, _ in told]))
    console.print(table)


def _language(path: Path) -> str:
    """That of `testing_de.txt` is German."""
    tag = path.stem.rpartition("_")[2]
    return tag if len(tag) == 2 else "en"


def _figures(found: Numbers, feelings: Sequence[Feeling]) -> list[str]:
    """Of all labels, and of the good and the bad sentences by the side that they are on."""
    best = found.argmax(axis=1)
    right = [FEELINGS[at] is feeling for at, feeling in zip(best, feelings, strict=True)]
    sided = [
        (row[0] >= row[1]) == (feeling is Feeling.POSITIVE)
        for row, feeling in zip(found, feelings, strict=True)
        if feeling in (Feeling.POSITIVE, Feeling.NEGATIVE)
    ]
    error = expected_calibration_error(found.max(axis=1).tolist(), right)
    return [str(len(right)), *_share(right), *_share(sided), f"{error:.3f}"]


def _share(right: Sequence[bool]) -> tuple[str, str]:
    """A share, and Wilson's interval."""
    n, share = len(right), sum(right) / len(right)
    z = 1.96
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return f"{share:.3f}", f"{middle - half:.2f} to {middle + half:.2f}"


if __name__ == "__main__":
    main()
