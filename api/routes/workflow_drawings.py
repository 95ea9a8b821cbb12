"""Drawings of definitions and executions, as SVG or Mermaid."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import Query
from fastapi.responses import Response

from api.workflow_library import read_definition
from perdure.domain.workflow_diagram import StepView, diagram
from perdure.domain.workflow_mermaid import mermaid

SVG, MERMAID = "image/svg+xml", "text/vnd.mermaid"
DrawingFormat = Annotated[Literal["svg", "mermaid"], Query(description="As which the drawing is given.")]
DRAWING: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The drawing.",
        "content": {SVG: {"schema": {"type": "string"}}, MERMAID: {"schema": {"type": "string"}}},
    }
}


async def drawn(
    definition: Mapping[str, Any], format: str, views: Mapping[str, StepView] | None = None
) -> Response:
    """A definition that was understood once, drawn."""
    understood = await asyncio.to_thread(read_definition, dict(definition))
    if format == "mermaid":
        return Response(mermaid(understood, views), media_type=f"{MERMAID}; charset=utf-8")
    return Response(await asyncio.to_thread(diagram, understood, views), media_type=SVG)
