"""What orders do to the stock and the sales figures of products."""

from typing import Any

from .woo_fields import integer
from .woo_products import Products
from .woo_sales import next_edge
from .woo_store import Item, Store
from .woo_totals import Line, Order

REDUCED, RESTOCKED = "_reduced_stock", "_restock_refunded_items"


class Stock:
    """The stock of what stands on order lines. A product whose stock is not managed has none, and none is checked."""

    def __init__(self, store: Store, settings: dict[str, Any], now: str) -> None:
        self._store = store
        self._products = Products(store, settings, now)

    def product_of(self, line: Line) -> Item | None:
        """The product or variation of a line, if it still exists."""
        identifier = line.get("variation_id") or line.get("product_id")
        return self._store.get(identifier) if identifier else None

    def reduce(self, order: Order) -> None:
        """Take from stock what has not been taken yet, once for an order."""
        if order.get("_stock_reduced", any(meta_of(line, REDUCED) for line in order["line_items"])):
            return
        order["_stock_reduced"] = True
        for line in order["line_items"]:
            held = self._held(line)
            if held and not integer((meta_of(line, REDUCED) or {}).get("value")):
                self._move(held, -integer(line["quantity"]))
                self.set_meta(line, REDUCED, str(line["quantity"]))

    def put_back(self, order: Order) -> None:
        """Give back to stock what was taken."""
        if not order.get("_stock_reduced", True):
            return
        order["_stock_reduced"] = False
        for line in order["line_items"]:
            taken, held = meta_of(line, REDUCED), self._held(line)
            if taken and held and (quantity := integer(taken["value"])):
                self._move(held, quantity)
                line["meta_data"].remove(taken)

    def adjust(self, line: Line) -> None:
        """Follow a line's quantity after an edit of an order whose pieces are taken."""
        held = self._held(line)
        if held is None:
            return
        wanted = integer(line["quantity"]) - integer((meta_of(line, RESTOCKED) or {}).get("value"))
        difference = wanted - integer((meta_of(line, REDUCED) or {}).get("value"))
        if difference:
            self._move(held, -difference)
            self.set_meta(line, REDUCED, str(wanted))

    def restock(self, line: Line, quantity: int) -> None:
        """Give back what a refund returns, if it was taken."""
        taken, held = meta_of(line, REDUCED), self._held(line)
        if taken is None or held is None or not quantity or not integer(taken["value"]):
            return
        self._move(held, quantity)
        before = integer((meta_of(line, RESTOCKED) or {}).get("value"))
        self.set_meta(line, REDUCED, str(integer(taken["value"]) - quantity))
        self.set_meta(line, RESTOCKED, str(before + quantity))

    def count_sales(self, order: Order, *, sold: bool) -> None:
        """``total_sales`` of its products; a query of its own in WooCommerce, so that no ``date_modified`` moves."""
        if order.get("_sales_counted", True) == sold:
            return
        order["_sales_counted"] = sold
        for line in order["line_items"]:
            if item := self._store.get(line.get("product_id") or 0):
                pieces = abs(integer(line["quantity"]))
                item["total_sales"] = item.get("total_sales", 0) + (pieces if sold else -pieces)
                self._store.put(item, next_edge(item))

    def set_meta(self, line: Line, key: str, value: str) -> None:
        """A line's meta, updated in place."""
        shown = {"key": key, "value": value, "display_key": key, "display_value": value}
        if found := meta_of(line, key):
            found |= shown
        else:
            line["meta_data"].append({"id": self._store.next_id("meta")} | shown)

    def _held(self, line: Line) -> Item | None:
        """The product whose stock a line takes from: a variation that has none of its own takes its parent's."""
        item = self.product_of(line)
        if item and item["type"] == "variation" and not item.get("manage_stock"):
            item = self._store.get(item["parent_id"])
        return item if item and item.get("manage_stock") else None

    def _move(self, item: Item, pieces: int) -> None:
        self._products.update(item, {"stock_quantity": integer(item.get("stock_quantity")) + pieces})


def meta_of(line: Line, key: str) -> dict[str, Any] | None:
    """A line's meta of this key."""
    return next((meta for meta in line.get("meta_data", ()) if meta["key"] == key), None)
