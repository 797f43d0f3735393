"""What people do in the store: shoppers order and pay, its staff edits, refunds and bins."""

from random import Random

from solteq_woo_assets_tests.simulation.actions import Action
from solteq_woo_assets_tests.simulation.world import World


def open_shop(_world: World, _random: Random) -> None:
    """What is there on the first day: nothing, the integration fills it."""


def order(world: World, random: Random) -> str | None:
    goods = [each for each in world.woo.rest("GET", "products?status=publish&per_page=100") if each["stock_quantity"]]
    if not goods:
        return None
    good = random.choice(goods)
    pieces = random.randint(1, min(3, int(good["stock_quantity"])))
    made = world.woo.rest(
        "POST",
        "orders",
        {
            "set_paid": random.random() < 0.8,
            "payment_method": "paytrail",
            "payment_method_title": "Paytrail",
            "billing": {"first_name": "Aino", "last_name": "Esimerkki", "email": "guest@example.com", "country": "FI"},
            "line_items": [{"product_id": good["id"], "quantity": pieces}],
        },
    )
    return f"order {made['id']}: {pieces} of {good['sku']}, {made['total']}, {made['status']}"


def refund(world: World, random: Random) -> str | None:
    orders = world.woo.rest("GET", "orders?status=processing,completed&per_page=100")
    if not orders:
        return None
    chosen = random.choice(orders)
    left = float(chosen["total"]) + sum(float(each["total"]) for each in chosen["refunds"])
    if left <= 0.02:
        return None
    amount = f"{min(left, random.randint(1, 500) / 100):.2f}"
    made = world.woo.rest("POST", f"orders/{chosen['id']}/refunds", {"amount": amount, "api_refund": False})
    return f"refund {made['id']} of {amount} on order {chosen['id']}"


def set_status(world: World, random: Random) -> str | None:
    orders = world.woo.rest("GET", "orders?per_page=100")
    if not orders:
        return None
    chosen, status = random.choice(orders), random.choice(("completed", "on-hold", "cancelled", "processing", "failed"))
    world.woo.rest("PUT", f"orders/{chosen['id']}", {"status": status})
    return f"order {chosen['id']} is {status}"


ACTIONS = (
    Action("order", "shopper", order, 5.0),
    Action("refund", "staff", refund, 1.0),
    Action("set status", "staff", set_status, 1.5),
)
