"""Products from Solteq to the store, through Dagster and over HTTP."""

from decimal import Decimal
from typing import Any

import dagster as dg
import pytest
import simplejson

from solteq_woo_assets.clients.woo_documents import StoreProduct
from solteq_woo_assets.engine.database import utc_now
from solteq_woo_assets.flows.balances.assets import BALANCES
from solteq_woo_assets_tests.conftest import (
    CommandLine,
    Shop,
    balance_document,
    campaign_document,
    customer_document,
    product_document,
    without,
)


def test_a_product_arrives_as_a_draft_and_the_second_run_writes_nothing(shop: Shop) -> None:
    shop.product("A1", salesPrice=19.9, discountedPrice=15, purchasePrice=8.1, gtin="6412345678907", vatRate=13.5)
    (first,) = shop.sync("products_to_woo")
    assert first["woo_products"]["created"] == 1
    product = shop.store()["A1"]
    assert (product.status, product.regular_price, product.sale_price) == ("draft", Decimal("19.90"), Decimal("15.00"))
    assert (product.tax_class, product.global_unique_id) == ("reduced-rate", "6412345678907")
    assert product.meta == {"_solteq_purchase_price": "8.10"}
    shop.woo.asked()
    (second,) = shop.sync("products_to_woo")
    assert shop.woo.writes() == []
    assert second["product_delta"]["created"] == second["product_delta"]["updated"] == 0


def test_one_changed_price_is_one_batch_of_one_item(shop: Shop) -> None:
    for code in "ABC":
        shop.product(code)
    shop.sync("products_to_woo")
    shop.woo.asked()
    shop.product("B", salesPrice=12.5)
    shop.sync("products_to_woo")
    assert [(write["path"], write["items"]) for write in shop.woo.writes()] == [("/wp-json/wc/v3/products/batch", 1)]
    assert shop.store()["B"].regular_price == Decimal("12.50")


def test_only_owned_fields_are_sent_and_what_the_store_enriched_survives(shop: Shop) -> None:
    shop.product("A1")
    shop.sync("products_to_woo")
    product_id = shop.store()["A1"].id
    shop.woo.patch(f"products/{product_id}", {"name": "Kaupan nimi", "status": "publish", "description": "Lämmin"})
    shop.product("A1", salesPrice=11, name="Solteqin nimi")
    shop.sync("products_to_woo")
    product = shop.store()["A1"]
    assert (product.name, product.status, product.regular_price) == ("Kaupan nimi", "publish", Decimal(11))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"productType": "GiftCard"}, []),
        ({"productType": "X"}, ["product-type-unknown"]),
        ({"salesPrice": 0}, ["price-missing"]),
    ],
)
def test_what_may_not_be_sold_any_more_leaves_the_shelf_and_comes_back(
    shop: Shop, fields: dict[str, Any], code: list[str]
) -> None:
    shop.product("A1", salesPrice=10)
    shop.sync("products_to_woo")
    shop.woo.patch(f"products/{shop.store()['A1'].id}", {"status": "publish"})
    shop.product("A1", **{"salesPrice": 10} | fields)
    shop.sync("products_to_woo")
    assert shop.store()["A1"].status == "draft"
    assert shop.rows("SELECT code FROM sync.quarantine") == [(each,) for each in code]
    shop.woo.asked()
    shop.sync("products_to_woo")
    assert shop.woo.writes() == []
    shop.product("A1", salesPrice=12)
    shop.sync("products_to_woo")
    assert (shop.store()["A1"].status, shop.store()["A1"].regular_price) == ("publish", Decimal(12))
    assert shop.rows("SELECT code FROM sync.quarantine") == []


def test_variants_become_one_variable_product(shop: Shop) -> None:
    for size in "SML":
        shop.product(f"T-{size}", modelNumber="T", attributes={"Koko": size}, productType="Variant", salesPrice=29.9)
    shop.sync("products_to_woo")
    store = shop.store()
    assert (store["T"].type, store["T"].regular_price) == ("variable", None)
    assert {store[f"T-{size}"].parent_id for size in "SML"} == {store["T"].id}
    shop.woo.asked()
    shop.sync("products_to_woo")
    assert shop.woo.writes() == []


