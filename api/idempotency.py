"""`Idempotency-Key`: the same key and request have one effect, whoever races whom.

For operations, inside the transaction that records the operation:

    seen = await claim(session, organisation_id, key, request_sha256, operation_id)
    if seen is not None: …  # replay seen.operation_id

For other POSTs, see `Idempotency`.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from pydantic import BaseModel
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import JSONResponse

from api.made_here import made_here
from perdure.db.models import IdempotencyKeyRow
from perdure.domain.tokens import derive_key
from perdure.errors import FieldError, IdempotencyConflictError, InvalidInputError
from perdure.secret_key import load_secret_key
from perdure.settings import Settings

REPLAY_HEADERS: Mapping[str, str] = {"Idempotent-Replay": "true"}

_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]{1,255}")


async def claim(
    session: AsyncSession,
    organisation_id: str,
    key: str,
    request_sha256: str,
    operation_id: str | None = None,
) -> IdempotencyKeyRow | None:
    """Take the key for this transaction: None means it is mine now, a row is what it was used for before.

    A racing transaction with the same key waits here until the first one ends: after its commit it gets the
    row, after its rollback it gets the key. Raises `IdempotencyConflictError` for another request.
    """
    taken = await session.scalar(
        insert(IdempotencyKeyRow)
        .values(
            organisation_id=organisation_id,
            key=key,
            request_sha256=request_sha256,
            operation_id=operation_id,
        )
        .on_conflict_do_nothing(index_elements=["organisation_id", "key"])
        .returning(IdempotencyKeyRow.key)
    )
    if taken is not None:
        return None
    row = await session.scalar(
        select(IdempotencyKeyRow).where(
            IdempotencyKeyRow.organisation_id == organisation_id, IdempotencyKeyRow.key == key
        )
    )
    if row is None:
        # Swept between the two statements: the key is free again.
        return await claim(session, organisation_id, key, request_sha256, operation_id)
    if row.request_sha256 != request_sha256:
        detail = (
            "This Idempotency-Key was used before with another request; send the same request to get its "
            "answer again, or take a new key."
        )
        raise IdempotencyConflictError(detail)
    return row


async def settle(
    session: AsyncSession,
    organisation_id: str,
    key: str,
    *,
    response: dict[str, Any],
) -> None:
    """Record what the claimed key led to, in the same transaction. Never give it a secret."""
    await session.execute(
        update(IdempotencyKeyRow)
        .where(IdempotencyKeyRow.organisation_id == organisation_id, IdempotencyKeyRow.key == key)
        .values(response=response)
    )


def fingerprint(method: str, path: str, body: BaseModel | bytes | None, *, query: str = "") -> str:
    """SHA-256 that stands for a request; two spellings of the same JSON are the same request."""
    if isinstance(body, BaseModel):
        content = json.dumps(body.model_dump(mode="json"), sort_keys=True, separators=(",", ":")).encode()
    else:
        content = body or b""
    digest = hashlib.sha256(f"{method} {path}?{query}\n".encode())
    digest.update(content)
    return digest.hexdigest()


def keyed_digest(settings: Settings, purpose: str, content: Mapping[str, Any]) -> bytes:
    """What stands for a request that carries a secret: a plain hash would let a short one be guessed."""
    key = derive_key(load_secret_key(settings), f"idempotency of {purpose}")
    return hmac.digest(key, json.dumps(content, sort_keys=True).encode(), hashlib.sha256)


async def idempotency_key(
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="1 to 255 visible ASCII characters. The same key and request have one effect.",
            json_schema_extra={"pattern": f"^{_VISIBLE_ASCII.pattern}$"},
        ),
    ] = None,
) -> str | None:
    """Dependency that reads and checks the header."""
    if key is not None and not _VISIBLE_ASCII.fullmatch(key):
        detail = "Idempotency-Key must be 1 to 255 visible ASCII characters; a UUID is a good one."
        raise InvalidInputError(detail, [FieldError("/header/Idempotency-Key", detail)])
    return key


IdempotencyKey = Annotated[str | None, Depends(idempotency_key)]


class Idempotency:
    """The key of one request that is not an operation.

    async with database.transaction(organisation_id) as session:
        if (before := await idempotency.replay(session, organisation_id, body)) is not None:
            return before
        …
        await idempotency.remember(session, organisation_id, thing.model_dump(mode="json"))
    """

    def __init__(self, request: Request, key: IdempotencyKey) -> None:
        self._request, self._key = request, key

    async def replay(
        self, session: AsyncSession, organisation_id: str, body: BaseModel | bytes | None
    ) -> JSONResponse | None:
        """The first answer again (200, `Idempotent-Replay: true`); None when the work is to be done now."""
        if self._key is None:
            return None
        request = self._request
        sha256 = fingerprint(request.method, request.url.path, body, query=request.url.query)
        row = await claim(session, organisation_id, self._key, sha256)
        if row is None:
            return None
        return JSONResponse(row.response or {}, headers=dict(REPLAY_HEADERS))

    async def remember(self, session: AsyncSession, organisation_id: str, response: dict[str, Any]) -> None:
        """Store the answer, without secrets, in the transaction that did the work."""
        if self._key is not None:
            await settle(session, organisation_id, self._key, response=response)


IdempotentRequest = Annotated[Idempotency, made_here(Idempotency)]
