"""The history of public prices: what it tells is what shoppers were shown, whenever the store was looked at."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from solteq_woo_assets.clients.woo_documents import StoreProduct
from solteq_woo_assets.engine.sql import define_macros
from solteq_woo_assets.engine.upgrades import bring_up
from solteq_woo_assets.flows.products.snapshots import forget, merge_catalogue
from solteq_woo_assets.flows.tables import MACROS, TABLES

START = datetime(2026, 3, 1)  # noqa: DTZ001  as the database keeps it
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def at(hour: float) -> datetime:
    return START + timedelta(hours=hour)


def product(
    modified: float, *, window: tuple[float | None, float | None] = (None, None), **fields: Any
) -> StoreProduct:
    """Product 1 with SKU A at 10.00, published, unless told otherwise.

    :param modified: the hour of the store's last change
    :param window: the hours between which the sale price holds; the store keeps the last second of it
    """
    opens, closes = window
    sound = {
        "id": 1,
        "type": "simple",
        "status": "publish",
        "sku": "A",
        "regular_price": "10",
        "date_on_sale_from_gmt": None if opens is None else at(opens),
        "date_on_sale_to_gmt": None if closes is None else at(closes) - SECOND,
        "date_modified_gmt": at(modified),
    }
    return StoreProduct.model_validate({**sound, **fields})


class Store:
    """A store that is looked at now and then."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def look(self, hour: float, *products: StoreProduct) -> None:
        """See these products; older versions than known are believed, as a full read does."""
        merge_catalogue(self.connection, products, seen=at(hour), replaced_before=datetime.max)  # noqa: DTZ901

    def gone(self, hour: float, *ids: int) -> None:
        assert forget(self.connection, ids, seen=at(hour)) == len(ids)

    def told(self, sku: str = "a") -> list[tuple[float, float, float | None]]:
        """The history: price, from which hour, until which hour."""
        rows = self.connection.execute(
            "SELECT price, valid_from, valid_to FROM sync.price_history WHERE sku = ? ORDER BY valid_from", [sku]
        ).fetchall()
        hour = timedelta(hours=1)
        return [
            (float(price), (opens - START) / hour, closes and (closes - START) / hour) for price, opens, closes in rows
        ]


