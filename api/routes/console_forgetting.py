"""Console: forget memories for good. First what would go is shown, then it goes, then the receipt is shown."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Path, Query, Request
from pydantic import ValidationError
from starlette.responses import Response

from api.actors import ActorDependency
from api.dependencies import OperationsDependency, Principal
from api.made_here import made_here
from api.routes import memories
from api.routes.console_memories import Reader, Writer, people_of, spaces_of
from api.routes.console_memory_views import MemoryView, without_empty
from api.routes.console_pages import ConsoleRoute, Pages, Shown, fault_of, is_partial
from perdure.db.memory_acceptance import FORGET_KIND
from perdure.domain.ids import ID_PATTERN
from perdure.errors import InvalidInputError, NotFoundError
from perdure.schemas.memories import ForgetCreate, ForgetPreview, ForgetResult
from perdure.schemas.operations import TERMINAL, OperationStatus

router = APIRouter(prefix="/memories/forget", route_class=ConsoleRoute, include_in_schema=False)

By = Literal["subject", "query", "text", "ids"]
_DEFAULT_SPACE = "default"
_EMPTY: dict[By, str] = {
    "subject": "Say whom or what it is about.",
    "query": "Say what to look for.",
    "text": "Enter the text, exactly as it was said.",
    "ids": "Enter the ids of memories, one on each line.",
}


class Choice:
    """What a form says is to be forgotten."""

    def __init__(
        self,
        by: Annotated[By, Form()] = "subject",
        what: Annotated[str, Form()] = "",
        space: Annotated[str, Form()] = "",
        reason: Annotated[str, Form()] = "",
    ) -> None:
        self.by, self.what, self.space = by, what.replace("\r\n", "\n").strip(), space.strip()
        self.reason = reason.strip()

    def body(self, ids: list[str] | None = None) -> ForgetCreate:
        """As the API takes it; what a query found is forgotten by its ids, so that nothing else goes."""
        if ids is not None:
            chosen: dict[str, Any] = {"ids": ids}
        elif self.by == "ids":
            chosen = {"ids": self.what.split()}
        else:
            chosen = {self.by: self.what}
        space = self.space or _DEFAULT_SPACE
        return without_empty(ForgetCreate, **chosen, space=space, reason=self.reason)


async def _page(
    pages: Pages,
    caller: Principal,
    choice: Choice,
    *,
    fault: str | None = None,
    preview: ForgetPreview | None = None,
) -> Response:
    space = choice.space or _DEFAULT_SPACE
    return await pages.inside(
        "memories_forget.html",
        caller,
        "memories",
        http_status=422 if fault else 200,
        tab="forget",
        by=choice.by,
        what=choice.what,
        reason=choice.reason,
        space=space,
        spaces=await spaces_of(pages, caller),
        people=await people_of(pages, caller, space),
        fault=fault,
        preview=preview,
        views=[MemoryView(memory) for memory in preview.items] if preview else [],
    )


@router.get("")
async def show_forgetting(
    pages: Shown,
    caller: Writer,
    subject: Annotated[str, Query(max_length=200)] = "",
    space: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """The form; a link may say whom it is about."""
    return await _page(pages, caller, Choice(what=subject, space=space))


@router.get("/preview")
async def begin_again(pages: Shown, caller: Writer) -> Response:
    """The address of a preview, loaded again: what it was of is not known any more."""
    return pages.redirect("/memories/forget")


@router.post("/preview")
async def preview(
    request: Request, pages: Shown, caller: Writer, choice: Annotated[Choice, made_here(Choice)]
) -> Response:
    """What would go. It is sent, not asked for by an address: what is to be forgotten should stand in no history."""
    if not choice.what:
        return await _page(pages, caller, choice, fault=_EMPTY[choice.by])
    try:
        found = await memories.preview_forgetting(choice.body(), caller, request, pages.database)
    except ValidationError as error:
        return await _page(pages, caller, choice, fault=fault_of(error))
    except (InvalidInputError, NotFoundError) as error:
        return await _page(pages, caller, choice, fault=str(error))
    return await _page(pages, caller, choice, preview=found)


@router.post("")
async def forget(
    *,
    request: Request,
    pages: Shown,
    caller: Writer,
    operations: OperationsDependency,
    actor: ActorDependency,
    choice: Annotated[Choice, made_here(Choice)],
    ids: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Forget it, and show the receipt."""
    if not choice.what and not ids:
        return await _page(pages, caller, choice, fault=_EMPTY[choice.by])
    try:
        body = choice.body(ids if choice.by == "query" else None)
        operation = await memories.forget_memories(
            body, request, Response(), caller, None, operations, actor, wait=True
        )
    except ValidationError as error:
        return await _page(pages, caller, choice, fault=fault_of(error))
    except (InvalidInputError, NotFoundError) as error:
        return await _page(pages, caller, choice, fault=str(error))
    return pages.redirect(f"/memories/forget/{operation.id}")


@router.get("/{operation_id}")
async def show_receipt(
    operation_id: Annotated[str, Path(pattern=ID_PATTERN)],
    request: Request,
    pages: Shown,
    caller: Reader,
    operations: OperationsDependency,
) -> Response:
    """What went. One that failed, and an operation of another kind, have a page of their own."""
    operation = await operations.get(caller.organisation_id, operation_id)
    ended = operation.status in TERMINAL
    if operation.kind != FORGET_KIND or (ended and operation.status is not OperationStatus.COMPLETED):
        return pages.redirect(f"/operations/{operation_id}")
    if is_partial(request) and not ended:
        return Response(status_code=204)
    return await pages.inside(
        "memories_forgotten.html",
        caller,
        "memories",
        tab="forget",
        operation=operation,
        receipt=ForgetResult.model_validate(operation.result) if operation.result else None,
    )
