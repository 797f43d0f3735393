from collections import Counter
from decimal import Decimal
from itertools import islice

from hypothesis import given, settings
from hypothesis import strategies as st

from solteq_woo_sandbox import catalogue

REQUIRED = {
    "products": {"id", "code", "name", "productType", "vatRate", "salesPrice", "attributes", "active", "deleted"},
    "balances": {"productCode", "storeId", "storeName", "freeBalance", "reservedBalance", "unit", "deleted"},
    "customers": {"id", "customerNumber", "type", "addresses", "identifiers", "marketingPermission", "deleted"},
    "campaigns": {"id", "name", "type", "level", "targets", "discountType", "value", "priority", "deleted"},
}


def everything(seed: int) -> dict[str, list[catalogue.Document]]:
    return {
        "products": catalogue.products(seed),
        "balances": catalogue.balances(seed),
        "customers": catalogue.customers(seed),
        "campaigns": catalogue.campaigns(seed),
    }


def check_digit_is_right(gtin: str) -> bool:
    return sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(gtin)) % 10 == 0


def test_the_same_seed_gives_the_same_shop() -> None:
    assert everything(1) == everything(1)
    assert everything(1) != everything(2)


@given(seed=st.integers(1, 10**6))
@settings(max_examples=20, deadline=None)
def test_documents_fulfil_the_contract(seed: int) -> None:
    for feed, documents in everything(seed).items():
        for document in documents:
            assert document.keys() >= REQUIRED[feed] | {"modifiedAt"}
            assert document["modifiedAt"].endswith("Z")
            assert not any(isinstance(value, float) for value in document.values())


@given(count=st.integers(0, 700))
@settings(max_examples=20, deadline=None)
def test_a_longer_list_begins_with_the_shorter_one(count: int) -> None:
    assert catalogue.products(1, count) == catalogue.products(1, 700)[:count]


def test_keys_are_unique_in_a_large_shop() -> None:
    products = catalogue.products(1, 5000)
    assert len(products) == 5000
    for name in ("id", "code", "gtin"):
        values = [each[name] for each in products if each[name]]
        assert len(values) == len(set(values))
    balances = catalogue.balances(1, 1000)
    assert len(balances) == len({(each["productCode"], each["storeId"]) for each in balances})


def test_variants_of_a_model_are_told_apart_by_their_attributes() -> None:
    variants = [each for each in catalogue.products(1, 5000) if each["productType"] == "Variant"]
    identities = Counter((each["modelNumber"], *sorted(each["attributes"].items())) for each in variants)
    assert set(identities.values()) == {1}
    assert {name for each in variants for name in each["attributes"]} == {"Koko", "Väri"}


def test_the_range_holds_what_the_rules_must_cope_with() -> None:
    products = catalogue.products(1)
    assert {each["productType"] for each in products} == {
        "Basic",
        "Variant",
        "Custom",
        "Service",
        "GiftCard",
        "Deposit",
    }
    assert {each["vatRate"] for each in products} == {Decimal(rate) for rate in ("25.5", "13.5", "10", "0")}
    assert any(not each["active"] for each in products)
    assert any(each["deleted"] for each in products)
    assert any(each["salesPrice"] == 0 for each in products)
    assert any(each["salesPrice"] < 0 for each in products)
    discounted = [each for each in products if each["discountedPrice"]]
    assert discounted
    assert all(each["discountedPrice"] < each["salesPrice"] for each in discounted)
    assert any(each["purchasePrice"] and each["purchasePrice"] % Decimal("0.01") for each in products)
    assert all(each["salesPrice"].as_tuple().exponent == -2 for each in products)


def test_gtins_have_the_right_check_digit_and_are_nobodys() -> None:
    gtins = [each["gtin"] for each in catalogue.products(1) if each["gtin"]]
    assert len(gtins) > 300
    assert all(len(gtin) == 13 and gtin.startswith("952") and check_digit_is_right(gtin) for gtin in gtins)


def test_balances_are_whole_for_pieces_and_not_for_goods_by_the_kilo() -> None:
    balances = catalogue.balances(1)
    free = {unit: [each["freeBalance"] for each in balances if each["unit"] == unit] for unit in ("kpl", "kg")}
    assert any(each % 1 for each in free["kg"])
    assert not any(each % 1 for each in free["kpl"])
    assert min(free["kpl"]) < 0
    assert 0 in free["kpl"]
    assert any(each["reservedBalance"] for each in balances)
    assert {each["storeId"] for each in balances} == set(catalogue.STORES)
    assert {each["productCode"] for each in balances} <= {each["code"] for each in catalogue.products(1)}


def test_nobody_gets_mail() -> None:
    assert all(each["email"] is None or each["email"].endswith("@example.com") for each in catalogue.customers(1))


def test_campaigns_point_at_what_exists() -> None:
    products = catalogue.products(1)
    known = {each[name] for each in products for name in ("code", "productGroup", "supplier")}
    for campaign in catalogue.campaigns(1):
        assert set(campaign["targets"]) <= known
    assert {each["level"] for each in catalogue.campaigns(1)} == {"Product", "ProductGroup", "Supplier"}


def test_bulk_documents_belong_together() -> None:
    products = list(catalogue.bulk_products(1000))
    assert len({each["code"] for each in products}) == len({each["gtin"] for each in products}) == 1000
    assert all(check_digit_is_right(each["gtin"]) for each in products)
    balances = list(catalogue.bulk_balances(1000, per_product=2))
    assert len({(each["productCode"], each["storeId"]) for each in balances}) == 1000
    assert {each["productCode"] for each in balances} == {each["code"] for each in products[:500]}
    assert next(islice(catalogue.bulk_products(10**9), 5, None))["code"] == "B0000005"


def test_a_field_can_be_replaced_and_added() -> None:
    for document in (catalogue.product("A", deleted=True, extra=1), catalogue.balance("A", deleted=True, extra=1)):
        assert document.items() >= {"deleted": True, "extra": 1}.items()
