"""Sentences as people write them, in which a careless reading finds something else."""

import pytest

from perdure.domain.entities import EntityType
from tests.marked_entities import check

PHONE, MONEY, QUANTITY, DATE = EntityType.PHONE, EntityType.MONEY, EntityType.QUANTITY, EntityType.DATE
ADDRESS, PLACE, IBAN, PERCENTAGE = (
    EntityType.ADDRESS,
    EntityType.PLACE,
    EntityType.IBAN,
    EntityType.PERCENTAGE,
)
INVOICE, ORDER = EntityType.INVOICE_NUMBER, EntityType.ORDER_NUMBER
TRAPS: list[tuple[EntityType, str, str | None, str, tuple[str, ...]]] = [
    # An extension belongs to its number, in other words than English ones, too, and after a comma.
    (
        PHONE,
        "en",
        "US",
        "Call [[(617) 555-0143 ext. 27]] or [[1-800-555-0199 x4]] before 5pm.",
        ("+16175550143;ext=27", "+18005550199;ext=4"),
    ),
    (PHONE, "en", "GB", "Ring [[020 7946 0958, extension 12]], today.", ("+442079460958;ext=12",)),
    (
        PHONE,
        "en",
        "GB",
        "Ring [[020 7946 0958]], then [[+44 (0)161 496 0345]].",
        ("+442079460958", "+441614960345"),
    ),
    (PHONE, "fr", "FR", "Appelez le [[01 42 68 53 00 poste 214]] avant midi.", ("+33142685300;ext=214",)),
    (PHONE, "de", "DE", "Mobil [[0171 2345678 (Durchwahl -3)]].", ("+491712345678;ext=3",)),
    (PHONE, "de", "DE", "Unter [[030 901820]] (Durchwahl vergessen).", ("+4930901820",)),
    (PHONE, "es", "ES", "Tel. [[91 123 45 67, ext. 8]].", ("+34911234567;ext=8",)),
    (PHONE, "ja", "JP", "\u96fb\u8a71\u306f[[03-1234-5678]]\u3067\u3059\u3002", ("+81312345678",)),
    (PHONE, "en", "US", "Page 12, room 555-0143, version 3.4.2026.", ()),
    # What a comma and a full stop mean, the number tells, whatever the language is.
    (
        MONEY,
        "en",
        "US",
        "Wire [[$1,234.56]] (about [[1.234,56 EUR]]) and [[CHF 12'500.--]].",
        ("1234.56 USD", "1234.56 EUR", "12500.00 CHF"),
    ),
    (MONEY, "en", "IN", "It is [[Rs. 1,50,000]] or [[\u20b9 2.5 lakh]].", ("150000.00 INR", "250000.00 INR")),
    (MONEY, "en", "CA", "[[C$45]], [[US$33]] or [[$ 50]].", ("45.00 CAD", "33.00 USD", "50.00 CAD")),
    (MONEY, "ja", "JP", "\u8acb\u6c42\u91d1\u984d\u306f[[\uffe512,345]]\u3067\u3059\u3002", ("12345 JPY",)),
    (MONEY, "en", "US", "Over [[\uff0412]] of it.", ("12.00 USD",)),
    # Units by name in any case, letters as they are written; a dozen is a number.
    (
        QUANTITY,
        "en",
        "US",
        "Ship [[3.5 kg]] of flour, [[2 dozen]] eggs and [[1,500 L]] of milk.",
        ("3.5 kg", "24 pcs", "1500 l"),
    ),
    (
        QUANTITY,
        "de",
        "DE",
        "Nach [[3 Stunden]] waren [[5 Liter]] auf [[20 Meter]] verteilt, [[7 Tonnen]] blieben.",
        ("3 h", "5 l", "20 m", "7 t"),
    ),
    (QUANTITY, "en", None, "Chapter 3 M and 4 G are [[5 g]] apart.", ("5 g",)),
    # A day and a month are those of the region; words are counted from the document's date, a Wednesday.
    (DATE, "en", "US", "From [[03/04/2026]] to [[13/04/2026]].", ("2026-03-04", "2026-04-13")),
    (DATE, "en", "GB", "On [[03/04/2026]], not [[next Friday]].", ("2026-04-03", "2026-05-15")),
    (DATE, "en", "US", "Build 03/04 of 3.4.2026.1 at a ratio of 3/4.", ()),
    (DATE, "de", "DE", "Am [[Freitag in zwei Wochen um 14:30 Uhr]].", ("2026-05-29T14:30",)),
    (DATE, "en", "US", "See you [[Friday in two weeks]], or [[in two weeks]].", ("2026-05-29", "2026-05-27")),
    (DATE, "de", "DE", "Am [[Freitag]], und [[in zwei Wochen]] wieder.", ("2026-05-15", "2026-05-27")),
    # A street may come before its number, in French, too.
    (
        ADDRESS,
        "fr",
        "BE",
        "Rendez-vous [[rue de la Loi 16, 1000 Bruxelles]].",
        ("rue de la Loi 16, 1000 Bruxelles",),
    ),
    (PLACE, "en", "US", "Invoice INV-2026/0099 refers to SKU 12345, shipped to [[Boston]].", ("Boston",)),
    (
        IBAN,
        "en",
        None,
        "Not GB82 WEST 1234 5698 7654 33 but [[gb82 west 1234 5698 7654 32]] is valid.",
        ("GB82WEST12345698765432",),
    ),
    (PERCENTAGE, "es", "MX", "IVA del [[16 por ciento]], o [[0,5 %]].", ("16", "0.5")),
    (
        INVOICE,
        "pl",
        "PL",
        "Zap\u0142a\u0107 do 15 maja 2026 r., faktura nr [[FV/12/05/2026]].",
        ("FV/12/05/2026",),
    ),
    (INVOICE, "it", "IT", "Fattura n. [[123/2026]] del 3 aprile 2026: 450,00 euro.", ("123/2026",)),
    # A range is one find, unless it tells of a change; a hyphen may be another number's.
    (
        PERCENTAGE,
        "en",
        "US",
        "Sales grew [[5-10%]], or [[5 to 10 percent]], up from 2 to [[7%]].",
        ("5/10", "5/10", "7"),
    ),
    (PERCENTAGE, "de", "DE", "Zwischen [[5 und 10 %]], sonst 12 und [[8 %]].", ("5/10", "8")),
    (MONEY, "de", "DE", "Die Miete liegt bei [[1.200 bis 1.500 Euro]].", ("1200.00/1500.00 EUR",)),
    (
        MONEY,
        "en",
        "US",
        "It costs [[$100-200]] or [[1.5-2 million euros]], [[$20]]-[[$30]] for 5 ft of it.",
        ("100.00/200.00 USD", "1500000.00/2000000.00 EUR", "20.00 USD", "30.00 USD"),
    ),
    (MONEY, "es", "AR", "El d\u00f3lar cerr\u00f3 a [[$1.180]].", ("1180.00 ARS",)),
    (MONEY, "hu", "HU", "Az \u00e1ra [[4 500 ft]].", ("4500.00 HUF",)),
    (
        QUANTITY,
        "en",
        "US",
        "It is [[3-4 m]] wide, [[20\u201325 kg]] and 5-[[2 kg]].",
        ("3/4 m", "20/25 kg", "2 kg"),
    ),
    (
        QUANTITY,
        "en",
        "GB",
        "Keep [[2.5 bar]] and [[32 psi]] near 1 bar of chocolate; [[40 bps]] or [[25 basis points]] at [[40 Mbps]].",
        ("2.5 bar", "32 psi", "40 bps", "25 bps", "40 Mbps"),
    ),
    (QUANTITY, "de", "DE", "Um [[0,25 Prozentpunkte]] bei [[12 kN]].", ("0.25 pp", "12 kN")),
    (QUANTITY, "fr", "FR", "Ouvert de 9h \u00e0 18h, \u00e0 17h on ferme : livraison en [[48h]].", ("48 h",)),
    (QUANTITY, "en", "US", "Open Mon-Fri 9-17h, about [[2-3 h]] each.", ("2/3 h",)),
    # Of several days each is one; between two of them are those in between.
    (DATE, "en", "US", "We meet on [[May 3]] and [[7]].", ("2026-05-03", "2026-05-07")),
    (DATE, "en", "US", "On [[May 3]], [[5]] and [[7]], 2026.", ("2026-05-03", "2026-05-05", "2026-05-07")),
    (
        DATE,
        "en",
        "US",
        "On [[May 3]] and 7 people came, [[June 2]], 30% of them.",
        ("2026-05-03", "2026-06-02"),
    ),
    (
        DATE,
        "en",
        "GB",
        "Between [[3 and 7 May 2026]], and [[3]], [[5]] and [[9 June]].",
        ("2026-05-03/2026-05-07", "2026-06-03", "2026-06-05", "2026-06-09"),
    ),
    (DATE, "de", "DE", "Am [[3]]. und [[7. Mai]] sind wir zu.", ("2026-05-03", "2026-05-07")),
    (
        DATE,
        "fr",
        "FR",
        "Ferm\u00e9 du [[1er au 15 ao\u00fbt]], et les [[3]] et [[7 mai 2026]].",
        ("2026-08-01/2026-08-15", "2026-05-03", "2026-05-07"),
    ),
    (DATE, "es", "ES", "Llega entre el [[3 y el 7 de junio]].", ("2026-06-03/2026-06-07",)),
    (DATE, "pt", "BR", "Na [[sexta-feira, 5 de junho, \u00e0s 15h]], na sala 4.", ("2026-06-05T15:00",)),
    (DATE, "en", "US", "On [[5/3/26]] it was 1.2.24.", ("2026-05-03",)),
    # The end of a month is its last day; what is counted until it is a term.
    (
        DATE,
        "de",
        "DE",
        "Bis [[Ende Monat]], [[Ende Mai]] oder [[Anfang Juni 2026]]; k\u00fcndbar drei Monate zum Monatsende.",
        ("2026-05-31", "2026-05-31", "2026-06-01/2026-06-10"),
    ),
    (
        DATE,
        "fr",
        "FR",
        "Payable \u00e0 30 jours fin de mois, puis [[fin de mois]], [[mi-juin]].",
        ("2026-05-31", "2026-06-11/2026-06-20"),
    ),
    (DATE, "es", "ES", "A [[finales de mayo]] o a [[fin de mes]].", ("2026-05-31", "2026-05-31")),
    (DATE, "pt", "BR", "No [[fim do m\u00eas]].", ("2026-05-31",)),
    (
        DATE,
        "en",
        "US",
        "By the [[end of next month]] or [[end of 2027]], a fine set of mid-size cars, early may.",
        ("2026-06-30", "2027-12-31"),
    ),
    # A name's full stop is no part of it, a blood pressure no box of a post office.
    (
        ADDRESS,
        "de",
        "AT",
        "Wir sind in der [[Praterstra\u00dfe 12/7, 1020 Wien]]. Tel: 0664 1234567.",
        ("Praterstra\u00dfe 12/7, 1020 Wien",),
    ),
    (ADDRESS, "en", "US", "His BP 120/80 is fine.", ()),
    (
        INVOICE,
        "pt",
        "BR",
        "Segue a NF-e n\u00ba [[000.123.456]] s\u00e9rie 1, e a NFS-e n.\u00ba [[2026/00012]].",
        ("000.123.456", "2026/00012"),
    ),
    (
        EntityType.ORGANISATION,
        "es",
        "MX",
        "El contrato con [[Grupo Bimbo, S.A. de C.V.]] vence hoy.",
        ("Grupo Bimbo, S.A. de C.V.",),
    ),
    (ORDER, "es", "ES", "El pedido n\u00ba [[45-2291]] cuesta 1.250,00 \u20ac.", ("45-2291",)),
]


@pytest.mark.parametrize(("kind", "language", "region", "marked", "values"), TRAPS)
def test_what_looks_like_something_else(
    kind: EntityType, language: str, region: str | None, marked: str, values: tuple[str, ...]
) -> None:
    check(kind, language, region, marked, values)
