"""The product delta: what is created, updated, converted, withdrawn, held back, and what is never touched."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from solteq_woo_assets.engine.problems import PROBLEMS
from solteq_woo_assets_tests.flows.conftest import RULES, Sides, links_of, rows


def quarantine(sides: Sides) -> dict[tuple[str, str], str]:
    return {(row["key"], row["field"]): row["reason"] for row in sides.product_delta().held.to_dicts()}


def test_new_product_is_a_draft_with_every_owned_field_and_nothing_to_sell_yet(sides: Sides) -> None:
    sides.product(
        "A1",
        name="Villasukat",
        gtin="6412345678907",
        sales_price=Decimal("19.905"),
        purchase_price=Decimal("8.1"),
        discounted_price=Decimal("15"),
        vat_rate=Decimal("13.5"),
    )
    row = rows(sides.product_delta().changes)["A1"]
    assert (row["action"], row["kind"], row["woo_id"]) == ("create", "simple", None)
    assert {field: new for field, (_, new) in row["changes"].items()} == {
        "name": "Villasukat",
        "type": "simple",
        "status": "draft",
        "sku": "A1",
        "regular_price": "19.91",
        "sale_price": "15.00",
        "tax_class": "reduced-rate",
        "global_unique_id": "6412345678907",
        "_solteq_purchase_price": "8.10",
        "manage_stock": "true",
        "stock_quantity": "0",
    }


def test_what_agrees_is_not_written_and_stays_linked(sides: Sides) -> None:
    sides.product("A1", purchase_price=Decimal("5"))
    sides.held(10, "A1", purchase_price="5.00")
    delta = sides.product_delta()
    assert delta.changes.is_empty()
    assert links_of(delta).select("key", "woo_id").rows() == [("a1", 10)]
    sides.link("a1", 10)
    assert sides.product_delta().changes.is_empty()


def test_only_the_fields_that_differ_are_in_an_update(sides: Sides) -> None:
    sides.product("A1", sales_price=Decimal("12"), name="Uusi nimi")
    sides.held(10, "A1", name="Kaupan oma nimi", status="draft")
    row = rows(sides.product_delta().changes)["A1"]
    assert (row["action"], row["woo_id"]) == ("update", 10)
    assert row["changes"] == {"regular_price": ("10.00", "12.00")}


def test_sku_is_matched_as_the_store_matches_it_and_put_right(sides: Sides) -> None:
    sides.product("Ab-1")
    sides.held(10, " aB-1 ")
    assert rows(sides.product_delta().changes)["Ab-1"]["changes"] == {"sku": (" aB-1 ", "Ab-1")}


def test_sale_price_ends_with_the_discount_and_its_dates_with_it(sides: Sides) -> None:
    from datetime import datetime  # noqa: PLC0415

    sides.product("A1")
    window = datetime(2026, 11, 26, 22)  # noqa: DTZ001
    sides.held(10, "A1", sale_price=Decimal("8"), date_on_sale_from_gmt=window, date_on_sale_to_gmt=window)
    assert rows(sides.product_delta().changes)["A1"]["changes"] == {
        "sale_price": ("8.00", ""),
        "date_on_sale_from_gmt": ("2026-11-26T22:00:00", ""),
        "date_on_sale_to_gmt": ("2026-11-26T22:00:00", ""),
    }


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"sales_price": Decimal(0)}, "salesPrice"),
        ({"sales_price": Decimal("0.004")}, "salesPrice"),
        ({"sales_price": Decimal(-1)}, "salesPrice"),
        ({"vat_rate": Decimal(24)}, "vatRate"),
        ({"vat_rate": Decimal(10)}, "vatRate"),  # mapped, but to a class that the store does not have
        ({"product_type": "Mystery"}, "productType"),
        ({"code": "A" * 101}, "code"),
        ({"code": " "}, "code"),
    ],
)
def test_what_cannot_be_sold_is_held_back_and_the_rest_goes_on(
    sides: Sides, fields: dict[str, object], field: str
) -> None:
    sides.product("GOOD")
    sides.product(**{"code": "BAD", **fields})  # type: ignore[arg-type]
    delta = sides.product_delta()
    assert [row["key"] for row in delta.changes.to_dicts()] == ["GOOD"]
    assert delta.held["field"].to_list() == [field]
    assert delta.held["code"][0] in PROBLEMS


def created(sides: Sides, key: str, **rules: str) -> dict[str, str | None]:
    """The fields of what is to be made."""
    row = rows(sides.product_delta(replace(RULES, **rules)).changes)[key]
    return {"reason": row["reason"]} | {field: new for field, (_, new) in row["changes"].items()}


@pytest.mark.parametrize("name", [None, "", "  "])
def test_a_product_without_a_name_goes_by_its_code(sides: Sides, name: str | None) -> None:
    sides.product("A1", name=name)
    assert created(sides, "A1")["name"] == "A1"


def test_a_model_without_names_goes_by_its_number(sides: Sides) -> None:
    sides.variant("A-S", "M", "S", name=None)
    sides.variant("A-L", "M", "L", name=None)
    assert created(sides, "M")["name"] == "M"
    sides.variant("A-XL", "M", "XL", name="Paita XL")
    assert created(sides, "M")["name"] == "Paita XL"


@pytest.mark.parametrize(("status", "wanted"), [("publish", "draft"), ("draft", "draft"), ("private", "private")])
def test_a_new_product_without_a_vat_rate_is_in_no_tax_class_and_not_published(
    sides: Sides, status: str, wanted: str
) -> None:
    """The store would sell it at its standard rate, and with another one the price without VAT is wrong."""
    sides.product("A1", vat_rate=None)
    made = created(sides, "A1", new_product_status=status)
    assert (made["status"], "tax_class" in made) == (wanted, False)
    assert made["reason"] == "new in Solteq; without a VAT rate there"
    assert quarantine(sides) == {}


def test_a_product_without_a_vat_rate_keeps_the_stores_tax_class(sides: Sides) -> None:
    sides.product("A1", vat_rate=None)
    sides.held(10, "A1", tax_class="reduced-rate")
    sides.link("a1", 10)
    assert rows(sides.product_delta().changes) == {}
    sides.connection.execute("UPDATE snapshot.solteq_products SET sales_price = 12")
    assert rows(sides.product_delta().changes)["A1"]["changes"] == {"regular_price": ("10.00", "12.00")}


def test_a_model_has_the_tax_class_of_the_variants_that_say_one(sides: Sides) -> None:
    sides.variant("A-L", "M", "L", vat_rate=None)
    sides.variant("A-S", "M", "S", vat_rate=None)
    made = created(sides, "M", new_product_status="publish")
    assert (made["status"], made["reason"], "tax_class" in made) == (
        "draft",
        "new in Solteq; without a VAT rate there",
        False,
    )
    sides.variant("A-XL", "M", "XL", vat_rate=Decimal("13.5"))
    made = created(sides, "M", new_product_status="publish")
    assert (made["status"], made["tax_class"]) == ("publish", "reduced-rate")
    assert "tax_class" not in created(sides, "A-L")


@pytest.mark.parametrize("product_type", ["GiftCard", "Deposit", "Custom", "gift card"])
def test_types_that_are_not_sold_online_are_skipped_with_a_reason(sides: Sides, product_type: str) -> None:
    sides.product("G1", product_type=product_type)
    row = rows(sides.product_delta().changes)["G1"]
    assert (row["action"], row["changes"]) == ("skip", {})
    assert "not sold online" in row["reason"]


def test_a_code_on_two_active_products_is_held_back(sides: Sides) -> None:
    sides.product("A1", id="one", sales_price=Decimal(10))
    sides.product("a1", id="two", sales_price=Decimal(20))
    sides.held(10, "A1")
    delta = sides.product_delta()
    assert delta.changes.is_empty()
    assert delta.held["field"].to_list() == ["code"]


def test_a_replaced_document_gives_way_to_the_active_one(sides: Sides) -> None:
    sides.product("A1", id="old", deleted=True, sales_price=Decimal(99))
    sides.product("A1", id="new", sales_price=Decimal(12))
    sides.held(10, "A1")
    assert rows(sides.product_delta().changes)["A1"]["changes"] == {"regular_price": ("10.00", "12.00")}


def test_codes_that_share_a_model_are_one_variable_product(sides: Sides) -> None:
    sides.variant("M-S", "M", "S", name="T-paita musta S")
    sides.variant("M-L", "M", "L", name="T-paita musta L")
    delta = rows(sides.product_delta().changes)
    parent = {field: new for field, (_, new) in delta["M"]["changes"].items()}
    assert (delta["M"]["kind"], parent["type"], parent["sku"], parent["name"]) == (
        "variable",
        "variable",
        "M",
        "T-paita musta",
    )
    assert '"options": ["L", "S"]' in parent["attributes"]
    for code, size in (("M-S", "S"), ("M-L", "L")):
        assert (delta[code]["kind"], delta[code]["parent_key"]) == ("variation", "M")
        assert delta[code]["changes"]["attributes"][1] == f'[{{"name":"Koko","option":"{size}"}}]'
        assert "name" not in delta[code]["changes"]


def test_a_single_code_with_a_model_number_is_a_simple_product(sides: Sides) -> None:
    sides.variant("M-S", "M", "S")
    assert {key: row["kind"] for key, row in rows(sides.product_delta().changes).items()} == {"M-S": "simple"}


def test_a_second_variant_turns_the_simple_product_into_a_variable_one(sides: Sides) -> None:
    store_attribute = {"id": 0, "name": "Materiaali", "variation": False, "visible": True, "options": ["Villa"]}
    sides.variant("M-S", "M", "S")
    sides.variant("M-L", "M", "L")
    sides.held(10, "M-S", attributes=[store_attribute])
    sides.link("m-s", 10)
    delta = rows(sides.product_delta().changes)
    changes = delta["M"]["changes"]
    assert (delta["M"]["action"], delta["M"]["woo_id"]) == ("convert", 10)
    assert changes["type"] == ("simple", "variable")
    assert changes["sku"] == ("M-S", "M")
    assert changes["manage_stock"] == ("true", "false")
    assert "Materiaali" in changes["attributes"][1]
    assert "Koko" in changes["attributes"][1]
    assert set(changes) == {"type", "sku", "manage_stock", "attributes"}, "what the store's people added stays"
    assert [(delta[code]["action"], delta[code]["parent_id"]) for code in ("M-S", "M-L")] == [("create", 10)] * 2


def test_interrupted_conversion_carries_on_with_the_variation(sides: Sides) -> None:
    """The parent was converted, the variation not yet made: the link of the code still points to the parent."""
    koko = {"id": 0, "name": "Koko", "variation": True, "visible": True, "options": ["L", "S"]}
    sides.variant("M-S", "M", "S")
    sides.variant("M-L", "M", "L")
    sides.held(10, "M", type="variable", regular_price=None, attributes=[koko])
    sides.link("m-s", 10)
    delta = rows(sides.product_delta().changes)
    assert {key: (row["action"], row["parent_id"]) for key, row in delta.items()} == {
        "M-S": ("create", 10),
        "M-L": ("create", 10),
    }


def test_another_simple_product_of_the_model_stays_on_sale_and_is_reported(sides: Sides) -> None:
    sides.variant("M-S", "M", "S")
    sides.variant("M-L", "M", "L", sales_price=Decimal(12))
    sides.held(10, "M-S")
    sides.held(11, "M-L")
    delta = sides.product_delta()
    assert rows(delta.changes)["M-L"]["changes"] == {"regular_price": ("10.00", "12.00")}
    assert ("M-L", "modelNumber") in quarantine(sides)


def test_variants_that_cannot_be_told_apart_are_held_back(sides: Sides) -> None:
    sides.variant("M-1", "M", "S")
    sides.variant("M-2", "M", "s ")
    sides.variant("M-3", "M", "L")
    delta = sides.product_delta()
    assert set(rows(delta.changes)) == {"M", "M-3"}
    assert set(quarantine(sides)) == {("M-1", "attributes"), ("M-2", "attributes")}


def test_a_model_number_that_is_also_a_code_makes_no_variable_product(sides: Sides) -> None:
    sides.variant("M", "M", "S")
    sides.variant("M-L", "M", "L")
    sides.held(10, "M", regular_price=Decimal(9))
    delta = sides.product_delta()
    assert rows(delta.changes)["M"]["changes"] == {"regular_price": ("9.00", "10.00")}
    assert set(quarantine(sides)) == {("M-L", "modelNumber")}


def test_a_new_variant_adds_its_option_and_keeps_the_stores(sides: Sides) -> None:
    held = {"id": 7, "name": "koko", "variation": True, "visible": False, "options": ["XXL", "S"]}
    sides.variant("M-S", "M", "S")
    sides.variant("M-L", "M", "L")
    sides.held(10, "M", type="variable", regular_price=None, attributes=[held])
    sides.held(11, "M-S", type="variation", parent_id=10, attributes=[{**held, "options": ["S"]}])
    delta = rows(sides.product_delta().changes)
    assert delta["M"]["changes"]["attributes"][1] == (
        '[{"id": 7, "name": "koko", "variation": true, "visible": false, "options": ["XXL", "S", "L"]}]'
    )
    assert delta["M-L"]["changes"]["attributes"][1] == '[{"id":7,"name":"koko","option":"L"}]', (
        "the store's own goes by id"
    )
    assert set(delta) == {"M", "M-L"}


@pytest.mark.parametrize(("fields", "reason"), [({"active": False}, "inactive"), ({"deleted": True}, "deleted")])
def test_withdrawn_product_becomes_a_draft_and_nothing_else(sides: Sides, fields: dict[str, bool], reason: str) -> None:
    sides.product("A1", sales_price=Decimal(99), **fields)
    sides.held(10, "A1")
    row = rows(sides.product_delta().changes)["A1"]
    assert (row["action"], row["changes"]) == ("withdraw", {"status": ("publish", "draft")})
    assert reason in row["reason"]
    assert sides.product_delta(replace(RULES, inactive_products="leave")).changes.is_empty()
    assert sides.product_delta(replace(RULES, inactive_products="out_of_stock")).changes.is_empty()


def test_withdrawn_variation_is_hidden_and_its_model_when_all_are(sides: Sides) -> None:
    koko = {"id": 0, "name": "Koko", "variation": True, "visible": True, "options": ["L", "S"]}
    sides.variant("M-S", "M", "S", active=False)
    sides.variant("M-L", "M", "L")
    sides.held(10, "M", type="variable", regular_price=None, attributes=[koko])
    sides.held(11, "M-S", type="variation", parent_id=10, attributes=[{**koko, "options": ["S"]}])
    sides.held(12, "M-L", type="variation", parent_id=10, attributes=[{**koko, "options": ["L"]}])
    assert {key: row["changes"] for key, row in rows(sides.product_delta().changes).items()} == {
        "M-S": {"status": ("publish", "private")}
    }
    sides.connection.execute("UPDATE snapshot.solteq_products SET active = FALSE")
    assert rows(sides.product_delta().changes)["M"]["changes"] == {"status": ("publish", "draft")}


def test_product_on_sale_again_gets_back_the_status_it_had(sides: Sides) -> None:
    sides.product("A1")
    sides.held(10, "A1", status="draft")
    sides.link("a1", 10, status_before="publish")
    row = rows(sides.product_delta().changes)["A1"]
    assert (row["action"], row["changes"]) == ("restore", {"status": ("draft", "publish")})


def test_a_draft_that_the_stores_people_made_stays_a_draft(sides: Sides) -> None:
    sides.product("A1")
    sides.held(10, "A1", status="draft")
    assert sides.product_delta().changes.is_empty()


def test_binned_product_is_restored_or_reported(sides: Sides) -> None:
    sides.product("A1")
    sides.held(10, "A1", status="trash")
    row = rows(sides.product_delta().changes)["A1"]
    assert (row["action"], row["changes"]) == ("restore", {"status": ("trash", "draft")})
    left = sides.product_delta(replace(RULES, binned_products="leave"))
    assert left.changes.is_empty()
    assert left.held["field"].to_list() == ["status"]


@pytest.mark.parametrize(("manage_stock", "quantity"), [(True, 10), (True, 0), (False, None)])
def test_a_page_comes_back_from_the_bin_without_pieces(sides: Sides, manage_stock: bool, quantity: int | None) -> None:
    """It got no stock in the bin: what it had on that day may be sold since."""
    sides.product("A1")
    sides.held(10, "A1", status="trash", manage_stock=manage_stock, stock_quantity=quantity)
    changes = rows(sides.product_delta(replace(RULES, new_product_status="publish")).changes)["A1"]["changes"]
    wanted: dict[str, tuple[str | None, str]] = {"status": ("trash", "publish")}
    if not manage_stock:
        wanted["manage_stock"] = ("false", "true")
    if quantity != 0:
        wanted["stock_quantity"] = (None if quantity is None else str(quantity), "0")
    assert changes == wanted


def test_existing_product_is_adopted_by_gtin(sides: Sides) -> None:
    sides.product("A1", gtin="6412345678907")
    sides.held(10, "KAUPAN-OMA", global_unique_id="6412345678907")
    row = rows(sides.product_delta().changes)["A1"]
    assert (row["woo_id"], row["changes"]) == (10, {"sku": ("KAUPAN-OMA", "A1")})


def test_product_of_another_code_is_not_adopted_by_gtin(sides: Sides) -> None:
    sides.product("A1", gtin="6412345678907")
    sides.product("B1")
    sides.held(10, "B1", global_unique_id="6412345678907")
    delta = rows(sides.product_delta().changes)
    assert delta["A1"]["action"] == "create"
    assert "global_unique_id" not in delta["A1"]["changes"], "the store would refuse the whole product"
    assert ("A1", "gtin") in quarantine(sides)


def test_renamed_sku_is_put_right_by_the_link(sides: Sides) -> None:
    sides.product("A1")
    sides.held(10, "renamed-by-hand")
    sides.link("a1", 10)
    assert rows(sides.product_delta().changes)["A1"]["changes"] == {"sku": ("renamed-by-hand", "A1")}


def test_gtin_is_padded_to_a_legal_length(sides: Sides) -> None:
    sides.product("A1", gtin="36000291452")
    assert rows(sides.product_delta().changes)["A1"]["changes"]["global_unique_id"] == (None, "036000291452")


def test_bad_gtin_and_bad_discount_are_left_out_and_reported_and_the_product_goes(sides: Sides) -> None:
    sides.product("A1", gtin="EI-OLE", discounted_price=Decimal(-1))
    changes = rows(sides.product_delta().changes)["A1"]["changes"]
    assert "global_unique_id" not in changes
    assert "sale_price" not in changes
    assert set(quarantine(sides)) == {("A1", "gtin"), ("A1", "discountedPrice")}


def test_gtin_that_solteq_does_not_have_is_left_in_the_store(sides: Sides) -> None:
    sides.product("A1", sales_price=Decimal(11))
    sides.held(10, "A1", global_unique_id="6412345678907")
    assert set(rows(sides.product_delta().changes)["A1"]["changes"]) == {"regular_price"}


def test_purchase_price_goes_to_cost_of_goods_where_the_store_has_it(sides: Sides) -> None:
    sides.product("A1", purchase_price=Decimal("5.5"))
    sides.held(10, "A1", has_cost_of_goods=True, purchase_price="5.50")
    assert rows(sides.product_delta().changes)["A1"]["changes"] == {"cost_of_goods_sold": (None, "5.50")}


def test_sku_of_a_product_without_a_price_of_its_own_is_reported(sides: Sides) -> None:
    sides.product("A1")
    sides.held(10, "A1", type="grouped", regular_price=None)
    assert sides.product_delta().changes.is_empty()
    assert set(quarantine(sides)) == {("A1", "code")}


def test_discount_is_capped_by_the_maximum_and_alcohol_is_never_discounted(sides: Sides) -> None:
    sides.product("CAP", discounted_price=Decimal(5), max_discount_percent=Decimal(20))
    sides.product("ALKO", discounted_price=Decimal(5), max_discount_percent=Decimal(0))
    delta = rows(sides.product_delta().changes)
    assert delta["CAP"]["changes"]["sale_price"] == (None, "8.00")
    assert "sale_price" not in delta["ALKO"]["changes"]


def test_sku_moved_by_hand_to_another_product_writes_each_code_once(sides: Sides) -> None:
    """Product 10 was A1 and carries B1's SKU now: two links name it for a while."""
    sides.product("A1")
    sides.product("B1", sales_price=Decimal(12))
    sides.held(10, "B1")
    sides.link("a1", 10)
    sides.link("b1", 10)
    delta = sides.product_delta().changes
    assert sorted(delta["key"]) == ["A1", "B1"]
    assert rows(delta)["A1"]["action"] == "create"
    assert rows(delta)["B1"]["changes"] == {"regular_price": ("10.00", "12.00")}


