"""What people do in Solteq: prices, stock, campaigns, customers, sales at the till."""

from random import Random

from solteq_woo_assets_tests.conftest import balance_document, campaign_document, customer_document, product_document
from solteq_woo_assets_tests.simulation.actions import Action
from solteq_woo_assets_tests.simulation.world import World


def open_shop(world: World, random: Random) -> None:
    """What is there on the first day."""
    for number in range(8):
        code = f"A{number}"
        world.solteq.put("products", product_document(code, salesPrice=random.randint(5, 200)))
        world.solteq.put("balances", balance_document(code, random.randint(0, 20)))
    world.solteq.put("customers", *(customer_document(number) for number in range(3)))


def set_price(world: World, random: Random) -> str:
    code, price = f"A{random.randrange(8)}", random.randint(100, 9999) / 100
    world.solteq.put("products", {"id": f"p-{code}", "salesPrice": price})
    return f"{code} costs {price}"


def set_balance(world: World, random: Random) -> str:
    code, pieces = f"A{random.randrange(8)}", random.randint(0, 20)
    world.solteq.put("balances", balance_document(code, pieces))
    return f"{pieces} of {code} are free"


def begin_campaign(world: World, random: Random) -> str:
    code, target = f"K{random.randrange(3)}", f"A{random.randrange(8)}"
    world.solteq.put("campaigns", campaign_document(code, target, value=random.randint(5, 40)))
    return f"campaign {code} for {target}"


ACTIONS = (
    Action("set price", "merchant", set_price),
    Action("set balance", "merchant", set_balance),
    Action("begin campaign", "merchant", begin_campaign),
)
