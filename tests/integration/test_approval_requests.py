"""Approvals on the real servers: people decide, and what they decide is kept once, with all that follows from it."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution
from temporalio.api.sdk.v1.external_storage_pb2 import ExternalStorageReference
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.common import RawValue
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError

from perdure.db.approvals import OPEN, ApprovalRepository, spoken_of
from perdure.db.identity_repository import IdentityRepository
from perdure.db.models import UserRow, WebhookEndpointRow, WorkflowApprovalRow
from perdure.db.session import Database
from perdure.domain.approval_effects import Outcome
from perdure.domain.approval_events import Decided, Decision, Delegated
from perdure.domain.approval_state import Closing, Status
from perdure.domain.decision_tokens import SIGNAL
from perdure.domain.ids import new_id
from perdure.domain.payload_keys import payload_key
from perdure.domain.roles import Role
from perdure.errors import ApprovalRefusedError, InvalidInputError
from perdure.schemas.approval_requests import ApprovalRead, ApprovalResult, ApprovalTold, OpenApproval
from perdure.schemas.approvals import event_json
from tests.accounts import Account
from tests.approval_service import Team, eventually, policy_for
from tests.approving import office, policy, requested, users
from workflows.payload_codec import ENCODING, KEY, NONCE, WORKFLOW
from workflows.payload_storage import NAME
from workflows.request_approval import RequestApproval

REFERENCE = ExternalStorageReference.DESCRIPTOR.full_name.encode()


@pytest.fixture
async def team(product: FastAPI, database: Database) -> Team:
    return await Team.gathered(product.state.approvals, database)


def closed(approval: ApprovalRead) -> bool:
    return approval.status is Status.CLOSED


async def test_a_decision_by_update_ends_the_request(team: Team, temporal: Client) -> None:
    approval = await team.asked(summary="Three years.")
    assert [one.person for one in approval.asked] == team.people
    status = "waiting_approval"
    await eventually(lambda: team.operation_status(approval.operation_id), lambda one: one == status)
    ann = team.people[0]
    assert await team.inbox(ann) == [approval.id]

    answered = await team.decide(approval, ann, comment="Fine.")
    assert (answered.accepted, answered.stage, answered.seat) == (True, "review", "review/1")
    assert await team.operation_status(approval.operation_id) == "completed"

    ended = await team.until(approval.id, closed)
    assert (ended.outcome, ended.closed_by) == (Outcome.APPROVED, Closing.CERTAIN)
    assert ended.stages[0].state == "approved"
    vote = ended.stages[0].seats[0].vote
    assert vote is not None
    assert (vote.by, vote.comment, vote.revision) == (ann, "Fine.", approval.revision)
    assert await team.inbox(ann) == []
    handle = temporal.get_workflow_handle(approval.operation_id, result_type=ApprovalResult)
    result = await handle.result()
    assert (result.approved, result.decided_by, result.comment) == (True, [ann], "Fine.")
    assert await team.operation_status(approval.operation_id) == "completed"
    assert await team.trail(approval.id) == [
        ("approval.opened", None),
        ("approval.stage_opened", None),
        ("approval.decided", "approve"),
        ("approval.stage_closed", "approved:certain"),
        ("approval.completed", "approved:certain"),
    ]
    said = await team.messages(approval.id)
    assert said == [
        *(("approval.asked", person) for person in team.people),
        *(("approval.no_longer_asked", person) for person in team.people[1:]),
        ("approval.completed", team.owner),
    ]


async def test_of_a_request_only_its_organisation_speaks(team: Team, database: Database) -> None:
    approval = await team.asked()
    user_id = team.people[0].removeprefix("user:")
    spoken = await spoken_of(database, team.organisation_id, approval.id, user_id)
    assert spoken is not None
    assert (spoken.operation_id, spoken.revision) == (approval.operation_id, approval.revision)
    assert (spoken.is_closed, spoken.attempt, bool(spoken.email)) == (False, 1, True)
    assert await spoken_of(database, new_id("org"), approval.id, user_id) is None
    assert await spoken_of(database, team.organisation_id, new_id("apr"), user_id) is None


async def test_programs_are_told_of_what_they_want_to_hear(team: Team) -> None:
    for event in ("approval.completed", "approval.decided", "workflow.failed"):
        async with team.database.transaction(team.organisation_id) as session:
            endpoint = WebhookEndpointRow(
                id=new_id("whe"),
                organisation_id=team.organisation_id,
                kind="webhook",
                name=event,
                shown_url="https://example.org",
                events=[event],
            )
            session.add(endpoint)
    approval = await team.asked()
    await team.decide(approval, team.people[0])
    said = [kind for kind, recipient in await team.messages(approval.id) if recipient is None]
    assert sorted(said) == ["approval.completed", "approval.decided"]


async def test_a_request_that_is_decided_while_it_is_paused_ends_when_it_is_resumed(
    team: Team, temporal: Client
) -> None:
    approval = await team.asked()
    handle = temporal.get_workflow_handle(approval.operation_id, result_type=ApprovalResult)
    await handle.signal("pause")
    await eventually(lambda: team.operation_status(approval.operation_id), lambda one: one == "paused")
    await team.decide(approval, team.people[0])
    assert closed(await team.read(approval.id))
    assert await team.operation_status(approval.operation_id) == "paused"
    await handle.signal("resume")
    assert (await handle.result()).approved
    assert await team.operation_status(approval.operation_id) == "completed"


async def test_the_audit_trail_says_who_on_what_and_not_what_they_wrote(team: Team) -> None:
    approval = await team.asked()
    await team.decide(approval, team.people[0], Decision.REJECT, comment="A word nobody else may read")
    details = dict(await team.trail_details(approval.id))
    decided = details["approval.decided"]
    assert (decided["by"], decided["revision"]) == (team.people[0], approval.revision)
    assert len(decided["comment_sha256"]) == 64
    assert "nobody else" not in json.dumps(details)


async def test_the_same_key_gets_the_same_answer_whenever_it_is_sent(team: Team) -> None:
    approval = await team.asked(policy=policy_for(team.people, "all"))
    ann = team.people[0]
    first = await team.decide(approval, ann, key="k")
    assert await team.decide(approval, ann, key="k") == first
    with pytest.raises(ApprovalRefusedError) as refused:
        await team.decide(approval, ann, Decision.REJECT, key="k")
    assert (refused.value.reason, refused.value.status) == ("key_reused", 409)
    for person in team.people[1:]:
        await team.decide(approval, person)
    await team.until(approval.id, closed)
    await eventually(lambda: team.operation_status(approval.operation_id), lambda one: one == "completed")
    assert await team.decide(approval, ann, key="k") == first
    with pytest.raises(ApprovalRefusedError) as refused:
        await team.decide(approval, ann, key="another")
    assert refused.value.reason == "stage_closed"


async def test_many_duplicates_of_a_decision_count_once(team: Team) -> None:
    approval = await team.asked(policy=policy_for(team.people, "all"))
    answers = await asyncio.gather(*(team.decide(approval, team.people[0], key="storm") for _ in range(30)))
    assert all(answer == answers[0] for answer in answers)
    trail = await team.trail(approval.id)
    assert trail.count(("approval.decided", "approve")) == 1


async def test_who_decides_at_once_is_counted_each_once(team: Team) -> None:
    team = await Team.gathered(team.approvals, team.database, members=24)
    approval = await team.asked(policy=policy_for(team.people, "all"))
    await asyncio.gather(*(team.decide(approval, person) for person in team.people))
    ended = await team.until(approval.id, closed)
    assert ended.outcome is Outcome.APPROVED
    trail = await team.trail(approval.id)
    assert trail.count(("approval.decided", "approve")) == 24
    assert trail.count(("approval.completed", "approved:certain")) == 1
    people = [person for kind, person in await team.messages(approval.id) if kind == "approval.asked"]
    assert people == team.people


async def test_a_refusal_changes_nothing_and_is_recorded_once(team: Team) -> None:
    approval = await team.asked()
    for _ in range(2):
        with pytest.raises(ApprovalRefusedError) as refused:
            await team.decide(approval, team.owner, key="own")
        assert (refused.value.reason, refused.value.status) == ("own_request", 403)
    with pytest.raises(ApprovalRefusedError) as refused:
        await team.decide(approval, team.people[0], Decision.REJECT, comment="")
    assert (refused.value.reason, refused.value.status) == ("comment_required", 422)
    assert (await team.read(approval.id)).sequence == approval.sequence
    codes = [code for action, code in await team.trail(approval.id) if action == "approval.refused"]
    assert codes == ["decided:own_request", "decided:comment_required"]


async def test_a_policy_that_names_strangers_is_refused_with_its_place(team: Team) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await team.ask(policy=policy_for(["user:usr_" + "0" * 26]))
    assert refused.value.errors[0].pointer == "/body/policy/stages"


async def test_a_signal_with_a_token_decides(team: Team, temporal: Client) -> None:
    approval = await team.asked(policy=policy_for(team.people[:1]))
    ann = team.people[0]
    token, _ = await team.approvals.issue_token(
        team.organisation_id,
        approval.id,
        ann,
        SIGNAL,
        timedelta(minutes=5),
        origin=team.actor(ann),
        decision=Decision.REJECT,
        comment="Too dear.",
    )
    await temporal.get_workflow_handle(approval.operation_id).signal("decide", token)
    ended = await team.until(approval.id, closed)
    assert ended.outcome is Outcome.REJECTED
    vote = ended.stages[0].seats[0].vote
    assert vote is not None
    assert (vote.by, vote.comment) == (ann, "Too dear.")
    assert ("approval.token_issued", None) in await team.trail(approval.id)


async def _signalled(
    team: Team, temporal: Client, approval: ApprovalRead, *payloads: Payload, name: str = "decide"
) -> None:
    """A signal as whoever reaches Temporal could send it: not encrypted, and of any kind."""
    await temporal.workflow_service.signal_workflow_execution(
        SignalWorkflowExecutionRequest(
            namespace=temporal.namespace,
            workflow_execution=WorkflowExecution(workflow_id=approval.operation_id),
            signal_name=name,
            input=Payloads(payloads=payloads),
        )
    )


async def _updated(temporal: Client, approval: ApprovalRead, payload: Payload) -> None:
    """An update as somebody sends it who has none of our keys."""
    config = temporal.config()
    config["data_converter"] = DataConverter.default
    handle = Client(**config).get_workflow_handle(approval.operation_id)
    await handle.execute_update("tell", args=[RawValue(payload)])


def _json(value: object) -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(value).encode())


def _sealed(key_id: bytes, workflow_id: str) -> Payload:
    """What says that it is encrypted by us, and is not."""
    said = {"encoding": ENCODING, KEY: key_id, WORKFLOW: workflow_id.encode(), NONCE: bytes(12)}
    return Payload(metadata=said, data=b"rubbish")


def _reference(data: bytes, *, encoding: bytes = b"json/protobuf", **metadata: bytes) -> Payload:
    """What says that it lies in the object store."""
    said = {"encoding": encoding, "messageType": REFERENCE, **metadata}
    return Payload(metadata=said, data=data)


def _system_payload() -> Payload:
    """What says that Temporal itself wrote it."""
    return Payload(metadata={"encoding": b"binary/null", "__temporal_system_payload": b"true"})


def _stored(key: str, driver: str = NAME) -> bytes:
    return json.dumps({"driverName": driver, "claimData": {"key": key}}).encode()


def _references(operation_id: str, foreign: str) -> list[Payload]:
    """References that lead nowhere, or that nobody of us wrote."""
    nowhere = payload_key(operation_id, "0" * 24)
    legacy = b"json/external-storage-reference"
    marker = {"__temporal_external_storage_reference": b"true"}
    return [
        _reference(_stored(nowhere)),
        _reference(_stored(foreign)),
        _reference(_stored("originals/of/somebody")),
        _reference(_stored(nowhere, "a-driver-of-nobody")),
        _reference(b'{"driverName": 7, "more": []'),
        _reference(b"[" * 100_000),
        _reference(b"\xff"),
        _reference(b"{}"),
        _reference(_stored(nowhere), encoding=legacy),
        _reference(b'{"driver_name": "x", "driver_claim": {"claim_data": {}}}', encoding=legacy),
        _reference(b"rubbish", encoding=legacy),
        _reference(_stored(nowhere), **marker),
        _reference(b"rubbish", encoding=b"binary/plain", **marker),
        _reference(b"rubbish", encoding=ENCODING, **marker),
    ]


async def test_hostile_signals_are_recorded_and_change_nothing(team: Team, temporal: Client) -> None:
    approvals, ann = team.approvals, team.people[0]
    approval = await team.asked(policy=policy_for(team.people, "all"))
    other = await team.asked()
    origin = team.actor(ann)

    async def token(of: ApprovalRead, person: str, seconds: int = 300) -> str:
        issued, _ = await approvals.issue_token(
            team.organisation_id, of.id, person, SIGNAL, timedelta(seconds=seconds), origin=origin,
            decision=Decision.APPROVE,
        )  # fmt: skip
        return issued

    (ours,) = await temporal.data_converter.encode(["a payload of ours"])
    foreign = payload_key(other.operation_id, "0" * 24)
    references = _references(approval.operation_id, foreign)
    used = await token(approval, ann)
    hostile: list[tuple[str, tuple[Payload, ...]]] = [
        ("signal:token_unreadable", (_json("approve"),)),
        ("signal:token_unreadable", (_json({"decision": "approve", "by": ann}),)),
        ("signal:token_unreadable", (_json(None),)),
        ("signal:token_unreadable", ()),
        ("signal:token_unreadable", (_json("a"), _json("b"))),
        ("signal:token_unreadable", (Payload(metadata={"encoding": b"json/plain"}, data=b"\xff{"),)),
        ("signal:token_unreadable", (Payload(metadata={"encoding": b"json/plain"}, data=b"[" * 5_000),)),
        ("signal:token_unreadable", (Payload(metadata={"encoding": b"binary/unheard-of"}, data=b"\x00"),)),
        ("signal:token_unreadable", (Payload(data=b"\x00"),)),
        ("signal:token_unreadable", (_sealed(b"key-of-nobody", approval.operation_id),)),
        ("signal:token_unreadable", (_sealed(ours.metadata[KEY], approval.operation_id),)),
        ("signal:token_unreadable", (_sealed(ours.metadata[KEY], other.operation_id),)),
        *(("signal:token_unreadable", (one,)) for one in references),
        ("signal:token_unreadable", tuple(references)),
        ("signal:token_unreadable", (_system_payload(),)),
        ("signal:token_expired", (_json(await token(approval, ann, -1)),)),
        ("signal:token_foreign", (_json(await token(other, ann)),)),
        ("decided:own_request", (_json(await token(approval, team.owner)),)),
        ("signal:token_used", (_json(used),)),
    ]
    await _signalled(team, temporal, approval, _json(used))
    decided = await team.until(approval.id, lambda one: one.sequence > approval.sequence)
    for name in ("pause", "resume"):
        # What these would carry is not even looked at: they are for those who may reach Temporal.
        await _signalled(team, temporal, approval, _sealed(ours.metadata[KEY], "op_other"), name=name)
    for _, payloads in hostile:
        await _signalled(team, temporal, approval, *payloads)

    async def refused() -> list[str | None]:
        trail = await team.trail(approval.id)
        return [code for action, code in trail if action == "approval.refused"]

    found = await eventually(refused, lambda codes: len(codes) >= len(hostile))
    assert sorted(map(str, found)) == sorted(code for code, _ in hostile)
    assert (await team.read(approval.id)).sequence == decided.sequence
    for person in team.people[1:]:
        await team.decide(approval, person)
    assert (await team.until(approval.id, closed)).outcome is Outcome.APPROVED


async def test_an_update_that_we_did_not_send_decides_nothing(team: Team, temporal: Client) -> None:
    approval = await team.asked()
    event = Decided(key="k", by=team.people[0], decision=Decision.APPROVE, revision=approval.revision)
    told = ApprovalTold(event=event_json(event), proof="0" * 64)
    handle = temporal.get_workflow_handle(approval.operation_id)
    with pytest.raises(WorkflowUpdateFailedError) as failure:
        await handle.execute_update(RequestApproval.tell, told)
    assert isinstance(failure.value.cause, ApplicationError)
    assert failure.value.cause.type == "not_permitted"
    assert ("approval.refused", "told:unproven") in await team.trail(approval.id)
    assert (await team.read(approval.id)).sequence == approval.sequence
    for payload in (*_references(approval.operation_id, "payloads/op_other/0"), _system_payload()):
        with pytest.raises(WorkflowUpdateFailedError):
            await _updated(temporal, approval, payload)
    for garbage in ({"kind": "timer_due", "timer": "due"}, {"kind": "decided"}, {"kind": 7}, {}):
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update(RequestApproval.tell, ApprovalTold(event=garbage))
    await team.decide(approval, team.people[0])
    assert (await team.until(approval.id, closed)).outcome is Outcome.APPROVED


async def test_delegates_find_it_in_their_inbox(team: Team) -> None:
    approval = await team.asked(policy=policy_for(team.people[:1]))
    ann, ben = team.people[0], team.people[1]
    event = Delegated(key="d", by=ann, to=ben)
    await team.approvals.tell(team.organisation_id, approval.id, event, team.actor(ann))
    assert await team.inbox(ben) == [approval.id]
    await team.decide(approval, ben)
    ended = await team.until(approval.id, closed)
    vote = ended.stages[0].seats[0].vote
    assert vote is not None
    assert (vote.by, vote.on_behalf_of) == (ben, ann)


async def test_who_leaves_is_replaced_though_nobody_says_so(team: Team) -> None:
    ann, ben = team.people[:2]
    escalated = policy_for([ann], escalate_to=[{"user": ben.removeprefix("user:")}])
    approval = await team.asked(policy=escalated)
    await team.leaves(ann)
    await team.approvals.follow_one(team.organisation_id, approval.id)
    assert await team.inbox(ben) == [approval.id]
    assert await team.inbox(ann) == []
    await team.approvals.follow_one(team.organisation_id, approval.id)
    trail = await team.trail(approval.id)
    assert trail.count(("approval.approver_left", None)) == 1
    assert trail.count(("approval.escalated", None)) == 1


async def test_removing_a_member_tells_requests_at_once_and_their_role_goes_too(product: FastAPI) -> None:
    async with office(product) as people:
        owner, ada, ben = people.owner, people.ada, people.ben
        first = policy(users(ada), escalate_to=users(ben))["stages"][0]
        second = {"id": "second", "approvers": [{"role": "approver"}], "rule": "any"}
        approval_id = await requested(owner, {"stages": [first, second]})
        answer = await owner.http.delete(f"/api/v1/members/{ada.user_id}")
        assert answer.status_code == 204
        await eventually(ben.inbox, lambda found: found == [approval_id])
        answer = await owner.http.patch(f"/api/v1/members/{ben.user_id}", json={"role": "member"})
        assert answer.status_code == 200
        page = await owner.get("/audit", subject=approval_id, limit=100)
        assert "approval.members_changed" in {event["action"] for event in page["items"]}


async def test_a_role_that_changed_while_nobody_said_so_is_heard_of(team: Team) -> None:
    ann, ben, cid = team.people
    first = policy_for([ann])["stages"][0]
    second = {"id": "sign", "approvers": [{"role": "approver"}], "rule": "any"}
    approval = await team.asked(policy={"stages": [first, second]})
    async with team.database.transaction(team.organisation_id) as session:
        identities = IdentityRepository(session)
        await identities.set_role(team.organisation_id, cid.removeprefix("user:"), Role.MEMBER)

    async def knows() -> bool:
        async with team.database.transaction(None) as session:
            rows = await session.execute(OPEN, {"after": "", "limit": 1_000})
            return bool({row.id: row.knows_members for row in rows}[approval.id])

    assert not await knows()
    for _ in range(2):
        await team.approvals.follow_members()
    trail = await team.trail(approval.id)
    assert trail.count(("approval.members_changed", "approver")) == 1
    assert await knows()
    await team.decide(approval, ann)
    assert await team.inbox(ben) == [approval.id]
    assert await team.inbox(cid) == []


async def test_all_who_leave_at_once_are_replaced(team: Team) -> None:
    ann, ben, cid = team.people
    approval = await team.asked(
        policy=policy_for([ann, ben], escalate_to=[{"user": cid.removeprefix("user:")}])
    )
    await team.leaves(ann)
    await team.leaves(ben)
    await team.approvals.follow_one(team.organisation_id, approval.id)
    assert await team.inbox(cid) == [approval.id]
    assert [await team.inbox(person) for person in (ann, ben)] == [[], []]


async def test_stages_that_open_later_ask_the_members_of_then(team: Team) -> None:
    ann, ben, cid = team.people
    first = policy_for([ann])["stages"][0]
    second = {"id": "sign", "approvers": [{"role": "approver"}], "rule": "any"}
    approval = await team.asked(policy={"stages": [first, second]})
    await team.leaves(cid)
    await team.approvals.members_changed(team.organisation_id, cid)
    await team.decide(approval, ann)
    assert await team.inbox(ben) == [approval.id]
    assert await team.inbox(cid) == []


async def test_cancelling_the_operation_ends_the_request(team: Team, temporal: Client) -> None:
    approval = await team.asked()
    handle = temporal.get_workflow_handle(approval.operation_id)
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    ended = await team.read(approval.id)
    assert (ended.status, ended.outcome) == (Status.CLOSED, Outcome.CANCELLED)
    assert await team.inbox(team.people[0]) == []
    assert await team.operation_status(approval.operation_id) == "cancelled"
    with pytest.raises(ApprovalRefusedError) as refused:
        await team.decide(approval, team.people[0])
    assert refused.value.reason == "stage_closed"


async def test_a_step_that_asks_again_gets_the_request_it_has(team: Team) -> None:
    wanted = OpenApproval(
        organisation_id=team.organisation_id,
        actor_id=team.owner.removeprefix("user:"),
        title="A step",
        policy=policy_for([team.people[0], "user:usr_" + "0" * 26]),
        operation_id="op_parent",
        execution_id="exe_1",
        step_id="approve",
        visit=1,
    )
    opened: list[Any] = []
    for _ in range(2):
        async with team.database.transaction(team.organisation_id) as session:
            opened.append(await ApprovalRepository(session, team.organisation_id).open(wanted))
    assert opened[0] == opened[1]
    assert opened[0].input.gone == ["user:usr_" + "0" * 26]


async def test_a_step_whose_request_was_cancelled_asks_anew(team: Team) -> None:
    wanted = OpenApproval(
        organisation_id=team.organisation_id,
        actor_id=team.owner.removeprefix("user:"),
        title="A step",
        policy=policy_for(team.people),
        execution_id="exe_4",
        step_id="approve",
    )
    async with team.database.transaction(team.organisation_id) as session:
        first = await ApprovalRepository(session, team.organisation_id).open(wanted)
        row = await session.get_one(WorkflowApprovalRow, first.approval_id)
        row.status, row.outcome = Status.CLOSED.value, Outcome.CANCELLED.value
    opened = []
    for _ in range(2):
        async with team.database.transaction(team.organisation_id) as session:
            opened.append(await ApprovalRepository(session, team.organisation_id).open(wanted))
    assert opened[0] == opened[1]
    assert opened[0].approval_id != first.approval_id
    assert (await team.read(first.approval_id)).outcome is Outcome.CANCELLED


async def test_authors_of_a_step_are_the_people_who_decide_or_are_refused_by_their_place(team: Team) -> None:
    async with team.database.transaction(team.organisation_id) as session:
        email = await session.scalar(
            select(UserRow.email).where(UserRow.id == team.people[0].removeprefix("user:"))
        )
    wanted = OpenApproval(
        organisation_id=team.organisation_id,
        actor_id=team.owner.removeprefix("user:"),
        title="A step",
        policy=policy_for(team.people),
        authors=[str(email), team.people[1].removeprefix("user:"), "Eve@Example.org"],
        execution_id="exe_3",
        step_id="approve",
    )
    async with team.database.transaction(team.organisation_id) as session:
        opened = await ApprovalRepository(session, team.organisation_id).open(wanted)
    assert opened.input.opened["authors"] == [*team.people[:2], "email:eve@example.org"]
    unknown = wanted.model_copy(update={"authors": ["user:ann", "", team.people[0]], "visit": 2})
    with pytest.raises(InvalidInputError) as refused:
        async with team.database.transaction(team.organisation_id) as session:
            await ApprovalRepository(session, team.organisation_id).open(unknown)
    assert [fault.pointer for fault in refused.value.errors] == ["/input/authors/0", "/input/authors/1"]


async def test_it_goes_on_afresh_before_its_history_is_full(
    team: Team, temporal: Client, database: Database
) -> None:
    team = await Team.gathered(team.approvals, database, members=6)
    wanted = OpenApproval(
        organisation_id=team.organisation_id,
        actor_id=team.owner.removeprefix("user:"),
        title="Many decide",
        policy=policy_for(team.people, "all"),
        execution_id="exe_2",
        step_id="approve",
    )
    async with database.transaction(team.organisation_id) as session:
        opened = await ApprovalRepository(session, team.organisation_id).open(wanted)
    job = opened.input.model_copy(update={"most_told": 2})
    handle = await temporal.start_workflow(RequestApproval.run, job, id=opened.operation_id, task_queue="io")
    approval = await team.until(opened.approval_id, lambda one: one.sequence > 0)
    for person in team.people:
        await team.decide(approval, person, key=f"of {person}")
    assert (await handle.result()).approved
    runs = [run async for run in temporal.list_workflows(f'WorkflowId = "{opened.operation_id}"')]
    assert len(runs) >= 2 or (await handle.describe()).run_id != handle.first_execution_run_id
    trail = await team.trail(approval.id)
    assert trail.count(("approval.decided", "approve")) == 6


async def test_a_new_version_is_asked_about_anew_and_a_deleted_document_ends_it(
    product: FastAPI, database: Database, caller: Account
) -> None:
    team = await Team.around(product.state.approvals, database, caller)
    document = await caller.ingested(json={"text": "The rent is 900 euros.", "external_id": "lease"})
    approval = await team.asked(document_id=document["id"])
    assert (approval.revision, approval.document_version) == (document["sha256"], 1)

    await caller.ingested(json={"text": "The rent is 950 euros.", "external_id": "lease"})
    await team.approvals.follow_one(team.organisation_id, approval.id)
    revised = await team.until(approval.id, lambda one: one.round == 2)
    assert revised.document_version == 2
    with pytest.raises(ApprovalRefusedError) as refused:
        await team.decide(approval, team.people[0])
    assert (refused.value.reason, refused.value.status) == ("stale_revision", 409)

    answer = await caller.http.delete(f"/api/v1/documents/{document['id']}")
    await caller.ended(answer.json())
    await team.approvals.follow_one(team.organisation_id, approval.id)
    ended = await team.until(approval.id, closed)
    assert (ended.outcome, ended.closed_by) == (Outcome.CANCELLED, Closing.DOCUMENT_DELETED)
    assert ended.document_id == document["id"]
    trail = await team.trail(approval.id)
    assert trail.count(("approval.revised", None)) == 1


async def test_what_is_terminated_from_outside_ends_as_cancelled(team: Team, temporal: Client) -> None:
    approval = await team.asked()
    await temporal.get_workflow_handle(approval.operation_id).terminate()
    ended = await team.until(approval.id, closed)
    assert ended.outcome is Outcome.CANCELLED
    assert await team.inbox(team.people[0]) == []
    with pytest.raises(ApprovalRefusedError) as refused:
        await team.decide(approval, team.people[0])
    assert refused.value.reason == "stage_closed"
