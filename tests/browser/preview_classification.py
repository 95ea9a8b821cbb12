"""The pages of classification with invented content, extremes and hostile texts included."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from api.routes.console_classification import Queue
from api.routes.console_classification_forms import Values
from api.routes.console_classification_views import (
    BELOWS,
    DECISION_LOOKS,
    PROVIDERS,
    RESULT_LOOKS,
    STAGES,
    AnswerView,
    Figure,
    ResultView,
    WorkflowVersionView,
)
from api.routes.console_label_text import labels_of
from api.routes.console_quality_charts import choice, reliability_diagram, risk_coverage_curve, thinned
from perdure.domain.ids import new_id
from perdure.schemas.classification import (
    Alternative,
    CategoryRead,
    ClassificationRead,
    Comparison,
    Decision,
    EntityRead,
    EvidenceRead,
    QualityRead,
    ReliabilityBin,
    ResultStatus,
    ResultSummary,
    ReviewRead,
    RiskCoveragePoint,
    SentimentRead,
    Stage,
    StageGiven,
    StagesRead,
    TokensRead,
    VersionRead,
    WorkflowRead,
)
from perdure.schemas.operations import OperationError, Progress
from tests.browser.preview import LONG, Page, ago, common, document, operation

LABELS = """
Invoice: asks for payment of something that was delivered
  > Please find attached invoice 4711 over 1,200 EUR, due within thirty days.
  > Our bill for the repair of the roof.
  Reminder: says that a payment is late
Complaint: is not content with what was delivered
  > The chairs came without their legs.
Job application: somebody wants to work here
A-label-of-one-word-that-nobody-shortened-although-it-is-far-too-long-for-a-narrow-screen
""".strip()

TEXT = (
    "Dear Ms Lovelace, we have still not received the 1,200.00 EUR of invoice INV-2026-0042, due on 2 March 2026. "
    "Please pay to AT61 1904 3002 3457 3201 within ten days, or write to billing@example.com.\n\n"
    "The <b>last</b> delivery was fine, & thank you for that.\n" + "x" * 90
)
EVIDENCE = ("we have still not received the 1,200.00 EUR of invoice INV-2026-0042, due on 2 March 2026.",)
ENTITIES = (
    ("person", "Ms Lovelace", "Ms Lovelace"),
    ("money", "1,200.00 EUR", "1200.00 EUR"),
    ("invoice_number", "INV-2026-0042", "INV-2026-0042"),
    ("date", "2 March 2026", "2026-03-02"),
    ("iban", "AT61 1904 3002 3457 3201", "AT611904300234573201"),
    ("email", "billing@example.com", "billing@example.com"),
)
OUTLINE = {
    "topics": [
        {"text": "The harbour's new crane", "start": 0, "end": 20, "at_seconds": 12, "speaker": "Ben"}
    ],
    "decisions": [
        {"text": "We buy the smaller one.", "start": 30, "end": 50, "at_seconds": 754, "speaker": None}
    ],
    "actions": [{"text": "Ann asks for three offers until Friday.", "start": 60, "end": 90}],
}
WORKFLOWS = {"clw_1": "Incoming mail", "clw_2": "An-unbroken-name-" * 6}
LABEL_NAMES = [label.name for label in labels_of(LABELS)]


def entities() -> list[EntityRead]:
    return [
        EntityRead(
            type=type_,
            text=text,
            value=value,
            start=TEXT.index(text),
            end=TEXT.index(text) + len(text),
            confidence=0.93,
        )
        for type_, text, value in ENTITIES
    ]


def category(*, several: bool = False) -> CategoryRead:
    return CategoryRead(
        label="Reminder",
        confidence=0.734,
        labels=[
            Alternative(label="Reminder", confidence=0.734),
            Alternative(label=LABEL_NAMES[-1], confidence=0.61),
        ]
        if several
        else [],
        path=["Invoice", "Reminder"],
        alternatives=[
            Alternative(label="Complaint", confidence=0.141),
            Alternative(label=LABEL_NAMES[-1], confidence=0.093),
            Alternative(label="Job application", confidence=0.004),
        ],
        evidence=[
            EvidenceRead(text=text, start=TEXT.index(text), end=TEXT.index(text) + len(text), score=0.7)
            for text in EVIDENCE
        ],
    )


def answer(status: str = "open", **more: Any) -> AnswerView:
    values: dict[str, Any] = {
        "external_id": None,
        "document_id": None,
        "workflow_id": "clw_1",
        "version": 3,
        "stages": StagesRead(
            category=category(),
            sentiment=SentimentRead(polarity=-0.42, label="negative", confidence=0.81),
            entities=entities(),
            summary=OUTLINE,
        ),
        "decision": Decision.HUMAN_REVIEW if status == "open" else Decision.AUTO,
        "label": "Reminder",
        "labels": ["Reminder"],
        "provider": "local",
        "model": None,
        "tokens": TokensRead(),
        "cost": Decimal(0),
        "reason": None,
        "detail": None,
        "text": TEXT,
        "review": None,
        "created_at": ago(minutes=3),
        "classified_at": ago(minutes=3),
        **more,
    }
    title = values.pop("document_title", None)
    read = ClassificationRead(
        id=new_id("clr"), operation_id=new_id("op"), ordinal=0, status=ResultStatus(status), **values
    )
    return AnswerView(read, title)


def shell(tab: str, **more: Any) -> dict[str, Any]:
    return {**common("classification"), "tab": tab, "fault": None, **more}


def values(**more: Any) -> Values:
    """What stands in the fields: of the form's own kind, so that it has all of them."""
    usual = Values(
        labels=LABELS,
        stages=["category", "entities"],
        rule="target",
        percent="95",
        region="AT",
        policy="stages:\n- id: desk\n  approvers: [{role: member}]\n  rule: any\n",
    )
    return replace(usual, **more)


