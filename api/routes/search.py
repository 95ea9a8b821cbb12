"""`/api/v1/search`: a question in, passages with their places out."""

from typing import Annotated

from fastapi import APIRouter, Request

from api.dependencies import Principal, require
from api.problems import problem_responses
from perdure.db.search_service import SearchService
from perdure.schemas.search import SearchAnswer, SearchRequest

router = APIRouter(prefix="/api/v1/search", tags=["search"])


@router.post("", responses=problem_responses(404, 409, 502))
async def search(
    body: SearchRequest, caller: Annotated[Principal, require("search:read")], request: Request
) -> SearchAnswer:
    """Find the passages that answer a query, by meaning and by words. Answers directly."""
    service: SearchService = request.app.state.search
    return await service.search(caller.organisation_id, body)
