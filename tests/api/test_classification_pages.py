"""The console's pages of classification: what their forms do, refuse and keep, without a browser."""

import itertools
import json
import re
from html import unescape
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from perdure.domain.deciding import is_frozen, text_digest
from perdure.domain.ids import new_id

LABELS = "Invoice: asks for payment of something\r\nComplaint: is not content with something"
HOSTILE = "Please pay our invoice of 12.00 EUR. <script>alert(1)</script> \"'</textarea>"
HTMX = {"HX-Request": "true"}


async def workflow(browser: httpx.AsyncClient, **fields: str) -> str:
    """The path of a workflow that is made by its form."""
    form = {"name": new_id("tst"), "labels": LABELS, "rule": "threshold", "percent": "100", **fields}
    answer = await browser.post("/classification/workflows/new", data=form)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].partition("?")[0]


async def waiting(browser: httpx.AsyncClient, workflow_path: str) -> str:
    """The path of a result that waits for a person."""
    form = {"text": HOSTILE, "workflow_id": workflow_path.rpartition("/")[2]}
    answer = await browser.post("/classification", data=form)
    assert answer.status_code == 200, answer.text
    found = re.search(r'href="(/classification/results/clr_\w+)/review"', answer.text)
    assert found is not None, answer.text
    return found[1]


async def test_a_text_is_answered_on_the_page_of_its_form_and_runs_nothing(
    browser: httpx.AsyncClient,
) -> None:
    form = {"text": HOSTILE, "labels": LABELS, "stages": ["category", "entities"]}
    answer = await browser.post("/classification", data=form)
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert re.search(r'id="category-title">\s*Invoice', answer.text)
    assert re.search(r'class="entity tone-success"[^>]*>12\.00 EUR', answer.text)
    assert HOSTILE in unescape(answer.text)
    part = await browser.post("/classification", data=form, headers=HTMX)
    assert part.text.lstrip().startswith('<section class="stack" id="answer"')


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"labels": LABELS, "stages": "category"}, "Give a text"),
        ({"text": "x", "document_id": "doc_1", "labels": LABELS, "stages": "category"}, "not both"),
        ({"text": "x", "labels": "Invoice", "stages": "category"}, "two labels"),
        ({"text": "x", "labels": "> y", "stages": "category"}, "Line 1 is an example"),
        ({"text": "x", "labels": LABELS}, "Choose a stage"),
        ({"text": "x", "labels": LABELS, "stages": "category", "rule": "target"}, "Say how many per cent"),
        ({"text": "x", "labels": LABELS, "stages": "category", "rule": "target", "percent": "3"}, "0.5"),
        (
            {"document_id": "doc_00000000000000000000000000", "labels": LABELS, "stages": "category"},
            "No document",
        ),
        ({"text": "x", "workflow_id": "clw_00000000000000000000000000"}, "No workflow"),
    ],
)
async def test_a_form_that_cannot_be_answered_is_shown_again_with_the_reason(
    browser: httpx.AsyncClient, form: dict[str, str], said: str
) -> None:
    answer = await browser.post("/classification", data=form)
    assert answer.status_code == 422
    assert said in unescape(answer.text)
    assert form.get("labels", "").replace("\r\n", "\n") in unescape(answer.text)


async def test_a_person_decides_what_waits_and_a_wrong_answer_decides_nothing(
    browser: httpx.AsyncClient,
) -> None:
    path = await waiting(browser, await workflow(browser))
    queue = unescape((await browser.get("/classification/review")).text)
    assert 'name="label" value="Invoice"' in queue
    for form, said in (({}, "Choose a label."), ({"other": "Spam"}, "Spam: no label of this classification")):
        answer = await browser.post(f"{path}/review", data=form | {"comment": "because"})
        assert answer.status_code == 422
        assert said in unescape(answer.text)
        assert "because" in answer.text
    answer = await browser.post(f"{path}/review", data={"other": "Complaint", "comment": "angry"})
    assert answer.headers["location"].startswith("/classification/review")
    shown = unescape((await browser.get(path)).text)
    assert "The answer had been “Invoice”" in shown
    assert "angry" in shown
    assert "Nothing waits for a person" in (await browser.get("/classification/review")).text


