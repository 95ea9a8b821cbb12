"""Records the histories that `tests/replay` replays: one per behaviour, from a whole product in a folder of its own.

A history that is recorded stays for as long as a workflow of that time may be open: new behaviours get new names.
"""

import asyncio
import json
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from google.protobuf.json_format import MessageToDict, ParseDict
from rich.console import Console
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, ScheduleActionExecutionStartWorkflow

from activities.evolution_schedules import schedule_id
from activities.memories import writer_id
from perdure.db.memory_acceptance import subject_key
from perdure.domain.ids import new_id
from perdure.embedded import ports
from perdure.embedded.supervisor import Stack
from perdure.master_keys import load_master_keys
from perdure.schemas.evolution import ProposalDecision
from perdure.settings import Settings, home_directory
from tests.provider_servers import OpenAIServer, Says
from tests.recording import MASTER_KEYS
from workflows.client import connect
from workflows.evolve_memory import proposals_id
from workflows.payload_codec import PayloadCipher, workflow_of
from workflows.schedules import CLEAN_UP, MONITORING, RETENTION

HISTORIES = Path(__file__).parents[1] / "tests" / "replay" / "histories"
SAMPLES = Path(__file__).parents[1] / "samples"
# Worker and client identities, and the sticky queues named after them: `123@host`, `123@host-0f…`.
_IDENTITY = re.compile(r"\d+@[\w.-]+")
LABELS = [
    {"name": "Invoice", "description": "asks for payment"},
    {"name": "Complaint", "description": "complains about broken goods"},
]
TERMINAL = {"completed", "failed", "cancelled", "expired"}

console = Console()


