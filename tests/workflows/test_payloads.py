"""Payloads of every size on a real server: what is large passes, what is too large ends with an error of ours."""

import secrets
from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import Worker

from perdure.domain.ids import new_id
from perdure.errors import PayloadTooLargeError, PerdureError
from perdure.settings import MEBIBYTE
from tests.workflows.courier import Courier, bring_too_much, hand_back
from worker import sandbox
from workflows.payload_limits import MAX_PAYLOAD_BYTES


@pytest.fixture(scope="module")
async def courier(temporal: Client) -> AsyncIterator[Client]:
    async with Worker(
        temporal,
        task_queue="courier",
        workflows=[Courier],
        activities=[hand_back, bring_too_much],
        workflow_runner=sandbox(),
        workflow_failure_exception_types=[PerdureError],
    ):
        yield temporal


async def carry(client: Client, text: str) -> tuple[str, str]:
    """The answer and the id of the workflow that gave it."""
    workflow_id = new_id("op")
    return await client.execute_workflow(Courier.run, text, id=workflow_id, task_queue="courier"), workflow_id


async def history_bytes(client: Client, workflow_id: str) -> int:
    """What the server stores of it, read as it stands there."""
    plain = await Client.connect(
        client.service_client.config.target_host, data_converter=pydantic_data_converter
    )
    history = await plain.get_workflow_handle(workflow_id).fetch_history()
    return sum(event.ByteSize() for event in history.events)


@pytest.mark.parametrize("size", [10, 200 * 1024, 3 * MEBIBYTE])
async def test_a_text_goes_there_and_back(courier: Client, size: int) -> None:
    text = secrets.token_hex(size // 2)
    answer, _ = await carry(courier, text)
    assert answer == text


async def test_a_text_of_64_mib_leaves_a_history_of_less_than_100_kib(courier: Client) -> None:
    text = secrets.token_hex(32 * MEBIBYTE)
    answer, workflow_id = await carry(courier, text)
    assert answer == text
    assert await history_bytes(courier, workflow_id) < 100 * 1024


async def test_too_much_is_refused_before_anything_is_sent(courier: Client) -> None:
    with pytest.raises(PayloadTooLargeError, match="hand on its key"):
        await carry(courier, "x" * MAX_PAYLOAD_BYTES)


async def test_an_activity_that_brings_too_much_fails_at_once(courier: Client) -> None:
    with pytest.raises(WorkflowFailureError) as failure:
        await carry(courier, "bring too much")
    assert isinstance(failure.value.cause, ActivityError)
    _assert_too_large(failure.value.cause.cause)


@pytest.mark.parametrize("where", ["take too much", "answer too much"])
async def test_a_workflow_that_sends_too_much_fails_at_once(courier: Client, where: str) -> None:
    with pytest.raises(WorkflowFailureError) as failure:
        await carry(courier, where)
    _assert_too_large(failure.value.cause)


def _assert_too_large(cause: BaseException | None) -> None:
    assert isinstance(cause, ApplicationError)
    assert (cause.type, cause.non_retryable) == ("payload-too-large", True)
    assert "hand on its key" in cause.message
