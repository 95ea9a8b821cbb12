"""Console: what waits for whom, one request with its document beside the decision, and what else can be done."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Path, Query, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from api.actors import ActorDependency
from api.approval_lists import ME, Listing
from api.approval_people import is_administrator, names_of
from api.dependencies import ApprovalsDependency, Principal, require
from api.idempotency import IdempotentRequest, fingerprint
from api.made_here import made_here
from api.pagination import PageParameters, decode_cursor
from api.routes import approval_decisions
from api.routes.approval_decisions import TellingDependency
from api.routes.approvals import ApprovalId
from api.routes.console_approval_history import history_of
from api.routes.console_approval_people import People, people_of
from api.routes.console_approval_policy_form import START, policy_from, policy_text
from api.routes.console_approval_views import (
    ApprovalRow,
    ApprovalView,
    Given,
    choices_of,
    now_utc,
    rows_digest,
)
from api.routes.console_approval_words import STATUS_LOOKS
from api.routes.console_classification import FAULTS
from api.routes.console_classification_forms import FormError
from api.routes.console_offers import offered_documents
from api.routes.console_pages import (
    PAGE_SIZE,
    ConsoleRoute,
    Pages,
    Shown,
    is_partial,
    query_string,
    said_of,
)
from api.routes.console_views import digest
from perdure.db.approval_inbox import InboxFilter
from perdure.db.approvals import ApprovalRepository
from perdure.db.classification_results import ClassificationResults
from perdure.db.document_repository import DocumentRepository
from perdure.domain.approval_answers import answers_of
from perdure.domain.approval_events import Decision
from perdure.domain.approval_state import Status
from perdure.domain.ids import ID_PATTERN
from perdure.domain.roles import Scope
from perdure.errors import (
    ApprovalRefusedError,
    FieldError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
)
from perdure.schemas.approval_commands import (
    BulkDecision,
    BulkDecisionCreate,
    BulkDecisionRead,
    CommentCreate,
    DelegationEnd,
    ReassignmentCreate,
)
from perdure.schemas.approval_requests import (
    ApprovalCreate,
    ApprovalRead,
    DecisionCreate,
    DelegationCreate,
)

router = APIRouter(prefix="/approvals", route_class=ConsoleRoute, include_in_schema=False)

Reader = Annotated[Principal, require("approvals:read")]
Decider = Annotated[Principal, require("approvals:write")]
Asker = Annotated[Principal, require("approvals:request")]
CursorField = Annotated[str, Query(max_length=1024)]

# What a form may get wrong, or what the policy does not let happen; the rest is an error page.
REFUSALS = (*FAULTS, ApprovalRefusedError, PermissionDeniedError)
_OFFERED_DOCUMENTS = 50


def _new_key() -> str:
    """A key that stands in a form, so that sending it twice counts once."""
    return f"console-{uuid4().hex}"


def _text(form: FormData, name: str, most: int = 4_000) -> str:
    value = form.get(name)
    return value.strip()[:most] if isinstance(value, str) else ""


# Lists


@router.get("")
async def show_inbox(request: Request, pages: Shown, caller: Reader, cursor: CursorField = "") -> Response:
    """What waits for who looks, the next due first."""
    return await _list_page(request, pages, caller, "inbox", cursor=cursor)


@router.get("/next")
async def show_next(pages: Shown, caller: Reader) -> Response:
    """What waits next for who looks; the empty inbox when nothing does."""
    listing = Listing(pages.database, caller, InboxFilter(), assignee=ME)
    found = await listing.page(PageParameters(limit=1))
    return pages.redirect(f"/approvals/{found.items[0].id}" if found.items else "/approvals")


@router.get("/all")
async def show_all(
    *,
    request: Request,
    pages: Shown,
    caller: Reader,
    status: Annotated[str, Query(max_length=30)] = "",
    overdue: Annotated[str, Query(max_length=5)] = "",
    requester: Annotated[str, Query(max_length=5)] = "",
    cursor: CursorField = "",
) -> Response:
    """All requests of the organisation, or those that who looks has made."""
    tab = "mine" if requester == ME else "all"
    known = status if status in set(Status) else ""
    return await _list_page(request, pages, caller, tab, status=known, overdue=overdue, cursor=cursor)


async def _list_page(
    request: Request,
    pages: Pages,
    caller: Principal,
    tab: str,
    *,
    status: str = "",
    overdue: str = "",
    cursor: str = "",
    bulk: BulkDecisionRead | None = None,
    given: Given | None = None,
    fault: str | None = None,
) -> Response:
    is_inbox = tab == "inbox"
    only_overdue = overdue == "true"
    wanted = InboxFilter(status=status or None, overdue=True if only_overdue else None)
    listing = Listing(
        pages.database,
        caller,
        wanted,
        assignee=ME if is_inbox else None,
        requester=ME if tab == "mine" else None,
    )
    found = await listing.page(
        PageParameters(after=decode_cursor(cursor) if cursor else None, limit=PAGE_SIZE)
    )
    people = await people_of(pages.database, caller.organisation_id)
    now = now_utc()
    rows = [ApprovalRow(one, people, now) for one in found.items]
    shown = rows_digest(rows)
    if is_partial(request) and request.headers.get("X-Digest") == shown:
        return Response(status_code=204)
    path = "/approvals" if is_inbox else "/approvals/all"
    filters = {
        "requester": ME if tab == "mine" else "",
        "status": status,
        "overdue": "true" if only_overdue else "",
    }
    context: dict[str, Any] = {
        "tab": tab,
        "rows": rows,
        "digest": shown,
        "here": path + query_string(**filters, cursor=cursor),
        "first_url": path + query_string(**filters),
        "next_url": path + query_string(**filters, cursor=found.next_cursor) if found.next_cursor else None,
        "is_first_page": not cursor,
        "is_filtered": bool(status or only_overdue or cursor),
        "can_pick": is_inbox and Scope.APPROVALS_WRITE in caller.scopes,
        "may_ask": Scope.APPROVALS_REQUEST in caller.scopes,
    }
    if is_partial(request):
        return await pages.inside("partials/approval_rows.html", caller, "approvals", **context)
    return await pages.inside(
        "approvals.html",
        caller,
        "approvals",
        http_status=422 if fault else 200,
        **context,
        status=status,
        overdue=only_overdue,
        status_looks=STATUS_LOOKS,
        choices=[choice for choice in choices_of(None) if choice.value != Decision.REQUEST_CHANGES],
        key=_new_key(),
        bulk=bulk,
        titles={row.read.id: row.read.title for row in rows},
        given=given or Given(),
        fault=fault,
    )


@router.post("/decisions")
async def decide_many(
    request: Request, pages: Shown, caller: Decider, telling: TellingDependency
) -> Response:
    """Decide on those that were chosen; each counts, or is refused, by itself."""
    form = await request.form()
    chosen = [str(one) for one in form.getlist("approval_id")]
    given = Given(decision=_text(form, "decision"), comment=_text(form, "comment"))
    telling.key = _text(form, "key", 100) or _new_key()
    try:
        if not chosen:
            raise FormError("Choose the requests that you decide on.")
        decision = _decision(given.decision)
        items = [BulkDecision(approval_id=one, decision=decision, comment=given.comment) for one in chosen]
        done = await approval_decisions.decide_many(BulkDecisionCreate(items=items), caller, telling)
    except REFUSALS as error:
        return await _list_page(request, pages, caller, "inbox", given=given, fault=said_of(error))
    if not done.refused:
        return pages.redirect("/approvals", "decided-many")
    return await _list_page(request, pages, caller, "inbox", bulk=done, given=given)


def _decision(said: str) -> Decision:
    if said not in set(Decision):
        raise FormError("Choose what you decide.")
    return Decision(said)


# Asking


@router.get("/new")
async def show_new(pages: Shown, caller: Asker) -> Response:
    """The form to ask for an approval."""
    return await _new_page(pages, caller, {"policy": policy_text(START)})


async def _new_page(
    pages: Pages,
    caller: Principal,
    values: dict[str, str],
    fault: str | None = None,
    faults: Sequence[FieldError] = (),
    key: str = "",
) -> Response:
    return await pages.inside(
        "approval_new.html",
        caller,
        "approvals",
        http_status=422 if fault else 200,
        values={"title": "", "summary": "", "document_id": "", "policy": "", **values},
        documents=await offered_documents(pages, caller, _OFFERED_DOCUMENTS),
        fault=fault,
        faults=faults,
        key=key or _new_key(),
    )


@router.post("/new")
async def ask(request: Request, pages: Shown, caller: Asker, approvals: ApprovalsDependency) -> Response:
    """Ask, or show the form with a policy that was just built."""
    form = await request.form()
    values = {
        "title": _text(form, "title"),
        "summary": _text(form, "summary", 20_001),
        "document_id": _text(form, "document_id"),
        "policy": _text(form, "json", 300_000),
    }
    if _text(form, "do") != "ask":
        return await _new_page(pages, caller, values)
    key = _text(form, "key", 100) or _new_key()
    try:
        body = ApprovalCreate(
            title=values["title"],
            summary=values["summary"],
            document_id=values["document_id"] or None,
            policy=policy_from(values["policy"]),
        )
        accepted = await approvals.request(
            caller, body, key, fingerprint(request.method, request.url.path, body)
        )
    except REFUSALS as error:
        faults = error.errors if isinstance(error, InvalidInputError) else ()
        return await _new_page(pages, caller, values, said_of(error), faults, key)
    subject = accepted.operation.subject
    if subject is not None and subject.type == "approval" and subject.id:
        return pages.redirect(f"/approvals/{subject.id}", "asked")
    return pages.redirect("/approvals/all?requester=me", "asked")


# One request


@router.get("/of/{operation_id}")
async def show_approval_of(
    operation_id: Annotated[str, Path(pattern=ID_PATTERN)], pages: Shown, caller: Reader
) -> Response:
    """The request of an operation."""
    async with pages.database.transaction(caller.organisation_id) as session:
        row = await ApprovalRepository(session, caller.organisation_id).of_operation(operation_id)
    if row is None:
        raise NotFoundError("There is no such request in this organisation; go back to the list.")
    return pages.redirect(f"/approvals/{row.id}")


async def _view(
    pages: Pages,
    caller: Principal,
    approvals: ApprovalsDependency,
    approval_id: str,
    given: Given | None = None,
) -> ApprovalView:
    read = await approvals.read(caller.organisation_id, approval_id)
    people = await people_of(pages.database, caller.organisation_id)
    async with pages.database.transaction(caller.organisation_id) as session:
        me = await names_of(session, caller)
    text, version = await _document_text(pages, caller, read)
    return ApprovalView(
        read,
        people,
        now_utc(),
        me,
        text,
        version,
        await history_of(pages.database, caller.organisation_id, read, people),
        given or Given(),
    )


async def _document_text(
    pages: Pages, caller: Principal, read: ApprovalRead
) -> tuple[str | None, int | None]:
    """The extracted text, never the file: nothing in it can run here. Also the version that it is of."""
    if read.document_id is None or Scope.DOCUMENTS_READ not in caller.scopes:
        return None, None
    async with pages.database.transaction(caller.organisation_id) as session:
        document = await DocumentRepository(session, caller.organisation_id).get(read.document_id)
        if document is None:
            return None, None
        texts = await ClassificationResults(session, caller.organisation_id).document_texts({document.id})
    return texts.get(document.id), document.version


def _view_digest(view: ApprovalView) -> str:
    stages = [f"{stage.stage.state} {stage.is_overdue}" for stage in view.stages]
    return digest([view.read.sequence, view.read.status, len(view.read.comments), *stages])


@router.get("/{approval_id}")
async def show_approval(
    approval_id: ApprovalId, pages: Shown, caller: Reader, approvals: ApprovalsDependency
) -> Response:
    """One request, with what is decided on beside the decision."""
    return await _approval_page(pages, caller, await _view(pages, caller, approvals, approval_id))


async def _approval_page(
    pages: Pages,
    caller: Principal,
    view: ApprovalView,
    *,
    fault: str | None = None,
    key: str = "",
) -> Response:
    complete = view.given.decision == Decision.APPROVE if view.given.decision else None
    policy = view.read.policy
    has_decided = pages.request.query_params.get("notice", "").startswith("decided")
    return await pages.inside(
        "approval.html",
        caller,
        "approvals",
        http_status=422 if fault else 200,
        view=view,
        fields=view.fields(complete=complete),
        has_decided=has_decided,
        key=key or _new_key(),
        digest=_view_digest(view),
        is_stale=False,
        may_delegate=_allows(policy.get("delegation"), "allowed") and Scope.APPROVALS_WRITE in caller.scopes,
        may_reassign=policy.get("may_reassign") is not False and Scope.APPROVALS_WRITE in caller.scopes,
        administers=is_administrator(caller),
        needs_comment=_allows(policy.get("comments"), "on_approve", default=False),
        offers=view.people.offers,
        fault=fault,
    )


def _allows(rules: object, name: str, *, default: bool = True) -> bool:
    if isinstance(rules, bool):
        return rules
    given = rules.get(name) if isinstance(rules, dict) else None
    return given if isinstance(given, bool) else default


@router.get("/{approval_id}/live")
async def show_live(
    approval_id: ApprovalId,
    request: Request,
    pages: Shown,
    caller: Reader,
    approvals: ApprovalsDependency,
    opening: Annotated[bool, Query()] = False,
) -> Response:
    """What changes while somebody reads: who has decided, and the history. What they have typed stays."""
    read = await approvals.read(caller.organisation_id, approval_id)
    bare = ApprovalView(read, People(), now_utc())
    shown = _view_digest(bare)
    if request.headers.get("X-Digest") == shown:
        return Response(status_code=204)
    if opening and not bare.is_opening:
        # Nobody has typed anything yet: there was no form.
        return Response(status_code=204, headers={"HX-Refresh": "true"})
    people = await people_of(pages.database, caller.organisation_id)
    history = await history_of(pages.database, caller.organisation_id, read, people)
    view = ApprovalView(read, people, now_utc(), history=history)
    return await pages.inside(
        "partials/approval_live.html", caller, "approvals", view=view, digest=shown, is_stale=True
    )


Act = Callable[[FormData], Awaitable[Any]]


class Steering:
    """Does something with one request for who looks, and comes back; what is refused is said on its page."""

    def __init__(
        self,
        approval_id: ApprovalId,
        request: Request,
        pages: Shown,
        approvals: ApprovalsDependency,
        telling: TellingDependency,
    ) -> None:
        self.approval_id, self.pages, self.approvals, self.telling = approval_id, pages, approvals, telling
        self._request = request

    async def form(self) -> FormData:
        """What was sent."""
        return await self._request.form()

    async def act(self, caller: Principal, notice: str, act: Act, given: Given | None = None) -> Response:
        """Do it under the key of the form, under which it counts once, and say `notice`."""
        form = await self.form()
        self.telling.key = _text(form, "key", 100) or _new_key()
        try:
            await act(form)
        except REFUSALS as error:
            view = await _view(self.pages, caller, self.approvals, self.approval_id, given)
            return await _approval_page(self.pages, caller, view, fault=said_of(error))
        return self.pages.redirect(f"/approvals/{self.approval_id}", notice)

    async def person(self, caller: Principal, form: FormData) -> str:
        """Whom the form names."""
        people = await people_of(self.pages.database, caller.organisation_id)
        person = people.person(_text(form, "to", 262))
        if person is None:
            raise FormError("Name one person: an address, or a member by name.")
        return person


SteeringDependency = Annotated[Steering, made_here(Steering)]


@router.post("/{approval_id}/decision")
async def decide(caller: Decider, steering: SteeringDependency) -> Response:
    """Decide, and go on to what waits next."""
    form = await steering.form()
    read = await steering.approvals.read(caller.organisation_id, steering.approval_id)
    named = _text(form, "stage", 40)
    schema = next((stage.form for stage in read.stages if stage.id == named), None)
    sent = {name: [str(one) for one in form.getlist(name)] for name in form}
    given = Given(
        decision=_text(form, "decision"),
        comment=_text(form, "comment"),
        on_behalf_of=_text(form, "on_behalf_of", 262),
        answers=answers_of(schema, sent),
    )

    async def act(form: FormData) -> None:
        body = DecisionCreate(
            decision=_decision(given.decision),
            comment=given.comment,
            form=dict(given.answers) if given.answers is not None else None,
            on_behalf_of=given.on_behalf_of or None,
            stage=named or None,
            revision=_text(form, "revision", 64) or None,
        )
        await steering.telling.decide(caller, steering.approval_id, body)

    return await steering.act(caller, f"decided-{given.decision}", act, given)


@router.post("/{approval_id}/comment")
async def comment(
    caller: Decider, steering: SteeringDependency, idempotency: IdempotentRequest, actor: ActorDependency
) -> Response:
    """Say something beside the decisions."""

    async def act(form: FormData) -> None:
        body = CommentCreate(text=_text(form, "text", 4_001))
        await approval_decisions.comment_approval(
            steering.approval_id, body, caller, steering.pages.database, idempotency, actor
        )

    return await steering.act(caller, "commented", act)


def _instant(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError as error:
        raise FormError(f"{text!r} is no date and time.") from error


@router.post("/{approval_id}/revocation")
async def revoke(caller: Decider, steering: SteeringDependency) -> Response:
    """Take a decision back."""

    async def act(form: FormData) -> None:
        await approval_decisions.revoke_decision(steering.approval_id, caller, steering.telling)

    return await steering.act(caller, "decision-revoked", act)


@router.post("/{approval_id}/delegation")
async def delegate(caller: Decider, steering: SteeringDependency) -> Response:
    """Let somebody else decide."""

    async def act(form: FormData) -> None:
        body = DelegationCreate(
            to=await steering.person(caller, form),
            whole_request="whole_request" in form,
            starts_at=_instant(_text(form, "starts_at")),
            ends_at=_instant(_text(form, "ends_at")),
        )
        await approval_decisions.delegate_approval(steering.approval_id, body, caller, steering.telling)

    return await steering.act(caller, "delegated", act)


@router.post("/{approval_id}/delegation-end")
async def end_delegation(caller: Decider, steering: SteeringDependency) -> Response:
    """Decide for oneself alone again."""

    async def act(form: FormData) -> None:
        body = DelegationEnd(to=_text(form, "to", 262))
        await approval_decisions.end_delegation(steering.approval_id, body, caller, steering.telling)

    return await steering.act(caller, "delegation-ended", act)


@router.post("/{approval_id}/reassignment")
async def reassign(caller: Decider, steering: SteeringDependency) -> Response:
    """Give a seat to somebody else."""

    async def act(form: FormData) -> None:
        to = await steering.person(caller, form)
        body = ReassignmentCreate(to=to, seat=_text(form, "seat", 60) or None)
        await approval_decisions.reassign_approval(steering.approval_id, body, caller, steering.telling)

    return await steering.act(caller, "reassigned", act)


@router.post("/{approval_id}/reminder")
async def remind(caller: Asker, steering: SteeringDependency) -> Response:
    """Remind those who have not answered."""

    async def act(form: FormData) -> None:
        await approval_decisions.remind_approvers(steering.approval_id, caller, steering.telling)

    return await steering.act(caller, "reminded", act)


@router.post("/{approval_id}/withdrawal")
async def withdraw(caller: Asker, steering: SteeringDependency) -> Response:
    """End the request."""

    async def act(form: FormData) -> None:
        await approval_decisions.withdraw_approval(steering.approval_id, caller, steering.telling)

    return await steering.act(caller, "withdrawn", act)
