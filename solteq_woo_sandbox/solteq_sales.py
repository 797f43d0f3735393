"""What Solteq makes of a sale or refund that is booked: refused, taken, or stored (contract, Writes).

What is booked moves the free balance of its products: in the store it is booked on, or where that keeps none, in the
one that has most.
"""

import re
import uuid
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from solteq_woo_sandbox.solteq_customers import Answer
from solteq_woo_sandbox.solteq_documents import Documents

_TEXTS = ("externalId", "orderNumber", "storeId", "paidAt")
_KINDS = ("Product", "Shipping", "Fee")
_LINE_NUMBERS = ("quantity", "unitPrice", "discount", "vatRate", "vatAmount", "total")
_TOTALS = ("gross", "net", "vat", "discount")
_CENT, _UNIT = Decimal("0.01"), Decimal("0.0001")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def book(held: Documents, given: Mapping[str, Any]) -> Answer:
    """``POST``."""
    problems = [{"path": path, "message": message} for path, message in _problems(held, given)]
    if problems:
        return Answer(400, {"error": "validation", "details": problems})
    known = held.sale(given["externalId"])
    if known is not None:
        return Answer(409, {"error": "duplicate", "id": known["id"]})
    document = {**given, "id": str(uuid.uuid4())}
    held.store_sale(document)
    return Answer(201, {"id": document["id"], "externalId": document["externalId"]})


def look_up(held: Documents, query: Mapping[str, str]) -> Answer:
    """``GET`` by ``externalId``."""
    if "externalId" not in query:
        problem = {"path": "externalId", "message": "sales are looked up by it"}
        return Answer(400, {"error": "validation", "details": [problem]})
    found = held.sale(query["externalId"])
    return Answer(200, {"documents": [found] if found else []})


def _problems(held: Documents, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    shape = list(_shape(given))
    yield from shape
    if shape:
        return
    sign = -1 if given["type"] == "Refund" else 1
    lines, totals = given["lines"], given["totals"]
    for place, line in enumerate(lines):
        at = f"lines[{place}]"
        worth = line["quantity"] * line["unitPrice"] - line["discount"]
        if abs(worth - line["total"]) > _CENT + _UNIT * abs(line["quantity"]):
            yield f"{at}.total", "is not quantity times unitPrice less discount"
        if line["quantity"] * sign <= 0:
            yield f"{at}.quantity", f"must be {'negative' if sign < 0 else 'positive'}"
        if "productCode" in line and not held.knows_product(line["productCode"]):
            yield f"{at}.productCode", f"'{line['productCode']}' is no product"
    if len({line["lineId"] for line in lines}) < len(lines):
        yield "lines", "a lineId comes twice"
    sums = {"gross": "total", "vat": "vatAmount", "discount": "discount"}
    for name, of_line in sums.items():
        if sum((Decimal(line[of_line]) for line in lines), Decimal(0)) != totals[name]:
            yield f"totals.{name}", "is not the sum of the lines"
    if totals["net"] + totals["vat"] != totals["gross"]:
        yield "totals.net", "is not gross less vat"
    if sum((Decimal(payment["amount"]) for payment in given["payments"]), Decimal(0)) != totals["gross"]:
        yield "payments", "do not add up to totals.gross"
    if totals["gross"] * sign < 0:
        yield "totals.gross", f"must {'not ' if sign < 0 else ''}be positive"
    if sign < 0:
        yield from _refund_problems(held, given)


def _refund_problems(held: Documents, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "refersTo" not in given:  # of a sale that came by other means; the order's number names it
        return
    sale = held.sale(str(given.get("refersTo")))
    if sale is None or sale["type"] != "Sale":
        yield "refersTo", "is no sale"
        return
    others = [each for each in held.refunds_of(sale["externalId"]) if each["externalId"] != given["externalId"]]
    refunded = sum((each["totals"]["gross"] for each in [*others, given]), Decimal(0))
    if sale["totals"]["gross"] + refunded < 0:
        yield "totals.gross", "more is refunded than was sold"


def _shape(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in _TEXTS:
        if not isinstance(given.get(name), str) or not given[name]:
            yield name, "must be text"
    if given.get("type") not in ("Sale", "Refund"):
        yield "type", "must be Sale or Refund"
    if given.get("currency") != "EUR":
        yield "currency", "must be EUR"
    if not isinstance(given.get("pricesIncludeVat"), bool):
        yield "pricesIncludeVat", "must be true or false"
    if not _is_date(given.get("businessDate")):
        yield "businessDate", "must be a date"
    if not _INSTANT.fullmatch(str(given.get("paidAt"))):
        yield "paidAt", "must be an instant in UTC"
    yield from _parts_shape(given)


def _parts_shape(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    customer = given.get("customer", {})
    if not isinstance(customer, dict) or not all(isinstance(value, str) for value in customer.values()):
        yield "customer", "must be an object of texts"
    totals = given.get("totals")
    if not isinstance(totals, dict) or not all(_is_money(totals.get(name)) for name in _TOTALS):
        yield "totals", f"must have the numbers {', '.join(_TOTALS)}, of 4 decimals at most"
    if not isinstance(given.get("lines"), list) or not given["lines"]:
        yield "lines", "must be a list with something in it"
    for place, line in enumerate(given.get("lines") or []):
        yield from ((f"lines[{place}]{path}", message) for path, message in _line_shape(line))
    payments = given.get("payments")
    for place, payment in enumerate(payments if isinstance(payments, list) else [None]):
        said = payment if isinstance(payment, dict) else {}
        if not isinstance(said.get("type"), str) or not _is_money(said.get("amount")):
            yield f"payments[{place}]", "must have a type and an amount"


def _line_shape(line: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(line, dict):
        yield "", "must be an object"
        return
    if line.get("kind") not in _KINDS:
        yield ".kind", f"must be one of {', '.join(_KINDS)}"
    for name in ("lineId", "name"):
        if not isinstance(line.get(name), str) or not line[name]:
            yield f".{name}", "must be text"
    for name in _LINE_NUMBERS:
        if not _is_money(line.get(name)):
            yield f".{name}", "must be a number of 4 decimals at most"
    if "productCode" in line and not isinstance(line["productCode"], str):
        yield ".productCode", "must be text"
    if not isinstance(line.get("restock", False), bool):
        yield ".restock", "must be true or false"


def _is_money(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return False
    return Decimal(value) == Decimal(value).quantize(_UNIT)


def _is_date(value: object) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
