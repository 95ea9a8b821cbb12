"""First names, towns and countries that tell what kind of name it is."""

_FIRST_NAMES = """
aaron abdul abigail adam adrian ahmed aisha alan albert alejandro alessandro alex alexander alexandra
alfred ali alice alicia alina alison amanda amelia amy ana andre andrea andreas andrew angela angelika
anita anja anna anne annette annika anthony antoine anton antonia antonio arthur astrid barbara beatrice
ben benjamin bernard bernd bernhard bettina birgit bjorn brian brigitte bruno camille carla carlos carmen
carol caroline catherine cecilia charles charlotte chiara chloe christian christina christine christoph
christopher claire clara claudia claudio clemens cornelia daniel daniela david deborah denise diana diego
dieter dimitri dominik donald dorothea edith eduardo edward elena elias elif elisa elisabeth elizabeth
ella ellen emanuel emil emily emma enrique erich erik erika ernst esther ethan eva fabian fatima felix
fernando filip florence florian frances francesca francesco francis francisco francois frank franz
frederic frederik friedrich gabriel gabriela georg george gerald gerhard giovanni giulia giuseppe gloria
grace graham greta gregor guido gunther gustav hannah hans harald harry heather heidi heinrich helen
helena helmut henri henrik henry herbert hermann hiroshi hugo ian ibrahim ines inge ingrid irene isabel
isabella isabelle ivan jack jacob jacques jakob james jan jane janet jannik jasmin jason javier jean
jennifer jens jeremy jessica joachim joan joanna joao johan johann johanna johannes john jonas jonathan
jorge jose joseph josef juan judith julia julian julie jurgen jutta karen karin karl karolina kate
katharina kathrin kathryn katja keith kenneth kevin klaus kristin kurt lara lars laura laurent lea lena
leo leon leonard leonardo leonie lewis liam lina linda lisa lorenzo louis louise luca lucas lucia lucy
ludwig luis luisa lukas maarten magdalena manfred manuel manuela marc marcel marco marcus margaret
margarita maria marianne marie marina mario marion markus marta martha martin martina mary mateo matteo
matthew matthias maurice max maximilian maya melanie michael michaela michel miguel mihai mohamed mohammed
monica monika moritz nadia nadine natalia natalie nathan nicholas nicola nicolas nicole niklas nils nina
noah nora norbert olaf oleg olga oliver olivia olivier oscar otto pablo paola paolo patricia patrick paul
paula pauline pedro penelope peter petra philip philipp philippe pierre priya rachel rafael rainer ralf
raphael raul rebecca regina renate rene ricardo richard rita robert roberto robin roger roland rolf roman
ronald rosa ruben rudolf ruth ryan sabine sabrina samuel sandra sara sarah sebastian sergei sergio sharon
simon simone sofia sonja sophia sophie stefan stefanie stella stephan stephanie stephen steven susan
susanne sven svenja sylvia tanja tatiana teresa theresa thomas tim timothy tobias tom tomas torsten ulrich
ulrike ursula uwe valentina valerie vanessa vera veronica veronika victor victoria viktor vincent viktoria
vladimir walter wendy werner wilhelm william wolfgang xavier yasmin yusuf yves yvonne zoe
"""
FIRST_NAMES = frozenset(_FIRST_NAMES.split())
_TOWNS = """
amsterdam, ankara, antwerp, antwerpen, athen, athens, atlanta, auckland, bangalore, bangkok, barcelona,
basel, beijing, belfast, belgrade, berlin, bern, bilbao, birmingham, bologna, bordeaux, boston,
bratislava, bremen, brisbane, bristol, brno, brussels, bruxelles, brüssel, bucharest, budapest, buenos
aires, cairo, cape town, cardiff, chicago, cologne, copenhagen, dallas, delhi, denver, detroit, dortmund,
dresden, dubai, dublin, düsseldorf, edinburgh, eindhoven, essen, firenze, florence, florenz, frankfurt,
gdansk, geneva, genève, genf, genoa, genova, ghent, glasgow, gothenburg, graz, göteborg, hamburg,
hannover, helsinki, hong kong, houston, hyderabad, innsbruck, istanbul, jakarta, johannesburg, karachi,
kiev, kyiv, köln, københavn, krakow, kraków, lagos, lausanne, leeds, leipzig, lille, lima, linz, lisboa,
lisbon, lissabon, liverpool, ljubljana, london, londres, los angeles, luzern, lyon, madrid, mailand,
malaga, malmö, manchester, manila, marseille, melbourne, mexico city, miami, milan, milano, montreal,
moscow, moskau, mumbai, munich, münchen, nairobi, naples, napoli, new york, nice, nürnberg, osaka, oslo,
ottawa, oxford, padova, palermo, paris, philadelphia, porto, prag, prague, praha, riga, rio de janeiro,
rom, roma, rome, rotterdam, salzburg, san diego, san francisco, santiago, sarajevo, seattle, seoul,
sevilla, seville, shanghai, shenzhen, singapore, sofia, stockholm, strasbourg, stuttgart, sydney, são
paulo, tallinn, tel aviv, the hague, toronto, torino, toulouse, tokyo, turin, utrecht, valencia,
vancouver, venedig, venezia, venice, verona, vienna, vienne, vilnius, warsaw, warschau, warszawa,
washington, wien, winterthur, wroclaw, wrocław, zagreb, zürich, zurich
"""
TOWNS = frozenset(" ".join(town.split()) for town in _TOWNS.split(","))
_COUNTRIES = """
deutschland, österreich, schweiz, frankreich, italien, spanien, niederlande, belgien, polen, tschechien,
ungarn, dänemark, schweden, norwegen, finnland, griechenland, türkei, großbritannien, irland, kroatien,
slowenien, slowakei, rumänien, bulgarien, russland, europa, vereinigte staaten, luxemburg, brasilien,
mexiko, indien, kanada, australien, allemagne, autriche, suisse, italie, espagne, belgique, pays-bas,
angleterre, royaume-uni, états-unis, pologne, grèce, suède, norvège, danemark, finlande, irlande, hongrie,
turquie, chine, japon, inde, brésil, mexique, canada, europe, maroc, algérie, tunisie, españa, francia,
alemania, italia, austria, suiza, bélgica, países bajos, reino unido, estados unidos, polonia, grecia,
suecia, noruega, dinamarca, finlandia, irlanda, hungría, turquía, rusia, japón, brasil, méxico, argentina,
perú, germania, svizzera, spagna, belgio, paesi bassi, regno unito, stati uniti, svezia, norvegia,
danimarca, irlanda, turchia, cina, giappone, brasile, messico, alemanha, frança, espanha, itália, suíça,
áustria, portugal, reino unido, estados unidos, duitsland, oostenrijk, zwitserland, frankrijk, italië,
spanje, nederland, belgië, verenigd koninkrijk, verenigde staten, sverige, norge, danmark, suomi,
tyskland, polska, niemcy, česko
"""
COUNTRIES_ELSEWHERE = frozenset(" ".join(name.split()) for name in _COUNTRIES.split(","))
