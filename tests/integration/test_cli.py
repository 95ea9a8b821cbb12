import hashlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from perdure.api_client import ApiClient
from perdure.cli import app
from perdure.cli.demo import Demo
from perdure.domain.roles import Scope
from perdure.ingestion import collect, ingest_files
from tests.api_stub import KEY, ApiStub, document, operation, serving


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ApiStub]:
    with serving() as stub:
        monkeypatch.setenv("PERDURE_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("PERDURE_URL", stub.url)
        monkeypatch.setenv("PERDURE_API_KEY", KEY)
        yield stub


def perdure(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments], env={"COLUMNS": "200"})


def accept(stub: ApiStub, *, status: str = "indexed", **result: object) -> None:
    subject = {"type": "document", "id": "doc_1"}
    stub.always["POST", "/documents"] = (202, operation("op_1", "pending", subject=subject))
    done = operation("op_1", result={"status": status, **result}, subject=subject)
    stub.queued["GET", "/operations/op_1"] = [(200, operation("op_1", "running", subject=subject))]
    stub.always["GET", "/operations/op_1"] = (200, done)
    stub.always["GET", "/documents/doc_1"] = (200, document("doc_1", status))


def test_ingest_walks_directories_and_names_each_file_by_its_path(stub: ApiStub, tmp_path: Path) -> None:
    accept(stub)
    folder = tmp_path / "docs"
    (folder / "sub").mkdir(parents=True)
    (folder / ".git").mkdir()
    for name in ("a.txt", "sub/b.txt", ".git/config", ".hidden"):
        (folder / name).write_text(name)
    result = perdure("ingest", str(folder), str(folder / "a.txt"), "--json")
    assert result.exit_code == 0, result.output
    assert [outcome["name"] for outcome in json.loads(result.stdout)] == ["a.txt", "sub/b.txt"]
    assert sorted(stub.external_ids()) == ["a.txt", "sub/b.txt"]


def test_ingest_shows_status_reason_and_chunks(stub: ApiStub, tmp_path: Path) -> None:
    accept(stub, status="failed", reason="password_protected")
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    result = perdure("ingest", str(tmp_path / "a.pdf"))
    assert result.exit_code == 1
    assert "password_protected" in result.stdout
    assert "1 failed" in result.stdout


def test_a_refused_upload_is_one_row_and_the_others_go_on(stub: ApiStub, tmp_path: Path) -> None:
    accept(stub)
    problem = {"title": "Payload too large", "detail": "more than 5 bytes: raise PERDURE_MAX_UPLOAD_BYTES"}
    stub.queued["POST", "/documents"] = [(413, problem)]
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("x")
    result = perdure("ingest", str(tmp_path), "--concurrency", "1", "--json")
    first, second = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (first["status"], second["status"]) == ("refused", "indexed")
    assert "PERDURE_MAX_UPLOAD_BYTES" in first["detail"]


def test_an_upload_is_tried_again_with_the_same_idempotency_key(stub: ApiStub, tmp_path: Path) -> None:
    accept(stub)
    stub.queued["POST", "/documents"] = [(503, {"title": "Temporarily unavailable"})]
    (tmp_path / "a.txt").write_text("twice the same bytes")
    assert perdure("ingest", str(tmp_path / "a.txt")).exit_code == 0
    posts = [headers for verb, path, headers, _ in stub.requests if (verb, path) == ("POST", "/documents")]
    assert len(posts) == 2
    assert posts[0]["Idempotency-Key"] == posts[1]["Idempotency-Key"]
    assert all(b"twice the same bytes" in body for body in stub.asked("POST", "/documents"))


def test_a_path_that_is_not_there_is_a_usage_error(stub: ApiStub) -> None:
    result = perdure("ingest", "/no/such/file")
    assert result.exit_code == 2
    assert stub.requests == []


