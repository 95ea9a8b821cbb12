"""What a running product shows to Prometheus, by part and name."""

import json
import re
from pathlib import Path

import httpx

from tests.faults.installation import Installation

ROOT = Path(__file__).parents[2]
_TYPE = re.compile(r"^# TYPE (\S+) (\w+)$", re.MULTILINE)
_DOCUMENTED = re.compile(r"^\| `(?P<name>[a-z_]+)` \| (?P<kind>\w+) \| (?P<where>[^|]+) \|", re.MULTILINE)


async def scrape(installation: Installation) -> dict[str, str]:
    """The text of every part."""
    urls: dict[str, str] = json.loads((installation.home / "stack.json").read_text())["metrics"]
    async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
        return {part: (await http.get(url)).raise_for_status().text for part, url in urls.items()}


def kinds(text: str) -> dict[str, str]:
    """Names of metrics, and what kind each is."""
    return dict(_TYPE.findall(text))


def documented() -> dict[str, tuple[str, set[str]]]:
    """What docs/operations.md promises: the kind of each metric, and which processes show it."""
    text = (ROOT / "docs" / "operations.md").read_text()
    return {
        match["name"]: (match["kind"], {part.strip() for part in match["where"].split(",")})
        for match in _DOCUMENTED.finditer(text)
    }
