"""What people find in the store, and the handles by which they take it."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from random import Random
from typing import Any

from solteq_woo_assets_tests.simulation.world import World

Document = Mapping[str, Any]

FIRST_NAMES = ("Aino", "Eero", "Helmi", "Onni", "Siiri", "Väinö")
LAST_NAMES = ("Esimerkki", "Mallinen", "Näyte", "Kokeilu")
_STREETS = ("Esimerkkikatu", "Mallitie", "Kokeilupolku")
_PLACES = (("00999", "Helsinki"), ("33999", "Tampere"), ("90999", "Oulu"))
STAFF_ROLES = ("administrator", "editor", "shop_manager")


def orders(world: World, *statuses: str) -> list[Document]:
    """Orders in any of these statuses, newest first."""
    return world.woo.rest("GET", f"orders?status={','.join(statuses or ('any',))}&per_page=100")


def accounts(world: World, role: str = "customer") -> list[Document]:
    """Accounts with a role, or ``all`` of them, by id."""
    return world.woo.rest("GET", f"customers?role={role}&per_page=100&orderby=id&order=asc")


def pages(world: World, status: str = "any") -> list[Document]:
    """Products, without their variations."""
    return world.woo.rest("GET", f"products?status={status}&per_page=100&orderby=id&order=asc")


def variations(world: World) -> list[tuple[int, Document]]:
    """Each variation with its product's id."""
    rows = world.woo.rest("GET", "variations?per_page=100&orderby=id&order=asc")
    return [(row["parent_id"], row) for row in rows]


def path_of(page: Document, parent: int) -> str:
    """Where a product or variation is written."""
    return f"products/{parent}/variations/{page['id']}" if parent else f"products/{page['id']}"


def sellable_pages(world: World) -> list[tuple[int, Document]]:
    """What has a price of its own: simple products, with 0, and variations with their product's id."""
    simple = [(0, page) for page in pages(world) if page["type"] == "simple"]
    return [*simple, *variations(world)]


def goods(world: World) -> list[tuple[int, Document]]:
    """What a shopper can put into the basket now."""
    shown = {page["id"] for page in pages(world, "publish")}
    return [
        (parent, page)
        for parent, page in sellable_pages(world)
        if (parent or page["id"]) in shown
        and page["status"] == "publish"
        and page["price"] not in ("", None)
        and (page["manage_stock"] is not True or (page["stock_quantity"] or 0) > 0)
    ]


def a_person(random: Random) -> dict[str, str]:
    """Somebody's names, and a mailbox that several may come to share."""
    first, last = random.choice(FIRST_NAMES), random.choice(LAST_NAMES)
    mailbox = f"{first}.{last}{random.randint(1, 30)}".lower().translate(str.maketrans("äö", "ao"))
    return {"first_name": first, "last_name": last, "email": f"{mailbox}@example.com"}


def an_address(random: Random) -> dict[str, str]:
    """Where somebody lives, in the store's words."""
    code, city = random.choice(_PLACES)
    street = f"{random.choice(_STREETS)} {random.randint(1, 99)}"
    return {"address_1": street, "postcode": code, "city": city, "country": "FI"}


def a_phone(random: Random) -> str:
    return f"+35840000{random.randint(0, 9999):04}"


def cents(amount: Decimal) -> str:
    return f"{amount.quantize(Decimal('0.01'))}"


def lines_with_money(order: Document) -> Sequence[Document]:
    """The lines of goods of an order."""
    return [line for line in order["line_items"] if int(line["quantity"]) > 0]
