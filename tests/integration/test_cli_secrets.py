"""`perdure secrets` against the API's contract: values come in by a pipe, and nothing shows them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from perdure.cli import app
from tests.api_stub import KEY, NOW, ApiStub, serving

VALUE = "Bearer crm-0123456789abcdef-WXYZ"
SECRET = {
    **{"id": "sec_1", "name": "crm", "kind": "http_header", "last_four": "WXYZ", "created_by": None},
    **{"origin": "https://api.example.com", "created_at": NOW, "updated_at": NOW},
}


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ApiStub]:
    with serving() as stub:
        monkeypatch.setenv("PERDURE_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("PERDURE_URL", stub.url)
        monkeypatch.setenv("PERDURE_API_KEY", KEY)
        yield stub


def perdure(*arguments: str, said: str = "") -> Result:
    return CliRunner().invoke(app, ["secrets", *arguments], input=said, env={"COLUMNS": "200"})


def test_a_value_is_read_from_a_pipe_and_shown_nowhere(stub: ApiStub) -> None:
    stub.always["POST", "/secrets"] = (201, SECRET)
    stub.always["PUT", "/secrets/sec_1"] = (200, SECRET)
    origin = "https://api.example.com"
    added = perdure("add", "crm", "--origin", origin, said=f"{VALUE}\n")
    replaced = perdure("replace", "sec_1", said=VALUE)
    assert (added.exit_code, replaced.exit_code) == (0, 0), added.output + replaced.output
    (body,) = stub.asked("POST", "/secrets")
    assert json.loads(body) == {"name": "crm", "kind": "http_header", "value": VALUE, "origin": origin}
    assert [json.loads(one) for one in stub.asked("PUT", "/secrets/sec_1")] == [{"value": VALUE}]
    assert VALUE not in added.output + replaced.output


def test_secrets_are_listed_by_their_ends_and_removed(stub: ApiStub) -> None:
    stub.always["GET", "/secrets"] = (200, {"items": [SECRET], "next_cursor": None})
    stub.always["DELETE", "/secrets/sec_1"] = (200, {})
    listed = perdure("list")
    assert listed.exit_code == 0, listed.output
    assert all(word in listed.output for word in ("crm", "…WXYZ", "https://api.example.com"))
    assert perdure("remove", "sec_1").exit_code == 0
    missing = perdure("remove", "sec_2")
    assert (missing.exit_code, "no /secrets/sec_2" in missing.output) == (1, True)
