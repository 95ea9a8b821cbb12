"""What a batch of texts costs grows with the number of its texts, and not with its square."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, text

from perdure.db.classification_results import (
    BATCH_KIND,
    ClassificationResults,
    NewItem,
    Outcome,
    accept_classification,
)
from perdure.db.classification_workflows import questions_of
from perdure.db.session import Database
from perdure.domain.ids import new_id
from perdure.schemas.classification import Definition, LabelGiven, ResultStatus, Stage, StageGiven

TEXTS = 300
BATCHES = 4

Act = Callable[[ClassificationResults, str], Awaitable[object]]


async def accepted(database: Database, organisation_id: str, document_id: str | None = None) -> str:
    """A batch that waits; the id of its operation."""
    labels = [LabelGiven(name="Invoice"), LabelGiven(name="Complaint")]
    questions = questions_of(Definition(stages=[StageGiven(task=Stage.CATEGORY, labels=labels)]))
    given = [NewItem(f"The amount of {number} EUR is due.") for number in range(TEXTS - 1)]
    operation_id = new_id("op")
    async with database.transaction(organisation_id) as session:
        await accept_classification(
            session,
            organisation_id,
            "usr_test",
            BATCH_KIND,
            [*given, NewItem(document_id=document_id) if document_id else NewItem("The last one.")],
            questions,
            operation_id,
        )
    return operation_id


@contextmanager
def noted(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """Statements that are sent meanwhile, with their parameters."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_more: object) -> None:
        sent.append((statement, parameters))

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


def compared_in_vain(plan: dict[str, Any]) -> float:
    """Pairs of rows that joins of a plan looked at and found not to belong together."""
    own: float = plan.get("Rows Removed by Join Filter", 0) * plan["Actual Loops"]
    return own + sum(map(compared_in_vain, plan.get("Plans", [])))


async def answer(results: ClassificationResults, operation_id: str, status: ResultStatus) -> None:
    held = {"sure": "decided", "unsure": "open"}
    outcomes = [Outcome(n, status, label="Invoice", confidence=n / TEXTS, held=held) for n in range(TEXTS)]
    await results.write(operation_id, outcomes)


async def read(results: ClassificationResults, operation_id: str) -> None:
    items = await results.waiting(operation_id, 0, TEXTS, ResultStatus.QUEUED)
    assert [item.ordinal for item in items] == list(range(TEXTS))


async def write(results: ClassificationResults, operation_id: str) -> None:
    await answer(results, operation_id, ResultStatus.DECIDED)
    assert await results.counts(operation_id, 0, TEXTS) == (TEXTS, 0, 0)


async def decide(results: ClassificationResults, operation_id: str) -> None:
    await answer(results, operation_id, ResultStatus.SCORED)
    await results.decide(operation_id, 0.5)
    summary = await results.summary(operation_id)
    assert (summary.decided, summary.human_review) == (TEXTS // 2, TEXTS // 2)


async def settle(results: ClassificationResults, operation_id: str) -> None:
    await results.settle(operation_id, "cancelled", "somebody changed their mind")
    assert (await results.summary(operation_id)).reasons == {"cancelled": TEXTS}


@pytest.mark.parametrize("act", [read, write, decide, settle])
async def test_no_statement_compares_each_text_of_a_new_batch_with_each(
    database: Database, owner: Database, organisation_id: str, act: Act
) -> None:
    for _ in range(BATCHES):
        await accepted(database, organisation_id)
    async with owner.transaction(None) as session:
        await session.execute(text("ANALYZE classification_results, operation_items"))
    operation_id = await accepted(database, organisation_id, new_id("doc"))
    with noted(database) as sent:
        async with database.transaction(organisation_id) as session:
            await act(ClassificationResults(session, organisation_id), operation_id)
            await session.rollback()
    async with database.transaction(organisation_id) as session:
        connection = await session.connection()
        for statement, parameters in sent:
            explained = await connection.exec_driver_sql(
                f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters
            )
            (plan,) = explained.scalar_one()
            assert compared_in_vain(plan["Plan"]) <= TEXTS, statement
        await session.rollback()
