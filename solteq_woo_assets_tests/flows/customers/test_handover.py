"""SKUs and GTINs handed on over real HTTP: between products, families and new ones, cut short, and refused."""

import random
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl
import pytest
from pydantic import SecretStr

from solteq_woo_assets.clients.woo import WooClient
from solteq_woo_assets.clients.woo_documents import ProductBatch, ProductWrite, StoreProduct
from solteq_woo_assets.engine import sql
from solteq_woo_assets.engine.delivery import deliver
from solteq_woo_assets.engine.ledger import DeliveryCounts
from solteq_woo_assets.errors import WooError
from solteq_woo_assets.flow import CHANGES_SCHEMA
from solteq_woo_assets.flows.products.outbox import ProductOutbox
from solteq_woo_assets.flows.products.snapshots import read_catalogue
from solteq_woo_assets_tests.conftest import Shop
from solteq_woo_sandbox import woo as woo_sandbox

FIELDS = {"sku": "sku", "gtin": "global_unique_id"}


class Shelf:
    """Products S0 and S1, and variations of the families F and G, by name; each with a SKU and a GTIN of its own."""

    def __init__(self, shop: Shop, woo: WooClient) -> None:
        self.shop = shop
        self.woo = woo
        self.ids: dict[str, tuple[int, int | None]] = {}
        for number, name in enumerate(("S0", "S1")):
            self.ids[name] = self._made(ProductBatch([self._new(name, number)], [])), None
        for family, names in {"F": ("F0", "F1"), "G": ("G0", "G1")}.items():
            attributes = [{"name": "Koko", "variation": True, "options": ["S", "L"]}]
            variable = ProductWrite.model_validate({"name": family, "type": "variable", "attributes": attributes})
            parent = self._made(ProductBatch([variable], []))
            for number, name in enumerate(names):
                variation = self._new(name, 10 + number + 2 * ord(family))
                self.ids[name] = self._made(ProductBatch([variation], [], parent)), parent

    def _new(self, name: str, number: int) -> ProductWrite:
        fields: dict[str, Any] = {"sku": name, "global_unique_id": f"64000000{number:05}", "regular_price": "10.00"}
        return ProductWrite.model_validate(fields | ({"name": name} if name.startswith("S") else {}))

    def _made(self, batch: ProductBatch) -> int:
        (made,) = self.woo.write(batch)
        assert isinstance(made, StoreProduct), made
        return made.id

    def held(self) -> dict[str, StoreProduct]:
        held: dict[str, StoreProduct] = {}
        for name, (woo_id, parent) in self.ids.items():
            (held[name],) = self.woo.read_by_id([woo_id], parent_id=parent)
        return held

    def send(self, wishes: dict[str, dict[str, str]], new: Sequence[tuple[str, int | None]] = ()) -> DeliveryCounts:
        """Deliver the delta that makes these wishes true, and products or variations that take a SKU as new."""
        held = self.held()
        rows = [self._row(name, held[name], wish) for name, wish in wishes.items()]
        for sku, parent in new:
            fields = {"sku": sku, "regular_price": "9.00"} | ({} if parent else {"name": sku})
            changes = [{"field": field, "old": None, "new": value} for field, value in fields.items()]
            kind = "variation" if parent else "simple"
            rows.append({"key": sku, "action": "create", "kind": kind, "parent_id": parent, "changes": changes})
            rows[-1]["reason"] = "test"
        random.Random(0).shuffle(rows)  # noqa: S311
        frame = pl.DataFrame(rows, schema=CHANGES_SCHEMA)
        with self.shop.database.transaction() as connection, sql.reading(connection, frame=frame):
            connection.execute("DELETE FROM delta.product_delta")
            connection.execute("INSERT INTO delta.product_delta BY NAME SELECT * FROM frame")
        return deliver(
            self.shop.database, ProductOutbox(self.woo, "products", "delta.product_delta"), "run", in_flight=2
        )

    def _row(self, name: str, held: StoreProduct, wish: dict[str, str]) -> dict[str, Any]:
        woo_id, parent = self.ids[name]
        changes = [
            {"field": FIELDS[kind], "old": getattr(held, FIELDS[kind]), "new": value}
            for kind, value in wish.items()
            if getattr(held, FIELDS[kind]) != value
        ]
        kind = "variation" if parent else "simple"
        row = {"key": wish.get("sku", name), "action": "update", "kind": kind, "woo_id": woo_id, "parent_id": parent}
        return row | {
            "reason": "test",
            "changes": [*changes, {"field": "regular_price", "old": "10.00", "new": "11.00"}],
        }

    def agrees(self, wishes: dict[str, dict[str, str]]) -> None:
        held = self.held()
        for name, wish in wishes.items():
            assert {kind: getattr(held[name], FIELDS[kind]) for kind in wish} == wish, name


@pytest.fixture
def shelf(shop: Shop) -> Iterator[Shelf]:
    secret = SecretStr(woo_sandbox.CONSUMER_SECRET)
    woo = WooClient(shop.settings.woo_url, woo_sandbox.CONSUMER_KEY, secret, in_flight=2)
    try:
        made = Shelf(shop, woo)
        read_catalogue(shop.database, woo, full=True)
        shop.woo.asked()
        yield made
    finally:
        woo.close()


