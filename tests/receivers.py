"""Who gets messages in tests: a program that takes webhooks, and a mail server. Both can be down for a while."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from perdure.embedded import ports


@dataclass(frozen=True)
class Posted:
    """What came in a post."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Takes posts on one port of loopback, whether it is up or not."""

    port: int = field(default_factory=lambda: ports.unused(1)[0])
    posts: list[Posted] = field(default_factory=list)
    answers: deque[str] = field(default_factory=deque)
    """Status lines of the next answers, such as `500 Oops`; when there is none left, 200."""
    extra: str = ""
    """Headers of every answer."""

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/hooks?token=hidden"

    @asynccontextmanager
    async def up(self) -> AsyncIterator[None]:
        """Answer meanwhile."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        try:
            yield
        finally:
            server.close()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            request, *lines = head.split("\r\n")
            headers = {
                name.lower(): value for name, _, value in (line.partition(": ") for line in lines) if name
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.posts.append(Posted(request.split(" ")[1], headers, body))
            status = self.answers.popleft() if self.answers else "200 OK"
            writer.write(
                f"HTTP/1.1 {status}\r\n{self.extra}Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
            )
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@dataclass
class Mailbox:
    """A mail server that keeps what it is given, and refuses some addresses for good and some for now."""

    port: int = field(default_factory=lambda: ports.unused(1)[0])
    letters: list[EmailMessage] = field(default_factory=list)
    receivers: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    busy: deque[str] = field(default_factory=deque)
    """Answers to the next bodies, such as `451 later`."""

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def up(self) -> AsyncIterator[None]:
        """Take letters meanwhile."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: SMTP(self, hostname="mail.test", loop=loop, enable_SMTPUTF8=True), "127.0.0.1", self.port
        )
        try:
            yield
        finally:
            server.close()
            await server.wait_closed()

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Say whether an address is one of ours."""
        if address in self.refused:
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep a letter."""
        if self.busy:
            return self.busy.popleft()
        content: Any = envelope.content
        self.letters.append(message_from_bytes(content, policy=default))
        self.receivers += envelope.rcpt_tos
        return "250 OK"
