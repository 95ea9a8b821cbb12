"""Requests made up from the OpenAPI document: no 5xx, no undescribed answer, nothing of another organisation."""

import asyncio
import json
import os
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, strategies
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from perdure.domain.routing import BUILT_IN_MODEL
from tests.accounts import Account, registered
from tests.approving import requested
from tests.integration.test_evolution_insights import BOATS
from tests.served import served

SCALE = int(os.environ.get("PERDURE_TEST_FUZZ", "1"))
# By each of the two organisations.
EXAMPLES = {GenerationMode.POSITIVE: 14, GenerationMode.NEGATIVE: 8}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# Words that stand in the data of one organisation each, and in no made-up request.
NAMES = ("Heligoland", "Zanzibar")
WHOSE = ("nobody", "own", "own", "own", "foreign")
ORDER = ("get", "put", "patch", "post", "delete")
# What no made-up request brings to an end that is a success, and why.
UNREACHABLE = {
    "POST /api/v1/auth/login": "it takes a password",
    "POST /api/v1/auth/refresh": "it takes a token",
    "GET /api/v1/content/{token}": "it takes a signature",
    "GET /problems/{slug}": "it takes a name out of a list that is not in the document",
    "POST /api/v1/members": "it takes the e-mail of somebody who has an account",
    **dict.fromkeys(
        (
            f"POST /api/v1/operations/{{operation_id}}/{verb}"
            for verb in ("pause", "resume", "cancel", "retry")
        ),
        "the operation has ended",
    ),
}
# Whoever has it may read, whatever organisation they are of: see PUBLIC in test_two_organisations.
CREDENTIALS = {"token"}
FORGET = "DELETE /api/v1/memories/{memory_id}"
EVOLUTION = "GET /api/v1/memories/evolutions/{operation_id}"
UNDO = "POST /api/v1/memories/changes/{change_id}/undo"
DECISIONS = tuple(f"POST /api/v1/memories/proposals/{{proposal_id}}/{verb}" for verb in ("accept", "decline"))
NEW_KEY = "POST /api/v1/providers/keys"
ROUTING = "/providers/routing"
# Nobody is at this address, so that a test of the key ends at once.
NOWHERE = {"provider": "openai_compatible", "base_url": "https://models.invalid/v1", "default_model": "none"}
BUILT_IN_ROUTE = {"generate": {"candidates": [{"provider": "extractive", "model": BUILT_IN_MODEL}]}}
CLASSIFICATION = "POST /api/v1/ai/classification"
SENTIMENT = {"stages": [{"task": "sentiment"}]}
# Bodies that no chance brings about.
BODIES: dict[str, dict[str, Any]] = {
    f"{CLASSIFICATION}/enhanced": {"text": "A fine pump.", "stages": ["sentiment"]},
    f"{CLASSIFICATION}/batch": {"items": [{"text": "A fine pump."}], "stages": ["sentiment"]},
    f"{CLASSIFICATION}/workflows": {"name": "Praise and blame", **SENTIMENT},
    f"{CLASSIFICATION}/workflows/{{workflow_id}}/versions": SENTIMENT,
    f"{CLASSIFICATION}/results/{{result_id}}/review": {"label": "positive"},
    NEW_KEY: {"provider": "anthropic", "name": "Made up", "value": "sk-ant-0123456789abcdef"},
}
APPROVALS = "POST /api/v1/approvals"
APPROVAL_VERBS = f"{APPROVALS}/{{approval_id}}/"
# Who asks may decide here, and one vote leaves it open.
POLICY = {
    "stages": [
        {
            "id": "first",
            "approvers": [{"role": "owner"}, {"email": "ada@elsewhere.example"}],
            "rule": "all",
        }
    ],
    "separation_of_duties": {"requester": False},
}
BODIES |= {
    APPROVALS: {"title": "Made up", "policy": POLICY},
    f"{APPROVALS}/simulate": {"policy": POLICY},
    f"{APPROVAL_VERBS}decision": {"decision": "approve"},
    f"{APPROVAL_VERBS}remove-approver": {"seat": "first/1"},
    f"{APPROVAL_VERBS}add-approver": {"person": "email:eve@elsewhere.example"},
    f"{APPROVAL_VERBS}reassign": {"to": "email:eve@elsewhere.example"},
}
WORKFLOWS = "/api/v1/ai/workflows"
TEMPLATE = "invoice-approval"
DEFINITION = {"name": "Made up", "steps": [{"id": "one", "type": "transform", "with": {"set": {"n": "1"}}}]}
ENDPOINTS = "/api/v1/webhooks/endpoints"
# A name that no resolver knows: attempts fail without any network.
ENDPOINT = {"name": "Made up", "url": "https://hooks.perdure.invalid/", "events": ["approval.completed"]}
BODIES |= {
    f"POST {WORKFLOWS}": DEFINITION,
    f"PUT {WORKFLOWS}/{{document_workflow_id}}": DEFINITION | {"name": "Made up again"},
    f"POST {WORKFLOWS}/validate": DEFINITION,
    f"POST {WORKFLOWS}/{{document_workflow_id}}/validate": DEFINITION,
    f"POST {WORKFLOWS}/import": {"definition": DEFINITION, "name": "Made up elsewhere"},
    f"POST {WORKFLOWS}/templates/{{template}}": {
        "name": "Made up of a template",
        "parameters": {"limit": 500, "approver": "admin", "contact": "accounting@elsewhere.example"},
    },
    f"POST {WORKFLOWS}/{{document_workflow_id}}/share": {"expires_in_hours": 24},
    f"POST {WORKFLOWS}/{{document_workflow_id}}/execute": {"input": {}},
    f"POST {ENDPOINTS}": ENDPOINT,
    f"PATCH {ENDPOINTS}/{{endpoint_id}}": {"name": "Made up again"},
    f"POST {ENDPOINTS}/{{endpoint_id}}/secret": {"overlap_hours": 1},
}
UNREACHABLE |= {
    f"GET {WORKFLOWS}/{{document_workflow_id}}/diff": "it takes the numbers of two versions",
    **dict.fromkeys(
        (f"POST {WORKFLOWS}/executions/{{execution_id}}/{v}" for v in ("pause", "resume", "cancel", "retry")),
        "the execution has ended",
    ),
}
# Nobody can say anything after it.
LAST = "POST /api/v1/organisation/erasure"
# Nothing is excluded. Streams end with their operation: all operations that a request can reach end by themselves.
# A request that waits for its result waits for half a minute.
ANSWER_S = 60.0


