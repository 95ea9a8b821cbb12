"""Dependencies made in the event loop: of itself, FastAPI sends a plain function, or a class, to a thread and back."""

import inspect
from collections.abc import Callable
from typing import Any

from fastapi import Depends


def made_here(make: Callable[..., object]) -> Any:
    """Dependency: what a function or a class makes of its own dependencies, in the event loop. It must not block."""

    async def made(**given: object) -> object:
        return make(**given)

    made.__signature__ = inspect.signature(make)  # type: ignore[attr-defined]  # where FastAPI looks
    return Depends(made)
