from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.routes.console_pages import safe_next
from api.routes.console_rendering import API_FOLDER, STATIC_FOLDER, static_version
from api.routes.console_search import cut
from api.routes.console_views import OperationView, Viewer, item_view
from api.routes.console_words import (
    DOCUMENT_LOOKS,
    OPERATION_LOOKS,
    STEP_LOOKS,
    count,
    duration,
    kind_label,
    media_type_name,
    relative_time,
    size,
    unwrapped,
    words,
)
from perdure.schemas.documents import DocumentStatus, Reason
from perdure.schemas.operations import ItemRead, OperationRead, OperationStatus, Progress, StepState
from perdure.schemas.reasons import EXPLANATIONS, explain
from perdure.schemas.search import Highlight

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def an_operation(status: OperationStatus, done: int = 0, total: int = 0, **more: object) -> OperationView:
    values = {"created_at": NOW, "updated_at": NOW + timedelta(seconds=75), **more}
    operation = OperationRead.model_validate(
        {
            "id": "op_1",
            "kind": "ingest_document",
            "status": status,
            "progress": Progress(done=done, total=total),
            "workflow_id": "op_1",
            **values,
        }
    )
    return OperationView(operation, "Ingest lease.pdf")


def test_every_reason_has_a_sentence_and_a_remedy() -> None:
    assert set(EXPLANATIONS) == set(Reason)
    for explanation in EXPLANATIONS.values():
        assert explanation.sentence.endswith(".")
        assert explanation.remedy.endswith(".")


def test_no_reason_needs_no_explanation() -> None:
    assert explain(None) is None


def test_an_item_that_failed_for_what_a_step_says_tells_that() -> None:
    said = "step classify cannot be carried out"
    item = ItemRead(ordinal=0, name="a", status="failed", reason="invalid-input", detail=said, updated_at=NOW)
    why = item_view(item).why
    assert why is not None
    assert (why.sentence, why.remedy) == (said, "")


def test_every_status_has_a_look_with_word_and_icon() -> None:
    icons = (STATIC_FOLDER / "img" / "icons.svg").read_text()
    looks = [
        *(OPERATION_LOOKS[status] for status in OperationStatus),
        *(STEP_LOOKS[state] for state in StepState),
        *(DOCUMENT_LOOKS[status] for status in DocumentStatus),
    ]
    for look in looks:
        assert look.label
        assert f'<symbol id="{look.icon}"' in icons


