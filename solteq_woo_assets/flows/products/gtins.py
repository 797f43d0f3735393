"""Which numbers are GTINs: those that name one product all over the world. SQL expressions.

Sources: GS1 General Specifications, 1.4 (prefixes) and 7.9 (check digit).
"""

OF_A_COMPANY = "is not given to products worldwide"
_OF_A_COMPANY = "^0{6}[02]|^.(02|04|05|2|98[0-4]|99)"
"""Of 14 digits: what no product has everywhere. 02, 04 and 20–29 a company gives within itself, as to goods that it
weighs; 05, 98 and 99 are on coupons; a GTIN-8 (six zeroes before it) with 0 or 2 is a company's own, too."""


def padded_gtin(given: str) -> str:
    """A number of up to 14 digits, with the zeroes that a spreadsheet took from it: 8, 12, 13 or 14 digits, else NULL.

    Fewer than 8 digits are no GTIN: one that begins with a zero is nobody's.
    """
    return (
        f"CASE WHEN regexp_full_match(trim({given}), '[0-9]{{8,14}}') THEN lpad(trim({given}), "
        f"(CASE length(trim({given})) WHEN 8 THEN 8 ELSE greatest(length(trim({given})), 12) END)::INTEGER, '0') END"
    )


def gtin_fault(padded: str) -> str:
    """Why a number by :func:`padded_gtin` names no product of the world, else NULL."""
    return (
        f"CASE WHEN {padded} IS NULL THEN 'is not 8, 12, 13 or 14 digits' "
        f"WHEN replace({padded}, {padded}[1], '') = '' THEN 'is one digit over and over' "
        f"WHEN regexp_matches(lpad({padded}, 14, '0'), '{_OF_A_COMPANY}') THEN '{OF_A_COMPANY}' "
        f"WHEN {_weighted_sum(padded)} % 10 <> 0 THEN 'has a wrong check digit' END"
    )


def gtin_key(given: str) -> str:
    """A GTIN without its leading zeroes, in which its forms are the same, else NULL."""
    padded = padded_gtin(given)
    return f"CASE WHEN {padded} IS NOT NULL AND {gtin_fault(padded)} IS NULL THEN ltrim({padded}, '0') END"


def _weighted_sum(padded: str) -> str:
    digits = f"string_split(lpad({padded}, 14, '0'), '')"
    return f"list_sum(list_transform({digits}, lambda d, i: d::INTEGER * CASE i % 2 WHEN 1 THEN 3 ELSE 1 END))"