def test_a_second_variant_keeps_the_product_that_the_stores_people_enriched(shop: Shop) -> None:
    fields = {"modelNumber": "T", "gtin": "6412345678907", "purchasePrice": 4}
    shop.product("T-S", attributes={"Koko": "S"}, **fields)
    shop.balance("T-S", 7)
    shop.sync()
    before = shop.store()["T-S"]
    shop.woo.patch(f"products/{before.id}", {"description": "Villaa", "status": "publish"})
    shop.product("T-L", modelNumber="T", attributes={"Koko": "L"})
    shop.sync()
    store = shop.store()
    assert (store["T-S"].global_unique_id, store["T-S"].stock_quantity) == ("6412345678907", 7)
    assert (store["T"].global_unique_id, store["T"].meta, store["T"].manage_stock) == ("", {}, False)
    assert (store["T"].id, store["T"].type, store["T"].status) == (before.id, "variable", "publish")
    assert {store["T-S"].parent_id, store["T-L"].parent_id} == {before.id}
    assert store["T-S"].regular_price == Decimal(10)
    shop.woo.asked()
    shop.sync("products_to_woo")
    assert shop.woo.writes() == []


def test_existing_product_is_adopted_not_made_twice(shop: Shop) -> None:
    shop.product("A1")
    shop.sync("products_to_woo")
    shop.database.path.unlink()  # a new installation on a shop that has products
    shop.product("A1", salesPrice=12)
    (run,) = shop.sync("products_to_woo")
    assert run["woo_products"]["created"] == 0
    assert [product.regular_price for product in shop.store().values()] == [Decimal(12)]


def test_product_made_in_the_store_since_the_last_look_is_adopted(shop: Shop) -> None:
    """Its SKU is taken when we create it; the next run knows, and nothing is made twice."""
    shop.sync("products_to_woo")
    other = Shop(shop.folder / "other", shop.solteq.url, shop.woo.url)
    other.instance = shop.instance
    shop.product("A1")
    other.sync("products_to_woo")
    shop.woo.patch(f"products/{other.store()['A1'].id}", {"status": "trash"})
    shop.sync("products_to_woo")
    shop.sync("products_to_woo")
    assert shop.store()["A1"].status == "draft"
    assert shop.store("trash") == {}


def test_withdrawn_product_becomes_a_draft_and_comes_back_as_it_was(shop: Shop) -> None:
    shop.product("A1")
    shop.sync("products_to_woo")
    shop.woo.patch(f"products/{shop.store()['A1'].id}", {"status": "publish"})
    shop.product("A1", active=False)
    shop.sync("products_to_woo")
    assert shop.store()["A1"].status == "draft"
    shop.product("A1", active=True)
    shop.sync("products_to_woo")
    assert shop.store()["A1"].status == "publish"


def test_one_bad_product_is_held_back_and_the_rest_arrives(shop: Shop) -> None:
    shop.product("GOOD")
    shop.product("BAD", salesPrice=-1)
    worse = '{"id": "p-WORSE", "code": "WORSE", "salesPrice": "1,5", "modifiedAt": "2026-01-01T00:00:00Z"}'
    shop.solteq.put("products", {"documents": [{"raw": worse}]})
    (run,) = shop.sync("products_to_woo")
    assert list(shop.store()) == ["GOOD"]
    assert run["product_delta"]["quarantined"] == 2
    held = shop.rows("SELECT key, stage, raw IS NOT NULL FROM sync.quarantine ORDER BY key")
    assert held == [("BAD", "delta", False), ("p-WORSE", "feed", True)]
    shop.product("BAD", salesPrice=1)
    shop.product("WORSE", salesPrice=1)
    shop.sync("products_to_woo")
    assert set(shop.store()) == {"GOOD", "BAD", "WORSE"}
    assert shop.rows("SELECT * FROM sync.quarantine") == []


@pytest.mark.parametrize("null", [False, True])
def test_documents_that_say_no_more_than_they_must_arrive(shop: Shop, null: bool) -> None:
    """All else missing, or null: nothing is held back."""
    for code in ("A", "B"):
        whole = product_document(code, gtin="6412345678907", supplier="Lumikon Oy")
        put_sparse(shop, "products", whole, {"id", "code", "salesPrice"}, null)
    put_sparse(shop, "balances", balance_document("A", 7), {"productCode", "storeId", "freeBalance"}, null)
    kept = {"id", "level", "targets", "discountType", "value"}
    put_sparse(shop, "campaigns", campaign_document("c", "A"), kept, null)
    put_sparse(shop, "customers", customer_document(1), {"id"}, null)
    shop.with_settings(new_product_status="publish")
    shop.sync()
    shop.sync_job("customers_to_woo")
    product = shop.store()["A"]
    assert (product.name, product.status, product.tax_class) == ("A", "draft", "")
    assert (product.regular_price, product.sale_price, product.stock_quantity) == (Decimal(10), Decimal(8), 7)
    assert shop.rows("SELECT flow, key, field FROM sync.quarantine") == []
    assert shop.rows("SELECT id, type FROM snapshot.solteq_customers") == [("C-1", "Private")]
    shop.woo.asked()
    shop.sync()
    assert shop.woo.writes() == []


