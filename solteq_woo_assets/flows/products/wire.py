"""A delta's changes as WooCommerce takes them, and whether the store holds them as they were sent."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import simplejson

from solteq_woo_assets.clients.woo_documents import ProductWrite, StoreProduct
from solteq_woo_assets.flow import Change
from solteq_woo_assets.flows.products.attributes import name_key, option_key
from solteq_woo_assets.flows.products.variants import has_chosen

META_PREFIX = "_solteq_"
PRICES = ("regular_price", "sale_price", "cost_of_goods_sold")


@dataclass(frozen=True)
class Disagreement:
    """A field that the store did not take as sent."""

    field: str
    message: str


def product_write(woo_id: int | None, changes: Iterable[Change]) -> ProductWrite:
    """The write that makes these changes.

    :raises pydantic.ValidationError: a value that WooCommerce would mangle; the rules let none through
    """
    body: dict[str, Any] = {} if woo_id is None else {"id": woo_id}
    meta: list[dict[str, str | None]] = []
    for change in changes:
        name, new = change["field"], change["new"]
        if name.startswith(META_PREFIX):
            meta.append({"key": name, "value": new})
        elif new is not None:
            body[name] = _typed(name, new)
    if meta:
        body["meta_data"] = meta
    return ProductWrite.model_validate(body)


def _typed(name: str, value: str) -> Any:
    match name:
        case "manage_stock":
            return value == "true"
        case "stock_quantity":
            return int(value)
        case "attributes":
            return simplejson.loads(value)
        case "cost_of_goods_sold":
            return Decimal(value)
    return value


def disagreement(product: StoreProduct, changes: Iterable[Change]) -> Disagreement | None:
    """The first field that the store does not hold as it was sent; WooCommerce drops some values without a word.

    Names are the store's to clean up.
    """
    for change in changes:
        name, new = change["field"], change["new"]
        if name == "name":
            continue
        if name == "attributes":
            if missing := _missing_choice(product, new):
                return Disagreement(name, f"the store does not hold {missing!r} as it was sent")
            continue
        held = _held(product, name)
        if name == "tax_class" and held == "parent":
            continue
        if name == "sku" and new == "" and product.type == "variation":  # it shows its parent's
            continue
        if not _same(name, held, new):
            return Disagreement(name, f"the store holds {held!r} where {new!r} was sent")
    return None


def _missing_choice(product: StoreProduct, sent: str | None) -> str | None:
    """The first attribute option that was sent and is not there.

    A variation must have what it was sent letter by letter: a shopper could not choose it else.
    """
    wanted = simplejson.loads(sent or "[]")
    if all("option" in attribute for attribute in wanted):
        held = [attribute.model_dump() for attribute in product.attributes]
        missing = [each for each in wanted if not has_chosen(held, [each])]
        return ", ".join(f"{each['name']}: {each['option']}" for each in missing) or None
    there = {(name_key(each.name), option_key(option)) for each in product.attributes for option in each.options}
    for attribute in wanted:
        for option in attribute["options"]:
            if (name_key(attribute["name"]), option_key(option)) not in there:
                return f"{attribute['name']}: {option}"
    return None


def _held(product: StoreProduct, name: str) -> str | None:
    if name.startswith(META_PREFIX):
        return product.meta.get(name)
    value = getattr(product, name)
    if name.startswith("date_on_sale"):
        return value.isoformat() if value else ""
    if name == "manage_stock":
        return "true" if value else "false"
    return "" if value is None else str(value)


def _same(name: str, held: str | None, new: str | None) -> bool:
    if name in PRICES and held and new:
        return Decimal(held) == Decimal(new)
    return held == new
