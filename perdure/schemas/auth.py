"""Accounts, organisations, members and API keys over HTTP."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from perdure.domain.quotas import Quota
from perdure.domain.roles import Role, Scope
from perdure.schemas.base import Contract, GivenInstant, Id, Instant, RequestBody

_EMAIL = re.compile(r"[^\s@\x00-\x1f\x7f]{1,64}@[^\s@.\x00-\x1f\x7f]+(\.[^\s@.\x00-\x1f\x7f]+)*")


def _check_email(value: str) -> str:
    """Only the form: whether mail arrives is for a message to prove."""
    if not _EMAIL.fullmatch(value):
        msg = "must be an e-mail address, like ada@example.com"
        raise ValueError(msg)
    return value


Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_lower=True, min_length=3, max_length=254),
    AfterValidator(_check_email),
    Field(json_schema_extra={"format": "email"}),
]
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$"),
]
# Length and strength are checked by `domain.passwords`, which says what to do; this bound only stops floods.
Password = Annotated[str, Field(max_length=1024, json_schema_extra={"format": "password"})]
Token = Annotated[str, Field(min_length=1, max_length=512)]


class RegisterCreate(RequestBody):
    """A new account with a new organisation, of which it is the owner."""

    email: Email = Field(description="Log-in name; upper and lower case are the same.")
    password: Password = Field(
        description="10 to 256 characters.",
        json_schema_extra={"format": "password", "minLength": 10, "maxLength": 256},
    )
    name: Name = Field(description="Your name, as others see it.")
    organisation: Name = Field(description="Name of the new organisation.")


class LoginCreate(RequestBody):
    """Log in."""

    email: Email
    password: Password
    organisation_id: Id | None = Field(
        default=None, description="One of your organisations; default: the one you joined first."
    )


class RefreshCreate(RequestBody):
    """Change a refresh token for a new pair. Each works once."""

    refresh_token: Token


class LogoutCreate(RequestBody):
    """End a log-in: its refresh tokens stop working at once, its access token within seconds."""

    refresh_token: Token


class UserRead(Contract):
    """A person."""

    id: str
    email: str
    name: str
    created_at: Instant


class OrganisationRead(Contract):
    """An organisation."""

    id: str
    name: str
    created_at: Instant


class OrganisationUpdate(RequestBody):
    """Changeable fields of the caller's organisation."""

    name: Name


class QuotaRead(Contract):
    """One thing that is counted for an organisation."""

    name: Quota
    used: int = Field(
        description="`stored_bytes` counts the originals of all versions, `operations_per_day` those of this UTC day."
    )
    limit: int | None = Field(default=None, description="Null is no limit. Operators set it.")
    resets_at: Instant | None = Field(
        default=None, description="When the count starts afresh, if it ever does."
    )


class UsageRead(Contract):
    """What the organisation uses of its quotas."""

    quotas: list[QuotaRead]


class MembershipRead(Contract):
    """One of the caller's organisations."""

    organisation_id: str
    organisation_name: str
    role: Role


class TokenGrant(Contract):
    """What log-in, registration and refresh answer."""

    user: UserRead
    organisation: OrganisationRead
    role: Role
    access_token: str = Field(description="Send as `Authorization: Bearer …`.")
    refresh_token: str = Field(description="Works once, at POST /api/v1/auth/refresh.")
    expires_in: int = Field(description="Seconds until the access token expires.")
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  # the scheme's name


class CallerRead(Contract):
    """Who the caller is and what they may do."""

    user: UserRead
    organisation: OrganisationRead
    role: Role | None = Field(default=None, description="Null for an API key.")
    scopes: list[Scope]
    via: Literal["api_key", "access_token", "session"]
    actor_id: str = Field(description="The user, or the API key that acts for them.")
    organisations: list[MembershipRead] = Field(description="Every organisation the user is in.")


class MemberCreate(RequestBody):
    """Add someone who has an account."""

    email: Email
    role: Role


class MemberUpdate(RequestBody):
    """Change a member's role."""

    role: Role


class MemberRead(Contract):
    """A member of the caller's organisation."""

    user_id: str
    email: str
    name: str
    role: Role
    created_at: Instant


class ApiKeyCreate(RequestBody):
    """A new API key; it can never do more than its maker."""

    name: Name = Field(description="What the key is for.")
    scopes: list[Scope] = Field(min_length=1, max_length=len(Scope), description="What it may do.")
    expires_at: GivenInstant | None = Field(default=None, description="Default: never.")


class ApiKeyRead(Contract):
    """An API key, without the key."""

    id: str
    name: str
    scopes: list[Scope]
    last_four: str
    created_by: str
    created_at: Instant
    expires_at: Instant | None = None
    last_used_at: Instant | None = Field(default=None, description="Right to the minute.")


class ApiKeyCreated(ApiKeyRead):
    """A new API key."""

    key: str | None = Field(
        description="The key itself: shown this once, stored nowhere. Null when the request is a replay."
    )