def test_a_feed_that_leaves_out_what_is_empty_says_the_same(shop: Shop) -> None:
    """The store holds what a full document made; the sparse one changes nothing."""
    shop.product("A", gtin=None, purchasePrice=4, discountedPrice=None)
    shop.product("OLD", active=False)
    for size in "SL":
        shop.product(f"T-{size}", modelNumber="T", attributes={"Koko": size})
    shop.balance("A", 7)
    shop.campaign("c", "A", "T")
    shop.sync()
    before = shop.rows("SELECT * FROM snapshot.solteq_products ORDER BY id")
    shop.solteq.put("behaviour", {"sparse": True})
    shop.woo.asked()
    shop.sync("reconcile_all")
    assert shop.woo.writes() == []
    assert shop.rows("SELECT * FROM snapshot.solteq_products ORDER BY id") == before
    assert shop.rows("SELECT * FROM sync.quarantine") == []


def put_sparse(shop: Shop, feed: str, whole: dict[str, Any], kept: set[str], null: bool) -> None:
    """Put a document into Solteq of which only these fields say something."""
    shop.solteq.put(feed, {"documents": [without(whole, whole.keys() - kept, null=null)]})


def test_bare_tombstone_withdraws_the_product(shop: Shop) -> None:
    """A deletion must not fail for want of a price: the product would stay on sale."""
    shop.product("A1")
    shop.sync("products_to_woo")
    shop.woo.patch(f"products/{shop.store()['A1'].id}", {"status": "publish"})
    tombstone = '{"id": "p-A1", "deleted": true, "modifiedAt": "2099-01-01T00:00:00Z"}'
    shop.solteq.put("products", {"documents": [{"raw": tombstone}]})
    shop.sync("products_to_woo")
    assert shop.store()["A1"].status == "draft"
    assert shop.rows("SELECT * FROM sync.quarantine") == []


def test_hand_edited_price_is_put_right(shop: Shop) -> None:
    shop.product("A1")
    shop.sync("products_to_woo")
    shop.woo.patch(f"products/{shop.store()['A1'].id}", {"regular_price": "1.00"})
    shop.sync("products_to_woo")
    assert shop.store()["A1"].regular_price == Decimal(10)


def test_product_deleted_in_the_store_is_made_again(shop: Shop) -> None:
    shop.product("A1")
    shop.sync("products_to_woo")
    shop.delete(shop.store()["A1"])
    shop.sync("reconcile_all")
    assert shop.store()["A1"].regular_price == Decimal(10)


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 503}, {"drop": "before"}, {"drop": "after"}])
def test_batch_without_an_answer_is_read_back_and_nothing_is_made_twice(shop: Shop, fault: dict[str, object]) -> None:
    for number in range(5):
        shop.product(f"A{number}")
    shop.woo.fault(method="POST", path="products/batch", times=1, **fault)
    (run,) = shop.sync("products_to_woo")
    assert run["woo_products"]["created"] == 5
    assert len(shop.store()) == 5


def test_smaller_batch_limit_of_the_host_is_found(shop: Shop) -> None:
    for number in range(30):
        shop.product(f"A{number}")
    shop.woo.put("settings", {"batch_limit": 10})
    (run,) = shop.sync("products_to_woo")
    assert run["woo_products"]["created"] == 30


def test_store_away_fails_the_run_in_words_and_the_next_run_carries_on(shop: Shop) -> None:
    shop.product("A1")
    shop.woo.fault(path="/wp-json/", times=None, status=401, body='{"code": "x", "message": "no", "data": {}}')
    result = shop.run("products_to_woo")
    assert not result.success
    messages = " ".join(event.message or "" for event in result.all_events if event.is_step_failure)
    failures = [event.step_failure_data.user_failure_data for event in result.all_events if event.is_step_failure]
    assert "WOO_CONSUMER_KEY" in str(failures) + messages
    shop.woo.heal()
    shop.sync("products_to_woo")
    assert set(shop.store()) == {"A1"}