def classify(view: AnswerView | None, **more: Any) -> dict[str, Any]:
    return shell(
        "classify",
        values=values(text=TEXT if view else ""),
        documents=[
            document("Lease of the harbour.pdf", "indexed").document,
            document(LONG, "indexed").document,
        ],
        documents_chosen=[],
        workflows=WORKFLOWS,
        stages=STAGES,
        answered=view is not None,
        view=view,
    ) | dict(more)


def result(view: AnswerView, **more: Any) -> dict[str, Any]:
    return shell("classify", view=view, batch_url=None, workflow_name="Incoming mail") | dict(more)


def reviewed() -> AnswerView:
    review = ReviewRead(
        labels=["Complaint"],
        comment="They are angry about the chairs.\n" + "word" * 60,
        reviewed_by="usr_1",
        reviewed_at=ago(minutes=1),
    )
    return answer("reviewed", review=review, label="Complaint", labels=["Complaint"])


def review(view: AnswerView | None, **more: Any) -> dict[str, Any]:
    return shell(
        "review",
        view=view,
        workflows=WORKFLOWS,
        queue=Queue(),
        workflow_name="Incoming mail",
        multi_label=False,
        labels=LABEL_NAMES,
        chosen=["Reminder"],
        comment="",
        back="",
        next_url="/classification/review?cursor=x",
    ) | dict(more)


def workflow(name: str, **more: Any) -> WorkflowRead:
    given: dict[str, Any] = {
        "description": "What comes by mail, by what has to be done with it.",
        "version": 2,
        "latest_version": 3,
        "labels": LABEL_NAMES,
        "results": 12_345,
        "open_reviews": 17,
        "created_at": ago(days=30),
        "updated_at": ago(hours=2),
        "archived_at": None,
        **more,
    }
    return WorkflowRead(id="clw_1", name=name, **given)


def version(number: int, *, active: bool = False, **more: Any) -> WorkflowVersionView:
    given: dict[str, Any] = {
        "region": "AT",
        "language": None,
        "note": "Reminders are a label of their own" if number == 3 else None,
        "learnt": 0 if number == 1 else 31,
        "comparison": None,
        "forced": number == 2,
        "created_by": "usr_1",
        "created_at": ago(days=9 - number),
        "activated_at": ago(days=8 - number),
        **more,
    }
    stages = [
        StageGiven(task=Stage.CATEGORY, labels=labels_of(LABELS), target_accuracy=0.95),
        StageGiven(task=Stage.SENTIMENT, threshold=0.6),
        StageGiven(task=Stage.ENTITIES),
    ]
    return WorkflowVersionView(VersionRead(version=number, is_active=active, stages=stages, **given))


VERSIONS = [
    version(3, comparison=Comparison(n=84, accuracy=0.869, before=0.893, before_version=2)),
    version(2, active=True, comparison=Comparison(n=60, accuracy=0.893, before=0.817, before_version=1)),
    version(1),
]


def workflow_page(**more: Any) -> dict[str, Any]:
    return shell(
        "workflows",
        workflow=workflow("Incoming mail"),
        active=VERSIONS[1],
        versions=VERSIONS,
        refused=None,
    ) | dict(more)


