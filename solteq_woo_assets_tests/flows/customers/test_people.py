"""One value, one text: what is compared, what is passed on as it is, what may be shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solteq_woo_assets.flows.customers.people import canonical, e164, is_postal_code, masked, tax_code
from solteq_woo_assets.flows.customers.tables import PERSON_FIELDS

texts = st.none() | st.text(max_size=30)
persons = st.fixed_dictionaries(dict.fromkeys(PERSON_FIELDS, texts))


@pytest.mark.parametrize(
    ("phone", "country", "number"),
    [
        ("040 123 4567", "FI", "+358401234567"),
        ("(0)40-123 45 67", "FI", "+358401234567"),
        ("+358 40 1234567", "", "+358401234567"),
        ("00358401234567", "FI", "+358401234567"),
        ("070-123 45 67", "SE", "+46701234567"),
        ("040 123 4567", "", None),
        ("040 123 4567 ext 5", "FI", None),
        ("0401234567 / Aino", "FI", None),
        ("112233445566778899", "FI", None),
        ("kysy myymälästä", "FI", None),
        ("040 123 4567", "Suomi", None),
    ],
)
def test_phone_numbers_are_compared_as_e164(phone: str, country: str, number: str | None) -> None:
    assert e164(phone, country) == number


def test_what_cannot_be_parsed_stays_and_is_remarked_on() -> None:
    person = {
        "phone": "ext. 12",
        "billing_postal_code": "123",
        "billing_country": "FI",
        "delivery_country": "Suomiland",
        "tax_code": "Y-123",
    }
    values, remarks = canonical(person)
    assert {field: values[field] for field in person} == person
    assert [remark.split()[0] for remark in remarks] == [
        "billing_postal_code",
        "delivery_country",
        "phone",
        "tax_code",
    ]


def test_a_number_is_read_in_the_billing_country_then_in_the_delivery_country() -> None:
    assert canonical({"phone": "0701234567", "delivery_country": "se"})[0]["phone"] == "+46701234567"
    assert (
        canonical({"phone": "0701234567", "billing_country": "?", "delivery_country": "SE"})[0]["phone"]
        == "+46701234567"
    )
    both = {"phone": "0401234567", "billing_country": "fi", "delivery_country": "SE"}
    assert canonical(both)[0]["phone"] == "+358401234567"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *((text, "FI") for text in ("FI", "fi", "SUOMI ", "Finland", "FIN", "246")),
        *((text, "SE") for text in ("Sverige", "ruotsi", "Sweden", "SWE")),
        *((text, "AX") for text in ("Åland", "A\u030aland", "Ahvenanmaa", "Åland Islands", "ALA")),
        *((text, "US") for text in ("USA", "Yhdysvallat", "United States")),
        *((text, "GB") for text in ("UK", "Storbritannien", "GBR")),
        *((text, text) for text in ("Suomiland", "EU", "001", "World", "Kongo", "?", "X", "Europa")),
    ],
)
def test_a_country_is_known_by_its_codes_and_names(text: str, code: str) -> None:
    values, remarks = canonical({"billing_country": text})
    assert values["billing_country"] == code
    assert [remark.split()[0] for remark in remarks] == ["billing_country"] * (len(code) != 2 or code == "EU")


@pytest.mark.parametrize(
    ("code", "country", "is_one"),
    [
        ("33100", "FI", True),
        ("331", "FI", False),
        ("123 45", "SE", True),
        ("12345", "SE", True),
        ("sw1a 1aa", "GB", True),
        ("anything", "", True),
        ("anything", "Suomi", True),
    ],
)
def test_postal_codes_are_checked_by_their_country(code: str, country: str, is_one: bool) -> None:
    assert is_postal_code(code, country) == is_one


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("FI04904840", "FI04904840"),
        ("fi 0490484-0", "FI04904840"),
        ("SE123456789001", "SE123456789001"),
        ("SE123456789002", None),
        ("DK12345678", "DK12345678"),
        ("0490484-0", None),
        ("DE123456789", None),
    ],
)
def test_tax_codes_are_those_of_the_contract(text: str, code: str | None) -> None:
    assert tax_code(text) == code


@given(persons)
def test_the_canonical_form_is_its_own(person: dict[str, str | None]) -> None:
    """What we write into the other system is read back as the same; nothing is dropped, nothing made up."""
    values, remarks = canonical(person)
    assert canonical(values) == (values, remarks)
    for field, value in person.items():
        assert (values[field] is None) == (value is None)
        assert bool(values[field]) == bool((value or "").split())


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("first_name", "Aino Maria", "A••• M•••"),
        ("email", "aino.virtanen@example.com", "a•••@example.com"),
        ("email", "not an e-mail", "n••• a••• e•••"),
        ("phone", "+358401234567", "+•••"),
        ("billing_country", "FI", "FI"),
        ("billing_city", None, ""),
    ],
)
def test_previews_mask(field: str, value: str | None, shown: str) -> None:
    assert masked(field, value) == shown


@given(st.sampled_from([*PERSON_FIELDS]), st.text(min_size=4, max_size=40))
def test_a_mask_shows_a_letter_a_word_at_most(field: str, value: str) -> None:
    shown = masked(field, value)
    if not field.endswith("_country") and "@" not in value:
        assert all(len(word) <= 4 for word in shown.split())
