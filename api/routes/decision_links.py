"""`/decide/{token}`: the page behind the link of a letter, for whoever was asked, without a log-in.

`GET` shows and does nothing else, however often machines follow the link: only `POST` decides. The token is the
credential: it stands in no log, no page that is linked from here is told the address, and nothing is kept.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from api import sessions
from api.approvals import Approvals
from api.dependencies import ApprovalsDependency
from api.routes.console_pages import ConsoleRoute, Pages, Shown
from perdure.db.approvals import ApprovalRepository, held_state
from perdure.db.identity_repository import IdentityRepository
from perdure.db.session import Database
from perdure.domain import approval_events as events
from perdure.domain.approval_answers import answers_of, unusable
from perdure.domain.approval_events import Decision
from perdure.domain.approval_policies import ApprovalPolicy, kept_policy
from perdure.domain.approval_refusals import Refusal, words_of
from perdure.domain.approval_state import ApprovalState
from perdure.domain.approvals import advance
from perdure.domain.audit import Actor, ActorKind
from perdure.domain.decision_tokens import MAX_TOKEN, DecisionClaims, TokenRefusal
from perdure.domain.roles import Scope, scopes_of
from perdure.errors import InvalidInputError, NotFoundError, PerdureError, PermissionDeniedError
from perdure.schemas.approval_requests import MAX_COMMENT, ApprovalRead, ApprovalStageRead, VoteRead
from perdure.schemas.base import storable

# Whoever follows a link from here, or searches for it, learns nothing of the address.
_HEADERS = {
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow",
}
_COULD_BE_MENDED = {Refusal.COMMENT_REQUIRED, Refusal.FORM_INVALID}


class DecisionLinkRoute(ConsoleRoute):
    """Answers, errors too, tell nobody the address."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Any]]:  # type: ignore[override]  # as ConsoleRoute
        """See `ConsoleRoute`."""
        handle = super().get_route_handler()

        async def hidden(request: Request) -> Response:
            response: Response = await handle(request)
            response.headers.update(_HEADERS)
            return response

        return hidden


router = APIRouter(prefix="/decide", route_class=DecisionLinkRoute, include_in_schema=False)
Token = Annotated[str, Path(max_length=MAX_TOKEN)]


@dataclass(frozen=True)
class DecisionPage:
    """What the page shows. `may_decide`: the form is there; else `detail` says why not, or what was decided."""

    approval: ApprovalRead
    person: str
    organisation: str
    expires_at: datetime
    stage: ApprovalStageRead | None = None
    may_decide: bool = False
    decided_at: datetime | None = None
    vote: VoteRead | None = None
    refusal: str | None = None
    detail: str = ""
    decision: str = ""
    comment: str = ""
    answers: Mapping[str, Any] = field(default_factory=dict)


@router.get("/{token}")
async def show_decision(token: Token, pages: Shown, approvals: ApprovalsDependency) -> Response:
    """What is to be decided, and the form; or what was decided, or why it is too late."""
    link = await _opened(token, approvals, pages.database)
    return _shown(pages, link.page())


@router.post("/{token}")
async def decide_by_link(
    token: Token, request: Request, pages: Shown, approvals: ApprovalsDependency
) -> Response:
    """Decide, once; sent again, it is answered as before."""
    link = await _opened(token, approvals, pages.database)
    sent = await request.form()
    given = {name: [one for one in sent.getlist(name) if isinstance(one, str)] for name in sent}
    page = link.page()
    try:
        event = link.event(given)
        await approvals.tell(
            link.claims.organisation_id, page.approval.id, event, _origin(request, link.claims)
        )
    except PerdureError as error:
        return _shown(pages, _refused(link, given, error), error.status)
    return _shown(pages, (await _opened(token, approvals, pages.database)).page())


