"""One bad record stops no other: what is absurd is held with its key, and the rest of its page goes on."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import simplejson

from solteq_woo_assets_tests.conftest import Shop, order_line, product_document

NINES = "9" * 5_000


def held(shop: Shop) -> set[tuple[Any, ...]]:
    """The quarantine."""
    return set(shop.rows("SELECT flow, key, field, code FROM sync.quarantine"))


@pytest.mark.parametrize("field", ["quantity", "total"])
def test_an_absurd_unpaid_order_stops_neither_sales_nor_stock(shop: Shop, field: str) -> None:
    """A shopper can type any quantity."""
    shop.product("A")
    shop.balance("A", 5)
    shop.sync_sales()
    shop.sync()
    sound = shop.order(order_line("A", "10.00"))
    absurd = shop.order(
        order_line("A", "10.00") | {field: 10**14 if field == "quantity" else "1" + "0" * 20},
        status="on-hold",
        date_paid_gmt=None,
    )
    shop.sync_sales()
    shop.sync("balances_to_woo")
    assert [sale["externalId"] for sale in shop.booked()] == [f"woo:shop:order:{sound}"]
    assert held(shop) == {("sales", f"order {absurd}", f"line_items.0.{field}", "order-unreadable")}
    assert shop.store()["A"].stock_quantity == 4
    shop.edit_order(absurd, order_line("A", "10.00"))
    shop.sync_sales()
    assert len(shop.booked()) == 2
    assert held(shop) == set()


@pytest.mark.parametrize("number", [NINES, "1e99999999999999999999", "NaN", "[" * 5_000 + "]" * 5_000])
def test_a_number_that_cannot_be_read_stops_no_other_product(shop: Shop, number: str) -> None:
    documents = [
        simplejson.dumps(product_document(code, modifiedAt="2026-03-01T10:00:00Z", salesPrice=Decimal("7.50")))
        for code in ("A", "BAD", "B")
    ]
    documents[1] = documents[1].replace("7.50", number)
    page = f'{{"documents": [{", ".join(documents)}], "continuationToken": null}}'
    shop.solteq.fault(path="/catalog/v1-ext/products", times=1, status=200, body=page)
    shop.sync("products_to_woo")
    assert set(shop.store()) == {"A", "B"}
    assert held(shop) == {("products", "p-BAD", "salesPrice", "document-unreadable")}
    shop.product("BAD")
    shop.sync("products_to_woo")
    assert set(shop.store()) == {"A", "B", "BAD"}
    assert held(shop) == set()


def test_a_refund_that_cannot_be_read_holds_its_order_alone(shop: Shop) -> None:
    """What is booked of the order stays; a refund of nothing is one (contract, 39)."""
    shop.product("A")
    shop.sync_sales()
    made = {"date_created_gmt": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")}
    first, second = (shop.order(order_line("A", "10.00"), **made) for _ in "ab")
    shop.sync_sales()
    for order, total in ((first, "-1.00"), (second, "-")):
        shop.edit_order(order, order_line("A", "10.00"), refunds=[{"id": 700 + order, "total": total}], **made)
    rows = [
        {"id": 700 + first, "parent_id": None, "date_created_gmt": "2026-03-01T10:00:00", "amount": "1" + "0" * 30},
        {"id": 700 + second, "parent_id": None, "date_created_gmt": "2026-03-01T10:00:00", "amount": ""},
    ]
    shop.woo.fault(path="/wc/v3/refunds", times=None, status=200, body=simplejson.dumps(rows))
    shop.sync_sales()
    assert held(shop) == {("sales", f"order {first}", f"refund {700 + first}: amount", "order-unreadable")}
    assert {sale["externalId"] for sale in shop.booked()} == {f"woo:shop:order:{each}" for each in (first, second)}
    assert shop.rows("SELECT order_id, amount FROM snapshot.woo_sales_refunds") == [(second, 0)]


def test_a_product_and_an_account_of_the_store_that_cannot_be_read_stop_no_other(shop: Shop) -> None:
    """What was known of them stays, and they are let go when they can be read."""
    shop.product("A")
    shop.product("B")
    shop.sync("products_to_woo")
    first, second = shop.account("aino@example.com"), shop.account("eero@example.com")
    shop.sync_customers()
    before = shop.rows("SELECT count(*) FROM snapshot.woo_catalogue") + shop.rows(
        "SELECT count(*) FROM snapshot.woo_customer_accounts"
    )
    store = shop.store()
    products = [
        {"id": store["A"].id, "type": "simple", "status": None},
        {"id": store["B"].id, "type": "simple", "status": "draft", "sku": "B"} | {"regular_price": "3.00"},
    ]
    accounts = [{"id": first, "email": ["aino"]}, {"id": second, "email": "eero@example.com", "role": "customer"}]
    dates = dict.fromkeys(("date_created_gmt", "date_modified_gmt"), store["B"].date_modified_gmt.isoformat())
    shop.woo.fault(path="/wc/v3/products?", times=1, status=200, body=simplejson.dumps([r | dates for r in products]))
    shop.woo.fault(path="/wc/v3/customers?", times=1, status=200, body=simplejson.dumps([r | dates for r in accounts]))
    full = {"ops": {name: {"config": {"full": True}} for name in ("woo_catalogue", "woo_customer_accounts")}}
    for job, name in (("full_refresh_woo_catalogue", "woo_catalogue"), ("customers_to_woo", "woo_customer_accounts")):
        assert shop.run(job, run_config={"ops": {name: full["ops"][name]}}).success
    assert held(shop) == {
        ("products", f"store product {store['A'].id}", "status", "store-product-unreadable"),
        ("customers_to_solteq", f"account {first}", "email", "account-unreadable"),
    }
    after = shop.rows("SELECT count(*) FROM snapshot.woo_catalogue") + shop.rows(
        "SELECT count(*) FROM snapshot.woo_customer_accounts"
    )
    assert after == before
    assert shop.rows("SELECT regular_price FROM snapshot.woo_catalogue WHERE sku = 'B'") == [(3,)]
    assert shop.run("full_refresh_woo_catalogue").success
    shop.sync_customers()
    assert held(shop) == set()


def test_an_unreadable_account_among_the_newest_stops_neither_flow_nor_the_sensor(shop: Shop) -> None:
    shop.account("siiri@example.com")
    shop.sync_customers()
    bad, good = shop.account("aino@example.com"), shop.account("eero@example.com")
    dates = dict.fromkeys(("date_created_gmt", "date_modified_gmt"), "2026-11-25T01:00:00")
    newest = [
        {"id": good, "email": "eero@example.com", "role": "customer", **dates},
        {"id": bad, "email": ["aino@example.com"], "role": "customer", **dates},
        "no account at all",
    ]
    shop.woo.fault(path="orderby=registered_date", times=None, status=200, body=simplejson.dumps(newest))
    assert shop.tick("customers_to_solteq") == (True, "1 new accounts in the store")
    for job in ("customers_to_solteq", "customers_to_woo"):
        shop.sync_job(job)
    assert [found["email"] for found in shop.solteq_customers("eero@example.com")] == ["eero@example.com"]
    assert held(shop) == {
        ("customers_to_solteq", f"account {bad}", "email", "account-unreadable"),
        ("customers_to_solteq", "account (no id)", "id", "account-unreadable"),
    }
    asked, _ = shop.tick("customers_to_solteq")
    assert not asked, "what is held is no news"
    shop.woo.heal()
    assert shop.tick("customers_to_solteq") == (True, "1 new accounts in the store")
    shop.sync_customers()
    assert held(shop) == set()


def test_new_accounts_beyond_the_newest_are_read_though_one_of_those_has_no_id(shop: Shop) -> None:
    shop.account("siiri@example.com")
    shop.sync_customers()
    shop.woo.put("customers", {"customers": [{"email": f"a{number}@example.com"} for number in range(101)]})
    page = [{"id": 5_000 + number} for number in range(99)]
    shop.woo.fault(path="orderby=registered_date", times=1, status=200, body=simplejson.dumps([{}, *page]))
    shop.sync_job("customers_to_solteq")
    assert shop.rows("SELECT count(*) FROM snapshot.woo_customer_accounts") == [(102,)]
