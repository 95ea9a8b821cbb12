"""Accounts: register, log in, refresh, log out, who am I."""

from fastapi import APIRouter, Request, Response, status

from api.dependencies import AuthenticatorDependency, Caller, DatabaseDependency, LoginsDependency
from api.logins import organisation_read, user_read
from api.problems import problem_responses
from api.sessions import visitor
from perdure.db.identity_repository import IdentityRepository
from perdure.domain.roles import Scope
from perdure.errors import UnauthenticatedError
from perdure.schemas.auth import (
    CallerRead,
    LoginCreate,
    LogoutCreate,
    MembershipRead,
    RefreshCreate,
    RegisterCreate,
    TokenGrant,
)

router = APIRouter(prefix="/api/v1/auth", tags=["auth"])


@router.post(
    "/register",
    status_code=status.HTTP_201_CREATED,
    responses=problem_responses(409),
    operation_id="register",
)
async def register(body: RegisterCreate, request: Request, logins: LoginsDependency) -> TokenGrant:
    """Make an account and its organisation, and log in."""
    actor = visitor(request)
    return await logins.grant(await logins.register(body, actor), actor)


@router.post("/login", responses=problem_responses(404), operation_id="login")
async def login(body: LoginCreate, request: Request, logins: LoginsDependency) -> TokenGrant:
    """Log in. After a few wrong passwords, further attempts answer 429 with `Retry-After`."""
    actor = visitor(request)
    return await logins.grant(await logins.log_in(body, actor), actor)


@router.post("/refresh", responses=problem_responses(), operation_id="refresh")
async def refresh(body: RefreshCreate, request: Request, logins: LoginsDependency) -> TokenGrant:
    """Change a refresh token for a new pair; used twice, it ends the log-in it belongs to."""
    return await logins.refresh(body.refresh_token, visitor(request))


@router.post(
    "/logout",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problem_responses(),
    operation_id="logout",
)
async def logout(
    body: LogoutCreate, request: Request, logins: LoginsDependency, authenticator: AuthenticatorDependency
) -> Response:
    """End a log-in. Also 204 when it has ended before."""
    user_id = await logins.log_out(body.refresh_token, visitor(request))
    if user_id is not None:
        authenticator.forget(user_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.get("/me", responses=problem_responses(), operation_id="me")
async def me(caller: Caller, database: DatabaseDependency) -> CallerRead:
    """Who the caller is and what they may do."""
    async with database.transaction(caller.organisation_id) as session:
        identities = IdentityRepository(session)
        user = await identities.user(caller.user_id)
        organisation = await identities.organisation(caller.organisation_id)
        memberships = await identities.memberships(caller.user_id)
    if user is None or organisation is None:
        raise UnauthenticatedError("This account or organisation has just been deleted.")
    if caller.via == "api_key":  # a key belongs to one organisation and must not tell of the others
        memberships = [each for each in memberships if each.organisation_id == caller.organisation_id]
    return CallerRead(
        user=user_read(user),
        organisation=organisation_read(organisation),
        role=caller.role,
        scopes=sorted(Scope(scope) for scope in caller.scopes),
        via=caller.via,
        actor_id=caller.actor_id,
        organisations=[
            MembershipRead(
                organisation_id=each.organisation_id,
                organisation_name=each.organisation_name,
                role=each.role,
            )
            for each in memberships
        ],
    )
