"""Orders placed by chance: something to look at, for shows and tests."""

from random import Random

from .woo_coupons import Coupons
from .woo_fields import amount
from .woo_orders import Orders
from .woo_sales import price_of
from .woo_store import Item, Store

_PEOPLE = (
    ("Aino", "Virtanen", "Hämeenkatu 1 A 2", "33100", "Tampere"),
    ("Eino", "Mäkelä", "Aleksanterinkatu 15", "00100", "Helsinki"),
    ("Helmi", "Korhonen", "Kauppakatu 22", "40100", "Jyväskylä"),
    ("Onni", "Nieminen", "Linnankatu 8 B 11", "20100", "Turku"),
    ("Venla", "Heikkinen", "Kirkkokatu 5", "90100", "Oulu"),
)
_DELIVERIES = (("flat_rate", "Posti", "4.90"), ("flat_rate", "Matkahuolto", "5.90"), ("local_pickup", "Nouto", "0.00"))
_CODE = "tervetuloa10"


def shuffle(orders: Orders, coupons: Coupons, count: int, seed: int) -> list[int]:
    """Place paid orders of sellable products in stock, the same ones for the same seed and store; their ids.

    Only as many as the stock allows.
    """
    random = Random(seed)  # noqa: S311 - it decides who buys what
    placed: list[int] = []
    goods = _goods(orders.store)
    for _ in range(count):
        lines = []
        for identifier in random.sample(goods, min(len(goods), 4 * 4)):
            item = orders.store.get(identifier)
            left = _left(item, orders) if item else 0
            if item and left > 0:
                quantity = min(left, random.choice((1, 1, 1, 2, 3)))
                lines.append(_line(item, quantity))
        if not lines:
            break
        placed.append(_place(orders, coupons, random, lines[: random.randint(1, 4)]))
    return placed


def _goods(store: Store) -> list[int]:
    query = "SELECT id FROM products WHERE type IN ('simple', 'variation') AND status = 'publish' ORDER BY id"
    return [row[0] for row in store.execute(query)]


def _left(item: Item, orders: Orders) -> int:
    if item["type"] == "variation" and not item.get("manage_stock"):
        parent = orders.store.get(item["parent_id"])
        if parent is None or parent["status"] != "publish":
            return 0
        stock = parent if parent.get("manage_stock") else item
    else:
        stock = item
    if amount(price_of(item)) <= 0 or stock.get("stock_status", "instock") != "instock":
        return 0
    return (stock.get("stock_quantity") or 0) if stock.get("manage_stock") else 99


def _line(item: Item, quantity: int) -> dict[str, int]:
    if item["type"] == "variation":
        return {"product_id": item["parent_id"], "variation_id": item["id"], "quantity": quantity}
    return {"product_id": item["id"], "quantity": quantity}


def _place(orders: Orders, coupons: Coupons, random: Random, lines: list[dict[str, int]]) -> int:
    first, last, street, postcode, city = random.choice(_PEOPLE)
    address = {"first_name": first, "last_name": last, "address_1": street, "postcode": postcode, "city": city}
    address["country"] = "FI"
    method, title, cost = random.choice(_DELIVERIES)
    plain = f"{first}.{last}".lower().translate(str.maketrans("äö", "ao"))
    body = {
        "status": "processing",
        "set_paid": True,
        "payment_method": "paytrail",
        "payment_method_title": "Paytrail",
        "transaction_id": f"tx-{random.randrange(10**9):09}",
        "billing": address | {"email": f"{plain}@example.com", "phone": f"+35840{random.randrange(10**7):07}"},
        "shipping": address,
        "line_items": lines,
        "shipping_lines": [{"method_id": method, "method_title": title, "total": cost}],
    }
    if random.random() < 0.25:
        if coupons.find(_CODE) is None:
            coupons.create({"code": _CODE, "discount_type": "percent", "amount": "10"})
        body["coupon_lines"] = [{"code": _CODE}]
    return orders.create(body)["id"]