def workflows(*items: WorkflowRead) -> dict[str, Any]:
    return shell(
        "workflows",
        workflows=items,
        archived=False,
        first_url="/classification/workflows",
        next_url="/classification/workflows?cursor=x" if items else None,
        is_first_page=True,
    )


def workflow_form(workflow_: WorkflowRead | None, **more: Any) -> dict[str, Any]:
    form = values(
        name="", description="", others=["entities"], provider="local", learn=True, note="", labels=LABELS
    )
    return shell(
        "workflows",
        workflow=workflow_,
        values=form,
        others={stage: words for stage, words in STAGES.items() if stage is not Stage.CATEGORY},
        belows={below: words for below, words in BELOWS.items() if below != "next_stage"},
        providers=PROVIDERS,
    ) | dict(more)


CURVE = [
    RiskCoveragePoint(coverage=n / 40, accuracy=1 - 0.19 * (n / 40) ** 2, threshold=0.99 - n / 60)
    for n in range(1, 41)
]
BINS = [
    ReliabilityBin(confidence=0.05 + n / 10, accuracy=min(1.0, 0.03 + n / 9.5), count=n * n)
    for n in range(10)
]


def quality(*, known: bool, target: int = 95) -> dict[str, Any]:
    read = QualityRead(
        version=2,
        n=84 if known else 0,
        n_sure=12 if known else 0,
        accuracy=0.893 if known else None,
        accuracy_low=0.806 if known else None,
        accuracy_high=0.949 if known else None,
        ece=0.041 if known else None,
        reliability=BINS if known else [],
        risk_coverage=CURVE if known else [],
        target_accuracy=0.95,
        threshold=0.81,
        automatic_share=0.62 if known else None,
        history=[view.version for view in VERSIONS],
    )
    chosen = choice(read.risk_coverage, target / 100)
    return shell(
        "workflows",
        workflow=workflow("Incoming mail"),
        quality=read,
        target=target,
        chosen=chosen,
        accuracy="89 %" if known else None,
        interval="81 % to 95 %, 95 times of 100" if known else None,
        ece="4.1 %" if known else None,
        automatic="62 %" if known else None,
        is_one_sided=known,
        coverage=thinned(read.risk_coverage),
        coverage_chart=risk_coverage_curve(read.risk_coverage, chosen),
        reliability_chart=reliability_diagram(read.reliability),
        history=VERSIONS,
    )


def summary(place: int) -> ResultView:
    status = list(ResultStatus)[place % len(ResultStatus)]
    has_answer = status in (ResultStatus.DECIDED, ResultStatus.OPEN, ResultStatus.REVIEWED)
    return ResultView(
        ResultSummary(
            id=new_id("clr"),
            operation_id="op_1",
            ordinal=place,
            external_id=LONG if place == 4 else f"mail-{place}",
            document_id=None,
            workflow_id="clw_1",
            version=2,
            status=status,
            decision=Decision.AUTO if status is ResultStatus.DECIDED else None,
            label=LABEL_NAMES[place % len(LABEL_NAMES)] if has_answer else None,
            labels=[LABEL_NAMES[place % len(LABEL_NAMES)]] if has_answer else [],
            confidence=0.99 - place / 20 if has_answer else None,
            sentiment=None,
            provider="local",
            model=None,
            tokens=TokensRead(),
            cost=Decimal(0),
            reason="document_not_found" if status is ResultStatus.FAILED else None,
            detail=None,
            excerpt=TEXT[:200],
            created_at=ago(minutes=4),
            classified_at=None,
        )
    )


def batch(status: str, *, results: bool = True, **more: Any) -> dict[str, Any]:
    done = {"completed": 1000, "failed": 0}.get(status, 412)
    error = OperationError(
        type="budget-reached", detail="The budget of November is used up.", step="classify"
    )
    view = operation(
        "Classify 1,000 texts",
        status,
        "classify_batch",
        progress=Progress(done=done, total=1000, step="classify"),
        error=error if status in ("paused", "failed") else None,
    )
    return shell(
        "batches",
        view=view,
        revision=3,
        query="",
        workflow_id="clw_1",
        workflow_name="Incoming mail",
        has_results=results,
        figures=[
            Figure("Decided", "812", "check-circle", "success", "81 %"),
            Figure("For a person", "140", "hand", "violet", "14 %"),
            Figure("Failed", "48", "x-circle", "danger", "5 %"),
            Figure("Cost", "$0.0421", "curve", "", "12,000 + 840 tokens"),
        ]
        if status == "completed"
        else [],
        shown={"label": "", "status": "", "decision": "", "below": ""},
        labels=LABEL_NAMES,
        status_looks=RESULT_LOOKS,
        decision_looks=DECISION_LOOKS,
        results=[summary(place) for place in range(9)] if results else [],
        first_url="/classification/batches/op_1",
        next_url="/classification/batches/op_1?cursor=x" if results else None,
        is_first_page=True,
        is_filtered=False,
    ) | dict(more)


