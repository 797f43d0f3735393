"""What every flow shares: previews that show what is written, whatever it is called."""

import polars as pl

from solteq_woo_assets.engine.steps import markdown_table
from solteq_woo_assets_tests.conftest import Shop


def test_names_and_skus_are_no_markdown_in_a_preview(shop: Shop) -> None:
    """A supplier's price list may hold anything: no link, picture or HTML of it comes into the UI."""
    shop.product("A](http://evil.example)", name="<img src=x onerror=alert(1)> | *5* [x](http://evil.example) \\")
    shown = shop.run("products_to_woo")
    (row,) = [
        line
        for event in shown.get_asset_materialization_events()
        if event.asset_key and event.asset_key.to_user_string() == "product_delta"
        for line in str(event.materialization.metadata["preview"].value).split("\n")[2:]
    ]
    assert row.startswith("| A\\](http://evil.example) | create | ")
    assert "&lt;img src=x onerror=alert(1)&gt; \\| \\*5\\* \\[x\\](http://evil.example) \\\\" in row


def test_a_line_break_in_a_value_ends_no_row() -> None:
    table = markdown_table(pl.DataFrame({"name": ["one\r\ntwo\rthree"]}))
    assert table.splitlines() == ["| name |", "| --- |", "| one two three |"]
