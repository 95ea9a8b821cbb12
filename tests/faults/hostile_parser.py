"""The product's parser, except for files that begin with `please `: those say themselves what happens."""

import time
from pathlib import Path

from perdure.ports.parsing import ParseJob
from perdure.providers.parse_child import ChildConfig, Parse, default_parser
from perdure.schemas.parsed_text import ParsedText
from tests import fakes_hostile

_SPELL = b"please "


def parser(config: ChildConfig) -> Parse:
    """`please hang`, `please eat 2048`, …: the deeds of `fakes_hostile`; `please nap-once FLAG SECONDS`."""
    hostile, usual = fakes_hostile.parser(config), default_parser(config)

    def parse(job: ParseJob) -> ParsedText:
        with job.path.open("rb") as file:
            wish = file.read(500)
        if not wish.startswith(_SPELL):
            return usual(job)
        deed = wish.removeprefix(_SPELL).splitlines()[0]
        if deed.startswith(b"nap-once "):
            _nap_once(*deed.decode().split()[1:])
            return usual(job)
        job.path.write_bytes(deed)
        return hostile(job)

    return parse


def _nap_once(flag: str, seconds: str) -> None:
    """Sleep the first time; what is asked again does without."""
    if not Path(flag).exists():
        Path(flag).touch()
        time.sleep(float(seconds))