@dataclass(frozen=True)
class Tenant:
    """An organisation with data that bears its name, and the ids by which it could be reached.

    An id named after a route and a parameter stands in that route alone.
    """

    account: Account
    name: str
    ids: dict[str, str]

    def id_for(self, label: str, parameter: str) -> str | None:
        """What stands in the path of a route, if this organisation has it."""
        return self.ids.get(f"{label} {parameter}", self.ids.get(parameter))

    @property
    def token(self) -> str:
        return str(self.account.http.headers["Authorization"])

    def marks(self) -> set[str]:
        """What stands in this organisation's data alone."""
        return {*self.ids.values(), self.account.organisation_id, self.name} - {"default", "1", TEMPLATE}


@dataclass
class Findings:
    """Every distinct failure, with how to repeat it, and how often each operation gave each status."""

    lines: list[str] = field(default_factory=list)
    answers: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    shown: Counter[str] = field(default_factory=Counter)  # answers in which an organisation saw its own data

    def note(self, case: Any, message: str) -> None:
        line = f"{case.operation.label}: {message}"
        if len(self.lines) < 40 and line not in self.lines:
            self.lines.append(line)


async def _member(account: Account, person: Account) -> str:
    """The id of somebody who has joined."""
    user = (await person.get("/auth/me"))["user"]
    await account.post("/members", 201, json={"email": user["email"], "role": "member"})
    return str(user["id"])


