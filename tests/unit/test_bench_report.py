"""What the benchmarks make of their numbers."""

from pathlib import Path

import pytest
from rich.console import Console

from bench.history import ActivityTimes, Timeline, covered_s
from bench.report import (
    FIGURES_BEGIN,
    FIGURES_END,
    Figure,
    Results,
    Target,
    markdown,
    percentile,
    show,
    write_markdown,
)
from bench.texts import make_text, make_texts

FASTER = Figure(
    "batch", "throughput", "tokens/s", 90.0, 100.0, Target("ratio", "at least", 0.85), "1,000 texts"
)
SLOW = Figure("accept", "p95", "ms", 30.0, 5.0, Target("value", "at most", 25))
PLAIN = Figure("accept", "p50", "ms", 10.0)


def test_a_ratio_target_looks_at_the_ratio_and_a_value_target_at_the_value() -> None:
    assert (FASTER.ratio, FASTER.met) == (0.9, True)
    assert (SLOW.ratio, SLOW.met) == (6.0, False)
    assert (PLAIN.ratio, PLAIN.met) == (None, None)


def test_a_ratio_target_without_anything_to_compare_with_is_neither_met_nor_missed() -> None:
    assert Figure("g", "n", "s", 1.0, target=Target("ratio", "at most", 1.0)).met is None


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1.0), (0.5, 2.5), (0.95, 3.85), (1.0, 4.0)])
def test_a_percentile_lies_between_the_values_around_it(share: float, expected: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], share) == pytest.approx(expected)


def test_saved_figures_come_back_and_a_later_file_overrules(tmp_path: Path) -> None:
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    Results([FASTER, SLOW], machine={"cores": 2}).write(first)
    newer = Figure("accept", "p95", "ms", 20.0, 5.0, Target("value", "at most", 25))
    Results([newer], {"search": "no data"}, {"cores": 4}).write(second)
    found = Results.read([first, second])
    assert found == Results([FASTER, newer], {"search": "no data"}, {"cores": 4})


def test_the_table_says_what_was_reached_and_what_could_not_be_measured() -> None:
    console = Console(width=150, record=True)
    show(console, Results([FASTER, SLOW, PLAIN], {"search": "no data"}, {"cores": 2}))
    lines = console.export_text().splitlines()
    assert any(
        "throughput" in line and "0.90x" in line and "≥ 0.85x" in line and "yes" in line for line in lines
    )
    assert any("p95" in line and "≤ 25 ms" in line and "no" in line for line in lines)
    assert any("search could not be measured: no data" in line for line in lines)


def test_markdown_goes_between_the_marks_and_nowhere_else(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    path.write_text(f"before\n{FIGURES_BEGIN}\nold\n{FIGURES_END}\nafter\n")
    results = Results([SLOW], machine={"cores": 2})
    write_markdown(results, path)
    write_markdown(results, path)
    assert path.read_text() == f"before\n{FIGURES_BEGIN}\n{markdown(results)}\n{FIGURES_END}\nafter\n"
    assert "| accept: p95 | 30.0 ms | 5.00 ms | 6.00x | ≤ 25 ms | no |" in path.read_text()


def test_markdown_refuses_a_file_without_marks(tmp_path: Path) -> None:
    path = tmp_path / "other.md"
    path.write_text("text")
    with pytest.raises(ValueError, match="figures: begin"):
        write_markdown(Results([SLOW]), path)
    assert path.read_text() == "text"


def test_overlapping_spans_count_once() -> None:
    assert covered_s([(5.0, 6.0), (1.0, 3.0), (2.0, 4.0), (2.5, 2.6)]) == pytest.approx(4.0)


def test_the_segments_of_a_timeline_add_up_to_the_whole() -> None:
    activities = [ActivityTimes("a", 1.0, 1.1, 2.0), ActivityTimes("b", 2.5, 2.6, 3.0)]
    timeline = Timeline(0.5, 3.5, activities)
    assert sum(timeline.segments_ms().values()) == pytest.approx(3000)
    assert timeline.steps_ms() == pytest.approx({"a": 1500, "b": 500})


def test_texts_are_the_same_for_a_seed_different_from_each_other_and_nearly_of_the_size() -> None:
    texts = make_texts(200)
    assert texts == make_texts(200)
    assert len(set(texts)) == 200
    assert make_text(7, seed=2) != texts[7]
    assert all(1700 < len(text.encode()) <= 2048 for text in texts)
