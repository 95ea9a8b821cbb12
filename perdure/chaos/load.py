"""Requests beside each fault: ordinary, duplicate, racing, late, at the limit and above it; all may be sent again."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx

from perdure.chaos.findings import Violations
from perdure.schemas.operations import TERMINAL

SPACE = "chaos"
ACCEPTED_WITHIN_S = 90.0
SETTLED_WITHIN_S = 180.0
_API = "/api/v1"
_AT_ONCE = 40
_SLICES, _SLICE_S = 10, 0.1
_TRY_AGAIN = frozenset({429, 502, 503, 504})
_OK, _ACCEPTED, _TOO_LARGE, _CONFLICT = 200, 202, 413, 409
_SENTENCE = (
    "Valve {word} of pump {number} was opened at noon, the pressure fell by {number} millibar, and the operator "
    "wrote it down before the shift ended. "
)


@dataclass
class Sent:
    """A request, the words of which each must stand in one document, and its operation once it is accepted."""

    key: str
    path: str
    body: dict[str, Any]
    words: tuple[str, ...]
    operation_id: str = ""
    operation: dict[str, Any] = field(default_factory=dict)


def word_of(number: int, salt: int) -> str:
    """A word that stands in one document alone."""
    return "zq" + "".join(chr(ord("a") + int(digit)) for digit in f"{salt}{number:05d}")


def _text(number: int, salt: int, sentences: int) -> str:
    word = word_of(number, salt)
    return f"Report {number} {word}\n\n" + _SENTENCE.format(number=number, word=word) * sentences


async def _in_slices(content: bytes) -> AsyncIterator[bytes]:
    size = len(content) // _SLICES + 1
    for start in range(0, len(content), size):
        yield content[start : start + size]
        await asyncio.sleep(_SLICE_S)


class Load:
    """What one fault is survived by; the words of a load stand in no other."""

    def __init__(self, http: httpx.AsyncClient, salt: int, max_json_bytes: int) -> None:
        self._http, self._salt, self._max_json_bytes = http, salt, max_json_bytes
        self._free = asyncio.Semaphore(_AT_ONCE)
        self.violations = Violations()
        self._chance = random.Random(salt)  # noqa: S311  # a load, no secret
        self.sent: list[Sent] = []
        self.pauses = self._chance.random() < 0.3

    def requests(self) -> list[Sent]:
        """Two texts, a file, a text that takes workers a while, and a batch with a duplicate; now and then large."""
        salt = self._salt
        requests = [
            self._single(0, {"json": {"text": _text(0, salt, 6), "space": SPACE}}),
            self._single(1, self._over_a_slow_line({"text": _text(1, salt, 6), "space": SPACE})),
            self._single(
                2, {"files": {"file": ("report.txt", _text(2, salt, 8).encode())}, "data": {"space": SPACE}}
            ),
            self._single(3, {"json": {"text": _text(3, salt, 500), "space": SPACE}}),
        ]
        items = [{"text": _text(number, salt, 5), "space": SPACE} for number in range(10, 20)]
        words = tuple(word_of(number, salt) for number in range(10, 20))
        body = {"json": {"items": [*items, items[0]]}}
        requests.append(Sent(f"chaos-{salt}-batch", "/documents/batch", body, words))
        if self._chance.random() < 0.1:
            requests.append(self._at_the_limit(0))
        return requests

    def _single(self, number: int, body: dict[str, Any]) -> Sent:
        return Sent(f"chaos-{self._salt}-{number}", "/documents", body, (word_of(number, self._salt),))

    def _over_a_slow_line(self, body: dict[str, Any]) -> dict[str, Any]:
        """Every fourth time a body that comes in pieces."""
        return {"slowly": json.dumps(body).encode()} if self._chance.random() < 0.25 else {"json": body}

    def _at_the_limit(self, beyond: int) -> Sent:
        """A text in a body of as many bytes as are taken, or more."""
        body = f'{{"space": "{SPACE}", "text": "{word_of(30, self._salt)} is at the limit."}}'.encode()
        padded = body + b" " * (self._max_json_bytes - len(body) + beyond)
        return self._single(30, {"content": padded})

    async def send(self) -> None:
        """Send everything at once, one request twice in a race; return when all of it is accepted."""
        self.sent = self.requests()
        twice = [self.sent[0], self.sent[-1]]
        await self.each([*self.sent, *twice], self.accepted)

    async def each(self, requests: Iterable[Sent], action: Callable[[Sent], Awaitable[None]]) -> None:
        """Do something for all of them, many at once."""

        async def one(request: Sent) -> None:
            async with self._free:
                await action(request)

        await asyncio.gather(*(one(request) for request in requests))

    async def accepted(self, request: Sent) -> None:
        """Send a request until it is answered; note its operation."""
        answer = await self.insist("POST", request.path, request.key, request.body)
        if answer is None:
            return
        if answer.status_code not in {_OK, _ACCEPTED}:
            what = f"{request.path} was answered by {answer.status_code}: {answer.text[:300]}"
            self.violations.add("an honest request is refused", what)
            return
        operation_id = answer.json()["id"]
        if request.operation_id not in {"", operation_id}:
            what = f"{request.key}: {request.operation_id} and {operation_id}"
            self.violations.add("one Idempotency-Key gave two operations", what)
        request.operation_id = operation_id

    async def insist(
        self, method: str, path: str, key: str | None = None, body: dict[str, Any] | None = None
    ) -> httpx.Response | None:
        """Send until there is an answer that is no outage; None when none came in time."""
        deadline, last = time.monotonic() + ACCEPTED_WITHIN_S, "no answer"
        headers = {"Idempotency-Key": key} if key else {}
        if body and not {"json", "files"} & body.keys():
            headers["Content-Type"] = "application/json"
        while time.monotonic() < deadline:
            content = {"content": _in_slices(body["slowly"])} if body and "slowly" in body else body or {}
            try:
                answer = await self._http.request(method, _API + path, headers=headers, **content)
            except httpx.TransportError as error:
                last = type(error).__name__
            else:
                if answer.status_code == httpx.codes.INTERNAL_SERVER_ERROR:
                    self.violations.add(
                        "an outage is answered by 500", f"{method} {path}: {answer.text[:300]}"
                    )
                elif answer.status_code not in _TRY_AGAIN:
                    return answer
                last = f"{answer.status_code} {answer.text[:200]}"
            await asyncio.sleep(0.1)
        self.violations.add("a request gets no answer", f"{method} {path}: {last}")
        return None

    async def pause(self) -> None:
        """Put the batch to sleep over the fault; it may have ended before."""
        if self.pauses and (batch := self._batch()):
            await self.insist("POST", f"/operations/{batch}/pause")

    async def resume(self) -> None:
        """Wake it up."""
        if self.pauses and (batch := self._batch()):
            await self.insist("POST", f"/operations/{batch}/resume")

    def _batch(self) -> str:
        return next((request.operation_id for request in self.sent if request.key.endswith("-batch")), "")

    async def settle(self) -> None:
        """Wait until every accepted operation is terminal."""
        await self.each((request for request in self.sent if request.operation_id), self._settled)

    async def _settled(self, request: Sent) -> None:
        deadline = time.monotonic() + SETTLED_WITHIN_S
        while time.monotonic() < deadline:
            answer = await self.insist("GET", f"/operations/{request.operation_id}")
            if answer is None or answer.status_code != _OK:
                what = f"{request.operation_id}: {answer.status_code if answer else 'no answer'}"
                self.violations.add("an accepted operation is gone", what)
                return
            request.operation = answer.json()
            if request.operation["status"] in TERMINAL:
                return
            await asyncio.sleep(0.15)
        self.violations.add(
            "an accepted operation does not end",
            f"{request.operation_id} {request.operation['status']} {request.operation['progress']}",
        )

    async def come_late(self) -> None:
        """Send again what is done, steer what is closed, and send too much: nothing may change."""
        await self.each(self.sent, self.accepted)
        if first := self.sent[0].operation_id:
            await self._expect("POST", f"/operations/{first}/pause", {_CONFLICT})
            await self._expect("POST", f"/operations/{first}/cancel", {_CONFLICT})
        if self._chance.random() < 0.1:
            await self._too_large(self._at_the_limit(1).body["content"])

    async def _too_large(self, content: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        try:
            answer = await self._http.post(f"{_API}/documents", content=content, headers=headers)
        except httpx.TransportError:
            return  # the connection may be closed before all of it is read
        if answer.status_code != _TOO_LARGE:
            self.violations.add("too large a request is not refused as such", f"{answer.status_code}")

    async def _expect(self, method: str, path: str, statuses: set[int]) -> None:
        answer = await self.insist(method, path)
        if answer is not None and answer.status_code not in statuses:
            self.violations.add("a late request is not refused", f"{method} {path}: {answer.status_code}")

    async def delete_one(self) -> str | None:
        """Delete the first document again; its id once the deletion ended."""
        operation = self.sent[0].operation
        if not operation:
            return None
        document_id = str(operation["subject"]["id"])
        answer = await self.insist("DELETE", f"/documents/{document_id}")
        if answer is not None and answer.status_code in {_OK, _ACCEPTED}:
            deletion = Sent("", "", {}, (), answer.json()["id"])
            await self._settled(deletion)
        return document_id
