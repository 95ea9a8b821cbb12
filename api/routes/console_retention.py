"""Console: for how long the organisation keeps what. The rules are those of the API's own routes, which these call."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import Response

from api.actors import ActorDependency
from api.dependencies import DatabaseDependency, Principal, require
from api.routes import retention
from api.routes.console_pages import ConsoleRoute, Pages, Shown
from perdure.domain.retention import DataKind
from perdure.errors import PerdureError
from perdure.schemas.retention import RetentionUpdate

router = APIRouter(prefix="/settings/retention", route_class=ConsoleRoute, include_in_schema=False)

Admin = Annotated[Principal, require("organisation:write")]


async def _page(pages: Pages, caller: Principal, **context: Any) -> Response:
    shown: dict[str, Any] = {"fault": None, "given": {}, **context}
    read = await retention.read_retention(caller, pages.database)
    return await pages.inside(
        "settings_retention.html",
        caller,
        "retention",
        http_status=422 if shown["fault"] else 200,
        rules=[rule.model_dump(mode="json") for rule in read.rules],
        **shown,
    )


@router.get("")
async def show_retention(pages: Shown, caller: Admin) -> Response:
    """The rules."""
    return await _page(pages, caller)


@router.post("")
async def change_retention(
    request: Request, pages: Shown, caller: Admin, database: DatabaseDependency, actor: ActorDependency
) -> Response:
    """Change them; what is empty is kept for as long as the organisation."""
    form = await request.form()
    given = {kind.value: str(form[kind.value]).strip() for kind in DataKind if kind.value in form}
    try:
        body = RetentionUpdate.model_validate({"rules": {kind: days or None for kind, days in given.items()}})
        await retention.update_retention(body, caller, database, actor)
    except ValidationError:
        fault = "Enter whole days, like 30, or nothing."
        return await _page(pages, caller, fault=fault, given=given)
    except PerdureError as error:
        return await _page(pages, caller, fault=str(error), given=given)
    return pages.redirect("/settings/retention", "retention-changed")
