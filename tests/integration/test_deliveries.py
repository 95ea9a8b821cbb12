"""One attempt at a time: mail servers and programs on this machine, addresses that nobody may reach."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.message import EmailMessage

import pytest
from sqlalchemy import text
from standardwebhooks import Webhook, WebhookVerificationError
from temporalio.testing import ActivityEnvironment

from activities.messages import MessageActivities
from perdure.db.keyring import Keyring
from perdure.db.messages import MessageRepository
from perdure.db.provider_budgets import ProviderBudgetRepository
from perdure.db.session import Database
from perdure.db.webhook_endpoints import WebhookEndpointRepository
from perdure.domain.budgets import Budget
from perdure.domain.decision_tokens import LINK
from perdure.domain.ids import new_id
from perdure.domain.standard_webhooks import new_secret
from perdure.errors import ConfigurationError
from perdure.master_keys import load_master_keys
from perdure.providers.smtp_sender import SmtpSender
from perdure.providers.webhook_poster import WebhookPoster
from perdure.schemas.messages import Channel, Delivered, EventType, LetterKind, MessageNew, MessageStatus
from perdure.settings import Settings
from tests.delivering import PUBLIC_URL, TOKENS, Outbox, delivering
from tests.receivers import Mailbox, Receiver
from tests.row_factory import RowFactory, table


@pytest.fixture
def keyring(settings: Settings) -> Keyring:
    return Keyring(load_master_keys(settings))


@pytest.fixture
def outbox(database: Database, keyring: Keyring, organisation_id: str) -> Outbox:
    return Outbox(database, keyring, organisation_id)


async def deliver(messages: MessageActivities, outbox: Outbox, message_id: str) -> Delivered:
    result: Delivered = await ActivityEnvironment().run(messages.deliver_message, outbox.job(message_id))
    return result


async def user(database: Database) -> str:
    """Somebody with the address `<id>@example.org`."""
    user_id = new_id("usr")
    async with database.transaction(None) as session:
        await session.execute(
            text("INSERT INTO users (id, email, name, password_hash) VALUES (:id, :email, 'S', 'x')"),
            {"id": user_id, "email": f"{user_id}@example.org"},
        )
    return user_id


async def join(database: Database, organisation_id: str, user_id: str, role: str) -> None:
    async with database.transaction(organisation_id) as session:
        await session.execute(
            text("INSERT INTO memberships (organisation_id, user_id, role) VALUES (:org, :id, :role)"),
            {"org": organisation_id, "id": user_id, "role": role},
        )


async def member(database: Database, organisation_id: str, role: str) -> str:
    user_id = await user(database)
    await join(database, organisation_id, user_id, role)
    return user_id


async def test_one_refused_address_keeps_no_letter_from_the_others(
    database: Database, keyring: Keyring, outbox: Outbox
) -> None:
    mailbox = Mailbox(refused={"gone@example.org"})
    people = ["ada@example.org", "gone@example.org", "grace@example.org"]
    ids = [await outbox.letter(f"email:{each}", "Über\r\nBcc: x@y.org", "Grüße,\n\nA & B") for each in people]
    async with mailbox.up(), delivering(database, keyring, smtp_url=mailbox.url) as messages:
        outcomes = [(await deliver(messages, outbox, each)).status for each in ids]
    assert outcomes == [MessageStatus.SENT, MessageStatus.DEAD, MessageStatus.SENT]
    assert mailbox.receivers == ["ada@example.org", "grace@example.org"]
    refused = await outbox.row(ids[1])
    assert refused.last_error == "The mail server answered 550: 5.1.1 no such user"
    letter = mailbox.letters[0]
    assert letter["Subject"] == "Über Bcc: x@y.org"
    assert letter["Bcc"] is None
    assert letter["From"] == "Perdure <perdure@example.org>"
    assert letter["To"] == "ada@example.org"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter.get_content_type() == "multipart/alternative"
    plain, html = letter.iter_parts()
    assert isinstance(plain, EmailMessage)
    assert isinstance(html, EmailMessage)
    assert (plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert plain.get_content().startswith("Grüße,\r\n\r\nA & B\r\n")
    assert "A &amp; B" in html.get_content()


async def test_a_mail_server_that_comes_back_gets_the_same_letter(
    database: Database, keyring: Keyring, outbox: Outbox
) -> None:
    mailbox = Mailbox()
    letter = await outbox.letter("email:ada@example.org")
    async with delivering(database, keyring, smtp_url=mailbox.url) as messages:
        down = await deliver(messages, outbox, letter)
        assert down.status is MessageStatus.WAITING
        assert down.retry_in_s is not None
        assert "cannot be reached" in ((await outbox.row(letter)).last_error or "")
        async with mailbox.up():
            mailbox.busy.append("451 4.3.0 come back later")
            busy = await deliver(messages, outbox, letter)
            assert busy.status is MessageStatus.WAITING
            assert (await outbox.row(letter)).last_error == (
                "The mail server answered 451: 4.3.0 come back later"
            )
            mailbox.busy.append("554 5.6.0 never")
            other = await outbox.letter("email:ada@example.org")
            assert (await deliver(messages, outbox, other)).status is MessageStatus.DEAD
            assert (await deliver(messages, outbox, letter)).status is MessageStatus.SENT
            # A second run of what is sent sends nothing.
            await deliver(messages, outbox, letter)
    assert [each["Message-ID"] for each in mailbox.letters] == [f"<{letter}@example.org>"]


async def test_without_a_mail_server_letters_wait_and_say_why(
    database: Database, keyring: Keyring, outbox: Outbox
) -> None:
    letter = await outbox.letter("email:ada@example.org")
    async with delivering(database, keyring) as messages:
        assert await deliver(messages, outbox, letter) == Delivered(status=MessageStatus.WAITING)
        row = await outbox.row(letter)
        assert (row.status, row.attempts, row.handed_at) == ("waiting", 0, None)
        assert "PERDURE_SMTP_URL" in (row.last_error or "")
        async with database.transaction(outbox.organisation_id) as session:
            await session.execute(text("UPDATE messages SET created_at = now() - interval '15 days'"))
        assert (await deliver(messages, outbox, letter)).status is MessageStatus.DEAD


async def test_only_members_get_letters_by_their_account(
    database: Database, keyring: Keyring, outbox: Outbox
) -> None:
    stranger = await user(database)
    letter = await outbox.letter(f"user:{stranger}")
    mailbox = Mailbox()
    async with mailbox.up(), delivering(database, keyring, smtp_url=mailbox.url) as messages:
        assert (await deliver(messages, outbox, letter)).status is MessageStatus.DEAD
        assert mailbox.letters == []
        again = await outbox.letter(f"user:{stranger}")
        await join(database, outbox.organisation_id, stranger, "viewer")
        assert (await deliver(messages, outbox, again)).status is MessageStatus.SENT
    assert mailbox.receivers == [f"{stranger}@example.org"]


@pytest.mark.parametrize("url", ["mail.example", "http://mail.example", "smtp://", "smtp://a:b"])
def test_a_mail_server_that_cannot_be_one_stops_the_start(url: str) -> None:
    with pytest.raises(ConfigurationError, match="PERDURE_SMTP_URL"):
        SmtpSender(url, "p@example.org")
    with pytest.raises(ConfigurationError, match="PERDURE_MAIL_FROM"):
        SmtpSender("smtp://mail.example", "")


async def test_an_event_is_written_once_for_each_endpoint_that_wants_it(
    database: Database, keyring: Keyring, outbox: Outbox
) -> None:
    receiver = Receiver()
    for _ in range(2):
        await outbox.endpoint(receiver.url)
    message = MessageNew(effect="one", channel=Channel.EMAIL, kind="notification", recipient="email:a@b.c")
    assert await outbox.add(message) == await outbox.add(message)
    assert len(await outbox.publish()) == 2
    async with database.transaction(outbox.organisation_id) as session:
        await session.execute(text("UPDATE webhook_endpoints SET is_active = false"))
    assert await outbox.publish() == []


async def test_the_soft_limit_is_told_to_owners_and_administrators_by_letter(
    database: Database, keyring: Keyring, outbox: Outbox
) -> None:
    people = [await member(database, outbox.organisation_id, role) for role in ("owner", "admin", "member")]
    async with database.transaction(outbox.organisation_id) as session:
        budgets = ProviderBudgetRepository(session, outbox.organisation_id)
        await budgets.put(Budget(Decimal(20), Decimal(50)))
        for spent in (19, 2, 3):
            await budgets.spend(Decimal(spent))
    mailbox = Mailbox()
    async with mailbox.up(), delivering(database, keyring, smtp_url=mailbox.url) as messages:
        for letter in await outbox.waiting():
            assert (await deliver(messages, outbox, letter)).status is MessageStatus.SENT
    assert sorted(mailbox.receivers) == sorted(f"{person}@example.org" for person in people[:2])
    body = mailbox.letters[0].get_body(("plain",))
    assert body is not None
    assert "soft limit" in mailbox.letters[0]["Subject"]
    assert "$20.00" in body.get_content()
    assert "at $50.00 calls that cost are refused" in body.get_content()


async def test_two_secrets_sign_while_one_is_changed(
    database: Database, keyring: Keyring, outbox: Outbox
) -> None:
    receiver, old, new = Receiver(), new_secret(), new_secret()
    endpoint = await outbox.endpoint(receiver.url, secret=old)
    async with receiver.up(), delivering(database, keyring, allowed=receiver.host) as messages:
        async with database.transaction(outbox.organisation_id) as session:
            endpoints = WebhookEndpointRepository(session, outbox.organisation_id, keyring)
            await endpoints.rotate(endpoint, new, timedelta(hours=1))
        (event,) = await outbox.publish()
        await deliver(messages, outbox, event)
        async with database.transaction(outbox.organisation_id) as session:
            await session.execute(text("UPDATE webhook_endpoints SET previous_until = now()"))
        (event,) = await outbox.publish()
        await deliver(messages, outbox, event)
    during, after = receiver.posts
    assert during.path == "/hooks?token=hidden"
    for secret in (old, new):
        assert Webhook(secret).verify(during.body, during.headers)
    assert Webhook(new).verify(after.body, after.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(after.body, after.headers)


async def test_who_answers_gone_is_switched_off_and_who_says_when_is_left_alone_until_then(
    database: Database, keyring: Keyring, outbox: Outbox
) -> None:
    receiver = Receiver(extra="Retry-After: 3600\r\nLocation: http://127.0.0.1/\r\n")
    receiver.answers.extend(["302 Found", "429 Too Many", "410 Gone"])
    endpoint = await outbox.endpoint(receiver.url)
    (event,) = await outbox.publish()
    async with receiver.up(), delivering(database, keyring, allowed=receiver.host) as messages:
        moved = await deliver(messages, outbox, event)
        assert moved.retry_in_s is not None
        assert moved.retry_in_s < 60
        assert "redirects are not followed" in ((await outbox.row(event)).last_error or "")
        assert (await deliver(messages, outbox, event)).retry_in_s == 3600
        assert (await deliver(messages, outbox, event)).status is MessageStatus.DEAD
        (late,) = [await outbox.add(_to(endpoint))]
        assert (await deliver(messages, outbox, late)).status is MessageStatus.DEAD
        assert "switched off" in ((await outbox.row(late)).last_error or "")
    assert len(receiver.posts) == 3
    async with database.transaction(outbox.organisation_id) as session:
        row = await WebhookEndpointRepository(session, outbox.organisation_id, keyring).get(endpoint)
    assert (row.is_active, row.failures >= 3) == (False, True)


def _to(endpoint_id: str) -> MessageNew:
    return MessageNew(
        effect=new_id("eff"),
        channel=Channel.WEBHOOK,
        kind=EventType.TEST.value,
        endpoint_id=endpoint_id,
        body={},
    )


async def test_a_chat_gets_its_own_format(database: Database, keyring: Keyring, outbox: Outbox) -> None:
    receiver = Receiver()
    await outbox.endpoint(receiver.url, kind="slack")
    (event,) = await outbox.publish(title="<!here> Invoice")
    async with receiver.up(), delivering(database, keyring, allowed=receiver.host) as messages:
        assert (await deliver(messages, outbox, event)).status is MessageStatus.SENT
    (post,) = receiver.posts
    assert json.loads(post.body) == {
        "text": "*A request for approval has ended*\nnumber: 0\ntitle: &lt;!here&gt; Invoice"
    }
    assert post.headers["content-type"] == "application/json"


@pytest.mark.parametrize("channel", [Channel.WEBHOOK, Channel.SLACK])
async def test_an_address_that_is_no_endpoint_is_sealed_and_shown_without_its_secret(
    database: Database, keyring: Keyring, outbox: Outbox, channel: Channel
) -> None:
    receiver = Receiver()
    message = MessageNew(
        effect=new_id("eff"), channel=channel, kind=LetterKind.NOTIFICATION.value, body={"text": "Paid."}
    )
    async with database.transaction(outbox.organisation_id) as session:
        messages = MessageRepository(session, outbox.organisation_id)
        message_id = await messages.add_to(receiver.url, message, keyring)
        assert await messages.add_to(receiver.url, message, keyring) == message_id
    row = await outbox.row(message_id)
    shown = f"http://{receiver.host}/" + ("hooks?…" if channel is Channel.WEBHOOK else "…")
    assert row.recipient == shown
    assert "hidden" not in str(vars(row))
    async with receiver.up(), delivering(database, keyring, allowed=receiver.host) as activities:
        assert (await deliver(activities, outbox, message_id)).status is MessageStatus.SENT
        async with database.transaction(outbox.organisation_id) as session:
            await session.execute(
                text(
                    "UPDATE messages SET sealed_recipient = substring(sealed_recipient FOR 50), status = 'waiting'"
                )
            )
        assert (await deliver(activities, outbox, message_id)).status is MessageStatus.DEAD
    (post,) = receiver.posts
    assert post.path == "/hooks?token=hidden"


async def test_no_event_reaches_the_own_network(database: Database, keyring: Keyring, outbox: Outbox) -> None:
    receiver = Receiver()

    async def to_loopback(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    async with receiver.up():
        poster = WebhookPoster(resolve=to_loopback)
        for url in (receiver.url, f"https://127.0.0.1:{receiver.port}/", "https://hooks.example.com/"):
            attempt = await poster.post(url, b"{}", {})
            assert not attempt.ok
        assert "not public" in attempt.detail
        await poster.aclose()
        await outbox.endpoint(receiver.url)
        (event,) = await outbox.publish()
        async with delivering(database, keyring) as messages:
            assert (await deliver(messages, outbox, event)).status is MessageStatus.WAITING
    assert receiver.posts == []


async def test_a_receiver_that_hangs_is_given_up_on() -> None:
    release = asyncio.Event()

    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    poster = WebhookPoster(f"127.0.0.1:{port}", timeout_s=0.2)
    attempt = await poster.post(f"http://127.0.0.1:{port}/", b"{}", {})
    assert (attempt.ok, attempt.is_final) == (False, False)
    release.set()
    await poster.aclose()
    server.close()
    await server.wait_closed()


async def test_a_letter_about_an_approval_is_written_from_what_is_true_when_it_is_sent(
    database: Database, keyring: Keyring, outbox: Outbox
) -> None:
    person, mailbox = "email:ada@example.org", Mailbox()
    async with database.transaction(outbox.organisation_id) as session:
        factory = RowFactory(session, outbox.organisation_id)
        approval = await factory.new_row(
            table("workflow_approvals"), title="Invoice 7", status="pending", closed_at=None
        )
        factory.made["workflow_approvals"] = approval
        asked = table("approval_assignees")
        await factory.new_row(asked, approval_id=approval["id"], person=person)
    letters = [
        await outbox.add(
            MessageNew(
                effect=f"asked:{number}",
                channel=Channel.EMAIL,
                kind=LetterKind.APPROVAL_ASKED.value,
                recipient=person,
                reference={"approval_id": approval["id"]},
            )
        )
        for number in range(2)
    ]
    async with mailbox.up(), delivering(database, keyring, smtp_url=mailbox.url) as messages:
        assert (await deliver(messages, outbox, letters[0])).status is MessageStatus.SENT
        async with database.transaction(outbox.organisation_id) as session:
            await session.execute(asked.delete())
        assert (await deliver(messages, outbox, letters[1])).status is MessageStatus.DEAD
    assert "not asked any more" in ((await outbox.row(letters[1])).last_error or "")
    (letter,) = mailbox.letters
    assert letter["Subject"] == "Your decision is needed: Invoice 7"
    body = letter.get_body(("plain",))
    assert body is not None
    link = re.search(rf"{PUBLIC_URL}/decide/(\S+)", body.get_content())
    assert link is not None
    claims = TOKENS.read(link[1], LINK, datetime.now(UTC))
    assert (claims.id, claims.person, claims.approval_id) == (letters[0], person, approval["id"])
    assert claims.organisation_id == outbox.organisation_id
    row = await outbox.row(letters[0])
    assert link[1] not in str(vars(row))