def koko(*options: str, name: str = "Koko") -> list[dict[str, Any]]:
    return [{"id": 0, "name": name, "variation": True, "visible": True, "options": list(options)}]


def family(sides: Sides) -> None:
    """A variable product M with variations S, L and XL, all as Solteq says."""
    sides.held(10, "M", type="variable", regular_price=None, attributes=koko("L", "S", "XL"))
    sides.link_model("m", 10)
    for woo_id, size in enumerate(("S", "L", "XL"), start=11):
        sides.variant(f"M-{size}", "M", size)
        sides.held(woo_id, f"M-{size}", type="variation", parent_id=10, attributes=koko(size))
        sides.link(f"m-{size.lower()}", woo_id)
    assert sides.product_delta().changes.is_empty()


def test_model_number_that_is_the_code_of_a_settled_product_takes_nothing_from_it(sides: Sides) -> None:
    sides.product("M")
    sides.held(10, "M")
    sides.link("m", 10)
    sides.variant("M-S", "M", "S")
    sides.variant("M-L", "M", "L")
    assert sides.product_delta().changes.is_empty()
    assert set(quarantine(sides)) == {("M-S", "modelNumber"), ("M-L", "modelNumber")}


@pytest.mark.parametrize("size", ["S", None])
def test_nothing_is_converted_for_a_variant_that_cannot_be_told_apart(sides: Sides, size: str | None) -> None:
    """The product on sale would lose its price for a variation that is held back."""
    attributes = [{"name": "Koko", "option": size}] if size else []
    sides.product("M-S", model_number="M", attributes=attributes)
    sides.product("M-L", model_number="M", attributes=attributes)
    sides.held(10, "M-S")
    assert sides.product_delta().changes.is_empty()
    assert set(quarantine(sides)) == {("M-L", "attributes")}


