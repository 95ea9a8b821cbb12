"""The console's colours, read out of its own style sheet: WCAG AA contrast in both themes."""

import re

import pytest

from api.routes.console_rendering import STATIC_FOLDER

_PAIR = re.compile(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);")
_TOKENS = {
    name: (light, dark)
    for name, light, dark in _PAIR.findall((STATIC_FOLDER / "css" / "tokens.css").read_text())
}

_TONES = ("info", "success", "warning", "danger", "violet", "neutral")
_SURFACES = ("canvas", "surface", "surface-sunken", "surface-hover", "surface-raised")

TEXT_PAIRS = [
    *[(ink, surface) for ink in ("ink", "ink-muted", "ink-faint") for surface in _SURFACES],
    *[("accent", surface) for surface in ("canvas", "surface", "surface-hover", "accent-soft")],
    *[("accent-strong", surface) for surface in ("canvas", "surface", "accent-soft")],
    *[(tone, f"{tone}-soft") for tone in _TONES],
    *[(tone, surface) for tone in _TONES for surface in ("surface", "surface-hover")],
    *[(ink, f"{tone}-soft") for ink in ("ink", "ink-muted") for tone in _TONES],
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("on-danger", "danger"),
    ("ink", "mark"),
    ("ink", "accent-soft"),
    ("ink-muted", "accent-soft"),
]

# Borders of controls, progress bars and focus rings must be seen, not read: 3:1 (WCAG 1.4.11).
SHAPE_PAIRS = [
    ("control-line", "surface"),
    ("control-line", "canvas"),
    ("accent", "canvas"),
    ("accent", "neutral-soft"),
    *[(tone, "neutral-soft") for tone in _TONES],
]


def _luminance(colour: str) -> float:
    """Relative luminance of sRGB (WCAG 2.2)."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio, 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_black_on_white_has_the_greatest_contrast() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "surface"), TEXT_PAIRS)
def test_text_can_be_read_on_its_surface(text: str, surface: str, theme: int) -> None:
    assert contrast(_TOKENS[text][theme], _TOKENS[surface][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("shape", "surface"), SHAPE_PAIRS)
def test_shapes_stand_out_from_their_surface(shape: str, surface: str, theme: int) -> None:
    assert contrast(_TOKENS[shape][theme], _TOKENS[surface][theme]) >= 3


def test_no_style_sheet_but_the_tokens_names_a_colour_that_only_one_theme_has() -> None:
    fixed = re.compile(r"#[0-9a-f]{3,8}\b", re.IGNORECASE)
    for sheet in (STATIC_FOLDER / "css").glob("*.css"):
        if sheet.name == "tokens.css":
            continue
        rules = re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL)
        named = {
            rule.split("{")[0].strip().splitlines()[-1]
            for rule in rules.split("}")
            if fixed.search(rule.partition("{")[2])
        }
        # The picture beside the log-in form is dark in both themes.
        assert all(selector.startswith(".auth-story") for selector in named), (sheet.name, named)
