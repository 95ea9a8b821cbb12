"""Console: exports and erasure of people's data. The rules are those of the API's own routes, which these call."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Query, Request
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from api.actors import ActorDependency
from api.dependencies import (
    Caller,
    ContentLinksDependency,
    OperationsDependency,
    Principal,
    ReceiptsDependency,
)
from api.pagination import MAX_LIMIT, PageParameters
from api.routes import members, privacy
from api.routes.console_pages import ConsoleRoute, Pages, Shown, is_partial
from api.routes.privacy import Owner, UserId, check_may_dispose
from perdure.db.identity_repository import IdentityRepository, Member
from perdure.db.operation_repository import OperationRepository
from perdure.domain.ids import ID_PATTERN
from perdure.domain.roles import Scope
from perdure.errors import ConflictError, InvalidInputError, NotFoundError
from perdure.schemas.operations import TERMINAL, OperationRead
from perdure.schemas.privacy import (
    Amounts,
    ErasureStarted,
    ExportRead,
    OrganisationErasureCreate,
    ReceiptRead,
    SubjectType,
)

router = APIRouter(prefix="/settings/privacy", route_class=ConsoleRoute, include_in_schema=False)
receipt = APIRouter(prefix="/receipt", route_class=ConsoleRoute, include_in_schema=False)

_ALL = PageParameters(limit=MAX_LIMIT)
# Exports in work that the page looks for among the newest of their kind.
_NEWEST = 50
_EXPORT_KIND = "export_user_data"


@dataclass(frozen=True)
class ExportView:
    """An archive, or an export that is still in work."""

    whose: str
    operation_id: str
    export: ExportRead | None


@router.get("")
async def show_privacy(
    pages: Shown, caller: Caller, request: Request, operations: OperationsDependency
) -> Response:
    """What can be done with whose data, and the archives that can be had."""
    return await _page(pages, caller, operations)


async def _page(
    pages: Pages, caller: Principal, operations: OperationsDependency, fault: str | None = None
) -> Response:
    is_owner = Scope.PRIVACY_WRITE in caller.scopes
    listed = await members.list_members(_ALL, caller, pages.database) if is_owner else None
    exports = await _exports(pages, caller, operations)
    return await pages.inside(
        "settings_privacy.html",
        caller,
        "privacy",
        http_status=422 if fault else 200,
        fault=fault,
        is_owner=is_owner,
        others=[each for each in listed.items if each.user_id != caller.user_id] if listed else [],
        exports=exports,
        live=any(view.export is None for view in exports),
    )


async def _exports(pages: Pages, caller: Principal, operations: OperationsDependency) -> list[ExportView]:
    """Those in work first, then the archives, newest first."""
    done = (await privacy.list_exports(caller, pages.database, _ALL)).items
    async with pages.database.transaction(caller.organisation_id) as session:
        rows = await OperationRepository(session).list(kind=_EXPORT_KIND, limit=_NEWEST)
        opened = [read for row in rows if (read := operations.read(row)).status not in TERMINAL]
        mine = [operation for operation in opened if _may_see(caller, operation)]
        subjects = {each.subject for each in done} | {each.subject for each in mine if each.subject}
        names = {
            subject.id: await _name(IdentityRepository(session), caller, subject.type, subject.id)
            for subject in subjects
        }
    return [
        *(ExportView(names[each.subject.id], each.id, None) for each in mine if each.subject),
        *(ExportView(names[each.subject.id], each.id, each) for each in done),
    ]


def _may_see(caller: Principal, operation: OperationRead) -> bool:
    subject = operation.subject
    return subject is not None and (subject.id == caller.user_id or Scope.PRIVACY_WRITE in caller.scopes)


async def _name(identities: IdentityRepository, caller: Principal, kind: str, subject_id: str) -> str:
    if kind == SubjectType.ORGANISATION:
        return "The organisation"
    if subject_id == caller.user_id:
        return "You"
    member = await identities.member(caller.organisation_id, subject_id)
    return member.name if member else "A former member"


@router.post("/users/{user_id}/export")
async def export_user(
    user_id: UserId,
    request: Request,
    pages: Shown,
    caller: Caller,
    operations: OperationsDependency,
    actor: ActorDependency,
) -> Response:
    """Start an export of a person's data."""
    await privacy.export_user(user_id, request, Response(), caller, None, operations, actor)
    return pages.redirect("/settings/privacy", "export-started")


@router.post("/organisation/export")
async def export_organisation(
    request: Request,
    pages: Shown,
    caller: Owner,
    operations: OperationsDependency,
    actor: ActorDependency,
) -> Response:
    """Start an export of all of the organisation."""
    await privacy.export_organisation(request, Response(), caller, None, operations, actor)
    return pages.redirect("/settings/privacy", "export-started")