def test_search_prints_the_passage_and_its_citation(stub: ApiStub) -> None:
    item = {
        "chunk_id": "chk_1",
        "document_id": "doc_1",
        "document_title": "lease.pdf",
        "text": "The notice period is six months.",
        "score": 0.75,
        "terms": ["notice"],
        "heading_path": ["Lease", "Term"],
        "page": 2,
        "start": 10,
        "end": 42,
    }
    stub.always["POST", "/search"] = (200, {"items": [item], "took_ms": 7})
    result = perdure("search", "notice period?", "--limit", "3", "--space", "legal")
    assert result.exit_code == 0, result.output
    assert "1. The notice period is six months." in result.stdout
    assert "lease.pdf, Lease / Term, page 2, characters 10 to 42, score 0.750" in result.stdout
    (body,) = stub.asked("POST", "/search")
    assert json.loads(body) == {"query": "notice period?", "space": "legal", "limit": 3, "mode": "hybrid"}


def test_problems_are_readable_and_name_the_field(stub: ApiStub) -> None:
    problem = {
        "title": "Invalid input",
        "detail": "the request is not valid",
        "errors": [{"pointer": "/body/query", "detail": "say something"}],
    }
    stub.always["POST", "/search"] = (422, problem)
    result = perdure("search", "")
    assert result.exit_code == 1
    assert "Invalid input: the request is not valid" in result.stderr
    assert "/body/query: say something" in result.stderr
    assert "Traceback" not in result.output


