"""Which language a text is in: by its script, else by its most common function words."""

import re

_ISO_639_3 = {
    "eng": "en", "deu": "de", "ger": "de", "fra": "fr", "fre": "fr", "spa": "es", "ita": "it",
    "por": "pt", "nld": "nl", "dut": "nl", "swe": "sv", "dan": "da", "nor": "no", "nob": "no",
    "nno": "no", "fin": "fi", "rus": "ru", "pol": "pl", "ces": "cs", "hun": "hu", "ron": "ro",
    "tur": "tr", "ell": "el", "ukr": "uk", "cat": "ca", "jpn": "ja", "zho": "zh", "kor": "ko",
    "ara": "ar", "heb": "he",
}  # fmt: skip
_WORDS = {
    "en": "the of and to in is that for it was on are as with be this by from at or an which have not but "
    "had they you we his her were has been will would their there can if all any must may who what "
    "when",
    "de": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an "
    "werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum war "
    "haben nur oder aber vor zur bis",
    "fr": "de la le et les des en un du une que est pour qui dans par plus pas au sur ne se ce il sont avec "
    "ou son aux cette d'un être nous mais leur sa ces elle ont vous été comme deux lui tout après",
    "es": "de la que el en los del se las por un para con no una su al es lo como más pero sus le ya este "
    "sí porque esta entre cuando muy sin sobre también me hasta hay donde quien desde todo nos "
    "durante",
    "it": "di il la che in un per una sono con non del si da le della come dei nel più alla gli ha anche al "
    "lo ma delle questo se dal nella ai suo dalla degli ed su essere stato tra loro cui già",
    "pt": "de que do da em um para com não uma os no se na por mais as dos como mas ao ele das seu sua ou "
    "quando muito nos já eu também só pelo pela até isso ela entre depois sem mesmo aos seus quem nas",
    "nl": "de het een van en in is dat op te zijn voor met die niet aan er om ook als dan maar bij uit nog "
    "naar heeft of door wordt over ze zich hij was worden tot je mijn deze hun werd kan geen zo moet "
    "wij",
    "sv": "och att det som en på är av för med till den har de inte om ett han men var jag sig från vi så "
    "kan man när år under också efter eller nu sin där vid mot ska skulle kommer ut får finns vara "
    "hade alla",
    "da": "og at det er en til på som de med for den af ikke der var han har et om men sig fra så vi kan "
    "jeg over ved også efter eller nu sin hvor blev skal vil ud være havde alle blive mange mod denne "
    "dette",
    "no": "og det er på som en til at for med av de har den ikke var han om et men seg fra så vi kan jeg "
    "over ved også etter eller nå sin hvor ble skal vil ut være hadde alle mange mot denne dette "
    "mellom",
    "fi": "ja on ei se että hän oli mutta myös kun niin tai ovat kuin sen joka siitä hänen vain jos sekä "
    "mukaan ole mitä jo nyt olla voi kanssa noin tämä ne vielä jotka mikä minä tämän",
    "pl": "w i na z do się nie że to jest o za od po jak przez dla ale co są tak tym jego był oraz może być "
    "już tylko przy ich ze który która które czy gdy",
    "cs": "a v se na je že to s z do o i ve jako za by pro jsou po ale si od k byl jeho podle nebo které "
    "který jsem bude tak co při může již před mezi také",
    "hu": "az és hogy nem is egy meg ez ha de csak volt van már mint el vagy még ki szerint lehet kell azt "
    "ezt nagyon után között minden pedig lett",
    "ro": "și de în la cu pe că nu din un pentru mai sunt care este prin sau fi au fost ce ca lui iar după "
    "dar fără între poate această acest",
    "tr": "ve bir bu için ile de da olarak çok daha olan gibi en ne ya değil kadar sonra var ama olduğu her "
    "ancak göre ise şey veya ben",
    "ca": "de la el que en les un per una és amb del no els es al com més va ser dels han però aquest si "
    "són pel molt també entre fins seva",
}  # fmt: skip
# one letter is as often a grade, a unit or a column as a word
_PROFILES = {tag: frozenset(one for one in words.split() if len(one) > 1) for tag, words in _WORDS.items()}
_SPOKEN_IN = {
    word: [tag for tag, words in _PROFILES.items() if word in words]
    for word in sorted(frozenset.union(*_PROFILES.values()))
}
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_BEYOND_LATIN = re.compile("[^\x00-\u036f\u1e00-\u20ff]")
_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7af]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
    ("hi", re.compile("[\u0900-\u097f]")),
)
_CYRILLIC = re.compile("[\u0400-\u04ff]")
_UKRAINIAN = re.compile("[\u0456\u0457\u0454\u0491]")
_TAG = re.compile(r"^([A-Za-z]{2,3})(?:[-_](?:[A-Za-z]{4}|[A-Za-z]{2}|\d{3}))*$")
_LEAST_HITS = 4
_LEAST_LETTERS = 10
_LEAST_SHARE = 0.04
_LEAST_LEAD = 1.2
_SAMPLE = 5_000


def known_tag(said: str | None) -> str | None:
    """A language as a document declares it (`en-US`, `deu`, `en_GB`), as a BCP 47 tag; None when unusable."""
    match = _TAG.match((said or "").strip())
    if match is None:
        return None
    language = match.group(1).lower()
    return _ISO_639_3.get(language) if len(language) == 3 else language


def detect_language(text: str) -> str | None:
    """The language of a text as a BCP 47 tag; None when it is too short or too mixed to tell.

    Looks at the beginning and, of a long text, at its middle, which is past imprint and contents.
    """
    sample = text
    if len(text) > 2 * _SAMPLE:
        middle = len(text) // 2
        sample = f"{text[:_SAMPLE]} {text[middle : middle + _SAMPLE]}"
    sample = sample.lower()
    if not sample.isascii() and (other := _by_script(sample)):
        return other
    words = _WORD.findall(sample)
    known = [word for word in words if word in _SPOKEN_IN]
    if len(known) < _LEAST_HITS:
        return None
    scores = dict.fromkeys(_PROFILES, 0.0)
    for word in known:
        tags = _SPOKEN_IN[word]
        for tag in tags:
            # A word that is common in four languages says little about any of them.
            scores[tag] += 1 / len(tags)
    (best, tag), (second, _) = sorted(((score, tag) for tag, score in scores.items()), reverse=True)[:2]
    hits = sum(word in _PROFILES[tag] for word in known)
    if hits < _LEAST_HITS or best < _LEAST_SHARE * len(words) or best < _LEAST_LEAD * second:
        return None
    return tag


def _by_script(text: str) -> str | None:
    foreign = len(_BEYOND_LATIN.findall(text))
    if foreign < _LEAST_LETTERS:
        return None
    letters = sum(map(str.isalpha, text))
    for tag, script in _SCRIPTS:
        # Japanese is mostly Chinese characters with its own between
        if len(script.findall(text)) > (0.1 if tag == "ja" else 0.4) * letters:
            return tag
    cyrillic = len(_CYRILLIC.findall(text))
    if cyrillic > 0.4 * letters:
        return "uk" if len(_UKRAINIAN.findall(text)) > 0.01 * cyrillic else "ru"
    return None