def test_variations_wait_for_a_refused_parent_and_the_sensor_does_not_run_in_circles(shop: Shop) -> None:
    """A parent that the store refuses is in quarantine; its variations stay due, but wake nobody."""
    shop.product("OTHER")
    shop.sync("products_to_woo")
    for size in "SL":
        shop.product(f"T-{size}", modelNumber="T%20", attributes={"Koko": size})
    (run,) = shop.sync("products_to_woo")
    assert (run["woo_products"]["refused"], run["woo_products"]["waiting"]) == (1, 2)
    shop.sync("products_to_woo")
    assert shop.rows("SELECT count(*) FROM sync.deliveries WHERE state IN ('pending', 'retry', 'unsent')") == [(0,)]


def test_what_a_run_left_to_the_next_is_closed_by_it(shop: Shop) -> None:
    shop.product("A1")
    shop.sync("products_to_woo")
    shop.product("A1", salesPrice=11)
    product = shop.store()["A1"]
    shop.delete(product)
    (run,) = shop.sync("products_to_woo")
    assert run["woo_products"]["retried_next_run"] == 1
    shop.sync("products_to_woo")
    states = shop.rows("SELECT state FROM sync.deliveries ORDER BY created_at")
    assert [state for (state,) in states] == ["delivered", "superseded", "delivered"]


@pytest.mark.parametrize(
    "rubbish",
    [
        {"vatRate": 2550},
        {"maxDiscountPercent": 1000},
        {"salesPrice": 10**20},
        {"modifiedAt": "9999-12-31T23:59:59.999999Z"},
        {"modifiedAt": "0001-01-01T00:00:00+02:00"},
        {"attributes": None},
        {"categories": "x"},
        {"name": "\ud800"},
        {"code": "A\u0000B"},
        {"code": "<b>x</b>"},
    ],
)
def test_no_document_stops_the_others(shop: Shop, rubbish: dict[str, Any]) -> None:
    """Principle 7. What each of these becomes is its own matter; GOOD arrives, and the third run is at rest."""
    shop.product("GOOD")
    document = {**product_document("BAD"), "modifiedAt": "2026-01-01T00:00:00Z", **rubbish}
    shop.solteq.put("products", {"documents": [{"raw": simplejson.dumps(document)}]})
    shop.sync("products_to_woo")
    assert "GOOD" in shop.store()
    shop.sync("products_to_woo")
    shop.woo.asked()
    shop.sync("products_to_woo")
    assert shop.woo.writes() == []


@pytest.mark.parametrize(
    "attributes",
    [{"Koko": "S  M"}, {"Koko": "S<b>x"}, {"Koko": "5 %20"}, {"Koko": "S", "koko": "X"}, {"Väri": "S", "Vari": "X"}],
)
def test_attributes_that_wordpress_rewrites_do_not_go_round_and_round(shop: Shop, attributes: dict[str, str]) -> None:
    shop.product("M-1", modelNumber="M", attributes=attributes)
    shop.product("M-2", modelNumber="M", attributes={"Koko": "XL"})
    for _ in range(3):
        shop.sync("products_to_woo")
    shop.woo.asked()
    shop.sync("products_to_woo")
    assert shop.woo.writes() == []
    assert shop.store()["M-2"].regular_price == Decimal(10)


NASTY = ("Musta|Valkoinen", "5 < 6", "a\\b", "50 %20", "5 & 6", "R&amp;D", '"7"', "<b>L</b>", "😀", "10 ", "sinivihreä")


def can_be_chosen(store: dict[str, StoreProduct], model: str) -> None:
    """WooCommerce shows a variation by an option that its product spells letter by letter."""
    parent = {attribute.name: attribute.options for attribute in store[model].attributes}
    chosen = [
        tuple((attribute.name, attribute.options[0]) for attribute in product.attributes)
        for product in store.values()
        if product.parent_id == store[model].id
    ]
    assert all(choice and option in parent[name] for choice in chosen for name, option in choice)
    assert len(set(chosen)) == len(chosen)


