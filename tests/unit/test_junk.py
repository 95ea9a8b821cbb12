"""Junk gates: what says nothing, what is secret, what is there already, and what recall had said."""

import pytest

from perdure.domain.junk import JunkReason, junk
from perdure.domain.memories import fingerprint


@pytest.mark.parametrize(
    "text",
    [
        "Hi!",
        "Hey Ben!",
        "ok",
        "Okay, sounds good \U0001f44d",
        "Good morning, Ann Marie!",
        "Thanks a lot, see you tomorrow!",
        "haha lol",
        "How are you? I'm fine.",
        "Guten Morgen!",
        "Vielen Dank, bis bald",
        "Merci beaucoup !",
        "\u00a1Hola! \u00bfQu\u00e9 tal?",
        "Grazie mille, ciao",
        "\u0421\u043f\u0430\u0441\u0438\u0431\u043e!",
        "\u8c22\u8c22",
        "\u3042\u308a\u304c\u3068\u3046\u3054\u3056\u3044\u307e\u3059",
        "\u0928\u092e\u0938\u094d\u0924\u0947",
        "\u0634\u0643\u0631\u0627",
        "g\u00fcnayd\u0131n",
        "D\u2019accord, merci",
    ],
)
def test_phrases_without_content_are_junk(text: str) -> None:
    assert junk(text) is JunkReason.EMPTY_PHRASE


@pytest.mark.parametrize(
    "text",
    [
        "Yes.",
        "No!",
        "ok, Thursday",
        "Hello, I'm Ann.",
        "Good morning from Lisbon",
        "thanks to my sister I passed",
        "Great news: we won",
        "How are you feeling after the surgery?",
        "Ben",
        "",
        "\U0001f44d",
        "My password is wrong again.",
        "The password is required.",
        "Call me at 0660 1234567",
        "The order number is 1234567890123456789",
        "https://example.org/path?x=1",
        "I lost my keys and the API key talk was boring",
        "the pin is on the map",
        "sk-8 is the name of the bus",
    ],
)
def test_what_carries_information_is_kept(text: str) -> None:
    assert junk(text) is None


# Made up here, in the forms that their makers publish; put together so that no scanner takes them for leaks.
MADE_UP = [
    "my aws key is " + "AKIA" + "QX7TESTTESTTEST1",
    "token " + "ghp_" + "a1B2" * 9,
    "-----BEGIN " + "RSA PRIVATE KEY-----\nabc",
    "xoxb-" + "1234567890-abcdefghij",
    "postgres" + "://ann:s3cr3tpw@db.example.org/app",
    "eyJ" + "hbGciOiJIUzI1NiJ9." + "eyJ" + "zdWIiOiIxMjM0NTY3ODkwIn0." + "c2lnbmF0dXJlLW9mLXRoaXM",
    "sk-" + "proj-" + "abc123DEF456ghi789JKL",
    "my password is " + "hunter22",
    "Passwort: " + "geheim!Nuss",
    "the wifi password is " + "BlueHorse",
    "my PIN is " + "4711",
    "api_key=" + "9f8e7d6c5b4a3210",
    "mein Kennwort lautet " + "Sommer2024",
    "pay with " + "4242 4242 " + "4242 4242",
]


@pytest.mark.parametrize("text", MADE_UP)
def test_keys_and_passwords_are_junk(text: str) -> None:
    assert junk(text) is JunkReason.SECRET


def test_what_is_known_or_was_just_recalled_is_junk() -> None:
    mark = fingerprint("I live in Lisbon.")
    assert junk("i live in  LISBON.", known={mark}) is JunkReason.DUPLICATE
    assert junk("I live in Lisbon.", known={mark}, recalled={mark}) is JunkReason.RECALL_LOOP
    assert junk("I live in Porto.", known={mark}, recalled={mark}) is None