def test_code_moved_to_a_new_model_does_not_take_the_parent_along(sides: Sides) -> None:
    family(sides)
    sides.connection.execute("UPDATE snapshot.solteq_products SET model_number = 'N' WHERE code = 'M-S'")
    assert sides.product_delta().changes.is_empty()
    sides.variant("N-L", "N", "L")
    delta = rows(sides.product_delta().changes)
    assert {key: (row["action"], row["woo_id"]) for key, row in delta.items()} == {
        "N": ("create", None),
        "N-L": ("create", None),
    }
    assert ("M-S", "modelNumber") in quarantine(sides)


def test_renamed_model_keeps_its_parent(sides: Sides) -> None:
    family(sides)
    sides.connection.execute("UPDATE snapshot.solteq_products SET model_number = 'N'")
    assert rows(sides.product_delta().changes)["N"]["changes"] == {"sku": ("M", "N")}


def test_option_removed_from_the_parent_by_hand_is_put_back(sides: Sides) -> None:
    family(sides)
    sides.connection.execute("DELETE FROM snapshot.woo_catalogue WHERE id = 10")
    sides.held(10, "M", type="variable", regular_price=None, attributes=koko("L", "S"))
    assert set(rows(sides.product_delta().changes)) == {"M"}


def test_parent_that_we_withdrew_comes_back_though_its_variations_agree(sides: Sides) -> None:
    family(sides)
    sides.connection.execute("UPDATE snapshot.woo_catalogue SET status = 'draft' WHERE id = 10")
    sides.connection.execute("UPDATE sync.links SET status_before = 'publish' WHERE key = 'm'")
    assert rows(sides.product_delta().changes)["M"]["changes"] == {"status": ("draft", "publish")}