def test_without_a_key_the_message_says_where_to_get_one(
    stub: ApiStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PERDURE_API_KEY")
    result = perdure("search", "x")
    assert result.exit_code == 1
    assert "make run" in result.stderr


def test_an_api_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERDURE_API_KEY", KEY)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PERDURE_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        result = perdure("ops", "list")
    assert result.exit_code == 1
    assert "is it running?" in result.stderr


def test_the_key_of_the_demo_is_found_in_the_home(
    stub: ApiStub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stub.always["GET", "/operations"] = (200, {"items": [], "next_cursor": None})
    monkeypatch.delenv("PERDURE_URL")
    monkeypatch.delenv("PERDURE_API_KEY")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "demo.env").write_text(f"PERDURE_URL={stub.url}\nPERDURE_API_KEY={KEY}\n")
    assert perdure("ops", "list").exit_code == 0


def test_operations_are_listed_shown_and_steered(stub: ApiStub) -> None:
    listed = {"items": [operation("op_1", "paused")], "next_cursor": None}
    step = {
        "name": "parse_document",
        "state": "retrying",
        "attempts": 2,
        "error": {"type": "timeout", "detail": "60 s"},
    }
    stub.always["GET", "/operations"] = (200, listed)
    stub.always["GET", "/operations/op_1"] = (200, operation("op_1", "paused"))
    stub.always["GET", "/operations/op_1/steps"] = (200, {"items": [step]})
    assert "paused" in perdure("ops", "list", "--status", "paused").stdout
    shown = perdure("ops", "show", "op_1").stdout
    assert "parse_document" in shown
    assert "60 s" in shown
    for verb in ("pause", "resume", "cancel", "retry"):
        stub.always["POST", f"/operations/op_1/{verb}"] = (202, operation("op_1", "running"))
        assert perdure("ops", verb, "op_1").exit_code == 0
        assert len(stub.asked("POST", f"/operations/op_1/{verb}")) == 1


def test_watching_ends_with_the_operation_and_tells_failure_by_the_exit_code(stub: ApiStub) -> None:
    stub.queued["GET", "/operations/op_1"] = [(200, operation("op_1", "running"))] * 2
    error = {"type": "upstream-error", "detail": "the server hung up"}
    stub.always["GET", "/operations/op_1"] = (200, operation("op_1", "failed", error=error))
    result = perdure("ops", "watch", "op_1")
    assert result.exit_code == 1
    assert "the server hung up" in result.stdout


async def test_the_demo_makes_its_login_and_key_once(stub: ApiStub, tmp_path: Path) -> None:
    stub.queued["POST", "/auth/register"] = [(201, {"access_token": KEY})]
    stub.always["POST", "/auth/register"] = (409, {"title": "Conflict"})
    stub.always["POST", "/api-keys"] = (201, {"key": KEY})
    stub.always["GET", "/auth/me"] = (200, {"scopes": [scope.value for scope in Scope]})
    first = Demo(tmp_path, stub.url)
    await first.ensure_key()
    second = Demo(tmp_path, stub.url)
    await second.ensure_key()
    (asked,) = stub.asked("POST", "/api-keys")
    assert set(json.loads(asked)["scopes"]) == {scope.value for scope in Scope}
    assert second.password == first.password
    assert (tmp_path / "demo.env").stat().st_mode & 0o777 == 0o600
    assert f"PERDURE_API_KEY={KEY}" in (tmp_path / "demo.env").read_text()


async def test_a_demo_key_that_was_revoked_is_replaced_by_logging_in(stub: ApiStub, tmp_path: Path) -> None:
    (tmp_path / "demo.env").write_text("PERDURE_API_KEY=pdr_revoked\nPERDURE_DEMO_PASSWORD=chosen-before\n")
    stub.always["GET", "/auth/me"] = (401, {"title": "Unauthenticated"})
    stub.always["POST", "/auth/register"] = (409, {"title": "Conflict"})
    stub.always["POST", "/auth/login"] = (200, {"access_token": KEY})
    stub.always["POST", "/api-keys"] = (201, {"key": KEY})
    await Demo(tmp_path, stub.url).ensure_key()
    (login,) = stub.asked("POST", "/auth/login")
    assert json.loads(login)["password"] == "chosen-before"
    assert f"PERDURE_API_KEY={KEY}" in (tmp_path / "demo.env").read_text()


async def test_a_demo_key_that_cannot_do_all_of_it_is_replaced(stub: ApiStub, tmp_path: Path) -> None:
    (tmp_path / "demo.env").write_text("PERDURE_API_KEY=pdr_older\nPERDURE_DEMO_PASSWORD=chosen-before\n")
    stub.always["GET", "/auth/me"] = (200, {"scopes": ["documents:read", "operations:read"]})
    stub.always["POST", "/auth/register"] = (409, {"title": "Conflict"})
    stub.always["POST", "/auth/login"] = (200, {"access_token": KEY})
    stub.always["POST", "/api-keys"] = (201, {"key": KEY})
    await Demo(tmp_path, stub.url).ensure_key()
    assert f"PERDURE_API_KEY={KEY}" in (tmp_path / "demo.env").read_text()


async def test_the_demo_sends_no_file_twice_and_follows_what_was_cut_off(
    stub: ApiStub, tmp_path: Path
) -> None:
    (tmp_path / "done.txt").write_text("done")
    (tmp_path / "cut-off.txt").write_text("cut off")
    (tmp_path / "changed.txt").write_text("changed")

    def known(name: str, status: str, text: str) -> dict[str, object]:
        digest = hashlib.sha256(text.encode()).hexdigest()
        return document(f"doc_{name}", status, sha256=digest, operation_id=f"op_{name}")

    answers = {
        "changed.txt": known("changed", "indexed", "as it was before"),
        "cut-off.txt": known("cut", "parsing", "cut off"),
        "done.txt": known("done", "indexed", "done"),
    }
    stub.queued["GET", "/documents"] = [(200, {"items": [found]}) for found in answers.values()]
    stub.queued["GET", "/operations/op_cut"] = [(200, operation("op_cut", "running"))]
    stub.always["GET", "/operations/op_cut"] = (200, operation("op_cut"))
    stub.always["GET", "/documents/doc_cut"] = (200, document("doc_cut", "indexed"))
    accept(stub)
    async with ApiClient(stub.url, KEY) as api:
        outcomes = await ingest_files(api, collect([tmp_path]), concurrency=1, reuse=True)
    assert [(outcome.name, outcome.status, outcome.earlier) for outcome in outcomes] == [
        ("changed.txt", "indexed", False),
        ("cut-off.txt", "indexed", True),
        ("done.txt", "indexed", True),
    ]
    assert stub.external_ids() == ["changed.txt"]
