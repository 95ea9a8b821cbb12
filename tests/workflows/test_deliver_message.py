"""Delivery over hours and days, on the test server that skips time; receivers and database are real."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from standardwebhooks import Webhook
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.messages import MessageActivities
from perdure.db.deliveries import DeliveryRepository
from perdure.db.keyring import Keyring
from perdure.db.session import Database
from perdure.domain.standard_webhooks import MOST_ATTEMPTS, new_secret
from perdure.master_keys import load_master_keys
from perdure.schemas.messages import Delivered, MessageStatus
from perdure.settings import Settings
from tests.delivering import Outbox, delivering
from tests.receivers import Mailbox, Receiver
from worker import sandbox
from workflows import queues
from workflows.deliver_message import DeliverMessage

pytestmark = pytest.mark.time_skipping


@pytest.fixture
def keyring(settings: Settings) -> Keyring:
    return Keyring(load_master_keys(settings))


@pytest.fixture
def outbox(database: Database, keyring: Keyring, organisation_id: str) -> Outbox:
    return Outbox(database, keyring, organisation_id)


@asynccontextmanager
async def serving(client: Client, messages: MessageActivities) -> AsyncIterator[None]:
    async with Worker(
        client,
        task_queue=queues.IO,
        workflows=[DeliverMessage],
        activities=[messages.deliver_message],
        workflow_runner=sandbox(),
    ):
        yield


async def started(
    environment: WorkflowEnvironment, outbox: Outbox, message_id: str, run: int = 1
) -> WorkflowHandle[DeliverMessage, Delivered]:
    return await environment.client.start_workflow(
        DeliverMessage.run,
        outbox.job(message_id),
        id=f"{message_id}-{run}",
        task_queue=queues.IO,
        start_signal="try_now",
    )


async def test_a_receiver_that_is_down_for_an_hour_misses_nothing(
    environment: WorkflowEnvironment, database: Database, keyring: Keyring, outbox: Outbox
) -> None:
    receiver, mailbox, secret = Receiver(), Mailbox(), new_secret()
    await outbox.endpoint(receiver.url, secret=secret)
    events = await outbox.publish(8)
    letter = await outbox.letter("email:ada@example.org")
    async with (
        delivering(database, keyring, allowed=receiver.host, smtp_url=mailbox.url) as messages,
        serving(environment.client, messages),
    ):
        handles = [await started(environment, outbox, each) for each in [*events, letter]]
        await environment.sleep(timedelta(hours=1))
        assert {(await outbox.row(each)).status for each in [*events, letter]} == {"waiting"}
        async with receiver.up(), mailbox.up():
            results = [await handle.result() for handle in handles]
    assert {result.status for result in results} == {MessageStatus.SENT}
    assert sorted(post.headers["webhook-id"] for post in receiver.posts) == sorted(events)
    for post in receiver.posts:
        event = Webhook(secret).verify(post.body, post.headers)
        assert event["type"] == "approval.completed"
    told = [json.loads(post.body)["data"]["number"] for post in receiver.posts]
    assert sorted(told) == list(range(8))
    assert [each["Message-ID"] for each in mailbox.letters] == [f"<{letter}@example.org>"]
    for message_id in [*events, letter]:
        row = await outbox.row(message_id)
        assert (row.status, row.last_error, row.next_at) == ("sent", None, None)
        assert row.attempts == len(row.tries) > 4
        assert [each["ok"] for each in row.tries] == [False] * (row.attempts - 1) + [True]


async def test_after_the_last_attempt_it_is_dead_and_can_be_sent_again(
    environment: WorkflowEnvironment, database: Database, keyring: Keyring, outbox: Outbox
) -> None:
    receiver = Receiver()
    await outbox.endpoint(receiver.url)
    (event,) = await outbox.publish()
    async with (
        delivering(database, keyring, allowed=receiver.host) as messages,
        serving(environment.client, messages),
        receiver.up(),
    ):
        receiver.answers.extend(["500 Oops"] * MOST_ATTEMPTS)
        before = await environment.get_current_time()
        result = await (await started(environment, outbox, event)).result()
        assert await environment.get_current_time() - before >= timedelta(days=3)
        row = await outbox.row(event)
        assert (result.status, row.status, row.attempts) == ("dead", "dead", MOST_ATTEMPTS)
        assert row.last_error == "It answered 500."
        async with database.transaction(outbox.organisation_id) as session:
            await DeliveryRepository(session, outbox.organisation_id).replay(event)
        # Time may be skipped while an attempt is on its way, which then never arrives.
        receiver.answers.clear()
        tried = len(receiver.posts)
        result = await (await started(environment, outbox, event, run=2)).result()
    row = await outbox.row(event)
    assert (result.status, row.status, row.attempts) == ("sent", "sent", 1)
    assert 1 < tried <= MOST_ATTEMPTS
    assert len(receiver.posts) == tried + 1
    # The same id and the same bytes, however often it is tried.
    assert {(post.headers["webhook-id"], post.body) for post in receiver.posts} == {
        (event, receiver.posts[0].body)
    }


async def test_who_wants_it_now_need_not_wait(
    environment: WorkflowEnvironment, database: Database, keyring: Keyring, outbox: Outbox
) -> None:
    receiver = Receiver()
    await outbox.endpoint(receiver.url)
    (event,) = await outbox.publish()
    async with (
        delivering(database, keyring, allowed=receiver.host) as messages,
        serving(environment.client, messages),
    ):
        handle = await started(environment, outbox, event)
        await environment.sleep(timedelta(hours=10))
        async with receiver.up():
            at = await environment.get_current_time()
            await handle.signal("try_now")
            with environment.auto_time_skipping_disabled():
                assert (await handle.result()).status == MessageStatus.SENT
            assert await environment.get_current_time() - at < timedelta(minutes=5)