def test_new_variations_of_a_binned_parent_wait_when_it_is_left(sides: Sides) -> None:
    leave = replace(RULES, binned_products="leave")
    sides.variant("M-S", "M", "S")
    sides.variant("M-L", "M", "L")
    assert set(rows(sides.product_delta(leave).changes)) == {"M", "M-S", "M-L"}
    sides.held(10, "M", type="variable", status="trash", regular_price=None, attributes=koko("S", "L"))
    delta = sides.product_delta(leave)
    assert delta.changes.is_empty()
    assert delta.held["field"].to_list() == ["status", "status"]


def test_inactive_code_withdraws_nothing_by_gtin(sides: Sides) -> None:
    sides.product("A1", gtin="6412345678907", active=False)
    sides.held(10, "KAUPAN-OMA", global_unique_id="6412345678907")
    assert sides.product_delta().changes.is_empty()


def test_gtin_adopts_whatever_its_padding_and_though_the_code_was_renamed(sides: Sides) -> None:
    sides.product("A2", id="p-A1", gtin="06412345678907")
    sides.held(10, "A1", global_unique_id="6412345678907")
    sides.link("a1", 10)
    assert rows(sides.product_delta().changes)["A2"]["woo_id"] == 10


def test_two_links_to_one_product_write_it_once(sides: Sides) -> None:
    sides.product("A1")
    sides.product("B1")
    sides.held(10, "RENAMED")
    sides.link("a1", 10)
    sides.link("b1", 10)
    ids = sides.product_delta().changes["woo_id"].drop_nulls().to_list()
    assert ids == [10]


