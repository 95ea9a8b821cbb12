"""What `python -m bench.evaluation.sentiment --learn` found on the project's review sentences."""

from dataclasses import dataclass

Row = tuple[float, ...]


@dataclass(frozen=True)
class Weights:
    """`side`: of `sentiment.side_features`; `kind`: of `sentiment.kind_features`, for a side, neither and both."""

    side: Row
    kind: tuple[Row, Row, Row]


ENGLISH = Weights(
    side=(1.3357, 15.197, 1.1581, 0.7254, -0.5471, 0.1285),
    kind=(
        (1.4795, 2.073, -0.4229, 1.4407, -2.0975, -1.5965, 0.1946, 0.8838),
        (-0.3986, -3.0835, 1.6978, -2.9413, -5.0752, -0.443, -0.8996, 0.8195),
        (-1.0809, 1.0105, -1.2749, 1.5007, 7.1727, 2.0395, 0.705, -1.7033),
    ),
)
# Without a lexicon's opinion.
OTHER = Weights(
    side=(1.4521, 18.896, 0.0, 0.0, 0.0, 0.3558),
    kind=(
        (1.496, 1.8863, -0.94, 0.0, 0.0, -1.292, 0.4834, 0.9856),
        (-0.1722, -3.3498, 5.9719, 0.0, 0.0, -0.5836, -1.214, 0.6115),
        (-1.3237, 1.4635, -5.0319, 0.0, 0.0, 1.8756, 0.7307, -1.5971),
    ),
)
# Of languages that the model does not read: by the words of `opinion_words` alone. Chosen by hand: one opinion is
# right four times of five, none is no opinion every second time, praise beside blame is both.
WORDS = Weights(
    side=(0.0, 0.0, 4.0, 0.0, 0.0, 0.0),
    kind=(
        (0.0, 0.0, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0),
        (0.0, 0.0, 0.0, -2.0, 0.0, 0.0, 0.0, 0.3),
        (0.0, 0.0, 0.0, 0.0, 12.0, 3.0, 0.0, -2.5),
    ),
)
