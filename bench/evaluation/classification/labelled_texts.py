"""Texts with the labels that a reader would give them, out of the files beside this module.

A file begins with a line `# …` on what it is. `[Label]` begins the texts of a label, one a line; of texts to which
several apply, `[One | Other]`. Every text was written for this project. What lies in `learning` may be looked at
and learned from; what lies in `testing` is for judging, and nothing is chosen by it.
"""

from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent
MULTI_LABEL = "multi_label"
# In other languages than English, which the built-in model does not read.
FOREIGN = "languages"


@dataclass(frozen=True)
class LabelledText:
    """A text and all labels that apply to it."""

    text: str
    labels: frozenset[str]

    @property
    def label(self) -> str:
        """The one label."""
        (label,) = self.labels
        return label


@dataclass(frozen=True)
class LabelledSet:
    """Texts of one domain, and the labels to choose from."""

    name: str
    labels: tuple[str, ...]
    texts: tuple[LabelledText, ...]


def learning_sets() -> list[LabelledSet]:
    """The sets that may be learned from."""
    return _read_all(_HERE / "learning")


def testing_sets() -> list[LabelledSet]:
    """The sets that judge."""
    return _read_all(_HERE / "testing")


def _read_all(directory: Path) -> list[LabelledSet]:
    return [_read(path) for path in sorted(directory.glob("*.txt"))]


def _read(path: Path) -> LabelledSet:
    names: dict[str, None] = {}
    texts = []
    labels: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            labels = [name.strip() for name in line.strip("[] ").split("|")]
            names.update(dict.fromkeys(labels))
        elif line and not line.startswith("# "):
            texts.append(LabelledText(line, frozenset(labels)))
    return LabelledSet(path.stem, tuple(names), tuple(texts))
