"""Letters say what they must, in text and in HTML, and nothing of what people wrote becomes markup."""

from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from perdure.domain.letters import ApprovalFacts, approval_letter, chat_text, plain_letter
from perdure.schemas.messages import EventType, LetterKind

APPROVALS = [kind for kind in LetterKind if kind.value.startswith("approval.")]
HOSTILE = 'Invoice <img src=x onerror="alert(1)">\r\nBcc: everybody@example.org'
FACTS = ApprovalFacts(
    organisation="Engines & Co",
    title=HOSTILE,
    summary="Pay <b>now</b>\n\nto {title}",
    link="https://perdure.example/decide/pdt_x?a=1&b=2",
    requester="Ada",
    document="invoice.pdf",
    due_at=datetime(2026, 11, 4, 15, 30, tzinfo=UTC),
    outcome="approved",
    link_until=datetime(2026, 11, 11, tzinfo=UTC),
)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links |= {value or "" for name, value in attributes if name in {"href", "src"}}


@pytest.mark.parametrize("kind", APPROVALS)
def test_every_letter_about_an_approval_is_whole_as_text_and_inert_as_html(kind: LetterKind) -> None:
    letter = approval_letter(kind, FACTS)
    assert "\n" not in letter.subject
    assert "\r" not in letter.subject
    assert len(letter.subject) <= 150
    assert FACTS.link in letter.text
    assert "Invoice" in letter.text
    assert "{title}" in letter.text
    parser = _Tags()
    parser.feed(letter.html)
    assert not parser.tags & {"img", "b", "script"}
    assert parser.links == {FACTS.link}


def test_who_is_to_change_something_learns_how_it_goes_on() -> None:
    changes = LetterKind.APPROVAL_CHANGES_REQUESTED
    assert "A new version of the document" in approval_letter(changes, FACTS).text
    without = approval_letter(changes, replace(FACTS, document="", has_document=False)).text
    assert "new version" not in without
    assert "withdraw the request, and ask anew" in without


def test_who_decides_learns_by_when_and_that_the_link_is_theirs() -> None:
    letter = approval_letter(LetterKind.APPROVAL_ASKED, FACTS)
    assert "Due: 4 Nov 2026, 15:30 UTC" in letter.text
    assert "Opening it decides nothing." in letter.text
    assert "Ada asks for your decision." in letter.text
    done = approval_letter(LetterKind.APPROVAL_COMPLETED, FACTS)
    assert done.subject.startswith("Approved: Invoice")
    assert "Due" not in done.text


def test_a_long_subject_is_cut_and_an_empty_one_is_named() -> None:
    assert plain_letter("x" * 1000, "text", "Engines").subject.endswith("…")
    assert plain_letter("", "", "Engines").subject == "A message"


@pytest.mark.parametrize("event", list(EventType))
def test_a_chat_gets_no_mentions_and_no_links_out_of_what_people_wrote(event: EventType) -> None:
    said = chat_text(event.value, {"title": "<!channel> <https://evil.example|here>", "none": None})
    assert "<" not in said
    assert "&lt;!channel&gt;" in said
    assert "none" not in said


def test_a_notification_in_a_chat_is_its_subject_and_its_text() -> None:
    assert chat_text("notification", {"subject": "Done", "text": "a & b"}) == "*Done*\na &amp; b"
    assert chat_text("notification", {"text": "only"}) == "only"
