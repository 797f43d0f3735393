"""WooCommerce's own sample catalogue, as a retailer would keep it in Solteq, through the command line into the store.

How a row of the file becomes Solteq documents:

- A *simple* product is a product; its sale price is the discounted price. Its attributes go along, but stay in
  Solteq: a simple product's attributes are the store's own.
- A *variable* product is a model number; its *variations* are the products that share it. A variation for any size
  names no size, so Solteq does not know of sizes.
- A *virtual* product (the file's are downloads) is a service: no balance, no managed stock.
- An *external* product is sold on another site, but its price is kept in Solteq. Solteq has no such type: the store's
  people make it, and the integration adopts it by its SKU.
- A *grouped* product has no price and is no product to Solteq: the store's people make it, and it stays as it is.
- The file says that everything is in stock and counts nothing. So each product that keeps stock gets a balance that no
  other has: its id in pieces, split over two shops.
- The tax class is the standard one everywhere: VAT 25.5 %.
"""

import csv
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from solteq_woo_assets.clients.woo_documents import StoreProduct
from solteq_woo_assets_tests.conftest import CommandLine, Shop, balance_document, product_document

VAT_RATES = {"": 25.5, "reduced-rate": 13.5, "zero-rate": 0}
STATUSES = {"1": "publish", "0": "private", "-1": "draft"}

COMPARED = {
    "Type",
    "SKU",
    "Name",
    "Published",
    "Tax class",
    "In stock?",
    "Stock",
    "Sale price",
    "Regular price",
    "Parent",
    "Date sale price starts",
    "Date sale price ends",
    "Attribute 1 name",
    "Attribute 1 value(s)",
    "Attribute 2 name",
    "Attribute 2 value(s)",
}
THE_STORES_OWN = {
    "ID": "the store gives ids",
    **dict.fromkeys(
        ["Short description", "Description", "Images", "Categories", "Tags", "Purchase note", "Upsells", "Cross-sells"],
        "texts, pictures and where a product is shown are the store's",
    ),
    **dict.fromkeys(
        ["Is featured?", "Visibility in catalog", "Allow customer reviews?", "Position", "Sold individually?"],
        "how a product is shown is the store's",
    ),
    **dict.fromkeys(
        ["Weight (lbs)", "Length (in)", "Width (in)", "Height (in)", "Shipping class", "Backorders allowed?"],
        "how a product is shipped is the store's",
    ),
    **dict.fromkeys(
        ["Download limit", "Download expiry days", "Download 1 name", "Download 1 URL", "Download 2 name"],
        "downloads are the store's",
    ),
    "Download 2 URL": "downloads are the store's",
    **dict.fromkeys(["Grouped products", "External URL", "Button text"], "the store's people make such products"),
    **dict.fromkeys(
        ["Attribute 1 visible", "Attribute 1 global", "Attribute 2 visible", "Attribute 2 global"],
        "Solteq has names and values of attributes, and nothing else of them",
    ),
    "Tax status": "everything is taxable in the file, and in a new product",
    "Meta: _wpcom_is_markdown": "another plugin's",
}


@dataclass(frozen=True)
class Row:
    """A row of the file."""

    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells[column]

    @property
    def kind(self) -> str:
        """The type without the marks beside it: simple, variable, variation, grouped or external."""
        return self["Type"].split(",")[0]

    @property
    def is_virtual(self) -> bool:
        return "virtual" in self["Type"]

    @property
    def attributes(self) -> dict[str, list[str]]:
        """Values by name; a variation for any value of an attribute has none of it."""
        pairs = ((self[f"Attribute {n} name"], self[f"Attribute {n} value(s)"]) for n in (1, 2))
        return {name: values.split(", ") for name, values in pairs if name and values}

    @property
    def pieces(self) -> int | None:
        """The balance that the product is given, if it keeps stock."""
        return (
            int(self["Stock"] or self["ID"]) if self.kind in ("simple", "variation") and not self.is_virtual else None
        )

    def price(self, column: str) -> Decimal | None:
        return Decimal(self[column]) if self[column] else None

    def document(self) -> dict[str, Any]:
        """The product in Solteq."""
        fields: dict[str, Any] = {
            "name": self["Name"],
            "vatRate": VAT_RATES[self["Tax class"]],
            "salesPrice": self.price("Regular price"),
            "attributes": {name: ", ".join(values) for name, values in self.attributes.items()},
            "productType": "Service" if self.is_virtual else "Variant" if self.kind == "variation" else "Basic",
        }
        if self["Sale price"]:
            fields["discountedPrice"] = self.price("Sale price")
        if self["Parent"]:
            fields["modelNumber"] = self["Parent"]
        return product_document(self["SKU"], **fields)

    def balances(self) -> list[dict[str, Any]]:
        """Its balances in Solteq, in two shops; together they are whole pieces."""
        if self.pieces is None:
            return []
        shop, warehouse = Decimal(self.pieces) / 4, Decimal(self.pieces) * 3 / 4
        return [balance_document(self["SKU"], shop, "1"), balance_document(self["SKU"], warehouse, "2")]


@pytest.fixture
def rows(shared: Path) -> list[Row]:
    """The file's, read where it is."""
    with (shared / "data" / "woocommerce_sample_products.csv").open(encoding="utf-8-sig", newline="") as file:
        return [Row(cells) for cells in csv.DictReader(file)]


