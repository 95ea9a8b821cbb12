"""Classification on the real servers: texts, documents, what is sure and what goes to a person, and bad input."""

import asyncio
from typing import Any

import pytest

from perdure.domain.html_words import seen
from tests.accounts import Account
from tests.classifying import INVOICE, LABELS, classified, workflow

PATH = "/ai/classification"

BAD: dict[str, dict[str, Any]] = {
    "neither text nor document": {"labels": LABELS},
    "both": {"text": "x", "document_id": "doc_00000000000000000000000000", "labels": LABELS},
    "an empty text": {"text": "", "labels": LABELS},
    "a blank text": {"text": " \n\t ", "labels": LABELS},
    "a text that cannot be seen": {"text": "\u200b\u2060\u200d \ufeff", "labels": LABELS},
    "no labels": {"text": "x"},
    "empty labels": {"text": "x", "labels": []},
    "one label": {"text": "x", "labels": LABELS[:1]},
    "a label twice": {"text": "x", "labels": [*LABELS, {"name": "INVOICE"}]},
    "a label without a name": {"text": "x", "labels": [*LABELS, {"name": "  "}]},
    "an unknown parent": {"text": "x", "labels": [*LABELS, {"name": "Reminder", "parent": "Bill"}]},
    "a circle": {"text": "x", "labels": [{"name": "a", "parent": "b"}, {"name": "b", "parent": "a"}]},
    "too many labels": {"text": "x", "labels": [{"name": f"label {n}"} for n in range(1_001)]},
    "an unknown stage": {"text": "x", "labels": LABELS, "stages": ["mood"]},
    "a stage twice": {"text": "x", "labels": LABELS, "stages": ["category", "category"]},
    "labels for nothing": {"text": "x", "labels": LABELS, "stages": ["entities"]},
    "threshold and target": {"text": "x", "labels": LABELS, "threshold": 0.5, "target_accuracy": 0.9},
    "labels beside a workflow": {
        "text": "x",
        "labels": LABELS,
        "workflow_id": "clw_00000000000000000000000000",
    },
    "an unknown field": {"text": "x", "labels": LABELS, "tekst": "y"},
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
async def test_what_cannot_be_meant_is_refused_with_the_field(caller: Account, body: dict[str, Any]) -> None:
    problem = await caller.post(f"{PATH}/enhanced", 422, json=body)
    assert problem["errors"]


async def test_a_text_gets_a_label_with_alternatives_evidence_and_what_it_took(caller: Account) -> None:
    answer = await classified(caller, text=INVOICE, labels=LABELS, external_id="mail-1")
    category = answer["stages"]["category"]
    assert category["label"] == answer["label"] == "Invoice"
    assert 0 < category["confidence"] <= 1
    assert {one["label"] for one in category["alternatives"]} == {"Complaint", "Job application"}
    for passage in category["evidence"]:
        assert INVOICE[passage["start"] : passage["end"]] == passage["text"]
    assert category["evidence"]
    assert (answer["decision"], answer["status"], answer["external_id"]) == ("auto", "decided", "mail-1")
    assert (answer["provider"], answer["model"], answer["cost"]) == ("local", None, 0.0)
    assert answer["tokens"] == {"input": 0, "output": 0, "cached": 0}
    assert answer["text"] == INVOICE
    operation = await caller.get(f"/operations/{answer['operation_id']}")
    assert operation["result"]["result_id"] == answer["id"]
    assert INVOICE[:20] not in str(operation)
    assert await caller.get(f"{PATH}/results/{answer['id']}") == answer


HTML = """<div dir="ltr"><style>.invoice { complaint: terrible; }</style><h2>Invoice 77</h2>
<p style="font-family: 'Awful Sans'">Dear Ms Berg,</p><p>The amount of <b>1,200.00&nbsp;EUR</b> for the chairs
is due within thirty days.<br>We agreed on this price in M&auml;rz.
<a href="https://Pay.example/?no=77&amp;x=1">Pay here</a>, or ask
<a href="mailto:ann@pay.example?subject=77">us</a>
at <a href="https://pay.example">https://pay.example</a>.</p><!-- I hate it, it is broken --></div>"""


async def test_tags_of_a_pasted_mail_are_no_words_and_everything_stands_where_it_was(caller: Account) -> None:
    stages = ["category", "sentiment", "entities", "summary"]
    answer = await classified(caller, text=HTML, labels=LABELS, stages=stages)
    said = answer["stages"]
    assert answer["label"] == "Invoice"
    shown = [*said["category"]["evidence"], *said["summary"]["topics"], *said["summary"]["decisions"]]
    assert "We agreed on this price in März." in [one["text"] for one in shown]
    assert not any(mark in str(shown) for mark in "<>&")
    for one in shown:
        given = HTML[one["start"] : one["end"]]
        assert (given[0], given.split()[0]) == (one["text"][0], one["text"].split()[0])
    assert [one["text"] for one in said["summary"]["topics"]] == ["Invoice 77"]
    for entity in said["entities"]:
        assert HTML[entity["start"] : entity["end"]] == entity["text"]
    plain = await classified(caller, text=seen(HTML).text, stages=["sentiment"])
    assert said["sentiment"]["label"] == plain["stages"]["sentiment"]["label"]
    found = {(one["type"], one["text"], one["value"]) for one in said["entities"]}
    assert ("money", "1,200.00&nbsp;EUR", "1200.00 EUR") in found
    assert ("url", "https://Pay.example/?no=77&amp;x=1", "https://pay.example/?no=77&x=1") in found
    assert ("email", "ann@pay.example", "ann@pay.example") in {
        (kind, value, value) for kind, _, value in found
    }
    assert [value for kind, _, value in found if kind == "url"].count("https://pay.example") == 1
    assert not any("Sans" in text for _, text, _ in found)
    assert answer["text"] == HTML


async def test_html_without_words_is_an_empty_text(caller: Account) -> None:
    answer = await classified(caller, text="<div><br><img src='x.png'></div>", labels=LABELS)
    assert (answer["status"], answer["reason"]) == ("failed", "empty_text")


async def test_without_waiting_the_operation_is_accepted(caller: Account) -> None:
    body = {"text": INVOICE, "labels": LABELS}
    key = {"Idempotency-Key": "classify-once"}
    operation = await caller.post(f"{PATH}/enhanced", json=body, headers=key)
    assert operation["kind"] == "classify_document"
    again = await caller.post(f"{PATH}/enhanced", 200, json=body, headers=key)
    assert again["id"] == operation["id"]
    assert (await caller.ended(operation))["status"] == "completed"
    listed = await caller.get(f"{PATH}/results", operation_id=operation["id"])
    assert [one["label"] for one in listed["items"]] == ["Invoice"]


async def test_all_stages_say_what_they_found(caller: Account) -> None:
    stages = ["category", "sentiment", "entities", "summary"]
    answer = await classified(caller, text=INVOICE, labels=LABELS, stages=stages, region="AT")
    said = answer["stages"]
    assert -1 <= said["sentiment"]["polarity"] <= 1
    assert said["summary"]["kind"] == "outline"
    by_type = {one["type"]: one for one in said["entities"]}
    assert {"money", "email"} <= by_type.keys()
    for entity in said["entities"]:
        assert INVOICE[entity["start"] : entity["end"]] == entity["text"]


async def test_what_is_not_sure_enough_goes_to_a_person(caller: Account) -> None:
    answer = await classified(caller, text="Well, who knows.", labels=LABELS, threshold=0.999)
    assert (answer["decision"], answer["status"]) == ("human_review", "open")
    queue = await caller.get(f"{PATH}/results", decision="human_review", status="open")
    assert [one["id"] for one in queue["items"]] == [answer["id"]]
    sure = await classified(caller, text="Well, who knows.", labels=LABELS, threshold=0.0)
    assert sure["decision"] == "auto"


async def test_several_labels_and_a_hierarchy(caller: Account) -> None:
    several = await classified(caller, text=INVOICE, labels=LABELS, multi_label=True)
    assert set(several["labels"]) == {one["label"] for one in several["stages"]["category"]["labels"]}
    none = await classified(caller, text="Well, who knows.", labels=LABELS, multi_label=True)
    assert (none["label"], none["labels"], none["stages"]["category"]["label"]) == (None, [], None)
    nested = [{"name": "Money"}, *({**one, "parent": "Money"} for one in LABELS[:1]), *LABELS[1:]]
    answer = await classified(caller, text=INVOICE, labels=nested)
    assert answer["label"] == "Invoice"
    assert answer["stages"]["category"]["path"] == ["Money", "Invoice"]


async def test_a_document_is_classified_as_it_is_indexed(caller: Account, stranger: Account) -> None:
    document = await caller.ingested(json={"text": INVOICE, "title": "A letter"})
    answer = await classified(caller, document_id=document["id"], labels=LABELS)
    assert (answer["label"], answer["document_id"], answer["text"]) == ("Invoice", document["id"], None)
    problem = await stranger.post(
        f"{PATH}/enhanced", 404, json={"document_id": document["id"], "labels": LABELS}
    )
    assert document["id"] in problem["detail"]
    gone = await caller.http.delete(f"/api/v1/documents/{document['id']}")
    await caller.ended(gone.json())
    await caller.get(f"{PATH}/results/{answer['id']}", 404)


async def test_a_document_without_text_fails_with_its_reason(caller: Account) -> None:
    document = await caller.ingested(files={"file": ("broken.pdf", b"%PDF-1.7 nothing")})
    operation = await caller.post(f"{PATH}/enhanced", json={"document_id": document["id"], "labels": LABELS})
    ended = await caller.ended(operation)
    assert (ended["status"], ended["error"]["type"]) == ("failed", "document_not_indexed")
    (result,) = (await caller.get(f"{PATH}/results", operation_id=operation["id"]))["items"]
    assert (result["status"], result["reason"]) == ("failed", "document_not_indexed")
    waited = await classified(caller, document_id=document["id"], labels=LABELS)
    assert (waited["status"], waited["reason"]) == ("failed", "document_not_indexed")
    retried = await caller.ended(await caller.post(f"/operations/{operation['id']}/retry", 202))
    assert retried["attempt"] == 2


async def test_extremes_are_classified_like_the_rest(caller: Account) -> None:
    many = [{"name": f"Topic {number}"} for number in range(1_000)]
    texts = {
        "long": INVOICE * 3_000,
        "another language": "Anbei erhalten Sie unsere Rechnung, zahlbar binnen 14 Tagen auf unser Konto.",
        "control characters": "An invoice\x00\x07\x1b[31m for you\u202e\U0001f600",
        "without spaces": "x" * 50_000,
    }
    answers = await asyncio.gather(
        *(classified(caller, text=text, labels=LABELS) for text in texts.values()),
        classified(caller, text=INVOICE, labels=many),
    )
    assert [answer["status"] for answer in answers] == ["decided"] * 5
    assert answers[0]["label"] == "Invoice"
    assert len(answers[0]["text"]) == 10_000
    await caller.post(f"{PATH}/enhanced", 422, json={"text": "x" * 1_000_001, "labels": LABELS})


async def test_a_workflow_that_is_not_there_or_archived_is_refused(
    caller: Account, stranger: Account
) -> None:
    missing = {"text": "x", "workflow_id": "clw_00000000000000000000000000"}
    await caller.post(f"{PATH}/enhanced", 404, json=missing)
    made = await workflow(caller)
    await stranger.post(f"{PATH}/enhanced", 404, json={"text": "x", "workflow_id": made["id"]})
    await caller.post(f"{PATH}/workflows/{made['id']}/archive", 200)
    await caller.post(f"{PATH}/enhanced", 409, json={"text": "x", "workflow_id": made["id"]})
    await caller.post(f"{PATH}/batch", 409, json={"items": [{"text": "x"}], "workflow_id": made["id"]})
    assert (await caller.get(f"{PATH}/workflows"))["items"] == []
    assert len((await caller.get(f"{PATH}/workflows", archived=True))["items"]) == 1
    await workflow(caller)  # the name is free again
