"""Requests of workflows' steps, to a real server on the loopback interface that an operator has opened."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from activities.step_requests import MAX_CONTENT, requested
from perdure.errors import DocumentRejectedError, InvalidInputError, UpstreamError
from perdure.providers.public_http_caller import MAX_BODY, PublicHttpCaller
from perdure.schemas.workflow_executions import StepJob


@dataclass
class Program:
    """Another program: answers everything alike, and keeps what it was asked."""

    port: int = 0
    status: str = "200 OK"
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    body: bytes = b'{"taken": true}'
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {line.split(": ", 1)[0].lower(): line.split(": ", 1)[1] for line in head[1:] if line}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.asked.append((head[0], headers, body))
            lines = [f"HTTP/1.1 {self.status}", *(f"{name}: {said}" for name, said in self.headers.items())]
            lines += [f"Content-Length: {len(self.body)}", "Connection: close"]
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + self.body)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def program() -> AsyncIterator[Program]:
    program = Program()
    server = await asyncio.start_server(program.serve, "127.0.0.1", 0)
    program.port = server.sockets[0].getsockname()[1]
    yield program
    server.close()
    await server.wait_closed()


async def asks(
    program: Program,
    *,
    opened: bool = True,
    timeout_s: float = 30.0,
    secrets: Mapping[str, str] | None = None,
    **settings: Any,
) -> Any:
    """The output of an `http` step."""
    caller = PublicHttpCaller(f"127.0.0.1:{program.port}" if opened else "", timeout_s=timeout_s)
    job = StepJob(
        organisation_id="org_1",
        operation_id="op_1",
        execution_id="exe_1",
        step_id="tell",
        visit=2,
        type="http",
        settings={"url": f"http://127.0.0.1:{program.port}/orders?x=1", **settings},
    )
    try:
        return (await requested(caller, job, secrets or {})).output
    finally:
        await caller.aclose()


async def test_an_answer_is_told_with_its_status_and_a_stable_key_is_sent(program: Program) -> None:
    told = await asks(program, body={"total": 12, "of": "Zoë"}, headers={"X-Team": "north", "X-Number": 7})
    assert told == {
        "status": 200,
        "ok": True,
        "media_type": "application/json",
        "location": None,
        "body": {"taken": True},
    }
    await asks(program, body={"total": 12, "of": "Zoë"})
    (first, headers, body), (_, again, _) = program.asked
    assert first == "POST /orders?x=1 HTTP/1.1"
    assert json.loads(body) == {"total": 12, "of": "Zoë"}
    assert (headers["content-type"], headers["x-team"], headers["x-number"]) == (
        "application/json",
        "north",
        "7",
    )
    assert headers["idempotency-key"] == again["idempotency-key"] == "exe_1:tell:2"
    assert headers["host"] == f"127.0.0.1:{program.port}"


async def test_secrets_are_sent_and_not_told_back(program: Program) -> None:
    key = 'Bearer k"ey-0123456789'
    program.body = json.dumps({"you": "sent", "authorization": key, "only": key[7:], "short": "abc"}).encode()
    program.headers["Location"] = f"https://example.com/?by={key[7:]}"
    told = await asks(program, headers={"X-Team": "north"}, secrets={"Authorization": key, "X-Short": "abc"})
    assert program.asked[0][1]["authorization"] == key
    assert program.asked[0][1]["x-team"] == "north"
    assert told["body"] == {"you": "sent", "authorization": "…", "only": "…", "short": "abc"}
    assert "0123456789" not in str(told)


async def test_methods_and_bodies_that_are_text(program: Program) -> None:
    await asks(program)
    await asks(program, method="PUT", body="plain", headers={"content-type": "text/markdown"})
    await asks(program, method="DELETE")
    assert [line.split(" ")[0] for line, _, _ in program.asked] == ["GET", "PUT", "DELETE"]
    assert program.asked[1][1]["content-type"] == "text/markdown"
    assert program.asked[1][2] == b"plain"


@pytest.mark.parametrize(
    ("media_type", "body", "told"),
    [
        ("text/plain", "Grüße".encode(), "Grüße"),
        ("application/problem+json", b"[1, 2]", [1, 2]),
        ("application/json", b"{broken", "{broken"),
        ("application/json", b'{"a": NaN}', '{"a": NaN}'),
        ("application/json", b"[" * 100_000, "[" * 100_000),
        ("application/json", b'{"a": "\\u0000\\ud800"}', {"a": "\ufffd\ufffd"}),
        ("image/png", b"\x89PNG", None),
        ("text/plain", b"", None),
        ("text/html", b"\xff\x00", "\ufffd\ufffd"),
    ],
)
async def test_bodies_as_expressions_see_them(
    program: Program, media_type: str, body: bytes, told: Any
) -> None:
    program.headers, program.body = {"Content-Type": media_type}, body
    assert (await asks(program))["body"] == told


async def test_what_was_refused_is_an_answer_and_what_may_pass_is_tried_again(program: Program) -> None:
    program.status = "404 Not Found"
    told = await asks(program)
    assert (told["status"], told["ok"]) == (404, False)
    for status in ("503 Service Unavailable", "429 Too Many Requests", "408 Request Timeout"):
        program.status = status
        with pytest.raises(UpstreamError, match=status.split(" ")[0]):
            await asks(program)


async def test_redirects_are_told_and_not_followed(program: Program) -> None:
    program.status = "302 Found"
    program.headers = {"Location": f"http://127.0.0.1:{program.port}/secret"}
    told = await asks(program)
    assert (told["status"], told["ok"], told["location"]) == (302, False, program.headers["Location"])
    program.headers = {"Location": "http://["}
    assert (await asks(program))["location"] == "http://["
    assert len(program.asked) == 2


async def test_more_than_the_limit_is_refused_however_it_is_packed(program: Program) -> None:
    program.headers = {"Content-Type": "text/plain"}
    program.body = b"x" * (MAX_BODY + 1)
    with pytest.raises(DocumentRejectedError, match="256 KiB"):
        await asks(program)
    program.body = gzip.compress(b"x" * (50 * MAX_BODY))
    program.headers["Content-Encoding"] = "gzip"
    with pytest.raises(DocumentRejectedError, match="256 KiB"):
        await asks(program)
    program.body = gzip.compress(b"y" * MAX_BODY)
    assert len((await asks(program))["body"]) == MAX_BODY


async def test_the_own_network_cannot_be_reached(program: Program) -> None:
    for url in (f"http://127.0.0.1:{program.port}/", "http://169.254.169.254/", "http://localhost/"):
        with pytest.raises(DocumentRejectedError) as refused:
            await asks(program, opened=False, url=url)
        assert refused.value.reason == "forbidden_address"
    assert program.asked == []


async def test_a_program_that_does_not_answer_is_not_waited_for() -> None:
    release = asyncio.Event()

    async def says_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.close()

    server = await asyncio.start_server(says_nothing, "127.0.0.1", 0)
    silent = Program(server.sockets[0].getsockname()[1])
    with pytest.raises(UpstreamError, match="did not answer within"):
        await asks(silent, timeout_s=0.2)
    release.set()
    server.close()
    await server.wait_closed()
    with pytest.raises(UpstreamError, match="cannot be reached"):
        await asks(silent)


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"headers": {"X-A": "b\r\nHost: evil.example"}}, "/with/headers/X-A"),
        ({"headers": {"X A": "b"}}, "/with/headers/X A"),
        ({"headers": {"host": "evil.example"}}, "/with/headers/host"),
        ({"headers": {"Idempotency-Key": "mine"}}, "/with/headers/Idempotency-Key"),
        ({"headers": {"Transfer-Encoding": "chunked"}}, "/with/headers/Transfer-Encoding"),
        ({"headers": {"X-A": ["b"]}}, "/with/headers/X-A"),
        ({"headers": {"X-A": "\u0107"}}, "/with/headers/X-A"),
        ({"headers": {f"X-{number}": "b" for number in range(51)}}, "/with/headers"),
        ({"headers": [1]}, "/with/headers"),
        ({"method": "BREW"}, "/with/method"),
        ({"url": 7}, "/with/url"),
        ({"body": "x" * (MAX_CONTENT + 1)}, "/with/body"),
    ],
)
async def test_what_cannot_be_sent_is_refused_with_its_place(
    program: Program, settings: dict[str, Any], place: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await asks(program, **settings)
    assert [fault.pointer for fault in refused.value.errors] == [place]
    assert program.asked == []
