"""How WooCommerce spreads coupons over an order's lines, in cents of the price that the shopper sees."""

from decimal import ROUND_FLOOR, ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal
from typing import Any

from .woo_totals import ZERO, Line, Order, TaxRules, is_taxable, is_taxed, number, stored, tax_on, tax_within

Coupon = dict[str, Any]
"""A coupon as the API shows it."""

Discounts = dict[str, dict[int, Decimal]]
"""Cents off, by coupon's code and line's id."""

_WHOLE = Decimal(1)


class _Spread:
    """The lines of an order, dearest pieces first, and what each coupon takes off them."""

    def __init__(self, order: Order) -> None:
        self.discounts: Discounts = {}
        self._prices = {line["id"]: _price(line, order["prices_include_tax"]) for line in order["line_items"]}
        self._products = {
            line["id"]: {line.get("product_id"), line.get("variation_id")} for line in order["line_items"]
        }
        self._quantities = {line["id"]: number(line["quantity"]) for line in order["line_items"]}
        # By the price of one piece: so the recordings have it, older releases went by price times quantity.
        self._order = sorted(self._prices, key=lambda line: -self._prices[line] / max(1, self._quantities[line]))

    def apply(self, coupon: Coupon) -> None:
        taken = self.discounts.setdefault(coupon["code"], dict.fromkeys(self._order, ZERO))
        lines = [line for line in self._order if self._left(line) and self._quantities[line] > 0]
        if wanted := coupon.get("product_ids"):
            lines = [line for line in lines if self._products[line] & {*wanted}]
        amount = number(coupon["amount"])
        if coupon["discount_type"] == "percent":
            self._percent(taken, lines, amount)
        elif coupon["discount_type"] == "fixed_product":
            self._each(taken, lines, amount * 100)
        else:
            self._cart(taken, lines, amount * 100)

    def _left(self, line: int) -> Decimal:
        taken = sum((each[line] for each in self.discounts.values()), ZERO)
        return abs((self._prices[line] - taken).quantize(_WHOLE, ROUND_HALF_UP))

    def _percent(self, taken: dict[int, Decimal], lines: list[int], percent: Decimal) -> None:
        total = whole = ZERO
        for line in lines:
            price = self._prices[line].quantize(_WHOLE, ROUND_HALF_UP)
            discount = min(self._left(line), (price * percent / 100).quantize(_WHOLE, ROUND_FLOOR))
            taken[line] += discount
            total += discount
            whole += price
        missing = (whole * percent / 100).quantize(_WHOLE, ROUND_HALF_DOWN) - total
        if missing > 0:
            self._remainder(taken, lines, missing)

    def _each(self, taken: dict[int, Decimal], lines: list[int], amount: Decimal) -> Decimal:
        total = ZERO
        for line in lines:
            discount = min(self._left(line), amount * self._quantities[line])
            taken[line] += discount
            total += discount
        return total

    def _cart(self, taken: dict[int, Decimal], lines: list[int], amount: Decimal) -> None:
        lines = [line for line in lines if self._left(line) > 0]
        pieces = sum((self._quantities[line] for line in lines), ZERO)
        if not pieces or amount <= 0:
            return
        share = (amount / pieces).quantize(_WHOLE, ROUND_FLOOR)
        if share == 0:
            self._remainder(taken, lines, amount)
            return
        given = self._each(taken, lines, share)
        if 0 < given < amount:
            self._cart(taken, lines, amount - given)

    def _remainder(self, taken: dict[int, Decimal], lines: list[int], amount: Decimal) -> None:
        """A cent a piece until it is spent."""
        given = ZERO
        for line in lines:
            for _ in range(int(self._quantities[line])):
                cent = min(self._left(line), _WHOLE)
                taken[line] += cent
                given += cent
                if given >= amount:
                    return


def apply_coupons(order: Order, coupons: list[Coupon], rules: TaxRules) -> None:
    """Take every coupon off the lines' subtotals, and say on each coupon line what it was worth.

    :param coupons: one for each of the order's coupon lines, in their order
    """
    spread = _Spread(order)
    for coupon in coupons:
        spread.apply(coupon)
    within = order["prices_include_tax"] and is_taxed(order)
    lines = {line["id"]: line for line in order["line_items"]}
    taxed = [identifier for identifier, line in lines.items() if is_taxed(order) and is_taxable(line)]
    for line in lines.values():
        line["total"], line["total_tax"] = line["subtotal"], line["subtotal_tax"]
    for row, coupon in zip(order["coupon_lines"], coupons, strict=True):
        off = {line: cents / 100 for line, cents in spread.discounts[coupon["code"]].items()}
        amount, tax = sum(off.values(), ZERO), ZERO
        for identifier, each in off.items():
            if identifier in taxed:
                tax += rules.line_cents(_tax(each, lines[identifier], rules, within))
        row["discount"], row["discount_tax"] = stored(amount - tax if within else amount), stored(tax)
    for identifier, line in lines.items():
        amount = sum((cents[identifier] for cents in spread.discounts.values()), ZERO) / 100
        if within and identifier in taxed:
            amount -= _tax(amount, line, rules, within)
        line["total"] = stored(max(ZERO, number(line["total"]) - amount))


def _price(line: Line, within: bool) -> Decimal:
    price = number(line["subtotal"]) + (number(line["subtotal_tax"]) if within else ZERO)
    return (price * 100).quantize(Decimal("0.0001"), ROUND_HALF_UP)


def _tax(amount: Decimal, line: Line, rules: TaxRules, within: bool) -> Decimal:
    rate = rules.rate(line["tax_class"])
    return tax_within(amount, rate) if within else tax_on(amount, rate)
