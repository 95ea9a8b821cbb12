"""What documents name is there: files, places in other documents, settings, dependencies."""

import re
import tomllib
from pathlib import Path

import pytest

from perdure.settings import Settings

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PROGRAM = ("api", "workflows", "activities", "perdure", "bench", "worker.py")
# Files that are named from the root of the repository.
NAMED = re.compile(
    r"`((?:api|workflows|activities|perdure|bench|tests|scripts|docs|deploy|migrations|samples|requirements)/[^`\s:<]*)"
    r"(?:: (\w+))?"
)
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)")
# What a variable of OpenTelemetry does, its own documents say.
FOREIGN = "OTEL_"
HEADINGS = {"dependencies": "At run time", "dev": "To develop", "bench": "To measure"}


def _anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_place_that_a_document_names_is_there(document: Path) -> None:
    text = document.read_text()
    for target, anchor in LINK.findall(text):
        place = (document.parent / target) if target else document
        assert place.exists(), target
        assert not anchor or place.suffix != ".md" or anchor in _anchors(place), f"{target}#{anchor}"
    for name, symbol in NAMED.findall(text):
        found = list(ROOT.glob(name.rstrip("/")))
        assert found, name
        assert not symbol or re.search(rf"\b{symbol}\b", found[0].read_text()), f"{name}: {symbol}"


def test_every_setting_is_read_and_explained() -> None:
    parts = [ROOT / part for part in PROGRAM]
    files = [file for part in parts for file in ([part] if part.is_file() else part.rglob("*.py"))]
    program = "\n".join(file.read_text() for file in files)
    table = (ROOT / "README.md").read_text()
    for name, field in Settings.model_fields.items():
        assert re.search(rf"\.{name}\b", program), f"nothing reads {name}"
        variable = str(field.validation_alias or f"PERDURE_{name.upper()}")
        assert f"`{variable}`" in table or variable.startswith(FOREIGN), f"README.md does not list {variable}"


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-].*", "", name).lower()


def test_every_direct_dependency_has_its_reason_and_nothing_else_is_listed() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = {"dependencies": declared["project"]["dependencies"], **declared["dependency-groups"]}
    sections = re.split(r"^## (.+)$", (ROOT / "docs" / "dependencies.md").read_text(), flags=re.MULTILINE)
    explained = dict(zip(sections[1::2], sections[2::2], strict=True))
    for group, wanted in groups.items():
        cells = re.findall(r"^\| (`.+?) \|", explained[HEADINGS[group]], re.MULTILINE)
        listed = {_plain(name) for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
        assert listed == {_plain(name) for name in wanted}
