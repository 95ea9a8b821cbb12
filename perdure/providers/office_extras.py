"""What kreuzberg leaves out of packaged files: the speaker notes of slides, the parts of an e-book."""

import posixpath
import zipfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

from perdure.domain import rejections

_RELATION = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
_REL_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_PRESENTATION = "ppt/presentation.xml"


def speaker_notes(path: Path) -> dict[int, str]:
    """Notes by slide number, from 1 in the order of the show; slides without notes are absent."""
    notes: dict[int, str] = {}
    try:
        with zipfile.ZipFile(path) as package:
            names = set(package.namelist())
            if _PRESENTATION not in names:
                return notes
            targets = _relations(package, names, _PRESENTATION)
            slides = _xml(package, _PRESENTATION).findall(f"{_P}sldIdLst/{_P}sldId")
            for number, slide in enumerate(slides, start=1):
                part = targets.get(slide.get(_REL_ID, ""), ("", ""))[1]
                for kind, target in _relations(package, names, part).values():
                    if kind.endswith("/notesSlide") and target in names:
                        notes[number] = _notes_text(_xml(package, target))
    except ElementTree.ParseError:
        return notes  # the slides themselves were readable: better without notes than not at all
    return {number: text for number, text in notes.items() if text}


def _xml(package: zipfile.ZipFile, name: str) -> ElementTree.Element:
    # expat bounds entity expansion, sizes were checked before, and this is a capped child process
    return ElementTree.fromstring(package.read(name))  # noqa: S314  # nosec B314


def _relations(package: zipfile.ZipFile, names: set[str], part: str) -> dict[str, tuple[str, str]]:
    folder, base = posixpath.split(part)
    listing = f"{folder}/_rels/{base}.rels"
    if listing not in names:
        return {}
    found = {}
    for relation in _xml(package, listing).iter(_RELATION):
        target = relation.get("Target", "")
        absolute = (
            target.lstrip("/")
            if target.startswith("/")
            else posixpath.normpath(posixpath.join(folder, target))
        )
        found[relation.get("Id", "")] = (relation.get("Type", ""), absolute)
    return found


def _notes_text(root: ElementTree.Element) -> str:
    lines = []
    for shape in root.iter(f"{_P}sp"):
        placeholder = shape.find(f"{_P}nvSpPr/{_P}nvPr/{_P}ph")
        if placeholder is None or placeholder.get("type") != "body":
            continue  # the picture of the slide, its number, the date
        lines += ["".join(run.text or "" for run in line.iter(f"{_A}t")) for line in shape.iter(f"{_A}p")]
    return "\n".join(line for line in lines if line.strip())


@dataclass(frozen=True)
class EBook:
    """Title, language, and the pages in reading order."""

    title: str | None
    language: str | None
    pages: list[bytes]


_CONTAINER = "META-INF/container.xml"
_ROOT_FILE = "{urn:oasis:names:tc:opendocument:xmlns:container}rootfile"
_OPF = "{http://www.idpf.org/2007/opf}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_ENCRYPTION = "META-INF/encryption.xml"


def e_book(path: Path) -> EBook:
    """The pages of an EPUB by its spine; what the spine does not name is not read."""
    try:
        with zipfile.ZipFile(path) as package:
            return _e_book(package, set(package.namelist()))
    except (ElementTree.ParseError, KeyError) as error:
        raise rejections.corrupt(f"the parts of the e-book cannot be found ({error})") from error


def _e_book(package: zipfile.ZipFile, names: set[str]) -> EBook:
    root_file = next(_xml(package, _CONTAINER).iter(_ROOT_FILE), None)
    listing = root_file.get("full-path", "") if root_file is not None else ""
    book = _xml(package, listing)
    folder = posixpath.dirname(listing)
    parts = {
        item.get("id", ""): posixpath.normpath(posixpath.join(folder, unquote(item.get("href", ""))))
        for item in book.iter(f"{_OPF}item")
    }
    order = [parts.get(one.get("idref", ""), "") for one in book.iter(f"{_OPF}itemref")]
    pages = [package.read(name) for name in order if name in names]
    if pages and _ENCRYPTION in names and not any(b"<" in page[:200] for page in pages):
        raise rejections.password_protected()  # rights management: the pages are there but cannot be read
    return EBook(
        title=book.findtext(f"{_OPF}metadata/{_DC}title"),
        language=book.findtext(f"{_OPF}metadata/{_DC}language"),
        pages=pages,
    )
