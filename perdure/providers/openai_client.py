"""The client of OpenAI's SDK, for OpenAI and for every server that speaks like it."""

from datetime import timedelta
from types import ModuleType
from typing import TYPE_CHECKING

from perdure.providers.public_only import public_client

if TYPE_CHECKING:
    from openai import AsyncOpenAI

# Servers without keys want something to stand there.
_NO_KEY = "none"


def openai_client(
    key: str, base_url: str | None, timeout: timedelta, *, public_only: bool
) -> tuple[ModuleType, "AsyncOpenAI"]:
    """The SDK, which is loaded now, and a client that tries nothing twice; without an address, for OpenAI itself."""
    import openai  # noqa: PLC0415  # a second, and 60 MB: for those who have a key

    client = openai.AsyncOpenAI(
        api_key=key or _NO_KEY,
        # Else it would be looked for in the environment of the process.
        base_url=base_url or "https://api.openai.com/v1",
        organization="",
        project="",
        timeout=timeout.total_seconds(),
        max_retries=0,
        http_client=public_client(openai) if public_only else None,
    )
    return openai, client