CIRCLES = {
    "two products": (["S0", "S1"], 1),
    "two variations": (["F0", "F1"], 1),
    "a product and a variation": (["S0", "F0"], 3),
    "two families": (["F0", "G0"], 3),
    "everything": (["S0", "F0", "G0", "S1", "G1", "F1"], 8),
}


def rotated(shelf: Shelf, names: list[str], kind: str, *, open_end: bool) -> dict[str, dict[str, str]]:
    """Each gets what the next one has, the last one what the first has, or something new."""
    held = [getattr(shelf.held()[name], FIELDS[kind]) for name in names]
    last = "6499999999999" if kind == "gtin" else "FRESH"
    return {name: {kind: value} for name, value in zip(names, [*held[1:], last if open_end else held[0]], strict=True)}


@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("open_end", [False, True], ids=["circle", "chain"])
@pytest.mark.parametrize("turned", [False, True], ids=["there", "back"])
@pytest.mark.parametrize(("names", "most"), CIRCLES.values(), ids=CIRCLES.keys())
def test_values_go_round_in_one_delivery(
    shelf: Shelf, names: list[str], most: int, kind: str, *, open_end: bool, turned: bool
) -> None:
    wishes = rotated(shelf, names[::-1] if turned else names, kind, open_end=open_end)
    shelf.shop.woo.asked()
    counts = shelf.send(wishes)
    assert (counts.delivered, counts.undelivered) == (len(names), 0)
    shelf.agrees(wishes)
    writes = shelf.shop.woo.writes()
    assert len(writes) <= most
    assert sum(write["items"] for write in writes) == len(names) + (0 if open_end else 1)


def test_both_values_of_two_products_go_round_at_once(shelf: Shelf) -> None:
    held = shelf.held()
    wishes = {
        one: {"sku": held[other].sku, "gtin": held[other].global_unique_id}
        for one, other in (("S0", "S1"), ("S1", "S0"))
    }
    assert shelf.send(wishes).delivered == 2
    shelf.agrees(wishes)


def test_a_new_product_takes_the_sku_that_another_gives_up(shelf: Shelf) -> None:
    """In a request the store makes what is new first."""
    wishes = {"S0": {"sku": "OLD-S0"}, "F0": {"sku": "OLD-F0"}}
    counts = shelf.send(wishes, [("S0", None), ("F0", shelf.ids["F0"][1])])
    assert (counts.delivered, counts.undelivered) == (4, 0)
    shelf.agrees(wishes)
    assert {"S0", "F0"} <= shelf.shop.store().keys()


def test_a_swap_that_is_cut_short_is_carried_on_by_the_next_delivery(shelf: Shelf) -> None:
    """The store goes away when one has an intermediate SKU for the other's sake."""
    wishes = {"S0": {"sku": "F0"}, "F0": {"sku": "S0"}}
    shelf.shop.woo.fault(method="POST", path="/batch", skip=1, times=None, status=401, body="{}")
    with pytest.raises(WooError):
        shelf.send(wishes)
    held = {product.sku for product in shelf.held().values()}
    assert any(sku.startswith("moving-") for sku in held), held
    assert dict(shelf.shop.rows("SELECT state, count(*) FROM sync.deliveries GROUP BY ALL")).keys() <= {
        "pending",
        "unsent",
    }
    shelf.shop.woo.heal()
    assert shelf.send(wishes).delivered == 2
    shelf.agrees(wishes)


@pytest.mark.parametrize("names", [["S0", "S1"], ["S0", "F0"], ["F0", "G0"]], ids="-".join)
@pytest.mark.parametrize("refused", [0, 1])
def test_a_refusal_leaves_nobody_with_an_intermediate_value(shelf: Shelf, names: list[str], refused: int) -> None:
    """One of a swap also wants the GTIN of a product that is in no delta."""
    held = shelf.held()
    wishes = {names[0]: {"sku": names[1]}, names[1]: {"sku": names[0]}}
    wishes[names[refused]]["gtin"] = held["G1"].global_unique_id
    counts = shelf.send(wishes)
    assert counts.delivered + counts.undelivered == 2
    assert counts.refused >= 1
    skus = {name: product.sku for name, product in shelf.held().items()}
    assert sorted(skus[name] for name in names) == sorted(names)
    other = names[1 - refused]
    assert counts.delivered == (skus[other] == names[refused]), "who arrived has its value"
    del wishes[names[refused]]["gtin"]
    shelf.send(wishes)
    shelf.agrees(wishes)


def test_a_lost_answer_to_a_swap_is_read_back(shelf: Shelf) -> None:
    wishes = {"S0": {"sku": "S1"}, "S1": {"sku": "S0"}}
    for drop in ("after", "before"):
        shelf.shop.woo.fault(method="POST", path="products/batch", times=1, drop=drop)
        counts = shelf.send(wishes)
        assert (counts.delivered, counts.undelivered) == (2, 0)
        shelf.agrees(wishes)
        wishes = {"S0": {"sku": "S0"}, "S1": {"sku": "S1"}}


def test_a_store_that_takes_few_items_at_once(shelf: Shelf) -> None:
    shelf.shop.woo.put("settings", {"batch_limit": 2})
    wishes = rotated(shelf, ["S0", "S1"], "gtin", open_end=False)
    assert shelf.send(wishes).delivered == 2
    shelf.agrees(wishes)