@dataclass(frozen=True)
class Link:
    """A link that holds, and the request that it leads to."""

    claims: DecisionClaims
    approval: ApprovalRead
    organisation: str
    policy: ApprovalPolicy
    state: ApprovalState | None
    now: datetime

    @property
    def key(self) -> str:
        """A link has one key: the engine counts it once."""
        return f"link {self.claims.id}"

    @property
    def stage(self) -> ApprovalStageRead | None:
        """The stage that is open."""
        return next((stage for stage in self.approval.stages if stage.id == self.approval.stage), None)

    def event(self, sent: Mapping[str, Sequence[str]]) -> events.Decided:
        """What was sent, as the engine is told it."""
        chosen = _last(sent, "decision")
        if chosen not in set(Decision):
            raise InvalidInputError("Choose one of the decisions.")
        form = answers_of(self.stage.form, sent) if self.stage is not None else None
        fault = unusable(form)
        if fault is not None:
            raise InvalidInputError(f"The form {fault}.")
        return events.Decided(
            key=self.key,
            by=self.claims.person,
            decision=Decision(chosen),
            revision=self.claims.revision,
            comment=storable(_last(sent, "comment")).strip()[:MAX_COMMENT],
            form=storable(form),
            on_behalf_of=self.claims.on_behalf_of,
        )

    def page(self) -> DecisionPage:
        """What is to be seen. Whether the person may decide, the engine says: it is asked what it would answer."""
        page = DecisionPage(
            self.approval,
            self.claims.person,
            self.organisation,
            self.claims.expires_at,
            stage=self.stage,
        )
        if self.state is None:
            return replace(page, detail="The request is being opened. Load this page again in a moment.")
        used = self.state.answers.get(f"{self.claims.person} {self.key}")
        if used is not None:
            votes = [seat.vote for stage in self.approval.stages for seat in stage.seats if seat.vote]
            mine = [vote for vote in votes if vote.by == self.claims.person]
            return replace(page, decided_at=used.answer.at, vote=mine[-1] if mine else None)
        tried = events.Decided(
            key=self.key,
            by=self.claims.person,
            decision=Decision.APPROVE,
            revision=self.claims.revision,
            comment="." * self.policy.least_comment,
            on_behalf_of=self.claims.on_behalf_of,
        )
        refusal = advance(self.policy, self.state, tried, self.now).answer.refusal
        if refusal is None or refusal in _COULD_BE_MENDED:
            return replace(page, may_decide=True)
        return replace(page, refusal=refusal.value, detail=words_of(refusal))


def _last(sent: Mapping[str, Sequence[str]], name: str) -> str:
    return (sent.get(name) or [""])[-1]


def _shown(pages: Pages, page: DecisionPage, status: int = 200) -> Response:
    return pages.outside("decide.html", http_status=status, page=page)


def _refused(link: Link, sent: Mapping[str, Sequence[str]], error: PerdureError) -> DecisionPage:
    """The page again, with what was filled in where it can be mended."""
    reason = getattr(error, "reason", None)
    can_be_mended = reason is None or reason in _COULD_BE_MENDED
    schema = link.stage.form if link.stage is not None else None
    page = link.page()
    return replace(
        page,
        may_decide=page.may_decide and can_be_mended,
        refusal=reason or error.slug,
        detail=str(error),
        decision=_last(sent, "decision"),
        comment=_last(sent, "comment"),
        answers=answers_of(schema, sent) or {},
    )


def _origin(request: Request, claims: DecisionClaims) -> Actor:
    """Who decides: a member, or whoever reads the mail of an address."""
    visitor = sessions.visitor(request)
    kind, _, name = claims.person.partition(":")
    if kind != "user":
        return visitor
    return replace(visitor, kind=ActorKind.USER, id=name, person_id=name)


async def _opened(token: str, approvals: Approvals, database: Database) -> Link:
    """The link behind a token; what is none, too old or somebody's who has left is a page that says so."""
    try:
        claims = await approvals.claims_of(token)
    except TokenRefusal as refusal:
        if refusal.code == "token_expired":
            detail = (
                "This link has expired. Open the request in Perdure, or ask who requests it for another link."
            )
            raise PermissionDeniedError(detail) from refusal
        raise NotFoundError("This link is not one of ours: open it from the letter again.") from refusal
    async with database.transaction(claims.organisation_id) as session:
        repository, identities = (
            ApprovalRepository(session, claims.organisation_id),
            IdentityRepository(session),
        )
        row = await repository.get(claims.approval_id)
        approval = await repository.read(claims.approval_id)
        organisation = await identities.organisation(claims.organisation_id)
        if row is None or approval is None or organisation is None:
            raise NotFoundError("What this link leads to was deleted.")
        await _check_person(identities, claims)
    return Link(
        claims, approval, organisation.name, kept_policy(row.policy), held_state(row), datetime.now(UTC)
    )


async def _check_person(identities: IdentityRepository, claims: DecisionClaims) -> None:
    """A member decides by a link what they may decide when they are logged in."""
    kind, _, user_id = claims.person.partition(":")
    if kind != "user":
        return
    member = await identities.member(claims.organisation_id, user_id)
    if member is None or Scope.APPROVALS_WRITE not in scopes_of(member.role):
        raise PermissionDeniedError(
            "You may not decide in this organisation any more; ask an owner or admin of it."
        )