@pytest.mark.slow
def test_twenty_runs_on_a_family_of_nasty_attributes_write_nothing_after_the_second(shop: Shop) -> None:
    for number, option in enumerate(NASTY):
        name = "Väri" if number % 2 else "vari"
        shop.product(f"M-{number}", modelNumber="M", attributes={name: option, "Koko|Size": "S" if number % 3 else "s"})
    for number, option in enumerate(("SINIVIHREÄ", "Sinivihrea")):  # one with sinivihreä, which has another size
        fields = {"attributes": {"Vari": option, "KOKO/size": f"L{number}"}}
        shop.product(f"M-A{number}", modelNumber="M", **fields)
    for _ in range(2):
        shop.sync("products_to_woo")
    shop.woo.asked()
    store = shop.store()
    assert sum(product.parent_id == store["M"].id for product in store.values()) == len(NASTY) + 2
    can_be_chosen(store, "M")
    for _ in range(17):
        shop.sync("products_to_woo")
    shop.sync("reconcile_all")
    assert shop.woo.writes() == []
    assert shop.rows("SELECT key, code FROM sync.quarantine") == []


def test_a_family_that_nobody_could_choose_from_can_be_chosen_from_after_two_runs(shop: Shop) -> None:
    """As a version left it that sent options as they are in Solteq."""
    options = ("Musta|Valkoinen", "5 < 6", "a\\b", "50 %20")
    vari = {"name": "Väri", "variation": True, "visible": True, "options": options}
    shop.make(name="M", sku="M", type="variable", status="publish", attributes=[vari])
    for number, option in enumerate(options):
        shop.product(f"M-{number}", modelNumber="M", attributes={"Väri": option})
        choice = [{"name": "Väri", "option": option}]
        shop.make(of=shop.store()["M"], sku=f"M-{number}", regular_price="10", attributes=choice)
    for _ in range(2):
        shop.sync("products_to_woo")
    can_be_chosen(shop.store(), "M")
    shop.woo.asked()
    shop.sync("products_to_woo")
    assert shop.woo.writes() == []


def test_another_separator_is_written_once(shop: Shop) -> None:
    for code, option in (("M-1", "Musta|Valkoinen"), ("M-2", "Punainen")):
        shop.product(code, modelNumber="M", attributes={"Väri": option})
    shop.sync("products_to_woo")
    shop.with_settings(attribute_separator="+")
    for _ in range(2):
        shop.sync("products_to_woo")
    assert [attribute.options for attribute in shop.store()["M-1"].attributes] == [["Musta+Valkoinen"]]
    shop.woo.asked()
    shop.sync("products_to_woo")
    assert shop.woo.writes() == []


def test_store_restored_from_a_backup_is_put_right(shop: Shop) -> None:
    """Its rows are older than what we know of them, and true all the same."""
    shop.product("A1")
    shop.sync("products_to_woo")
    shop.woo.put("settings", {"clock": "2020-01-01T00:00:00Z"})
    shop.woo.patch(f"products/{shop.store()['A1'].id}", {"regular_price": "1.00"})
    shop.rows("UPDATE snapshot.woo_catalogue SET date_modified_gmt = '2026-01-01' RETURNING id")
    shop.sync("reconcile_all")
    assert shop.store()["A1"].regular_price == Decimal(10)


def test_newest_product_deleted_in_the_store_is_made_again(shop: Shop) -> None:
    shop.product("A1")
    shop.product("A2")
    shop.sync("products_to_woo")
    shop.delete(max(shop.store().values(), key=lambda product: product.id))
    shop.sync("reconcile_all")
    assert set(shop.store()) == {"A1", "A2"}


def test_binned_variable_product_comes_back_with_its_variations(shop: Shop) -> None:
    for size in "SL":
        shop.product(f"T-{size}", modelNumber="T", attributes={"Koko": size})
    shop.sync("products_to_woo")
    shop.woo.patch(f"products/{shop.store()['T'].id}", {"status": "trash"})
    shop.sync("reconcile_all")
    assert set(shop.store()) == {"T", "T-S", "T-L"}
    shop.woo.asked()
    shop.sync("products_to_woo")
    assert shop.woo.writes() == []


