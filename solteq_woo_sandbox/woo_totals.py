"""How WooCommerce adds an order up: line totals without tax to six decimals, taxes per rate, rounding per line.

An order is a dictionary of the form in which the API shows it, but with unrounded money. PHP's floats are decimals
here: its rounding looks at fifteen digits, so that both say the same.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from .woo_site import rates_by_class

Order = dict[str, Any]
"""An order as it is kept: the API's own keys, unrounded money, and a few keys of ours that begin with ``_``."""

Line = dict[str, Any]
ZERO = Decimal(0)
_HOME = "FI"
_CENT, _STORED = Decimal("0.01"), Decimal("0.000001")


@dataclass(frozen=True)
class Rate:
    """A tax rate as an order refers to it."""

    id: int
    percent: Decimal
    label: str


@dataclass(frozen=True)
class TaxRules:
    """The store's settings of taxes and numbers at one instant.

    :param rates: by the class that a product names, the standard one empty
    :param decimal_comma: how it reads prices
    """

    rates: dict[str, Rate]
    prices_include_tax: bool
    round_at_subtotal: bool
    decimal_comma: bool = False

    @classmethod
    def of(cls, settings: dict[str, Any]) -> "TaxRules":
        rates = {slug: Rate(number, Decimal(rate), name) for number, rate, name, slug in rates_by_class(settings)}
        return cls(rates, settings["prices_include_tax"], settings["round_at_subtotal"], settings["decimal_comma"])

    def rate(self, tax_class: str) -> Rate:
        """WooCommerce takes an unknown class for the standard one."""
        return self.rates.get(tax_class) or self.rates[""]

    def cents(self, tax: Decimal) -> Decimal:
        """A tax in whole cents: a half goes down when prices include it, so that both halves of a price add up."""
        return tax.quantize(_CENT, ROUND_HALF_DOWN if self.prices_include_tax else ROUND_HALF_UP)

    def line_cents(self, tax: Decimal) -> Decimal:
        """A line's tax as the order counts it."""
        return tax if self.round_at_subtotal else self.cents(tax)


def number(value: Any) -> Decimal:
    """Money as WooCommerce reads it; what is no number counts as nothing."""
    try:
        found = Decimal(str(value).strip() or 0)
    except InvalidOperation:
        return ZERO
    return found if found.is_finite() else ZERO


def stored(value: Decimal) -> str:
    """Money as WooCommerce stores what it computed: six decimals at most, no zeros behind."""
    return f"{value.quantize(_STORED, ROUND_HALF_UP) + 0:f}".rstrip("0").rstrip(".") or "0"


def money(value: Any, decimals: int = 2) -> str:
    """Money as the API shows it."""
    return f"{number(value).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP) + 0:f}"


def rounded(value: Decimal) -> Decimal:
    """Money in whole cents."""
    return value.quantize(_CENT, ROUND_HALF_UP)


def tax_on(net: Decimal, rate: Rate) -> Decimal:
    """The tax that comes on top."""
    return (net * rate.percent / 100).quantize(_STORED, ROUND_HALF_UP)


def tax_within(gross: Decimal, rate: Rate) -> Decimal:
    """The tax that is inside."""
    return (gross * rate.percent / (100 + rate.percent)).quantize(_STORED, ROUND_HALF_UP)


def calculate_totals(order: Order, rules: TaxRules, next_id: Callable[[], int]) -> None:
    """WooCommerce's method of this name: taxes of every line, the tax lines and the order's own totals.

    :param next_id: ids of new tax lines
    """
    lines, shipping = order["line_items"], order["shipping_lines"]
    whole: Callable[[Decimal], Decimal] = (lambda value: value) if rules.round_at_subtotal else rounded
    before = sum((whole(number(line["subtotal"])) for line in lines), ZERO)
    after = sum((whole(number(line["total"])) for line in lines), ZERO)
    shipped = sum((rounded(number(line["total"])) for line in shipping), ZERO)
    fees = ZERO
    for fee in order["fee_lines"]:
        most = -rounded(after + fees + shipped)
        if number(fee["total"]) < most < 0:  # a discount as a negative fee cannot make the order negative
            fee["total"] = stored(most)
        fees += number(fee["total"])
    order["shipping_total"] = stored(shipped)
    _calculate_taxes(order, rules)
    update_taxes(order, rules, next_id)
    subtotal_tax = sum((number(tax["subtotal"]) for line in lines for tax in line["taxes"]), ZERO)
    total_tax = sum((number(tax["total"]) for line in lines for tax in line["taxes"]), ZERO)
    order["discount_total"] = stored(rounded(before - after))
    order["discount_tax"] = stored(rules.cents(subtotal_tax - total_tax))
    taxes = number(order["cart_tax"]) + number(order["shipping_tax"])
    order["total"] = stored(rounded(after + fees + shipped + taxes))


