"""Sales in the WooCommerce stand-in: ``on_sale`` follows the clock, ``price`` is what was last written.

WooCommerce writes ``price`` when a save changes what it depends on, and at the edges of a sale its cron does.
"""

from .woo_fields import amount
from .woo_store import Item


def is_on_sale(item: Item, now: str) -> bool:
    """Whether its sale runs, the first and the last second included."""
    sale = item.get("sale_price", "")
    if sale == "" or amount(item.get("regular_price", "")) <= amount(sale):
        return False
    return (item.get("sale_from") or "") <= now <= (item.get("sale_to") or "9999")


def price_of(item: Item) -> str:
    """What the shopper pays."""
    return item.get("price", "")


def fresh_price(item: Item, now: str) -> str:
    """What the shopper pays once the store has looked at the clock."""
    return item.get("sale_price" if is_on_sale(item, now) else "regular_price", "")


def priced_by(item: Item) -> list[str]:
    """What ``price`` depends on: a save that changes none of it leaves ``price`` as it was."""
    names = ("type", "regular_price", "sale_price", "sale_from", "sale_to")
    return [item.get(name) or "" for name in names]


def next_edge(item: Item) -> str | None:
    """From which instant on the cron has something to do with it."""
    due = []
    if _is_to_start(item):
        due.append(item["sale_from"])
    if _is_to_end(item):
        due.append(f"{item['sale_to']}.999")  # its last second is still on sale
    return min(due, default=None)


def start_sale(item: Item, now: str) -> bool:
    """The cron's first half; the caller saves."""
    # The real query leaves out the very second of `from`, but a cron that is never late shall not be.
    if not _is_to_start(item) or item["sale_from"] > now:
        return False
    item["sale_from"] = None
    if item["sale_price"] == "":
        item["sale_to"] = None
        return False
    item["price"] = item["sale_price"]
    return True


def end_sale(item: Item, now: str) -> bool:
    """The cron's second half; the caller saves."""
    if not _is_to_end(item) or item["sale_to"] >= now:
        return False
    item["price"] = item.get("regular_price", "")
    for name in ("sale_price", "sale_from", "sale_to"):
        item.pop(name, None)
    return True


def _is_to_start(item: Item) -> bool:
    # A sale price that was emptied has no row any more, and its dates stay; one that was dropped has an empty row.
    return bool(item.get("sale_from")) and "sale_price" in item and item["price"] != item["sale_price"]


def _is_to_end(item: Item) -> bool:
    return bool(item.get("sale_to")) and item["price"] != item.get("regular_price", "")
