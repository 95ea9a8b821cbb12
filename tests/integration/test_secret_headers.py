"""Secrets that `http` steps send as headers: named in the definition, opened for one origin, told to nobody else."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from fastapi import FastAPI
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from perdure.settings import Settings
from tests.accounts import Account
from tests.document_steps import Steps, a_job
from tests.receivers import Receiver

KEY = "Bearer crm-0123456789abcdef-WXYZ"
HEADERS = {"Authorization": "crm"}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    async with receiver.up():
        yield receiver


@pytest.fixture
async def steps(settings: Settings, temporal: Client, receiver: Receiver) -> AsyncIterator[Steps]:
    """The activity as the worker builds it; an operator has opened the receiver's port."""
    import worker  # noqa: PLC0415

    reaching_in = settings.model_copy(update={"fetch_allow_hosts": receiver.host})
    async with AsyncExitStack() as stack:
        dependencies = worker.Dependencies(reaching_in, stack)
        yield Steps({one.__name__: one for one in dependencies.io()}, temporal)


async def refusal(steps: Steps, caller: Account, url: str) -> ApplicationError:
    with pytest.raises(ApplicationError) as refused:
        await steps.output(a_job(caller, "http", url=url, secret_headers=HEADERS))
    assert refused.value.non_retryable
    return refused.value


async def test_a_secret_goes_to_its_origin_and_to_no_other(
    product: FastAPI, caller: Account, steps: Steps, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    origin = f"http://{receiver.host}"
    missing = await refusal(steps, caller, origin)
    assert (missing.type, "'crm'" in missing.message) == ("not-found", True)

    secret = {"name": "crm", "kind": "http_header", "origin": f"HTTP://{receiver.host}/orders", "value": KEY}
    made = await caller.post("/secrets", 201, json=secret)
    assert (made["origin"], made["last_four"]) == (origin, "WXYZ")
    job = a_job(caller, "http", url=f"{origin}/orders", body={"total": 7}, secret_headers=HEADERS)
    told = await steps.output(job)
    assert (told["status"], [one.headers["authorization"] for one in receiver.posts]) == (200, [KEY])
    assert KEY not in str(told) + job.model_dump_json() + caplog.text
    page = await caller.get("/audit", subject=made["id"])
    read = next(one for one in page["items"] if one["action"] == "secret.read")
    assert read["actor"]["id"] == job.operation_id

    elsewhere = await refusal(steps, caller, "https://example.com/orders")
    assert (elsewhere.type, KEY in str(elsewhere)) == ("permission-denied", False)
    await caller.http.put(f"/api/v1/secrets/{made['id']}", json={"value": "another one"})
    await steps.output(job)
    assert receiver.posts[-1].headers["authorization"] == "another one"
    await caller.http.delete(f"/api/v1/secrets/{made['id']}")
    assert (await refusal(steps, caller, origin)).type == "not-found"
    assert len(receiver.posts) == 2


async def test_no_other_secret_is_sent_and_none_of_others(
    product: FastAPI, caller: Account, stranger: Account, steps: Steps, receiver: Receiver
) -> None:
    await caller.post("/secrets", 201, json={"name": "crm", "kind": "provider_key", "value": KEY})
    origin = f"http://{receiver.host}"
    theirs = {"name": "crm", "kind": "http_header", "origin": origin, "value": KEY}
    await stranger.post("/secrets", 201, json=theirs)
    assert (await refusal(steps, caller, origin)).type == "not-found"
    assert receiver.posts == []


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"kind": "http_header"}, "/origin"),
        ({"kind": "http_header", "origin": "api.example.com"}, "/origin"),
        ({"kind": "http_header", "origin": "https://user:pass@example.com"}, "/origin"),
        ({"kind": "provider_key", "origin": "https://example.com"}, "/origin"),
        ({"kind": "http_header", "origin": "https://example.com", "value": f"{KEY}\r\nX-A: b"}, "/value"),
    ],
)
async def test_what_cannot_be_sent_is_refused(caller: Account, said: dict[str, str], pointer: str) -> None:
    problem = await caller.post("/secrets", 422, json={"name": "crm", "value": KEY, **said})
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert KEY not in str(problem)


async def test_a_value_that_is_no_header_replaces_none(caller: Account) -> None:
    secret = {"name": "crm", "kind": "http_header", "origin": "https://example.com", "value": KEY}
    made = await caller.post("/secrets", 201, json=secret)
    answer = await caller.http.put(f"/api/v1/secrets/{made['id']}", json={"value": "a\nb"})
    assert answer.status_code == 422
    (listed,) = (await caller.get("/secrets"))["items"]
    assert listed["updated_at"] == made["updated_at"]
