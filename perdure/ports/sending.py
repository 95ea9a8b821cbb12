"""Ports of delivery: mail, and posts to addresses of other programs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from perdure.domain.letters import Letter
from perdure.domain.message_kinds import DeliveryFault


@dataclass(frozen=True)
class Attempt:
    """How one attempt ended. `detail` is shown to people: it holds no secret and no text of a letter."""

    ok: bool
    detail: str
    is_final: bool = False
    """Trying again would not help."""
    is_gone: bool = False
    """The receiver wants no more, of anything."""
    retry_after: timedelta | None = None
    fault: DeliveryFault | None = None


class MailSender(Protocol):
    """Hands letters to a mail server."""

    @property
    def is_configured(self) -> bool:
        """Whether there is a mail server to hand them to."""

    async def send(self, letter: Letter, *, to: str, message_id: str) -> Attempt:
        """Try once. `message_id` is ours; the header made of it is the same at each attempt."""


class Poster(Protocol):
    """Posts to addresses that an organisation has named, and never into the own network."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Attempt:
        """Try once; redirects are not followed, and no answer is read."""