async def _nothing_evolves(account: Account) -> None:
    """Until the runs that made-up requests began have ended."""
    runs = await account.get("/operations", kind="evolve_memory", limit=100)
    for run in runs["items"]:
        await account.ended(run)


async def _evolved(account: Account, subject: str) -> str:
    """The id of an evolution that connects memories, and proposes an insight."""
    await _nothing_evolves(account)  # else the answer would be a run that began before there was anything
    for day, content in enumerate(BOATS, start=1):
        said = {"content": content, "subject": subject, "valid_from": f"2025-01-{day:02}T10:00:00Z"}
        await account.post("/memories?wait=true", 200, json=said)
    return str((await account.post("/memories/evolve?wait=true", 200, json={}))["id"])


async def _asks_nobody(account: Account) -> None:
    """Operations ask no provider of models, whatever keys there are."""
    answer = await account.http.put(f"/api/v1{ROUTING}", json=BUILT_IN_ROUTE)
    assert answer.status_code == 200, answer.text


async def _tenant(account: Account, colleague: Account, leaver: Account, title: str) -> Tenant:
    text = f"# {title}\n\nThe pump of {title} was repaired on Tuesday."
    document = await account.ingested(json={"text": text, "title": title, "metadata": {"place": title}})
    key = await account.post("/api-keys", 201, json={"name": title, "scopes": ["documents:read"]})
    hidden = {"name": title, "kind": "other", "value": f"The secret of {title}"}
    secret = await account.post("/secrets", 201, json=hidden)
    provider_key = await account.post("/providers/keys", 201, json=NOWHERE | {"name": title})
    await _asks_nobody(account)
    said = {"content": f"The pump of {title} was oiled.", "subject": title}
    remembered = await account.post("/memories?wait=true", 200, json=said)
    await account.post("/memories/recall", 200, json={"query": f"pump of {title}", "session_id": title})
    evolution = await _evolved(account, f"boats of {title}")
    flow = await account.post("/ai/classification/workflows", 201, json={"name": title, **SENTIMENT})
    praise = {"text": f"The pump of {title} is wonderful.", "workflow_id": flow["id"]}
    await account.post("/ai/classification/enhanced?wait=true", 200, json=praise)
    (judged,) = (await account.get("/ai/classification/results"))["items"]
    me = await account.get("/auth/me")
    gone = await _member(account, leaver)
    erasure = await account.post(f"/users/{gone}/erasure")
    approval = await requested(account, POLICY, title)
    made = await account.post("/ai/workflows", 201, json=DEFINITION | {"name": title})
    executed = await account.post(f"/ai/workflows/{made['id']}/execute", json={"input": {"place": title}})
    await account.ended(executed)
    (execution,) = (await account.get("/ai/workflows/executions", operation_id=executed["id"]))["items"]
    endpoint, other = [
        await account.post("/webhooks/endpoints", 201, json=ENDPOINT | {"name": f"{title} {number}"})
        for number in range(2)
    ]
    delivery = await account.post(f"/webhooks/endpoints/{endpoint['id']}/test")
    export = await account.ended(await account.post("/organisation/export"))
    return Tenant(
        account,
        title,
        {
            "document_id": document["id"],
            "operation_id": document["operation_id"],
            "api_key_id": key["id"],
            "secret_id": secret["id"],
            "key_id": provider_key["id"],
            "workflow_id": flow["id"],
            "result_id": judged["id"],
            "version": "1",
            "user_id": await _member(account, colleague),
            "owner": me["user"]["id"],
            "space": "default",
            "export_id": export["id"],
            "memory_id": remembered["result"]["memory_ids"][0],
            "approval_id": approval,
            "document_workflow_id": made["id"],
            "number": "1",
            "template": TEMPLATE,
            "execution_id": execution["id"],
            "endpoint_id": endpoint["id"],
            f"PATCH {ENDPOINTS}/{{endpoint_id}} endpoint_id": other["id"],
            "message_id": delivery["id"],
            "session_id": title,
            "subject": title,
            f"{EVOLUTION} operation_id": evolution,
            f"{EVOLUTION}/changes operation_id": evolution,
            "POST /api/v1/users/{user_id}/erasure user_id": gone,
            "GET /api/v1/erasures/{token} token": erasure["receipt_url"].rpartition("/")[2],
        },
    )


