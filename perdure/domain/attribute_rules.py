"""How English states a property that one has one of at a time: where somebody lives, what something is called."""

import re
from dataclasses import dataclass

from perdure.domain import attribute_values as values
from perdure.domain.attribute_values import Reader, Value

_CAPITAL = r"[^\W\d_a-z\u00df-\u00f6\u00f8-\u00ff]"
_APOSTROPHE = r"['\u2019]"
_NAMED = rf"{_CAPITAL}[\w\u2019'-]*(?:\s{_CAPITAL}[\w\u2019'-]+)?"
# Those of whom a speaker has one, or says "my" of one.
_RELATIVES = (
    r"(?:mother-in-law|father-in-law|mum|mom|mother|dad|father|parents|husband|wife|partner|boyfriend|girlfriend"
    r"|fianc\u00e9e?|boss|manager|landlord|landlady|grandmother|grandma|grandfather|grandpa|therapist|coach|trainer"
    r"|supervisor|roommate|flatmate|ex|sister|brother|son|daughter|best friend)"
)
# May stand between somebody and what they do; some deny it, some put it into the past.
_BETWEEN = (
    rf"(?:am|is|are|have|has|do|does|did|had|was|were|been|got|(?:do|does|did|have|has|is|are|was|were)n{_APOSTROPHE}t"
    r"|not|never|no\slonger|used\sto|now|currently|still|just|also|actually|finally|recently|already|both|all|back"
    r"|officially|happily|then|only|presently|temporarily|permanently|newly|honestly|eventually)"
)
SUBJECT = (
    rf"(?<![\w'\u2019-])(?:(?P<first>[Ii]|[Ww]e)|[Mm]y\s(?P<kin>{_RELATIVES})(?:,?\s(?P<kin_name>{_CAPITAL}\w+),?)?"
    rf"|(?P<named>{_NAMED})|(?P<joined>and|but|then|so))"
)
_GAP = rf"(?P<gap>(?:{_APOSTROPHE}(?:m|ve|re|s|d|ll)\b)?(?:\s+{_BETWEEN}\b){{0,4}})\s+"
_OWNER = (
    rf"(?<![\w'\u2019-])(?:(?P<own>[Mm]y|[Oo]ur)(?:\s(?P<kin>{_RELATIVES}){_APOSTROPHE}s)?"
    rf"|(?P<named>{_NAMED}?){_APOSTROPHE}s?)\s(?:(?:new|current|present|actual|latest)\s)?"
)
_THING = r"(?<![\w'\u2019-])(?P<own>[Mm]y|[Oo]ur|[Tt]he)\s(?:(?:new|current|present|actual|latest)\s)?"
# Between a property and its value.
_IS = (
    rf"(?P<is>(?:\s+(?:is|are)|{_APOSTROPHE}s)(?:\s+(?:now|currently|actually|still|called|named|just|no\slonger|not)\b)*\s"
    r"|\s+has\s+always\s+been\s"
    r"|\s+(?:has\s+|have\s+|was\s+)?(?:been\s+|just\s+)*(?:changed|switched|updated|moved)\s+(?:from\s+[^.;!?]{1,40}?\s)?to\s"
    r"|\s*:\s)\s*"
)


@dataclass(frozen=True, slots=True)
class Rule:
    """How one property is stated: what leads up to its value, and how that is read; without a reader, no value is said.

    An `event` is told as past and holds since; a state told as past is over. What `ends` holds no more. A `weak`
    value is one of several that could hold at once, unless the statement itself says that something changed.
    """

    name: str
    pattern: re.Pattern[str]
    reader: Reader | None
    hints: tuple[str, ...]
    """One of these stands in every sentence that the rule fits, in small letters."""
    event: bool = False
    ends: bool = False
    weak: bool = False
    changes: bool = False
    shared: bool = False
    """Of a thing that all speak of, unless somebody says "my"."""
    context: re.Pattern[str] | None = None
    """What else must stand in the sentence."""


