"""Receipts of erasures, for whoever was given the address: the erased cannot log in to ask."""

import jwt

from perdure.db.erasure_repository import ErasureRepository
from perdure.db.models import ErasureRow, OperationRow
from perdure.db.operation_repository import OperationRepository
from perdure.db.session import Database
from perdure.domain.signatures import receipt_signer
from perdure.errors import NotFoundError
from perdure.schemas.operations import Subject
from perdure.schemas.privacy import ErasureReport, ReceiptRead

_AUDIENCE = "perdure-erasure"


class ErasureReceipts:
    """Makes the addresses, and answers them."""

    def __init__(self, database: Database, secret: bytes, public_url: str) -> None:
        self._database, self._secret, self._public_url = database, secret, public_url.rstrip("/")
        self._signer = receipt_signer(secret)

    def address(self, organisation_id: str, operation_id: str, base_url: str) -> str:
        """Where the receipt of an erasure is, or will be."""
        claims = {"aud": _AUDIENCE, "org": organisation_id, "op": operation_id}
        token = jwt.encode(claims, self._secret, algorithm="HS256")
        return f"{self._public_url or base_url.rstrip('/')}/api/v1/erasures/{token}"

    async def read(self, token: str) -> ReceiptRead:
        """The receipt, or how far it is."""
        try:
            claims = jwt.decode(token, self._secret, algorithms=["HS256"], audience=_AUDIENCE)
        except jwt.InvalidTokenError as error:
            raise NotFoundError("this is not the address of a receipt of ours: check it") from error
        organisation_id, operation_id = str(claims["org"]), str(claims["op"])
        async with self._database.transaction(organisation_id) as session:
            row = await ErasureRepository(session, organisation_id).get(operation_id)
            operation = await OperationRepository(session).get(operation_id)
        if row is None:
            if operation is None:
                raise NotFoundError(f"there is no erasure {operation_id}")
            return _to_begin(operation)
        return self._read(row)

    def _read(self, row: ErasureRow) -> ReceiptRead:
        receipt = row.receipt or {}
        return ReceiptRead(
            operation_id=row.operation_id,
            organisation_id=row.organisation_id,
            subject=Subject(type=row.subject_type, id=row.subject_id),
            status="running" if row.receipt is None else "completed",
            started_at=row.started_at,
            completed_at=row.completed_at,
            report=ErasureReport.model_validate(receipt["report"]) if receipt else None,
            signature=row.signature,
            verified=bool(receipt) and self._signer.is_ours(receipt, row.signature),
        )


def _to_begin(operation: OperationRow) -> ReceiptRead:
    """An erasure that no worker has begun yet."""
    return ReceiptRead(
        operation_id=operation.id,
        organisation_id=operation.organisation_id,
        subject=Subject(type=str(operation.subject_type), id=str(operation.subject_id)),
        status="running",
        started_at=operation.created_at,
        verified=False,
    )
