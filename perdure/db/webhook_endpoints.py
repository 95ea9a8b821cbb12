"""Where one organisation's events are sent: addresses and secrets are sealed at rest."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.audit_trail import AuditTrail
from perdure.db.keyring import Keyring
from perdure.db.models import WebhookEndpointRow
from perdure.domain.audit import Action, Actor
from perdure.domain.ids import new_id
from perdure.domain.sealing import Place
from perdure.domain.webhook_addresses import shown_url
from perdure.errors import NotFoundError
from perdure.schemas.operations import Subject

_DETAIL_CHARACTERS = 500


@dataclass(frozen=True)
class OpenedEndpoint:
    """An endpoint as it is sent to, at the moment of use."""

    id: str
    url: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)


class WebhookEndpointRepository:
    """Reads and writes the organisation's endpoints; the caller owns the transaction."""

    def __init__(self, session: AsyncSession, organisation_id: str, keyring: Keyring) -> None:
        self._session, self._organisation_id, self._keyring = session, organisation_id, keyring

    async def create(
        self,
        *,
        kind: str,
        name: str,
        url: str,
        events: Sequence[str],
        secret: str | None,
        created_by: str | None,
    ) -> WebhookEndpointRow:
        """Seal and insert."""
        endpoint_id = new_id("whe")
        row = WebhookEndpointRow(
            id=endpoint_id,
            organisation_id=self._organisation_id,
            kind=kind,
            name=name,
            shown_url=shown_url(kind, url),
            sealed_url=await self._seal(endpoint_id, "sealed_url", url),
            sealed_secret=await self._seal(endpoint_id, "sealed_secret", secret) if secret else None,
            events=list(events),
            created_by=created_by,
        )
        self._session.add(row)
        await self._session.flush()
        await self._session.refresh(row)
        return row

    async def get(self, endpoint_id: str) -> WebhookEndpointRow:
        """An endpoint that was not removed, without its secrets being opened; NotFoundError."""
        row = await self._session.scalar(
            select(WebhookEndpointRow).where(self._is(endpoint_id), WebhookEndpointRow.removed_at.is_(None))
        )
        if row is None:
            detail = f"There is no endpoint {endpoint_id}: list them with GET /api/v1/webhooks/endpoints."
            raise NotFoundError(detail)
        return row

    async def list(self, after: str | None, limit: int) -> Sequence[WebhookEndpointRow]:
        """Those that were not removed, newest first."""
        statement = (
            select(WebhookEndpointRow)
            .where(
                WebhookEndpointRow.organisation_id == self._organisation_id,
                WebhookEndpointRow.removed_at.is_(None),
            )
            .order_by(WebhookEndpointRow.id.desc())
            .limit(limit)
        )
        if after is not None:
            statement = statement.where(WebhookEndpointRow.id < after)
        return (await self._session.scalars(statement)).all()

    async def change(self, endpoint_id: str, *, url: str | None = None, **changed: Any) -> WebhookEndpointRow:
        """Give columns other values, and the address when `url` is given: the next attempt takes them."""
        row = await self.get(endpoint_id)
        if url is not None:
            row.sealed_url = await self._seal(endpoint_id, "sealed_url", url)
            row.shown_url = shown_url(row.kind, url)
        for name, given in changed.items():
            setattr(row, name, given)
        if url is not None or changed.get("is_active"):
            row.failures, row.last_error = 0, None
        return await self._written(row)

    async def rotate(self, endpoint_id: str, secret: str, overlap: timedelta) -> WebhookEndpointRow:
        """Sign with another secret from now on, and with the one before it, too, for a while."""
        row = await self.get(endpoint_id)
        previous = await self._open(row, "sealed_secret")
        # A value is sealed for its place: the old one is opened and sealed anew.
        row.sealed_previous_secret = (
            await self._seal(endpoint_id, "sealed_previous_secret", previous)
            if previous and overlap
            else None
        )
        row.previous_until = await self._now() + overlap if row.sealed_previous_secret else None
        row.sealed_secret = await self._seal(endpoint_id, "sealed_secret", secret)
        return await self._written(row)

    async def remove(self, endpoint_id: str) -> WebhookEndpointRow:
        """Destroy address and secrets: no attempt that begins after this goes there. Deliveries stay known."""
        row = await self.get(endpoint_id)
        row.sealed_url = row.sealed_secret = row.sealed_previous_secret = row.previous_until = None
        row.is_active, row.removed_at = False, await self._now()
        return await self._written(row)

    async def opened(self, endpoint_id: str) -> OpenedEndpoint | None:
        """The endpoint itself, with the secrets that sign now; None when nothing is sent to it any more."""
        row = await self._session.scalar(
            select(WebhookEndpointRow).where(self._is(endpoint_id), WebhookEndpointRow.is_active)
        )
        if row is None or row.sealed_url is None:
            return None
        secrets = [await self._open(row, "sealed_secret")]
        if row.previous_until is not None and row.previous_until > await self._now():
            secrets.append(await self._open(row, "sealed_previous_secret"))
        url = await self._open(row, "sealed_url")
        return OpenedEndpoint(row.id, url or "", tuple(each for each in secrets if each))

    async def note(self, endpoint_id: str, *, ok: bool, detail: str, is_gone: bool) -> None:
        """Note how an attempt went; one that wants no more is switched off."""
        values: dict[str, Any] = {"last_attempt_at": func.now()}
        if ok:
            values |= {"failures": 0, "last_error": None, "last_success_at": func.now()}
        else:
            values |= {
                "failures": WebhookEndpointRow.failures + 1,
                "last_error": detail[:_DETAIL_CHARACTERS],
            }
        if is_gone:
            values["is_active"] = False
        await self._session.execute(update(WebhookEndpointRow).where(self._is(endpoint_id)).values(values))

    async def record(self, action: Action, actor: Actor, endpoint_id: str, **details: str) -> None:
        """Note in the audit trail what happened to an endpoint."""
        subject = Subject(type="webhook_endpoint", id=endpoint_id)
        trail = AuditTrail(self._session, self._organisation_id)
        await trail.record(action, actor, subject=subject, details=details)

    async def _written(self, row: WebhookEndpointRow) -> WebhookEndpointRow:
        row.updated_at = await self._now()
        await self._session.flush()
        await self._session.refresh(row)
        return row

    async def _now(self) -> datetime:
        found: datetime = (await self._session.execute(select(func.now()))).scalar_one()
        return found

    async def _seal(self, endpoint_id: str, column: str, value: str) -> bytes:
        return await self._keyring.seal(self._session, self._place(endpoint_id, column), value.encode())

    async def _open(self, row: WebhookEndpointRow, column: str) -> str | None:
        sealed: bytes | None = getattr(row, column)
        if sealed is None:
            return None
        return (await self._keyring.open(self._session, self._place(row.id, column), sealed)).decode()

    def _place(self, endpoint_id: str, column: str) -> Place:
        return Place(self._organisation_id, WebhookEndpointRow.__tablename__, column, endpoint_id)

    def _is(self, endpoint_id: str) -> ColumnElement[bool]:
        return and_(
            WebhookEndpointRow.organisation_id == self._organisation_id, WebhookEndpointRow.id == endpoint_id
        )