async def test_several_labels_are_chosen_by_their_boxes(browser: httpx.AsyncClient) -> None:
    path = await waiting(browser, await workflow(browser, multi_label="true"))
    page = unescape((await browser.get(f"{path}/review")).text)
    assert page.count('type="checkbox" name="labels"') == 2
    form = {"several": "true", "labels": ["Invoice", "Complaint"], "back": "result"}
    answer = await browser.post(f"{path}/review", data=form)
    assert answer.headers["location"] == f"{path}?notice=reviewed"
    assert "Invoice, Complaint" in (await browser.get(path)).text


async def test_a_sentiment_that_is_not_sure_is_decided_too(browser: httpx.AsyncClient) -> None:
    form = {"text": "It is a chair.", "stages": "sentiment", "rule": "threshold", "percent": "100"}
    answer = await browser.post("/classification", data=form)
    found = re.search(r'href="(/classification/results/clr_\w+)/review"', answer.text)
    assert found is not None, answer.text
    review = await browser.post(f"{found[1]}/review", data={"other": "neutral", "back": "result"})
    assert review.status_code == 303
    assert "A person's answer" in unescape((await browser.get(found[1])).text)


async def test_versions_are_made_aimed_and_activated_and_an_archived_workflow_is_used_no_more(
    browser: httpx.AsyncClient,
) -> None:
    path = await workflow(browser, name="Letters")
    again = await browser.post("/classification/workflows/new", data={"name": "Letters", "labels": LABELS})
    assert again.status_code == 422
    assert "there is a workflow 'letters' already" in unescape(again.text).lower()
    edited = {"labels": f"{LABELS}\nOrder", "others": "entities", "note": "Orders, too"}
    assert (await browser.post(f"{path}/edit", data=edited)).status_code == 303
    assert (await browser.post(f"{path}/versions/2/activate")).status_code == 303
    assert (await browser.post(f"{path}/target", data={"target": "90"})).status_code == 303
    page = unescape((await browser.get(path)).text)
    assert "version 2 is active" in page
    assert "Target accuracy 90 %" in page
    assert "Orders, too" in page
    assert (await browser.post(f"{path}/target", data={"target": "200"})).status_code == 422
    assert (await browser.get(f"{path}/quality?target=80")).status_code == 200
    assert (await browser.post(f"{path}/archive")).status_code == 303
    assert "It is archived" in (await browser.get(path)).text
    refused = await browser.post(
        "/classification", data={"text": "x", "workflow_id": path.rpartition("/")[2]}
    )
    assert refused.status_code == 422
    assert "is archived" in refused.text


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("stages: [", "The policy cannot be read"),
        ("[1]", "The policy must be an object"),
        ('{"stages": []}', "/stages"),
        ('{"stages": [{"id": "desk", "approvers": [{"role": "king"}], "rule": "any"}]}', "king"),
    ],
)
async def test_a_policy_that_asks_nobody_is_refused_and_stays_in_its_field(
    browser: httpx.AsyncClient, policy: str, said: str
) -> None:
    form = {"name": new_id("tst"), "labels": LABELS, "rule": "threshold", "percent": "100", "policy": policy}
    answer = await browser.post("/classification/workflows/new", data=form)
    assert answer.status_code == 422
    assert said in unescape(answer.text)
    assert f">{policy}</textarea>" in unescape(answer.text)


