"""Delivery over real HTTP: nothing is sent twice, nothing is lost, and no store in trouble fills the quarantine."""

import json
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr

from solteq_woo_assets.clients.woo import WooClient
from solteq_woo_assets.clients.woo_batches import ItemRefused
from solteq_woo_assets.clients.woo_documents import ProductBatch, ProductWrite, StoreProduct
from solteq_woo_assets.engine.blame import DOUBT_AFTER
from solteq_woo_assets.engine.database import utc_now
from solteq_woo_assets.engine.delivery import deliver
from solteq_woo_assets.engine.ledger import DeliveryCounts
from solteq_woo_assets.errors import OutcomeUnknownError, WooError
from solteq_woo_assets.flows.products.outbox import ProductOutbox
from solteq_woo_assets_tests.conftest import Shop, product_document
from solteq_woo_assets_tests.engine.conftest import Template
from solteq_woo_assets_tests.engine.flows import run_flows, run_out_of_disk
from solteq_woo_assets_tests.engine.processes import exit_code, started
from solteq_woo_sandbox import catalogue
from solteq_woo_sandbox import woo as woo_sandbox

HTML = {"status": 200, "headers": {"Content-Type": "text/html"}, "body": "<h1>Just a moment</h1>"}
REFUSED = '{"code": "woocommerce_rest_cannot_batch", "message": "Sorry", "data": {"status": 403}}'


def put(shop: Shop, *codes: str, **fields: Any) -> None:
    """Products in Solteq, all at once."""
    shop.solteq.put("products", {"documents": [product_document(code, **fields) for code in codes]})


def numbered(count: int) -> list[str]:
    """Codes in the order in which they are sent."""
    return [f"A{number:03}" for number in range(count)]


def why(result: dg.ExecuteInProcessResult) -> str:
    """What the failed step says."""
    failures = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    return str([failure.user_failure_data.description for failure in failures if failure.user_failure_data])


def states(shop: Shop) -> dict[str, int]:
    """The ledger: how many rows are in which state."""
    return dict(shop.rows("SELECT state, count(*) FROM sync.deliveries GROUP BY ALL"))


def batches(shop: Shop) -> list[int]:
    """How many items each write had since the last look."""
    return [write["items"] for write in shop.woo.writes()]


class PickyStore(WooClient):
    """The store, behind something that fails each batch with certain products in it."""

    def __init__(self, shop: Shop, fail: Callable[[], Exception], skus: Sequence[str], **arguments: Any) -> None:
        secret = SecretStr(woo_sandbox.CONSUMER_SECRET)
        super().__init__(shop.settings.woo_url, woo_sandbox.CONSUMER_KEY, secret, **arguments)
        self.fail = fail
        self.skus = set(skus)
        self.tried: list[int] = []

    def write(self, batch: ProductBatch) -> list[StoreProduct | ItemRefused]:
        self.tried.append(len(batch))
        if any(write.sku in self.skus for write in batch.creates):
            raise self.fail()
        return super().write(batch)


@contextmanager
def picky(
    shop: Shop, fail: Callable[[], Exception], skus: Sequence[str] = (), **arguments: Any
) -> Iterator[PickyStore]:
    """With the delta made, a store to deliver it to."""
    run_flows(shop.settings, "delta", "products up to the delta")
    woo = PickyStore(shop, fail, skus, **arguments)
    try:
        yield woo
    finally:
        woo.close()


def send(shop: Shop, woo: WooClient, run_id: str = "delivery", **arguments: Any) -> DeliveryCounts:
    """Deliver the product delta."""
    outbox = ProductOutbox(woo, "products", "delta.product_delta")
    return deliver(shop.database, outbox, run_id, in_flight=1, **arguments)


def too_large() -> WooError:
    return WooError("413: too large", status=413)


