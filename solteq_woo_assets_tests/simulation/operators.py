"""What whoever runs the integration does: settings, and what is held back, by the functions of the command line."""

from datetime import time, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from solteq_woo_assets.cli.quarantine import _dismiss
from solteq_woo_assets.engine.lease import FlowLeases
from solteq_woo_assets.engine.snapshot import outdate
from solteq_woo_assets.flows.customers import assets as customers
from solteq_woo_assets.flows.customers import erasure
from solteq_woo_assets.flows.products import assets as products
from solteq_woo_assets.flows.products import links
from solteq_woo_assets.flows.sales import assets as sales
from solteq_woo_assets_tests.simulation.actions import Action, Deed, deed
from solteq_woo_assets_tests.simulation.back_office import documents
from solteq_woo_assets_tests.simulation.store_front import accounts, lines_with_money, orders
from solteq_woo_assets_tests.simulation.world import World

_SETTINGS: dict[str, tuple[Any, ...]] = {
    "stock_buffer": (0, 1, 2),
    "stock_stores": ([], ["1"], ["1", "2"]),
    "stock_store_changes": (False, True),
    "sale_statuses": (["processing", "completed"], ["completed"], ["processing", "completed", "on-hold"]),
    "end_of_business_day": (time(0), time(4), time(22, 30)),
    "new_product_status": ("publish", "draft"),
    "inactive_products": ("draft", "out_of_stock", "leave"),
    "binned_products": ("restore", "leave"),
    "campaign_choice": ("lowest", "priority"),
    "price_cut_percent": (5, 50),
    "price_cut_products_percent": (1, 20, 100),
    "mind_purchase_price": (False, True),
    "customer_accounts": ("existing", "groups", "all"),
    "guest_customers": (False, True),
    "customer_conflicts": ("solteq", "woocommerce", "newest"),
    "deleted_customers": ("keep", "remove"),
    "deleted_orders": ("keep", "reverse"),
    "old_order_refunds": ("report", "book"),
    "reversals_at_once": (0, 20),
    "reversals_percent": (0, 10),
    "guard_rail_hours": (1, 24),
    "sales_recheck_days": (0, 7),
    "requests_in_flight": (1, 2, 4),
}


def settle_in(world: World, random: Random) -> None:
    """Each shop has its own way."""
    world.set(customer_account_groups=["Kanta-asiakkaat"])
    if random.random() < 0.3:
        world.set(payment_fees={"lahjakortti": "GiftCard"})
    chosen = {name: random.choice(_SETTINGS[name]) for name in random.sample([*_SETTINGS], random.choice((0, 0, 2, 5)))}
    world.set(**chosen)
    world.tell("operator", f"begins with {chosen or 'the defaults'}")


def change_setting(world: World, random: Random) -> Deed | None:
    """One setting has another value, for the runs that begin after it."""
    if random.random() < 0.1:
        return _begin_earlier(world, random)
    name = random.choice([*_SETTINGS])
    before, value = getattr(world.settings, name), random.choice(_SETTINGS[name])
    if value == before:
        return None
    world.set(**{name: value})
    return deed(f"{name} is {value}, was {before}", setting=name)


def _begin_earlier(world: World, random: Random) -> Deed:
    first = (world.clock.now - timedelta(days=random.randint(0, 20))).date()
    world.set(sales_from=first)
    return deed(f"sales count from {first}", setting="sales_from")


def dismiss_record(world: World, random: Random) -> Deed | None:
    """Somebody saw what is held back, and lets it be."""
    rows = _held(world, "NOT starts_with(key, 'order ')")
    if not rows:
        return None
    row = random.choice(rows)
    said = _dismiss(world.database, row["key"], row["flow"], False)
    return deed(f"{row['key']} of {row['flow']}: {said}")


def dismiss_order(world: World, random: Random) -> Deed | None:
    """An order that is held back is booked by hand, which takes its pieces off the balance; or it is let be."""
    rows = _held(world, "flow = 'sales' AND starts_with(key, 'order ')")
    found = {str(order["id"]): order for order in orders(world)}
    rows = [row for row in rows if row["key"].removeprefix("order ") in found]
    if not rows:
        return None
    key, is_booked = random.choice(rows)["key"], random.random() < 0.5
    order = found[key.removeprefix("order ")]
    said = _dismiss(world.database, key, "sales", is_booked) or ""
    if "booked elsewhere" in said:
        _take_off(world, [(line["sku"], Decimal(line["quantity"])) for line in lines_with_money(order)])
        world.booked_elsewhere.add(order["id"])
    return deed(f"{key}: {said}", order=order["id"])


def erase_customer(world: World, random: Random) -> Deed | None:
    """Somebody wants to be forgotten: in Solteq, in the store, and here."""
    found = documents(world, "customers")
    if not found or not world.settings.database.exists() or world.is_running:
        return None
    customer = random.choice(found)
    same = [each for each in accounts(world) if each["email"].lower() == str(customer.get("email")).lower()]
    world.solteq.put("customers", {"id": customer["id"], "deleted": True})
    for account in same:
        world.woo.rest("DELETE", f"customers/{account['id']}?force=true")
    with FlowLeases(world.database) as leases:
        for flow in (customers.FLOW, sales.FLOW):
            leases.take(flow, "erase")
        erased = erasure.erase(world.database, str(customer["id"]))
    told = ", ".join(erased.words()) or "nobody here"
    return deed(f"customer {customer['id']} is erased: {told}", customer=customer["id"], erased=True)


def say_same_product(world: World, random: Random) -> Deed | None:
    """Codes that are on new documents are those of the store's products."""
    if not world.settings.database.exists() or world.is_running or random.random() < 0.5:
        return None
    with FlowLeases(world.database) as leases:
        leases.take(products.FLOW, "same-product")
        with world.database.transaction() as connection:
            done = links.same_product(connection, None)
            outdate(connection, products.FLOW, len(done))
    return deed(f"{', '.join(done)}: the same products as before") if done else None


def _held(world: World, which: str) -> list[dict[str, Any]]:
    if not world.settings.database.exists():
        return []
    return world.query(
        f"SELECT key, flow FROM sync.quarantine WHERE dismissed_at IS NULL AND {which} ORDER BY key, flow, field"
    )


def _take_off(world: World, pieces: list[tuple[str, Decimal]]) -> None:
    for code, sold in pieces:
        kept = [each for each in documents(world, "balances") if each["productCode"] == code]
        if kept:
            most = max(kept, key=lambda each: float(each["freeBalance"]))
            free = round(float(most["freeBalance"]) - float(sold), 3)
            world.solteq.put("balances", {"productCode": code, "storeId": most["storeId"], "freeBalance": free})


ACTIONS = (
    Action("change setting", "operator", change_setting, 5.0, 0.0),
    Action("erase customer", "operator", erase_customer, 0.7, 0.0),
    Action("say same product", "operator", say_same_product, 0.7, 0.0),
    Action("dismiss record", "operator", dismiss_record, 1.0, 0.2),
    Action("dismiss order", "operator", dismiss_order, 1.0, 0.2),
)
