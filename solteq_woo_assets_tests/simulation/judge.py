"""The judge: what must be true after quiet, by the contracts and by what people did."""

from collections.abc import Iterator
from decimal import Decimal

from solteq_woo_assets_tests.simulation.world import FLOW_NAMES, World


def verdict(world: World) -> list[str]:
    """The promises that were not kept, in words."""
    return [*_flows(world), *_books(world)]


def _flows(world: World) -> Iterator[str]:
    for name in FLOW_NAMES:
        if world.outcomes.get(name):
            yield f"liveness: {name} {world.outcomes[name]}"
    if not world.is_calm:
        yield "quiet: the last round of all flows still wrote"


def _books(world: World) -> Iterator[str]:
    booked: dict[str, Decimal] = {}
    for sale in world.solteq.control("GET", "sales"):
        number = str(sale["receiptNumber"]) if "receiptNumber" in sale else sale["externalId"].split(":")[-2]
        booked[number] = booked.get(number, Decimal(0)) + sum(Decimal(str(p["amount"])) for p in sale["payments"])
    yield from ()
