"""Numbers with check digits or cues, addresses and names; and what becomes of finds that overlap."""

import pytest

from perdure.domain.entities import EntityType
from perdure.domain.entity_finds import EntityFound, without_overlaps
from perdure.providers.entity_patterns import MOST_FINDS, EntityPatterns
from tests.marked_entities import REFERENCE, check

EMAILS = [
    ("mail [[Ann.Lee+x@Example.ORG]].", "Ann.Lee+x@example.org"),
    ("<[[a_b@sub.example.co.uk]]>", "a_b@sub.example.co.uk"),
    ("a@b, @ann and ann@", ""),
]
URLS = [
    ("see [[https://Example.org/A?b=1]].", "https://example.org/A?b=1"),
    ("(see [[www.example.org/x]])", "https://www.example.org/x"),
    ("[[https://en.example.org/wiki/Foo_(bar)]].", "https://en.example.org/wiki/Foo_(bar)"),
    ("example.org and http://", ""),
]
PHONES = [
    ("US", "call [[(212) 555-0187]] now", "+12125550187"),
    ("US", "phone: [[2125550187]]", "+12125550187"),
    ("US", "number 2125550187", ""),
    ("US", "call [[+43 1 234 5678]] now", "+4312345678"),
    (None, "call [[+44 20 7946 0018]]", "+442079460018"),
    (None, "call 020 7946 0018", ""),
    ("GB", "call [[020 7946 0018]]", "+442079460018"),
    ("DE", "Tel.: [[030 901820]]", "+4930901820"),
    ("AT", "Tel. [[01/5123456]]", "+4315123456"),
    ("FR", "tél. [[01 42 68 53 00]]", "+33142685300"),
    ("CH", "[[044 668 18 00]]", "+41446681800"),
    ("ES", "llame al [[912 345 678]]", "+34912345678"),
    ("US", "[[212-555-0187 ext. 44]]", "+12125550187;ext=44"),
    ("DE", "12345678, 10:30, 192.168.1.1, 4111 1111 1111 1111", ""),
]
IBANS = [
    ("IBAN [[DE89 3704 0044 0532 0130 00]] bitte", "DE89370400440532013000"),
    ("[[AT611904300234573201]]", "AT611904300234573201"),
    ("[[GB29 NWBK 6016 1331 9268 19]] Thanks", "GB29NWBK60161331926819"),
    ("[[FR14 2004 1010 0505 0001 3M02 606]]", "FR1420041010050500013M02606"),
    ("[[CH93 0076 2011 6238 5295 7]].", "CH9300762011623852957"),
    ("[[nl91 abna 0417 1643 00]]", "NL91ABNA0417164300"),
    ("DE88 3704 0044 0532 0130 00 has wrong check digits", ""),
    ("XX89 3704 0044 0532 0130 00 has no country", ""),
]
INVOICES = [
    ("Invoice no. [[INV-2024-0012]] is due", "INV-2024-0012"),
    ("invoice [[4711]] is paid, invoice 2024 is not a number", "4711"),
    ("Invoice: [[A/33]]", "A/33"),
    ("Inv# [[99]]", "99"),
    ("Rechnung Nr. [[2024/118]]", "2024/118"),
    ("Rechnungsnummer: [[re-10023]]", "RE-10023"),
    ("Rechnungs-Nr.: [[12345]]", "12345"),
    ("facture n° [[F2024-33]]", "F2024-33"),
    ("Factura Nº [[123/24]]", "123/24"),
    ("fattura n. [[45]]", "45"),
    ("Factuurnummer [[2024-001]]", "2024-001"),
    ("faktura nr [[5566/2024]]", "5566/2024"),
    ("an invoice of 1200 euros, the invoice in May", ""),
]
ORDERS = [
    ("Order #[[A-4711]] has left", "A-4711"),
    ("order [[45123]] was shipped", "45123"),
    ("PO [[45001234]]", "45001234"),
    ("Purchase Order: [[PO-99812]]", "PO-99812"),
    ("order number is [[123-4567890-1234567]].", "123-4567890-1234567"),
    ("Bestellnummer [[4500012]]", "4500012"),
    ("Auftrags-Nr. [[8812-B]]", "8812-B"),
    ("commande n°[[CMD-2231]]", "CMD-2231"),
    ("pedido [[99812-A]]", "99812-A"),
    ("заказ № [[12345]]", "12345"),
    ("I'd like to order 12 pizzas, then order 1200 units; in order 5; PO Box 1234", ""),
]
ADDRESSES = [
    ("Ship to [[350 Fifth Avenue, Suite 3300, New York, NY 10118]] today",),
    ("[[1600 Amphitheatre Parkway\nMountain View, CA 94043]]",),
    ("[[221B Baker Street, London, NW1 6XE]]",),
    ("[[10 Downing Street, London SW1A 2AA]].",),
    ("[[100 Queen St W, Toronto, ON M5H 2N2]]",),
    ("[[Mariahilfer Straße 12/3/4, 1060 Wien]] und",),
    ("[[Hauptstr. 5\n10115 Berlin]]",),
    ("[[Bahnhofstrasse 1, CH-8001 Zürich]]",),
    ("[[12 bis, rue de la Paix, 75002 Paris]]",),
    ("[[55 rue du Faubourg Saint-Honoré 75008 Paris]]",),
    ("[[Calle de Alcalá, 45, 28014 Madrid]]",),
    ("[[Via Garibaldi 12, 20121 Milano (MI)]]",),
    ("[[Keizersgracht 123, 1015 CJ Amsterdam]]",),
    ("[[Rua Augusta, 274, 1100-053 Lisboa]]",),
    ("[[Drottninggatan 5, 111 51 Stockholm]]",),
    ("[[ul. Marszałkowska 12/5, 00-590 Warszawa]]",),
    ("[[P.O. Box 1234, Austin, TX 78701]]",),
    ("We met 5 people. Dr Smith Way",),
]
PERSONS = [
    ("en", "Dear [[Anna]],\nthanks", "Anna"),
    ("en", "Dear Sir,\nDear Team,\nthanks", ""),
    ("en", "Kind regards,\n[[John Smith]]\nAcme", "John Smith"),
    ("en", "[[Dr. Weber]] is out", "Weber"),
    ("en", "I spoke with [[Maria Lopez]] yesterday", "Maria Lopez"),
    ("en", "[[Priya Raman]], CEO, signed", "Priya Raman"),
    ("de", "Sehr geehrter [[Herr Dr. Müller]],", "Müller"),
    ("de", "Mit freundlichen Grüßen\n[[Max Mustermann]]", "Max Mustermann"),
    ("de", "Die Abteilung hat das Angebot von [[Sabine Huber]] geprüft", "Sabine Huber"),
    ("fr", "Bonjour [[Madame Dupont]], la facture", "Dupont"),
    ("es", "Estimada [[Lucía Gómez]]:\n", "Lucía Gómez"),
    ("de", "Die Lieferung der Ware am Lager", ""),
]
ORGANISATIONS = [
    ("en", "from [[Acme Corp]] today", "Acme Corp"),
    ("en", "from [[Acme, Inc.]] today", "Acme, Inc."),
    ("de", "die [[Acme Logistik GmbH & Co. KG]] in Graz", "Acme Logistik GmbH & Co. KG"),
    ("de", "bei [[Müller & Söhne AG]]", "Müller & Söhne AG"),
    ("fr", "la société [[Dupont SAS]] paie", "Dupont SAS"),
    ("it", "la [[Rossi S.p.A.]] paga", "Rossi S.p.A."),
    ("en", "The [[University of Oxford]] said", "University of Oxford"),
    ("en", "we ag and we sa", ""),
]