@pytest.fixture(scope="module")
def memory() -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables, in memory."""
    with duckdb.connect() as connection:
        define_macros(connection, *MACROS)
        bring_up(connection, TABLES, None)
        yield connection


@pytest.fixture
def store(memory: duckdb.DuckDBPyConnection) -> Store:
    clear(memory)
    return Store(memory)


def clear(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("DELETE FROM snapshot.woo_catalogue; DELETE FROM sync.price_history")


def test_the_first_sight_begins_now(store: Store) -> None:
    """Since when the price had been shown by then, nobody knows."""
    store.look(5, product(1))
    assert store.told() == [(10, 5, None)]


@pytest.mark.parametrize(
    ("modified", "since", "why"),
    [
        (7, 7, "the store says when"),
        (9, 9, "just now"),
        (1, 9, "something wrote past WooCommerce: the time of change has not moved"),
        (-5, 9, "the store was restored from a backup"),
        (10, 9, "the store's clock is ahead"),
    ],
)
def test_a_changed_price_closes_the_one_before(store: Store, modified: float, since: float, why: str) -> None:
    store.look(2, product(1))
    store.look(9, product(modified, regular_price="12"))
    assert store.told() == [(10, 2, since), (12, since, None)], why


@pytest.mark.parametrize(
    ("window", "told"),
    [
        ((None, None), [(8, 2, None)]),
        ((None, 20), [(8, 2, 20), (10, 20, None)]),
        ((10, None), [(10, 2, 10), (8, 10, None)]),
        ((10, 20), [(10, 2, 10), (8, 10, 20), (10, 20, None)]),
        ((1, 20), [(8, 2, 20), (10, 20, None)]),
        ((-9, 1), [(10, 2, None)]),
        ((20, 10), [(10, 2, None)]),
    ],
)
def test_a_sale_is_planned_from_its_first_second_to_its_last(
    store: Store, window: tuple[float | None, float | None], told: list[tuple[float, float, float | None]]
) -> None:
    """The last second that the store holds is still at the sale price, so the plan ends a second later."""
    store.look(2, product(1, sale_price="8", window=window))
    assert store.told() == told


@pytest.mark.parametrize("sale_price", ["10", "12"])
def test_a_sale_price_that_is_no_lower_is_not_shown(store: Store, sale_price: str) -> None:
    store.look(2, product(1, sale_price=sale_price))
    assert store.told() == [(10, 2, None)]


def test_a_plan_that_changes_before_its_time_is_replaced(store: Store) -> None:
    store.look(0, product(0, sale_price="8", window=(10, 20)))
    store.look(5, product(4, sale_price="7", window=(12, 15)))
    assert store.told() == [(10, 0, 12), (7, 12, 15), (10, 15, None)]
    store.look(6, product(5, sale_price="7", window=(13, 15)))
    assert store.told() == [(10, 0, 13), (7, 13, 15), (10, 15, None)]
    store.look(7, product(7))
    assert store.told() == [(10, 0, None)]


def test_a_window_that_opened_and_closed_while_nobody_looked_stays(store: Store) -> None:
    """The store switched by itself, and then its cron emptied the sale."""
    store.look(0, product(0, sale_price="8", window=(10, 20)))
    store.look(30, product(21))
    assert store.told() == [(10, 0, 10), (8, 10, 20), (10, 20, None)]


def test_a_change_that_was_seen_late_takes_back_what_was_planned_after_it(store: Store) -> None:
    store.look(0, product(0, sale_price="8", window=(10, 20)))
    store.look(30, product(12, sale_price="8", window=(None, 25)))
    assert store.told() == [(10, 0, 10), (8, 10, 25), (10, 25, None)]
    store.look(32, product(31, regular_price="12"))
    assert store.told() == [(10, 0, 10), (8, 10, 25), (10, 25, 31), (12, 31, None)]


def test_the_same_price_with_another_end_goes_on(store: Store) -> None:
    """Also when the store's cron takes the beginning away, and when the change comes in the very second of the end."""
    store.look(0, product(0, sale_price="8", window=(10, 20)))
    store.look(12, product(11, sale_price="8", window=(None, 20)))
    store.look(20, product(20, sale_price="8", window=(None, 40)))
    store.look(21, product(21, sale_price="8"))
    assert store.told() == [(10, 0, 10), (8, 10, None)]


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "draft"},
        {"status": "private"},
        {"status": "pending"},
        {"status": "trash"},
        {"regular_price": ""},
        {"sku": ""},
        {"sku": " "},
    ],
)
def test_what_shoppers_do_not_see_has_no_public_price(store: Store, fields: dict[str, Any]) -> None:
    """To come and to go begins and ends the price."""
    store.look(0, product(0, **fields))
    assert store.told() == []
    store.look(5, product(5))
    store.look(8, product(8, **fields))
    assert store.told() == [(10, 5, 8)]
    store.look(9, product(9))
    assert store.told() == [(10, 5, 8), (10, 9, None)]


def test_a_withdrawn_product_has_no_plans(store: Store) -> None:
    store.look(0, product(0, sale_price="8", window=(10, 20)))
    store.look(12, product(12, sale_price="8", window=(10, 20), status="draft"))
    assert store.told() == [(10, 0, 10), (8, 10, 12)]


def test_another_regular_price_beside_the_same_sale_price_is_news(store: Store) -> None:
    """Whether a price is a reduction, and how large, depends on it."""
    store.look(0, product(0, sale_price="8"))
    store.look(5, product(5, sale_price="8", regular_price="12"))
    assert store.told() == [(8, 0, 5), (8, 5, None)]


def test_a_variation_is_as_public_as_its_parent(store: Store) -> None:
    parent = {"id": 7, "type": "variable", "sku": "P", "regular_price": ""}
    variation = product(0, id=8, parent_id=7, type="variation")
    store.look(0, product(0, **parent, status="draft"), variation)
    assert store.told() == []
    store.look(3, product(3, **parent))
    store.look(6, product(6, **parent, status="draft"))
    assert store.told() == [(10, 3, 6)]
    store.look(8, product(8, **parent))
    store.look(9, product(8, **parent), product(9, id=8, parent_id=7, type="variation", status="private"))
    assert store.told() == [(10, 3, 6), (10, 8, 9)]
    assert store.told("p") == []


