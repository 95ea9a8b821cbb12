"""A client of the HTTP API, for the command line and the demo."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from perdure.errors import PerdureError, UnavailableError
from perdure.schemas.documents import DocumentRead
from perdure.schemas.operations import TERMINAL, OperationRead, StepRead

API = "/api/v1"
_ATTEMPTS = 5
_TRY_AGAIN = frozenset({429, 502, 503, 504})
_FIRST_POLL_S = 0.1
_LONGEST_POLL_S = 1.0
_LONGEST_WAIT_S = 10.0

Json = dict[str, Any]


class ApiProblemError(PerdureError):
    """The API refused: what its problem+json says."""

    def __init__(self, code: int, body: Mapping[str, Any]) -> None:
        detail = str(body.get("detail") or body.get("title") or f"HTTP {code}")
        fields = [field for field in body.get("errors") or () if isinstance(field, dict)]
        lines = [f"  {field.get('pointer')}: {field.get('detail')}" for field in fields]
        super().__init__("\n".join([detail, *lines]))
        self.code = code
        self.body = {"status": code, **body}


class ApiClient:
    """Use as an async context manager. A POST carries a key of its own, so that trying again is safe."""

    def __init__(
        self,
        url: str,
        api_key: str,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        attempts: int = _ATTEMPTS,
    ) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self.url = url.rstrip("/")
        self._attempts = attempts
        self._http = httpx.AsyncClient(
            base_url=self.url,
            headers=headers,
            transport=transport,
            timeout=httpx.Timeout(60.0, connect=5.0),
            trust_env=False,
        )

    async def __aenter__(self) -> "ApiClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def call(self, method: str, path: str, **options: Any) -> Json:
        """Send a request below `/api/v1` and return its JSON; ApiProblemError when it is refused."""
        answer = await self._send(method, path, lambda: options)
        return self._json(answer)

    async def _send(
        self, method: str, path: str, make_options: Callable[[], dict[str, Any]]
    ) -> httpx.Response:
        headers = {"Idempotency-Key": uuid4().hex} if method == "POST" else {}
        wait_s = 0.2
        for attempt in range(1, self._attempts + 1):
            last = attempt == self._attempts
            try:
                answer = await self._http.request(method, API + path, headers=headers, **make_options())
            except httpx.TransportError as error:
                if last:
                    msg = f"Perdure does not answer at {self.url}: is it running? (`make run`) {error}"
                    raise UnavailableError(msg) from error
            else:
                if last or answer.status_code not in _TRY_AGAIN:
                    return answer
                wait_s = max(wait_s, _retry_after_s(answer))
            await asyncio.sleep(min(wait_s, _LONGEST_WAIT_S))
            wait_s *= 2
        raise AssertionError  # the last attempt returns or raises

    @staticmethod
    def _json(answer: httpx.Response) -> Json:
        if answer.status_code == httpx.codes.NO_CONTENT:
            return {}
        try:
            body = answer.json()
        except json.JSONDecodeError:
            body = {
                "detail": f"HTTP {answer.status_code} with an answer that is not JSON: {answer.text[:200]}"
            }
            raise ApiProblemError(answer.status_code, body) from None
        if answer.is_error:
            raise ApiProblemError(
                answer.status_code, body if isinstance(body, dict) else {"detail": str(body)}
            )
        return body if isinstance(body, dict) else {"items": body}

    async def upload(self, path: Path, fields: Mapping[str, str]) -> OperationRead:
        """Start ingesting a file; returns the operation."""
        return await self.send_file("/documents", path, fields)

    async def send_file(self, target: str, path: Path, fields: Mapping[str, str]) -> OperationRead:
        """Post a file with some fields; returns the operation."""

        with ExitStack() as opened:

            def options() -> dict[str, Any]:
                # Opened again for each attempt: a broken one has read a part.
                file = opened.enter_context(path.open("rb"))
                return {"data": dict(fields), "files": {"file": (path.name, file)}}

            answer = await self._send("POST", target, options)
        return OperationRead.model_validate(self._json(answer))

    async def download(self, source: str, path: Path, *, accept: str = "*/*", **parameters: str) -> int:
        """Write what a path answers into a file; how many bytes that were."""
        headers = {"Accept": accept}
        async with self._http.stream("GET", API + source, params=parameters, headers=headers) as answer:
            if answer.is_error:
                await answer.aread()
                self._json(answer)
            with path.open("wb") as file:
                async for data in answer.aiter_bytes():
                    file.write(data)
                return file.tell()

    async def download_link(self, link: str, path: Path) -> int:
        """Write what a signed link leads to into a file; how many bytes that were. The key is not sent along."""
        async with (
            httpx.AsyncClient(base_url=self.url, timeout=60.0, trust_env=False) as http,
            http.stream("GET", link) as answer,
        ):
            if answer.is_error:
                raise ApiProblemError(
                    answer.status_code, {"detail": f"the link answered {answer.status_code}"}
                )
            with path.open("wb") as file:
                async for data in answer.aiter_bytes():
                    file.write(data)
                return file.tell()

    async def operation(self, operation_id: str) -> OperationRead:
        """Read an operation."""
        return OperationRead.model_validate(await self.call("GET", f"/operations/{operation_id}"))

    async def steps(self, operation_id: str) -> list[StepRead]:
        """Read the steps of an operation."""
        answer = await self.call("GET", f"/operations/{operation_id}/steps")
        return [StepRead.model_validate(step) for step in answer["items"]]

    async def follow(self, operation_id: str) -> AsyncIterator[OperationRead]:
        """The operation now, and again after each while, until it has ended."""
        wait_s = _FIRST_POLL_S
        while True:
            operation = await self.operation(operation_id)
            yield operation
            if operation.status in TERMINAL:
                return
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 1.5, _LONGEST_POLL_S)

    async def document(self, document_id: str) -> DocumentRead:
        """Read a document."""
        return DocumentRead.model_validate(await self.call("GET", f"/documents/{document_id}"))

    async def find_document(self, space: str, external_id: str) -> DocumentRead | None:
        """The document of this external id."""
        answer = await self.call("GET", "/documents", params={"space": space, "external_id": external_id})
        return DocumentRead.model_validate(answer["items"][0]) if answer["items"] else None

    async def search(self, query: str, **options: Any) -> Json:
        """Search; returns `{"items": [...], "took_ms": …}`."""
        return await self.call("POST", "/search", json={"query": query, **options})


def _retry_after_s(answer: httpx.Response) -> float:
    try:
        return float(answer.headers.get("Retry-After", "0"))
    except ValueError:
        return 0.0
