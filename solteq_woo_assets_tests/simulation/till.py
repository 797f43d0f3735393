"""What happens to the stock in Solteq: sales at the till, deliveries, parked orders, counts, transfers."""

from random import Random

from solteq_woo_assets_tests.simulation.actions import Action, Deed, deed, to_one
from solteq_woo_assets_tests.simulation.back_office import STORES, Document, a_balance, documents, put
from solteq_woo_assets_tests.simulation.world import World


def _balances(world: World) -> list[Document]:
    return documents(world, "balances")


def _set(
    world: World, random: Random, balance: Document, told: str, free: float, reserved: float | None = None
) -> Deed:
    change = {"productCode": balance["productCode"], "storeId": balance["storeId"], "freeBalance": round(free, 3)}
    if reserved is not None:
        change |= {"reservedBalance": round(reserved, 3)}
    late = put(world, random, "balances", change)
    where = f"{balance['productCode']} in {STORES[str(balance['storeId'])]}"
    return deed(f"{where}: {told}, {balance['freeBalance']} → {free:g} free{late}", product=balance["productCode"])


@to_one(_balances)
def sell(world: World, random: Random, balance: Document) -> Deed | None:
    """At the till; the last piece may go, and one that nobody counted."""
    free = float(balance["freeBalance"])
    pieces = random.choice((0.25, 1.5)) if balance["unit"] == "kg" else random.randint(1, 3)
    if free < pieces and random.random() < 0.9:
        return None
    return _set(world, random, balance, f"{pieces} sold", free - pieces)


@to_one(_balances)
def deliver(world: World, random: Random, balance: Document) -> Deed | None:
    pieces = random.randint(1, 12)
    return _set(world, random, balance, f"{pieces} delivered", float(balance["freeBalance"]) + pieces)


@to_one(_balances)
def park(world: World, random: Random, balance: Document) -> Deed | None:
    """An order waits at the till: its pieces are reserved. Or one that waited is fetched, or given up."""
    free, reserved = float(balance["freeBalance"]), float(balance["reservedBalance"])
    if reserved > 0 and random.random() < 0.6:
        if random.random() < 0.5:
            return _set(world, random, balance, "a parked order is fetched", free, reserved - 1)
        return _set(world, random, balance, "a parked order is given up", free + 1, reserved - 1)
    return _set(world, random, balance, "an order is parked", free - 1, reserved + 1) if free >= 1 else None


@to_one(_balances)
def count(world: World, random: Random, balance: Document) -> Deed | None:
    """The shelf is counted; sometimes it says less than nothing, or what a wrong unit made of it."""
    return _set(world, random, balance, "counted", random.choice((0, 0, random.randint(0, 15), -2)))


@to_one(_balances)
def transfer(world: World, random: Random, balance: Document) -> Deed | None:
    there = str(balance["storeId"])
    other = next(store for store in STORES if store != there)
    pieces = float(balance["freeBalance"])
    if pieces < 1:
        return None
    moved, code = random.randint(1, int(pieces)), str(balance["productCode"])
    held = {
        str(each["storeId"]): float(each["freeBalance"])
        for each in documents(world, "balances")
        if each["productCode"] == code
    }
    world.solteq.put("balances", {"productCode": code, "storeId": there, "freeBalance": round(pieces - moved, 3)})
    world.solteq.put("balances", a_balance(code, other, round(held.get(other, 0) + moved, 3), unit=balance["unit"]))
    return deed(f"{moved} of {code} go from {STORES[there]} to {STORES[other]}", product=code)


@to_one(_balances)
def stop_keeping(world: World, random: Random, balance: Document) -> Deed | None:
    """A store no longer keeps a product; its balance is a tombstone."""
    key = {"productCode": balance["productCode"], "storeId": balance["storeId"]}
    late = put(world, random, "balances", key | {"deleted": True})
    return deed(
        f"{STORES[str(balance['storeId'])]} keeps no {balance['productCode']}{late}", product=key["productCode"]
    )


def begin_keeping(world: World, random: Random) -> Deed | None:
    """A product that a store had not, or had no more."""
    kept = {(each["productCode"], each["storeId"]) for each in documents(world, "balances")}
    codes = [str(each["code"]) for each in documents(world, "products")]
    free = [(code, store) for code in codes for store in STORES if (code, store) not in kept]
    if not free:
        return None
    code, store = random.choice(free)
    late = put(world, random, "balances", a_balance(code, store, random.randint(1, 9)))
    return deed(f"{STORES[store]} keeps {code}{late}", product=code)


def change_manners(world: World, random: Random) -> Deed:
    """The feeds come in other pages, with or without repeats and older versions, and say more or less."""
    manners = {
        "unruly": random.random() < 0.8,
        "sparse": random.random() < 0.3,
        "page_size_cap": random.choice((2, 3, 5, 200, 200)),
    }
    world.solteq.control("PUT", "behaviour", manners)
    return deed(f"the feeds are {manners}")


ACTIONS = (
    Action("sell at the till", "till", sell, 3.5, 0.5),
    Action("deliver", "till", deliver, 2.0, 0.4),
    Action("park", "till", park, 0.8),
    Action("count", "till", count, 0.6),
    Action("transfer", "till", transfer, 0.4),
    Action("stop keeping", "till", stop_keeping, 0.2),
    Action("begin keeping", "till", begin_keeping, 0.4),
    Action("change manners", "solteq", change_manners, 0.5),
)