def values(joined: str) -> tuple[str, ...]:
    return tuple(joined.split("|")) if joined else ()


@pytest.mark.parametrize(("marked", "value"), EMAILS)
def test_email_addresses(marked: str, value: str) -> None:
    check(EntityType.EMAIL, "en", None, marked, values(value))


@pytest.mark.parametrize(("marked", "value"), URLS)
def test_urls_end_before_the_sentence_does(marked: str, value: str) -> None:
    check(EntityType.URL, "en", None, marked, values(value))


@pytest.mark.parametrize(("region", "marked", "value"), PHONES)
def test_phone_numbers_are_those_of_the_region(region: str | None, marked: str, value: str) -> None:
    check(EntityType.PHONE, "en", region, marked, values(value))


@pytest.mark.parametrize(("marked", "value"), IBANS)
def test_ibans_have_right_check_digits(marked: str, value: str) -> None:
    check(EntityType.IBAN, "en", None, marked, values(value))


@pytest.mark.parametrize(("marked", "value"), INVOICES)
def test_invoice_numbers_stand_after_a_cue(marked: str, value: str) -> None:
    check(EntityType.INVOICE_NUMBER, "en", None, marked, values(value))


@pytest.mark.parametrize(("marked", "value"), ORDERS)
def test_order_numbers_stand_after_a_cue(marked: str, value: str) -> None:
    check(EntityType.ORDER_NUMBER, "en", None, marked, values(value))


@pytest.mark.parametrize("marked", [marked for (marked,) in ADDRESSES])
def test_addresses_are_written_in_one_line(marked: str) -> None:
    inside = marked[marked.index("[[") + 2 : marked.index("]]")] if "[[" in marked else ""
    check(EntityType.ADDRESS, "en", None, marked, (inside.replace("\n", ", "),) if inside else ())


@pytest.mark.parametrize(("language", "marked", "value"), PERSONS)
def test_persons_are_named_without_their_titles(language: str, marked: str, value: str) -> None:
    check(EntityType.PERSON, language, None, marked, values(value))


@pytest.mark.parametrize(("language", "marked", "value"), ORGANISATIONS)
def test_organisations(language: str, marked: str, value: str) -> None:
    check(EntityType.ORGANISATION, language, None, marked, values(value))


def test_of_two_finds_the_surer_type_stays_then_the_longer_then_the_earlier() -> None:
    def found(kind: EntityType, start: int, end: int) -> EntityFound:
        return EntityFound(kind, "0123456789"[start:end], "", start, end, 0.5)

    iban, phone = found(EntityType.IBAN, 0, 4), found(EntityType.PHONE, 2, 9)
    assert without_overlaps([phone, iban], 10) == [iban]
    short, long = found(EntityType.PERSON, 0, 4), found(EntityType.PLACE, 2, 9)
    assert without_overlaps([short, long], 10) == [long]
    first, second = found(EntityType.PERSON, 0, 4), found(EntityType.PLACE, 3, 7)
    assert without_overlaps([second, first], 10) == [first]
    apart = found(EntityType.DATE, 4, 6)
    assert without_overlaps([apart, iban], 10) == [iban, apart]


def test_a_number_of_an_invoice_is_no_phone_number_and_no_date() -> None:
    found = EntityPatterns().extract(
        "Invoice no. 2024-05-03, tel. +43 1 234 5678", reference=REFERENCE, languages=["en"]
    )
    assert [one.type for one in found] == [EntityType.INVOICE_NUMBER, EntityType.PHONE]


def test_a_list_of_numbers_is_cut_short() -> None:
    assert len(EntityPatterns().extract("5% " * (MOST_FINDS + 5), languages=["en"])) == MOST_FINDS
