"""Words of praise and blame in languages that the embedding model does not read, and what negates them."""

import re

# Beginnings of words: an ending of up to four letters may follow those of four letters and more.
_PRAISE = {
    "de": (
        "gut gute guter gutes guten gutem toll super schön wunderbar ausgezeichnet hervorragend großartig "
        "perfekt freundlich nett lecker köstlich zufrieden empfehle empfehlenswert begeister liebe genial "
        "klasse spitze prima sauber angenehm hilfreich schnell gemütlich bequem fantastisch herrlich beste "
        "bester bestes besten lustig spannend berührend gelungen zuverlässig leise günstig preiswert wohl "
        "gerne freue erfreu reibungslos kompetent liebevoll traumhaft einwandfrei"
    ),
    "fr": (
        "bon bonne bons bonnes excellent superbe magnifique merveilleu parfait délicieu aimable gentil "
        "satisfait recommande adore génial agréable beau belle propre rapide charmant drôle émouvant "
        "formidable meilleur confortable efficace impeccable ravi content chaleureu fantastique passionnant "
        "réussi sympa sympathique bien calme plaisir"
    ),
    "es": (
        "bueno buena buenos buenas buen excelente maravillos perfect delicios amable content satisfech "
        "recomiendo recomendable encanta genial agradable precios bonit limpi rápid divertid emocionante "
        "fantástic mejor cómod feliz estupend increíble espectacular simpátic bien cariños impecable "
        "silencios útil"
    ),
    "it": (
        "buono buona buoni buone ottim eccellente meraviglios perfett delizios gentil soddisfatt consiglio "
        "consigliat adoro bello bella bellissim fantastic pulit veloce divertente commovente migliore comod "
        "felice splendid simpatic bravo bravi brava benissimo bene accogliente piacevole silenzios puntuale "
        "impeccabil utile squisit"
    ),
    "pt": (
        "bom boa bons boas excelente maravilhos perfeit delicios simpátic satisfeit recomendo adorei adoro "
        "ótim agradável lind limp rápid divertid emocionante fantástic melhor confortável feliz incrível "
        "gentil bem impecável útil"
    ),
    "nl": (
        "goed goede geweldig prachtig uitstekend perfect lekker vriendelijk tevreden aanrader mooi schoon "
        "snel leuk fantastisch heerlijk beste fijn prima gezellig comfortabel grappig spannend behulpzaam "
        "rustig top genoten"
    ),
}
_BLAME = {
    "de": (
        "schlecht schlimm furchtbar schrecklich grauenhaft langweilig enttäusch kaputt schmutzig dreckig laut "
        "unfreundlich teuer überteuert mangelhaft defekt nutzlos ärgerlich leider katastroph miserabel "
        "ekelhaft unbrauchbar billig umständlich kalt fade zäh langsam ungenießbar verärger frech unverschämt "
        "peinlich lieblos unbequem fehlerhaft abzocke reklamation beschwer mies öde"
    ),
    "fr": (
        "mauvais mauvaise nul nulle horrible terrible ennuyeu déçu déçue décevant décevante sale bruyant cher "
        "trop cassé panne inutile désagréable lent affreu catastroph dommage éviter froid froide médiocre "
        "pire impoli arnaque pénible raté fade minable défectueu inadmissible honte"
    ),
    "es": (
        "malo mala malos malas malísim horrible terrible aburrid sucio sucia sucios sucias ruidos caro cara "
        "roto rota rompió inútil desagradable lento lenta pésim decepción decepcion peor frío fría pérdida "
        "grosero grosera defectuos estafa fatal lamentable ruido asqueros engaño incómod"
    ),
    "it": (
        "cattiv brutto brutta orribile terribile noios sporc rumoros caro cara rotto rotta inutile sgradevole "
        "lento lenta pessim delus deludente peggio peggiore freddo fredda scortese difettos buttati truffa "
        "disastr scomod maleducat scadente schifo insopportabil"
    ),
    "pt": (
        "mau má maus ruim ruins péssim horrível terrível chato chata sujo suja barulhent caro cara quebrou "
        "partid inútil desagradável lento lenta dececion decepcion pior frio fria perda grosseir defeituos "
        "burla desconfortáve nojent"
    ),
    "nl": (
        "slecht vreselijk verschrikkelijk saai vies vuil luid duur kapot nutteloos onvriendelijk "
        "teleurgesteld teleurstell langzaam traag koud jammer defect waardeloos rommelig lawaai onbeschoft "
        "oplichting ergst smerig"
    ),
}
_NOT = {
    "de": "nicht kein keine keinen keiner keines nie niemals ohne kaum weder nichts",
    "fr": "pas ne n jamais aucun aucune sans ni guère rien",
    "es": "no nunca jamás ningún ninguna sin ni tampoco nada",
    "it": "non mai nessun nessuna senza né nulla niente",
    "pt": "não nunca jamais nenhum nenhuma sem nem nada",
    "nl": "niet geen nooit zonder noch nauwelijks niets",
}
_WORD = re.compile(r"[^\W\d_]+")
_SHORTEST_STEM, _LONGEST_ENDING = 4, 4
# So many words before an opinion may negate it, which then counts for less.
_REACH = 3
_NEGATED = -0.7
_VALENCE = 2.0
# As VADER brings a sum into -1 to 1.
_ALPHA = 15.0


def _table(language: str) -> dict[str, float]:
    return dict.fromkeys(_PRAISE[language].split(), 1.0) | dict.fromkeys(_BLAME[language].split(), -1.0)


_OPINIONS = {language: _table(language) for language in _PRAISE}
_NEGATIONS = {language: frozenset(words.split()) for language, words in _NOT.items()}
LANGUAGES = frozenset(_OPINIONS)


def opinion(text: str, language: str) -> tuple[float, float, float]:
    """Compound from -1 to 1, and the shares of words that praise and that blame; `language` is one of LANGUAGES."""
    words = _WORD.findall(text.lower())
    table, negations = _OPINIONS[language], _NEGATIONS[language]
    good = bad = 0.0
    for at, word in enumerate(words):
        said = _valence(word, table)
        if said and not negations.isdisjoint(words[max(0, at - _REACH) : at]):
            said *= _NEGATED
        good, bad = good + max(0.0, said), bad + max(0.0, -said)
    total = _VALENCE * (good - bad)
    count = max(1, len(words))
    return total / (total * total + _ALPHA) ** 0.5, min(1.0, good / count), min(1.0, bad / count)


def _valence(word: str, table: dict[str, float]) -> float:
    if word in table:
        return table[word]
    for length in range(len(word) - 1, max(_SHORTEST_STEM, len(word) - _LONGEST_ENDING) - 1, -1):
        if word[:length] in table:
            return table[word[:length]]
    return 0.0
