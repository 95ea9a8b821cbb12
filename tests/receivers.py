"""Who gets messages in tests: a program that takes webhooks, and a mail server. Both can be down for a while."""

import asyncio
import ssl
from base64 import b64encode
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

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
    certificate: tuple[Path, Path] | None = None
    """It and its key, for TLS: at once, or when it is asked for."""
    is_tls_at_once: bool = False
    account: tuple[str, str] | None = None
    """Who must log in with which password."""
    takes_passwords_in_the_open: bool = False
    logins: list[bytes] = field(default_factory=list)
    """Passwords as they came."""

    @property
    def url(self) -> str:
        return f"{'smtps' if self.is_tls_at_once else 'smtp'}://{self._login}127.0.0.1:{self.port}"

    @property
    def _login(self) -> str:
        return f"{quote(self.account[0], '')}:{quote(self.account[1], '')}@" if self.account else ""

    @asynccontextmanager
    async def up(self) -> AsyncIterator[None]:
        """Take letters meanwhile."""
        loop = asyncio.get_running_loop()
        tls = None
        if self.certificate is not None:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(*self.certificate)
        options: dict[str, Any] = {}
        if self.account is not None:
            is_lax = self.is_tls_at_once or self.takes_passwords_in_the_open
            options = {
                "authenticator": self._log_in,
                "auth_required": not is_lax,
                "auth_require_tls": not is_lax,
            }
        if not self.is_tls_at_once:
            options["tls_context"] = tls
        server = await loop.create_server(
            lambda: SMTP(self, hostname="mail.test", loop=loop, enable_SMTPUTF8=True, **options),
            "127.0.0.1",
            self.port,
            ssl=tls if self.is_tls_at_once else None,
        )
        try:
            yield
        finally:
            server.close()
            await server.wait_closed()

    def _log_in(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any
    ) -> AuthResult:
        """Some servers repeat what they were given: so does this one."""
        self.logins.append(given.password)
        if self.account == (given.login.decode(), given.password.decode()):
            return AuthResult(success=True)
        encoded = b64encode(given.password).decode()
        said = f"535 5.7.8 {encoded} is wrong, and {given.password.decode('ascii', 'replace')} is, too"
        return AuthResult(success=False, handled=False, message=said)

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
