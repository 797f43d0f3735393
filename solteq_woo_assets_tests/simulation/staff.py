"""What the store's staff does with orders: edits, states, refunds, the bin."""

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

from solteq_woo_assets_tests.simulation.actions import Action, Deed, deed, to_one
from solteq_woo_assets_tests.simulation.store_front import (
    Document,
    an_address,
    cents,
    goods,
    lines_with_money,
    orders,
)
from solteq_woo_assets_tests.simulation.world import World

_EDITABLE = ("pending", "on-hold", "processing", "completed")
_REFUNDABLE = ("processing", "completed", "on-hold")
Change = dict[str, Any]


def _picked(world: World, random: Random, *statuses: str) -> Document | None:
    found = orders(world, *statuses)
    return random.choice(found) if found else None


def _refundable(world: World) -> list[Document]:
    return orders(world, *_REFUNDABLE)


def _with_refunds(world: World) -> list[Document]:
    return [order for order in orders(world) if order["refunds"]]


def _binned(world: World) -> list[Document]:
    return orders(world, "trash")


# Edits


def edit(world: World, random: Random) -> Deed | None:
    """One thing of an order changes; seldom of one that had a refund, and never what was refunded of it."""
    found = [each for each in orders(world, *_EDITABLE) if not each["refunds"] or random.random() < 0.2]
    if not found:
        return None
    order = random.choice(found)
    name = random.choice([*(_ADDITIONS if order["refunds"] else _EDITS)])
    change = _EDITS[name](world, random, order)
    if change is None:
        return None
    made = world.woo.rest("PUT", f"orders/{order['id']}", change)
    told = f"order {order['id']}: {name}, {order['total']} → {made['total']}"
    return deed(told, order=order["id"], fields={name: change})


def _quantity(_world: World, random: Random, order: Document) -> Change | None:
    lines = lines_with_money(order)
    if not lines:
        return None
    line = random.choice(lines)
    pieces, before = random.randint(1, 4), int(line["quantity"])
    change = {"id": line["id"], "quantity": pieces}
    if random.random() < 0.8:  # else the price stays as it was, as over REST
        for name in ("subtotal", "total"):
            change[name] = cents(Decimal(line[name]) * pieces / before)
    return {"line_items": [change]}


def _line_away(_world: World, random: Random, order: Document) -> Change | None:
    lines = lines_with_money(order)
    return {"line_items": [{"id": random.choice(lines)["id"], "quantity": 0}]} if len(lines) > 1 else None


def _line_more(world: World, random: Random, _order: Document) -> Change | None:
    found = goods(world)
    if not found:
        return None
    parent, page = random.choice(found)
    variation = {"variation_id": page["id"]} if parent else {}
    return {"line_items": [{"product_id": parent or page["id"], "quantity": 1, **variation}]}


def _price(_world: World, random: Random, order: Document) -> Change | None:
    lines = lines_with_money(order)
    if not lines:
        return None
    line = random.choice(lines)
    total = cents(Decimal(line["total"]) * random.randint(40, 110) / 100)
    return {"line_items": [{"id": line["id"], "total": total}]}


def _address(_world: World, random: Random, _order: Document) -> Change | None:
    return {random.choice(("billing", "shipping")): an_address(random)}


def _shipping(_world: World, random: Random, order: Document) -> Change | None:
    total = random.choice(("0", "4.94", "9.90"))
    known = [{"id": line["id"], "total": total} for line in order["shipping_lines"]]
    return {"shipping_lines": known or [{"method_id": "flat_rate", "method_title": "Paketti", "total": total}]}


def _fee(_world: World, random: Random, order: Document) -> Change | None:
    if order["fee_lines"] and random.random() < 0.5:
        return {"fee_lines": [{"id": order["fee_lines"][0]["id"], "name": None}]}
    amount = random.choice(("2.50", "1", "-1.50"))
    return {"fee_lines": [{"name": "Sovittu", "total": amount}]}


def _note(_world: World, random: Random, _order: Document) -> Change | None:
    return {"customer_note": f"Soita ennen {random.randint(8, 18)}:00"}


