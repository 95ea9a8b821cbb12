"""Words by which people open a topic, decide, and say what is to be done, in seven languages."""

import re

_FLAGS = re.IGNORECASE
_DECISIONS = (
    r"decided|decides|decision|agreed(?! with (?:you|him|her|them|that|this)\b)|agreement (?:was"
    r"|is) reached|resolved (?:that|to)"
    r"|approved?|signed off|settled on|let['\u2019]s go (?:with|for|ahead)|we(?:['\u2019]ll| will) go "
    r"(?:with|for|ahead)"
    r"|(?:we|the (?:board|team|group|committee)) (?:chose|voted|concluded)|it was resolved|motion "
    r"(?:was )?carried|consensus",
    r"beschlossen|beschlie\u00dft|beschluss|entschieden|entscheidung|geeinigt|einigten|vereinbart"
    r"|genehmigt|festgelegt|freigegeben",
    r"d\u00e9cid[\u00e9e]\w*|d\u00e9cision|convenu|approuv\u00e9\w*|valid\u00e9\w*|adopt\u00e9\w*"
    r"|d['\u2019]un commun accord",
    r"decidid[oa]s?|decidimos|decidi\u00f3|decisi\u00f3n|acord(?:ado|amos|\u00f3|aron)|aprobad[oa]s?"
    r"|aprob\u00f3",
    r"deciso|decisione|concordato|stabilito|approvat[oa]",
    r"decidi(?:do|mos|u)|decis\u00e3o|acordado|aprovad[oa]|aprovou",
    r"besloten|besluit|afgesproken|goedgekeurd",
)
_UNDECIDED = (
    r"(?:not|n['\u2019]t|never|nothing|no|yet to be|nicht|nichts|noch nicht|kein\w*|pas|rien|aucune?"
    r"|no se ha|ning\u00fan|non|nessuna|niet|geen|n\u00e3o|nenhuma)\s"
    r"(?:\w+\s){0,2}(?:decid\w*|decision|agreed|approved|beschlossen|beschluss|entschieden"
    r"|entscheidung|d\u00e9cid\w*|d\u00e9cision|decisi\u00f3n"
    r"|deciso|decisione|besloten|besluit|decis\u00e3o)|to be decided|undecided|whether to|still open"
    r"|noch offen"
)
_DOES = (
    r"send|prepare|write|call|check|update|review|draft|schedule|book|order|fix|finish|organi[sz]e"
    r"|share|circulate|contact"
    r"|ask|talk to|look into|set up|provide|submit|confirm|follow up|create|get back|bring|report"
    r"|deliver|collect|arrange"
    r"|invite|e?-?mail|test|ship|pay|sign|investigate|present|publish|move|complete|add|remove|replace"
    r"|install|upload|file"
    r"|speak|find out|clarify|forward|hand over|take care|take over|come back|make sure|work on"
    r"|put together|summari[sz]e"
)
_ACTIONS = (
    r"action (?:item|point)s?|to-?dos?|next steps?|follow[- ]ups? (?:is|are|with)|assigned to"
    r"|is responsible for|takes? ownership",
    rf"(?:\b(?:I|we|you|he|she|they)|[A-Z][a-z]+)(?:['\u2019]ll| will| shall|['\u2019]m going to"
    rf"| am going to|['\u2019]re going to| are going to| is going to"
    rf"| needs? to| has to| have to| must| should|['\u2019]s to| is to| to)\s(?:also\s|then\s"
    rf"|please\s)?(?:{_DOES})",
    rf"(?:\bplease|\bcan you|\bcould you|\bwould you)\s(?:please\s)?(?:{_DOES})",
    r"\b(?:\u00fcbernimmt|\u00fcbernehme|k\u00fcmmer(?:t|e|n) (?:sich|mich|uns)|erledig(?:t|e|en)"
    r"|zust\u00e4ndig|verantwortlich f\u00fcr|aufgaben?|n\u00e4chste[rn]? schritte?)\b",
    r"\b(?:wird|werden|werde|soll|sollen|sollte|muss|m\u00fcssen|bitte)\b.{0,80}\b(?:schicken|senden"
    r"|vorbereiten|pr\u00fcfen|schreiben|anrufen|melden|kl\u00e4ren|liefern|bestellen|organisieren"
    r"|abstimmen|informieren|erstellen|zusenden|\u00fcbermitteln|einholen|nachfragen)\b",
    r"\b(?:\u00e0 faire|prochaines? \u00e9tapes?|se charge|s['\u2019]occupe|veuillez|merci de|doit"
    r"|doivent|devra|enverra|pr\u00e9parera|v\u00e9rifiera)\b",
    r"\b(?:pr\u00f3xim[oa]s? pasos?|se encarga|encargad[oa] de|tiene que|tienen que|deber\u00e1n?"
    r"|enviar\u00e1|preparar\u00e1|revisar\u00e1|tareas?)\b",
    r"\b(?:da fare|prossim[oi] pass[oi]|si occupa|dovr\u00e0|dovranno|invier\u00e0|preparer\u00e0"
    r"|verificher\u00e0)\b",
    r"\b(?:pr\u00f3ximos passos|encarrega-se|ter\u00e1 de|tem de|enviar\u00e1|preparar\u00e1|tarefas?)\b",
    r"\b(?:actiepunt(?:en)?|volgende stappen|regelt|zorgt voor|neemt contact op|stuurt)\b",
)
_TOPICS = (
    r"let['\u2019]s (?:talk about|discuss|start with|begin with|move on|turn to|look at)|moving on to|"
    r"(?:the )?next (?:item|topic|point|question)|(?:first|second|third|last) (?:item|topic|point)\b"
    r"|(?:item|topic) (?:one|two|three|four|five|[0-9]+)\b|on the agenda|today we (?:talk|discuss"
    r"|look)|turning to|as (?:for|regards)|with regard to|the (?:topic|subject|purpose) (?:of|is)",
    r"kommen wir zu|n\u00e4chster (?:punkt|tagesordnungspunkt)|zum thema|tagesordnungspunkt|es geht um"
    r"|thema (?:ist|war)",
    r"passons \u00e0|point suivant|\u00e0 l['\u2019]ordre du jour|parlons de|il s['\u2019]agit de",
    r"pasemos a|siguiente punto|hablemos de|en cuanto a|el tema (?:es|de)",
    r"passiamo a|prossimo punto|parliamo di|all['\u2019]ordine del giorno",
    r"passemos a|pr\u00f3ximo ponto|falemos de",
    r"volgende punt|het gaat over|laten we het hebben over",
)
DECISIONS = re.compile(rf"\b(?:{'|'.join(_DECISIONS)})\b", _FLAGS)
UNDECIDED = re.compile(rf"\b(?:{_UNDECIDED})", _FLAGS)
# With their case: "Will" is a name, and a sentence of someone begins with a capital.
ACTIONS = re.compile(
    "|".join(
        f"(?:{'' if at == 1 else '(?i:'}{one}{'' if at == 1 else ')'})" for at, one in enumerate(_ACTIONS)
    )
)
TOPICS = re.compile(rf"\b(?:{'|'.join(_TOPICS)})", _FLAGS)
SUBJECT = re.compile(
    r"(?:subject|re|betreff|betrifft|objet|asunto|oggetto|assunto|onderwerp)\s?:\s*(?=\S)", _FLAGS
)
# Before a colon, or as a heading above a list.
DECIDED = re.compile(
    r"(?:decisions?|decided|agreed|beschl\u00fcsse|beschluss|entscheidung(?:en)?|d\u00e9cisions?|decisi(?:\u00f3n|ones)|decision[ei]|decis(?:\u00e3o|\u00f5es)|besluit(?:en)?)",
    _FLAGS,
)
TO_DO = re.compile(
    r"(?:actions?|action items?|action points?|to-?dos?|next steps|tasks?|aufgaben|offene punkte"
    r"|n\u00e4chste schritte|actions? \u00e0 mener|prochaines \u00e9tapes|\u00e0 faire"
    r"|pr\u00f3ximos pasos|tareas|acciones|azioni|prossimi passi|da fare|pr\u00f3ximos passos|tarefas"
    r"|acties|actiepunten)",
    _FLAGS,
)