def crash() -> OutcomeUnknownError:
    return OutcomeUnknownError("500: there has been a critical error")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 401, "body": "{}"}, "WOO_CONSUMER_KEY"),
        ({"status": 403, "body": REFUSED}, "Read/Write permission"),
        ({"status": 500}, "500"),
        ({"status": 503, "body": "<h1>Maintenance</h1>"}, "503"),
        (HTML, "Just a moment"),
    ],
    ids=["401", "403", "500", "503", "html"],
)
@pytest.mark.parametrize("method", ["POST", None], ids=["writes", "everything"])
def test_a_store_that_is_away_fails_the_run_in_words_and_the_next_one_carries_on(
    shop: Shop, fault: dict[str, Any], words: str, method: str | None
) -> None:
    """Whatever it answers for ever: nothing is lost, nobody is put into quarantine for it."""
    codes = numbered(250)
    put(shop, *codes)
    shop.woo.fault(path="/wp-json/", method=method, times=None, **fault)
    result = shop.run("products_to_woo")
    assert not result.success
    assert words in why(result)
    assert "WooCommerce" in why(result)
    assert len(batches(shop)) < 40, "it was hammered"
    assert shop.rows("FROM sync.quarantine") == []
    left = states(shop)
    assert left.keys() <= {"unsent", "retry", "pending"}
    assert sum(left.values()) == (250 if method else 0), "every write is in the ledger before any leaves"
    shop.woo.heal()
    shop.sync("products_to_woo")
    assert sorted(shop.store()) == codes
    assert states(shop).keys() <= {"delivered", "interrupted", "superseded"}


def test_refused_connections_fail_the_run_in_words(shop: Shop) -> None:
    put(shop, "A1")
    url = shop.settings.woo_url
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        shop.with_settings(WOO_URL=f"http://127.0.0.1:{free.getsockname()[1]}")
        result = shop.run("products_to_woo")
    assert "no connection (Connection refused)" in why(result)
    shop.with_settings(WOO_URL=url)
    shop.sync("products_to_woo")
    assert set(shop.store()) == {"A1"}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"path": "connect/token", "status": 400, "body": '{"error": "invalid_client"}'}, "SOLTEQ_CLIENT_SECRET"),
        ({"path": "v1-ext", "status": 403}, "scope"),
        ({"path": "v1-ext", "status": 500}, "500"),
        ({"path": "v1-ext", **HTML}, "Just a moment"),
        ({"path": "v1-ext", "drop": "before"}, "broke off"),
    ],
    ids=["credentials", "403", "500", "html", "dropped"],
)
def test_solteq_away_fails_the_run_in_words_and_nothing_is_written(
    shop: Shop, fault: dict[str, Any], words: str
) -> None:
    put(shop, "A1")
    shop.solteq.fault(times=None, **fault)
    result = shop.run("products_to_woo")
    assert not result.success
    assert words in why(result)
    assert "Solteq" in why(result)
    assert shop.woo.writes() == []
    shop.solteq.heal()
    shop.sync("products_to_woo")
    assert set(shop.store()) == {"A1"}


def test_solteq_that_breaks_off_halfway_through_is_read_from_the_start_again(shop: Shop) -> None:
    """The watermark moves with the last page, never before."""
    put(shop, *numbered(450))
    shop.solteq.fault(path="v1-ext/products", skip=2, times=None, status=500)
    assert not shop.run("products_to_woo").success
    shop.solteq.heal()
    shop.sync("products_to_woo")
    assert len(shop.store()) == 450


def test_one_bad_product_among_ten_thousand(shop: Shop) -> None:
    documents = list(catalogue.bulk_products(10_000))
    documents[5_000]["salesPrice"] = -1
    bad = documents[5_000]["code"]
    shop.solteq.put("products", {"documents": documents})
    shop.woo.asked()
    (run,) = shop.sync("products_to_woo")
    assert (run["product_delta"]["created"], run["product_delta"]["quarantined"]) == (9_999, 1)
    assert run["woo_products"]["created"] == 9_999
    assert sum(batches(shop)) == 9_999
    assert shop.rows("SELECT key, field, reason FROM sync.quarantine") == [(bad, "salesPrice", "the price is negative")]
    assert shop.rows("SELECT count(*), count(DISTINCT sku) FROM snapshot.woo_catalogue") == [(9_999, 9_999)]


