"""A new flow is a value, its two settings and an entry in the list: everything else comes from those."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import simplejson

from solteq_woo_assets.flows.all import FLOWS
from solteq_woo_assets_tests.conftest import Shop, environment_of, metadata
from solteq_woo_assets_tests.flows import brands
from solteq_woo_assets_tests.flows.brands import BRANDS, BrandSettings

CHAIR = {"supplier": "Artek", "name": "Tuoli"}


@pytest.fixture
def branded(shop: Shop) -> Shop:
    """A shop with the flow and a product that it has work for."""
    shop.settings_type, shop.flows = BrandSettings, (*FLOWS, BRANDS)
    shop.with_settings()
    shop.product("A", **CHAIR)
    shop.sync("products_to_woo")
    return shop


def brand(shop: Shop) -> dict[str, dict[str, object]]:
    """Run the flow, which must succeed; the metadata by asset."""
    result = shop.run("brands_to_woo")
    assert result.success, [event.message for event in result.all_events if event.is_failure]
    (check,) = result.get_asset_check_evaluations()
    assert check.passed
    return metadata(result)


def test_it_is_small() -> None:
    assert len(Path(brands.__file__).read_text().splitlines()) < 80


def test_it_reads_compares_and_sends(branded: Shop) -> None:
    told = brand(branded)
    assert branded.store()["A"].name == "Artek Tuoli"
    assert (told["solteq_brands"]["changed"], told["brand_delta"]["updated"], told["woo_brands"]["sent"]) == (1, 1, 1)
    assert branded.rows("SELECT key, state FROM sync.deliveries WHERE flow = 'brands'") == [("A", "delivered")]
    assert brand(branded)["woo_brands"]["records_in"] == 0


def test_its_sensor_asks_for_news(branded: Shop) -> None:
    assert branded.tick("brands") == (True, "brands have never been read")
    brand(branded)
    assert branded.tick("brands")[0] is False
    branded.product("A", **CHAIR | {"supplier": "Iittala"})
    assert branded.tick("brands") == (True, "1 changed products in Solteq")


def test_it_has_a_schedule_and_a_freshness(branded: Shop) -> None:
    definitions = branded.definitions()
    assert definitions.resolve_schedule_def("brands_to_woo_schedule").cron_schedule == BrandSettings().brands_cron
    (delivery,) = (
        spec for spec in definitions.resolve_all_asset_specs() if spec.key.to_user_string() == BRANDS.delivery
    )
    assert delivery.freshness_policy


def test_what_cannot_be_read_is_held_back(branded: Shop) -> None:
    branded.product("B", supplier=None)
    assert brand(branded)["solteq_brands"]["quarantined"] == 1
    assert branded.rows("SELECT key, stage, field FROM sync.quarantine WHERE flow = 'brands'") == [
        ("p-B", "feed", "supplier")
    ]


def test_what_the_store_refuses_is_held_back_until_it_is_tried_again(branded: Shop) -> None:
    refusal = {"id": branded.store()["A"].id, "error": {"code": "no", "message": "No.", "data": {"status": 400}}}
    branded.woo.fault(path="/products/batch", status=200, body=simplejson.dumps({"update": [refusal]}))
    told = brand(branded)
    assert told["woo_brands"]["refused"] == 1
    assert brand(branded)["woo_brands"]["records_in"] == 0, "the same is not sent again"
    assert branded.rows("SELECT key, stage FROM sync.quarantine WHERE flow = 'brands'") == [("A", "delivery")]
    assert branded.run("retry_quarantined").success
    assert branded.store()["A"].name == "Artek Tuoli"
    assert branded.rows("SELECT count(*) FROM sync.quarantine WHERE flow = 'brands'") == [(0,)]


def test_it_is_reconciled(branded: Shop) -> None:
    """The difference is reported before it is put right."""
    assert branded.run("reconcile_all").success
    reported = branded.rows("SELECT key, field, expected FROM sync.reconciliation WHERE flow = 'brands'")
    assert reported == [("A", "name", "Artek Tuoli")]
    assert branded.store()["A"].name == "Artek Tuoli"


def test_in_shadow_mode_nothing_is_sent(branded: Shop) -> None:
    branded.with_settings(mode="shadow")
    result = branded.run("brands_to_woo")
    assert result.success
    (check,) = result.get_asset_check_evaluations()
    assert (check.check_name, check.metadata["would_send"].value) == ("would_send", 1)
    assert branded.store()["A"].name == "Tuoli"


def test_the_command_line_knows_it(branded: Shop, no_settings: Path) -> None:
    environment = os.environ | environment_of(branded) | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "solteq_woo_assets_tests.flows.brands_command", "sync", "brands"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert branded.store()["A"].name == "Artek Tuoli"
