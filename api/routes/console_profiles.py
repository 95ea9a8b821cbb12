"""Console: who is spoken of, and what is known of one of them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.pagination import PageParameters, decode_cursor
from api.routes import profiles
from api.routes.console_memories import CursorField, NameField, Reader, spaces_of
from api.routes.console_memory_graph import draw, numbered
from api.routes.console_memory_views import KIND_LOOKS, RELATION_TONES, relation_views
from api.routes.console_pages import PAGE_SIZE, ConsoleRoute, Shown, query_string
from perdure.schemas.documents import SpaceName
from perdure.schemas.memories import RelatedMemory
from perdure.schemas.profiles import ProfileRead, ProfileRelation

router = APIRouter(prefix="/memories/profiles", route_class=ConsoleRoute, include_in_schema=False)

SpaceField = Annotated[SpaceName, Query()]


@router.get("")
async def show_profiles(
    *,
    pages: Shown,
    caller: Reader,
    space: SpaceField = "default",
    subject: NameField = "",
    cursor: CursorField = "",
) -> Response:
    """Names by the alphabet; with a `subject`, the profile. In a path, a name with slashes would be several."""
    if subject:
        read = await profiles.get_profile(subject, caller, pages.database, space)
        return await pages.inside("memories_profile.html", caller, "memories", **shown(read))
    page = PageParameters(after=decode_cursor(cursor) if cursor else None, limit=PAGE_SIZE)
    listed = await profiles.get_profiles(caller, pages.database, page, space)
    return await pages.inside(
        "memories_profiles.html",
        caller,
        "memories",
        tab="profiles",
        space=space,
        spaces=await spaces_of(pages, caller),
        profiles=listed.items,
        first_url="/memories/profiles" + query_string(space=space),
        next_url="/memories/profiles" + query_string(space=space, cursor=listed.next_cursor)
        if listed.next_cursor
        else None,
        is_first_page=not cursor,
    )


def shown(profile: ProfileRead) -> dict[str, Any]:
    """What the page of a profile is given."""
    related = [_related(relation) for relation in profile.relations]
    relations = relation_views(related, numbered(related))
    return {
        "tab": "profiles",
        "profile": profile,
        "looks": KIND_LOOKS,
        "is_empty": not (profile.facts or profile.preferences or profile.recent),
        "relations": relations,
        "relation_tones": RELATION_TONES,
        "graph_names": {relation.related.id: relation.name for relation in reversed(relations)},
        "graph": draw(related, {}) if related else None,
        "graph_centre": _initials(profile.subject),
    }


def _related(relation: ProfileRelation) -> RelatedMemory:
    """As the neighbour of whom the profile is about."""
    return RelatedMemory(
        id=relation.memory_id,
        relation=relation.relation,
        direction=relation.direction,
        weight=relation.score,
        content=relation.content,
        speaker=None,
    )


def _initials(name: str) -> str:
    return "".join(word[0] for word in name.split()[:2]).upper() or "?"