def test_scheduled_product_is_withdrawn_too(sides: Sides) -> None:
    sides.product("A1", active=False)
    sides.held(10, "A1", status="future")
    assert rows(sides.product_delta().changes)["A1"]["changes"] == {"status": ("future", "draft")}


def test_attributes_are_as_wordpress_cleans_them_and_a_name_counts_once(sides: Sides) -> None:
    given = [{"name": " Koko ", "option": "S  M"}, {"name": "koko", "option": "X"}]
    sides.product("M-S", model_number="M", attributes=given)
    sides.variant("M-L", "M", "L")
    assert rows(sides.product_delta().changes)["M-S"]["changes"]["attributes"][1] == (
        '[{"name":"Koko","option":"S M"}]'
    )


# A code that changed


def test_a_code_that_changed_keeps_its_product(sides: Sides) -> None:
    """There is no GTIN to find it by: the document's id is what stays."""
    sides.product("A1X", id="p-A1")
    sides.held(10, "A1")
    sides.link("a1", 10)
    delta = sides.product_delta()
    changes = rows(delta.changes)
    assert list(changes) == ["A1X"]
    assert (changes["A1X"]["action"], changes["A1X"]["woo_id"]) == ("update", 10)
    assert changes["A1X"]["changes"] == {"sku": ("A1", "A1X")}
    assert links_of(delta).select("key", "woo_id", "solteq_id").rows() == [("a1x", 10, "p-A1")]