def _does(verb: str) -> re.Pattern[str]:
    return re.compile(rf"{SUBJECT}{_GAP}(?P<verb>{verb})\s+")


def _has(noun: str, what_is: str = _IS) -> re.Pattern[str]:
    return re.compile(rf"{_OWNER}(?P<noun>{noun}){what_is}")


_IN = r"(?:in|at|near|outside(?:\sof)?|on)"
_ONWARD = r"(?:\s(?:back|over|out|down|up|again|home|away|once\smore|all\sthe\sway|everything|in|on))*"
_NAMEABLE = (
    r"(?:dog|puppy|cat|kitten|hamster|parrot|horse|pony|rabbit|tortoise|turtle|boat|band|company|start-?up|shop|baby"
    r"|bakery|cafe|restaurant|blog|podcast|book|novel|project|product|app|team|business)"
)
_NAMED_ROLE = (
    r"(?:husband|wife|partner|boyfriend|girlfriend|fianc\u00e9e?|boss|manager|landlord|landlady|therapist|coach|trainer"
    r"|supervisor|roommate|flatmate|doctor|dentist|gp|teacher)"
)
_OFFICE = (
    r"(?:CEO|CTO|CFO|COO|president|chancellor|prime\sminister|mayor|director|owner|editor-in-chief|head\scoach"
    r"|principal|chairman|chairwoman|chair)"
)
_PHONE = (
    r"(?:(?:work|office|home|private|business|second|cell|mobile|phone|telephone)[\s-]?){0,2}"
    r"(?:number|phone|mobile|cell)"
)
_MAIL = (
    r"(?:(?:work|office|private|personal|business|school|second)\s)?(?:e-?mail(?:\saddress)?|mail\saddress)"
)
_DIET = re.compile(
    r"(?:vegetarian|vegan|pescatarian|flexitarian|gluten[- ]free|dairy[- ]free|lactose[- ]free|keto|paleo|fruitarian"
    r"|carnivore|macrobiotic|off (?:sugar|meat|dairy|gluten|carbs))(?!\w)",
    re.IGNORECASE,
)
_JOB = re.compile(
    r"\b(?:jobs?|work|working|employers?|company|companies|career|notice|hired|quit|left my old)\b",
    re.IGNORECASE,
)
# With one of these, who left for a place has moved there; who left the office for Leeds comes back.
_REMOVAL = re.compile(
    r"\b(?:new address|address change|change of address|suburbs|countryside|keys|for good"
    r"|new (?:home|place|flat|house))\b",
    re.IGNORECASE,
)
_FROM_NOW_ON = re.compile(
    r"\b(?:from now on|these days|nowadays|from today|permanently|for good)\b", re.IGNORECASE
)
_EVENTS = """
meeting appointment call standup stand-up demo deadline launch release party wedding dinner lunch brunch interview exam
test flight train concert game match class course lesson session review workshop conference trip surgery operation show
rehearsal retro retrospective sync presentation webinar kickoff kick-off visit reservation checkup check-up delivery
practice training reunion barbecue picnic ceremony funeral hearing viewing inspection
"""
_EVENT = (
    rf"(?<![\w'\u2019-])(?:(?P<own>[Tt]he|[Mm]y|[Oo]ur|[Tt]his|[Tt]hat)|(?P<named>{_NAMED}?){_APOSTROPHE}s?)\s"
    rf"(?P<noun>(?:[\w\u2019'-]+\s){{0,3}}?(?:{'|'.join(_EVENTS.split())}))(?!\w)"
)
_MOVED = r"(?:moved|rescheduled|postponed|pushed|shifted|brought\sforward|delayed|bumped)"
_WHEN = r"(?:\s+(?:on|at|to|for|by|until|in))?\s+"


def _home(text: str, at: int) -> list[Value]:
    """After "my home is": a place that is named with "in" or "at"."""
    inside = re.compile(r"(?:in|at)\s+").match(text, at)
    return values.place(text, inside.end()) if inside else []


