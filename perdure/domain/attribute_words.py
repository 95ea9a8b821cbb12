"""Words that tell a place, a house or a name from what only stands where one could stand."""

DETERMINERS = frozenset(
    ("a", "an", "the", "my", "our", "his", "her", "their", "this", "that", "some", "another")
)
# A phrase ends before one of these.
_ENDS = """
now these nowadays currently and but because since so where which who that with as for from this last
next until instead again at on in to if when while after before just btw by lately today yesterday
tomorrow tonight already together anymore any is was are were be has have had or than then i we you he
she it they about during through permanently recently full part officially finally these too though
anyway please okay ok lol haha right not no earlier ago once twice there here everyone guys actually
again only very really
"""
ENDS = frozenset(_ENDS.split())
_NO_NAMES = """
i i'm i've i'd i'll monday tuesday wednesday thursday friday saturday sunday january february march april
may june july august september october november december christmas easter home work english french german
spanish italian
"""
NO_NAMES = frozenset(_NO_NAMES.split())
# Where somebody is, works or goes in a manner of speaking.
_NO_PLACES = """
a an the my our this that it here there fear peace tears love bed town sin denial hope luxury poverty
squalor dorm dorms work school college person pain harmony sync real reality general fact case touch
progress trouble limbo heaven hell exile isolation style comfort charge front order time terms another
one two three home house each
"""
NO_PLACES = frozenset(_NO_PLACES.split())
_NO_EMPLOYERS = """
home night least all work hours days weeks months years me him her us them you free fun money now times
once first it this that what something anything everything nothing everyone pay peanuts living change
lunch both most half full length height speed scale capacity dawn noon midnight weekends evenings
mornings sea large odds ease rest minutes ages pleasure a an the my our his their your any some each
every
"""
NO_EMPLOYERS = frozenset(_NO_EMPLOYERS.split())
# Kinds of employers: "at the library" is one, "at the table" is none.
_EMPLOYERS = """
academy agency airline airport archive bakery bank bar bookshop bookstore brewery business cafe caf\u00e9
center centre charity church cinema city clinic club co-op college company consultancy cooperative
corporation council court daycare dealership dentist department diner embassy factory farm firm
foundation gallery garage garden government group gym hospital hotel institute kindergarten lab
laboratory library magazine mill ministry museum newspaper ngo nonprofit nursery observatory office opera
orchestra organisation organization pharmacy planetarium plant practice press publisher restaurant salon
school shelter shop spa start-up startup station store studio supermarket surgery theatre theater union
university vineyard warehouse winery workshop yard zoo
"""
EMPLOYERS = frozenset(_EMPLOYERS.split())
_COUNTRIES = """
afghanistan, africa, albania, algeria, andorra, angola, argentina, armenia, asia, australia, austria,
azerbaijan, bahamas, bahrain, bangladesh, barbados, belarus, belgium, belize, benin, bhutan, bolivia,
bosnia, botswana, brazil, britain, great britain, brunei, bulgaria, burkina faso, burundi, cambodia,
cameroon, canada, chad, chile, china, colombia, congo, costa rica, croatia, cuba, cyprus, czechia, czech
republic, denmark, ecuador, egypt, el salvador, england, eritrea, estonia, ethiopia, europe, fiji,
finland, france, gabon, gambia, georgia, germany, ghana, greece, guatemala, guinea, guyana, haiti,
honduras, hungary, iceland, india, indonesia, iran, iraq, ireland, israel, italy, ivory coast, jamaica,
japan, jordan, kazakhstan, kenya, korea, south korea, north korea, kosovo, kuwait, kyrgyzstan, laos,
latvia, lebanon, lesotho, liberia, libya, liechtenstein, lithuania, luxembourg, madagascar, malawi,
malaysia, maldives, mali, malta, mauritania, mauritius, mexico, moldova, monaco, mongolia, montenegro,
morocco, mozambique, myanmar, namibia, nepal, netherlands, new zealand, nicaragua, niger, nigeria,
norway, oman, pakistan, palestine, panama, paraguay, peru, philippines, poland, portugal, qatar, romania,
russia, rwanda, samoa, san marino, saudi arabia, scandinavia, scotland, senegal, serbia, seychelles,
sierra leone, singapore, slovakia, slovenia, somalia, south africa, south america, spain, sri lanka,
sudan, suriname, sweden, switzerland, syria, taiwan, tajikistan, tanzania, thailand, togo, tonga,
trinidad, tunisia, turkey, turkmenistan, uganda, ukraine, united arab emirates, uae, united kingdom, uk,
united states, america, usa, us, uruguay, uzbekistan, vanuatu, venezuela, vietnam, wales, yemen, zambia,
zimbabwe, alabama, alaska, arizona, arkansas, california, colorado, connecticut, delaware, florida,
hawaii, idaho, illinois, indiana, iowa, kansas, kentucky, louisiana, maine, maryland, massachusetts,
michigan, minnesota, mississippi, missouri, montana, nebraska, nevada, new hampshire, new jersey, new
mexico, north carolina, north dakota, ohio, oklahoma, oregon, pennsylvania, rhode island, south carolina,
south dakota, tennessee, texas, utah, vermont, virginia, west virginia, wisconsin, wyoming, bavaria,
tuscany, catalonia, andalusia, brittany, normandy, tyrol, styria, bretagne, the midwest
"""
COUNTRIES = frozenset(" ".join(part.split()) for part in _COUNTRIES.split(","))
