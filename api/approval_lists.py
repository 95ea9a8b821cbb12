"""Lists of approvals as routes answer them: page by page, or anew whenever they change."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from api.approval_people import names_of
from api.authentication import Principal
from api.pagination import PageParameters, encode_cursor
from perdure.db.approval_inbox import ApprovalInbox, DuePlace, InboxFilter, Waiting
from perdure.db.session import Database
from perdure.errors import FieldError, InvalidInputError
from perdure.schemas.approval_requests import ApprovalSummary
from perdure.schemas.base import Page

ME = "me"
POLL_S = 0.5
KEEP_ALIVE_S = 15.0
# Whoever listens comes back by themselves, and is asked again who they are.
LONGEST_S = 300.0


@dataclass(frozen=True)
class Listing:
    """What a caller wants to see. `assignee` and `requester` may be `me`."""

    database: Database
    caller: Principal
    wanted: InboxFilter
    assignee: str | None = None
    requester: str | None = None

    async def page(self, page: PageParameters) -> Page[ApprovalSummary]:
        """One page."""
        async with self.database.transaction(self.caller.organisation_id) as session:
            found, key = await self._found(session, page)
        now = datetime.now(UTC)
        shown = found[: page.limit]
        return Page(
            items=[one.read(now) for one in shown],
            next_cursor=encode_cursor(key(shown[-1])) if len(found) > len(shown) and shown else None,
        )

    async def changes(self, limit: int, stopping: asyncio.Event, seen: str) -> AsyncIterator[str]:
        """Server-sent events: the first page now, unless it was seen, and whenever it is another.

        An event's id stands for what the page says, so that who comes back is told what they have missed.
        """
        yield "retry: 1000\n\n"
        quiet, until = 0.0, asyncio.get_running_loop().time() + LONGEST_S
        while not stopping.is_set() and asyncio.get_running_loop().time() < until:
            page = await self.page(PageParameters(limit=limit))
            data = page.model_dump_json()
            digest = hashlib.sha256(data.encode()).hexdigest()[:32]
            if digest != seen:
                seen, quiet = digest, 0.0
                yield f"id: {digest}\nevent: inbox\ndata: {data}\n\n"
            elif quiet >= KEEP_ALIVE_S:
                quiet = 0.0
                yield ": still here\n\n"
            await asyncio.sleep(POLL_S)
            quiet += POLL_S

    async def _found(
        self, session: AsyncSession, page: PageParameters
    ) -> tuple[Sequence[Waiting], Callable[[Waiting], str]]:
        names = await names_of(session, self.caller) if ME in {self.assignee, self.requester} else ()
        requester = names[0] if self.requester == ME else self.requester
        wanted = replace(self.wanted, requester=requester)
        inbox, more = ApprovalInbox(session, self.caller.organisation_id), page.limit + 1
        if self.assignee is not None:
            people = names if self.assignee == ME else (self.assignee,)
            wanted = replace(wanted, people=people)
            return await inbox.waiting(wanted, after=_place(page.after), limit=more), _due
        if wanted.overdue is not None:
            return await inbox.open(wanted, after=_place(page.after), limit=more), _due
        return await inbox.newest(wanted, after=page.after, limit=more), _id


def _due(waiting: Waiting) -> str:
    return str(waiting.place)


def _id(waiting: Waiting) -> str:
    return waiting.row.id


def _place(after: str | None) -> DuePlace | None:
    place = DuePlace.read(after) if after is not None else None
    if after is not None and place is None:
        detail = "cursor is not one that this list returned; pass `next_cursor` unchanged, or leave it out."
        raise InvalidInputError(detail, [FieldError("/query/cursor", detail)])
    return place
