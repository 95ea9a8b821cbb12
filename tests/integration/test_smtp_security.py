"""Letters to mail servers that want TLS and a password, as they are told to be: real ones, on this machine."""

import logging
from datetime import timedelta
from pathlib import Path

import pytest

from perdure.domain.letters import plain_letter
from perdure.domain.message_kinds import DeliveryFault
from perdure.errors import ConfigurationError
from perdure.ports.sending import Attempt
from perdure.providers.smtp_sender import MailServer, SmtpSender
from tests.certificates import self_signed
from tests.receivers import Mailbox

ADDRESS = "127.0.0.1"
PASSWORD = "p@ss/w:rd-grün 100%"  # of a mail server that lives for a test
ACCOUNT = ("perdure", PASSWORD)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    return self_signed(ADDRESS, tmp_path)


async def sent(mailbox: Mailbox, ca_file: Path | None = None, url: str = "") -> Attempt:
    """One letter, by a sender of its own."""
    sender = SmtpSender(url or mailbox.url, "Perdure <perdure@example.org>", ca_file)
    async with mailbox.up():
        letter = plain_letter("Hello", "A text.", "Acme")
        return await sender.send(letter, to="ada@example.org", message_id="msg_1")


@pytest.mark.parametrize("is_tls_at_once", [False, True])
async def test_a_letter_goes_through_tls_with_a_password(
    certificate: tuple[Path, Path], *, is_tls_at_once: bool
) -> None:
    mailbox = Mailbox(certificate=certificate, is_tls_at_once=is_tls_at_once, account=ACCOUNT)
    attempt = await sent(mailbox, certificate[0])
    assert attempt.ok, attempt.detail
    assert mailbox.receivers == ["ada@example.org"]
    assert mailbox.logins == [PASSWORD.encode()]


async def test_tls_is_used_where_it_is_offered_without_a_password_too(
    certificate: tuple[Path, Path],
) -> None:
    offering = Mailbox(certificate=certificate)
    assert (await sent(offering)).fault is DeliveryFault.UNTRUSTED_CERTIFICATE
    assert (await sent(offering, certificate[0])).ok
    assert (await sent(Mailbox())).ok


@pytest.mark.parametrize("is_tls_at_once", [False, True])
@pytest.mark.parametrize(
    ("name", "ended", "is_trusted", "why"),
    [
        (ADDRESS, timedelta(days=-1), False, "self-signed certificate"),
        (ADDRESS, timedelta(days=1), True, "certificate has expired"),
        ("mail.example.org", timedelta(days=-1), True, "IP address mismatch"),
    ],
)
async def test_a_certificate_that_is_not_trusted_gets_no_letter_and_no_password(
    name: str, ended: timedelta, why: str, tmp_path: Path, *, is_trusted: bool, is_tls_at_once: bool
) -> None:
    certificate = self_signed(name, tmp_path, ended=ended)
    mailbox = Mailbox(certificate=certificate, is_tls_at_once=is_tls_at_once, account=ACCOUNT)
    attempt = await sent(mailbox, certificate[0] if is_trusted else None)
    assert (attempt.ok, attempt.is_final, attempt.fault) == (
        False,
        False,
        DeliveryFault.UNTRUSTED_CERTIFICATE,
    )
    assert attempt.detail.startswith("The certificate of the mail server is not trusted: ")
    assert why in attempt.detail
    assert "PERDURE_SMTP_CA_FILE" in attempt.detail
    assert (mailbox.letters, mailbox.logins) == ([], [])


async def test_no_password_goes_in_the_open(certificate: tuple[Path, Path]) -> None:
    mailbox = Mailbox(account=ACCOUNT, takes_passwords_in_the_open=True)
    attempt = await sent(mailbox)
    assert (attempt.ok, attempt.is_final, attempt.fault) == (False, False, DeliveryFault.NOT_ENCRYPTED)
    assert "smtps://" in attempt.detail
    assert (mailbox.letters, mailbox.logins) == ([], [])
    # Nor where the server knows no accounts.
    unasked = Mailbox(certificate=certificate)
    attempt = await sent(unasked, certificate[0], unasked.url.replace("//", "//perdure:secret@"))
    assert (attempt.ok, attempt.fault) == (False, DeliveryFault.LOGIN_REFUSED)
    assert unasked.letters == []


@pytest.mark.parametrize("wrong", ["Tr0ub4dor&3", "würde-nie"])
async def test_a_password_stands_in_no_error_and_no_log_though_the_server_repeats_it(
    certificate: tuple[Path, Path], caplog: pytest.LogCaptureFixture, wrong: str
) -> None:
    caplog.set_level(logging.DEBUG)
    mailbox = Mailbox(certificate=certificate, account=ACCOUNT)
    server = MailServer.parse(Mailbox(port=mailbox.port, account=("perdure", wrong)).url)
    attempt = await sent(mailbox, certificate[0], Mailbox(port=mailbox.port, account=("perdure", wrong)).url)
    assert (attempt.ok, attempt.is_final, attempt.fault) == (False, False, DeliveryFault.LOGIN_REFUSED)
    assert attempt.detail.startswith(
        "The mail server answered 535: the mail server refuses our log-in: 5.7.8 …"
    )
    assert mailbox.logins[0] == wrong.encode()
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("mail.")]
    for said in (attempt.detail, repr(attempt), repr(server), *ours):
        assert wrong not in said
        assert wrong[1:] not in said


def test_authorities_that_cannot_be_read_stop_the_start(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificate")
    for path in (empty, tmp_path / "none.pem"):
        with pytest.raises(ConfigurationError, match="PERDURE_SMTP_CA_FILE"):
            SmtpSender("smtp://mail.example", "p@example.org", path)
    # Without a mail server nobody reads them.
    assert not SmtpSender("", "", empty).is_configured