def test_the_code_of_a_variant_that_changed_keeps_its_variation(sides: Sides) -> None:
    sides.variant("M-SX", "M", "S", id="p-M-S")
    sides.variant("M-L", "M", "L")
    parent = [{"id": 0, "name": "Koko", "variation": True, "visible": True, "options": ["S", "L"]}]
    sides.held(9, "M", type="variable", regular_price=None, manage_stock=False, attributes=parent)
    for woo_id, size in ((10, "S"), (11, "L")):
        choice = [{"id": 0, "name": "Koko", "variation": True, "visible": True, "options": [size]}]
        sides.held(woo_id, f"M-{size}", type="variation", parent_id=9, attributes=choice)
        sides.link(f"m-{size.lower()}", woo_id)
    sides.link_model("m", 9)
    changes = rows(sides.product_delta().changes)
    assert list(changes) == ["M-SX"]
    assert (changes["M-SX"]["kind"], changes["M-SX"]["woo_id"]) == ("variation", 10)
    assert changes["M-SX"]["changes"] == {"sku": ("M-S", "M-SX")}


def test_a_product_that_was_withdrawn_comes_back_under_its_new_code(sides: Sides) -> None:
    """With the status that it had."""
    sides.product("A1X", id="p-A1")
    sides.held(10, "A1", status="draft")
    sides.link("a1", 10, status_before="publish")
    change = rows(sides.product_delta().changes)["A1X"]
    assert (change["action"], change["woo_id"]) == ("restore", 10)
    assert change["changes"] == {"status": ("draft", "publish"), "sku": ("A1", "A1X")}


