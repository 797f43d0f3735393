"""What shoppers do: register, order, pay now, later, on delivery or never, and keep their own data."""

from decimal import Decimal
from random import Random
from typing import Any

from solteq_woo_assets_tests.simulation.actions import Action, Deed, deed, to_one
from solteq_woo_assets_tests.simulation.store_front import (
    Document,
    a_person,
    a_phone,
    accounts,
    an_address,
    cents,
    goods,
    orders,
)
from solteq_woo_assets_tests.simulation.world import World

COUPONS = ("alku10", "viisi", "kappale")
_METHODS = {"paytrail": "Paytrail", "bacs": "Tilisiirto", "cod": "Postiennakko", "klarna": "Klarna"}
_FEES = (("Paketointi", ""), ("Toimitusmaksu", "reduced-rate"), ("Pantti", "zero-rate"))


def order(world: World, random: Random) -> Deed | None:
    return _order(world, random, at_most=3)


def order_much(world: World, random: Random) -> Deed | None:
    """The last pieces of something go."""
    return _order(world, random, at_most=1, empties=True)


def _order(world: World, random: Random, *, at_most: int, empties: bool = False) -> Deed | None:
    found = goods(world)
    if not found:
        return None
    chosen = random.sample(found, min(len(found), random.randint(1, at_most)))
    lines = [_line(random, *each, empties=empties) for each in chosen]
    body = _buyer(world, random) | {"line_items": lines} | _payment(random) | _extras(random)
    made = world.woo.rest("POST", "orders", body)
    bought = ", ".join(f"{line['quantity']} of {page['sku']}" for line, (_, page) in zip(lines, chosen, strict=True))
    return deed(f"order {made['id']}: {bought}, {made['total']}, {made['status']}", order=made["id"])


def _line(random: Random, parent: int, page: Document, *, empties: bool) -> dict[str, Any]:
    there = int(page["stock_quantity"]) if page["manage_stock"] is True else 3
    pieces = min(there, 9) if empties else random.randint(1, max(1, min(3, there)))
    return {"product_id": parent or page["id"], "variation_id": page["id"] if parent else 0, "quantity": pieces}


def _buyer(world: World, random: Random) -> dict[str, Any]:
    known = accounts(world)
    if known and random.random() < 0.5:
        account = random.choice(known)
        billing = {name: value for name, value in account["billing"].items() if value}
        names = {name: account[name] for name in ("first_name", "last_name", "email")}
        return {"customer_id": account["id"], "billing": {"country": "FI"} | names | billing}
    billing = a_person(random) | an_address(random) | {"phone": a_phone(random)}
    return {"billing": billing, "shipping": {**an_address(random)} if random.random() < 0.3 else {}}


def _payment(random: Random) -> dict[str, Any]:
    fate = random.choices(("now", "later", "invoice", "delivery", "never"), (52, 15, 12, 13, 8))[0]
    method = {"invoice": "bacs", "delivery": "cod"}.get(fate) or random.choice(("paytrail", "klarna"))
    body: dict[str, Any] = {"payment_method": method, "payment_method_title": _METHODS[method]}
    if fate == "now":
        return body | {"set_paid": True, "transaction_id": f"tx-{random.randrange(10**6)}"}
    return body | {"status": {"invoice": "on-hold", "delivery": "processing"}.get(fate, "pending")}


def _extras(random: Random) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if random.random() < 0.5:
        total = random.choice(("4.94", "3.98", "0", "7.128685"))
        body["shipping_lines"] = [{"method_id": "flat_rate", "method_title": "Paketti", "total": total}]
    fees = []
    if random.random() < 0.15:
        name, tax_class = random.choice(_FEES)
        fees.append({"name": name, "tax_class": tax_class, "total": cents(Decimal(random.randint(50, 600)) / 100)})
    if random.random() < 0.1:
        fees.append({"name": "Lahjakortti", "tax_status": "none", "total": f"-{random.choice(('5', '20', '7.33'))}"})
    if fees:
        body["fee_lines"] = fees
    if random.random() < 0.15:
        codes = random.sample(COUPONS, random.choice((1, 1, 2)))
        body["coupon_lines"] = [{"code": code} for code in codes]
    return body


