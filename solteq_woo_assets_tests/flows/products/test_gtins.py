"""Which numbers name a product all over the world; the others neither find nor follow a product."""

import duckdb
import pytest

from solteq_woo_assets.engine.sql import define_macros
from solteq_woo_assets.flows.tables import MACROS
from solteq_woo_assets_tests.flows.conftest import Sides, rows

OF_A_COMPANY = "is not given to products worldwide"
ZEROES = "is one digit over and over"
WRONG = "has a wrong check digit"
NO_LENGTH = "is not 8, 12, 13 or 14 digits"


def judged(given: str) -> tuple[str | None, str | None]:
    """The number with its zeroes, and what is wrong with it."""
    with duckdb.connect() as connection:
        define_macros(connection, *MACROS)
        query = "SELECT padded_gtin($given) AS padded, gtin_fault(padded)"
        return connection.execute(query, {"given": given}).fetchall()[0]


@pytest.mark.parametrize(
    "given",
    [
        "6412345678907",
        "06412345678907",
        "96385074",
        "0000096385074",
        "00000096385074",
        "036000291452",
        " 6412345678907 ",
    ],
)
def test_what_gs1_gives_worldwide_is_a_gtin(given: str) -> None:
    assert judged(given) == (given.strip(), None)


def test_zeroes_that_a_spreadsheet_took_are_put_back() -> None:
    assert judged("36000291452") == ("036000291452", None)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ("0000000000000", ZEROES),
        ("00000000", ZEROES),
        ("55555555", ZEROES),
        ("6412345678909", WRONG),
        ("36000291453", WRONG),
        ("64", NO_LENGTH),
        ("641234567890712", NO_LENGTH),
        ("EI-OLE", NO_LENGTH),
        ("٦٤١٢٣٤٥٦٧٨٩٠٧", NO_LENGTH),
        ("2000000000008", OF_A_COMPANY),
        ("0212345678901", OF_A_COMPANY),
        ("0412345678909", OF_A_COMPANY),
        ("9812345678904", OF_A_COMPANY),
        ("9912345678903", OF_A_COMPANY),
        ("212345678909", OF_A_COMPANY),
        ("02345673", OF_A_COMPANY),
        ("20123451", OF_A_COMPANY),
        ("0000000000017", OF_A_COMPANY),
    ],
)
def test_what_names_no_product_of_the_world_is_none(given: str, fault: str) -> None:
    assert judged(given)[1] == fault


@pytest.mark.parametrize(
    ("given", "reported"), [("0000000000000", True), ("6412345678909", True), ("2000000000008", False)]
)
def test_a_number_that_is_no_gtin_takes_over_no_product_and_holds_none_back(
    sides: Sides, given: str, *, reported: bool
) -> None:
    """A placeholder on both sides gave a stranger's product another name's SKU and price."""
    sides.product("A1", gtin=given)
    sides.held(10, "STRANGER", global_unique_id=given)
    delta = sides.product_delta()
    made = rows(delta.changes)["A1"]
    assert (made["action"], made["woo_id"]) == ("create", None)
    assert "global_unique_id" not in made["changes"]
    assert delta.held.select("key", "field", "code").rows() == [("A1", "gtin", "gtin-invalid")] * reported


def test_the_stores_gtin_stays_where_solteq_has_none_that_counts(sides: Sides) -> None:
    sides.product("A1", gtin="0000000000000", sales_price=11)
    sides.held(10, "A1", global_unique_id="6412345678907")
    assert set(rows(sides.product_delta().changes)["A1"]["changes"]) == {"regular_price"}
