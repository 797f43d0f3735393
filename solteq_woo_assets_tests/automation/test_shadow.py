"""Shadow mode: everything runs up to the deltas, and not one write leaves."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from solteq_woo_assets.clients.connections import solteq_client, woo_client
from solteq_woo_assets.definitions import build_definitions
from solteq_woo_assets.errors import ConfigurationError
from solteq_woo_assets.flows.all import FLOWS
from solteq_woo_assets_tests.conftest import CommandLine, Shop, metadata, order_line


@pytest.fixture
def shadow(shop: Shop) -> Shop:
    """Something to do in each flow, and shadow mode."""
    shop.with_settings(mode="shadow", customer_accounts="all")
    for code in "AB":
        shop.product(code)
        shop.balance(code, 5)
    shop.campaign("c", "A")
    shop.customer(1)
    shop.make(name="Of the other connector", type="simple", sku="B", regular_price="10.00", manage_stock=True)
    shop.order(order_line("A", "10.00"))
    return shop


def written(shop: Shop) -> list[str]:
    """What was asked of either system other than to read and to log in."""
    asked = [*shop.woo.writes(), *shop.solteq.writes()]
    return [each["path"] for each in asked if "token" not in each["path"]]


def test_nothing_is_sent_and_a_check_counts_what_would_have_been(shadow: Shop) -> None:
    """A retailer runs it beside the present connector for weeks."""
    written(shadow)
    would: dict[str, int] = {}
    for job in ("retry_quarantined", "reconcile_all", *(flow.job for flow in FLOWS)):
        result = shadow.run(job)
        assert result.success, [event.message for event in result.all_events if event.is_failure]
        assert not set(metadata(result)) & {flow.delivery for flow in FLOWS}
        for check in result.get_asset_check_evaluations():
            if check.check_name == "would_send":
                writes = check.metadata["would_send"].value
                assert isinstance(writes, int)
                assert check.passed == (writes == 0)
                would[check.asset_key.to_user_string()] = writes
    assert written(shadow) == []
    assert would == {
        "product_delta": 1,
        "campaign_price_delta": 0,
        "balance_delta": 1,
        "woo_customer_delta": 1,
        "solteq_customer_delta": 0,
        "sales_delta": 1,
    }
    assert shadow.rows("SELECT count(*) FROM sync.deliveries") == [(0,)]


def test_the_lineage_still_shows_where_it_would_go_and_nothing_can_run_it(shadow: Shop) -> None:
    graph = build_definitions(shadow.settings).resolve_asset_graph()
    for flow in FLOWS:
        node = graph.get(dg.AssetKey(flow.delivery))
        assert dg.AssetKey(flow.delta) in node.parent_keys
        assert not node.is_executable
        assert (node.description or "").startswith("Nothing is sent in shadow mode.")


def test_the_sensors_rest_when_nothing_is_new(shadow: Shop) -> None:
    """A delta that was not sent is no reason to run again, and again."""
    for flow in FLOWS:
        assert shadow.run(flow.job).success
    shadow.sync_sales()
    for flow in FLOWS:
        assert shadow.tick(flow.name)[0] is False, flow.name


def test_the_clients_refuse_to_write(shadow: Shop) -> None:
    """Should an asset of tomorrow forget the mode, nothing leaves all the same."""
    woo, solteq = woo_client(shadow.settings), solteq_client(shadow.settings)
    with pytest.raises(ConfigurationError, match="SOLTEQ_WOO_MODE is shadow"):
        woo._session.send("POST", "wc/v3/products", {})
    with pytest.raises(ConfigurationError, match="SOLTEQ_WOO_MODE is shadow"):
        solteq._api.send("POST", "order/v1-ext/sales", {})
    woo.close()
    solteq.close()


def test_sales_of_the_shadow_are_not_booked_when_it_ends(shadow: Shop) -> None:
    """The present connector booked them: booking them again would double the turnover."""
    shadow.sync_sales()
    shadow.sync_sales("2026-01-05", "2026-01-06")
    assert shadow.rows("SELECT count(*) FROM delta.sales_delta")[0][0] == 1
    shadow.sync("balances_to_woo")
    assert shadow.rows("SELECT count(*) FROM snapshot.sales_under_way") == [(0,)], "the balances know of them"
    shadow.with_settings(sales_from=(datetime.now(UTC) + timedelta(days=300)).date())
    shadow.sync("balances_to_woo")
    assert shadow.rows("SELECT count(*) FROM snapshot.sales_under_way") == [(0,)], "live, but sales have not run yet"
    shadow.sync_sales()
    assert shadow.booked() == []
    assert shadow.rows("SELECT count(*) FROM sync.sales_days") == [(0,)]


def test_booking_goes_on_after_a_pause_in_shadow(shop: Shop) -> None:
    """What was live before keeps its first day: nobody else books these sales."""
    shop.product("A")
    shop.sync("products_to_woo")
    shop.sync_sales()
    shop.with_settings(mode="shadow")
    order = shop.order(order_line("A", "10.00"))
    shop.sync_sales()
    assert shop.booked() == []
    shop.with_settings()
    shop.sync_sales()
    assert [sale["externalId"] for sale in shop.booked()] == [f"woo:shop:order:{order}"]


def test_the_command_line_says_that_nothing_is_sent(
    shadow: Shop, solteq_woo: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOLTEQ_WOO_MODE", "shadow")
    written(shadow)
    result = solteq_woo("sync", "products")
    assert result.exit_code == 0, result.output
    assert "products_to_woo (shadow mode: nothing is sent)" in result.output
    assert "create" in result.output
    assert written(shadow) == []
