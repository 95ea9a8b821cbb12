"""Who a request is recorded as in the audit trail."""

from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Request

from api import sessions
from api.authentication import Principal
from api.dependencies import Caller
from perdure.domain.audit import Actor, ActorKind


def actor_of(caller: Principal, request: Request) -> Actor:
    """The caller, and from where."""
    return replace(
        sessions.visitor(request),
        kind=ActorKind.API_KEY if caller.via == "api_key" else ActorKind.USER,
        id=caller.actor_id,
        person_id=caller.user_id,
    )


async def _actor(request: Request, caller: Caller) -> Actor:
    return actor_of(caller, request)


ActorDependency = Annotated[Actor, Depends(_actor)]
