"""Money, percentages and quantities, as several languages write them."""

from decimal import Decimal

import pytest

from perdure.domain.entities import EntityType
from perdure.domain.entity_amounts import decimal_value
from tests.marked_entities import check

MONEY = [
    ("en", None, "Pay [[$1,234.56]] now.", "1234.56 USD"),
    ("en", None, "It costs [[$12k]] a year.", "12000.00 USD"),
    ("en", None, "It costs [[12k USD]] a year.", "12000.00 USD"),
    ("en", None, "Revenue of [[US$5m]] last year", "5000000.00 USD"),
    ("en", None, "They raised [[£3.2bn]].", "3200000000.00 GBP"),
    ("en", None, "[[1,234.5 euros]] is enough", "1234.50 EUR"),
    ("en", None, "[[5 million pounds sterling]]", "5000000.00 GBP"),
    ("en", None, "a refund of [[-$12.50]]", "-12.50 USD"),
    ("en", None, "[[$1,200 USD]] in total", "1200.00 USD"),
    ("en", "IN", "[[₹12,34,567.00]] were paid", "1234567.00 INR"),
    ("en", "IN", "[[Rs. 500]] only", "500.00 INR"),
    ("en", None, "[[¥5,000]] for a ticket", "5000 JPY"),
    ("zh", "CN", "[[¥5000]]", "5000.00 CNY"),
    ("en", "CA", "only [[$20]]", "20.00 CAD"),
    ("en", "AU", "only [[$20]]", "20.00 AUD"),
    ("en", None, "only [[C$20]]", "20.00 CAD"),
    ("en", "US", "[[USD 1,000,000.00]]", "1000000.00 USD"),
    ("en", None, "[[EUR 1.234]] is more than a thousand", "1234.00 EUR"),
    ("en", None, "between [[10-15 €]]", "10.00/15.00 EUR"),
    ("en", None, "[[€0.99]] each", "0.99 EUR"),
    ("en", None, "[[$0.125]] a share", "0.125 USD"),
    ("de", "DE", "Das macht [[1.234,56 EUR]].", "1234.56 EUR"),
    ("de", "DE", "Das macht [[1.234 €]].", "1234.00 EUR"),
    ("de", "DE", "Das macht [[12,50 €]] und [[EUR 5,-]].", "12.50 EUR|5.00 EUR"),
    ("de", "DE", "[[12 Mio. Euro]] Umsatz", "12000000.00 EUR"),
    ("de", "DE", "[[3,5 Mrd. €]] Umsatz", "3500000000.00 EUR"),
    ("de", "DE", "[[50,-- €]] Pfand", "50.00 EUR"),
    ("de", "CH", "Betrag: [[CHF 1'200.50]]", "1200.50 CHF"),
    ("de", "CH", "Betrag: [[CHF 1\u2019200]]", "1200.00 CHF"),
    ("de", "CH", "[[CHF 50.\u2013]] pro Stunde", "50.00 CHF"),
    ("de", "CH", "[[Fr. 20.50]] pro Stück", "20.50 CHF"),
    ("fr", "FR", "soit [[1 234,56 €]] TTC", "1234.56 EUR"),
    ("fr", "FR", "soit [[1\u202f234,56 €]] TTC", "1234.56 EUR"),
    ("fr", "FR", "[[3 millions d'euros]]", "3000000.00 EUR"),
    ("es", "ES", "son [[1.234,5 €]]", "1234.50 EUR"),
    ("es", "MX", "[[2 millones de dólares]]", "2000000.00 MXN"),
    ("it", "IT", "[[2,5 milioni di euro]]", "2500000.00 EUR"),
    ("nl", "NL", "totaal [[€ 1.234,56]]", "1234.56 EUR"),
    ("sv", "SE", "det kostar [[1 200 kr]]", "1200.00 SEK"),
    ("no", "NO", "det koster [[kr 1 200,50]]", "1200.50 NOK"),
    ("da", "DK", "[[5,5 mio. DKK]]", "5500000.00 DKK"),
    ("pl", "PL", "cena [[1 234,56 zł]]", "1234.56 PLN"),
    ("cs", "CZ", "cena [[99 Kč]]", "99.00 CZK"),
    ("ru", "RU", "цена [[1 500 \u0440\u0443\u0431.]]", "1500.00 RUB"),
    ("pt", "BR", "custa [[R$ 1.234,56]]", "1234.56 BRL"),
    ("en", None, "facture de [[1 234 567,89 €]] TTC", "1234567.89 EUR"),
    ("en", None, "in room 4 [[120 EUR]] a night", "120.00 EUR"),
    ("en", None, "no 1,234 and no room 12", ""),
    ("en", None, "5 pounds of flour, 20 kronor", ""),
    ("en", None, "TRY 2 and ALL 20 of them", ""),
]
PERCENTAGES = [
    ("en", "up [[12%]] since", "12"),
    ("en", "[[12.5 percent]] of all", "12.5"),
    ("en", "down [[-3.2%]]", "-3.2"),
    ("de", "um [[3,5 %]] höher", "3.5"),
    ("de", "[[50 Prozent]]", "50"),
    ("fr", "[[12 pour cent]]", "12"),
    ("es", "[[12 por ciento]]", "12"),
    ("it", "il [[7,25 %]]", "7.25"),
    ("en", "100%ly and v2%x", ""),
]
QUANTITIES = [
    ("en", "[[1.5 kg]] of flour", "1.5 kg"),
    ("en", "[[1,500 kg]] of flour", "1500 kg"),
    ("de", "[[1.500 kg]] Mehl", "1500 kg"),
    ("de", "[[1,5 kg]] Mehl", "1.5 kg"),
    ("fr", "[[10 000 km]] par an", "10000 km"),
    ("en", "[[20°C]] outside", "20 degC"),
    ("en", "[[2.5GB]] free, [[16 GB]] in all", "2.5 GB|16 GB"),
    ("en", "[[3 hours]] and [[14 days]]", "3 h|14 d"),
    ("de", "[[12 Stück]] in [[3 Paletten]]", "12 pcs|3 pallets"),
    ("en", "[[12 pcs]] in a box", "12 pcs"),
    ("fr", "un jardin de [[15 m²]]", "15 m2"),
    ("en", "at [[100 km/h]]", "100 km/h"),
    ("de", "[[230 V]] und [[50 Hz]]", "230 V|50 Hz"),
    ("en", "a [[10-foot]] wall", "10 ft"),
    ("en", "[[5 pounds]] of flour", "5 lb"),
    ("en", "A4 paper, room 5m2x, 3 a.m., 12 cats", ""),
]


