"""`/api/v1/profiles`: what is known of somebody, in one read."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.dependencies import DatabaseDependency
from api.pagination import PageRequest, paginate
from api.problems import problem_responses
from api.routes.memories import Reader
from perdure.db.profiles import list_profiles, read_profile
from perdure.errors import NotFoundError
from perdure.schemas.base import Page
from perdure.schemas.documents import SpaceName
from perdure.schemas.profiles import ProfileRead, ProfileSummary

router = APIRouter(prefix="/api/v1/profiles", tags=["memories"])

SpaceQuery = Annotated[SpaceName, Query()]


@router.get("", responses=problem_responses())
async def get_profiles(
    caller: Reader, database: DatabaseDependency, page: PageRequest, space: SpaceQuery = "default"
) -> Page[ProfileSummary]:
    """Subjects and speakers of whom something is known, by name."""
    async with database.transaction(caller.organisation_id) as session:
        profiles = await list_profiles(session, space, after=page.after, limit=page.limit + 1)
    return paginate(profiles, page, read=lambda profile: profile, key=lambda profile: profile.subject)


# A name may have slashes in it.
@router.get("/{subject:path}", responses=problem_responses(404))
async def get_profile(
    subject: Annotated[
        str, Path(pattern=r"^[^\x00]{1,200}$", description="The name, as it was given as subject or speaker.")
    ],
    caller: Reader,
    database: DatabaseDependency,
    space: SpaceQuery = "default",
) -> ProfileRead:
    """Static facts, preferences, recent context and relations of one subject, as they are now."""
    async with database.transaction(caller.organisation_id) as session:
        profile = await read_profile(session, space, subject)
    if profile is None:
        raise NotFoundError("nothing is known of this name in this space: list GET /api/v1/profiles?space=…")
    return profile
