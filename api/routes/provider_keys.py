"""Keys of the caller's organisation at providers of models. Values go in and never out."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response, status
from starlette.responses import JSONResponse

from activities.language_models import RoutedLanguageModels
from api.actors import ActorDependency
from api.dependencies import (
    DatabaseDependency,
    KeyringDependency,
    OperationsDependency,
    Principal,
    require,
)
from api.idempotency import IdempotentRequest, keyed_digest
from api.pagination import PageRequest, paginate
from api.problems import problem_responses
from perdure.db.models import ProviderKeyRow
from perdure.db.provider_circuits import ProviderCircuitRepository
from perdure.db.provider_keys import ProviderKeyRepository
from perdure.db.usage_repository import OK
from perdure.domain.audit import Action
from perdure.domain.ids import ID_PATTERN
from perdure.domain.provider_keys import check_base_url
from perdure.domain.routing import Candidate, ProviderName
from perdure.errors import FieldError, InvalidInputError
from perdure.schemas.base import Page
from perdure.schemas.providers import (
    KeyTestRead,
    ProviderKeyCreate,
    ProviderKeyRead,
    ProviderKeyUpdate,
)
from perdure.settings import Settings

router = APIRouter(prefix="/api/v1/providers/keys", tags=["providers"])

Reader = Annotated[Principal, require("providers:read")]
Writer = Annotated[Principal, require("providers:write")]
KeyId = Annotated[str, Path(pattern=ID_PATTERN, description="Id of a provider key, `pky_…`.")]


def _read(row: ProviderKeyRow) -> ProviderKeyRead:
    return ProviderKeyRead.model_validate(row, from_attributes=True)


def _stand_in(request: Request, body: ProviderKeyCreate) -> bytes:
    content = body.model_dump(mode="json") | {"value": body.value.get_secret_value() if body.value else None}
    return keyed_digest(request.app.state.settings, "provider keys", content)


def _refused(field: str, detail: str) -> InvalidInputError:
    return InvalidInputError(f"{field}: {detail}", [FieldError(f"/body/{field}", detail)])


def _value(given: str) -> str:
    """A key as it can stand in a header: pasted ones bring blanks and line ends along."""
    value = given.strip()
    if not value:
        raise _refused("value", "The key is empty; paste it as the provider shows it.")
    if not value.isascii() or not value.isprintable() or " " in value:
        detail = "A key is one word of ASCII characters; paste it as the provider shows it, and nothing else."
        raise _refused("value", detail)
    return value


def _check_address(base_url: str, settings: Settings) -> None:
    try:
        check_base_url(base_url, private=settings.provider_private_urls)
    except InvalidInputError as error:
        said = " ".join(each.detail for each in error.errors) or str(error)
        raise _refused("base_url", said) from error


def _check_whole(provider: ProviderName, base_url: str | None, model: str | None, *, has_value: bool) -> None:
    """Whether a key has all that its provider needs."""
    if provider is not ProviderName.OPENAI_COMPATIBLE:
        if not has_value:
            raise _refused("value", f"{provider} wants a key; send the one that it gave you.")
        return
    if base_url is None:
        detail = "openai_compatible is a server of your own: say where it is, such as https://llm.example/v1."
        raise _refused("base_url", detail)
    if model is None:
        raise _refused(
            "default_model", "Say which model the server is asked for; servers differ in what they have."
        )


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=ProviderKeyRead,
    responses={**problem_responses(409), 200: {"model": ProviderKeyRead, "description": "Replayed"}},
    operation_id="create_provider_key",
)
async def create_provider_key(
    body: ProviderKeyCreate,
    request: Request,
    caller: Writer,
    database: DatabaseDependency,
    keyring: KeyringDependency,
    operations: OperationsDependency,
    idempotency: IdempotentRequest,
    actor: ActorDependency,
) -> ProviderKeyRead | JSONResponse:
    """Store a key. It is encrypted with a key of the organisation; no answer ever shows it."""
    value = _value(body.value.get_secret_value()) if body.value is not None else ""
    provider = ProviderName(body.provider)
    _check_whole(provider, body.base_url, body.default_model, has_value=bool(value))
    if body.base_url is not None:
        _check_address(body.base_url, request.app.state.settings)
    async with database.transaction(caller.organisation_id) as session:
        before = await idempotency.replay(session, caller.organisation_id, _stand_in(request, body))
        if before is not None:
            return before
        keys = ProviderKeyRepository(session, caller.organisation_id, keyring)
        row = await keys.create(
            provider=provider,
            name=body.name,
            value=value,
            base_url=body.base_url,
            default_model=body.default_model,
            requests_per_minute=body.requests_per_minute,
            created_by=caller.user_id,
        )
        read = _read(row)
        await idempotency.remember(session, caller.organisation_id, read.model_dump(mode="json"))
        await keys.record(Action.PROVIDER_KEY_CREATED, actor, row.id, provider=row.provider)
    await operations.wake(caller.organisation_id)
    return read


@router.get("", responses=problem_responses(), operation_id="list_provider_keys")
async def list_provider_keys(
    page: PageRequest, caller: Reader, database: DatabaseDependency, keyring: KeyringDependency
) -> Page[ProviderKeyRead]:
    """List the keys that are not revoked, newest first, without their values."""
    async with database.transaction(caller.organisation_id) as session:
        keys = ProviderKeyRepository(session, caller.organisation_id, keyring)
        rows = await keys.list(page.after, page.limit + 1)
    return paginate(rows, page, read=_read, key=lambda row: row.id)


@router.get("/{key_id}", responses=problem_responses(404), operation_id="read_provider_key")
async def read_provider_key(
    key_id: KeyId, caller: Reader, database: DatabaseDependency, keyring: KeyringDependency
) -> ProviderKeyRead:
    """Show a key, without its value."""
    async with database.transaction(caller.organisation_id) as session:
        return _read(await ProviderKeyRepository(session, caller.organisation_id, keyring).get(key_id))


@router.patch("/{key_id}", responses=problem_responses(404, 409), operation_id="update_provider_key")
async def update_provider_key(
    key_id: KeyId,
    body: ProviderKeyUpdate,
    request: Request,
    caller: Writer,
    database: DatabaseDependency,
    keyring: KeyringDependency,
    operations: OperationsDependency,
    actor: ActorDependency,
) -> ProviderKeyRead:
    """Change a key, or replace its value: the next call takes what holds then."""
    given: dict[str, Any] = {name: getattr(body, name) for name in body.model_fields_set}
    for name in ("name", "value"):
        if name in given and given[name] is None:
            raise _refused(name, "It cannot be taken away: send another one, or leave it out.")
    value = _value(body.value.get_secret_value()) if body.value is not None else None
    given.pop("value", None)
    if body.base_url is not None:
        _check_address(body.base_url, request.app.state.settings)
    async with database.transaction(caller.organisation_id) as session:
        keys = ProviderKeyRepository(session, caller.organisation_id, keyring)
        row = await keys.get(key_id)
        _check_whole(
            ProviderName(row.provider),
            given.get("base_url", row.base_url),
            given.get("default_model", row.default_model),
            has_value=True,
        )
        if body.model_fields_set:
            row = await keys.change(key_id, value=value, **given)
            changed = ", ".join(sorted(body.model_fields_set))
            await keys.record(Action.PROVIDER_KEY_CHANGED, actor, row.id, changed=changed)
        read = _read(row)
    await operations.wake(caller.organisation_id)
    return read


@router.delete(
    "/{key_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problem_responses(404),
    operation_id="revoke_provider_key",
)
async def revoke_provider_key(
    key_id: KeyId,
    caller: Writer,
    database: DatabaseDependency,
    keyring: KeyringDependency,
    actor: ActorDependency,
) -> Response:
    """Destroy the stored value: no call that begins after this uses it. Whoever is next in the routing is asked."""
    async with database.transaction(caller.organisation_id) as session:
        keys = ProviderKeyRepository(session, caller.organisation_id, keyring)
        row = await keys.revoke(key_id)
        await keys.record(Action.PROVIDER_KEY_REVOKED, actor, key_id, provider=row.provider)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.post("/{key_id}/test", responses=problem_responses(404), operation_id="test_provider_key")
async def try_provider_key(
    key_id: KeyId,
    request: Request,
    caller: Writer,
    database: DatabaseDependency,
    keyring: KeyringDependency,
    actor: ActorDependency,
) -> KeyTestRead:
    """Ask the provider for one word with this key, now, and tell how it went. The call counts as any other."""
    models: RoutedLanguageModels = request.app.state.language_models
    tested = await models.probe(caller.organisation_id, key_id)
    async with database.transaction(caller.organisation_id) as session:
        keys = ProviderKeyRepository(session, caller.organisation_id, keyring)
        await keys.record(Action.PROVIDER_KEY_TESTED, actor, key_id, outcome=tested.reason or OK)
        if tested.ok:
            # It answers: others need not wait until it is time to try again.
            circuits = ProviderCircuitRepository(session, caller.organisation_id)
            await circuits.close(Candidate(tested.provider, tested.model, key_id).circuit)
    return tested
