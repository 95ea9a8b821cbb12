"""Every recorded history still replays with this code: running workflows survive a deployment."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.worker import Replayer

from perdure.errors import PerdureError
from perdure.schemas.documents import IngestDocumentInput, IngestDocumentResult
from perdure.settings import Settings
from tests.recording import MASTER_KEYS
from worker import sandbox
from workflows.client import data_converter
from workflows.payload_codec import ENCODING
from workflows.registry import KINDS, WORKFLOWS

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))
MAX_PAYLOAD_BYTES = 64 * 1024


@pytest.fixture(scope="module")
def converter(tmp_path_factory: pytest.TempPathFactory) -> DataConverter:
    return data_converter(Settings(home=tmp_path_factory.mktemp("replay"), master_keys=MASTER_KEYS))


def _replayer(converter: DataConverter, *workflows: type[Any]) -> Replayer:
    return Replayer(
        workflows=workflows,
        workflow_runner=sandbox(),
        data_converter=converter,
        workflow_failure_exception_types=[PerdureError],
    )


def _history(path: Path) -> WorkflowHistory:
    recorded = json.loads(path.read_text())
    # What is encrypted is bound to the workflow that it was recorded from.
    started = recorded["events"][0]["workflowExecutionStartedEventAttributes"]
    return WorkflowHistory.from_json(started["workflowId"], recorded)


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_recorded_workflows_replay(path: Path, converter: DataConverter) -> None:
    await _replayer(converter, *WORKFLOWS).replay_workflow(_history(path))


def test_every_kind_has_a_history() -> None:
    recorded = {path.stem.partition("-")[0] for path in HISTORIES}
    # These are no operations: Temporal's schedules start them, or what is to be sent.
    others = {"apply_retention", "deliver_message", "monitor_ai_processing", "cleanup_expired_workflows"}
    assert recorded - others == set(KINDS)


def test_histories_of_before_and_after_the_encryption_are_replayed() -> None:
    encoding = base64.b64encode(ENCODING).decode()
    encrypted = {path.stem for path in HISTORIES if encoding in path.read_text()}
    assert {"ingest_document-encrypted", "ingest_document-encrypted-rejected"} <= encrypted
    assert {"ingest_document-text", "ingest_document-rejected"}.isdisjoint(encrypted)


def _payload_sizes(value: Any) -> Iterator[int]:
    if isinstance(value, dict):
        if "data" in value and "metadata" in value:
            yield len(base64.b64decode(value["data"]))
        for inner in value.values():
            yield from _payload_sizes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _payload_sizes(inner)


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_payloads_are_small(path: Path) -> None:
    assert max(_payload_sizes(json.loads(path.read_text()))) <= MAX_PAYLOAD_BYTES


@workflow.defn(name="IngestDocument")
class IngestDocumentWithoutSteps:
    """A deliberately broken next version."""

    @workflow.run
    async def run(self, job: IngestDocumentInput) -> IngestDocumentResult:
        return IngestDocumentResult(document_id=job.document_id, status="indexed")


async def test_a_changed_workflow_is_noticed(converter: DataConverter) -> None:
    (path,) = [path for path in HISTORIES if path.stem == "ingest_document-text"]
    with pytest.raises(workflow.NondeterminismError):
        await _replayer(converter, IngestDocumentWithoutSteps).replay_workflow(_history(path))
