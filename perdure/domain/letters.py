"""Letters to people, as plain text and as HTML. What people wrote stands in them as text, never as markup."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

from perdure.domain.message_kinds import EventType, LetterKind

_SUBJECT_CHARACTERS = 150
_SUMMARY_CHARACTERS = 2_000
_BLANKS = re.compile(r"\s+")

_FOOTER = "You get this because {organisation} uses Perdure."
_BODY = "font:16px/1.5 system-ui,sans-serif;color:#16181d;max-width:36em;margin:0 auto;padding:24px"
_BUTTON = (
    "display:inline-block;background:#4338ca;color:#ffffff;padding:10px 18px;border-radius:6px;"
    "text-decoration:none;font-weight:600"
)
_QUIET = "color:#5b6170;font-size:14px"


@dataclass(frozen=True)
class Letter:
    """What a person reads. The plain text is whole without the HTML."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, kw_only=True)
class ApprovalFacts:
    """What a letter about an approval is written from. `link` leads to a page that shows, and decides nothing."""

    organisation: str
    title: str
    link: str
    summary: str = ""
    requester: str = ""
    document: str = ""
    has_document: bool = True
    due_at: datetime | None = None
    outcome: str = ""
    wish: str = ""
    wisher: str = ""
    link_until: datetime | None = None


@dataclass(frozen=True)
class _Words:
    subject: str
    opening: str
    button: str = "Open the request"
    shows_deadline: bool = True


_WITH_DOCUMENT = "A new version of the document goes on with the request."
_WITHOUT_DOCUMENT = "There is no document that could be changed: withdraw the request, and ask anew."
_APPROVALS = {
    LetterKind.APPROVAL_ASKED: _Words(
        "Your decision is needed: {title}", "{requester} asks for your decision.", "Look and decide"
    ),
    LetterKind.APPROVAL_REMINDER: _Words(
        "Reminder: {title}", "Your decision is still missing.", "Look and decide"
    ),
    LetterKind.APPROVAL_ESCALATED: _Words(
        "Escalated to you: {title}",
        "Others did not answer in time, so the decision is yours now.",
        "Look and decide",
    ),
    LetterKind.APPROVAL_NO_LONGER_ASKED: _Words(
        "No longer needed: {title}", "Your decision is not needed any more.", shows_deadline=False
    ),
    LetterKind.APPROVAL_CHANGES_REQUESTED: _Words(
        "Changes are asked for: {title}",
        "{wisher} wants changes before they decide. {way_on}",
    ),
    LetterKind.APPROVAL_COMPLETED: _Words(
        "{outcome}: {title}",
        "Your request has ended: {outcome_low}.",
        "See who decided",
        shows_deadline=False,
    ),
    LetterKind.APPROVAL_OVERDUE: _Words("Overdue: {title}", "The time for this decision is over."),
    LetterKind.APPROVAL_NEEDS_APPROVER: _Words(
        "Nobody can decide: {title}",
        "Those who are left cannot pass this stage. Name somebody who decides, or withdraw the request.",
    ),
}


def shown_time(instant: datetime) -> str:
    """A time as people read it; letters travel, so it is UTC and says so."""
    return instant.astimezone(UTC).strftime("%d %b %Y, %H:%M UTC").lstrip("0")


def approval_letter(kind: LetterKind, facts: ApprovalFacts) -> Letter:
    """A letter about an approval."""
    words = _APPROVALS[kind]
    outcome = facts.outcome.replace("_", " ") or "ended"
    inserted = {
        "title": facts.title,
        "requester": facts.requester or "Somebody",
        "wisher": facts.wisher or "Somebody",
        "way_on": _WITH_DOCUMENT if facts.has_document else _WITHOUT_DOCUMENT,
        "outcome": outcome.capitalize(),
        "outcome_low": outcome,
    }
    rows = [("Document", facts.document)] if facts.document else []
    if facts.due_at is not None and words.shows_deadline:
        rows.append(("Due", shown_time(facts.due_at)))
    summary = facts.summary.strip()
    if len(summary) > _SUMMARY_CHARACTERS:
        summary = f"{summary[:_SUMMARY_CHARACTERS].rstrip()} …"
    paragraphs = [words.opening.format(**inserted), *filter(None, (facts.wish, facts.title, summary))]
    note = ""
    if facts.link_until is not None:
        note = (
            f"The link is yours alone and works until {shown_time(facts.link_until)}: do not pass this letter on. "
            "Opening it decides nothing."
        )
    return _letter(
        words.subject.format(**inserted),
        paragraphs,
        rows=rows,
        link=(words.button, facts.link),
        note=note,
        organisation=facts.organisation,
    )


