"""What each role may do."""

import pytest

from perdure.domain.roles import Role, Scope, may_grant, scopes_of


@pytest.mark.parametrize("role", list(Role))
def test_every_role_may_read_documents(role: Role) -> None:
    assert {Scope.DOCUMENTS_READ, Scope.SEARCH_READ, Scope.OPERATIONS_READ} <= scopes_of(role)


@pytest.mark.parametrize("role", [Role.MEMBER, Role.APPROVER, Role.VIEWER])
@pytest.mark.parametrize(
    "scope",
    [
        Scope.MEMBERS_WRITE,
        Scope.KEYS_WRITE,
        Scope.ORGANISATION_WRITE,
        Scope.SECRETS_READ,
        Scope.SECRETS_WRITE,
        Scope.PROVIDERS_WRITE,
    ],
)
def test_only_owners_and_admins_govern(role: Role, scope: Scope) -> None:
    assert scope not in scopes_of(role)
    assert scope in scopes_of(Role.OWNER)
    assert scope in scopes_of(Role.ADMIN)


@pytest.mark.parametrize("role", [Role.ADMIN, Role.MEMBER, Role.APPROVER, Role.VIEWER])
def test_only_owners_rotate_keys(role: Role) -> None:
    assert Scope.ENCRYPTION_ROTATE not in scopes_of(role)
    assert Scope.ENCRYPTION_ROTATE in scopes_of(Role.OWNER)


def test_a_viewer_changes_nothing() -> None:
    assert not [scope for scope in scopes_of(Role.VIEWER) if scope.endswith(":write")]


@pytest.mark.parametrize("actor", [*Role, None])
def test_only_an_owner_touches_owners(actor: Role | None) -> None:
    assert may_grant(actor, Role.OWNER) is (actor is Role.OWNER)
    assert may_grant(actor, Role.ADMIN)


@pytest.mark.parametrize("role", [Role.MEMBER, Role.APPROVER, Role.VIEWER])
def test_only_owners_and_admins_read_what_temporal_stores(role: Role) -> None:
    assert Scope.PAYLOADS_READ not in scopes_of(role)
    assert Scope.PAYLOADS_READ in scopes_of(Role.OWNER) & scopes_of(Role.ADMIN)