def batches(count: int, **more: Any) -> dict[str, Any]:
    statuses = ("running", "completed", "failed", "paused")
    return shell(
        "batches",
        views=[
            operation(
                f"Classify {place + 1},000 texts",
                statuses[place % 4],
                "classify_batch",
                progress=Progress(done=412, total=1000, step="classify"),
            )
            for place in range(count)
        ],
        most=10_000,
        stages=STAGES,
        spaces=["default", "contracts"],
        workflows=WORKFLOWS if count else {},
        workflow_id="clw_1",
        live=False,
        query="",
        first_url="/classification/batches",
        next_url=None,
        is_first_page=True,
    ) | dict(more)


PAGES: dict[str, Page] = {
    "classify": Page("classification.html", lambda: classify(None)),
    "classify-answer": Page("classification.html", lambda: classify(answer())),
    "classify-fault": Page(
        "classification.html",
        lambda: classify(None, fault="Line 2 has no label before the colon.", workflows={}),
    ),
    "classify-pending": Page("classification.html", lambda: classify(answer("queued"))),
    "classification-result": Page("classification_result.html", lambda: result(reviewed())),
    "classification-several": Page(
        "classification_result.html",
        lambda: result(
            answer("decided", stages=StagesRead(category=category(several=True)), document_title=LONG)
        ),
    ),
    "classification-of-document": Page(
        "classification_result.html",
        lambda: result(
            answer(
                "decided",
                document_id=new_id("doc"),
                text=None,
                provider="openai",
                model="gpt-x",
                tokens=TokensRead(input=12_000, output=840),
                cost=Decimal("0.0421"),
            )
        ),
    ),
    "classification-failed": Page(
        "classification_result.html",
        lambda: result(
            answer(
                "failed", stages=StagesRead(), reason="provider_failed", detail="openai: 401", decision=None
            )
        ),
    ),
    "review": Page("classification_review.html", lambda: review(answer())),
    "review-several": Page("classification_review.html", lambda: review(answer(), multi_label=True)),
    "review-decided": Page("classification_review.html", lambda: review(answer(), queue=Queue(decided=True))),
    "review-decided-empty": Page(
        "classification_review.html", lambda: review(None, queue=Queue(decided=True))
    ),
    "review-empty": Page("classification_review.html", lambda: review(None)),
    "review-done": Page(
        "classification_review.html", lambda: review(None, queue=Queue(cursor="x"), fault="Choose a label.")
    ),
    "workflows": Page(
        "classification_workflows.html",
        lambda: workflows(
            workflow("Incoming mail"),
            workflow("An-unbroken-name-" * 6, archived_at=ago(days=1), open_reviews=0),
        ),
    ),
    "workflows-empty": Page("classification_workflows.html", workflows),
    "workflow": Page("classification_workflow.html", workflow_page),
    "workflow-refused": Page(
        "classification_workflow.html",
        lambda: workflow_page(
            refused=VERSIONS[0].version, fault="It is right in 86.9 % of 84 texts, the active one in 89.3 %."
        ),
    ),
    "workflow-new": Page("classification_workflow_form.html", lambda: workflow_form(None)),
    "workflow-edit": Page(
        "classification_workflow_form.html",
        lambda: workflow_form(workflow("Incoming mail"), fault="Give at least two labels."),
    ),
    "quality": Page("classification_quality.html", lambda: quality(known=True)),
    "quality-unreached": Page("classification_quality.html", lambda: quality(known=True, target=99)),
    "quality-unknown": Page("classification_quality.html", lambda: quality(known=False)),
    "batches": Page("classification_batches.html", lambda: batches(4)),
    "batches-empty": Page("classification_batches.html", lambda: batches(0, fault="The file has no rows.")),
    "batch-running": Page("classification_batch.html", lambda: batch("running")),
    "batch-waiting": Page("classification_batch.html", lambda: batch("paused")),
    "batch-completed": Page("classification_batch.html", lambda: batch("completed")),
    "batch-empty": Page("classification_batch.html", lambda: batch("failed", results=False)),
}
