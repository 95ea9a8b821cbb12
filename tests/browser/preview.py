"""The console's pages with invented content, extremes included: for tests of layout, without a stack."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Mount, Route

from api.routes.console_operations import ITEM_FILTERS
from api.routes.console_rendering import STATIC_FOLDER, Templates, VersionedStaticFiles
from api.routes.console_search import Result
from api.routes.console_views import (
    DocumentView,
    Notice,
    OperationView,
    Viewer,
    item_view,
    step_view,
    tiles,
    version_view,
)
from api.routes.console_words import DOCUMENT_LOOKS, KINDS, OPERATION_LOOKS
from perdure.domain.ids import new_id
from perdure.domain.roles import Role, Scope
from perdure.schemas.documents import ChunkRead, DocumentRead, DocumentStatus, Reason, VersionRead
from perdure.schemas.operations import (
    ItemRead,
    OperationError,
    OperationRead,
    OperationStatus,
    Progress,
    StepRead,
    StepState,
    Subject,
)
from perdure.schemas.search import Highlight, ScoreTerm, SearchHit

NOW = datetime.now(UTC)
LONG = "a-very-long-file-name-that-nobody-shortened-" * 3 + "final_FINAL(2).pdf"
VIEWER = Viewer("usr_1", "Ada Lovelace", "ada@example.org", "Analytical Engines", "token", frozenset(Scope))


def ago(**lengths: float) -> datetime:
    return NOW - timedelta(**lengths)


def operation(title: str, status: str, kind: str = "ingest_document", **more: Any) -> OperationView:
    identifier = new_id("op")
    values: dict[str, Any] = {
        "progress": Progress(done=0, total=0),
        "created_at": ago(minutes=4),
        "updated_at": ago(minutes=3, seconds=41),
        "subject": Subject(type="document", id=new_id("doc")),
        "run_id": "0193b2f4-7d1e-7a11-9d43-2f7e8b0c5a10",
        "temporal_ui_url": f"/temporal/{identifier}",
        **more,
    }
    read = OperationRead(
        id=identifier, kind=kind, status=OperationStatus(status), workflow_id=identifier, **values
    )
    return OperationView(read, title)


def document(
    title: str, status: str, media_type: str | None = "application/pdf", **more: Any
) -> DocumentView:
    values: dict[str, Any] = {
        "space": "default",
        "size_bytes": 482_113,
        "created_at": ago(minutes=12),
        "updated_at": ago(minutes=11),
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "operation_id": new_id("op"),
        "page_count": 14,
        "char_count": 48_311,
        "chunk_count": 62,
        "version": 1,
        "metadata": {"department": "Facilities", "year": 2026},
        **more,
    }
    return DocumentView(
        DocumentRead(
            id=new_id("doc"), title=title, status=DocumentStatus(status), media_type=media_type, **values
        )
    )


OPERATIONS = [
    operation(
        "Ingest 1,000 texts",
        "running",
        "ingest_batch",
        progress=Progress(done=412, total=1000, step="embed_document"),
        created_at=ago(seconds=20),
    ),
    operation(
        "Ingest employee-handbook.docx",
        "running",
        progress=Progress(done=3, total=6, step="parse_document"),
        created_at=ago(seconds=8),
    ),
    operation(
        "Re-embed space “contracts”",
        "paused",
        "reembed_space",
        progress=Progress(done=5200, total=9100, step="embed_page"),
        created_at=ago(hours=2),
    ),
    operation("Ingest lease.pdf", "pending", created_at=ago(seconds=1)),
    operation("Refund above 500 €", "waiting_approval", "classify_with_approval", created_at=ago(hours=5)),
    operation(
        f"Ingest {LONG}",
        "failed",
        error=OperationError(
            type="source_unreachable",
            detail="files.example.org did not answer within 30 s.",
            step="fetch_document",
        ),
        attempt=2,
    ),
    operation("Ingest sales-review.pptx", "completed", progress=Progress(done=6, total=6)),
    operation("Delete visitor-notice.png", "completed", "delete_document", created_at=ago(days=1)),
    operation("Ingest suppliers.csv", "cancelled", created_at=ago(days=3)),
]

STEPS = [
    StepRead(
        name="fetch_document",
        state=StepState.COMPLETED,
        attempts=3,
        started_at=ago(seconds=20),
        ended_at=ago(seconds=17.2),
    ),
    StepRead(
        name="detect_document",
        state=StepState.COMPLETED,
        attempts=1,
        started_at=ago(seconds=17),
        ended_at=ago(seconds=16.98),
    ),
    StepRead(
        name="parse_document",
        state=StepState.RETRYING,
        attempts=2,
        started_at=ago(seconds=16),
        error=OperationError(
            type="unavailable", detail="The object store did not answer; the next attempt follows."
        ),
    ),
    StepRead(name="chunk_document", state=StepState.RUNNING, attempts=1, started_at=ago(seconds=2)),
]

DOCUMENTS = [
    document(
        "sales-review.pptx",
        "embedding",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ),
    document(
        "Employee handbook",
        "parsing",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        chunk_count=0,
    ),
    document("Lease of the Harbour Street office", "indexed"),
    document("delivery-note-scanned.pdf", "partial", reason=Reason.NEEDS_OCR, chunk_count=3),
    document(LONG, "failed", reason=Reason.PASSWORD_PROTECTED, chunk_count=0, page_count=None),
    document("bomb.docx", "quarantined", "application/zip", reason=Reason.DECOMPRESSION_LIMIT, chunk_count=0),
    document(
        "warranty-claim.eml", "skipped_duplicate", "message/rfc822", reason=Reason.DUPLICATE, chunk_count=0
    ),
    document("suppliers.csv", "indexed", "text/csv", page_count=None),
    document("visitor-notice.png", "queued", "image/png", chunk_count=0, page_count=None),
]

ITEMS = [
    ItemRead(
        ordinal=n,
        name=name,
        status=status,
        document_id=new_id("doc"),
        reason=reason,
        updated_at=ago(seconds=9),
    )
    for n, (name, status, reason) in enumerate(
        [
            ("minutes.md", "indexed", None),
            ("broken/password.pdf", "failed", "password_protected"),
            (LONG, "embedding", None),
            ("empty.txt", "failed", "empty"),
        ]
    )
]

TEXT = (
    "The tenant may end the lease at the end of any quarter with six months' notice in writing. The notice "
    "is in time when it reaches the landlord on the third working day of the quarter at the latest.\n\nThe "
    "deposit is returned within ninety days after the keys have been handed over, less what the parties "
    "agreed in the protocol."
)


def chunk(number: int) -> ChunkRead:
    return ChunkRead(
        id=new_id("chk"),
        document_id="doc_1",
        version=1,
        ordinal=number,
        text=TEXT,
        heading_path=["3 Term and notice", "3.2 Notice by the tenant"] if number != 1 else [],
        page=4 + number,
        start=1200 * number,
        end=1200 * number + len(TEXT),
        token_count=90,
    )


def common(section: str) -> dict[str, Any]:
    return {"viewer": VIEWER, "section": section, "temporal_ui_url": "/temporal", "notice": None}


def operations(views: list[OperationView], **more: Any) -> dict[str, Any]:
    counts = {"running": 2, "pending": 1, "paused": 1, "failed": 1, "completed": 1287} if views else {}
    return {
        **common("operations"),
        "views": views,
        "tiles": tiles(counts),
        "status": "",
        "kind": "",
        "budget": None,
        "kinds": [(kind, name) for kind, (name, _) in KINDS.items()],
        "status_labels": {status: look.label for status, look in OPERATION_LOOKS.items()},
        "swap_oob": False,
        "query": "",
        "live": False,
        "digest": "0",
        "next_url": "/operations?cursor=x" if views else None,
        "first_url": "/operations",
        "is_first_page": True,
        "is_filtered": False,
        **more,
    }


def operation_page(view: OperationView, **more: Any) -> dict[str, Any]:
    return {
        **common("operations"),
        "view": view,
        "revision": 7,
        "sse_events": ["operation", "step"],
        "query": "",
        "steps": [step_view(step) for step in STEPS],
        "steps_cut": False,
        "items": None,
        "items_next": None,
        "item_status": "",
        "item_looks": {name: DOCUMENT_LOOKS[name] for name in ITEM_FILTERS},
        "item_counts": {},
        "result_json": None,
        **more,
    }


def documents(views: list[DocumentView], **more: Any) -> dict[str, Any]:
    return {
        **common("documents"),
        "views": views,
        "max_upload_bytes": 200 * 1024 * 1024,
        "space": "",
        "spaces": ["contracts", "default"],
        "status": "",
        "status_labels": {status: look.label for status, look in DOCUMENT_LOOKS.items()},
        "query": "",
        "live": False,
        "digest": "0",
        "next_url": None,
        "first_url": "/documents",
        "is_first_page": True,
        "is_filtered": False,
        **more,
    }


def document_page(view: DocumentView, chunks: list[ChunkRead]) -> dict[str, Any]:
    read = view.document
    versions = [VersionRead(version=n, status=read.status, created_at=ago(days=3 - n)) for n in (2, 1)]
    return {
        **common("documents"),
        "view": view,
        "chunks": chunks,
        "chunks_next": "?cursor=x" if chunks else None,
        "is_first_page": True,
        "can_download": True,
        "versions": [version_view(version) for version in versions],
    }


def result(number: int) -> Result:
    cut = TEXT.index("notice")
    terms = [
        ScoreTerm(name=name, value=value, weight=0.5, raw=value, detail=detail)
        for name, value, detail in (("meaning", 0.61, None), ("words", 0.22, "notice 3, tenant 1, give 1"))
    ]
    return Result(
        SearchHit(
            chunk_id="chk_1",
            document_id="doc_1",
            document_title="Lease of the Harbour Street office" if number else LONG,
            text=TEXT,
            score=0.91 - number / 7,
            terms=terms,
            heading_path=["3 Term and notice", "3.2 Notice by the tenant"],
            page=4,
            start=1200,
            end=1200 + len(TEXT),
            highlights=[Highlight(start=cut, end=cut + len("notice"))],
        )
    )


def search(q: str, results: list[Any], **more: Any) -> dict[str, Any]:
    return {
        **common("search"),
        "q": q,
        "space": "default",
        "spaces": ["default"],
        "mode": "hybrid",
        "explain": True,
        "fault": None,
        "results": results,
        "took_ms": 12.4,
        "notice": None,
        "has_documents": True,
        **more,
    }


def members() -> dict[str, Any]:
    people = [
        ("usr_1", "Ada Lovelace", "ada@example.org", "owner"),
        ("usr_2", "Charles B", "c@example.org", "member"),
    ]
    return {
        **common("members"),
        "fault": None,
        "email": "",
        "roles": [role.value for role in Role],
        "members": [
            SimpleNamespace(user_id=i, name=n, email=e, role=r, created_at=ago(days=40))
            for i, n, e, r in people
        ],
    }


def organisations() -> dict[str, Any]:
    names = ("Ada's own", "Quayside Works & Partners of the Northern Harbour")
    return {
        **common("organisations"),
        "memberships": [
            SimpleNamespace(organisation_id=f"org_{number}", organisation_name=name, role=Role.MEMBER)
            for number, name in enumerate(names)
        ],
        "open_id": "org_0",
        "next": "/approvals",
    }


def api_keys(*, created: bool) -> dict[str, Any]:
    key = SimpleNamespace(
        id="key_1",
        name="nightly import",
        last_four="x7Qa",
        scopes=["documents:read", "documents:write", "search:read"],
        created_at=ago(days=9),
        last_used_at=ago(hours=3) if created else None,
        expires_at=None,
    )
    return {
        **common("api-keys"),
        "created": SimpleNamespace(name="nightly import", secret="pdr_" + "k3" * 24) if created else None,
        "fault": None,
        "name": "",
        "may_create": True,
        "keys": [key] if created else [],
        "scopes": [
            SimpleNamespace(name=scope.value, is_default="write" not in scope.value) for scope in Scope
        ],
    }


def outside(**more: Any) -> dict[str, Any]:
    return {"viewer": None, "notice": None, **more}


@dataclass(frozen=True)
class Page:
    """A page to draw."""

    template: str
    context: Callable[[], dict[str, Any]]


FAILED_BATCH = operation(
    "Ingest samples.zip",
    "failed",
    "ingest_batch",
    progress=Progress(done=97, total=100, step="index_document"),
    error=OperationError(
        type="unavailable", detail="The database did not answer for ten minutes.", step="index_document"
    ),
)

PAGES: dict[str, Page] = {
    "login": Page("login.html", lambda: outside(fault=None, email="", next="/")),
    "login-wrong": Page(
        "login.html",
        lambda: outside(
            fault="E-mail and password do not match. Check both.", email="ada@example.org", next="/"
        ),
    ),
    "register": Page(
        "register.html",
        lambda: outside(
            fault=None,
            values={"name": "Ada", "organisation": "", "email": "ada@"},
            faults={"name": "", "organisation": "Say what it is called.", "email": "", "password": ""},
            password_hint="At least 10 characters. A sentence is easiest to keep in mind.",
            password_min_length=10,
        ),
    ),
    "operations": Page("operations.html", lambda: operations(OPERATIONS, notice=Notice("Paused."))),
    "operations-empty": Page("operations.html", lambda: operations([])),
    "operations-filtered": Page(
        "operations.html", lambda: operations([], is_filtered=True, status="expired")
    ),
    "operation-running": Page("operation.html", lambda: operation_page(OPERATIONS[1])),
    "operation-failed": Page(
        "operation.html",
        lambda: operation_page(
            FAILED_BATCH,
            items=[item_view(item) for item in ITEMS],
            items_next="?item_cursor=4",
            item_counts={"indexed": 95, "failed": 2},
            result_json=json.dumps({"total": 100, "outcomes": {"indexed": 95, "failed": 2}}, indent=2),
        ),
    ),
    "documents": Page("documents.html", lambda: documents(DOCUMENTS)),
    "documents-empty": Page("documents.html", lambda: documents([])),
    "document": Page("document.html", lambda: document_page(DOCUMENTS[2], [chunk(n) for n in range(4)])),
    "document-failed": Page("document.html", lambda: document_page(DOCUMENTS[4], [])),
    "search": Page(
        "search.html", lambda: search("how much notice must the tenant give?", [result(n) for n in range(3)])
    ),
    "search-nothing": Page("search.html", lambda: search("zebra", [])),
    "search-start": Page("search.html", lambda: search("", [], has_documents=False)),
    "members": Page("settings_members.html", members),
    "organisations": Page("organisations.html", organisations),
    "api-keys": Page("settings_api_keys.html", lambda: api_keys(created=True)),
    "api-keys-empty": Page("settings_api_keys.html", lambda: api_keys(created=False)),
    "error": Page(
        "error.html",
        lambda: {
            **common(""),
            "code": 404,
            "title": "Not found",
            "detail": "There is no such document in this organisation. It may have been deleted.",
            "request_id": "req_01",
            "choice_address": "/organisations?next=%2Fdocuments%2Fdoc_1",
        },
    ),
}


def app(pages: Mapping[str, Page]) -> Starlette:
    """Serve each page under its name."""
    templates = Templates()

    async def show(request: Request) -> Response:
        page = pages[request.path_params["name"]]
        return templates.response(page.template, page.context())

    async def nothing_new(request: Request) -> Response:
        return Response(status_code=204)

    async def silence() -> AsyncIterator[str]:
        yield ": open\n\n"
        await asyncio.sleep(60)

    async def events(request: Request) -> Response:
        return StreamingResponse(silence(), media_type="text/event-stream")

    return Starlette(
        routes=[
            Mount("/static", VersionedStaticFiles(directory=STATIC_FOLDER)),
            Route("/preview/{name}", show),
            Route("/api/v1/operations/{id}/events", events),
            Route("/api/v1/approvals", events),
            Route("/{path:path}", nothing_new),
        ]
    )
