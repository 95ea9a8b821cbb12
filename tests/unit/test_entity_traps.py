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
    (ORDER, "es", "ES", "El pedido n\u00ba [[45-2291]] cuesta 1.250,00 \u20ac.", ("45-2291",)),
]


@pytest.mark.parametrize(("kind", "language", "region", "marked", "values"), TRAPS)
def test_what_looks_like_something_else(
    kind: EntityType, language: str, region: str | None, marked: str, values: tuple[str, ...]
) -> None:
    check(kind, language, region, marked, values)
