"""Anchors of audit trails in an object store: each process that writes some keeps one object a day for each trail."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from perdure.domain.audit_anchors import Anchor, AnchorSigner
from perdure.domain.ids import new_id
from perdure.errors import NotFoundError
from perdure.ports.storage import ObjectStore
from perdure.providers.obstore_object_store import ObstoreObjectStore
from perdure.secret_key import load_secret_key
from perdure.settings import Settings

FOLDER = "audit/anchors"
CUTS = "audit/cuts"
_READS_AT_ONCE = 16


@dataclass(frozen=True)
class KeptAnchors:
    """What the store holds for one trail. `forged` are objects that are not as we wrote them."""

    anchors: Sequence[Anchor] = ()
    forged: Sequence[str] = ()


@dataclass
class AuditAnchors:
    """Reads all anchors; writes those of this process, never over another one's."""

    objects: ObjectStore
    signer: AnchorSigner
    process: str = field(default_factory=lambda: new_id("anc"))

    @classmethod
    def of(cls, settings: Settings, objects: ObjectStore) -> "AuditAnchors":
        """In the configured place, or among the other objects."""
        if settings.audit_anchor_url:
            objects = ObstoreObjectStore.from_url(settings.audit_anchor_url)
        return cls(objects, AnchorSigner(load_secret_key(settings)))

    async def write(self, anchor: Anchor) -> None:
        """Put an anchor in the place of this process's earlier one of the same day."""
        day = datetime.now(UTC).date().isoformat()
        key = f"{FOLDER}/{anchor.organisation_id}/{day}-{self.process}.json"
        await self.objects.put(key, self.signer.seal(anchor))

    async def read(self, organisation_id: str) -> KeptAnchors:
        """All anchors of a trail."""
        keys = sorted([key async for key in self.objects.list(f"{FOLDER}/{organisation_id}")])
        limit = asyncio.Semaphore(_READS_AT_ONCE)

        async def opened(key: str) -> Anchor | None:
            async with limit:
                try:
                    anchor = self.signer.open(await self.objects.get(key))
                except NotFoundError:
                    return None
            return anchor if anchor is not None and anchor.organisation_id == organisation_id else None

        found = await asyncio.gather(*(opened(key) for key in keys))
        return KeptAnchors(
            anchors=[anchor for anchor in found if anchor is not None],
            forged=[key for key, anchor in zip(keys, found, strict=True) if anchor is None],
        )

    async def write_cut(self, cut: Anchor) -> None:
        """Note that a trail may begin after this event, before anything of it goes."""
        key = f"{CUTS}/{cut.organisation_id}/{cut.sequence:020}.json"
        await self.objects.put(key, self.signer.seal_cut(cut))

    async def cut(self, organisation_id: str) -> Anchor | None:
        """The last event of a trail that went for its age; None while all of it is there. Forged ones do not count."""
        keys = sorted([key async for key in self.objects.list(f"{CUTS}/{organisation_id}")], reverse=True)
        for key in keys:
            try:
                cut = self.signer.open_cut(await self.objects.get(key))
            except NotFoundError:
                continue
            if cut is not None and cut.organisation_id == organisation_id:
                return cut
        return None

    async def organisations(self) -> set[str]:
        """All organisations that ever had an anchor, those included whose trail is gone."""
        return {key.split("/")[2] async for key in self.objects.list(FOLDER)}
