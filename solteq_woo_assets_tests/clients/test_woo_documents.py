from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import simplejson
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from solteq_woo_assets.clients.woo_documents import ProductBatch, ProductWrite, StoreProduct

RECORDINGS = Path(__file__).parents[3] / "shared" / "woo-recordings"
SCENARIOS = ("products", "products_batch", "products_modified", "variable_products")
RAW = {
    "id": 7,
    "type": "simple",
    "status": "publish",
    "name": "Sukat",
    "sku": "A-1",
    "date_modified_gmt": "2026-11-23T03:20:38",
}


def write(**fields: Any) -> ProductWrite:
    return ProductWrite.model_validate(fields)


def scenario(name: str) -> list[dict[str, Any]]:
    if not RECORDINGS.is_dir():
        pytest.skip("no ../shared/woo-recordings beside this clone")
    return simplejson.loads((RECORDINGS / f"{name}.json").read_text(), use_decimal=True)["steps"]


def products_in(body: Any) -> Iterator[dict[str, Any]]:
    """Every whole product in an answer, in a list or in a batch."""
    if isinstance(body, list):
        for each in body:
            yield from products_in(each)
    elif isinstance(body, dict) and "date_modified_gmt" in body and "status" in body:
        yield body
    elif isinstance(body, dict):
        for verb in ("create", "update"):
            yield from products_in(body.get(verb, []))


def recorded_writes() -> Iterator[tuple[dict[str, Any], Any]]:
    """Each item that was sent to the real store, and what became of it."""
    for step in [step for name in ("products", "products_batch") for step in scenario(name)]:
        sent, answer = step["request"]["json"], step["response"]["body"]
        if sent and step["request"]["path"].endswith("/batch") and step["response"]["status"] == 200 and answer:
            for verb in sent.keys() - {"delete"}:
                yield from zip(sent[verb], answer[verb], strict=True)
        elif sent and "update" not in sent:
            yield sent, answer


class TestStoreProduct:
    def test_all_of_it_is_read(self) -> None:
        raw = RAW | {
            "parent_id": 3,
            "global_unique_id": "6412345678907",
            "regular_price": "24.90",
            "sale_price": "",
            "date_on_sale_from_gmt": "2026-11-26T22:00:00",
            "date_on_sale_to_gmt": "2026-11-29T23:59:59+02:00",
            "tax_class": "reduced-rate",
            "manage_stock": True,
            "stock_quantity": 12,
            "stock_status": "instock",
            "attributes": [{"id": 0, "name": "Koko", "option": "M"}],
            "meta_data": [
                {"id": 1, "key": "_solteq_product_id", "value": "P-1"},
                {"id": 2, "key": "_solteq_count", "value": 3},
                {"id": 3, "key": "_solteq_table", "value": {"a": 1}},
                {"id": 4, "key": "_solteq_gone", "value": None},
                {"id": 5, "key": "_yoast", "value": "x"},
                "rubbish",
            ],
            "cost_of_goods_sold": {"values": [{"defined_value": Decimal("8.1")}], "total_value": 8},
            "images": [{"id": 1}],
        }
        read = StoreProduct.from_wire(raw)
        assert read.model_dump() == {
            **RAW,
            "parent_id": 3,
            "global_unique_id": "6412345678907",
            "regular_price": Decimal("24.90"),
            "sale_price": None,
            "date_on_sale_from_gmt": datetime.fromisoformat("2026-11-26T22:00:00"),
            "date_on_sale_to_gmt": datetime.fromisoformat("2026-11-29T21:59:59"),
            "tax_class": "reduced-rate",
            "manage_stock": True,
            "stock_quantity": 12,
            "stock_status": "instock",
            "attributes": [{"id": 0, "name": "Koko", "variation": True, "visible": True, "options": ["M"]}],
            "meta": {"_solteq_product_id": "P-1", "_solteq_count": "3"},
            "cost_of_goods_sold": Decimal("8.1"),
            "has_cost_of_goods": True,
            "date_modified_gmt": datetime.fromisoformat("2026-11-23T03:20:38"),
        }

    @pytest.mark.parametrize("price", ["", None, "abc", "12,34", "NaN", "Infinity", [], True])
    def test_a_price_that_is_no_number_is_none(self, price: object) -> None:
        assert StoreProduct.from_wire(RAW | {"regular_price": price}).regular_price is None

    @given(st.decimals(0, 10**9, places=6))
    def test_a_price_is_exact(self, price: Decimal) -> None:
        assert StoreProduct.from_wire(RAW | {"regular_price": str(price)}).regular_price == price

    def test_a_variation_read_by_its_parent_knows_it(self) -> None:
        old = {name: value for name, value in RAW.items() if name not in ("type", "name")}
        read = StoreProduct.from_wire(old | {"manage_stock": "parent", "sku": None}, parent_id=3)
        assert (read.type, read.parent_id, read.manage_stock, read.sku) == ("variation", 3, False, "")

    def test_a_plugins_fraction_of_a_piece_is_rounded_down(self) -> None:
        assert StoreProduct.from_wire(RAW | {"stock_quantity": Decimal("-2.5")}).stock_quantity == -3

    @pytest.mark.parametrize("cost", [None, {}, {"values": []}, {"values": [{}]}, [], {"values": 3}])
    def test_a_cost_may_be_missing_while_the_feature_is_on(self, cost: object) -> None:
        read = StoreProduct.from_wire(RAW | {"cost_of_goods_sold": cost})
        assert (read.cost_of_goods_sold, read.has_cost_of_goods) == (None, True)

    def test_without_the_feature_there_is_no_cost(self) -> None:
        assert StoreProduct.from_wire(RAW).has_cost_of_goods is False

    @pytest.mark.parametrize("field", ["id", "type", "status", "date_modified_gmt"])
    def test_some_of_it_has_to_be_there(self, field: str) -> None:
        with pytest.raises(ValidationError, match=field):
            StoreProduct.from_wire({name: value for name, value in RAW.items() if name != field})

    @pytest.mark.parametrize("name", SCENARIOS)
    def test_all_that_the_real_store_said_is_read(self, name: str) -> None:
        raws = [raw for step in scenario(name) for raw in products_in(step["response"]["body"])]
        assert raws
        for raw in raws:
            read = StoreProduct.from_wire(raw)
            assert (read.id, read.sku, read.type) == (raw["id"], raw["sku"], raw["type"])
            assert ("" if read.regular_price is None else str(read.regular_price)) == raw["regular_price"]


