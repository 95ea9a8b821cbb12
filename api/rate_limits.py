"""Which limit binds a request, and what its answer says about that.

Who is logged in is counted by `dependencies.authenticate`; what needs no log-in, and a log-in that fails, by address
(`limit_open_routes`, a dependency of the whole application).
"""

import math
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute

from api.rate_limiter import RateLimiter
from perdure.domain.login_limits import address_subject
from perdure.domain.rate_limits import RatePolicy, RouteClass, Verdict
from perdure.errors import QuotaExceededError

# Load balancers and Prometheus ask often, from anywhere.
_UNLIMITED = re.compile(r"/health(?:/\w+)?|/metrics")
_LOG_IN = re.compile(r"/api/v1/auth/(?:register|login|refresh|logout)|/(?:register|login|logout)")
_DECODE = re.compile(r"/codec/(?:de|en)code")
_SEARCH = re.compile(r"/api/v1/search|/search")
_UPLOAD = re.compile(r"/api/v1/documents(?:/batch)?")
# What a tool does is a request of its own, and counts as that.
_TOOLS = "/mcp"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def class_for_caller(method: str, path: str) -> RouteClass:
    """What someone who is logged in asks for."""
    if _SEARCH.fullmatch(path):
        return RouteClass.SEARCH
    if _DECODE.fullmatch(path):
        return RouteClass.DECODE
    if method in _SAFE_METHODS or path == _TOOLS:
        return RouteClass.READ
    return RouteClass.UPLOAD if _UPLOAD.fullmatch(path) else RouteClass.WRITE


def class_for_address(method: str, path: str) -> RouteClass:
    """What someone asks for of whom only the address is known."""
    logs_in = method not in _SAFE_METHODS and _LOG_IN.fullmatch(path)
    return RouteClass.AUTH if logs_in else RouteClass.OPEN


def whole_seconds(wait: timedelta) -> int:
    """Seconds to wait, rounded so that nobody comes back too early."""
    return math.ceil(wait / timedelta(seconds=1))


def fields_of(verdict: Verdict) -> dict[str, str]:
    """`RateLimit` and `RateLimit-Policy`, structured fields as in draft-ietf-httpapi-ratelimit-headers-10.

    A refusal says `Retry-After` too, also where the console shows it as a page.
    """
    policy = verdict.policy
    later = {} if verdict.allowed else {"Retry-After": str(whole_seconds(verdict.wait))}
    return later | {
        "RateLimit-Policy": f'"{policy.name}";q={policy.quota};w={whole_seconds(policy.window)}',
        "RateLimit": f'"{policy.name}";r={verdict.remaining};t={whole_seconds(verdict.wait)}',
    }


class RateLimits:
    """Finds policy and count of a request. Raises `QuotaExceededError`."""

    def __init__(self, limiter: RateLimiter, policies: Mapping[RouteClass, RatePolicy]) -> None:
        self._limiter, self._policies = limiter, policies

    def by_caller(self, request: Request, organisation_id: str, actor_id: str) -> None:
        """Count for a user or an API key."""
        kind = class_for_caller(request.method, request.url.path)
        self._admit(request, kind, f"{organisation_id}/{actor_id}")

    def by_address(self, request: Request, address: str) -> None:
        """Count for an IPv4 address or an IPv6 network."""
        kind = class_for_address(request.method, request.url.path)
        self._admit(request, kind, address_subject(address))

    def _admit(self, request: Request, kind: RouteClass, who: str) -> None:
        policy = self._policies.get(kind)
        if policy is None:
            return
        verdict = self._limiter.admit(who, policy)
        request.state.rate_verdict = verdict
        if not verdict.allowed:
            detail = (
                f"More than {policy.quota} requests of the class '{policy.name}' in "
                f"{whole_seconds(policy.window)} seconds; try again in {whole_seconds(verdict.wait)} s and "
                "send them more slowly. The header RateLimit tells how many are left. An operator may raise the "
                "limit with PERDURE_RATE_LIMITS."
            )
            raise QuotaExceededError(detail, verdict.wait, policy.name)

    async def aclose(self) -> None:
        """See `RateLimiter`."""
        await self._limiter.aclose()


def authenticates(route: APIRoute, authenticate: Any) -> bool:
    """Whether a route asks who its caller is."""
    waiting = [route.dependant]
    while waiting:
        dependant = waiting.pop()
        if dependant.call is authenticate:
            return True
        waiting.extend(dependant.dependencies)
    return False


def is_limited(path: str) -> bool:
    """Whether requests for a path are counted at all."""
    return _UNLIMITED.fullmatch(path) is None