@pytest.fixture
def made_by_hand(shop: Shop, rows: list[Row]) -> dict[str, StoreProduct]:
    """What Solteq has no words for, made by the store's people before the first sync."""
    for row in rows:
        if row.kind in ("grouped", "external"):
            shop.make(
                type=row.kind,
                sku=row["SKU"],
                name=row["Name"],
                status=STATUSES[row["Published"]],
                external_url=row["External URL"],
            )
    return shop.store()


def expected(row: Row, rows: list[Row], store: dict[str, StoreProduct]) -> dict[str, Any]:
    """What the store should hold for a row, by the columns of the file."""
    parent = next((other for other in rows if row["Parent"] and other["SKU"] == row["Parent"]), None)
    variations = [other for other in rows if other["Parent"] == row["SKU"]]
    attributes = {"simple": {}, "variable": _of_all(variations), "external": {}, "grouped": {}}
    return {
        "SKU": row["SKU"],
        "Type": row.kind,
        # A variation has no name of its own in WooCommerce: it is called by its attributes.
        "Name": row["Name"].removeprefix(f"{parent['Name']} - ") if parent else row["Name"],
        "Published": STATUSES[row["Published"]],
        "Regular price": row.price("Regular price"),
        "Sale price": row.price("Sale price"),
        "Sale dates": (row["Date sale price starts"] or None, row["Date sale price ends"] or None),
        "Tax class": row["Tax class"],
        "In stock?": "instock" if row["In stock?"] == "1" else "outofstock",
        "Stock": (row.pieces is not None, row.pieces),
        "Parent": store[row["Parent"]].id if row["Parent"] else 0,
        "Attributes": attributes.get(row.kind, {name: set(values) for name, values in row.attributes.items()}),
    }


def _of_all(variations: list[Row]) -> dict[str, set[str]]:
    """A variable product offers what its variations are."""
    offered: dict[str, set[str]] = {}
    for variation in variations:
        for name, values in variation.attributes.items():
            offered.setdefault(name, set()).update(values)
    return offered


def held(product: StoreProduct) -> dict[str, Any]:
    """What the store holds, by the columns of the file."""
    return {
        "SKU": product.sku,
        "Type": product.type,
        "Name": product.name,
        "Published": product.status,
        "Regular price": product.regular_price,
        "Sale price": product.sale_price,
        "Sale dates": (product.date_on_sale_from_gmt, product.date_on_sale_to_gmt),
        "Tax class": product.tax_class,
        "In stock?": product.stock_status,
        "Stock": (product.manage_stock, product.stock_quantity),
        "Parent": product.parent_id,
        "Attributes": {attribute.name: set(attribute.options) for attribute in product.attributes},
    }


@pytest.mark.slow
@pytest.mark.usefixtures("made_by_hand")
def test_sample_catalogue_arrives_field_by_field(
    shop: Shop, rows: list[Row], solteq_woo: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects the whole way of a real catalogue; the file says that everything is published, so it is."""
    monkeypatch.setenv("SOLTEQ_WOO_NEW_PRODUCT_STATUS", "publish")
    shop.solteq.put("products", {"documents": [row.document() for row in rows if row["Regular price"]]})
    shop.solteq.put("balances", {"documents": [balance for row in rows for balance in row.balances()]})

    result = solteq_woo("sync", "products", "balances")

    assert result.exit_code == 0, result.output
    store = shop.store()
    assert set(store) == {row["SKU"] for row in rows}, "every row is in the store, and nothing else"
    assert {row["SKU"]: held(store[row["SKU"]]) for row in rows} == {
        row["SKU"]: expected(row, rows, store) for row in rows
    }
    shop.woo.asked()
    assert solteq_woo("sync").exit_code == 0
    assert shop.woo.writes() == [], "the second run writes nothing"


def test_what_the_stores_people_made_is_adopted_or_left_alone(
    shop: Shop, rows: list[Row], made_by_hand: dict[str, StoreProduct], solteq_woo: CommandLine
) -> None:
    shop.solteq.put("products", {"documents": [row.document() for row in rows if row["Regular price"]]})
    assert solteq_woo("sync", "products").exit_code == 0
    after = shop.store()
    (grouped,) = (row["SKU"] for row in rows if row.kind == "grouped")
    (external,) = (row["SKU"] for row in rows if row.kind == "external")
    assert after[grouped] == made_by_hand[grouped]
    moved = {"regular_price", "date_modified_gmt"}
    assert after[external].model_dump(exclude=moved) == made_by_hand[external].model_dump(exclude=moved)
    assert after[external].regular_price == Decimal("11.05")


def test_every_row_and_column_of_the_file_is_accounted_for(rows: list[Row]) -> None:
    """A row of a new kind, or a column that means something, must not slip by unseen."""
    assert set(rows[0].cells) == COMPARED | set(THE_STORES_OWN)
    assert {row.kind for row in rows} == {"simple", "variable", "variation", "grouped", "external"}
    priced = [row for row in rows if row["Regular price"]]
    assert (len(rows), len(priced)) == (25, 22)
    assert {row.kind for row in rows if row not in priced} == {"variable", "grouped"}
    assert {row["SKU"] for row in priced if row.pieces is None} == {"woo-album", "woo-single", "wp-pennant"}
    assert {row["Tax status"] for row in rows} == {"taxable"}
    offered = {row["SKU"]: _of_all([each for each in rows if each["Parent"] == row["SKU"]]) for row in rows}
    unknown = {
        (row["SKU"], name, value)
        for row in rows
        if row.kind == "variable"
        for name, values in row.attributes.items()
        for value in values
        if value not in offered[row["SKU"]].get(name, ())
    }
    assert unknown == {("woo-vneck-tee", "Size", size) for size in ("Large", "Medium", "Small")}, "no variation has one"
