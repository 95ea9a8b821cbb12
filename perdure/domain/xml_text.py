"""XML as readable `path: value` lines: elements, attributes, and mixed content as prose."""

from xml.parsers import expat

from perdure.domain import rejections

_MAX_DEPTH = 200


class _Element:
    __slots__ = ("attributes", "children", "name")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.attributes = attributes
        self.children: list[_Element | str] = []

    def text(self) -> str:
        """All text inside, in order."""
        return " ".join(
            " ".join(one.split() if isinstance(one, str) else [one.text()]) for one in self.children
        ).strip()

    def is_mixed(self) -> bool:
        """Whether words stand beside elements: a sentence with marked-up parts."""
        return any(isinstance(one, str) and one.strip() for one in self.children)


class _Reader:
    """Collects entries while the parser goes through the file."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self._open: list[_Element] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= _MAX_DEPTH:
            raise rejections.corrupt(f"its elements nest deeper than {_MAX_DEPTH} levels")
        element = _Element(name.rpartition(":")[2], attributes)
        if self._open:
            self._open[-1].children.append(element)
        self._open.append(element)

    def end(self, _: str) -> None:
        element = self._open.pop()
        root = self._open[0] if self._open else element
        if len(self._open) == 1 and not root.is_mixed():
            # what is written already need not stay in memory; words directly in the root keep the tree whole
            root.children.clear()
        elif self._open:
            return
        if lines := _lines(element, element.name):
            self.entries.append("\n".join(lines))

    def characters(self, text: str) -> None:
        if self._open:
            self._open[-1].children.append(text)

    def entity(self, _name: str, _is_parameter: bool, value: str | None, *_: object) -> None:
        if value is not None and "&" in value:
            raise rejections.zip_bomb()


def xml_entries(data: bytes) -> list[str]:
    """One text for each child of the root, its values named by their path. DocumentRejectedError when malformed.

    External entities are never read, and entities made of entities are refused: they are how small files explode.
    """
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    parser.EntityDeclHandler = reader.entity
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise rejections.corrupt(f"it is no well-formed XML ({error})") from error
    return reader.entries


def _lines(element: _Element, path: str) -> list[str]:
    lines = [
        f"{path}.{name.rpartition(':')[2]}: {' '.join(value.split())}"
        for name, value in element.attributes.items()
        if value.strip() and not name.startswith("xmlns")
    ]
    if element.is_mixed():
        return [*lines, f"{path}: {element.text()}"]
    for child in element.children:
        if isinstance(child, _Element):
            lines += _lines(child, f"{path}.{child.name}")
    return lines
