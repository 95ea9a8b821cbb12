"""Temporal's test server, which skips the time that workflows wait."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

_SERVER = Path(__file__).parents[1] / ".tools" / "test-server" / "run"
_ATTRIBUTES = ("PerdureOrg", "PerdureKind", "PerdureStatus", "PerdureSubject")


@asynccontextmanager
async def time_skipping() -> AsyncIterator[WorkflowEnvironment]:
    """A server that knows our search attributes."""
    if not _SERVER.exists():
        pytest.fail("no time-skipping server: `make tools` fetches it")
    async with await _started() as environment:
        keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
        await environment.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                namespace="default", search_attributes=dict.fromkeys(_ATTRIBUTES, keyword)
            )
        )
        yield environment


async def _started(attempts: int = 4) -> WorkflowEnvironment:
    """The SDK gives it five seconds, which a busy machine may need more than once."""
    for left in reversed(range(attempts)):
        try:
            return await WorkflowEnvironment.start_time_skipping(
                test_server_existing_path=str(_SERVER), data_converter=pydantic_data_converter
            )
        except RuntimeError:
            if not left:
                raise
    raise AssertionError