def test_a_deleted_products_price_ends(store: Store) -> None:
    store.look(0, product(0, sale_price="8", window=(10, 20)), product(0, id=2, sku="B"))
    store.gone(5, 1)
    assert (store.told(), store.told("b")) == ([(10, 0, 5)], [(10, 0, None)])


def test_a_change_of_something_else_changes_nothing(store: Store) -> None:
    store.look(0, product(0, sale_price="8", window=(10, 20)))
    before = store.told()
    store.look(5, product(5, sale_price="8", window=(10, 20), name="Uusi", stock_quantity=3, sku=" a "))
    store.look(15, product(14, sale_price="8", window=(10, 20), stock_status="outofstock"))
    assert store.told() == before


def test_a_sku_that_moves_to_a_new_variation_goes_on(store: Store) -> None:
    """A simple product becomes variable: shoppers still see the same thing at the same price."""
    store.look(0, product(0))
    store.look(
        5,
        product(5, type="variable", sku="P", regular_price=""),
        product(5, id=2, parent_id=1, type="variation"),
    )
    assert (store.told(), store.told("p")) == ([(10, 0, None)], [])


def test_a_new_sku_ends_the_old_ones_price(store: Store) -> None:
    store.look(0, product(0))
    store.look(5, product(4, sku="B"))
    assert (store.told(), store.told("b")) == ([(10, 0, 5)], [(10, 5, None)])


def test_a_price_goes_on_when_its_former_product_is_deleted_later(store: Store) -> None:
    """Someone deletes the product and makes it anew; that the old one is gone only the next full read tells."""
    store.look(0, product(0))
    store.look(5, product(4, id=2, sale_price="8", window=(10, 20)))
    store.gone(12, 1)
    assert store.told() == [(10, 0, 10), (8, 10, 20), (10, 20, None)]


def test_a_price_goes_on_when_its_former_product_is_found_in_the_bin_later(store: Store) -> None:
    """The same, with the old one in the bin: the full read sees both."""
    store.look(0, product(0))
    store.look(5, product(4, id=2, regular_price="12"))
    store.look(9, product(4, id=2, regular_price="12"), product(3, status="trash"))
    assert store.told() == [(10, 0, 5), (12, 5, None)]


def test_two_products_with_one_sku_have_one_history(store: Store) -> None:
    """Imports do such things. One of the two prices is told, and nothing breaks."""
    store.look(0, product(0), product(0, id=2, regular_price="12"))
    assert store.told() == [(10, 0, None)]
    store.look(5, product(5, regular_price="11"), product(5, id=2, regular_price="13"))
    assert store.told() == [(10, 0, 5), (11, 5, None)]
    store.gone(7, 1)
    assert store.told() == [(10, 0, 5), (11, 5, 7), (13, 7, None)]


@dataclass(frozen=True)
class Item:
    """What the store holds of a product, times in minutes from the look."""

    status: str
    regular: str
    sale: str
    opens: int | None
    lasts: int | None
    age: int


@dataclass(frozen=True)
class Tag:
    """What decides the public price, and since when the store has it."""

    regular: Decimal
    sale: Decimal | None
    opens: datetime | None
    closes: datetime | None
    modified: datetime

    def price(self, instant: datetime) -> Decimal:
        """The rule, read aloud."""
        has_begun = self.opens is None or self.opens <= instant
        has_ended = self.closes is not None and instant > self.closes
        if self.sale is not None and self.sale < self.regular and has_begun and not has_ended:
            return self.sale
        return self.regular


SIMPLE, OTHER, PARENT, VARIATION = 1, 2, 3, 4
items = st.builds(
    Item,
    status=st.sampled_from(["publish"] * 7 + ["draft"]),
    regular=st.sampled_from(["10"] * 6 + ["9", ""]),
    sale=st.sampled_from(["8", "8", "8", "7", "9", ""]),
    opens=st.none() | st.integers(-60, 60),
    lasts=st.none() | st.integers(-5, 90),
    age=st.sampled_from([0, 1, 5, 20, 45, 90, -10]),
)
maybe = st.integers(0, 3).flatmap(lambda chance: items if chance else st.none())
looks = st.tuples(st.integers(1, 60), st.fixed_dictionaries(dict.fromkeys((SIMPLE, OTHER, PARENT, VARIATION), maybe)))