def reused(sides: Sides, **fields: Any) -> None:
    """Code A1 was of a mug, which was deleted, and is of a chainsaw now."""
    sides.product("A1", id="old", name="Muki", active=False, deleted=True, gtin=fields.pop("old_gtin", None))
    sides.product("A1", id="new", name="Moottorisaha", sales_price=Decimal(500), gtin=fields.pop("new_gtin", None))
    sides.held(10, "A1", **fields)
    sides.link("a1", 10, solteq_id="old")


def test_a_code_that_comes_back_on_a_new_document_is_a_new_product(sides: Sides) -> None:
    """The mug's page is not published with a chainsaw's price: it leaves the shelf and gives its SKU away."""
    reused(sides)
    delta = sides.product_delta()
    changes = rows(delta.changes)
    assert {key: (row["action"], row["woo_id"]) for key, row in changes.items()} == {
        "A1": ("create", None),
        "A1 (old)": ("withdraw", 10),
    }
    assert changes["A1 (old)"]["changes"] == {"status": ("publish", "draft"), "sku": ("A1", "")}
    assert changes["A1"]["changes"]["regular_price"] == (None, "500.00")
    assert links_of(delta).select("key", "woo_id", "solteq_id", "sku").rows() == [("a1 (old)", 10, "old", None)]


def test_the_page_of_a_code_used_again_gives_its_sku_away_when_it_is_withdrawn_already(sides: Sides) -> None:
    reused(sides, status="draft")
    row = rows(sides.product_delta().changes)["A1 (old)"]
    assert (row["action"], row["changes"]) == ("update", {"sku": ("A1", "")})


def test_a_code_used_again_is_settled_when_both_have_their_own_product(sides: Sides) -> None:
    reused(sides, status="draft")
    sides.connection.execute("UPDATE sync.links SET key = 'a1 (old)', sku = ''")
    sides.connection.execute("UPDATE snapshot.woo_catalogue SET sku = ''")
    sides.held(11, "A1", regular_price=Decimal(500))
    sides.link("a1", 11, solteq_id="new")
    assert sides.product_delta().changes.is_empty()


def test_documents_with_one_gtin_are_one_product(sides: Sides) -> None:
    """Somebody made the product anew in Solteq."""
    reused(sides, old_gtin="6412345678907", new_gtin="06412345678907", global_unique_id="6412345678907")
    delta = sides.product_delta()
    changes = rows(delta.changes)
    assert {key: (row["action"], row["woo_id"]) for key, row in changes.items()} == {"A1": ("update", 10)}
    assert links_of(delta).select("key", "woo_id", "solteq_id").rows() == [("a1", 10, "new")]


def test_a_person_who_gives_the_sku_back_to_the_old_page_says_that_it_is_the_product(sides: Sides) -> None:
    reused(sides, status="draft")
    sides.connection.execute("UPDATE sync.links SET key = 'a1 (old)', sku = '', status_before = 'publish'")
    row = rows(sides.product_delta().changes)["A1"]
    assert (row["action"], row["woo_id"]) == ("restore", 10)
    assert row["changes"] == {"status": ("draft", "publish"), "regular_price": ("10.00", "500.00")}


def test_the_old_page_is_withdrawn_though_the_new_product_cannot_be_sold(sides: Sides) -> None:
    reused(sides)
    sides.connection.execute("UPDATE snapshot.solteq_products SET sales_price = 0 WHERE id = 'new'")
    assert {key: row["changes"] for key, row in rows(sides.product_delta().changes).items()} == {
        "A1 (old)": {"status": ("publish", "draft")}
    }


def test_codes_that_were_swapped_keep_their_products(sides: Sides) -> None:
    sides.product("B1", id="p-A1", gtin="6412345678907")
    sides.product("A1", id="p-B1", sales_price=Decimal(20))
    sides.held(10, "A1", global_unique_id="6412345678907")
    sides.held(11, "B1", regular_price=Decimal(20))
    sides.link("a1", 10)
    sides.link("b1", 11)
    delta = sides.product_delta()
    assert {key: (row["woo_id"], row["changes"]) for key, row in rows(delta.changes).items()} == {
        "A1": (11, {"sku": ("B1", "A1")}),
        "B1": (10, {"sku": ("A1", "B1")}),
    }
    assert sorted(links_of(delta).select("key", "woo_id", "solteq_id", "sku").rows()) == [
        ("a1", 11, "p-B1", None),
        ("b1", 10, "p-A1", None),
    ]