class Recording:
    """Makes operations and waits for them."""

    def __init__(self, http: httpx.AsyncClient, client: Client) -> None:
        self._http, self._client = http, client

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        """POST; the operation."""
        answer = await self._http.post(f"/api/v1{path}", **body)
        answer.raise_for_status()
        operation: dict[str, Any] = answer.json()
        return operation

    async def upload(self, name: str) -> dict[str, Any]:
        """Ingest a sample."""
        path = SAMPLES / name
        return await self.ended(await self.post("/documents", files={"file": (path.name, path.read_bytes())}))

    async def ended(self, operation: dict[str, Any]) -> dict[str, Any]:
        """Wait for the end."""
        while operation["status"] not in TERMINAL:
            await asyncio.sleep(0.1)
            operation = (await self._http.get(f"/api/v1/operations/{operation['id']}")).json()
        return operation

    async def text(self, text: str, **fields: Any) -> dict[str, Any]:
        """Ingest a text."""
        return await self.ended(await self.post("/documents", json={"text": text, **fields}))

    async def batch(self, *, items: int) -> dict[str, Any]:
        """Start a batch."""
        texts = [{"text": f"Passage {number} about valves. " * 40} for number in range(items)]
        return await self.post("/documents/batch", json={"items": [*texts, {"url": "http://127.0.0.1:9/"}]})

    async def paused_batch(self) -> dict[str, Any]:
        """A batch that was paused, resumed and ended."""
        operation = await self.batch(items=120)
        await self.post(f"/operations/{operation['id']}/pause")
        await asyncio.sleep(1)
        return await self.ended(await self.post(f"/operations/{operation['id']}/resume"))

    async def whole_batch(self) -> dict[str, Any]:
        """A batch of several pages that nobody touched."""
        return await self.ended(await self.batch(items=250))

    async def cancelled_batch(self) -> dict[str, Any]:
        """A batch that was cancelled half-way."""
        operation = await self.batch(items=400)
        await asyncio.sleep(2)
        return await self.ended(await self.post(f"/operations/{operation['id']}/cancel"))

    async def deletion(self) -> dict[str, Any]:
        """A deleted document."""
        operation = await self.text("Soon to be deleted.")
        answer = await self._http.delete(f"/api/v1/documents/{operation['subject']['id']}")
        return await self.ended(answer.json())

    async def reembedding(self) -> dict[str, Any]:
        """A space with another model."""
        await self.text("Two models know this.", space="twice")
        model = {"model": "all-minilm-l6-v2-fp32"}
        return await self.ended(await self.post("/spaces/twice/reembed", json=model))

    async def rotation(self) -> dict[str, Any]:
        """A rotation of keys, with more secrets than one page holds."""
        for number in range(201):
            secret = {"name": f"secret {number}", "kind": "other", "value": f"value {number}"}
            (await self._http.post("/api/v1/secrets", json=secret)).raise_for_status()
        return await self.ended(await self.post("/keys/rotation"))

    async def conversation(self) -> dict[str, Any]:
        """Messages that were remembered."""
        turns = [{"speaker": "Ann", "content": "I moved to Lisbon."}, {"speaker": "Ben", "content": "When?"}]
        return await self.ended(await self.post("/memories", json={"messages": turns, "subject": "Ann"}))

    async def facts(self) -> dict[str, Any]:
        """Messages that a language model drew facts from, in two parts."""
        fact = {"kind": "fact", "statement": "Ann moved to Lisbon.", "messages": [1]}
        turns = [{"speaker": "Ann", "content": f"I moved to Lisbon, {number} times."} for number in range(45)]
        server = OpenAIServer()
        async with server.serving(), self.somebody() as (recording, _):
            server.replies.extend(Says(json.dumps({"facts": facts})) for facts in ([fact], []))
            key = {"provider": "openai_compatible", "name": "here", "base_url": f"{server.url}/v1"}
            given = await recording._http.post("/api/v1/providers/keys", json=key | {"default_model": "m"})
            given.raise_for_status()
            request = {"messages": turns, "subject": "Ann"}
            return await recording.ended(await recording.post("/memories", json=request))

    async def writer(self) -> dict[str, Any]:
        """The workflow that wrote several requests about one subject; it is no operation."""
        texts = [f"Ann has {number} boats." for number in range(5)]
        started = [await self.post("/memories", json={"content": text, "subject": "Ann"}) for text in texts]
        ended = [await self.ended(operation) for operation in started]
        space_id = ended[0]["subject"]["id"]
        return {"workflow_id": writer_id(space_id, subject_key("Ann")), "run_id": None, "status": "completed"}

    async def imported(self) -> dict[str, Any]:
        """Several pages of lines, one of which is no memory."""
        lines = [json.dumps({"content": f"Ann has {number} lamps."}) for number in range(900)]
        file = "\n".join([*lines, "no memory"]).encode()
        return await self.ended(await self.post("/memories/import", files={"file": ("m.jsonl", file)}))

    async def evolution(self, space: str = "evolved") -> dict[str, Any]:
        """Memories of a space that evolved, all stages; what was derived waits as proposals."""
        said = (
            "Ann adopted a grey cat called Pixel.",
            "Ann has adopted a grey cat, Pixel.",
            "Ann lives in Rome.",
            "Ann moved to Turin.",
            "Hello, good morning!",
            *(
                f"Ann paints boats in the harbour on {day}s."
                for day in ("Monday", "Tuesday", "Friday", "Sunday")
            ),
        )
        for day, content in enumerate(said, start=1):
            memory = {"content": content, "subject": "Ann", "valid_from": f"2025-01-{day:02}T10:00:00Z"}
            await self.ended(await self.post("/memories", json={**memory, "space": space}))
        return await self.ended(await self.post("/memories/evolve", json={"space": space}))

    async def decisions(self) -> dict[str, Any]:
        """The workflow that waited for decisions about proposals, by signals; it is no operation."""
        operation = await self.evolution("decided")
        handle = self._client.get_workflow_handle(proposals_id(operation["id"]))
        page = await self._http.get(
            "/api/v1/memories/proposals", params={"status": "open", "space": "decided"}
        )
        for number, proposal in enumerate(page.json()["items"]):
            decision = ProposalDecision(proposal_id=proposal["id"], decided_by="usr_1")
            await handle.signal("decline_proposal" if number else "accept_proposal", decision)
        await handle.result()
        return {"workflow_id": handle.id, "run_id": None, "status": "completed"}

    async def scheduled_evolution(self) -> dict[str, Any]:
        """The workflow that a schedule started; it is no operation."""
        operation = await self.ended(await self.post("/memories/evolve", json={"space": "by-itself"}))
        path, settings = "/api/v1/memories/evolution/settings", {"every_hours": 24}
        answer = await self._http.put(path, params={"space": "by-itself"}, json=settings)
        answer.raise_for_status()
        schedule = self._client.get_schedule_handle(schedule_id(operation["subject"]["id"]))
        await schedule.trigger()
        started = (await schedule.describe()).info.recent_actions
        while not started:
            await asyncio.sleep(0.1)
            started = (await schedule.describe()).info.recent_actions
        execution = started[-1].action
        if not isinstance(execution, ScheduleActionExecutionStartWorkflow):
            raise TypeError(repr(execution))
        await self._client.get_workflow_handle(execution.workflow_id).result()
        return {"workflow_id": execution.workflow_id, "run_id": None, "status": "completed"}

    async def forgetting(self) -> dict[str, Any]:
        """A text that was forgotten."""
        await self.ended(await self.post("/memories", json={"content": "Ann sold a boat."}))
        return await self.ended(await self.post("/memories/forget", json={"text": "Ann sold a boat."}))

    async def classified(self) -> dict[str, Any]:
        """A text that got a label."""
        body = {"text": "Payable within thirty days.", "labels": LABELS}
        return await self.ended(await self.post("/ai/classification/enhanced", json=body))

    async def classified_by_model(self) -> dict[str, Any]:
        """A text that a language model was asked about."""
        async with self._model("Complaint") as (recording, workflow_id):
            body = {"text": "Well, who knows.", "workflow_id": workflow_id}
            return await recording.ended(await recording.post("/ai/classification/enhanced", json=body))

    @asynccontextmanager
    async def _model(self, *answers: str) -> AsyncIterator[tuple["Recording", str]]:
        """Somebody with a key, and a workflow that escalates to it."""
        server = OpenAIServer()
        stage = {"task": "category", "labels": LABELS, "threshold": 1.0, "below": "escalate_to_llm"}
        async with server.serving(), self.somebody() as (recording, _):
            said = [{"label": label, "confidence": 1.0, "quotes": []} for label in answers]
            server.replies.extend(Says(json.dumps(answer)) for answer in said)
            key = {"provider": "openai_compatible", "name": "here", "base_url": f"{server.url}/v1"}
            await recording.post("/providers/keys", json=key | {"default_model": "m"})
            made = await recording.post(
                "/ai/classification/workflows", json={"name": "Mail", "stages": [stage]}
            )
            yield recording, made["id"]

    async def texts(self, count: int, **asked: Any) -> dict[str, Any]:
        """Start a batch of texts to classify."""
        items = [{"text": f"Text {number}, payable within thirty days."} for number in range(count)]
        asked = asked or {"labels": LABELS}
        return await self.post("/ai/classification/batch", json={"items": [*items, {"text": ""}], **asked})

    async def classified_batch(self) -> dict[str, Any]:
        """Some pages that were decided when all had an answer, with a pause on the way."""
        operation = await self.texts(700, labels=LABELS, target_accuracy=0.9)
        await self.post(f"/operations/{operation['id']}/pause")
        await asyncio.sleep(1)
        return await self.ended(await self.post(f"/operations/{operation['id']}/resume"))

    async def short_batch(self) -> dict[str, Any]:
        """A batch of few texts, counted in the task that writes its end."""
        return await self.ended(await self.texts(20))

    async def cancelled_classification(self) -> dict[str, Any]:
        """A batch of texts that was cancelled half-way."""
        operation = await self.texts(3_000)
        await asyncio.sleep(2)
        return await self.ended(await self.post(f"/operations/{operation['id']}/cancel"))

    async def continued_classification(self) -> dict[str, Any]:
        """The run that a batch of very many texts went on as."""
        return await self.ended(await self.texts(5_300))

    async def batch_by_model(self) -> dict[str, Any]:
        """A batch that a language model was asked about."""
        async with self._model(*["Invoice"] * 4) as (recording, workflow_id):
            return await recording.ended(await recording.texts(4, workflow_id=workflow_id))

    async def _asked(self, *stages: str) -> dict[str, Any]:
        """A request for approval, once people are asked."""
        asked = [
            {
                "id": stage,
                "approvers": [{"role": "owner"}],
                "rule": "any",
                "due_in": "2 days",
                "reminders": [0.5],
            }
            for stage in stages
        ]
        policy = {"stages": asked, "separation_of_duties": {"requester": False}}
        operation = await self.post("/approvals", json={"title": "A lease", "policy": policy})
        path = f"/api/v1/approvals/{operation['subject']['id']}"
        while not (await self._http.get(path)).json()["sequence"]:  # noqa: ASYNC110  # another process tells
            await asyncio.sleep(0.1)
        return operation

    async def approved(self) -> dict[str, Any]:
        """A request that was decided on in two stages, with a refusal, a comment and the same decision twice."""
        operation = await self._asked("first", "second")
        path = f"/approvals/{operation['subject']['id']}"
        for stage in ("first", "second"):
            for _ in range(2):
                decision = {"decision": "approve", "stage": stage}
                await self._http.post(
                    f"/api/v1{path}/decision", json=decision, headers={"Idempotency-Key": f"{path}{stage}"}
                )
        return await self.ended(operation)

    async def approved_by_signal(self) -> dict[str, Any]:
        """A request with signals that are no decisions, and one that is."""
        operation = await self._asked("first")
        handle = self._client.get_workflow_handle(operation["workflow_id"])
        await handle.signal("decide", "approve")
        await handle.signal("no_such_signal", args=[1, "two"])
        path = f"/approvals/{operation['subject']['id']}/decision-token"
        answer = await self.post(path, json={"decision": "reject", "comment": "Too dear."})
        await handle.signal("decide", answer["token"])
        return await self.ended(operation)

    async def cancelled_approval(self) -> dict[str, Any]:
        """A request that was paused, resumed and cancelled."""
        operation = await self._asked("first")
        for verb in ("pause", "resume", "cancel"):
            await self.post(f"/operations/{operation['id']}/{verb}")
        return await self.ended(operation)

    async def executed(self, *steps: dict[str, Any], **asked: Any) -> dict[str, Any]:
        """An execution of a document workflow that was just made."""
        made = await self.post("/ai/workflows", json={"name": new_id("dwf"), "steps": steps})
        return await self.post(f"/ai/workflows/{made['id']}/execute", json=asked)

    async def executed_workflow(self) -> dict[str, Any]:
        """An execution with branches, a loop, a wait and a workflow within."""
        inner = [{"id": "double", "type": "transform", "with": {"set": {"n": "input.n * 2"}}}]
        within = await self.post("/ai/workflows", json={"name": "Double", "steps": inner})
        uploaded = await self.text("Payable within thirty days.")
        return await self.ended(
            await self.executed(
                {"id": "label", "type": "classification", "with": {"labels": LABELS}},
                {
                    "id": "kind",
                    "type": "routing",
                    "needs": ["label"],
                    "with": {
                        "branches": [{"when": 'steps.label.label == "none"', "goto": "keep"}],
                        "default": "fork",
                    },
                },
                {"id": "fork", "type": "parallel", "with": {"branches": ["each", "pause", "sub"]}},
                {
                    "id": "each",
                    "type": "for_each",
                    "with": {
                        "items": "input.lines",
                        "max_items": 9,
                        "concurrency": 2,
                        "steps": [
                            {"id": "keep_line", "type": "remember", "with": {"text": "${item} by ${index}"}}
                        ],
                    },
                },
                {"id": "pause", "type": "wait", "with": {"for": "2 seconds"}},
                {
                    "id": "sub",
                    "type": "sub_workflow",
                    "with": {"workflow_id": within["id"], "input": {"n": "${input.n}"}},
                },
                {"id": "met", "type": "join", "needs": ["each", "pause", "sub"]},
                {
                    "id": "keep",
                    "type": "remember",
                    "needs": ["met"],
                    "with": {"text": "Of ${document.title}"},
                },
                document_id=uploaded["subject"]["id"],
                input={"lines": ["Ann", "Ben", "Cem"], "n": 21},
            )
        )

    async def executed_with_approval(self) -> dict[str, Any]:
        """An execution that waited for somebody, paused meanwhile."""
        policy = {
            "stages": [{"id": "one", "approvers": [{"role": "owner"}], "rule": "any"}],
            "separation_of_duties": {"requester": False},
        }
        operation = await self.executed(
            {"id": "ask", "type": "approval", "with": {"policy": policy, "title": "Pay?"}},
            {
                "id": "paid",
                "type": "condition",
                "needs": ["ask"],
                "with": {"if": "steps.ask.approved", "then": "keep"},
            },
            {"id": "keep", "type": "remember", "with": {"text": "Paid."}},
        )
        inbox = "/api/v1/approvals"
        while not (open_ := (await self._http.get(inbox, params={"status": "pending"})).json()["items"]):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        await self.post(f"/operations/{operation['id']}/pause")
        await self.post(f"/approvals/{open_[0]['id']}/decision", json={"decision": "approve"})
        await self.post(f"/operations/{operation['id']}/resume")
        return await self.ended(operation)

    async def retried_execution(self) -> dict[str, Any]:
        """The second attempt of an execution that failed at its second step; that fails again."""
        operation = await self.ended(
            await self.executed(
                {"id": "first", "type": "transform", "with": {"set": {"n": "1"}}},
                {
                    "id": "second",
                    "type": "transform",
                    "needs": ["first"],
                    "with": {"set": {"n": "input.missing"}},
                },
            )
        )
        return await self.ended(await self.post(f"/operations/{operation['id']}/retry"))

    async def cancelled_execution(self) -> dict[str, Any]:
        """An execution that was cancelled in a wait, and undid what it had done."""
        operation = await self.executed(
            {"id": "keep", "type": "remember", "with": {"text": "Kept."}, "compensate": "undo"},
            {"id": "long", "type": "wait", "needs": ["keep"], "with": {"for": "1 day"}},
            {"id": "undo", "type": "remember", "with": {"text": "Not kept."}},
        )
        await asyncio.sleep(3)
        return await self.ended(await self.post(f"/operations/{operation['id']}/cancel"))

    async def executions_of_many(self, *steps: dict[str, Any], count: int) -> dict[str, Any]:
        """A workflow on some documents, two at once."""
        uploaded = [
            await self.text(f"Letter {new_id('doc')}, number {number}, payable within thirty days.")
            for number in range(count)
        ]
        documents = [one["subject"]["id"] for one in uploaded]
        return await self.executed(*steps, document_ids=documents, concurrency=2)

    async def executed_batch(self) -> dict[str, Any]:
        """Executions that all ended."""
        said = {"id": "said", "type": "transform", "with": {"set": {"title": "document.title"}}}
        return await self.ended(await self.executions_of_many(said, count=5))

    async def cancelled_executions(self) -> dict[str, Any]:
        """Executions that were cancelled while two of them ran."""
        wait = {"id": "long", "type": "wait", "with": {"for": "1 day"}}
        operation = await self.executions_of_many(wait, count=4)
        await asyncio.sleep(3)
        return await self.ended(await self.post(f"/operations/{operation['id']}/cancel"))

    async def continued_execution(self) -> dict[str, Any]:
        """The run that an execution of very many steps went on as."""
        body = [{"id": "keep", "type": "transform", "with": {"set": {"n": "index"}}}]
        loop = {"items": "input.lines", "max_items": 400, "steps": body}
        return await self.ended(
            await self.executed(
                {"id": "each", "type": "for_each", "with": loop},
                {
                    "id": "kept",
                    "type": "remember",
                    "needs": ["each"],
                    "with": {"text": "${steps.each.count}"},
                },
                input={"lines": list(range(320))},
            )
        )

    @asynccontextmanager
    async def somebody(self) -> AsyncIterator[tuple["Recording", dict[str, Any]]]:
        """Someone else, with a text of their own in an organisation of their own, and what registering answered."""
        async with httpx.AsyncClient(base_url=self._http.base_url, timeout=60) as http:
            person = {"email": f"{new_id('usr')}@example.com", "name": "S", "organisation": "S"}
            answer = await http.post("/api/v1/auth/register", json=person | {"password": "a fine password"})
            grant = answer.json()
            http.headers["Authorization"] = f"Bearer {grant['access_token']}"
            recording = Recording(http, self._client)
            await recording.text("Soon to be forgotten.")
            yield recording, grant

    async def exported_organisation(self) -> dict[str, Any]:
        """An organisation's data, with a pause on the way."""
        async with self.somebody() as (recording, _):
            operation = await recording.post("/organisation/export")
            await recording.post(f"/operations/{operation['id']}/pause")
            await asyncio.sleep(1)
            return await recording.ended(await recording.post(f"/operations/{operation['id']}/resume"))

    async def exported_member(self) -> dict[str, Any]:
        """A member's data."""
        async with self.somebody() as (recording, grant):
            return await recording.ended(await recording.post(f"/users/{grant['user']['id']}/export"))

    async def cancelled_export(self) -> dict[str, Any]:
        """An export that somebody stopped."""
        async with self.somebody() as (recording, _):
            operation = await recording.post("/organisation/export")
            await recording.post(f"/operations/{operation['id']}/pause")
            return await recording.ended(await recording.post(f"/operations/{operation['id']}/cancel"))

    async def scheduled(self, schedule: str) -> dict[str, Any]:
        """A round through all organisations, as the schedule starts it."""
        await self._client.get_schedule_handle(schedule).trigger()
        kind = schedule.replace("-", "_")
        while True:
            async for run in self._client.list_workflows(
                f'PerdureKind = "{kind}" AND ExecutionStatus = "Completed"'
            ):
                return {"workflow_id": run.id, "run_id": run.run_id, "status": "completed"}
            await asyncio.sleep(0.2)

    async def delivery(self) -> dict[str, Any]:
        """A message that fails, waits, is wanted at once, and is given up because its endpoint is gone."""
        given = {"name": "R", "url": "https://hooks.perdure.invalid/", "events": ["test"]}
        path = f"/webhooks/endpoints/{(await self.post('/webhooks/endpoints', json=given))['id']}"
        message = await self.post(f"{path}/test")
        replayed = False
        while message["status"] != "dead":
            await asyncio.sleep(0.2)
            delivery = f"/webhooks/deliveries/{message['id']}"
            message = (await self._http.get(f"/api/v1{delivery}")).json()
            if message["attempts"] and not replayed:
                (await self._http.delete(f"/api/v1{path}")).raise_for_status()
                await self.post(f"{delivery}/replay")
                replayed = True
        described = await self._client.get_workflow_handle(message["id"]).describe()
        return {"workflow_id": message["id"], "run_id": described.run_id, "status": message["status"]}

    async def erased_member(self) -> dict[str, Any]:
        """A member whose data went."""
        async with self.somebody() as (_, grant):
            member = {"email": grant["user"]["email"], "role": "member"}
            (await self._http.post("/api/v1/members", json=member)).raise_for_status()
            return await self.ended(await self.post(f"/users/{grant['user']['id']}/erasure"))

    async def erased_organisation(self) -> dict[str, Any]:
        """An organisation that went, and its owner with it: only the receipt tells when."""
        async with self.somebody() as (recording, _):
            operation = await recording.post("/organisation/erasure", json={"confirm": "S"})
            receipt = operation
            while receipt["status"] != "completed":
                await asyncio.sleep(0.1)
                receipt = (await self._http.get(operation["receipt_url"])).json()
            await asyncio.sleep(2)  # the receipt is written by the last activity, before the workflow ends
            return operation


