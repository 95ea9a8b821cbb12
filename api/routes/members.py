"""Members of the caller's organisation."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Response, status
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import JSONResponse

from api.actors import ActorDependency
from api.dependencies import (
    ApprovalsDependency,
    AuthenticatorDependency,
    DatabaseDependency,
    Principal,
    require,
)
from api.idempotency import IdempotentRequest
from api.pagination import PageRequest, paginate
from api.problems import problem_responses
from perdure.db.api_key_repository import ApiKeyRepository
from perdure.db.audit_trail import AuditTrail
from perdure.db.identity_repository import IdentityRepository, Member
from perdure.db.login_repository import LoginRepository
from perdure.db.quota_repository import QuotaRepository
from perdure.domain.audit import Action
from perdure.domain.quotas import Quota
from perdure.domain.roles import Role, may_grant, scopes_of
from perdure.errors import ConflictError, FieldError, InvalidInputError, NotFoundError, PermissionDeniedError
from perdure.schemas.auth import MemberCreate, MemberRead, MemberUpdate
from perdure.schemas.base import Page
from perdure.schemas.operations import Subject

router = APIRouter(prefix="/api/v1/members", tags=["members"])

Reader = Annotated[Principal, require("members:read")]
Writer = Annotated[Principal, require("members:write")]


def _read(member: Member) -> MemberRead:
    return MemberRead(
        user_id=member.user_id,
        email=member.email,
        name=member.name,
        role=member.role,
        created_at=member.created_at,
    )


def _subject(user_id: str) -> Subject:
    return Subject(type="user", id=user_id)


def _check_grant(caller: Principal, role: Role) -> None:
    if not may_grant(caller.role, role):
        raise PermissionDeniedError("Only an owner may make, change or remove an owner; ask one.")


async def _member_to_change(
    session: AsyncSession, caller: Principal, user_id: str, becomes: Role | None
) -> Member:
    """The member, locked against losing the last owner. `becomes` None stands for leaving."""
    identities = IdentityRepository(session)
    owners = await identities.lock_owners(caller.organisation_id)
    member = await identities.member(caller.organisation_id, user_id)
    if member is None:
        raise NotFoundError(f"The organisation has no member {user_id}.")
    _check_grant(caller, member.role)
    if owners == {user_id} and becomes is not Role.OWNER:
        detail = "This is the last owner of the organisation; make someone else an owner first."
        raise ConflictError(detail)
    return member


@router.get("", responses=problem_responses(), operation_id="list_members")
async def list_members(page: PageRequest, caller: Reader, database: DatabaseDependency) -> Page[MemberRead]:
    """List the members, newest account first."""
    async with database.transaction(caller.organisation_id) as session:
        rows = await IdentityRepository(session).members(caller.organisation_id, page.after, page.limit + 1)
    return paginate(rows, page, read=_read, key=lambda member: member.user_id)


@router.get("/{user_id}", responses=problem_responses(404), operation_id="read_member")
async def read_member(user_id: str, caller: Reader, database: DatabaseDependency) -> MemberRead:
    """Read one member."""
    async with database.transaction(caller.organisation_id) as session:
        member = await IdentityRepository(session).member(caller.organisation_id, user_id)
    if member is None:
        raise NotFoundError(f"The organisation has no member {user_id}.")
    return _read(member)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=MemberRead,
    responses={**problem_responses(409), 200: {"model": MemberRead, "description": "Replayed"}},
    operation_id="add_member",
)
async def add_member(
    body: MemberCreate,
    caller: Writer,
    database: DatabaseDependency,
    idempotency: IdempotentRequest,
    actor: ActorDependency,
    approvals: ApprovalsDependency,
    afterwards: BackgroundTasks,
) -> MemberRead | JSONResponse:
    """Add a person who has an account, by e-mail."""
    _check_grant(caller, body.role)
    async with database.transaction(caller.organisation_id) as session:
        before = await idempotency.replay(session, caller.organisation_id, body)
        if before is not None:
            return before
        identities = IdentityRepository(session)
        user = await identities.user_by_email(body.email)
        if user is None:
            detail = "Nobody with this e-mail has an account; ask them to register first."
            raise InvalidInputError(detail, [FieldError("/body/email", detail)])
        await QuotaRepository(session, caller.organisation_id).admit({Quota.MEMBERS: 1})
        if not await identities.add_member(caller.organisation_id, user.id, body.role):
            raise ConflictError(f"{body.email} is a member already; change the role with PATCH.")
        member = await identities.member(caller.organisation_id, user.id)
        if member is None:
            raise ConflictError(f"{body.email} was removed at the same moment; try again.")
        read = _read(member)
        await idempotency.remember(session, caller.organisation_id, read.model_dump(mode="json"))
        await AuditTrail(session, caller.organisation_id).record(
            Action.MEMBER_ADDED, actor, subject=_subject(user.id), details={"role": body.role.value}
        )
    afterwards.add_task(approvals.members_changed, caller.organisation_id)
    return read


@router.patch("/{user_id}", responses=problem_responses(404, 409), operation_id="update_member")
async def update_member(
    user_id: str,
    body: MemberUpdate,
    caller: Writer,
    database: DatabaseDependency,
    authenticator: AuthenticatorDependency,
    actor: ActorDependency,
    approvals: ApprovalsDependency,
    afterwards: BackgroundTasks,
) -> MemberRead:
    """Change a role. API keys that the member made and that can do more than the new role are revoked."""
    _check_grant(caller, body.role)
    async with database.transaction(caller.organisation_id) as session:
        before = await _member_to_change(session, caller, user_id, body.role)
        identities = IdentityRepository(session)
        await identities.set_role(caller.organisation_id, user_id, body.role)
        await ApiKeyRepository(session).revoke_beyond(caller.organisation_id, user_id, scopes_of(body.role))
        member = await identities.member(caller.organisation_id, user_id)
        await AuditTrail(session, caller.organisation_id).record(
            Action.MEMBER_ROLE_CHANGED,
            actor,
            subject=_subject(user_id),
            details={"from": before.role.value, "to": body.role.value},
        )
    authenticator.forget(user_id)
    afterwards.add_task(approvals.members_changed, caller.organisation_id)
    if member is None:
        raise NotFoundError(f"The organisation has no member {user_id}.")
    return _read(member)


@router.delete(
    "/{user_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problem_responses(404, 409),
    operation_id="remove_member",
)
async def remove_member(
    user_id: str,
    caller: Writer,
    database: DatabaseDependency,
    authenticator: AuthenticatorDependency,
    actor: ActorDependency,
    approvals: ApprovalsDependency,
    afterwards: BackgroundTasks,
) -> Response:
    """Remove a member; their log-ins to this organisation end and the API keys they made are revoked."""
    async with database.transaction(caller.organisation_id) as session:
        await _member_to_change(session, caller, user_id, None)
        await IdentityRepository(session).remove_member(caller.organisation_id, user_id)
        await ApiKeyRepository(session).revoke_beyond(caller.organisation_id, user_id, ())
        await LoginRepository(session).end_all(user_id, caller.organisation_id)
        await AuditTrail(session, caller.organisation_id).record(
            Action.MEMBER_REMOVED, actor, subject=_subject(user_id)
        )
    authenticator.forget(user_id)
    afterwards.add_task(approvals.members_changed, caller.organisation_id, f"user:{user_id}")
    return Response(status_code=status.HTTP_204_NO_CONTENT)
