"""Hands letters to a mail server by SMTP."""

import ssl
from base64 import b64encode
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from perdure.domain.letters import Letter
from perdure.domain.message_kinds import DeliveryFault
from perdure.errors import ConfigurationError
from perdure.ports.sending import Attempt
from perdure.providers.certificates import certificate_fault

_PORTS = {"smtp": 587, "smtps": 465}
_TIMEOUT_S = 20.0
_DETAIL_CHARACTERS = 300
NOT_CONFIGURED = (
    "There is no mail server: set PERDURE_SMTP_URL and PERDURE_MAIL_FROM for the worker. The letter waits."
)


@dataclass(frozen=True)
class MailServer:
    """Where letters are handed over, read from `smtp[s]://[user:password@]host[:port]`."""

    host: str
    port: int
    is_tls: bool
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> "MailServer":
        """ConfigurationError unless it is such an address; it is never shown, because it may hold a password."""
        detail = "PERDURE_SMTP_URL must be like smtp://user:password@mail.example:587, or smtps://… for TLS at once."
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ConfigurationError(detail) from error
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ConfigurationError(detail)
        return cls(
            host=parts.hostname,
            port=port or _PORTS[parts.scheme],
            is_tls=parts.scheme == "smtps",
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
        )

    def shown(self, said: str) -> str:
        """What a server said, on one line and without the password: some repeat what they were given."""
        said = " ".join(said.split())
        for secret in self._secrets():
            said = said.replace(secret, "…")
        return said

    def _secrets(self) -> list[str]:
        if not self.password:
            return []
        password = self.password.encode()
        plain = b"\0".join((b"", (self.user or "").encode(), password))
        return [b64encode(plain).decode(), b64encode(password).decode(), self.password]


class SmtpSender:
    """One connection a letter. Without a server it sends nothing, and says so.

    `ca_file` names further certificates to trust, beside those of the system.
    """

    def __init__(self, url: str, mail_from: str, ca_file: Path | None = None) -> None:
        self._server = MailServer.parse(url) if url else None
        self._trusted = _trusted(ca_file) if url and ca_file else None
        name, address = parseaddr(mail_from)
        if url and "@" not in address:
            detail = "PERDURE_MAIL_FROM must be the address that letters come from, like Perdure <perdure@example.org>."
            raise ConfigurationError(detail)
        self._sender = Address(name or "Perdure", addr_spec=address) if address else Address()

    @property
    def is_configured(self) -> bool:
        """See `MailSender`."""
        return self._server is not None

    def written(self, letter: Letter, to: str, message_id: str) -> EmailMessage:
        """The letter with its headers; ValueError when something that may not stand in a header would."""
        message = EmailMessage(policy=SMTP)
        message["From"] = self._sender
        message["To"] = Address(addr_spec=to)
        message["Subject"] = letter.subject
        message["Date"] = formatdate(usegmt=True)
        message["Message-ID"] = f"<{message_id}@{self._sender.domain}>"
        # Whoever is on holiday need not answer a machine.
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.text)
        message.add_alternative(letter.html, subtype="html")
        return message

    async def send(self, letter: Letter, *, to: str, message_id: str) -> Attempt:
        """See `MailSender`. A receiver that the server refuses for good is final; everything else may pass."""
        if self._server is None:
            return Attempt(ok=False, detail=NOT_CONFIGURED)
        try:
            message = self.written(letter, to, message_id)
        except ValueError:
            return Attempt(ok=False, detail="The address is no e-mail address.", is_final=True)
        return await self._hand_over(self._server, message)

    async def _hand_over(self, server: MailServer, message: EmailMessage) -> Attempt:
        import aiosmtplib  # noqa: PLC0415  # only whoever sends loads it

        security: dict[str, Any] = {"use_tls": server.is_tls, "tls_context": self._trusted}
        if server.user is not None and not server.is_tls:
            security["start_tls"] = True  # a password is never sent in the open
        try:
            await aiosmtplib.send(
                message,
                hostname=server.host,
                port=server.port,
                username=server.user,
                password=server.password,
                timeout=_TIMEOUT_S,
                **security,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            refusal = error.recipients[0]
            return _refused(server, refusal.code, refusal.message, is_final=refusal.code >= 500)
        except aiosmtplib.SMTPAuthenticationError as error:
            # Our own password, and not the receiver, is wrong: letters wait until somebody mends it.
            said = f"the mail server refuses our log-in: {error.message}"
            return _refused(server, error.code, said, is_final=False, fault=DeliveryFault.LOGIN_REFUSED)
        except aiosmtplib.SMTPDataError as error:
            return _refused(server, error.code, error.message, is_final=error.code >= 500)
        except aiosmtplib.SMTPResponseException as error:
            return _refused(server, error.code, error.message, is_final=False)
        except (aiosmtplib.SMTPException, OSError) as error:
            return _unreached(server, error)
        return Attempt(ok=True, detail="Handed to the mail server.")


def _refused(
    server: MailServer, code: int, said: str, *, is_final: bool, fault: DeliveryFault = DeliveryFault.REFUSED
) -> Attempt:
    detail = f"The mail server answered {code}: {server.shown(said)}"
    return Attempt(ok=False, detail=detail[:_DETAIL_CHARACTERS], is_final=is_final, fault=fault)


def _unreached(server: MailServer, error: Exception) -> Attempt:
    """No letter was handed over, and it is nobody's fault whom it is for."""
    if (wrong := certificate_fault(error)) is not None:
        fault = DeliveryFault.UNTRUSTED_CERTIFICATE
        detail = (
            f"The certificate of the mail server is not trusted: {wrong}. "
            "If its authority is your own, name it in PERDURE_SMTP_CA_FILE."
        )
    elif "STARTTLS" in str(error):
        fault = DeliveryFault.NOT_ENCRYPTED
        detail = (
            "The mail server offers no STARTTLS, and a password is never sent in the open: "
            "use smtps://…, or leave the password out of PERDURE_SMTP_URL."
        )
    elif "AUTH" in str(error):
        fault = DeliveryFault.LOGIN_REFUSED
        detail = "The mail server lets nobody log in: leave user and password out of PERDURE_SMTP_URL."
    else:
        fault = DeliveryFault.TIMED_OUT if isinstance(error, TimeoutError) else DeliveryFault.UNREACHABLE
        detail = f"The mail server cannot be reached: {server.shown(str(error)) or type(error).__name__}"
    return Attempt(ok=False, detail=detail[:_DETAIL_CHARACTERS], fault=fault)


def _trusted(ca_file: Path) -> ssl.SSLContext:
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        detail = f"PERDURE_SMTP_CA_FILE: {ca_file} holds no certificates in PEM format that can be read."
        raise ConfigurationError(detail) from error
    return context