def behaviours(recording: Recording) -> dict[str, Callable[[], Awaitable[dict[str, Any]]]]:
    """What is recorded, by name."""
    return {
        "ingest_document-text": lambda: recording.text("# Title\n\nA text with one paragraph."),
        "ingest_document-duplicate": lambda: recording.text("# Title\n\nA text with one paragraph."),
        "ingest_document-pdf": lambda: recording.upload("lease.pdf"),
        "ingest_document-attachments": lambda: recording.upload("warranty-claim.eml"),
        "ingest_document-rejected": lambda: recording.upload("broken/zip-bomb.docx"),
        # Those above are older than the encryption of payloads.
        "ingest_document-encrypted": lambda: recording.text("# Letter\n\nA text with one paragraph."),
        "ingest_document-encrypted-rejected": lambda: recording.upload("broken/truncated.pdf"),
        "ingest_batch-paused": recording.paused_batch,
        "ingest_batch-cancelled": recording.cancelled_batch,
        "ingest_batch-in-turn": recording.whole_batch,
        "delete_document": recording.deletion,
        "reembed_space": recording.reembedding,
        "rotate_keys": recording.rotation,
        "remember": recording.conversation,
        "remember-facts": recording.facts,
        "remember-writer": recording.writer,
        "evolve_memory": recording.evolution,
        "evolve_memory-proposals": recording.decisions,
        "evolve_memory-scheduled": recording.scheduled_evolution,
        "forget": recording.forgetting,
        "import_memories": recording.imported,
        "classify_document": recording.classified,
        "classify_document-model": recording.classified_by_model,
        "classify_batch": recording.classified_batch,
        "classify_batch-short": recording.short_batch,
        "classify_batch-cancelled": recording.cancelled_classification,
        "classify_batch-continued": recording.continued_classification,
        "classify_batch-models": recording.batch_by_model,
        "run_document_workflow": recording.executed_workflow,
        "run_document_workflow-approval": recording.executed_with_approval,
        "run_document_workflow-retried": recording.retried_execution,
        "run_document_workflow-cancelled": recording.cancelled_execution,
        "run_document_workflow-continued": recording.continued_execution,
        "run_workflow_batch": recording.executed_batch,
        "run_workflow_batch-cancelled": recording.cancelled_executions,
        "request_approval": recording.approved,
        "request_approval-signals": recording.approved_by_signal,
        "request_approval-cancelled": recording.cancelled_approval,
        "export_user_data-organisation": recording.exported_organisation,
        "export_user_data-user": recording.exported_member,
        "export_user_data-cancelled": recording.cancelled_export,
        "apply_retention": lambda: recording.scheduled(RETENTION),
        "monitor_ai_processing": lambda: recording.scheduled(MONITORING),
        "cleanup_expired_workflows": lambda: recording.scheduled(CLEAN_UP),
        "deliver_message": recording.delivery,
        "delete_user_data-user": recording.erased_member,
        "delete_user_data-organisation": recording.erased_organisation,
    }