@router.get("/exports/{export_id}/download")
async def download_export(
    export_id: Annotated[str, Path(pattern=ID_PATTERN)],
    request: Request,
    pages: Shown,
    caller: Caller,
    links: ContentLinksDependency,
    actor: ActorDependency,
) -> Response:
    """Go to the signed link that the API makes; to one of our own by its path, whatever `Host` says."""
    link = await privacy.read_export_content(export_id, request, caller, pages.database, links, actor)
    return RedirectResponse(link.url.removeprefix(str(request.base_url).rstrip("/")), status_code=303)


async def _person(pages: Pages, caller: Principal, user_id: str) -> Member:
    async with pages.database.transaction(caller.organisation_id) as session:
        member = await IdentityRepository(session).member(caller.organisation_id, user_id)
    if member is None:
        raise NotFoundError("The organisation has no such member; go back to the list.")
    check_may_dispose(caller, user_id)
    return member


async def _erasure_page(
    pages: Pages, caller: Principal, person: Member | None, fault: str | None = None
) -> Response:
    """The form that asks to type what is to go; without a person it is the organisation."""
    viewer = await pages.viewer(caller)
    return await pages.inside(
        "settings_erasure.html",
        caller,
        "privacy",
        http_status=422 if fault else 200,
        fault=fault,
        person=person,
        is_self=person is not None and person.user_id == caller.user_id,
        to_type=person.email if person else viewer.organisation,
        action=f"/settings/privacy/users/{person.user_id}/erasure"
        if person
        else "/settings/privacy/organisation/erasure",
    )


@router.get("/users/{user_id}/erasure")
async def show_user_erasure(user_id: UserId, pages: Shown, caller: Caller) -> Response:
    """What goes, what stays, and the field to confirm it."""
    return await _erasure_page(pages, caller, await _person(pages, caller, user_id))


@router.post("/users/{user_id}/erasure")
async def erase_user(
    *,
    user_id: UserId,
    request: Request,
    pages: Shown,
    caller: Caller,
    operations: OperationsDependency,
    receipts: ReceiptsDependency,
    actor: ActorDependency,
    typed: Annotated[str, Form()] = "",
) -> Response:
    """Erase a person's data, once their e-mail is typed."""
    person = await _person(pages, caller, user_id)
    if typed.strip().casefold() != person.email.casefold():
        return await _erasure_page(pages, caller, person, f"Type {person.email} to confirm that you mean it.")
    try:
        started = await privacy.erase_user(
            user_id, request, Response(), caller, None, operations, receipts, actor
        )
    except ConflictError as error:
        return await _erasure_page(pages, caller, person, str(error))
    return _started(pages, started, may_go_back=user_id != caller.user_id)


@router.get("/organisation/erasure")
async def show_organisation_erasure(pages: Shown, caller: Owner) -> Response:
    """What goes, what stays, and the field to confirm it."""
    return await _erasure_page(pages, caller, None)


@router.post("/organisation/erasure")
async def erase_organisation(
    *,
    request: Request,
    pages: Shown,
    caller: Owner,
    operations: OperationsDependency,
    receipts: ReceiptsDependency,
    actor: ActorDependency,
    typed: Annotated[str, Form()] = "",
) -> Response:
    """Erase the organisation, once its name is typed."""
    try:
        body = OrganisationErasureCreate(confirm=typed.strip())
        started = await privacy.erase_organisation(
            body, request, Response(), caller, None, operations, receipts, actor
        )
    except (ValidationError, InvalidInputError):
        fault = "Type the name of the organisation, exactly as it is, to confirm that you mean it."
        return await _erasure_page(pages, caller, None, fault)
    return _started(pages, started, may_go_back=False)


def _started(pages: Pages, started: ErasureStarted, *, may_go_back: bool) -> Response:
    """The address of the receipt. The page is not one of those behind the log-in, which may be gone by now."""
    token = started.receipt_url.rpartition("/")[2]
    return pages.outside(
        "erasure_started.html", receipt_url=started.receipt_url, token=token, may_go_back=may_go_back
    )


@receipt.get("")
async def show_receipt(
    request: Request,
    pages: Shown,
    receipts: ReceiptsDependency,
    token: Annotated[str, Query(max_length=1024)] = "",
) -> Response:
    """What became of an erasure, for whoever has its address."""
    read: ReceiptRead | None = None
    if token:
        read = await privacy.read_erasure_receipt(token, receipts)
        if is_partial(request) and read.report is None:
            return Response(status_code=204)
    return pages.outside(
        "erasure_receipt.html",
        receipt=read,
        token=token,
        gone=lines(read.report.gone) if read and read.report else [],
        receipt_url=f"/api/v1/erasures/{token}" if token else "",
    )


def lines(gone: Amounts) -> list[tuple[str, int]]:
    """What went, the most first, under names for people."""
    counts: dict[str, Any] = {name.replace("_", " "): count for name, count in gone.rows.items()}
    counts |= {f"files in {folder}": count for folder, count in gone.objects.items()}
    counts |= {"histories of operations": gone.histories}
    return sorted(((name, count) for name, count in counts.items() if count), key=lambda line: -line[1])
