"""The language of a text, by script or by function words."""

# ruff: noqa: RUF001  # texts in other scripts are the point here

import pytest

from perdure.domain.languages import detect_language, known_tag

SENTENCES = {
    "en": "The engine was repaired in the harbour, and it has run without a fault since then.",
    "de": "Der Motor wurde im Hafen repariert, und er ist seitdem nicht mehr ausgefallen.",
    "fr": "Le moteur a été réparé dans le port, et il n'est plus tombé en panne depuis cette date.",
    "es": "El motor fue reparado en el puerto y desde entonces no ha vuelto a fallar, según los técnicos.",
    "it": "Il motore è stato riparato nel porto e da allora non si è più fermato, come dicono i tecnici.",
    "pt": "O motor foi reparado no porto e desde então não voltou a falhar, segundo os técnicos da empresa.",
    "nl": "De motor is in de haven gerepareerd en heeft het sindsdien niet meer begeven, zegt men bij ons.",
    "sv": "Motorn reparerades i hamnen och har inte gått sönder sedan dess, men vi vet inte varför det är så.",
    "da": "Motoren blev repareret i havnen, og den har ikke været i stykker siden, hvad vi er glade for nu.",
    "fi": "Moottori korjattiin satamassa, ja se ei ole sen jälkeen ollut rikki, mutta kukaan ei tiedä miksi.",
    "pl": "Silnik został naprawiony w porcie i od tego czasu nie zepsuł się, ale nie jest to takie pewne.",
    "ru": "Двигатель отремонтировали в порту, и с тех пор он работает.",
    "uk": "Двигун відремонтували в порту, і відтоді він працює без збоїв.",
    "el": "Ο κινητήρας επισκευάστηκε στο λιμάνι.",
    "ja": "エンジンは港で修理され、それ以来故障していません。",
    "zh": "发动机在港口修好了，此后一直没有出过故障。",
    "ko": "엔진은 항구에서 수리되었고 그 이후로 고장이 없었습니다.",
    "ar": "تم إصلاح المحرك في الميناء ومنذ ذلك الحين يعمل.",
    "he": "המנוע תוקן בנמל ומאז הוא עובד בלי תקלות.",
}


@pytest.mark.parametrize(("tag", "text"), SENTENCES.items())
def test_one_sentence_is_enough(tag: str, text: str) -> None:
    assert detect_language(text) == tag


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x = 1",
        "Hotel Berlin 42",
        "a b c d e f g a e o",
        "12 34 56",
        "OK",
        "| A | B | A | C | A | B | A | A |",
    ],
)
def test_too_little_text_has_no_language(text: str) -> None:
    assert detect_language(text) is None


def test_a_mixed_text_has_no_language() -> None:
    assert detect_language(f"{SENTENCES['en']} {SENTENCES['de']}") is None


def test_the_imprint_of_a_long_text_does_not_outweigh_its_body() -> None:
    assert detect_language(SENTENCES["en"] + " " + SENTENCES["de"] * 400) == "de"


@pytest.mark.parametrize(
    ("said", "tag"),
    [("en-US", "en"), ("de_DE", "de"), ("deu", "de"), ("zh-Hant-TW", "zh"), ("EN", "en"), ("", None), (None, None),
     ("english", None), ("x-default", None), ("qqq", None), ("es-419", "es")],
)  # fmt: skip
def test_declared_languages_become_tags(said: str | None, tag: str | None) -> None:
    assert known_tag(said) == tag
