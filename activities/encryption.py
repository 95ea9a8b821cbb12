"""Rotation of the keys of an organisation."""

from temporalio import activity

from activities.failures import failures
from perdure.db.audit_trail import AuditTrail
from perdure.db.data_key_repository import DataKeyRepository
from perdure.db.key_rotation import KeyRotation
from perdure.db.keyring import Keyring
from perdure.db.operation_repository import OperationRepository
from perdure.db.sealed_columns import SEALED_COLUMNS, SealedColumn
from perdure.db.session import Transaction
from perdure.domain.audit import Action, Actor, ActorKind
from perdure.errors import NotFoundError
from perdure.schemas.encryption import (
    KeyRotationJob,
    NewDataKey,
    ReencryptedPage,
    ReencryptJob,
    RewrappedKeys,
    RotateKeysResult,
    SealedPosition,
)
from perdure.schemas.operations import Subject

PAGE_VALUES = 200


class EncryptionActivities:
    """Side effects of a rotation. Each is safe to run twice: what is done is recognised by the key it is under."""

    def __init__(self, transaction: Transaction, keyring: Keyring) -> None:
        self._transaction, self._keyring = transaction, keyring

    @activity.defn
    async def make_data_key(self, job: KeyRotationJob) -> NewDataKey:
        """Make the key that seals from now on. A second run finds the one that this operation made."""
        with failures():
            async with self._transaction(job.organisation_id) as session:
                rotation = KeyRotation(session, job.organisation_id, self._keyring)
                key_id = await rotation.make_key(job.operation_id)
                return NewDataKey(data_key_id=key_id, remaining=await rotation.remaining())

    @activity.defn
    async def rewrap_data_keys(self, job: KeyRotationJob) -> RewrappedKeys:
        """Put all data keys under the current master key. A second run finds them there."""
        with failures():
            async with self._transaction(job.organisation_id) as session:
                rotation = KeyRotation(session, job.organisation_id, self._keyring)
                return RewrappedKeys(count=await rotation.rewrap())

    @activity.defn
    async def reencrypt_page(self, job: ReencryptJob) -> ReencryptedPage:
        """Seal up to 200 values with the new key, in one transaction. A second run passes them over."""
        with failures():
            column = _column(job.position)
            if column is None:
                return ReencryptedPage(count=0)
            position = job.position
            after_id = position.after_id if position and position.column == column.name else ""
            async with self._transaction(job.organisation_id) as session:
                rotation = KeyRotation(session, job.organisation_id, self._keyring)
                page = await rotation.reencrypt(column, after_id, PAGE_VALUES)
                done = job.done + page.count + len(page.unreadable)
                await OperationRepository(session).record_progress(
                    job.operation_id, done, max(done, job.total)
                )
            return ReencryptedPage(
                count=page.count, unreadable=list(page.unreadable), position=_next(column, page.last_id)
            )

    @activity.defn
    async def retire_data_keys(self, job: KeyRotationJob) -> RotateKeysResult:
        """Retire the keys that seal nothing any more. A second run finds them retired."""
        with failures():
            async with self._transaction(job.organisation_id) as session:
                retirement = await KeyRotation(session, job.organisation_id, self._keyring).retire()
                active = await DataKeyRepository(session, job.organisation_id).active()
                if active is None:
                    raise NotFoundError("the organisation was deleted, and its keys with it")
                await AuditTrail(session, job.organisation_id).record_once(
                    Action.KEYS_ROTATED,
                    Actor(ActorKind.SYSTEM, job.operation_id),
                    subject=Subject(type="data_key", id=active.id),
                    details={"operation_id": job.operation_id, "retired": retirement.retired},
                )
            return RotateKeysResult(
                data_key_id=active.id,
                reencrypted=0,
                retired=retirement.retired,
                still_needed=list(retirement.still_needed),
            )


def _column(position: SealedPosition | None) -> SealedColumn | None:
    """Where to go on: a column that this version does not have is passed over."""
    wanted = position.column if position else ""
    return next((column for column in SEALED_COLUMNS if column.name >= wanted), None)


def _next(column: SealedColumn, last_id: str | None) -> SealedPosition | None:
    if last_id is not None:
        return SealedPosition(column=column.name, after_id=last_id)
    following = next((each for each in SEALED_COLUMNS if each.name > column.name), None)
    return SealedPosition(column=following.name) if following else None
