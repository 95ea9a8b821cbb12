"""Requests of a workflow's steps to other programs, and what is made of their answers."""

import json
from collections.abc import Mapping
from typing import Any

from perdure.domain.http_headers import IDEMPOTENCY_KEY, checked_headers
from perdure.errors import FieldError, InvalidInputError
from perdure.ports.http import HttpAnswer, HttpCall, HttpCaller
from perdure.schemas.base import storable
from perdure.schemas.workflow_executions import StepJob, StepOutput

MAX_CONTENT = 256 * 1024
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_BINARY = (
    "image/",
    "audio/",
    "video/",
    "font/",
    "application/octet-stream",
    "application/zip",
    "application/pdf",
)


async def requested(caller: HttpCaller, job: StepJob) -> StepOutput:
    """Make the step's request. A second run has the same idempotency key, by which the other program knows it."""
    return StepOutput(output=_told(await caller.call(_call(job))))


def _call(job: StepJob) -> HttpCall:
    settings = job.settings
    url, body = settings.get("url"), settings.get("body")
    if not isinstance(url, str):
        raise _refused(job, "url", "must be text")
    method = settings.get("method") or ("GET" if body is None else "POST")
    if method not in _METHODS:
        raise _refused(job, "method", f"must be one of {', '.join(_METHODS)}")
    headers = settings.get("headers") or {}
    if not isinstance(headers, Mapping):
        raise _refused(job, "headers", "must be an object")
    sent = checked_headers(headers, "/with/headers")
    content: bytes | None = None
    if body is not None:
        content, media_type = _content(body)
        if len(content) > MAX_CONTENT:
            raise _refused(job, "body", f"has {len(content):,} bytes; at most {MAX_CONTENT:,} are sent")
        if not any(name.lower() == "content-type" for name in sent):
            sent["Content-Type"] = media_type
    return HttpCall(method, url, {**sent, IDEMPOTENCY_KEY: job.effect_id}, content)


def _content(body: object) -> tuple[bytes, str]:
    if isinstance(body, str):
        return storable(body).encode(), "text/plain; charset=utf-8"
    said = json.dumps(storable(body), ensure_ascii=False, separators=(",", ":"))
    return said.encode(), "application/json"


def _told(answer: HttpAnswer) -> dict[str, Any]:
    told = {"status": answer.status, "ok": 200 <= answer.status < 300, "media_type": answer.media_type}
    return {**told, "location": answer.location or None, "body": _body(answer)}


def _body(answer: HttpAnswer) -> Any:
    """What the body says, as JSON or text; null of what is neither."""
    if not answer.body or answer.media_type.startswith(_BINARY):
        return None
    text = str(storable(answer.body.decode("utf-8", "replace")))
    if answer.media_type == "application/json" or answer.media_type.endswith("+json"):
        try:
            return storable(json.loads(text, parse_constant=_no_number))
        except (ValueError, RecursionError):
            return text
    return text


def _no_number(name: str) -> None:
    msg = f"{name} is no number that JSON has"
    raise ValueError(msg)


def _refused(job: StepJob, name: str, fault: str) -> InvalidInputError:
    detail = f"`{name}` of step {job.step_id} {fault}, as it is filled in"
    return InvalidInputError(detail, [FieldError(f"/with/{name}", detail)])