@pytest.fixture(scope="module")
async def url(product: FastAPI) -> AsyncIterator[str]:
    """Where the application answers."""
    async with served(product) as url:
        yield url


@pytest.fixture
async def tenants(product: FastAPI) -> AsyncIterator[tuple[Tenant, Tenant]]:
    """Two organisations, both of which send requests."""
    async with AsyncExitStack() as stack:
        made = []
        for name in NAMES:
            account, colleague, leaver = [
                await stack.enter_async_context(registered(product)) for _ in range(3)
            ]
            made.append(await _tenant(account, colleague, leaver, name))
        yield made[0], made[1]


def _operations(product: FastAPI, url: str) -> list[Any]:
    """All operations, those that destroy what the others look at last."""
    document = json.loads(json.dumps(product.openapi()))
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=url)
    operations = []
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        operations.append(result.ok())
    return sorted(operations, key=lambda each: (each.label == LAST, ORDER.index(each.method.lower())))


async def _body(tenant: Tenant, label: str) -> dict[str, Any] | None:
    """What a route takes that no chance brings about."""
    if label in {f"{APPROVAL_VERBS}delegate", f"{APPROVAL_VERBS}end-delegation"}:
        return {"to": f"user:{tenant.ids['user_id']}"}
    if label != LAST:
        return BODIES.get(label)
    return {"confirm": (await tenant.account.get("/organisation"))["name"]}  # others have renamed it


async def _renew(tenant: Tenant, label: str) -> None:
    """Make anew what requests before may have forgotten or changed."""
    if label != LAST:
        await _asks_nobody(tenant.account)
    if label == FORGET:
        said = {"content": f"The valve of {tenant.name} was closed.", "subject": f"valve of {tenant.name}"}
        remembered = await tenant.account.post("/memories?wait=true", 200, json=said)
        tenant.ids[f"{label} memory_id"] = remembered["result"]["memory_ids"][0]
    elif label.startswith(APPROVAL_VERBS):
        tenant.ids["approval_id"] = await _asked(tenant, label.removeprefix(APPROVAL_VERBS))
    elif label == UNDO or label in DECISIONS:
        evolution = await _evolved(tenant.account, f"{label} of {tenant.name}")
        changes = await tenant.account.get("/memories/changes", operation_id=evolution)
        tenant.ids["change_id"] = changes["items"][0]["id"]
        proposals = await tenant.account.get("/memories/proposals", status="open")
        tenant.ids["proposal_id"] = proposals["items"][0]["id"]


async def _asked(tenant: Tenant, verb: str) -> str:
    """A request for approval about which there is something to be done."""
    approval_id = await requested(tenant.account, POLICY, tenant.name)
    if verb == "revoke":
        await tenant.account.post(f"/approvals/{approval_id}/decision", 200, json={"decision": "approve"})
    elif verb == "end-delegation":
        delegate = {"to": f"user:{tenant.ids['user_id']}"}
        await tenant.account.post(f"/approvals/{approval_id}/delegate", 200, json=delegate)
    return approval_id


