"""A small HTTP server that answers as the API's contract says; the command line is tested against it."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NOW = "2026-11-21T10:00:00.000Z"
KEY = "pdr_test"


def operation(identifier: str, status: str = "completed", **fields: Any) -> dict[str, Any]:
    return {
        "id": identifier,
        "kind": "ingest_document",
        "status": status,
        "progress": {"done": 1, "total": 1, "step": "index"},
        "workflow_id": f"ingest-document-{identifier}",
        "created_at": NOW,
        "updated_at": NOW,
        "result": None,
        "error": None,
        **fields,
    }


def document(identifier: str, status: str = "indexed", **fields: Any) -> dict[str, Any]:
    return {
        "id": identifier,
        "title": identifier,
        "space": "default",
        "status": status,
        "chunk_count": 3,
        "media_type": "text/plain",
        "created_at": NOW,
        "updated_at": NOW,
        **fields,
    }


@dataclass
class ApiStub:
    """What it was asked, and what it answers next: first match of method and path, taken once when queued."""

    url: str = ""
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    queued: dict[tuple[str, str], list[tuple[int, Any]]] = field(default_factory=dict)
    always: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict)

    def answer(self, method: str, path: str) -> tuple[int, Any]:
        if waiting := self.queued.get((method, path)):
            return waiting.pop(0)
        return self.always.get((method, path), (404, {"title": "Not found", "detail": f"no {path}"}))

    def asked(self, method: str, path: str) -> list[bytes]:
        return [body for verb, where, _, body in self.requests if (verb, where) == (method, path)]

    def external_ids(self) -> list[str]:
        found = (
            re.search(rb'name="external_id"\r\n\r\n(.*?)\r\n', body)
            for body in self.asked("POST", "/documents")
        )
        return [match[1].decode() for match in found if match]


@contextmanager
def serving() -> Iterator[ApiStub]:
    stub = ApiStub()

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            body = self._body()
            path = self.path.partition("?")[0].removeprefix("/api/v1")
            stub.requests.append((self.command, path, dict(self.headers), body))
            status, answer = stub.answer(self.command, path)
            if self.headers.get("Authorization") != f"Bearer {KEY}" and not path.startswith("/auth"):
                status, answer = 401, {"title": "Authentication required", "detail": "send an API key"}
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", "0")))
            read = b""
            while size := int(self.rfile.readline(), 16):
                read += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return read

        do_GET = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815  # names that the base class looks for

        def log_message(self, *_: object) -> None:
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        stub.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield stub
        finally:
            server.shutdown()
            thread.join()