def test_a_page_that_comes_back_from_the_bin_offers_nothing_that_was_sold_meanwhile(shop: Shop) -> None:
    shop.with_settings(new_product_status="publish")
    shop.product("A1")
    shop.balance("A1", 10)
    shop.sync("products_to_woo", "balances_to_woo")
    shop.woo.patch(f"products/{shop.store()['A1'].id}", {"status": "trash"})
    shop.balance("A1", 9)
    shop.sync("balances_to_woo")
    shop.sync("reconcile_all")
    shop.sync("balances_to_woo")
    assert shop.store()["A1"].stock_quantity == 9
    shop.woo.patch(f"products/{shop.store()['A1'].id}", {"status": "trash"})
    shop.sync("full_refresh_woo_catalogue", "products_to_woo")
    back = shop.store()["A1"]
    assert (back.status, back.stock_quantity) == ("publish", 0)
    with shop.database.transaction() as connection:
        assert BALANCES.source.due(connection, utc_now()) == "1 products are on sale again"
    shop.sync("balances_to_woo")
    assert shop.store()["A1"].stock_quantity == 9


def test_a_code_that_changed_in_solteq_keeps_its_product_and_its_variation(shop: Shop) -> None:
    """Without a GTIN: the product keeps its id, its page and its texts; nothing is made and nothing taken off sale."""
    shop.product("A1", id="p-1")
    for size in ("S", "L"):
        shop.product(f"M-{size}", id=f"p-{size}", modelNumber="M", productType="Variant", attributes={"Koko": size})
    shop.sync("campaigns_to_woo", "products_to_woo")
    before = shop.store()
    shop.edit(before["A1"], name="Kaupan oma nimi", status="publish")
    shop.sync("products_to_woo")  # shoppers see its price now
    history = shop.rows("SELECT price, valid_from FROM sync.price_history WHERE sku = 'a1'")
    assert history
    shop.product("A1X", id="p-1")
    shop.product("M-SX", id="p-S", modelNumber="M", productType="Variant", attributes={"Koko": "S"})
    shop.woo.asked()
    shop.sync("products_to_woo")
    after = shop.store()
    assert {sku: product.id for sku, product in after.items()} == {
        "A1X": before["A1"].id,
        "M": before["M"].id,
        "M-SX": before["M-S"].id,
        "M-L": before["M-L"].id,
    }
    assert (after["A1X"].name, after["A1X"].status) == ("Kaupan oma nimi", "publish")
    assert sum(write["items"] for write in shop.woo.writes()) == 2
    assert set(history) <= set(shop.rows("SELECT price, valid_from FROM sync.price_history WHERE sku = 'a1x'"))
    links = "SELECT key, woo_id, solteq_id FROM sync.links WHERE solteq_id IS NOT NULL ORDER BY key"
    assert [(key, solteq_id) for key, _, solteq_id in shop.rows(links)] == [
        ("a1x", "p-1"),
        ("m-l", "p-L"),
        ("m-sx", "p-S"),
    ]
    shop.sync("products_to_woo")
    assert shop.woo.writes() == []


# A code used again


def reused(shop: Shop) -> StoreProduct:
    """Code A1 was a mug's, which is deleted, and is a chainsaw's now; the mug's page in the store."""
    shop.with_settings(new_product_status="publish")
    shop.product("A1", id="mug", name="Muki")
    shop.sync("campaigns_to_woo", "products_to_woo")
    page = shop.store()["A1"]
    shop.product("A1", id="mug", name="Muki", deleted=True)
    shop.product("A1", id="saw", name="Moottorisaha", salesPrice=500)
    return page


def test_a_code_used_again_is_a_new_product_and_the_old_page_leaves_the_shelf(shop: Shop) -> None:
    """The mug's page is not sold at a chainsaw's price, nor is the chainsaw's lowest price a mug's."""
    mug = reused(shop)
    shop.sync("products_to_woo")
    store = shop.store()
    assert store["A1"].id != mug.id
    assert (store["A1"].name, store["A1"].regular_price) == ("Moottorisaha", Decimal(500))
    old = store[""]
    assert (old.id, old.name, old.status, old.regular_price) == (mug.id, "Muki", "draft", Decimal(10))
    assert shop.rows("SELECT key, woo_id, solteq_id, sku FROM sync.links ORDER BY key") == [
        ("a1", store["A1"].id, "saw", "a1"),
        ("a1 (mug)", mug.id, "mug", ""),
    ]
    assert shop.rows("SELECT sku, price FROM sync.price_history ORDER BY sku") == [("a1", 500), ("a1 (mug)", 10)]
    shop.woo.asked()
    shop.sync("products_to_woo", "campaigns_to_woo")
    assert shop.woo.writes() == []


