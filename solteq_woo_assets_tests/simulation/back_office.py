"""What people find in Solteq, and how they change it: at once, or in a document that comes late."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from solteq_woo_assets_tests.simulation.world import World
from solteq_woo_sandbox.catalogue import gtin, wire_instant

Document = Mapping[str, Any]

STORES = {"1": "Verkkokauppa", "2": "Helsinki"}
GROUPS = ("Kahvi", "Sauna", "Kirjat")
SUPPLIERS = ("Rantakivi Tukku Oy", "Havuharjun Paja Oy")
VAT_RATES = (25.5, 25.5, 13.5, 10, 0)
COLOURS, SIZES = ("Sininen", "Punainen", "Vihreä"), ("S", "M", "L")
_NUMBERS = ("salesPrice", "freeBalance", "value")
_LATE = 0.12
"""How often a document of Solteq's people comes late."""


def living(world: World, feed: str) -> list[Document]:
    """The documents that have a key and are not deleted, in an order of Solteq's own."""
    read = world.solteq.control("GET", f"{feed}/all")
    return [each for each in read if isinstance(each, dict) and "modifiedAt" in each and not each.get("deleted")]


def documents(world: World, feed: str) -> list[Document]:
    """Those of them that can be read."""
    return [each for each in living(world, feed) if not is_broken(each)]


def is_broken(document: Document) -> bool:
    """Whether a person once stored it in a way that cannot be read."""
    return any(not _is_number(document[name]) for name in _NUMBERS if name in document)


def _is_number(value: object) -> bool:
    return isinstance(value, int | str) and str(value).lstrip("-").replace(".", "", 1).isdigit()


def put(world: World, random: Random, feed: str, *changes: Document) -> str:
    """Store documents, now or with a time that has passed; how late they are, in words.

    Late is up to four minutes, seldom up to an hour. No version is older than the one before it: that one would count.
    """
    if random.random() >= _LATE:
        world.solteq.put(feed, *changes)
        return ""
    late = timedelta(seconds=random.uniform(300, 3600) if random.random() < 0.1 else random.uniform(1, 240))
    now = world.clock.now.replace(tzinfo=UTC) + timedelta(seconds=world.clock.ahead("solteq"))
    stamped = [{**change, "modifiedAt": _after_the_last(world, feed, change, now - late)} for change in changes]
    world.solteq.put(feed, *stamped)
    return f" (late by {late.total_seconds():.0f} s)"


def _after_the_last(world: World, feed: str, change: Document, wanted: datetime) -> str:
    keys = ("productCode", "storeId") if feed == "balances" else ("id",)
    for held in world.solteq.control("GET", f"{feed}/all"):
        if isinstance(held, dict) and "modifiedAt" in held and all(held.get(key) == change[key] for key in keys):
            last = datetime.fromisoformat(str(held["modifiedAt"])) + timedelta(milliseconds=1)
            return wire_instant(max(wanted, last))
    return wire_instant(wanted)


def a_price(random: Random) -> float:
    """What things cost; a few have fractions of a cent, and one in ten is far from the others."""
    if random.random() < 0.1:
        return random.choice((2, 0.95, 120, 999.5))
    return random.choice(
        (random.randint(10, 40), random.randint(1000, 4000) / 100, random.randint(10000, 40000) / 1000)
    )


def moved_price(price: object, random: Random) -> float:
    """A new price for what cost so much, seldom less than half of it: a guard rail would stop it."""
    if _is_number(price) and float(str(price)) > 0 and random.random() < 0.85:
        return round(float(str(price)) * random.uniform(0.7, 1.4), random.choice((1, 2, 2, 3)))
    return a_price(random)


def a_product(identifier: str, code: str, random: Random, **fields: Any) -> dict[str, Any]:
    """A product as merchants make them."""
    number = int(identifier.removeprefix("p-"))
    return {
        "id": identifier,
        "code": code,
        "name": f"Tuote {code}",
        "modelNumber": None,
        "gtin": gtin(number) if random.random() < 0.5 else None,
        "productType": "Basic",
        "vatRate": random.choice(VAT_RATES),
        "productGroup": random.choice(GROUPS),
        "categories": [],
        "supplier": random.choice(SUPPLIERS),
        "salesPrice": a_price(random),
        "purchasePrice": random.choice((None, 1.2345, 4)),
        "discountedPrice": None,
        "attributes": {},
        "maxDiscountPercent": random.choice((None, None, None, 10)),
        "active": True,
        "deleted": False,
        **fields,
    }


def next_number(world: World, feed: str) -> int:
    """One that no document of the feed was ever known by."""
    return int(world.solteq.control("GET", feed)["count"]) + 1


def a_balance(code: str, store: str, free: float, **fields: Any) -> dict[str, Any]:
    """A store's balance of a product."""
    return {
        "productCode": code,
        "storeId": store,
        "storeName": STORES[store],
        "freeBalance": free,
        "reservedBalance": 0,
        "unit": "kpl",
        "deleted": False,
        **fields,
    }