def _diet(text: str, at: int) -> list[Value]:
    found = _DIET.match(text, at)
    return [Value(found.group().casefold().replace("-", " "), found.start(), found.end())] if found else []


RULES = (
    Rule("home", _does(rf"(?:live|lives|living|lived|reside|resides|residing|resided|based)\s{_IN}"), values.place,
         ("live", "living", "resid", "based")),
    Rule("home", _does(rf"(?:moved|relocated|emigrated|settled)(?:\sdown)?{_ONWARD}\s(?:to|into|in)"), values.place,
         ("moved", "relocated", "emigrated", "settled"), event=True),
    Rule("home", _does(r"(?:moved|relocated)\sfrom\s[^.,;!?]{1,40}?\sto"), values.place,
         ("moved from", "relocated from"), event=True),
    Rule("home", _does(r"(?:moved|relocated)\s(?:out\sof|away\sfrom)"), values.place, ("out of", "away from"),
         event=True, ends=True),
    Rule("home", _does(r"left(?:\s(?!for\s)[^.,;:!?]{1,40}?)?\sfor"), values.place, ("left",),
         event=True, context=_REMOVAL),
    Rule("home", re.compile(
        rf"(?<!\w)[Yy]ou(?:{_APOSTROPHE}ll|\swill|\scan|\smay)\s(?:now\s)?find\s(?P<first>me|us)\s(?:in|at)\s+"),
         values.place, ("find me", "find us"), event=True, context=_FROM_NOW_ON),
    Rule("home", _has(r"(?:home\saddress|home|place|flat|apartment|address|house)"), _home,
         ("home", "place", "flat", "apartment", "address", "house")),
    Rule("employer", _does(r"(?:work|works|working|worked)\s(?:at|for)|employed\s(?:at|by|with)"), values.employer,
         ("work", "employed")),
    Rule("employer", _does(
        r"(?:joined|hired\s(?:by|at)|signed(?:\s(?:a|the|my)\s(?:new\s)?contract)?\swith"
        r"|started(?:\s(?:work|working|a\snew\sjob|my\snew\sjob|a\sjob|out|over|afresh))?\s(?:at|with)"
        r"|(?:moved|switched|transferred|went)(?:\s(?:on|over|jobs|companies|employers))+\sto"
        r"|(?:got|have|has|landed|took|taken|accepted|started|found)\s(?:a|the|my)\s(?:new\s)?(?:job|position|role|offer)\s"
        r"(?:at|with|from))"), values.employer,
         ("joined", "hired", "signed", "started", "moved", "switched", "transferred", "went", "job", "position", "role",
          "offer"), event=True),
    Rule("employer", re.compile(rf"(?<!\w)(?P<value>{_NAMED})\s(?:has\s|have\s)?(?:just\s)?(?:hired\sme|took\sme\son)"),
         values.employer, ("hired me", "took me on"), event=True),
    Rule("employer", _does(r"(?:at|with)"), values.employer, (" now", "these days"), event=True, context=_JOB),
    Rule("employer", _has(r"employer"), values.employer, ("employer",)),
    Rule("employer", _does(
        r"(?:quit|left|resigned\sfrom|retired\sfrom|(?:fired|laid\soff|let\sgo)\s(?:from|by)|stopped\sworking\s(?:at|for)"
        r"|(?:handed\sin\smy|gave)\snotice\sat)"), values.employer,
         ("quit", "left", "resigned", "retired", "fired", "laid off", "let go", "notice", "stopped"), event=True,
         ends=True),
    Rule("employer", re.compile(
        rf"{SUBJECT}{_GAP}(?P<verb>(?:quit|left|resigned\sfrom|lost)\s(?:my|our)\s(?:old\s|current\s)?job|retired"
        r"|unemployed)(?=[\s.,;!?]*(?:$|[.,;!?]|\s(?:last|this|yesterday|today|now|and|because|in|at\slast"
        r"|for\sgood)))"), None, ("job", "retired", "unemployed"), event=True, ends=True),
    Rule("occupation", _does(
        r"(?:work|works|working|started|start)\sas(?=\s(?:an?|the|head)\s)|promoted\sto|appointed(?:\sas)?"),
         values.term, (" as ", "promoted", "appointed"), event=True, weak=True),
    Rule("occupation", _has(r"(?:job\stitle|job|profession|occupation)"), values.term,
         ("title", "job", "occupation", "profession"), weak=True),
    Rule("university", _does(r"(?:study|studies|studying|enrolled)\sat"), values.employer, ("stud", "enrol")),
    Rule("subject of study", _does(r"(?:majoring|major|majors)\sin"), values.term, ("major",)),
    Rule("subject of study", _has(r"major"), values.term, ("major",)),
    Rule("{}", _has(_PHONE), values.phone, ("number", "phone", "mobile", "cell")),
    Rule("{}", _has(_MAIL), values.email, ("mail",)),
    Rule("name", re.compile(
        rf"(?<!\w)(?P<own>[Mm]y)\s(?:(?:new|real|full|married)\s)?name(?:\s+is|{_APOSTROPHE}s)(?:\snow)?\s+"),
         values.name, ("my name",)),
    Rule("name of the {}", _has(rf"(?:{_NAMEABLE}|{_NAMED_ROLE})(?:{_APOSTROPHE}s\sname)?"), values.name,
         (" is ", "'s ", "\u2019s ", ": ")),
    Rule("name of the {}", re.compile(
        rf"{_THING}(?P<noun>{_NAMEABLE}){_APOSTROPHE}s\sname{_IS}|{_THING.replace('own', 'own_other')}"
        rf"(?P<noun_other>{_NAMEABLE})\s(?:is|was)\s(?:now\s)?(?:called|named|renamed(?:\sto)?)\s+"), values.name,
         ("name", "called")),
    Rule("name of the {}", re.compile(
        rf"{SUBJECT}{_GAP}(?P<verb>named|naming|called|calling|christened|renamed|renaming)\s(?:the|our|my)\s"
        rf"(?P<noun>{_NAMEABLE})(?:\s(?:to|as)(?=\s))?\s+"), values.name, ("nam", "call", "christened"), event=True),
    Rule("name of the {}", re.compile(
        rf"(?<!\w)(?P<value>{_NAMED})\sis\s(?:now\s)?(?P<own>my|our)\s(?:new\s)?(?P<noun>{_NAMED_ROLE})(?!\w)"),
         values.person, (" is my ", " is now my", " is our ")),
    Rule("{}", re.compile(
        rf"(?<!\w)[Tt]he\s(?:new\s|current\s)?(?P<noun>{_OFFICE})\sof\s(?P<named>{_NAMED})\sis(?:\snow)?\s+"),
         values.person, (" of ",)),
    Rule("partner", _does(
        r"(?:dating|engaged\sto|married\sto|married|together\swith|in\sa\srelationship\swith|going\sout\swith)"),
         values.person, ("dating", "engaged", "married", "together", "relationship", "going out"), event=True),
    Rule("partner", re.compile(
        rf"(?<!\w)(?P<value>{_NAMED})\sand\s(?P<first>I)\s(?:are|got)\s(?:now\s)?(?:together|dating|engaged|married|a\scouple)(?!\w)"),
         values.person, (" and i ",)),
    Rule("partner", _does(r"(?:broke\sup|broken\sup|split\sup|separated|divorced)\s(?:with|from)"), values.person,
         ("broke", "split", "separated", "divorced"), event=True, ends=True),
    Rule("age", re.compile(
        rf"{SUBJECT}(?P<gap>(?:{_APOSTROPHE}(?:m|s|re)\b)?(?:\s+(?:am|is|now|just|already|only|turned|just)\b){{0,3}})\s+"
        r"(?=(?:\d{1,3}|[a-z]+(?:-[a-z]+)?)\s+years?\s+(?:old|of\sage)\b)"), values.number, ("years old", "of age"),
         event=True),
    Rule("age", re.compile(
        rf"{SUBJECT}(?P<gap>(?:{_APOSTROPHE}(?:ve|s)\b)?(?:\s+(?:have|has|just|recently|finally)\b){{0,2}})\s+(?P<verb>turned)\s+"
        r"(?=\d|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)"), values.number, ("turned",), event=True),
    Rule("birthday", _has("birthday"), values.moment, ("birthday",)),
    Rule("number of children", _does(r"(?:have|has|got)(?=\s+\w+\s(?:children|kids)\b)"), values.number,
         ("children", "kids"), event=True),
    Rule("favourite {}", _has(r"(?:all-time\s)?(?:favou?rite|fav)\s\w+(?:\s\w+){0,2}?"), values.term, ("fav",)),
    Rule("diet", re.compile(
        rf"{SUBJECT}{_GAP}(?P<verb>(?:gone|went|go|turned|become|became)\s+)?(?:a\s+|an\s+|strictly\s+|fully\s+|mostly\s+)?"
        rf"(?={_DIET.pattern})"), _diet,
         ("arian", "vegan", "free", "keto", "paleo", "vore", "biotic", "off "), event=True, weak=True),
    Rule("vehicle", _does(r"(?:drive|drives|driving|ride|rides)(?=\s(?:an?|my|the)\s)"), values.term, ("driv", "ride"),
         weak=True),
    Rule("vehicle", _has(r"(?:car|motorbike|motorcycle)(?=\s(?:is|['\u2019]s)\s(?:now\s)?an?\s)"), values.term,
         ("car", "motor"), weak=True),
    Rule("{}", _has(r"(?:monthly\s)?(?:rent|salary|budget|weight|height|fee|wage|mileage)"), values.number,
         ("rent", "salary", "budget", "weight", "height", "fee", "wage", "mileage")),
    Rule("weight", _does(r"(?:weigh|weighs)"), values.number, ("weigh",)),
    Rule("{}", re.compile(
        rf"{_THING}(?P<noun>(?:[a-z-]+\s){{0,2}}(?:code|pin|room|gate|seat|table|locker|port|version|plate|extension)"
        rf"(?:\snumber)?){_IS}(?:number\s|no\.?\s)?"), values.code,
         ("code", "pin", "room", "gate", "seat", "table", "locker", "port", "version", "plate", "extension"),
         shared=True),
    Rule("time of the {}", re.compile(
        rf"{_EVENT}(?:\s+(?:is|was|will\sbe|has\sbeen|have\sbeen|got|gets|is\sbeing|starts|begins|takes\splace)|['\u2019]s)?"
        rf"(?P<gap>(?:\s+(?:now|actually|still|just|been|already|officially|not|no\slonger)\b)*)"
        rf"(?:\s+(?P<verb>{_MOVED}|changed|scheduled|set|planned|due))?(?:\s(?:back|up|forward|out|again))?"
        rf"(?:\sfrom\s[^.;!?]{{1,30}}?(?=\sto\s))?{_WHEN}"), values.moment, tuple(_EVENTS.split()),
         weak=True, shared=True),
    Rule("time of the {}", re.compile(
        rf"(?<!\w)(?i:{_MOVED})(?:\sback)?\s{_EVENT}(?:\sfrom\s[^.;!?]{{1,30}}?(?=\sto\s))?{_WHEN}"), values.moment,
         ("moved", "rescheduled", "postponed", "pushed", "shifted", "brought", "delayed", "bumped"), weak=True,
         changes=True, shared=True),
    Rule("time of getting up", _does(r"(?:get|gets|wake|wakes|getting|waking)\sup(?=\sat\s)"), values.moment,
         ("up at",), weak=True),
)  # fmt: skip
