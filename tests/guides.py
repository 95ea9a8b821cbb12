"""The examples of a guide in docs/, run by a shell as a reader would."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_DOCS = Path(__file__).parents[1] / "docs"
# Where commands are looked for.
SEARCHED = "/usr/local/bin:/usr/bin:/bin"


async def followed(guide: str, address: str, key: str, directory: Path, **variables: str) -> list[Any]:
    """Run all `sh` blocks of a guide as one script in a directory; the JSON values that were printed first."""
    script = "\n".join(_BLOCK.findall((_DOCS / guide).read_text()))
    shell = await asyncio.create_subprocess_exec(
        "bash",
        *("-euo", "pipefail", "-c", script),
        cwd=directory,
        env={"PATH": SEARCHED, "PERDURE_URL": address, "PERDURE_API_KEY": key, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, complaints = await shell.communicate()
    assert shell.returncode == 0, (printed.decode()[-500:], complaints.decode()[-2000:])
    return _values(printed.decode())


def _values(printed: str) -> list[Any]:
    """Those that stand one after the other, before what is for people."""
    decoder, at, found = json.JSONDecoder(), 0, []
    while printed[at : at + 1] == "{":
        value, at = decoder.raw_decode(printed, at)
        found.append(value)
        at += len(printed[at:]) - len(printed[at:].lstrip())
    return found