def _unpaid(world: World) -> list[Document]:
    return orders(world, "pending", "failed")


@to_one(_unpaid)
def pay(world: World, random: Random, order: Document) -> Deed | None:
    """An order that waits for its payment gets it."""
    paid = {"set_paid": True, "transaction_id": f"tx-{random.randrange(10**6)}"}
    made = world.woo.rest("PUT", f"orders/{order['id']}", paid)
    return deed(f"order {made['id']} is paid: {made['status']}", order=made["id"])


def try_a_coupon_that_is_none(world: World, random: Random) -> Deed | None:
    """The store refuses it, and keeps a draft of the order."""
    found = goods(world)
    if not found:
        return None
    body = _buyer(world, random) | {"line_items": [_line(random, *random.choice(found), empties=False)]}
    made = world.woo.rest("POST", "orders", body | {"coupon_lines": [{"code": "ei-ole"}]}, may_fail=True)
    return deed(f"a coupon that is none: {made['message']}")


def register(world: World, random: Random) -> Deed | None:
    """As anybody, or with the address of a guest's order, or of somebody whom Solteq knows."""
    who = a_person(random)
    strangers = [each["billing"] for each in orders(world) if not each["customer_id"]]
    known = [each for each in world.solteq.control("GET", "customers/all") if isinstance(each, dict)]
    addresses = [*strangers, *(each for each in known if each.get("email") and not each.get("deleted"))]
    if addresses and random.random() < 0.5:
        same = random.choice(addresses)
        who["email"] = str(same["email"])
        if "firstName" in same:
            who |= {"first_name": str(same["firstName"]), "last_name": str(same["lastName"])}
    if who["email"].lower() in {each["email"].lower() for each in accounts(world, "all")} or not who["email"]:
        return None
    parts = {name: who[name] for name in ("first_name", "last_name", "email")}
    billing = parts | (an_address(random) if random.random() < 0.6 else {}) | {"phone": a_phone(random)}
    made = world.woo.control("PUT", "customers", {"customers": [parts | {"billing": billing}]})
    fields = _flat({**parts, "billing": billing})
    return deed(f"account {made['ids'][0]} for {who['email']}", account=made["ids"][0], fields=fields)


@to_one(accounts)
def edit_account(world: World, random: Random, account: Document) -> Deed | None:
    """Whoever does it, one thing of it changes."""
    what = random.choice(("phone", "address", "delivery", "name", "email", "company", "emptied"))
    changes: dict[str, Any] = {
        "phone": {"billing": {"phone": a_phone(random)}},
        "address": {"billing": an_address(random)},
        "delivery": {"shipping": an_address(random)},
        "name": {"last_name": a_person(random)["last_name"]},
        "email": {"email": a_person(random)["email"]},
        "company": {"billing": {"company": f"Esimerkkiyritys {random.randint(1, 9)} Oy"}},
        "emptied": {"billing": {"phone": ""}},
    }[what]
    if what == "email":
        if changes["email"] in {each["email"].lower() for each in accounts(world, "all")}:
            return None
        if random.random() < 0.5:
            changes |= {"billing": {"email": changes["email"]}}
    world.woo.control("PATCH", f"customers/{account['id']}", changes)
    return deed(f"account {account['id']}: {what} is {_flat(changes)}", account=account["id"], fields=_flat(changes))


def _flat(changes: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in changes.items():
        flat |= {f"{name}.{part}": each for part, each in value.items()} if isinstance(value, dict) else {name: value}
    return flat


ACTIONS = (
    Action("order", "shopper", order, 9.0, 0.45),
    Action("order the last pieces", "shopper", order_much, 1.5, 0.6),
    Action("pay", "shopper", pay, 1.8, 0.4),
    Action("try a coupon that is none", "shopper", try_a_coupon_that_is_none, 0.2),
    Action("register", "shopper", register, 1.5),
    Action("edit own data", "shopper", edit_account, 2.0, 0.5),
)
