"""Who may do what: roles of members, and the scopes that roles and API keys give."""

from enum import StrEnum


class Scope(StrEnum):
    """One permission. Routes ask for a scope; roles and API keys are sets of them."""

    DOCUMENTS_READ = "documents:read"
    DOCUMENTS_WRITE = "documents:write"
    SEARCH_READ = "search:read"
    MEMORIES_READ = "memories:read"
    MEMORIES_WRITE = "memories:write"
    OPERATIONS_READ = "operations:read"
    OPERATIONS_WRITE = "operations:write"
    APPROVALS_READ = "approvals:read"
    APPROVALS_WRITE = "approvals:write"
    APPROVALS_REQUEST = "approvals:request"
    MEMBERS_READ = "members:read"
    MEMBERS_WRITE = "members:write"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    ORGANISATION_WRITE = "organisation:write"
    SECRETS_READ = "secrets:read"
    SECRETS_WRITE = "secrets:write"
    ENCRYPTION_ROTATE = "encryption:rotate"
    PAYLOADS_READ = "payloads:read"
    AUDIT_READ = "audit:read"
    PRIVACY_WRITE = "privacy:write"
    PROVIDERS_READ = "providers:read"
    PROVIDERS_WRITE = "providers:write"
    USAGE_READ = "usage:read"
    CLASSIFICATION_READ = "classification:read"
    CLASSIFICATION_WRITE = "classification:write"
    CLASSIFICATION_REVIEW = "classification:review"
    WORKFLOWS_READ = "workflows:read"
    WORKFLOWS_WRITE = "workflows:write"
    WORKFLOWS_EXECUTE = "workflows:execute"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"


class Role(StrEnum):
    """A member's role in an organisation, strongest first."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    APPROVER = "approver"
    VIEWER = "viewer"


_READING = frozenset(
    {
        Scope.DOCUMENTS_READ,
        Scope.SEARCH_READ,
        Scope.MEMORIES_READ,
        Scope.OPERATIONS_READ,
        Scope.MEMBERS_READ,
        Scope.CLASSIFICATION_READ,
        Scope.WORKFLOWS_READ,
        Scope.APPROVALS_READ,
    }
)
_WORKING = _READING | {
    Scope.DOCUMENTS_WRITE,
    Scope.MEMORIES_WRITE,
    Scope.OPERATIONS_WRITE,
    Scope.PROVIDERS_READ,
    Scope.USAGE_READ,
    Scope.CLASSIFICATION_WRITE,
    Scope.CLASSIFICATION_REVIEW,
    Scope.WORKFLOWS_WRITE,
    Scope.WORKFLOWS_EXECUTE,
    Scope.APPROVALS_WRITE,
    Scope.APPROVALS_REQUEST,
}

_SCOPES: dict[Role, frozenset[Scope]] = {
    Role.OWNER: frozenset(Scope),
    Role.ADMIN: frozenset(Scope) - {Scope.ENCRYPTION_ROTATE, Scope.PRIVACY_WRITE},
    Role.MEMBER: _WORKING,
    Role.APPROVER: _READING | {Scope.APPROVALS_WRITE, Scope.CLASSIFICATION_REVIEW},
    Role.VIEWER: _READING,
}


def scopes_of(role: Role) -> frozenset[Scope]:
    """Everything that a member of this role may do."""
    return _SCOPES[role]


def may_grant(actor: Role | None, target: Role) -> bool:
    """Whether `actor` may give or take `target`: only owners touch owners. None is an API key."""
    return actor is Role.OWNER or target is not Role.OWNER
