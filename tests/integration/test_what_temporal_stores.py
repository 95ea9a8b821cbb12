"""What stands in the files of Temporal's database: nothing that a person wrote, and no error that says it."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

from perdure.settings import MEBIBYTE, Settings
from tests.accounts import Account
from tests.workflows.confidant import Confidant, blurt_out, secret, whisper
from worker import sandbox

# Where a text is found when nothing is encrypted. Without that, not finding it would mean nothing.
PLACES = (
    "memo",
    "later memo",
    "static summary",
    "static details",
    "timer summary",
    "local activity",
    "activity",
    "activity summary",
    "activity failure",
    "signal",
    "update",
    "result",
    "workflow failure",
    "failure details",
)
IN_A_STACK_TRACE = b"stumble_in_the_dark"


def stored(database: Path) -> bytes:
    """Everything in the database and its write-ahead log."""
    return b"".join(path.read_bytes() for path in database.parent.glob(f"{database.name}*"))


@asynccontextmanager
async def confidants(client: Client, queue: str) -> AsyncIterator[None]:
    async with Worker(
        client,
        task_queue=queue,
        workflows=[Confidant],
        activities=[whisper, blurt_out],
        workflow_runner=sandbox(),
    ):
        yield


async def confide(client: Client, queue: str, token: str, *, fails: bool) -> None:
    """Put secrets into every place, and read them back."""
    handle = await client.start_workflow(
        Confidant.run,
        args=[token, fails],
        id=f"confidant-{secrets.token_hex(8)}",
        task_queue=queue,
        memo={"memo": secret("memo", token)},
        static_summary=secret("static summary", token),
        static_details=secret("static details", token),
    )
    await handle.signal(Confidant.listen, secret("signal", token))
    assert secret("update", token) in await handle.execute_update(Confidant.answer, secret("update", token))
    assert secret("signal", token) in await handle.query(Confidant.told, secret("query", token))
    if fails:
        with pytest.raises(WorkflowFailureError) as failure:
            await handle.result()
        assert str(failure.value.cause) == secret("workflow failure", token)
    else:
        assert await handle.result() == secret("result", token)
    description = await handle.describe()
    assert await description.static_summary() == secret("static summary", token)
    assert await description.memo_value("later") == secret("later memo", token)


async def test_no_place_for_text_shows_any(
    temporal: Client, settings: Settings, temporal_database: Path
) -> None:
    hidden, shown = secrets.token_hex(16), secrets.token_hex(16)
    async with confidants(temporal, "confidant-encrypted"):
        for fails in (False, True):
            await confide(temporal, "confidant-encrypted", hidden, fails=fails)
    found = stored(temporal_database)
    assert b"confidant-encrypted" in found  # the workflows do stand there
    assert hidden.encode() not in found
    assert IN_A_STACK_TRACE not in found

    plain = await Client.connect(settings.temporal_address, data_converter=pydantic_data_converter)
    async with confidants(plain, "confidant-plain"):
        for fails in (False, True):
            await confide(plain, "confidant-plain", shown, fails=fails)
    found = stored(temporal_database)
    assert [place for place in PLACES if secret(place, shown).encode() not in found] == []
    assert IN_A_STACK_TRACE in found


async def test_nothing_of_a_document_stands_there(caller: Account, temporal_database: Path) -> None:
    token = secrets.token_hex(16)
    email = f"{token}@example.com"
    document = await caller.ingested(
        json={
            "text": f"# Report {token}\n\nWrite to {email} about the pump.",
            "title": f"Report for {email}",
            "metadata": {"author": token},
            "external_id": token,
            "space": f"space-{token}",
        }
    )
    assert (document["status"], document["title"]) == ("indexed", f"Report for {email}")
    uploaded = await caller.ingested(files={"file": (f"{token}.txt", f"From: {email}\n\nA letter.".encode())})
    assert token in uploaded["title"]
    operation = await caller.post("/documents/batch", json={"items": [{"text": email, "title": email}] * 3})
    assert (await caller.ended(operation))["status"] == "completed"
    found = stored(temporal_database)
    assert operation["workflow_id"].encode() in found
    assert token.encode() not in found
    me = await caller.get("/auth/me")
    assert me["user"]["email"].encode() not in found


async def test_nothing_of_an_error_stands_there(caller: Account, temporal_database: Path) -> None:
    token = secrets.token_hex(16)
    missing = {"object_key": f"{caller.organisation_id}/{token}"}
    failed = await caller.ended(await caller.post("/documents", json=missing))
    said = str(failed["error"] or failed["result"])
    assert token in said, said
    found = stored(temporal_database)
    assert failed["workflow_id"].encode() in found
    assert token.encode() not in found


async def test_a_file_of_64_mib_leaves_a_history_of_less_than_100_kib(
    caller: Account, settings: Settings
) -> None:
    line = b"The pump was repaired on Tuesday, and its seal on Wednesday.\n"
    content = line * (64 * MEBIBYTE // len(line) + 1)
    upload = {"file": ("report.txt", content)}
    operation = await caller.ended(await caller.post("/documents", files=upload), timeout_s=120)
    # More text than a document may have: it is read, and refused with a reason.
    assert operation["error"]["type"] == "too_large"
    plain = await Client.connect(settings.temporal_address, data_converter=pydantic_data_converter)
    history = await plain.get_workflow_handle(operation["workflow_id"]).fetch_history()
    assert sum(event.ByteSize() for event in history.events) < 100 * 1024
