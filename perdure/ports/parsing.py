"""Ports of what reads sources: parser and fetcher."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from perdure.errors import DocumentRejectedError
from perdure.schemas.parsed_text import ParsedText


@dataclass(frozen=True)
class ParseJob:
    """One file to parse. `workspace` is an existing empty directory for attachments."""

    path: Path
    media_type: str
    name: str
    workspace: Path
    language: str | None = None


class Parser(Protocol):
    """Files to text, each in a killable child process."""

    async def parse(self, job: ParseJob) -> ParsedText:
        """Parse one file. DocumentRejectedError with a typed reason for anything the file is to blame for."""

    async def parse_many(self, jobs: Sequence[ParseJob]) -> list[ParsedText | DocumentRejectedError]:
        """Parse some files; a rejection stands in the place of its text. Small texts share a round trip."""

    async def aclose(self) -> None:
        """End the child processes."""


@dataclass(frozen=True)
class Fetched:
    """What came from a URL."""

    path: Path
    size_bytes: int
    sha256: str
    content_type: str | None
    file_name: str | None
    final_url: str


class Fetcher(Protocol):
    """Downloads a URL into a file, safe against requests into the own network."""

    async def fetch(self, url: str, path: Path) -> Fetched:
        """Download.

        DocumentRejectedError (`forbidden_address`, `source_unreachable`, `too_large`) when it will never work,
        UpstreamError for what may be better later (5xx, timeouts, dropped connections).
        """
