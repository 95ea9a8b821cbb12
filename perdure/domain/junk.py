"""What is not worth remembering: phrases without content, repetitions, secrets, and what recall itself had said."""

import re
from collections.abc import Collection
from enum import StrEnum

from perdure.domain.memories import fingerprint


class JunkReason(StrEnum):
    """Why a text is no memory."""

    EMPTY_PHRASE = "empty_phrase"
    DUPLICATE = "duplicate"
    SECRET = "secret"  # noqa: S105  # the name of a reason
    RECALL_LOOP = "recall_loop"


# Greetings and thanks may be followed by a name. "Yes", "no" and "sure" are left out: they answer something.
_GREETINGS = """
hi, hey, hello, hiya, howdy, yo, hi there, hey there, hello there, good morning, good afternoon,
good evening, good night, morning, goodnight, bye, bye bye, goodbye, see you, see ya, see you soon,
see you later, see you tomorrow, talk to you later, talk soon, take care, have a nice day,
have a great day, have a good one, cheers, thanks, thank you, many thanks, thanks a lot, thank you so much,
thank you very much, thanks so much, thx, ty, welcome, youre welcome, you are welcome, sorry, hallo,
guten morgen, guten tag, guten abend, gute nacht, servus, moin, grüß gott, tschüss, ciao, auf wiedersehen,
bis bald, bis später, danke, danke schön, vielen dank, danke dir, bitte, bitte schön, gern geschehen,
gerne, salut, bonjour, bonsoir, bonne nuit, coucou, au revoir, à bientôt, à plus tard, merci,
merci beaucoup, de rien, hola, buenos días, buenas tardes, buenas noches, adiós, hasta luego, hasta pronto,
gracias, muchas gracias, de nada, buongiorno, buonasera, buonanotte, arrivederci, a presto, grazie,
grazie mille, prego, olá, oi, bom dia, boa tarde, boa noite, tchau, até logo, obrigado, obrigada,
muito obrigado, muito obrigada, cześć, dzień dobry, dobry wieczór, dobranoc, do widzenia, dzięki, dziękuję,
proszę, hej, hejdå, tack, tack så mycket, hoi, goedemorgen, goedenavond, doei, dank je, dank je wel,
dank u, bedankt, graag gedaan, merhaba, selam, g\u00fcnayd\u0131n, iyi geceler, görüşürüz, teşekkürler,
teşekkür ederim, sağ ol, привет, здравствуйте, доброе утро, добрый день, добрый вечер, спокойной ночи,
пока, до свидания, спасибо, большое спасибо, пожалуйста, привіт, дякую, γεια, καλημέρα, καληνύχτα,
ευχαριστώ, مرحبا, السلام عليكم, صباح الخير, مساء الخير, شكرا, مع السلامة, שלום, תודה, בוקר טוב, नमस्ते,
धन्यवाद, 你好, 您好, 早上好, 晚安, 再见, 谢谢, 谢谢你, こんにちは, おはよう, おはようございます,
こんばんは, おやすみ, さようなら, ありがとう, ありがとうございます, 안녕, 안녕하세요, 감사합니다, 고마워
"""
_ACKNOWLEDGEMENTS = """
ok, okay, okey, k, kk, alright, all right, got it, i see, noted, understood, roger, makes sense, fair enough,
sounds good, sounds great, great, cool, nice, wow, awesome, perfect, amazing, wonderful, good, very good, lol, lmao,
rofl, haha, hahaha, hehe, ha, hm, hmm, mhm, uh, um, ah, oh, aha, yay, congrats, congratulations, no problem,
no worries, my pleasure, anytime, indeed, exactly, absolutely, same, same here, me too, true, right, so true, well,
how are you, how are you doing, how is it going, hows it going, whats up, what is up, sup, im fine, i am fine,
im good, im doing well, nothing much, not much, and you, test, testing, one two three, asdf, foo, bar, verstanden,
alles klar, klar, genau, super, toll, wie gehts, wie geht es dir, wie geht es ihnen, mir geht es gut, passt,
daccord, entendu, ça va, comment ça va, vale, de acuerdo, entendido, perfecto, qué tal, cómo estás, va bene,
daccordo, perfetto, come stai, tudo bem, entendi, combinado, dobrze, rozumiem, jasne, oké, begrepen, prima, tamam,
anlad\u0131m, понятно, ясно, хорошо, ладно, как дела, 好的, 好, 明白了, 收到, はい, 了解, 了解です, 네, 알겠습니다
"""
_LONGEST_PHRASE = 5
# Beyond, somebody had something to say.
_LONGEST = 200
_WORD = re.compile(r"[^\W_]+(?:['\u2019`][^\W_]+)*")
_APOSTROPHE = re.compile(r"['\u2019`]")
_NAMES_AFTER = 2