class TestProductWrite:
    def test_what_is_set_is_sent_and_nothing_else(self) -> None:
        assert write().to_wire() == {}
        assert write(id=3, sale_price="").to_wire() == {"id": 3, "sale_price": ""}

    def test_all_that_can_be_sent(self) -> None:
        wire = {
            "id": 3,
            "name": "T-paita <3",
            "type": "variable",
            "status": "draft",
            "sku": "A 1",
            "regular_price": "19.90",
            "sale_price": "9.90",
            "date_on_sale_from_gmt": "2026-11-26T22:00:00",
            "date_on_sale_to_gmt": "",
            "tax_class": "reduced-rate-10",
            "global_unique_id": "6412345678907",
            "manage_stock": True,
            "stock_quantity": 7,
            "attributes": [
                {"name": "Koko", "variation": True, "visible": True, "options": ["S", "M"]},
                {"id": 4, "option": "M"},
            ],
            "meta_data": [{"key": "_solteq_a", "value": "1"}, {"key": "_solteq_b", "value": None}],
        }
        sent = write(**wire, cost_of_goods_sold=Decimal("8.10")).to_wire()
        cost = {"values": [{"defined_value": Decimal("8.10")}]}
        assert sent == {**wire, "cost_of_goods_sold": cost}
        assert '"defined_value": 8.10' in simplejson.dumps(sent, use_decimal=True)
        assert set(sent) == set(ProductWrite.model_fields)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("regular_price", "12,34"),
            ("regular_price", "1,5"),
            ("regular_price", "abc"),
            ("regular_price", "-5"),
            ("regular_price", "-5.00"),
            ("regular_price", 12.34),
            ("regular_price", Decimal("12.34")),
            ("regular_price", ""),
            ("regular_price", "5"),
            ("regular_price", "5.0"),
            ("regular_price", "5.000"),
            ("regular_price", "1e3"),
            ("regular_price", " 5.00"),
            ("regular_price", "5.00\n"),
            ("regular_price", "٥.٠٠"),
            ("sale_price", None),
            ("sale_price", "0"),
            ("stock_quantity", "abc"),
            ("stock_quantity", "7"),
            ("stock_quantity", 2.5),
            ("stock_quantity", 2.0),
            ("stock_quantity", Decimal(2)),
            ("stock_quantity", True),
            ("stock_quantity", -3),
            ("stock_quantity", None),
            ("manage_stock", 1),
            ("manage_stock", "yes"),
            ("status", "bogus"),
            ("status", "trash"),
            ("type", "variation"),
            ("id", 0),
            ("id", "3"),
            ("name", ""),
            ("sku", ""),
            ("sku", " A"),
            ("sku", "A\n"),
            ("sku", "<b>A"),
            ("sku", "A  B"),
            ("sku", "50%ab"),
            ("global_unique_id", "64-12"),
            ("global_unique_id", "٦٤"),
            ("tax_class", "Reduced Rate"),
            ("date_on_sale_from_gmt", "2026-11-26"),
            ("date_on_sale_from_gmt", "2026-11-26T22:00:00Z"),
            ("date_on_sale_from_gmt", "2026-11-26T22:00:00+02:00"),
            ("date_on_sale_to_gmt", "2026-02-30T00:00:00"),
            ("date_on_sale_to_gmt", None),
            ("meta_data", [{"key": "_yoast", "value": "x"}]),
            ("meta_data", [{"key": "_solteq_a", "value": 1}]),
            ("meta_data", [{"key": "_solteq_a"}]),
            ("meta_data", [{"id": 1, "key": "_solteq_a", "value": "1"}]),
            ("attributes", [{"name": "Koko"}]),
            ("attributes", [{"option": "M"}]),
            ("attributes", [{"name": "Koko", "option": "M", "options": ["M"]}]),
            ("attributes", [{"name": "Koko", "option": 42}]),
            ("cost_of_goods_sold", "8.10"),
            ("cost_of_goods_sold", Decimal("-1")),
            ("cost_of_goods_sold", Decimal("1.00001")),
            ("cost_of_goods_sold", None),
            ("description", "x"),
            ("images", []),
            ("categories", [{"id": 1}]),
            ("tags", []),
            ("price", "5.00"),
            ("stock_status", "instock"),
            ("date_on_sale_from", "2026-11-26T22:00:00"),
        ],
    )
    def test_what_the_store_would_mangle_or_owns_is_refused(self, field: str, value: object) -> None:
        with pytest.raises(ValidationError, match=field) as caught:
            write(**{field: value})
        assert "input_value" not in str(caught.value)

    @pytest.mark.parametrize("sale", ["20.00", "19.90"])
    def test_a_sale_price_is_below_the_regular_price(self, sale: str) -> None:
        with pytest.raises(ValidationError, match="sale_price must be below regular_price"):
            write(regular_price="19.90", sale_price=sale)
        assert write(sale_price=sale)

    def test_stock_needs_to_be_managed(self) -> None:
        with pytest.raises(ValidationError, match="stock_quantity needs manage_stock"):
            write(manage_stock=False, stock_quantity=3)
        assert write(stock_quantity=3)
        assert write(manage_stock=False)

    @given(st.text() | st.from_regex(r"\A-?\d{0,12}[.,]?\d{0,3}\s?\Z"))
    def test_a_price_is_plain_or_refused(self, price: str) -> None:
        try:
            sent = write(regular_price=price).to_wire()["regular_price"]
        except ValidationError:
            return
        assert sent == price == f"{Decimal(price):.2f}"
        assert sent.isascii()

    def test_the_real_store_takes_as_it_is_meant_what_is_not_refused_here(self) -> None:
        refused = 0
        for item, answer in recorded_writes():
            try:
                write(**item)
            except ValidationError:
                refused += 1
                continue
            for raw in products_in(answer):
                taken = StoreProduct.from_wire(raw)
                for name in ("regular_price", "stock_quantity", "status", "sku", "global_unique_id"):
                    if name in item and (name != "stock_quantity" or taken.manage_stock):
                        assert str(getattr(taken, name)) == str(item[name])
        assert refused >= 10


class TestBatch:
    def test_a_hundred_is_the_most(self) -> None:
        creates = [write(sku=str(number)) for number in range(60)]
        updates = [write(id=number) for number in range(1, 42)]
        assert len(ProductBatch(creates, updates[:40])) == 100
        with pytest.raises(ValueError, match="101 items"):
            ProductBatch(creates, updates)

    @pytest.mark.parametrize(
        ("creates", "updates", "words"),
        [
            ([{"id": 1}], [], "has no id yet"),
            ([], [{"sku": "a"}], "each update needs an id"),
        ],
    )
    def test_ids_belong_to_updates(self, creates: list[Any], updates: list[Any], words: str) -> None:
        with pytest.raises(ValueError, match=words):
            ProductBatch([write(**each) for each in creates], [write(**each) for each in updates])

    @pytest.mark.parametrize("fields", [{"name": "x"}, {"type": "simple"}])
    def test_a_variation_has_no_name_and_no_type(self, fields: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=f"no {next(iter(fields))} of its own"):
            ProductBatch([], [write(id=1, **fields)], parent_id=3)
        assert ProductBatch([], [write(id=1, **fields)])
