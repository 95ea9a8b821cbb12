"""Port of requests to other programs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class HttpCall:
    """A request. Headers are checked by `perdure.domain.http_headers`."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None


@dataclass(frozen=True)
class HttpAnswer:
    """An answer, whatever its status."""

    status: int
    media_type: str
    body: bytes
    location: str = ""


class HttpCaller(Protocol):
    """Makes requests into the open internet, and never into the own network."""

    async def call(self, call: HttpCall) -> HttpAnswer:
        """Make it once; redirects are not followed.

        DocumentRejectedError (`forbidden_address`, `source_unreachable`, `too_large`) when it will never work,
        UpstreamError for what may be better later (5xx, 429, timeouts, dropped connections).
        """