def test_a_refused_item_rests_until_its_source_changes_or_it_is_asked_for(shop: Shop) -> None:
    """GTIN held by a product that the store does not show us: its words are kept, and nobody runs in circles."""
    put(shop, "GOOD")
    put(shop, "TAKEN", gtin="6412345678907")
    error = {"code": "product_invalid_global_unique_id", "message": "Invalid or duplicated GTIN.", "data": {}}
    refusal = {"create": [{"id": 0, "error": error}]}
    shop.sync("products_to_woo")
    put(shop, "TAKEN-2", gtin="6412345678914")

    def refuse() -> None:
        shop.woo.fault(method="POST", path="products/batch", status=200, body=json.dumps(refusal))

    refuse()
    (run,) = shop.sync("products_to_woo")
    assert (run["woo_products"]["refused"], run["woo_products"]["quarantined"]) == (1, 1)
    held = shop.rows("SELECT key, reason FROM sync.quarantine")
    assert held == [("TAKEN-2", "product_invalid_global_unique_id: Invalid or duplicated GTIN.")]
    shop.woo.asked()
    shop.sync("products_to_woo", "products_to_woo")
    assert shop.woo.writes() == []
    refuse()
    put(shop, "TAKEN-2", gtin="6412345678921")
    shop.sync("products_to_woo")
    assert batches(shop) == [1]
    shop.sync("products_to_woo")
    assert shop.woo.writes() == []
    shop.sync("reconcile_all")
    assert batches(shop) == [1]
    assert "TAKEN-2" in shop.store()
    assert shop.rows("FROM sync.quarantine") == []


def test_an_item_that_is_too_large_stands_alone_and_the_rest_goes_in_full_batches(shop: Shop) -> None:
    codes = numbered(400)
    put(shop, *codes)
    with picky(shop, too_large, ["A000"]) as woo:
        counts = send(shop, woo)
        assert (counts.delivered, counts.refused) == (399, 1)
        # 100, 50, 25, 12, 6, 3, 1 with the item in it, the other halves, and three lots in halves at most
        assert len(woo.tried) <= 7 + 6 + 3 * 2
    assert sorted(shop.store()) == codes[1:]
    assert shop.rows("SELECT key FROM sync.quarantine") == [("A000",)]


def test_an_item_that_crashes_the_store_stands_alone(shop: Shop) -> None:
    codes = numbered(60)
    put(shop, *codes)
    with picky(shop, crash, ["A030", "A031", "A059"]) as woo:
        counts = send(shop, woo)
    assert (counts.delivered, counts.refused, counts.retry) == (57, 0, 3)
    assert len(shop.store()) == 57
    assert shop.rows("SELECT key, runs FROM sync.failures ORDER BY key") == [("A030", 1), ("A031", 1), ("A059", 1)]
    assert shop.rows("FROM sync.quarantine") == []
    assert states(shop) == {"delivered": 57, "retry": 3}
    errors = shop.rows("SELECT DISTINCT contains(error, 'critical error') FROM sync.deliveries WHERE state = 'retry'")
    assert errors == [(True,)]


@pytest.mark.parametrize("fail", [crash, too_large], ids=["crash", "413"])
def test_a_store_that_fails_whatever_is_sent_is_to_blame_not_the_products(
    shop: Shop, fail: Callable[[], Exception]
) -> None:
    codes = numbered(300)
    put(shop, *codes)
    with picky(shop, fail, codes) as woo:
        with pytest.raises(WooError, match="whatever is sent"):
            send(shop, woo)
        assert woo.tried.count(1) <= 2 * DOUBT_AFTER
        assert len(woo.tried) < 40
        assert shop.rows("FROM sync.quarantine") == []
        woo.skus = set()
        run_flows(shop.settings, "delta", "products up to the delta")
        assert send(shop, woo, "again").delivered == 300
    assert states(shop).keys() - {"interrupted"} == {"superseded", "delivered"}


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_dropped_batch_is_read_back_and_only_what_was_not_done_is_sent_again(shop: Shop, drop: str) -> None:
    put(shop, *numbered(100))  # one batch: of two side by side, either could be dropped
    shop.woo.fault(method="POST", path="products/batch", times=1, drop=drop)
    shop.sync("products_to_woo")
    assert batches(shop) == ([100] if drop == "after" else [100, 50, 50])
    assert len(shop.store()) == 100