def test_the_old_product_comes_back_under_another_code(shop: Shop) -> None:
    mug = reused(shop)
    shop.sync("products_to_woo")
    shop.product("A9", id="mug", name="Muki", salesPrice=11)
    shop.sync("products_to_woo")
    page = shop.store()["A9"]
    assert (page.id, page.status, page.regular_price) == (mug.id, "publish", Decimal(11))
    assert ("a9", 10) in shop.rows("SELECT sku, price FROM sync.price_history")


def test_a_person_says_before_the_next_run_that_it_is_the_same_product(shop: Shop, solteq_woo: CommandLine) -> None:
    mug = reused(shop)
    shop.run("products_to_woo", asset_selection=[dg.AssetKey(n) for n in ("solteq_products", "product_delta")])
    told = solteq_woo("same-product", "a1")
    assert (told.exit_code, told.output) == (0, "A1 is the store's product with this SKU.\n")
    shop.sync("products_to_woo")
    (page,) = shop.store().values()
    assert (page.id, page.sku, page.status, page.regular_price) == (mug.id, "A1", "publish", Decimal(500))
    assert {sku for (sku,) in shop.rows("SELECT sku FROM sync.price_history")} == {"a1"}
    assert solteq_woo("same-product", "A1").exit_code == 1


def test_a_person_says_with_the_sku_in_the_store_that_it_is_the_same_product(shop: Shop) -> None:
    """After the new one was made: it is deleted, and the SKU goes back to the page that shoppers know."""
    mug = reused(shop)
    shop.sync("products_to_woo")
    shop.delete(shop.store()["A1"])
    shop.edit(mug, sku="A1")
    shop.sync("reconcile_all")
    (page,) = shop.store().values()
    assert (page.id, page.status, page.regular_price) == (mug.id, "publish", Decimal(500))


def test_a_catalogue_made_anew_does_not_empty_the_store(shop: Shop, solteq_woo: CommandLine) -> None:
    """Every document was deleted and made again with another id: nothing is sent until a person says what it is."""
    shop.with_settings(new_product_status="publish")
    codes = [f"P{number:02}" for number in range(12)]
    for code in codes:
        shop.product(code)
    shop.sync("products_to_woo")
    pages = {sku: product.id for sku, product in shop.store().items()}
    for code in codes:
        shop.product(code, deleted=True)
        shop.product(code, id=f"new-{code}", salesPrice=11)
    shop.woo.asked()
    assert shop.run("products_to_woo").success
    assert shop.woo.writes() == []
    assert {action for (action,) in shop.rows("SELECT action FROM delta.product_delta")} == {"stopped"}
    assert solteq_woo("same-product", "--all").exit_code == 0
    shop.sync("products_to_woo")
    assert {sku: product.id for sku, product in shop.store().items()} == pages
    assert {product.regular_price for product in shop.store().values()} == {Decimal(11)}


def test_out_of_stock_takes_off_what_has_no_stock_too(shop: Shop) -> None:
    """The page of a code that was used again, and a service; and the stock flow is woken for the others."""
    shop.with_settings(inactive_products="out_of_stock", new_product_status="publish")
    shop.product("A1", id="mug")
    shop.product("B1")
    shop.product("S1", productType="Service")
    for code in ("A1", "B1"):
        shop.balance(code, 5)
    shop.sync("products_to_woo", "balances_to_woo")
    pages = {sku: page.id for sku, page in shop.store().items()}
    shop.product("A1", id="mug", deleted=True)
    shop.product("A1", id="saw", salesPrice=500)
    shop.product("B1", active=False)
    shop.product("S1", productType="Service", active=False)
    shop.sync("products_to_woo")
    assert shop.tick("balances")[0]
    shop.sync("balances_to_woo")
    store = {page.id: page for page in shop.store().values()}
    assert [store[pages[sku]].status for sku in ("A1", "B1", "S1")] == ["draft", "publish", "draft"]
    assert store[pages["B1"]].stock_quantity == 0
    shop.product("B1")
    shop.product("S1", productType="Service")
    shop.sync("products_to_woo", "balances_to_woo")
    store = {page.id: page for page in shop.store().values()}
    assert [store[pages[sku]].status for sku in ("A1", "B1", "S1")] == ["draft", "publish", "publish"]
    assert store[pages["B1"]].stock_quantity == 5
