"""Logs are JSON, carry ids and hold no secret."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from perdure import log
from perdure.settings import Settings

SECRETS = {
    "API key": "pdr_abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
    "refresh token": "pdrr_abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
    "access token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c3JfMSJ9.c2lnbmF0dXJl",
    "database password": "hunter2hunter2",
}


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    before = structlog.get_config()
    stream = io.StringIO()
    log.configure(Settings(), stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)
    structlog.contextvars.clear_contextvars()
    logging.getLogger("uvicorn.access").disabled = False


def lines(output: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


def test_a_line_is_json_with_the_bound_ids(output: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(
        request_id="r1", organisation_id="org_1", operation_id="op_1"
    ):
        structlog.get_logger("perdure.test").info("indexed", chunk_count=3)
        logging.getLogger("some.library").warning("slow %s", "query")
    ours, theirs = lines(output)
    assert ours["event"] == "indexed"
    assert (ours["chunk_count"], ours["level"]) == (3, "info")
    for line in (ours, theirs):
        assert (line["request_id"], line["organisation_id"], line["operation_id"]) == ("r1", "org_1", "op_1")
        assert str(line["timestamp"]).endswith("Z")
    assert theirs["event"] == "slow query"


@pytest.mark.parametrize(
    "field", ["authorization", "Cookie", "password", "refresh_token", "api_key", "secret_key", "csrf_token"]
)
def test_a_field_with_a_secret_name_is_blotted_out(output: io.StringIO, field: str) -> None:
    structlog.get_logger("perdure.test").info(
        "x", **{field: "open sesame"}, nested={"a": [{field: "open sesame"}]}
    )
    text = output.getvalue()
    assert "open sesame" not in text
    assert text.count(log.REDACTED) == 2


def test_secrets_are_found_by_their_look(output: io.StringIO) -> None:
    logger = structlog.get_logger("perdure.test")
    logger.info(
        f"calling with {SECRETS['API key']}", url=f"postgres://app:{SECRETS['database password']}@db/x"
    )
    logging.getLogger("library").warning("Authorization: Bearer %s", SECRETS["access token"])
    try:
        int(SECRETS["refresh token"])
    except ValueError:
        logger.exception("failed")
    text = output.getvalue()
    for secret in SECRETS.values():
        assert secret not in text
    assert "ValueError" in text


def test_counts_of_tokens_are_no_secrets(output: io.StringIO) -> None:
    structlog.get_logger("perdure.test").info("x", token_count=7, tokens="12", max_chunk_tokens="200")
    (line,) = lines(output)
    assert (line["token_count"], line["tokens"], line["max_chunk_tokens"]) == (7, "12", "200")


def test_a_request_cannot_forge_a_line(output: io.StringIO) -> None:
    structlog.get_logger("perdure.test").info("x", path='/a\n{"event": "forged"}\x1b[2J')
    text = output.getvalue()
    assert len(text.splitlines()) == 1
    assert "\x1b" not in text
