"""What a model writes is believed only as far as the texts that it cites."""

import pytest

from perdure.domain.support import is_supported, readable

MOVED = "I moved to Lisbon in March 2024 with my two cats, Pixel and Dot."


@pytest.mark.parametrize(
    ("sentence", "cited"),
    [
        ("Ann moved to Lisbon in March 2024.", [MOVED]),
        ("Ann has two cats, Pixel and Dot.", [MOVED]),
        ("Ann's cats moved with Ann.", [MOVED]),
        ("Often swims on Mondays.", ["I swim every Monday."]),
        ("Ann does not drink coffee.", ["I don't drink coffee any more."]),
        ("Ann's flight is at 7:45 on 3/4.", ["My flight leaves on 3/4 at 7:45, the flight is early."]),
        (
            "Ann paints boats and sells paintings.",
            ["I paint boats.", "I sold a painting today, it sells well."],
        ),
        ("Ann wohnt in München.", ["Ich wohne in München."]),
        ("安娜住在里斯本", ["我叫安娜,我住在里斯本。"]),
        ("Ann\u2019s cats are Pixel and Dot", [MOVED]),
    ],
)
def test_what_stands_in_the_texts_is_supported(sentence: str, cited: list[str]) -> None:
    assert is_supported(sentence, cited, ["Ann"])


@pytest.mark.parametrize(
    "sentence",
    [
        "Ann moved to Porto in March 2024.",
        "Ann moved to Lisbon in March 2023.",
        "Ann moved to Lisbon with Bob.",
        "Mallory moved house.",
        "Ann did not move to Lisbon.",
        "Ann never had cats.",
        "Ann enjoys excellent restaurants nearby.",
        "Ann has 3 cats.",
        "The and of.",
        "...",
        "",
    ],
)
def test_what_does_not_is_not(sentence: str) -> None:
    assert not is_supported(sentence, [MOVED], ["Ann"])


def test_names_of_others_are_no_part_of_what_is_said() -> None:
    assert not is_supported("Bob moved to Lisbon in March 2024 with Ann.", [MOVED], ["Ann"])
    assert not is_supported("It was Bob who moved to Lisbon.", [MOVED], ["Ann"])


def test_a_model_s_text_is_made_storable() -> None:
    assert readable("  Ann\0 likes\n\ttea\ud800. \u200d\U0001f375 ") == "Ann likes tea . \u200d\U0001f375"