def plain_letter(subject: str, text: str, organisation: str, link: str | None = None) -> Letter:
    """What a step of a workflow, or the installation, says."""
    paragraphs = [part for part in re.split(r"\n\s*\n", text.strip()) if part] or [""]
    button = ("Open Perdure", link) if link else None
    return _letter(subject or "A message", paragraphs, link=button, organisation=organisation)


def _letter(
    subject: str,
    paragraphs: list[str],
    *,
    organisation: str,
    rows: list[tuple[str, str]] | None = None,
    link: tuple[str, str] | None = None,
    note: str = "",
) -> Letter:
    footer = _FOOTER.format(organisation=organisation)
    listed = [f"{name}: {value}" for name, value in rows or ()]
    text = [*paragraphs, *(["\n".join(listed)] if listed else [])]
    html = [f"<p>{_lines(part)}</p>" for part in paragraphs]
    html += [f"<p>{'<br>'.join(escape(line) for line in listed)}</p>"] if listed else []
    if link is not None:
        words, address = link
        text.append(f"{words}:\n{address}")
        html.append(
            f'<p><a href="{escape(address)}" style="{_BUTTON}">{escape(words)}</a></p>'
            f'<p style="{_QUIET}">{escape(address)}</p>'
        )
    if note:
        text.append(note)
        html.append(f'<p style="{_QUIET}">{escape(note)}</p>')
    line = _BLANKS.sub(" ", subject).strip()
    if len(line) > _SUBJECT_CHARACTERS:
        line = f"{line[: _SUBJECT_CHARACTERS - 2].rstrip()} …"
    return Letter(
        subject=line,
        text="\n\n".join([*text, f"-- \n{footer}"]) + "\n",
        html=(
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(line)}</title></head>'
            f'<body style="{_BODY}">{"".join(html)}<hr style="border:0;border-top:1px solid #dfe1e6">'
            f'<p style="{_QUIET}">{escape(footer)}</p></body></html>'
        ),
    )


def _lines(text: str) -> str:
    return "<br>".join(escape(line) for line in text.splitlines())


_EVENT_WORDS = {
    EventType.APPROVAL_REQUESTED: "A decision is needed",
    EventType.APPROVAL_DECIDED: "Somebody decided",
    EventType.APPROVAL_COMPLETED: "A request for approval has ended",
    EventType.WORKFLOW_COMPLETED: "A workflow is done",
    EventType.WORKFLOW_FAILED: "A workflow has failed",
    EventType.BUDGET_SOFT_REACHED: "The soft limit of this month's budget is reached",
    EventType.PROVIDER_DEGRADED: "A provider of models is not well",
    EventType.TEST: "Perdure reaches this channel",
}


def chat_text(kind: str, body: dict[str, object]) -> str:
    """A message for channels that take Slack's format: nothing in it becomes a link, a mention or a format."""
    if "text" in body:
        said = f"*{_plain(str(body.get('subject') or ''))}*\n{_plain(str(body['text']))}"
        return said.removeprefix("**\n")
    words = _EVENT_WORDS.get(EventType(kind), kind) if kind in set(EventType) else kind
    details = [f"{name}: {_plain(str(value))}" for name, value in body.items() if value not in (None, "")]
    return "\n".join([f"*{words}*", *details])


def _plain(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