def test_codes_that_were_handed_on_in_a_row_keep_their_products(sides: Sides) -> None:
    """A new product has the first code."""
    sides.product("A1", id="new")
    for woo_id, old, new in ((10, "A1", "B1"), (11, "B1", "C1"), (12, "C1", "D1")):
        sides.product(new, id=f"p-{old}")
        sides.held(woo_id, old)
        sides.link(old.lower(), woo_id)
    changes = rows(sides.product_delta().changes)
    assert {key: (row["action"], row["woo_id"]) for key, row in changes.items()} == {
        "A1": ("create", None),
        "B1": ("update", 10),
        "C1": ("update", 11),
        "D1": ("update", 12),
    }


def test_a_code_that_another_page_has_already_is_held_with_all_that_wait_for_it(sides: Sides) -> None:
    sides.product("B1", id="p-A1", sales_price=Decimal(12))
    sides.product("A1", id="new")
    sides.held(10, "A1")
    sides.link("a1", 10)
    sides.held(11, "B1", regular_price=Decimal(99))
    delta = sides.product_delta()
    assert delta.changes.is_empty()
    assert {(row["key"], row["code"]) for row in delta.held.to_dicts()} == {
        ("A1", "sku-taken"),
        ("B1", "sku-taken"),
    }
    assert links_of(delta).is_empty(), "the link remembers the code that both sides agreed on"


def test_the_sku_that_a_person_moved_to_another_page_wins(sides: Sides) -> None:
    sides.product("A1")
    sides.held(10, "", status="draft")
    sides.held(11, "A1")
    sides.link("a1", 10)
    delta = sides.product_delta()
    assert delta.changes.is_empty()
    assert links_of(delta).select("key", "woo_id", "sku").rows() == [("a1", 11, "a1")]


def test_a_link_to_a_page_in_the_bin_gives_way_to_the_sku(sides: Sides) -> None:
    sides.product("A1")
    sides.held(10, "VANHA", status="trash")
    sides.held(11, "A1")
    sides.link("a1", 10)
    assert links_of(sides.product_delta()).select("key", "woo_id").rows() == [("a1", 11)]


def test_a_link_of_an_earlier_version_learns_its_document(sides: Sides) -> None:
    sides.product("A1")
    sides.held(10, "A1")
    sides.connection.execute("INSERT INTO sync.links VALUES ('product', 'a1', 10, NULL, NULL, 'a1')")
    assert links_of(sides.product_delta()).select("key", "woo_id", "solteq_id").rows() == [("a1", 10, "p-A1")]


@pytest.mark.parametrize(("is_linked", "keys"), [(False, []), (True, ["A1"])])
def test_an_sku_that_the_gtins_contradict_is_held_unless_a_link_says_so(
    sides: Sides, is_linked: bool, keys: list[str]
) -> None:
    sides.product("A1", gtin="6412345678907", sales_price=Decimal(12))
    sides.held(10, "A1", global_unique_id="6438012345675")
    if is_linked:
        sides.link("a1", 10)
    delta = sides.product_delta()
    assert delta.changes["key"].to_list() == keys
    assert delta.held["code"].to_list() == ([] if is_linked else ["sku-of-other-gtin"])


def test_a_deleted_document_withdraws_nothing_that_the_gtins_contradict(sides: Sides) -> None:
    sides.product("A1", gtin="6412345678907", deleted=True)
    sides.held(10, "A1", global_unique_id="6438012345675")
    assert sides.product_delta().changes.is_empty()


def test_models_whose_numbers_were_swapped_keep_their_pages(sides: Sides) -> None:
    for start, model in ((10, "M"), (20, "N")):
        sides.held(start, model, type="variable", regular_price=None, attributes=koko("L", "S"))
        sides.link_model(model.lower(), start, status_before=None)
        for woo_id, size in enumerate("SL", start=start + 1):
            sides.variant(f"{model}-{size}", model, size)
            sides.held(woo_id, f"{model}-{size}", type="variation", parent_id=start, attributes=koko(size))
            sides.link(f"{model}-{size}".lower(), woo_id)
    assert sides.product_delta().changes.is_empty()
    sides.connection.execute(
        "UPDATE snapshot.solteq_products SET model_number = CASE model_number WHEN 'M' THEN 'N' ELSE 'M' END"
    )
    delta = sides.product_delta()
    assert {key: (row["woo_id"], row["changes"]) for key, row in rows(delta.changes).items()} == {
        "M": (20, {"sku": ("N", "M")}),
        "N": (10, {"sku": ("M", "N")}),
    }
    assert delta.held.is_empty()


def test_one_product_is_not_found_by_id_and_by_gtin(sides: Sides) -> None:
    sides.product("A1X", id="p-A1")
    sides.product("B1", gtin="6400000000002")
    sides.held(10, "A1", global_unique_id="6400000000002")
    sides.link("a1", 10)
    changes = rows(sides.product_delta().changes)
    assert {key: (row["action"], row["woo_id"]) for key, row in changes.items()} == {
        "B1": ("create", None),
        "A1X": ("update", 10),
    }
