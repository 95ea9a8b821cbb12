"""Secrets of one organisation: sealed at rest, named by id everywhere else."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.audit_trail import AuditTrail
from perdure.db.keyring import Keyring
from perdure.db.models import OrganisationSecretRow
from perdure.domain.addresses import origin_of
from perdure.domain.audit import Action, Actor
from perdure.domain.http_headers import header_fault
from perdure.domain.ids import new_id
from perdure.domain.sealing import Place
from perdure.errors import (
    ConflictError,
    DocumentRejectedError,
    FieldError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
)
from perdure.schemas.encryption import SecretKind
from perdure.schemas.operations import Subject

HTTP_HEADER = SecretKind.HTTP_HEADER.value

# A shorter one would be half told by its end.
SHOWN_FROM_CHARACTERS = 16


class SecretRepository:
    """Reads and writes the organisation's secrets; the caller owns the transaction."""

    def __init__(self, session: AsyncSession, organisation_id: str, keyring: Keyring) -> None:
        self._session, self._organisation_id, self._keyring = session, organisation_id, keyring

    async def create(
        self, *, name: str, kind: str, value: str, created_by: str | None, origin: str | None = None
    ) -> OrganisationSecretRow:
        """Seal and insert; ConflictError when the name is taken, InvalidInputError for what no header can be."""
        _check_header(kind, value)
        secret_id = new_id("sec")
        row: OrganisationSecretRow | None = await self._session.scalar(
            insert(OrganisationSecretRow)
            .values(
                id=secret_id,
                organisation_id=self._organisation_id,
                name=name,
                kind=kind,
                sealed=await self._seal(secret_id, value),
                last_four=last_four(value),
                origin=_origin(kind, origin),
                created_by=created_by,
            )
            .on_conflict_do_nothing(index_elements=["organisation_id", "name"])
            .returning(OrganisationSecretRow)
        )
        if row is None:
            detail = f"There is a secret named '{name}': replace its value, or choose another name."
            raise ConflictError(detail)
        return row

    async def replace(self, secret_id: str, value: str) -> OrganisationSecretRow:
        """Give a secret another value; what refers to it by id takes the new one from now on."""
        row: OrganisationSecretRow | None = await self._session.scalar(
            update(OrganisationSecretRow)
            .where(self._is(secret_id))
            .values(
                sealed=await self._seal(secret_id, value),
                last_four=last_four(value),
                updated_at=func.now(),
            )
            .returning(OrganisationSecretRow)
        )
        if row is None:
            raise _missing(secret_id)
        _check_header(row.kind, value)
        return row

    async def header(self, name: str, url: str, reader: Actor) -> str:
        """The secret of this name, to be sent to this address as a header: see `value`.

        PermissionDeniedError where it belongs elsewhere.
        """
        statement = select(OrganisationSecretRow).where(
            OrganisationSecretRow.organisation_id == self._organisation_id,
            OrganisationSecretRow.kind == HTTP_HEADER,
            OrganisationSecretRow.name == name,
        )
        row = await self._session.scalar(statement)
        if row is None:
            remedy = "add it in the console or by `perdure secrets add`, then retry"
            raise NotFoundError(f"There is no secret {name!r} of the kind {HTTP_HEADER}: {remedy}.")
        if row.origin != (origin := origin_of(url)):
            raise PermissionDeniedError(f"The secret {name!r} is for {row.origin}, and not sent to {origin}.")
        return await self.value(row.id, reader)

    async def value(self, secret_id: str, reader: Actor) -> str:
        """The secret itself: for activities, at the moment of use, and never for an answer or a log.

        That it was read is recorded: keep the transaction short, the organisation's trail waits for it.
        """
        statement = select(OrganisationSecretRow.sealed).where(self._is(secret_id))
        sealed = await self._session.scalar(statement)
        if sealed is None:
            raise _missing(secret_id)
        value = (await self._keyring.open(self._session, self._place(secret_id), sealed)).decode()
        await self.record(Action.SECRET_READ, reader, secret_id)
        return value

    async def record(self, action: Action, actor: Actor, secret_id: str, **details: str) -> None:
        """Note in the audit trail what happened to a secret."""
        subject = Subject(type="secret", id=secret_id)
        trail = AuditTrail(self._session, self._organisation_id)
        await trail.record(action, actor, subject=subject, details=details)

    async def list(
        self, after: str | None, limit: int, kind: str | None = None
    ) -> Sequence[OrganisationSecretRow]:
        """Newest first, without the values; those of one kind, or of all."""
        statement = (
            select(OrganisationSecretRow)
            .where(OrganisationSecretRow.organisation_id == self._organisation_id)
            .order_by(OrganisationSecretRow.id.desc())
            .limit(limit)
        )
        if after is not None:
            statement = statement.where(OrganisationSecretRow.id < after)
        if kind is not None:
            statement = statement.where(OrganisationSecretRow.kind == kind)
        return (await self._session.scalars(statement)).all()

    async def delete(self, secret_id: str) -> None:
        """Remove a secret."""
        deleted = await self._session.scalar(
            delete(OrganisationSecretRow).where(self._is(secret_id)).returning(OrganisationSecretRow.id)
        )
        if deleted is None:
            raise _missing(secret_id)

    def _is(self, secret_id: str) -> ColumnElement[bool]:
        return and_(
            OrganisationSecretRow.organisation_id == self._organisation_id,
            OrganisationSecretRow.id == secret_id,
        )

    def _place(self, secret_id: str) -> Place:
        return Place(self._organisation_id, OrganisationSecretRow.__tablename__, "sealed", secret_id)

    async def _seal(self, secret_id: str, value: str) -> bytes:
        return await self._keyring.seal(self._session, self._place(secret_id), value.encode())


def last_four(value: str) -> str | None:
    """What is shown of a secret."""
    return value[-4:] if len(value) >= SHOWN_FROM_CHARACTERS else None


def _origin(kind: str, origin: str | None) -> str | None:
    """Where a secret may be sent, in the one way that it is compared in."""
    if (kind == HTTP_HEADER) != (origin is not None):
        detail = f"a secret of the kind {HTTP_HEADER} has an origin, such as https://api.example.com; others have none"
        raise InvalidInputError(detail, [FieldError("/origin", detail)])
    if origin is None:
        return None
    try:
        return origin_of(origin)
    except DocumentRejectedError as error:
        detail = f"an origin is a scheme and a host, such as https://api.example.com. {error}"
        raise InvalidInputError(detail, [FieldError("/origin", detail)]) from error


def _check_header(kind: str, value: str) -> None:
    if kind == HTTP_HEADER and (fault := header_fault("Authorization", value)):
        raise InvalidInputError(f"The value cannot be a header: it {fault}.", [FieldError("/value", fault)])


def _missing(secret_id: str) -> NotFoundError:
    return NotFoundError(f"There is no secret {secret_id}: list them with GET /api/v1/secrets.")