async def test_whom_to_ask_is_said_by_a_policy_and_kept_by_later_versions(browser: httpx.AsyncClient) -> None:
    policy = "stages:\r\n- id: desk\r\n  approvers: [{role: approver}]\r\n  rule: any\r\n  due_in: 2 days"
    path = await workflow(browser, policy=policy)

    async def typed() -> str:
        found = re.search(r'name="policy"[^>]*>([^<]*)</textarea>', (await browser.get(f"{path}/edit")).text)
        assert found is not None
        return unescape(found[1])

    first = await typed()
    assert json.loads(first)["stages"][0]["approvers"] == [{"role": "approver"}]
    assert "opens an <a" in (await browser.get(path)).text
    # An aim alone changes nothing else.
    assert (await browser.post(f"{path}/target", data={"target": "90"})).status_code == 303
    assert await typed() == first
    edited = {"labels": LABELS, "rule": "threshold", "percent": "100", "policy": first}
    assert (await browser.post(f"{path}/edit", data=edited)).status_code == 303
    assert await typed() == first
    assert (await browser.post(f"{path}/edit", data=edited | {"policy": ""})).status_code == 303
    assert await typed() == ""


async def test_what_was_typed_stays_in_the_form_beside_its_answer(browser: httpx.AsyncClient) -> None:
    form = {"text": "Please pay 12.00 EUR.", "labels": LABELS, "stages": ["category", "sentiment"]}
    form |= {
        "multi_label": "true",
        "applies_from": "30,5",
        "rule": "threshold",
        "percent": "55.5",
        "region": "at",
    }
    page = unescape((await browser.post("/classification", data=form)).text)
    assert re.search(r'id="category-title">', page)
    assert ">Please pay 12.00 EUR.</textarea>" in page
    assert f">{LABELS}</textarea>".replace("\r\n", "\n") in page
    for field in (
        'value="category" checked',
        'value="sentiment" checked',
        'name="multi_label" value="true" checked',
        'value="threshold" selected',
        'value="30,5"',
        'value="55.5"',
        'value="AT"',
    ):
        assert field in page, field
    assert 'value="entities" checked' not in page


async def test_what_people_answered_is_measured_and_drawn(browser: httpx.AsyncClient) -> None:
    path = await workflow(browser)
    asked = {"workflow_id": path.rpartition("/")[2]}
    bills = (f"Please pay our invoice number {number} of 12.00 EUR." for number in itertools.count())
    kept = itertools.islice((bill for bill in bills if is_frozen(text_digest(bill))), 4)
    for number, bill in enumerate(kept):
        answer = await browser.post("/classification", data=asked | {"text": bill})
        found = re.search(r'href="(/classification/results/clr_\w+)/review"', answer.text)
        assert found is not None
        right = {"label": "Invoice" if number else "Complaint"}
        assert (await browser.post(f"{found[1]}/review", data=right)).status_code == 303
    page = unescape((await browser.get(f"{path}/quality?target=70")).text)
    assert re.search(r'Right</span><span class="tile-count">75 %', page)
    assert re.search(r'Answered texts</span><span class="tile-count">4<', page)
    assert page.count('<svg class="chart" role="img"') == 2
    assert re.search(
        r"For <strong[^>]*>70 %</strong> right, <strong[^>]*>\d+ %</strong> would be decided", page
    )
    assert "No share of the answers reaches" in (await browser.get(f"{path}/quality?target=99")).text


