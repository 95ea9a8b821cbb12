"""A provider's key is nowhere but in its sealed column: not in what Temporal keeps, not in a record, not in a log."""

import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import structlog
from sqlalchemy import text
from temporalio import activity
from temporalio.client import Client, WorkflowFailureError
from temporalio.worker import Worker

from activities.failures import failures
from activities.steps import StepRecorder
from perdure import log
from perdure.db.keyring import Keyring
from perdure.db.operation_repository import OperationRepository
from perdure.db.session import Database
from perdure.domain.failure_policy import Patience
from perdure.master_keys import load_master_keys
from perdure.providers.language_models import LanguageModels
from perdure.settings import Settings
from tests.asking_workflow import ACTIVITY, Ask, AskJob
from tests.provider_servers import AnthropicServer, Fails, OpenAIServer, WireServer
from tests.routed_models import ASKED, Asking
from worker import sandbox

# Of nobody; it looks like no provider's, so that nothing blots it out by its looks.
HIDDEN = "a0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5"
TOLD = f"Incorrect API key provided: {HIDDEN}. You can find yours at https://provider.example. {ASKED.turns[0].text}"


class Asker:
    """Asks a model."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    @activity.defn(name=ACTIVITY)
    async def ask_a_model(self, job: AskJob) -> str:
        """Ask, and let what goes wrong be seen."""
        with failures():
            call = self._asking.call()
            return (await self._asking.worker().generate(call, ASKED)).generation.text


@pytest.fixture(params=[OpenAIServer, AnthropicServer])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[WireServer]:
    server: WireServer = request.param()
    async with server.serving():
        yield server


@pytest.fixture
def logged(settings: Settings) -> Iterator[io.StringIO]:
    """All that is logged, as it would come out."""
    stream = io.StringIO()
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = list(root.handlers), root.level
    log.configure(settings.model_copy(update={"log_level": "debug"}), stream)
    structlog.configure(cache_logger_on_first_use=False)
    yield stream
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


async def test_a_key_is_told_nowhere(
    temporal: Client,
    temporal_database: Path,
    settings: Settings,
    database: Database,
    organisation_id: str,
    server: WireServer,
    logged: io.StringIO,
) -> None:
    lent = LanguageModels(private_urls=True)
    asking = Asking(database, organisation_id, Keyring(load_master_keys(settings)), lent)
    asking.patience = Patience(tries=3, first_wait=timedelta(milliseconds=10))
    await asking.key(server, secret=HIDDEN)
    server.replies.extend(
        [
            Fails(500, "api_error", TOLD),
            Fails(429, "rate_limit_error", TOLD, headers={"retry-after-ms": "10"}),
            Fails(400, "invalid_request_error", TOLD),
        ]
    )
    # Nobody else is asked: the failure itself is what is looked at.
    await asking.route_to_keys()
    async with database.transaction(organisation_id) as session:
        row = await OperationRepository(session).create(
            organisation_id=organisation_id, actor_id="usr_test", kind="ask", summary="Ask"
        )
    asker = Asker(asking)
    queue = f"ask-{uuid4()}"
    async with Worker(
        temporal,
        task_queue=queue,
        workflows=[Ask],
        activities=[asker.ask_a_model],
        workflow_runner=sandbox(),
        interceptors=[StepRecorder(database.transaction)],
    ):
        handle = await temporal.start_workflow(
            Ask.run, AskJob(organisation_id=organisation_id, operation_id=row.id), id=row.id, task_queue=queue
        )
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    await lent.aclose()
    assert len(server.asked) == 3
    assert "providers-failed" in str(getattr(failed.value.cause.__cause__, "type", ""))

    history = await decoded(temporal, row.id)
    assert "No provider answered" in history, "what is looked through can be read"
    async with database.transaction(organisation_id) as session:
        records = ""
        for table in ("operation_steps", "operation_events", "ai_processing_logs"):
            rows = await session.scalars(text(f"SELECT row_to_json(t)::text FROM {table} t"))
            records += "\n".join(rows)
        sealed = await session.scalar(text("SELECT sealed FROM provider_keys"))
    assert "providers-failed" in records
    assert "step_failed" in logged.getvalue()
    stored = b"".join(p.read_bytes() for p in temporal_database.parent.glob(f"{temporal_database.name}*"))
    places = {
        "history": history,
        "records": records,
        "logs": logged.getvalue(),
        "error": chain(failed.value),
        "stored": stored.decode("latin-1"),
        "sealed": (sealed or b"").decode("latin-1"),
        "repr": repr(asking) + repr(lent),
    }
    for secret in (HIDDEN, "Rotterdam"):
        assert [place for place, said in places.items() if secret in said] == []


async def test_what_an_attempt_has_found_out_the_next_one_knows(
    temporal: Client, settings: Settings, database: Database, organisation_id: str
) -> None:
    """Through Temporal itself; else it would be tried for ever."""
    lent = LanguageModels(private_urls=True)
    asking = Asking(database, organisation_id, Keyring(load_master_keys(settings)), lent)
    asking.patience = Patience(tries=3, first_wait=timedelta(milliseconds=10))
    server, queue, operation_id = OpenAIServer(), f"ask-{uuid4()}", f"op_{uuid4().hex}"
    asker = Asker(asking)
    async with (
        server.serving(),
        Worker(
            temporal,
            task_queue=queue,
            workflows=[Ask],
            activities=[asker.ask_a_model],
            workflow_runner=sandbox(),
            interceptors=[StepRecorder(database.transaction)],
        ),
    ):
        await asking.key(server)
        await asking.route_to_keys()
        server.replies.extend([Fails(500, "api_error")] * 9)
        job = AskJob(organisation_id=organisation_id, operation_id=operation_id)
        with pytest.raises(WorkflowFailureError) as failed:
            await temporal.execute_workflow(Ask.run, job, id=operation_id, task_queue=queue)
    await lent.aclose()
    assert len(server.asked) == 3
    assert "failed with 500 [unavailable, 3 times]" in chain(failed.value)


async def decoded(client: Client, workflow_id: str) -> str:
    """A history with everything in it as it was before the codec."""
    said: list[str] = []
    codec = client.data_converter.payload_codec
    assert codec is not None
    history = await client.get_workflow_handle(workflow_id).fetch_history()
    for event in history.events:
        said.append(str(event))
        for payload in payloads_of(json.loads(history_json(event))):
            (plain,) = await codec.decode([payload])
            said.append(plain.data.decode(errors="replace"))
            said.append(str(plain.metadata))
    return "\n".join(said)


def history_json(event: Any) -> str:
    from google.protobuf.json_format import MessageToJson  # noqa: PLC0415

    return MessageToJson(event)


def payloads_of(value: Any) -> list[Any]:
    """All payloads in a message."""
    from google.protobuf.json_format import ParseDict  # noqa: PLC0415
    from temporalio.api.common.v1 import Payload  # noqa: PLC0415

    if isinstance(value, list):
        return [payload for one in value for payload in payloads_of(one)]
    if not isinstance(value, dict):
        return []
    if {"metadata", "data"} <= value.keys():
        return [ParseDict(value, Payload())]
    return [payload for one in value.values() for payload in payloads_of(one)]


def chain(error: BaseException | None) -> str:
    """An error and all that caused it."""
    said = []
    while error is not None:
        said.append(repr(error))
        error = error.__cause__
    return "\n".join(said)
