"""Labels as people type them: one per line, what belongs to it after a colon, examples and sublabels below it.

    Invoice: asks for payment of something that was delivered
      > Please find attached invoice 4711 over 1,200 EUR.
      Reminder: says that a payment is late
    "Questions: general"

A line that begins with `>` is an example of the label above; a label that is indented below another is part of it;
a name with a colon stands in quotation marks.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from perdure.errors import InvalidInputError
from perdure.schemas.classification import LabelGiven

_TAB = 4
_INDENT = "  "


class LabelTextError(InvalidInputError):
    """A line that cannot be read; says which one and why."""


@dataclass
class _Typed:
    """A label while its lines are read."""

    name: str
    description: str
    parent: str | None
    examples: list[str]


def labels_of(text: str) -> list[LabelGiven]:
    """The labels of a text field. LabelTextError names the first line that cannot be read."""
    typed: list[_Typed] = []
    # The labels above the present line, the outermost first, each with its indentation.
    above: list[tuple[int, str]] = []
    for number, line in enumerate(text.expandtabs(_TAB).splitlines(), 1):
        content = line.strip()
        if not content:
            continue
        if content.startswith(">"):
            if not typed:
                raise LabelTextError(f"Line {number} is an example, but there is no label above it.")
            example = content[1:].strip()
            if example:
                typed[-1].examples.append(example)
            continue
        indent = len(line) - len(line.lstrip())
        while above and above[-1][0] >= indent:
            above.pop()
        name, description = _split(content, number)
        typed.append(_Typed(name, description, above[-1][1] if above else None, []))
        above.append((indent, name))
    return [
        LabelGiven(name=one.name, description=one.description, parent=one.parent, examples=one.examples)
        for one in typed
    ]


def text_of(labels: Sequence[LabelGiven]) -> str:
    """What a text field shows of labels; `labels_of` reads it back. Line breaks within become blanks."""
    children: dict[str | None, list[LabelGiven]] = {}
    names = {_one_line(label.name) for label in labels}
    for label in labels:
        parent = _one_line(label.parent) if label.parent else None
        children.setdefault(parent if parent in names else None, []).append(label)
    lines: list[str] = []
    waiting = [(label, 0) for label in reversed(children.get(None, []))]
    while waiting:
        label, depth = waiting.pop()
        lines += _lines(label, _INDENT * depth)
        waiting += [(child, depth + 1) for child in reversed(children.pop(_one_line(label.name), []))]
    return "\n".join(lines)


def depths(labels: Iterable[LabelGiven]) -> dict[str, int]:
    """How deep each label lies in its hierarchy, 0 for the outermost; a circle ends where it began."""
    parents = {label.name: label.parent for label in labels}
    found: dict[str, int] = {}
    for name, parent in parents.items():
        passed, at = {name}, parent
        while at is not None and at in parents and at not in passed:
            passed.add(at)
            at = parents[at]
        found[name] = len(passed) - 1
    return found


def _split(content: str, number: int) -> tuple[str, str]:
    if content.startswith('"'):
        name, quote, rest = content[1:].partition('"')
        if not quote:
            raise LabelTextError(f"Line {number} opens a quotation mark and does not close it.")
        description = rest.strip().removeprefix(":")
    else:
        name, _, description = content.partition(":")
    if not name.strip():
        raise LabelTextError(f"Line {number} has no label before the colon.")
    return name.strip(), description.strip()


def _lines(label: LabelGiven, indent: str) -> list[str]:
    name, description = _one_line(label.name), _one_line(label.description)
    if ":" in name or name.startswith((">", '"')):
        name = '"' + name.replace('"', "'") + '"'
    examples = [example for each in label.examples if (example := _one_line(each))]
    return [
        indent + (f"{name}: {description}" if description else name),
        *(f"{indent}{_INDENT}> {example}" for example in examples),
    ]


def _one_line(text: str) -> str:
    return " ".join(text.split())