def test_a_batch_that_times_out_and_is_done_later_makes_nothing_twice(shop: Shop) -> None:
    """The store works on after we have gone; what we send meanwhile and what it makes then meet at the SKU."""
    put(shop, *numbered(4))
    with picky(shop, crash, read_seconds=0.5) as woo:
        shop.woo.fault(method="POST", path="products/batch", times=1, delay_seconds=2)
        counts = send(shop, woo)
    assert (counts.delivered, counts.refused) == (4, 0)
    shop.woo.fault(method="GET", path="/products", times=1, delay_seconds=2)  # so that the late batch goes first
    assert sorted(shop.store()) == numbered(4)
    run_flows(shop.settings, "look", "preview")
    assert shop.rows("SELECT count(*) FROM snapshot.woo_catalogue") == [(4,)]
    assert shop.rows("FROM delta.product_delta") == []


def test_what_was_answered_before_the_store_went_away_is_settled(shop: Shop) -> None:
    """Halves of one batch, too: the first was answered, the second was not."""
    put(shop, *numbered(100))
    run_flows(shop.settings, "delta", "products up to the delta")
    shop.woo.put("settings", {"batch_limit": 50})
    shop.woo.fault(method="POST", path="products/batch", skip=2, times=None, status=401, body="{}")
    with picky(shop, crash) as woo, pytest.raises(WooError, match="WOO_CONSUMER_KEY"):
        send(shop, woo)
    assert states(shop) == {"delivered": 50, "unsent": 50}


def test_a_delivery_that_is_told_to_stop_leaves_the_rest_to_the_next_one(shop: Shop) -> None:
    put(shop, *numbered(300))
    run_flows(shop.settings, "delta", "products up to the delta")
    with picky(shop, crash) as woo:
        counts = send(shop, woo, stop=lambda: len(woo.tried) > 0)
    assert (counts.delivered, counts.unsent, counts.undelivered) == (100, 200, 200)
    assert states(shop) == {"delivered": 100, "unsent": 200}
    shop.sync("products_to_woo")
    assert len(shop.store()) == 300
    assert states(shop).keys() == {"delivered", "superseded"}


def test_new_variations_wait_until_their_parent_is_variable(shop: Shop) -> None:
    """A model number that the store would mangle: the conversion is refused, and nothing is hung under a simple
    product, where nobody would ever see it. This holds for the runs that follow, too."""
    put(shop, "T-S", modelNumber="T%20", attributes={"Koko": "S"})
    shop.sync("products_to_woo")
    put(shop, "T-L", modelNumber="T%20", attributes={"Koko": "L"})
    for _ in range(2):
        (run,) = shop.sync("products_to_woo")
        assert run["woo_products"]["waiting"] == 2
        assert {sku: product.type for sku, product in shop.store().items()} == {"T-S": "simple"}
    assert shop.rows("SELECT key FROM sync.quarantine") == [("T%20",)]


OWNED = {
    "id",
    "name",
    "type",
    "status",
    "sku",
    "regular_price",
    "sale_price",
    "date_on_sale_from_gmt",
    "date_on_sale_to_gmt",
    "tax_class",
    "global_unique_id",
    "manage_stock",
    "stock_quantity",
    "attributes",
    "meta_data",
    "cost_of_goods_sold",
}
AT_CREATION = {"name", "type", "status"}
STOCK = {"manage_stock", "stock_quantity"}


