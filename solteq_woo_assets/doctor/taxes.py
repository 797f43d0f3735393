"""Whether each VAT rate in use has a tax class in the store that charges this rate."""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from solteq_woo_assets.clients.woo_probes import TaxRate
from solteq_woo_assets.doctor.findings import Finding, green, red

_TAX_PAGE = "WooCommerce > Settings > Tax"


def vat_rate(
    rate: Decimal, wanted: Mapping[Decimal, str], classes: Collection[str], rates: Sequence[TaxRate], country: str
) -> Finding:
    """One rate.

    :param wanted: SOLTEQ_WOO_TAX_CLASSES, where the standard class is an empty slug
    :param classes: the slugs that the store has, the standard class among them as ``standard``
    :param rates: all of the store's
    :param country: the store's own
    """
    check = f"VAT {percent(rate)} %"
    if rate not in wanted:
        return red(
            check,
            "has no tax class: its products are held back",
            f"Add {percent(rate)}=CLASS to SOLTEQ_WOO_TAX_CLASSES.",
        )
    name = wanted[rate] or "standard"
    if name not in classes:
        return red(
            check,
            f"goes by the tax class {name}, which the store does not have",
            f"Add the class in {_TAX_PAGE} > Additional tax classes, or mend SOLTEQ_WOO_TAX_CLASSES.",
        )
    charged = _charged(name, rates, country)
    if rate in charged or (not charged and rate == 0):
        return green(check, f"is the tax class {name}")
    told = " and ".join(f"{percent(each)} %" for each in sorted(charged)) or f"nothing in {country}"
    return red(
        check,
        f"goes by the tax class {name}, which charges {told}",
        f"Set the rate of the class in {_TAX_PAGE} > {name} for {country}, or mend SOLTEQ_WOO_TAX_CLASSES.",
    )


def _charged(name: str, rates: Sequence[TaxRate], country: str) -> set[Decimal]:
    """The rates of a class at home. Its country's rates go before those for everywhere, wide ones before narrow."""
    of_class = [rate for rate in rates if rate.tax_class == name and rate.country in (country, "")]
    found = [rate for rate in of_class if rate.country == country] or of_class
    found = [rate for rate in found if not rate.is_narrow] or found
    return {rate.rate for rate in found}


def percent(rate: Decimal) -> str:
    """Without trailing zeros."""
    return f"{rate.normalize():f}"
