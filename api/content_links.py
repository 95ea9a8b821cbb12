"""Signed links to stored bytes, for stores that cannot sign by themselves."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import jwt
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from perdure.errors import NotFoundError, PermissionDeniedError
from perdure.ports.storage import ObjectStore
from perdure.schemas.documents import ContentLink

LIFETIME = timedelta(minutes=10)
_AUDIENCE = "perdure-content"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class ContentLinks:
    """Makes and honours links that anyone who has one may GET until it expires."""

    def __init__(self, objects: ObjectStore, secret: bytes, public_url: str) -> None:
        self._objects, self._secret, self._public_url = objects, secret, public_url.rstrip("/")

    async def create(self, key: str, name: str, media_type: str | None, base_url: str) -> ContentLink:
        """A link to one object; by the store itself where it can sign."""
        if await self._objects.size(key) is None:
            raise NotFoundError("the original of this document is not in the object store any more")
        expires_at = datetime.now(UTC) + LIFETIME
        url = await self._objects.sign(key, LIFETIME)
        if url is None:
            claims = {"aud": _AUDIENCE, "exp": expires_at, "key": key, "name": name, "type": media_type}
            token = jwt.encode(claims, self._secret, algorithm="HS256")
            url = f"{self._public_url or base_url.rstrip('/')}/api/v1/content/{token}"
        return ContentLink(url=url, expires_at=expires_at)

    async def answer(self, token: str, request: Request) -> Response:
        """The bytes that a link stands for; `Range: bytes=a-b` gives a part of them."""
        try:
            claims = jwt.decode(token, self._secret, algorithms=["HS256"], audience=_AUDIENCE)
        except jwt.ExpiredSignatureError as error:
            raise PermissionDeniedError("this link has expired: ask for a new one") from error
        except jwt.InvalidTokenError as error:
            raise NotFoundError("this link is not one of ours: ask for a new one") from error
        key = str(claims["key"])
        size = await self._objects.size(key)
        if size is None:
            raise NotFoundError("the original of this document is not in the object store any more")
        headers = {
            "Accept-Ranges": "bytes",
            "Cache-Control": "private, no-store",
            # Whatever it is, a browser must never run it as a page of ours.
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(str(claims['name']))}",
        }
        span = _range(request.headers.get("range"), size)
        if span is None:
            return Response(status_code=416, headers={"Content-Range": f"bytes */{size}"})
        start, end = span
        partial = (start, end) != (0, size)
        if partial:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        headers["Content-Length"] = str(end - start)
        body: AsyncIterator[bytes] = self._objects.stream(key, start, end)
        return StreamingResponse(
            body,
            status_code=206 if partial else 200,
            headers=headers,
            media_type=str(claims["type"] or "application/octet-stream"),
        )


def _range(header: str | None, size: int) -> tuple[int, int] | None:
    """`[start, end)`; the whole for no or an unknown range; None when nothing of it exists."""
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or not any(match.groups()):
        return 0, size
    first, last = match.groups()
    if not first:
        return (max(0, size - int(last)), size) if int(last) else None
    start, end = int(first), min(int(last) + 1, size) if last else size
    return (start, end) if start < end else None