class _InlineFinder(HTMLParser):
    """Collects what the content security policy would refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in names):
            self.found.append(f"<{tag}>")
        self.found += [name for name in names if name == "style" or name.startswith(("on", "hx-on"))]


@pytest.mark.parametrize("template", sorted((API_FOLDER / "templates").rglob("*.html")), ids=lambda p: p.name)
def test_no_template_has_inline_scripts_styles_or_handlers(template: Path) -> None:
    finder = _InlineFinder()
    finder.feed(template.read_text())
    assert finder.found == []


@pytest.mark.parametrize("template", sorted((API_FOLDER / "templates").rglob("*.html")), ids=lambda p: p.name)
def test_no_template_switches_escaping_off(template: Path) -> None:
    source = template.read_text()
    assert "|safe" not in source.replace(" ", "")
    assert "autoescape" not in source


@pytest.mark.parametrize(
    ("status", "verbs"),
    [
        (OperationStatus.PENDING, ("pause", "cancel")),
        (OperationStatus.RUNNING, ("pause", "cancel")),
        (OperationStatus.WAITING_APPROVAL, ("pause", "cancel")),
        (OperationStatus.PAUSED, ("resume", "cancel")),
        (OperationStatus.FAILED, ("retry",)),
        (OperationStatus.CANCELLED, ("retry",)),
        (OperationStatus.EXPIRED, ("retry",)),
        (OperationStatus.COMPLETED, ()),
    ],
)
def test_only_verbs_that_do_something_are_offered(status: OperationStatus, verbs: tuple[str, ...]) -> None:
    assert an_operation(status).verbs == verbs


def test_a_batch_that_completed_with_failed_items_says_so_and_can_be_retried() -> None:
    batch = an_operation(
        OperationStatus.COMPLETED,
        result={"total": 3, "outcomes": {"indexed": 1, "failed": 1, "quarantined": 1}},
    )
    assert batch.verbs == ("retry",)
    assert (batch.look.label, batch.look.tone) == ("Completed, 2 failed", "warning")
    texts = an_operation(OperationStatus.COMPLETED, kind="classify_batch", result={"decided": 9, "failed": 1})
    assert (texts.verbs, texts.look.label) == (("retry",), "Completed, 1 failed")
    assert (
        an_operation(OperationStatus.COMPLETED, result={"outcomes": {"indexed": 3}}).look.label == "Completed"
    )


def test_progress_reads_100_percent_only_when_all_is_done() -> None:
    assert an_operation(OperationStatus.RUNNING, 999, 1000).percent == 99
    assert an_operation(OperationStatus.RUNNING, 1000, 1000).percent == 100
    assert an_operation(OperationStatus.RUNNING).percent == 0


def test_only_an_ended_operation_has_a_duration() -> None:
    assert an_operation(OperationStatus.COMPLETED).duration == "1 min 15 s"
    assert an_operation(OperationStatus.RUNNING).duration is None


@pytest.mark.parametrize(
    ("kind", "running", "completed"),
    [
        ("ingest_document", False, False),
        ("classify_batch", False, True),
        ("run_document_workflow", True, True),
        ("run_workflow_batch", True, True),
    ],
)
def test_what_came_of_it_has_a_page_as_soon_as_that_shows_something(
    kind: str, running: bool, completed: bool
) -> None:
    for status, is_there in ((OperationStatus.RUNNING, running), (OperationStatus.COMPLETED, completed)):
        view = an_operation(status)
        named = replace(view, operation=view.operation.model_copy(update={"kind": kind}))
        assert (named.outcome is not None) is is_there


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KB"),
        (1536, "1.5 KB"),
        (482_113, "471 KB"),
        (1_048_000, "1 MB"),
        (200 * 1024**2, "200 MB"),
        (5 * 1024**4, "5120 GB"),
    ],
)
def test_sizes_are_shown_in_a_unit_that_fits(size_bytes: int, shown: str) -> None:
    assert size(size_bytes) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-1, "0 ms"),
        (0.0204, "20 ms"),
        (2.84, "2.8 s"),
        (41, "41 s"),
        (59.6, "1 min 0 s"),
        (3725, "1 h 2 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, shown: str) -> None:
    assert duration(timedelta(seconds=seconds)) == shown


@pytest.mark.parametrize(
    ("length", "shown"),
    [
        (timedelta(seconds=3), "just now"),
        (timedelta(minutes=3), "3 min. ago"),
        (timedelta(hours=5), "5 hr. ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(hours=47), "2 days ago"),
        (timedelta(days=20), "2026-11-01"),
        (timedelta(minutes=-3), "in 3 min."),
        (timedelta(hours=-23), "in 23 hr."),
        (timedelta(hours=-25), "in 1 day"),
        (timedelta(hours=-47), "in 2 days"),
        (timedelta(days=-20), "2026-12-11"),
    ],
)
def test_times_are_relative_until_they_are_old(length: timedelta, shown: str) -> None:
    assert relative_time(NOW - length, NOW) == shown


def test_unknown_names_read_as_their_words() -> None:
    assert kind_label("classify_with_approval") == "Classify with approval"
    assert kind_label("ingest_batch") == "Ingest batch"
    assert words("parse_document") == "Parse document"
    assert media_type_name("application/x-unheard-of") == "application/x-unheard-of"
    assert media_type_name("image/png") == "Image"
    assert media_type_name(None) is None
    assert count(1, "page") == "1 page"
    assert count(1200, "page") == "1,200 pages"


def test_a_line_that_the_page_cut_goes_on() -> None:
    cut_off = "The notice period is six months to the end of a quarter. Notice must be given in\nwriting."
    assert unwrapped(cut_off) == cut_off.replace("\n", " ")


@pytest.mark.parametrize(
    "text",
    [
        "short\nlines",
        "3. Notice\n\n" + "x" * 80,
        "x" * 80 + "\n\nAnother paragraph",
        "x" * 80 + "\n- item",
        "x" * 80 + "\n4. Rent",
        "x" * 80 + "\n| a | b |",
        "| " + "x" * 80 + " |\nafter",
        "",
    ],
)
def test_a_break_that_means_something_stays(text: str) -> None:
    assert unwrapped(text) == text


@given(st.text(alphabet="ab |-1.\n", max_size=300))
def test_unwrapping_moves_no_character(text: str) -> None:
    assert len(unwrapped(text)) == len(text)


@given(st.text(max_size=100), st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=8))
def test_a_text_cut_at_its_highlights_is_whole_again_when_joined(
    text: str, places: list[tuple[int, int]]
) -> None:
    pieces = cut(text, [Highlight(start=start, end=end) for start, end in places])
    assert "".join(piece.text for piece in pieces) == text
    assert all(piece.text for piece in pieces)


def test_highlights_that_overlap_are_marked_once() -> None:
    pieces = cut("abcdef", [Highlight(start=3, end=5), Highlight(start=1, end=4)])
    assert [(piece.text, piece.marked) for piece in pieces] == [
        ("a", False),
        ("bcd", True),
        ("e", True),
        ("f", False),
    ]


@pytest.mark.parametrize(
    "path", ["https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example", "", "/a\nb", "a"]
)
def test_a_log_in_never_leads_to_another_site(path: str) -> None:
    assert safe_next(path) == "/operations"


def test_a_log_in_leads_back_to_where_it_was_asked_for() -> None:
    assert safe_next("/documents/doc_1?x=1") == "/documents/doc_1?x=1"


@pytest.mark.parametrize(
    ("name", "initials"), [("Ada Lovelace", "AL"), ("Plato", "P"), ("Ana de la Cruz", "AC"), (" ", "A")]
)
def test_initials_come_from_first_and_last_name(name: str, initials: str) -> None:
    viewer = Viewer("usr_1", name, "ada@example.org", "Engines", "t", frozenset())
    assert viewer.initials == initials


def test_the_version_of_the_static_files_changes_with_their_content(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("a {}")
    before = static_version(tmp_path)
    (tmp_path / "a.css").write_text("a { }")
    assert static_version(tmp_path) != before