# As vendors publish them; those without a prefix of their own only with a word that says what they are.
_SECRETS = tuple(
    re.compile(pattern)
    for pattern in (
        r"-----BEGIN (?:[A-Z]{2,10} ){0,3}PRIVATE KEY(?: BLOCK)?-----",
        r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
        r"\bgh[pousr]_[A-Za-z0-9]{36,255}\b",
        r"\bgithub_pat_[A-Za-z0-9_]{22,255}\b",
        r"\bglpat-[A-Za-z0-9_-]{20,255}",
        r"\bxox[abeoprs]-[A-Za-z0-9-]{10,255}",
        r"\bAIza[0-9A-Za-z_-]{35}",
        r"\b(?:sk|rk|pk)_(?:live|test)_[0-9A-Za-z]{16,255}\b",
        r"\bsk-(?:ant-|proj-|or-)?[A-Za-z0-9_-]{20,255}",
        r"\bhf_[A-Za-z0-9]{30,255}\b",
        r"\bnpm_[A-Za-z0-9]{36}\b",
        r"\bpypi-[A-Za-z0-9_-]{40,255}",
        r"\bSG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}",
        r"\beyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,2000}\.[A-Za-z0-9_-]{10,2000}",
        r"\b[a-z][a-z0-9+]{1,20}://[^\s:/@]{1,100}:[^\s:/@]{3,100}@[\w.-]{1,255}",
    )
)
_TOLD_SECRET = re.compile(
    r"\b(?:pass(?:word|wort|code|phrase)|passwd|pwd|kennwort|contrase\u00f1a|mot de passe|senha|parola|has\u0142o"
    r"|\u043f\u0430\u0440\u043e\u043b\u044c|api[ _-]?key|secret[ _-]?key|access[ _-]?token"
    r"|auth(?:orization)?[ _-]?token|client[ _-]?secret|bearer|pin(?: code)?|cvv|cvc)\b[\s\"']{0,3}"
    r"(?:(?:is|are|ist|lautet|est|es|\u00e9|to|was)\s+(?:now\s+)?|[:=]\s*)[\"'\u201c`]?(?P<value>[^\s\"'\u201d`,;]{3,128})",
    re.IGNORECASE,
)
_LENGTH = {"pin": 4, "cvv": 3, "cvc": 3}
_CARD = re.compile(r"(?<![\d-])(?:\d[ -]?){12,18}\d(?![\d-])")


def _phrases(listed: str) -> frozenset[str]:
    return frozenset(" ".join(_WORD.findall(phrase)) for phrase in listed.split(",") if phrase.strip())


_POLITE = _phrases(_GREETINGS)
_PHRASES = _POLITE | _phrases(_ACKNOWLEDGEMENTS)


def junk(text: str, *, known: Collection[str] = (), recalled: Collection[str] = ()) -> JunkReason | None:
    """Why a text is not worth remembering; None when it is.

    `known` are fingerprints of current memories of the same subject, `recalled` of what was recalled just before.
    """
    if is_secret(text):
        return JunkReason.SECRET
    if is_empty_phrase(text):
        return JunkReason.EMPTY_PHRASE
    if known or recalled:
        mark = fingerprint(text)
        if mark in recalled:
            return JunkReason.RECALL_LOOP
        if mark in known:
            return JunkReason.DUPLICATE
    return None


def is_empty_phrase(text: str) -> bool:
    """Whether a text is made of greetings, thanks and acknowledgements alone, perhaps with a name after them."""
    if len(text) > _LONGEST:
        return False
    written = _WORD.findall(text)
    words = [_APOSTROPHE.sub("", word).casefold() for word in written]
    at, polite, phrases, names = 0, False, 0, 0
    while at < len(words):
        length = next(
            (
                length
                for length in range(min(_LONGEST_PHRASE, len(words) - at), 0, -1)
                if " ".join(words[at : at + length]) in _PHRASES
            ),
            0,
        )
        if length:
            polite = " ".join(words[at : at + length]) in _POLITE
            phrases, names = phrases + 1, 0
        elif polite and names < _NAMES_AFTER and written[at][:1].isupper() and written[at].isalpha():
            length, names = 1, names + 1
        else:
            return False
        at += length
    return phrases > 0


def is_secret(text: str) -> bool:
    """Whether a key, a password or the number of a payment card stands in a text."""
    if any(pattern.search(text) for pattern in _SECRETS):
        return True
    if any(_looks_secret(match) for match in _TOLD_SECRET.finditer(text)):
        return True
    return any(_is_card(match.group()) for match in _CARD.finditer(text))


def _looks_secret(match: re.Match[str]) -> bool:
    """A value, not a word about it: it has digits or signs in it, or changes its case."""
    value = match["value"].rstrip(".!?)")
    kind = match.group().split()[0].casefold()
    if len(value) < _LENGTH.get(kind[:3], 6):
        return False
    inside = value[1:]
    mixed = any(one.isupper() for one in inside) and any(one.islower() for one in value)
    return mixed or any(one.isdigit() for one in value) or any(one in "!$%&*#^_~+=<>" for one in inside)


def _is_card(digits: str) -> bool:
    """By Luhn's check digit, which one of ten numbers has by chance; so only the lengths and beginnings of cards."""
    numbers = [int(one) for one in digits if one.isdigit()]
    if len(numbers) not in {14, 15, 16} or numbers[0] not in {3, 4, 5, 6}:
        return False
    doubled = [sum(divmod(2 * one, 10)) for one in numbers[-2::-2]]
    return (sum(numbers[-1::-2]) + sum(doubled)) % 10 == 0
