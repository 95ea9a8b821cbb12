"""What the workflow of a batch is told: how much of it one activity takes."""

import pytest

from perdure.db.classification_results import NewItem, batch_input

SHORT = [NewItem(content="Where is my parcel?")] * 1_000


@pytest.mark.parametrize(
    "items",
    [
        [NewItem(document_id="doc_00000000000000000000000000")] * 300,
        [*SHORT, NewItem(document_id="doc_00000000000000000000000000")],
        [NewItem(content="page " * 2_000)] * 20,
    ],
)
def test_a_page_of_long_texts_is_small_so_that_a_pause_comes_soon(items: list[NewItem]) -> None:
    assert batch_input(items) == {"total": len(items), "page_size": 100}


def test_short_texts_come_in_the_usual_pages() -> None:
    assert batch_input([*SHORT, NewItem(content="page " * 2_000)]) == {"total": 1_001}