def _fuzz(
    operation: Any,
    mode: GenerationMode,
    url: str,
    tenants: Sequence[Tenant],
    bodies: Sequence[dict[str, Any] | None],
    found: Findings,
) -> int:
    """Send made-up requests of one operation, each as both organisations at the same moment; how many."""
    sent = 0
    http = [requests.Session() for _ in tenants]
    for each in http:
        each.trust_env = False

    def send_as(number: int, request: dict[str, Any]) -> requests.Response:
        return http[number].request(**request, timeout=ANSWER_S)

    @hypothesis.seed(7)
    @hypothesis.settings(
        max_examples=SCALE * EXAMPLES[mode],
        derandomize=False,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(strategies.data())
    def send(data: strategies.DataObject) -> None:
        nonlocal sent
        case = data.draw(operation.as_strategy(generation_mode=mode))
        # Whose ids stand in the path: nobody's, the sender's, or the other's.
        whose = {name: data.draw(strategies.sampled_from(WHOSE)) for name in case.path_parameters or {}}
        paths = [_path(case, whose, *pair) for pair in (tenants, tenants[::-1])]
        is_given = mode is GenerationMode.POSITIVE and data.draw(strategies.sampled_from(WHOSE)) == "own"
        made: list[dict[str, Any]] = []
        for tenant, path, body in zip(tenants, paths, bodies, strict=True):
            case.path_parameters = path
            if is_given:
                case.headers.pop("Idempotency-Key", None)  # another route may have been sent the same
                case.body = case.body if body is None else body
            made.append(case.as_transport_kwargs(base_url=url, headers={"Authorization": tenant.token}))
        for number, answer in enumerate(at_once.map(send_as, range(len(tenants)), made)):
            sent += 1
            case.path_parameters = paths[number]
            _judge(case, answer, tenants[number], tenants[1 - number], found)

    with ThreadPoolExecutor(len(tenants)) as at_once:
        try:
            send()
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE, operation.label
            assert sent == 0, operation.label  # it takes nothing that could be wrong
    return sent


def _path(case: Any, whose: dict[str, str], own: Tenant, foreign: Tenant) -> dict[str, Any]:
    """Path parameters as one of the two sees them."""
    known = {"own": own, "foreign": foreign}
    path = {}
    for name, made_up in (case.path_parameters or {}).items():
        tenant = own if name in CREDENTIALS else known.get(whose[name])
        path[name] = (tenant and tenant.id_for(case.operation.label, name)) or made_up
    return path


def _judge(case: Any, answer: Any, own: Tenant, foreign: Tenant, found: Findings) -> None:
    found.answers[case.operation.label][answer.status_code] += 1
    said = answer.content.decode(errors="replace")  # `answer.text` guesses the encoding, each time anew
    try:
        case.validate_response(answer, checks=CHECKS)
    except (FailureGroup, AssertionError) as failure:
        for cause in getattr(failure, "exceptions", [failure]):
            found.note(case, f"{cause}\n  {case.as_curl_command()}\n  {answer.status_code} {said[:600]}")
    asked = f"{answer.request.url} {answer.request.body!r} {answer.request.headers}"
    found.shown[own.name] += any(mark in said and mark not in asked for mark in own.marks())
    leaked = [mark for mark in foreign.marks() if mark in said and mark not in asked]
    if leaked:
        found.note(case, f"shows {leaked} of another organisation: {said[:300]}")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", list(EXAMPLES), ids=lambda mode: mode.value)
async def test_made_up_requests_get_described_answers(
    product: FastAPI, url: str, tenants: tuple[Tenant, Tenant], mode: GenerationMode
) -> None:
    load_all_checks()
    found = Findings()
    sent = walked = 0
    for operation in _operations(product, url):
        bodies = [await _body(tenant, operation.label) for tenant in tenants]
        for tenant in tenants:
            await _renew(tenant, operation.label)
        sent += await asyncio.to_thread(_fuzz, operation, mode, url, tenants, bodies, found)
        walked += 1
    assert not found.lines, "\n\n".join(found.lines)
    if mode is GenerationMode.POSITIVE:
        refused = {
            label for label, answers in found.answers.items() if not any(status < 300 for status in answers)
        }
        assert refused <= set(UNREACHABLE), {
            label: found.answers[label] for label in refused - set(UNREACHABLE)
        }
        assert all(found.shown[name] >= 10 for name in NAMES), found.shown  # so a leak would have been seen
    assert walked >= 30
    assert sent >= walked * 5