_ADDITIONS: dict[str, Callable[[World, Random, Document], Change | None]] = {
    "a line more": _line_more,
    "an address": _address,
    "a note": _note,
}
_EDITS = _ADDITIONS | {
    "quantity": _quantity,
    "a line less": _line_away,
    "a price": _price,
    "shipping": _shipping,
    "a fee": _fee,
}


# States


def send(world: World, random: Random) -> Deed | None:
    """The parcel leaves; what is paid on delivery is paid by that."""
    return _enter(world, _picked(world, random, "processing"), "completed")


def set_status(world: World, random: Random) -> Deed | None:
    """What was cancelled comes back only where nothing was refunded: the store would take returned pieces again."""
    found = [
        each
        for each in orders(world, *_EDITABLE, "cancelled", "failed")
        if not each["refunds"] or each["status"] in _EDITABLE
    ]
    status = random.choice(("on-hold", "processing", "pending", "failed", "completed"))
    return _enter(world, random.choice(found) if found else None, status)


def cancel(world: World, random: Random) -> Deed | None:
    return _enter(world, _picked(world, random, *_EDITABLE), "cancelled")


def say_refunded(world: World, random: Random) -> Deed | None:
    """The status alone: the store makes a refund of the rest by itself."""
    return _enter(world, _picked(world, random, *_REFUNDABLE), "refunded")


def _enter(world: World, order: Document | None, status: str) -> Deed | None:
    if order is None or order["status"] == status:
        return None
    world.woo.rest("PUT", f"orders/{order['id']}", {"status": status})
    return deed(f"order {order['id']} is {status}, was {order['status']}", order=order["id"])


# Refunds


@to_one(_refundable)
def refund_lines(world: World, random: Random, order: Document) -> Deed | None:
    """Pieces come back, to the shelf or not."""
    lines = _never_refunded(world, order)
    if not lines:
        return None
    chosen = random.sample(lines, random.randint(1, min(2, len(lines))))
    wanted = [_part_of(line, random.randint(1, int(line["quantity"]))) for line in chosen]
    if order["shipping_lines"] and random.random() < 0.3:
        wanted.append(_part_of(order["shipping_lines"][0], 0))
    restock = random.random() < 0.6
    body = {"line_items": wanted, "amount": _sum(wanted), "api_restock": restock}
    return _refund(world, order, body, f"lines {'back on the shelf' if restock else 'lost'}")


@to_one(_refundable)
def refund_amount(world: World, random: Random, order: Document) -> Deed | None:
    left = _left(order)
    amount = min(left, Decimal(random.randint(1, 900)) / 100)
    if random.random() < 0.15:
        amount = left
    return _refund(world, order, {"amount": cents(amount)}, "an amount") if amount > 0 else None


@to_one(_refundable)
def refund_shipping(world: World, _random: Random, order: Document) -> Deed | None:
    if not order["shipping_lines"]:
        return None
    wanted = [_part_of(order["shipping_lines"][0], 0)]
    if Decimal(_sum(wanted)) <= 0:
        return None
    return _refund(world, order, {"line_items": wanted, "amount": _sum(wanted)}, "shipping")


@to_one(_refundable)
def refund_too_much(world: World, random: Random, order: Document) -> Deed | None:
    """More than is left is refused; more pieces than there were is not."""
    lines = lines_with_money(order)
    if lines and random.random() < 0.3:
        line = random.choice(lines)
        wanted = [_part_of(line, int(line["quantity"])) | {"quantity": int(line["quantity"]) + 1}]
        return _refund(world, order, {"line_items": wanted, "amount": _sum(wanted)}, "more pieces than it had")
    amount = cents(_left(order) + Decimal(random.randint(1, 5000)) / 100)
    return _refund(world, order, {"amount": amount}, "too much")