def values(joined: str) -> tuple[str, ...]:
    return tuple(joined.split("|")) if joined else ()


@pytest.mark.parametrize(("language", "region", "marked", "value"), MONEY)
def test_money_has_its_currency_and_its_decimal_value(
    language: str, region: str | None, marked: str, value: str
) -> None:
    check(EntityType.MONEY, language, region, marked, values(value))


@pytest.mark.parametrize(("language", "marked", "value"), PERCENTAGES)
def test_percentages_are_decimal_numbers(language: str, marked: str, value: str) -> None:
    check(EntityType.PERCENTAGE, language, None, marked, values(value))


@pytest.mark.parametrize(("language", "marked", "value"), QUANTITIES)
def test_quantities_have_one_name_for_their_unit(language: str, marked: str, value: str) -> None:
    check(EntityType.QUANTITY, language, None, marked, values(value))


@pytest.mark.parametrize(
    ("number", "comma", "money", "expected"),
    [
        ("1.234", False, False, "1.234"),
        ("1.234", True, False, "1234"),
        ("1.234", False, True, "1234"),
        ("1,234", True, False, "1.234"),
        ("0.125", False, True, "0.125"),
        ("1234.567", True, True, "1234.567"),
        ("1.234.567", False, False, "1234567"),
        ("1,234,567.8", True, False, "1234567.8"),
        ("1.234.567,8", False, False, "1234567.8"),
        ("1'234'567.8", False, False, "1234567.8"),
        ("1 234,5", False, False, "1234.5"),
    ],
)
def test_what_a_comma_means_is_told_by_the_number_first(
    number: str, comma: bool, money: bool, expected: str
) -> None:
    assert decimal_value(number, comma=comma, money=money) == Decimal(expected)
