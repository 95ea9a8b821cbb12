"""Signed links to a version of a workflow: whoever has one may copy it into their own organisation until it expires."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import jwt

from perdure.domain.tokens import derive_key
from perdure.errors import NotFoundError, PermissionDeniedError
from perdure.schemas.document_workflows import ShareRead

_AUDIENCE = "perdure-workflow"
_PATH = "/workflows/import"
_FOREIGN = "this link is not one of ours, or was cut off: ask for a new one"


@dataclass(frozen=True)
class SharedVersion:
    """What a link stands for."""

    organisation_id: str
    workflow_id: str
    version: int


class WorkflowLinks:
    """Makes and reads links. They hold ids only; what they stand for is read when somebody uses one."""

    def __init__(self, secret: bytes, public_url: str) -> None:
        self._key = derive_key(secret, "perdure workflow links v1")
        self._public_url = public_url.rstrip("/")

    def create(self, shared: SharedVersion, lifetime: timedelta, base_url: str) -> ShareRead:
        """A link, which leads to the console's page for imports."""
        expires_at = datetime.now(UTC) + lifetime
        claims = {
            "aud": _AUDIENCE,
            "exp": expires_at,
            "org": shared.organisation_id,
            "sub": shared.workflow_id,
            "ver": shared.version,
        }
        token = jwt.encode(claims, self._key, algorithm="HS256")
        return ShareRead(
            link=f"{self._public_url or base_url.rstrip('/')}{_PATH}?link={token}",
            workflow_id=shared.workflow_id,
            version=shared.version,
            expires_at=expires_at,
        )

    def read(self, link: str) -> SharedVersion:
        """What a link, or the token in it, stands for; refused when it has expired or is not one of ours."""
        try:
            claims = jwt.decode(
                _token_in(link.strip()),
                self._key,
                algorithms=["HS256"],
                audience=_AUDIENCE,
                options={"require": ["exp", "aud", "org", "sub", "ver"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise PermissionDeniedError("this link has expired: ask for a new one") from error
        except (jwt.InvalidTokenError, UnicodeError) as error:
            raise NotFoundError(_FOREIGN) from error
        return SharedVersion(str(claims["org"]), str(claims["sub"]), int(claims["ver"]))


def _token_in(link: str) -> str:
    if "?" not in link:
        return link
    try:
        return parse_qs(urlsplit(link).query).get("link", [""])[0]
    except ValueError as error:
        raise NotFoundError(_FOREIGN) from error