def shown(item_id: int, item: Item, seen: datetime) -> StoreProduct:
    """The item as the store gives it: its window ends at :59, as WooCommerce's own pages make it."""
    opens = None if item.opens is None else seen + item.opens * MINUTE
    closes = None if item.lasts is None else (opens or seen) + item.lasts * MINUTE - SECOND
    return product(
        0,
        id=item_id,
        sku=f"sku-{item_id}",
        parent_id=PARENT if item_id == VARIATION else 0,
        status=item.status,
        regular_price="" if item_id == PARENT else item.regular,
        sale_price=item.sale,
        date_on_sale_from_gmt=opens,
        date_on_sale_to_gmt=closes,
        date_modified_gmt=seen - item.age * MINUTE,
    )


def tag_of(held: dict[int, StoreProduct], item_id: int) -> Tag | None:
    """What shoppers see of it; ``None`` when they do not."""
    item, parent = held.get(item_id), held.get(PARENT) if item_id == VARIATION else None
    if item is None or item.regular_price is None or item.status != "publish":
        return None
    if parent is not None and parent.status != "publish":
        return None
    return Tag(
        item.regular_price,
        item.sale_price,
        item.date_on_sale_from_gmt,
        item.date_on_sale_to_gmt,
        max(item.date_modified_gmt, parent.date_modified_gmt) if parent else item.date_modified_gmt,
    )


def since_when(before: Tag | None, after: Tag | None, seen: datetime) -> datetime | None:
    """When a look's news began; ``None`` when it brings none."""
    if before is None or after is None:
        return None if before is after else seen
    if replace(before, modified=after.modified) == after:
        return None
    return after.modified if before.modified < after.modified <= seen else seen


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    steps=st.lists(looks, min_size=3, max_size=8),
    moments=st.lists(st.integers(0, 8 * 60 * 60), min_size=10, max_size=10),
)
def test_at_every_instant_the_history_tells_what_the_store_showed(
    memory: duckdb.DuckDBPyConnection, steps: list[tuple[int, dict[int, Item | None]]], moments: list[int]
) -> None:
    """Simple products and a variation, looked at now and then; past and planned prices alike, at edges and between."""
    clear(memory)
    held: dict[int, StoreProduct] = {}
    known: dict[int, list[tuple[datetime, Tag | None]]] = {SIMPLE: [], OTHER: [], VARIATION: []}
    edges: set[datetime] = set()
    seen = START
    for minutes, seen_items in steps:
        seen += minutes * MINUTE
        before = {item_id: tag_of(held, item_id) for item_id in known}
        products = {item_id: shown(item_id, item, seen) for item_id, item in seen_items.items() if item}
        merge_catalogue(memory, list(products.values()), seen=seen, replaced_before=datetime.max)  # noqa: DTZ901
        held |= products
        for item_id, story in known.items():
            after = tag_of(held, item_id)
            since = since_when(before[item_id], after, seen)
            if since is not None:
                event("as old as the store says" if since < seen else "as old as the look")
                story.append((since, after))
                edges |= {since, (after and after.opens) or since, (after and after.closes) or since}

    instants = {START + moment * SECOND for moment in moments} | {
        edge + offset for edge in edges for offset in (-SECOND, timedelta(0), SECOND)
    }
    for item_id, story in known.items():
        told = memory.execute(
            "SELECT price, regular_price, valid_from, coalesce(valid_to, '9999-01-01') FROM sync.price_history "
            "WHERE sku = ? ORDER BY valid_from",
            [f"sku-{item_id}"],
        ).fetchall()
        event(f"{min(len(told), 6)} intervals of {item_id}")
        assert all(opens < closes for _, _, opens, closes in told), "none is empty"
        for one, other in pairwise(told):
            assert one[3] < other[2] or (one[3] == other[2] and one[:2] != other[:2]), "apart, or different"
        for instant in sorted(instant for instant in instants if story and instant >= story[0][0]):
            tag = [tag for since, tag in story if since <= instant][-1]
            wanted = [] if tag is None else [(tag.price(instant), tag.regular)]
            assert [row[:2] for row in told if row[2] <= instant < row[3]] == wanted, (item_id, instant)
            event(f"{'planned' if instant > seen else 'past'}: {len(wanted) and wanted[0][0] < wanted[0][1]}")