def _refund(world: World, order: Document, body: Change, how: str) -> Deed | None:
    made = world.woo.rest("POST", f"orders/{order['id']}/refunds", body | {"api_refund": False}, may_fail=True)
    if "id" not in made:
        return deed(f"refund of {body['amount']} on order {order['id']}, {how}: {made['message']}", order=order["id"])
    told = f"refund {made['id']} of {made['amount']} on order {order['id']}: {how}"
    return deed(told, order=order["id"], refund=made["id"])


def _never_refunded(world: World, order: Document) -> list[Document]:
    given = world.woo.rest("GET", f"orders/{order['id']}/refunds?per_page=100") if order["refunds"] else []
    taken = {
        str(meta["value"])
        for refund in given
        for line in refund["line_items"]
        for meta in line["meta_data"]
        if meta["key"] == "_refunded_item_id"
    }
    return [line for line in lines_with_money(order) if str(line["id"]) not in taken]


def _part_of(line: Document, pieces: int) -> Change:
    """These pieces of a line, or all of one that has no pieces; the tax is one: a line has one rate."""
    share = Decimal(pieces) / int(line["quantity"]) if pieces else Decimal(1)
    tax = [{"id": each["id"], "refund_total": cents(Decimal(line["total_tax"]) * share)} for each in line["taxes"][:1]]
    part: Change = {"id": line["id"], "refund_total": cents(Decimal(line["total"]) * share), "refund_tax": tax}
    return part | ({"quantity": pieces} if pieces else {})


def _sum(wanted: list[Change]) -> str:
    parts = [part for line in wanted for part in (line, *line["refund_tax"])]
    return cents(sum((Decimal(part["refund_total"]) for part in parts), Decimal(0)))


def _left(order: Document) -> Decimal:
    given = (Decimal(each["total"]) for each in order["refunds"] if each["total"] not in ("", "-"))
    return Decimal(order["total"]) + sum(given, Decimal(0))


@to_one(_with_refunds)
def delete_refund(world: World, random: Random, order: Document) -> Deed | None:
    refund = random.choice(order["refunds"])["id"]
    world.woo.rest("DELETE", f"orders/{order['id']}/refunds/{refund}?force=true")
    return deed(f"refund {refund} of order {order['id']} is deleted", order=order["id"], refund=refund)


# The bin


@to_one(orders)
def bin_order(world: World, _random: Random, order: Document) -> Deed | None:
    world.woo.rest("DELETE", f"orders/{order['id']}")
    return deed(f"order {order['id']} ({order['status']}) is in the bin", order=order["id"])


@to_one(_binned)
def restore_order(world: World, _random: Random, order: Document) -> Deed | None:
    kept = [meta["value"] for meta in order["meta_data"] if meta["key"] == "_wp_trash_meta_status"]
    status = kept[-1].removeprefix("wc-") if kept else "processing"
    world.woo.rest("PUT", f"orders/{order['id']}", {"status": status})
    return deed(f"order {order['id']} is back from the bin: {status}", order=order["id"])


def delete_order(world: World, random: Random) -> Deed | None:
    order = _picked(world, random, *random.choice((("trash",), ("pending", "cancelled", "failed"), ("any",))))
    if order is None:
        return None
    world.woo.rest("DELETE", f"orders/{order['id']}?force=true")
    return deed(f"order {order['id']} ({order['status']}) is deleted for good", order=order["id"])


ACTIONS = (
    Action("edit order", "staff", edit, 3.0, 0.45),
    Action("send", "staff", send, 2.5),
    Action("set status", "staff", set_status, 1.5),
    Action("cancel", "staff", cancel, 1.5, 0.45),
    Action("say refunded", "staff", say_refunded, 0.5),
    Action("refund lines", "staff", refund_lines, 2.0, 0.45),
    Action("refund amount", "staff", refund_amount, 1.5, 0.45),
    Action("refund shipping", "staff", refund_shipping, 0.7),
    Action("refund too much", "staff", refund_too_much, 0.4),
    Action("delete refund", "staff", delete_refund, 0.7),
    Action("bin order", "staff", bin_order, 0.5),
    Action("restore order", "staff", restore_order, 0.5),
    Action("delete order", "staff", delete_order, 0.3),
)