def update_taxes(order: Order, rules: TaxRules, next_id: Callable[[], int]) -> None:
    """The tax lines, one a rate, from the lines' taxes."""
    cart: dict[int, Decimal] = {}
    shipping: dict[int, Decimal] = {}
    for into, kinds in ((cart, ("line_items", "fee_lines")), (shipping, ("shipping_lines",))):
        for line in (line for kind in kinds for line in order[kind]):
            for tax in line["taxes"]:
                into[tax["id"]] = into.get(tax["id"], ZERO) + rules.line_cents(number(tax["total"]))
    known = {line["rate_id"]: line for line in order["tax_lines"]}
    rates = {rate.id: rate for rate in rules.rates.values()}
    wanted = [*dict.fromkeys([*cart, *shipping])]
    kept = [identifier for identifier in known if identifier in wanted]
    order["tax_lines"] = [
        {
            "id": known[identifier]["id"] if identifier in known else next_id(),
            "rate_code": f"FI-{rates[identifier].label.upper()}-1",
            "rate_id": identifier,
            "label": rates[identifier].label,
            "compound": False,
            "tax_total": stored(cart.get(identifier, ZERO)),
            "shipping_tax_total": stored(shipping.get(identifier, ZERO)),
            "rate_percent": bare(rates[identifier].percent),
            "meta_data": known[identifier]["meta_data"] if identifier in known else [],
        }
        for identifier in [*kept, *(identifier for identifier in wanted if identifier not in known)]
    ]
    order["shipping_tax"] = stored(sum(shipping.values(), ZERO))
    order["cart_tax"] = stored(sum(cart.values(), ZERO))
    order["total_tax"] = stored(rounded(number(order["cart_tax"]) + number(order["shipping_tax"])))


def bare(value: Decimal) -> int | float:
    """A number as PHP writes it into JSON: a whole one has no decimals."""
    return int(value) if value == value.to_integral_value() else float(value)


def set_taxes(line: Line, totals: dict[int, Decimal], subtotals: dict[int, Decimal], rules: TaxRules) -> None:
    """The taxes of a line by rate, and their sums."""
    if sum(subtotals.values(), ZERO) < sum(totals.values(), ZERO):
        subtotals = totals
    with_subtotal = "subtotal" in line
    line["taxes"] = [
        {"id": rate, "total": stored(tax), "subtotal": stored(subtotals[rate]) if with_subtotal else ""}
        for rate, tax in totals.items()
    ]
    line["total_tax"] = stored(sum(map(rules.line_cents, totals.values()), ZERO))
    if with_subtotal:
        line["subtotal_tax"] = stored(sum(map(rules.line_cents, subtotals.values()), ZERO))


def is_taxed(order: Order) -> bool:
    """Whether the store has rates for where an order is shipped to; it has Finland's alone."""
    addresses = (order.get("shipping", {}), order.get("billing", {}))
    return next((each["country"] for each in addresses if each.get("country")), _HOME) == _HOME


def is_taxable(line: Line) -> bool:
    """Whether a line is taxed: a fee and a delivery say so themselves, a product is asked when it is put in."""
    return line.get("tax_status", line.get("_tax_status", "taxable")) == "taxable"


def _calculate_taxes(order: Order, rules: TaxRules) -> None:
    if not is_taxed(order):
        for each in (each for kind in ("line_items", "fee_lines", "shipping_lines") for each in order[kind]):
            set_taxes(each, {}, {}, rules)
        return
    for line in order["line_items"]:
        _tax(line, rules, line["tax_class"])
    for fee in order["fee_lines"]:
        if number(fee["total"]) >= 0:
            _tax(fee, rules, fee["tax_class"])
    shipping_class = _shipping_class(order["line_items"], rules)
    for line in order["shipping_lines"]:
        if shipping_class is None:
            set_taxes(line, {}, {}, rules)
        else:
            _tax(line, rules, shipping_class)
    for fee in order["fee_lines"]:
        if number(fee["total"]) < 0:
            _tax_discount(fee, order, rules, shipping_class)


def _tax(line: Line, rules: TaxRules, tax_class: str) -> None:
    if not is_taxable(line):
        set_taxes(line, {}, {}, rules)
        return
    rate = rules.rate(tax_class)
    total = tax_on(number(line["total"]), rate)
    subtotal = tax_on(number(line["subtotal"]), rate) if "subtotal" in line else total
    set_taxes(line, {rate.id: total}, {rate.id: subtotal}, rules)


def _shipping_class(lines: Iterable[Line], rules: TaxRules) -> str | None:
    """A delivery inherits the class of what is delivered: the first of the store's classes that is among it."""
    lines = list(lines)
    found = {line["tax_class"] for line in lines if is_taxable(line)}
    return next((known for known in rules.rates if known in found), None if lines else "")


def _tax_discount(fee: Line, order: Order, rules: TaxRules, shipping_class: str | None) -> None:
    """A negative fee takes its taxes off in proportion to what the order is made of."""
    costs: dict[str | None, Decimal] = {}
    for kind in ("line_items", "fee_lines", "shipping_lines"):
        for line in order[kind]:
            tax_class = shipping_class if kind == "shipping_lines" else line["tax_class"]
            if number(line["total"]) > 0:
                key = tax_class if is_taxable(line) else None
                costs[key] = costs.get(key, ZERO) + number(line["total"])
    taxes: dict[int, Decimal] = {}
    whole = sum(costs.values(), ZERO)
    for tax_class, cost in costs.items():
        if tax_class is not None:
            rate = rules.rate(tax_class)
            taxes[rate.id] = taxes.get(rate.id, ZERO) + tax_on(number(fee["total"]) * cost / whole, rate)
    set_taxes(fee, taxes, taxes, rules)