async def record(home: Path, names: Sequence[str]) -> None:
    """Start the product, make these behaviours (those that have no history when none is named), save the histories."""
    os.environ["PERDURE_MASTER_KEYS"] = MASTER_KEYS  # the processes of the stack take it, too
    os.environ["PERDURE_PROVIDER_PRIVATE_URLS"] = "true"  # providers are servers of the recording
    (home / "models").symlink_to(home_directory() / "models")
    (home / "bin").symlink_to(home_directory() / "bin")
    api, temporal, ui = ports.unused(3)
    settings = Settings(home=home, api_port=api, temporal_port=temporal, temporal_ui_port=ui)
    cipher = PayloadCipher(load_master_keys(settings))

    def report(part: str, what: str, *, passing: bool = False) -> None:
        if not passing:
            console.print(f"{part}: {what}", style="dim")

    async with Stack(settings, report) as stack, httpx.AsyncClient(base_url=stack.url, timeout=60) as http:
        person = {"email": "r@example.com", "password": "a fine password", "name": "R", "organisation": "R"}
        answer = await http.post("/api/v1/auth/register", json=person)
        http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        client = await connect(Settings(home=home, temporal_address=stack.environment["TEMPORAL_ADDRESS"]))
        for name, make in behaviours(Recording(http, client)).items():
            path = HISTORIES / f"{name}.json"
            if name not in names if names else path.exists():
                continue
            operation = await make()
            handle = client.get_workflow_handle(operation["workflow_id"], run_id=operation["run_id"])
            history = json.loads((await handle.fetch_history()).to_json())
            path.write_text(json.dumps(_anonymous(history, cipher), indent=1) + "\n")
            console.print(f"{name}: {operation['status']}, {len(history['events'])} events")


def _anonymous(value: Any, cipher: PayloadCipher) -> Any:
    """Without names of the machine that made it, and without its stack traces, which name folders."""
    if isinstance(value, dict):
        return {key: _anonymous_field(key, inner, cipher) for key, inner in value.items()}
    if isinstance(value, list):
        return [_anonymous(inner, cipher) for inner in value]
    if isinstance(value, str) and _IDENTITY.search(value):
        return _IDENTITY.sub("recorder", value)
    return value


def _anonymous_field(key: str, value: Any, cipher: PayloadCipher) -> Any:
    if key == "stackTrace":
        return ""
    if key != "encodedAttributes":
        return _anonymous(value, cipher)
    stored = ParseDict(value, Payload())
    attributes = cipher.decrypt(stored)
    attributes.data = json.dumps({**json.loads(attributes.data), "stack_trace": ""}).encode()
    return MessageToDict(cipher.encrypt(attributes, workflow_of(stored)))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="perdure-record-") as directory:
        sys.exit(asyncio.run(record(Path(directory), sys.argv[1:])))
