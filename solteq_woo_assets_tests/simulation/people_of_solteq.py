"""The people of Solteq, and what is there on the first day."""

from random import Random

from solteq_woo_assets_tests.simulation import clerks, discounts, merchants, till
from solteq_woo_assets_tests.simulation.actions import Action
from solteq_woo_assets_tests.simulation.back_office import COLOURS, SIZES, a_balance, a_product
from solteq_woo_assets_tests.simulation.clerks import a_customer
from solteq_woo_assets_tests.simulation.world import World


def open_shop(world: World, random: Random) -> None:
    """A small but full shop: plain products, a family of variants, services, balances, customers, a campaign."""
    products = [a_product(f"p-{number}", f"A{number}", random) for number in range(random.randint(6, 8))]
    products += _family(random, len(products))
    number = len(products)
    products.append(a_product(f"p-{number}", f"A{number}", random, productType="Service", gtin=None))
    products[0] |= {"discountedPrice": round(products[0]["salesPrice"] * 0.8, 2)}
    products[1] |= {"active": random.random() < 0.7}
    world.solteq.put("products", *products)
    world.solteq.put("balances", *_balances(random, products))
    customers: dict[str, dict[str, object]] = {}
    for number in range(random.randint(3, 5)):
        customer = a_customer(number, random)
        customers.setdefault(str(customer["email"]), customer)
    world.solteq.put("customers", *customers.values())
    discounts.begin(world, random)


def _family(random: Random, first: int) -> list[dict[str, object]]:
    chosen = [{"Väri": random.choice(COLOURS), "Koko": size} for size in SIZES[: random.randint(2, 3)]]
    price = random.randint(10, 40)
    return [
        a_product(
            f"p-{first + place}",
            f"M1-{place}",
            random,
            modelNumber="M1",
            productType="Variant",
            attributes=attributes,
            salesPrice=price + place,
            vatRate=25.5,
        )
        for place, attributes in enumerate(chosen)
    ]


def _balances(random: Random, products: list[dict[str, object]]) -> list[dict[str, object]]:
    balances: list[dict[str, object]] = []
    for product in products:
        if product["productType"] == "Service":
            continue
        code = str(product["code"])
        if code == "A2":
            balances.append(a_balance(code, "1", random.randint(500, 9000) / 1000, unit="kg"))
            continue
        balances.append(a_balance(code, "1", random.randint(0, 15), reservedBalance=random.choice((0, 0, 2))))
        if random.random() < 0.6:
            balances.append(a_balance(code, "2", random.randint(0, 8)))
    return balances


ACTIONS: tuple[Action, ...] = (*merchants.ACTIONS, *discounts.ACTIONS, *till.ACTIONS, *clerks.ACTIONS)