def test_only_owned_fields_reach_the_store(template: Template, monkeypatch: pytest.MonkeyPatch) -> None:
    """design.md, principle 4, over deltas with every action: a name is the store's once it is made, a status is
    touched to withdraw and to bring back, stock is the balances' flow's, and our meta is ours."""
    assert set(ProductWrite.model_fields) == OWNED
    write = WooClient.write
    sent: list[tuple[bool, dict[str, Any]]] = []

    def seen(client: WooClient, batch: ProductBatch) -> Any:
        sent.extend((True, item.to_wire()) for item in batch.creates)
        sent.extend((False, item.to_wire()) for item in batch.updates)
        return write(client, batch)

    monkeypatch.setattr(WooClient, "write", seen)
    with template.copied("owned") as shop:
        run_flows(shop.settings, "products", "products")
        actions = {action for (action,) in shop.rows("SELECT DISTINCT action FROM sync.deliveries")}
        assert actions == {"create", "update", "convert", "withdraw", "restore"}
        for is_new, body in sent:
            assert body.keys() <= (OWNED if is_new else OWNED - {"name", "stock_quantity"}), body
            assert {meta["key"] for meta in body.get("meta_data", [])} <= {
                "_solteq_purchase_price",
                "_solteq_store_balances",
            }
        touched = {
            key
            for key, changes in shop.rows(
                "SELECT key, list_transform(changes, lambda c: c.field) FROM sync.deliveries "
                "WHERE run_id = 'products' AND action NOT IN ('create', 'withdraw', 'restore')"
            )
            if set(changes) & (AT_CREATION | STOCK)
        }
        assert touched == {"T"}, "the conversion alone changes a type, and hands its stock over"
        sent.clear()
        run_flows(shop.settings, "balances", "balances")
        assert len(sent) == 9
        for is_new, body in sent:
            assert not is_new
            assert body.keys() <= STOCK | {"id", "meta_data"}, body
            assert {meta["key"] for meta in body.get("meta_data", [])} <= {"_solteq_store_balances"}


@pytest.mark.slow
@pytest.mark.parametrize("transactions", [1, 4, 8, 11, 13])
def test_a_disk_that_fills_up_on_the_way_fails_in_words_and_the_next_run_carries_on(
    template: Template, transactions: int
) -> None:
    with template.copied(f"disk {transactions}") as shop:
        assert exit_code(started(run_out_of_disk, shop.settings, transactions)) == 0
        run_flows(shop.settings, "after", "products")
        assert states(shop).keys() <= {"delivered", "interrupted", "superseded"}
        told = run_flows(shop.settings, "look", "preview")
        assert (told["product_delta"]["created"], told["product_delta"]["updated"]) == (0, 0)
        assert shop.rows("SELECT count(*), count(DISTINCT sku) FROM snapshot.woo_catalogue") == [(14, 14)]


def test_a_store_that_uses_ids_anew_is_put_right_by_the_next_run(shop: Shop) -> None:
    """After a restore from a backup a product may have another's id, and no time of change tells of it."""
    put(shop, "A", salesPrice=10)
    put(shop, "B", salesPrice=20)
    run_flows(shop.settings, "first", "products")
    first = {sku: product.id for sku, product in shop.store().items()}
    with shop.database.transaction() as connection:
        connection.execute(
            "UPDATE snapshot.woo_catalogue SET id = CASE id WHEN $a THEN $b ELSE $a END, "
            "regular_price = CASE sku WHEN 'A' THEN 10 ELSE 20 END",
            {"a": first["A"], "b": first["B"]},
        )
        connection.execute("DELETE FROM sync.links")
        connection.execute("UPDATE sync.watermarks SET position = position + INTERVAL 1 HOUR")  # nothing seems changed
        connection.execute("UPDATE sync.watermarks SET position = '2000-01-01' WHERE feed LIKE '%solteq%'")
    put(shop, "A", salesPrice=12)
    told = run_flows(shop.settings, "on wrong ids", "products")
    assert told["woo_products"]["retried_next_run"] == 1
    run_flows(shop.settings, "after", "products")
    run_flows(shop.settings, "and after", "products")
    store = shop.store()
    assert {sku: (store[sku].id, int(store[sku].regular_price or 0)) for sku in "AB"} == {
        "A": (first["A"], 12),
        "B": (first["B"], 20),
    }


def test_a_refusal_of_what_is_not_due_any_more_leaves_the_quarantine(shop: Shop) -> None:
    put(shop, "A", gtin="6412345678907")
    shop.make(name="Other", type="simple", sku="B", global_unique_id="6412345678910")
    run_flows(shop.settings, "first", "products")
    with shop.database.transaction() as connection:
        connection.execute(
            "INSERT INTO sync.quarantine VALUES "
            "('products', 'delivery', 'A', 'sku', 'refused', 'mend', 'hash', $now, $now, 'write-refused', NULL)",
            {"now": utc_now()},
        )
    run_flows(shop.settings, "again", "products")
    assert shop.rows("FROM sync.quarantine") == []
