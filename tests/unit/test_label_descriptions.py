"""Labels are known by their names, however these are written."""

import pytest

from perdure.domain.label_descriptions import descriptions_of, is_catch_all


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("Sports", "sport"),
        ("WORLD", "world news"),
        ("Sci/Tech", "science and technology"),
        ("Science & Technology", "sci tech"),
        ("bug_report", "Bug reports"),
        ("BugReport", "bug"),
        ("feature-request", "Enhancement"),
        ("1. Invoices", "invoice"),
        ("(2) Invoice (incoming)", "invoice"),
        ("C.V.", "Résumés"),
        ("News > Tennis", "tennis"),
        ("Travelling expenses", "travelling expense"),
        ("Jewellery", "jewelry"),
        ("Licence", "license"),
        ("Authorisation", "authorization"),
        ("Customer Inquiries", "customer inquiry"),
        ("the weather", "Weather"),
        ("complaint documents", "complaint"),
        ("E-mails", "email"),
    ],
)
def test_a_name_is_known_however_it_is_written(name: str, same: str) -> None:
    assert descriptions_of(name) == descriptions_of(same)


@pytest.mark.parametrize(
    "name", ["World", "Sports", "Business", "Sci/Tech", "Invoice", "Contract", "Spam", "Refund"]
)
def test_a_common_label_is_described_without_its_name_alone(name: str) -> None:
    found = descriptions_of(name)
    assert found
    assert all(len(one.split()) >= 4 for one in found)


def test_each_part_of_a_name_that_is_put_together_has_its_say() -> None:
    first, second, *_ = descriptions_of("Travel & Food")
    assert (first, second) == (descriptions_of("Travel")[0], descriptions_of("Food")[0])


@pytest.mark.parametrize("name", ["", " ", "/", "&", "xqzzt", "the", "()", "1.", "漢字"])
def test_a_name_that_nobody_knows_has_no_description(name: str) -> None:
    assert descriptions_of(name) == ()


@pytest.mark.parametrize(
    "name", ["Other", "OTHERS", "none of these", "N/A", "Misc.", "something_else", "Off-topic"]
)
def test_some_names_stand_for_everything_else(name: str) -> None:
    assert is_catch_all(name)


@pytest.mark.parametrize("name", ["Mother", "Others' rights", "World", "No", "Neutral"])
def test_other_names_do_not(name: str) -> None:
    assert not is_catch_all(name)
