"""The pages of privacy with invented content, extremes included."""

from types import SimpleNamespace
from typing import Any

from api.routes.console_privacy import ExportView, lines
from perdure.domain.ids import new_id
from perdure.schemas.operations import Subject
from perdure.schemas.privacy import Amounts, ErasureReport, ExportRead, Kept, ReceiptRead
from tests.browser.preview import LONG, Page, ago, common, outside

TOKEN = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." + "x9" * 90
RECEIPT_URL = f"http://127.0.0.1:8000/api/v1/erasures/{TOKEN}"
GONE = Amounts(
    rows={"documents": 12, "chunks": 812, "memories": 2_410, "memory_embeddings": 2_410, "sessions": 3},
    objects={"originals": 12, "texts": 12},
    histories=31,
)
PERSON = SimpleNamespace(user_id="usr_2", name="Charles Babbage", email="charles@example.org", role="member")


def privacy(*, owner: bool, exports: bool) -> dict[str, Any]:
    archive = ExportRead(
        id=new_id("op"),
        subject=Subject(type="user", id="usr_1"),
        size_bytes=48_211_902,
        sha256="0" * 64,
        created_at=ago(hours=5),
        expires_at=ago(days=-6),
    )
    views = [ExportView("The organisation", archive.id, None), ExportView("You", archive.id, archive)]
    long = SimpleNamespace(user_id="usr_3", name=LONG, email=f"{LONG}@example.org", role="viewer")
    return {
        **common("privacy"),
        "fault": None,
        "is_owner": owner,
        "others": [PERSON, long] if owner else [],
        "exports": views if exports else [],
        "live": False,
    }


def erasure(person: SimpleNamespace | None, fault: str | None = None) -> dict[str, Any]:
    return {
        **common("privacy"),
        "fault": fault,
        "person": person,
        "is_self": False,
        "to_type": person.email if person else "Analytical Engines",
        "action": "/settings/privacy/organisation/erasure",
    }


def receipt(read: ReceiptRead | None) -> dict[str, Any]:
    return outside(
        receipt=read,
        token=TOKEN if read else "",
        gone=lines(GONE),
        receipt_url=f"/api/v1/erasures/{TOKEN}",
    )


def read(*, done: bool, verified: bool = True) -> ReceiptRead:
    kept = [
        Kept(what="audit_events", reason="Who did what is kept; the ids in it lead nowhere any more."),
        Kept(what="erasures", reason="This receipt."),
    ]
    return ReceiptRead(
        operation_id=new_id("op"),
        organisation_id=new_id("org"),
        subject=Subject(type="user", id=new_id("usr")),
        status="completed" if done else "running",
        started_at=ago(minutes=3),
        completed_at=ago(minutes=2) if done else None,
        report=ErasureReport(gone=GONE, kept=kept) if done else None,
        signature="5f" * 32 if done else None,
        verified=verified and done,
    )


PAGES: dict[str, Page] = {
    "privacy": Page("settings_privacy.html", lambda: privacy(owner=True, exports=True)),
    "privacy-member": Page("settings_privacy.html", lambda: privacy(owner=False, exports=False)),
    "privacy-erase-person": Page(
        "settings_erasure.html", lambda: erasure(PERSON, "Type charles@example.org to confirm.")
    ),
    "privacy-erase-organisation": Page("settings_erasure.html", lambda: erasure(None)),
    "privacy-started": Page(
        "erasure_started.html", lambda: outside(receipt_url=RECEIPT_URL, token=TOKEN, may_go_back=True)
    ),
    "privacy-receipt": Page("erasure_receipt.html", lambda: receipt(read(done=True))),
    "privacy-receipt-forged": Page("erasure_receipt.html", lambda: receipt(read(done=True, verified=False))),
    "privacy-receipt-running": Page("erasure_receipt.html", lambda: receipt(read(done=False))),
    "privacy-receipt-form": Page("erasure_receipt.html", lambda: receipt(None)),
}
