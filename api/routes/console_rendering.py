"""Templates, static files and the security headers of the console."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from api.middleware import CONTENT_SECURITY_POLICY
from api.routes import console_approval_views
from api.routes.console_words import FILTERS

API_FOLDER = Path(__file__).parent.parent
STATIC_FOLDER = API_FOLDER / "static"

HEADERS = {
    # No inline script, style or handler anywhere: nothing that a document says can run in the console.
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    # Without a referrer, browsers send `Origin: null` with forms, which the check of the origin refuses.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def static_version(folder: Path = STATIC_FOLDER) -> str:
    """Fingerprint of all static files; stands in their addresses, so that caches may keep them for good."""
    fingerprint = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            fingerprint.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return fingerprint.hexdigest()[:12]


class VersionedStaticFiles(StaticFiles):
    """Files that are cached for good when their address carries the version, and revalidated when not."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """See `StaticFiles`."""
        response = await super().get_response(path, scope)
        lasting = b"v=" in scope.get("query_string", b"") or path.endswith(".woff2")
        if response.status_code in {200, 304}:
            response.headers["Cache-Control"] = (
                "public, max-age=31536000, immutable" if lasting else "no-cache"
            )
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


class Templates:
    """Renders pages. An undefined name is an error, not an empty place."""

    def __init__(self, folder: Path = API_FOLDER / "templates") -> None:
        self._environment = Environment(
            loader=FileSystemLoader(folder),
            autoescape=select_autoescape(),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        version = static_version()
        self._environment.filters.update(FILTERS | console_approval_views.FILTERS)
        self._environment.globals["static"] = lambda path: f"/static/{path}?v={version}"

    def text(self, name: str, context: Mapping[str, Any]) -> str:
        """Render a template."""
        return self._environment.get_template(name).render(context)

    def response(
        self,
        name: str,
        context: Mapping[str, Any],
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> HTMLResponse:
        """Render a page with the security headers."""
        return HTMLResponse(
            self.text(name, context), status_code=status, headers={**HEADERS, **(headers or {})}
        )


@cache
def templates() -> Templates:
    """The console's templates, read once in a process."""
    return Templates()
