"""Who runs the store, through Dagster against both systems: never linked, never written to, never removed."""

from typing import Any

import dagster as dg
import pytest

from solteq_woo_assets_tests.conftest import Shop

PERSON = {"first_name": "Aino", "last_name": "Esimerkki"}
BOTH = ["customer", "administrator"]
"""The roles of somebody who buys and runs the store; the store shows the first."""


@pytest.fixture
def pair(shop: Shop) -> tuple[Shop, int]:
    """Aino, in Solteq and in the store, in step."""
    shop.customer(1)
    account = shop.account("aino1@example.com", **PERSON)
    shop.sync_customers()
    return shop, account


def give_roles(shop: Shop, account: int, *roles: str) -> None:
    shop.woo.patch(f"customers/{account}", {"roles": list(roles)})


def held(shop: Shop) -> list[tuple[Any, ...]]:
    return shop.rows("SELECT flow, key, code FROM sync.quarantine ORDER BY ALL")


def links(shop: Shop) -> list[tuple[Any, ...]]:
    return shop.rows("SELECT solteq_id, woo_id, state FROM sync.customers")


@pytest.mark.parametrize("role", ["administrator", "shop_manager"])
def test_whoever_has_a_role_of_staff_is_not_linked(shop: Shop, role: str) -> None:
    """The account was there before; the customer is new, so that no full read looks at the roles."""
    boss = shop.account("aino1@example.com", roles=["customer", role], first_name="Pomo")
    other = shop.account("pomo@example.com", roles=["customer", role])
    shop.sync_customers()
    shop.with_settings(customer_accounts="all")
    shop.customer(1)
    shop.sync_job("customers_to_woo")
    shop.sync_job("customers_to_solteq")
    assert links(shop) == []
    assert shop.accounts()[boss].first_name == "Pomo"
    assert ("customers_to_woo", "C-1", "email-taken") in held(shop)
    assert shop.solteq_customers("pomo@example.com") == []
    assert shop.accounts()[other].meta == {}


def test_a_role_given_to_a_linked_person_is_seen_before_the_write(pair: tuple[Shop, int]) -> None:
    shop, account = pair
    give_roles(shop, account, *BOTH)
    shop.edit_customer(1, email="uusi@example.com")
    shop.sync_job("customers_to_woo")
    assert shop.accounts()[account].email == "aino1@example.com"
    assert links(shop) == [("C-1", account, "linked")]
    both_ways = [
        ("customers_to_solteq", str(account), "account-of-staff"),
        ("customers_to_woo", "C-1", "account-of-staff"),
    ]
    assert held(shop) == both_ways
    shop.edit_account(account, first_name="Pomo")
    shop.sync_customers()
    assert shop.customer_in_solteq("C-1")["firstName"] == "Aino"
    assert held(shop) == both_ways
    give_roles(shop, account, "customer")
    shop.sync_job("customers_to_woo")
    assert shop.accounts()[account].email == "uusi@example.com"
    shop.sync_job("customers_to_solteq")
    assert shop.customer_in_solteq("C-1")["firstName"] == "Pomo"
    assert held(shop) == []


@pytest.mark.parametrize("direction", ["to_woo", "to_solteq"])
def test_a_role_given_after_the_comparison_is_seen_before_the_delivery(pair: tuple[Shop, int], direction: str) -> None:
    """A delta that waited is delivered by itself, hours later."""
    shop, account = pair
    shop.edit_customer(1, phone="050 7654321")
    shop.edit_account(account, first_name="Pomo")
    snapshots = ["solteq_customers", "woo_customer_accounts"]
    delta, delivery = {
        "to_woo": ("woo_customer_delta", "woo_customers"),
        "to_solteq": ("solteq_customer_delta", "solteq_customer_updates"),
    }[direction]
    config = {"ops": {"woo_customer_accounts": {"config": {"full": True}}}}
    up_to_delta = [dg.AssetKey(name) for name in (*snapshots, delta)]
    assert shop.run(f"customers_{direction}", asset_selection=up_to_delta, run_config=config).success
    give_roles(shop, account, *BOTH)
    assert shop.run(f"customers_{direction}", asset_selection=[dg.AssetKey(delivery)]).success
    assert shop.accounts()[account].billing.phone == "+358401234567"
    assert shop.customer_in_solteq("C-1")["firstName"] == "Aino"


def test_the_account_of_staff_stays_when_its_customer_is_deleted(pair: tuple[Shop, int]) -> None:
    shop, account = pair
    shop.with_settings(deleted_customers="remove", customer_removals_percent=100)
    give_roles(shop, account, *BOTH)
    shop.edit_customer(1, deleted=True)
    shop.sync_customers()
    shop.sync_customers()
    assert account in shop.accounts()


def test_a_setting_names_further_roles(shop: Shop) -> None:
    shop.woo.put("settings", {"roles": ["till"]})
    shop.with_settings(staff_roles=["till"])
    shop.account("aino1@example.com", roles=["customer", "till"])
    shop.customer(1)
    shop.sync_customers()
    assert links(shop) == []


def test_a_role_that_the_store_does_not_have_stops_nothing_and_is_told(
    shop: Shop, capfd: pytest.CaptureFixture[str]
) -> None:
    shop.with_settings(staff_roles=["till"])
    shop.account("aino1@example.com")
    shop.customer(1)
    assert shop.run("customers_to_woo").success
    assert [state for _, _, state in links(shop)] == ["linked"]
    assert "SOLTEQ_WOO_STAFF_ROLES: the store has no role till" in capfd.readouterr().err


def test_roles_that_cannot_be_read_stop_the_flow(pair: tuple[Shop, int]) -> None:
    shop, account = pair
    shop.edit_customer(1, phone="050 7654321")
    shop.woo.fault(path="role=administrator", times=None, status=403)
    assert not shop.run("customers_to_woo").success
    assert shop.accounts()[account].billing.phone == "+358401234567"


def test_a_quiet_run_does_not_ask_for_roles(pair: tuple[Shop, int]) -> None:
    shop, _ = pair
    shop.woo.asked()
    shop.sync_job("customers_to_woo")
    shop.sync_job("customers_to_solteq")
    assert [request for request in shop.woo.asked() if "role=administrator" in request["query"]] == []
