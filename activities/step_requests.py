"""Requests of a workflow's steps to other programs, and what is made of their answers."""

import json
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from perdure.db.keyring import Keyring
from perdure.db.secret_repository import SecretRepository
from perdure.db.session import Transaction
from perdure.domain.audit import Actor, ActorKind
from perdure.domain.http_headers import IDEMPOTENCY_KEY, checked_headers
from perdure.domain.step_inputs import HIDDEN
from perdure.errors import FieldError, InvalidInputError
from perdure.ports.http import HttpAnswer, HttpCall, HttpCaller
from perdure.schemas.base import storable
from perdure.schemas.workflow_executions import StepJob, StepOutput

MAX_CONTENT = 256 * 1024
# A shorter word may stand anywhere without meaning the secret.
_SECRET_CHARACTERS = 8
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


async def requested(
    caller: HttpCaller, job: StepJob, secrets: Mapping[str, str] = MappingProxyType({})
) -> StepOutput:
    """Make the step's request. A second run has the same idempotency key, by which the other program knows it.

    `secrets` are headers, too. A program that tells them back is not listened to so closely.
    """
    answer = await caller.call(_call(job, secrets))
    return StepOutput(output=_told(_without(answer, secrets)))


async def opened_headers(transaction: Transaction, keyring: Keyring, job: StepJob) -> dict[str, str]:
    """The headers that a step's definition names secrets for: opened now, and kept nowhere."""
    named = job.settings.get("secret_headers")
    if not isinstance(named, Mapping) or not named:
        return {}
    url = _url(job)
    reader = Actor(ActorKind.SYSTEM, job.operation_id)
    async with transaction(job.organisation_id) as session:
        secrets = SecretRepository(session, job.organisation_id, keyring)
        return {str(header): await secrets.header(str(name), url, reader) for header, name in named.items()}


def _call(job: StepJob, secrets: Mapping[str, str]) -> HttpCall:
    settings = job.settings
    url, body = _url(job), settings.get("body")
    method = settings.get("method") or ("GET" if body is None else "POST")
    if method not in _METHODS:
        raise _refused(job, "method", f"must be one of {', '.join(_METHODS)}")
    headers = settings.get("headers") or {}
    if not isinstance(headers, Mapping):
        raise _refused(job, "headers", "must be an object")
    sent = checked_headers({**headers, **secrets}, "/with/headers")
    content: bytes | None = None
    if body is not None:
        content, media_type = _content(body)
        if len(content) > MAX_CONTENT:
            raise _refused(job, "body", f"has {len(content):,} bytes; at most {MAX_CONTENT:,} are sent")
        if not any(name.lower() == "content-type" for name in sent):
            sent["Content-Type"] = media_type
    return HttpCall(method, url, {**sent, IDEMPOTENCY_KEY: job.effect_id}, content)


def _url(job: StepJob) -> str:
    url = job.settings.get("url")
    if not isinstance(url, str):
        raise _refused(job, "url", "must be text")
    return url


def _without(answer: HttpAnswer, secrets: Mapping[str, str]) -> HttpAnswer:
    """What another program says, without secrets that it was told."""
    body, location = answer.body, answer.location
    words = {word for value in secrets.values() for word in (value, *value.split())}
    for word in sorted(words, key=len, reverse=True):
        if len(word) >= _SECRET_CHARACTERS:
            for form in (word, json.dumps(word)[1:-1]):
                body = body.replace(form.encode(), HIDDEN.encode())
                location = location.replace(form, HIDDEN)
    return replace(answer, body=body, location=location)


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