async def test_figures_of_unsure_answers_alone_say_so_and_lead_to_what_was_decided(
    browser: httpx.AsyncClient,
) -> None:
    path = await workflow(browser, percent="90")
    asked = {"workflow_id": path.rpartition("/")[2]}
    vague = (f"Well, who knows, number {number}." for number in itertools.count())
    unsure = next(text for text in vague if is_frozen(text_digest(text)))
    answer = await browser.post("/classification", data=asked | {"text": unsure})
    found = re.search(r'href="(/classification/results/clr_\w+)/review"', answer.text)
    assert found is not None, answer.text
    await browser.post(f"{found[1]}/review", data={"label": "Complaint"})
    bill = "Please pay our invoice number 7 of 12.00 EUR, payment is due within thirty days."
    await browser.post("/classification", data=asked | {"text": bill})
    page = unescape((await browser.get(f"{path}/quality")).text)
    assert "Of the 1 answered texts, 0 are such as it decides by itself; of all texts, these are 50 %" in page
    queue = f"/classification/review?{urlencode(asked | {'decided': 'true'})}"
    assert f'href="{queue}"' in page
    shown = unescape((await browser.get(queue)).text)
    assert ("What was decided automatically." in shown, bill in shown) == (True, True)
    found = re.search(r'action="(/classification/results/clr_\w+/review)"', shown)
    assert found is not None
    answer = await browser.post(found[1], data=asked | {"label": "Invoice", "decided": "true"})
    assert answer.headers["location"].partition("&notice")[0] == queue
    assert "Nothing was decided automatically here" in (await browser.get(queue)).text


@pytest.mark.parametrize(
    ("content", "space", "said"),
    [
        (None, "", "Choose a file or a space"),
        (b"text\nx\n", "default", "Choose a file or a space"),
        (b"subject\nx\n", "", "name its columns"),
        (None, "default", "no readable document"),
    ],
)
async def test_a_batch_that_cannot_be_started_says_why(
    browser: httpx.AsyncClient, content: bytes | None, space: str, said: str
) -> None:
    files = {"file": ("texts.csv", content or b"", "text/csv")} if content else {"file": ("", b"")}
    form = {"space": space, "labels": LABELS, "stages": "category"}
    answer = await browser.post("/classification/batches", data=form, files=files, headers=HTMX)
    assert answer.status_code == 204
    assert said in answer.headers["hx-trigger"]


async def test_a_batch_says_from_which_confidence_on_a_label_applies(browser: httpx.AsyncClient) -> None:
    page = (await browser.get("/classification/batches")).text
    assert re.search(r'<input class="input" id="applies_from" name="applies_from" value=""', page)
    assert re.search(r'<input class="input" id="region" name="region" value=""', page)
    files = {"file": ("texts.csv", b"text\nPlease pay our invoice.\n", "text/csv")}
    form = {"labels": LABELS, "stages": "category", "multi_label": "true"}
    applied = []
    for share in ("0", "100"):
        asked = form | {"applies_from": share}
        answer = await browser.post("/classification/batches", data=asked, files=files, headers=HTMX)
        path = answer.headers["hx-redirect"]
        lines: list[dict[str, Any]] = []
        while not any(line["decision"] for line in lines):  # the test's own time limit ends this
            content = (await browser.get(f"{path}/download?format=jsonl")).content
            lines = [json.loads(line) for line in content.splitlines()]
        applied.append([len(line["labels"]) for line in lines])
    assert applied == [[2], [0]]
    answer = await browser.post(
        "/classification/batches", data=form | {"applies_from": "many"}, files=files, headers=HTMX
    )
    assert "how many per cent" in answer.headers["hx-trigger"]


async def test_results_of_a_batch_are_filtered_and_taken_along(browser: httpx.AsyncClient) -> None:
    form = {"labels": LABELS, "stages": "category"}
    files = {"file": ("texts.csv", b"id,text\na,Please pay our invoice.\nb,\n", "text/csv")}
    answer = await browser.post("/classification/batches", data=form, files=files, headers=HTMX)
    path = answer.headers["hx-redirect"]
    lines = [b""]
    while b"decided" not in b"".join(lines):  # the test's own time limit ends this
        lines = (await browser.get(f"{path}/download?format=jsonl")).content.splitlines()
    assert len(lines) == 2
    for query, shown in (
        ("?label=Invoice", 1),
        ("?below=1", 0),
        ("?below=x&status=", 2),
        ("?status=failed", 1),
    ):
        page = (await browser.get(path + query)).text
        assert page.count('<tr role="row" id="clr_') == shown, query
    table = (await browser.get(f"{path}/download")).text.splitlines()
    assert len(table) == 3
