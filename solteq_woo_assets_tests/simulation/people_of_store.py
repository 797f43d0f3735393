"""The people of the store, and what is there on the first day."""

from random import Random

from solteq_woo_assets_tests.simulation import shopkeepers, shoppers, staff
from solteq_woo_assets_tests.simulation.actions import Action
from solteq_woo_assets_tests.simulation.back_office import documents
from solteq_woo_assets_tests.simulation.store_front import a_person, a_phone, an_address, pages
from solteq_woo_assets_tests.simulation.world import World

_TAX_CLASSES = {"25.5": "", "13.5": "reduced-rate", "10": "ten", "0": "zero-rate"}


def open_shop(world: World, random: Random) -> None:
    """Taxes, coupons and a few accounts; sometimes products that were there before the integration."""
    world.woo.control("PUT", "settings", {"tax_classes": {"ten": "10"}})
    world.set(tax_classes=_TAX_CLASSES, new_product_status=random.choice(("publish", "publish", "publish", "draft")))
    for code, kind, amount in (
        ("alku10", "percent", "10"),
        ("viisi", "fixed_cart", "5"),
        ("kappale", "fixed_product", "1.5"),
    ):
        world.woo.rest("POST", "coupons", {"code": code, "discount_type": kind, "amount": amount})
    _open_accounts(world, random)
    if random.random() < 0.3:
        _stock_pages(world, random)


def open_doors(world: World) -> None:
    """Shoppers can come: what waited as a draft is shown."""
    for page in pages(world, "draft"):
        world.woo.rest("PUT", f"products/{page['id']}", {"status": "publish"})


def _open_accounts(world: World, random: Random) -> None:
    """One of them may be somebody whom Solteq knows by the same address."""
    people = [a_person(random) for _ in range(random.randint(1, 3))]
    known = [each for each in documents(world, "customers") if each.get("email")]
    if known and random.random() < 0.7:
        same = random.choice(known)
        people[0] = {"first_name": same["firstName"], "last_name": same["lastName"], "email": same["email"]}
    by_email = {person["email"].lower(): person for person in reversed(people)}
    accounts = [
        {**person, "billing": {**person, **an_address(random), "phone": a_phone(random)}}
        for person in by_email.values()
    ]
    world.woo.control("PUT", "customers", {"customers": accounts})


def _stock_pages(world: World, random: Random) -> None:
    """Pages that the integration finds by their SKUs and adopts."""
    plain = [each for each in documents(world, "products") if not each.get("modelNumber")]
    for product in random.sample(plain, min(len(plain), random.randint(1, 4))):
        page = {"name": f"Vanha {product['code']}", "sku": product["code"], "regular_price": "17.50"}
        stock = {"manage_stock": True, "stock_quantity": random.randint(0, 5)} if random.random() < 0.5 else {}
        world.woo.rest("POST", "products", page | stock | {"status": random.choice(("publish", "draft"))})


ACTIONS: tuple[Action, ...] = (*shoppers.ACTIONS, *staff.ACTIONS, *shopkeepers.ACTIONS)
