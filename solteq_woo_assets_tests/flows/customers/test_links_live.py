"""Who is who, through Dagster against both systems: nobody becomes somebody else, and nobody parts by mistake."""

from typing import Any

import pytest

from solteq_woo_assets_tests.conftest import Shop
from solteq_woo_assets_tests.engine.flows import run_flows
from solteq_woo_assets_tests.flows.customers.test_assets import keys, quiet

MANY = 11


def put_customer(shop: Shop, number: int, account: int, **fields: Any) -> None:
    """A customer who came from the store under this account's id."""
    identifiers = [{"type": "ExternalID", "value": f"woo:shop:customer:{account}"}]
    shop.customer(number, identifiers=identifiers, **fields)


def states(shop: Shop) -> dict[str, str]:
    return dict(shop.rows("SELECT solteq_id, state FROM sync.customers"))  # type: ignore[arg-type]


def held(shop: Shop) -> dict[str, str]:
    return dict(shop.rows("SELECT key, code FROM sync.quarantine"))  # type: ignore[arg-type]


def delete_account(shop: Shop, account: int) -> None:
    shop._ask_store("DELETE", f"customers/{account}", params={"force": "true"})


@pytest.fixture
def many(shop: Shop) -> tuple[Shop, list[int]]:
    """People in Solteq and in the store, in step."""
    for number in range(MANY):
        shop.customer(number)
    accounts = [shop.account(f"aino{number}@example.com", first_name="Aino") for number in range(MANY)]
    shop.sync_customers()
    assert set(states(shop).values()) == {"linked"}
    return shop, accounts


def test_in_a_store_installed_again_nobody_gets_another_s_account(shop: Shop) -> None:
    """Aino's account was 1 there. Now it is Eero's, and hers has another number."""
    eero = shop.account("eero@example.com", first_name="Eero", last_name="Toinen")
    aino = shop.account("aino1@example.com", first_name="Aino")
    put_customer(shop, 1, eero)
    shop.with_settings(customer_accounts="all")
    shop.sync_customers()
    quiet(shop)
    assert shop.accounts()[eero].email == "eero@example.com"
    assert shop.accounts()[eero].first_name == "Eero"
    assert shop.solteq.get("customers")["count"] == 1
    assert states(shop) == {}
    assert held(shop) == dict.fromkeys(["C-1", str(eero), str(aino)], "id-contradicts-email")
    shop.edit_customer(1, identifiers=[])  # the mend
    shop.sync_customers()
    assert held(shop) == {}
    assert shop.rows("SELECT woo_id FROM sync.customers WHERE solteq_id = 'C-1'") == [(aino,)]
    assert shop.solteq.get("customers")["count"] == 2
    quiet(shop)


def test_who_is_taken_in_solteq_is_linked_only_when_nothing_contradicts(shop: Shop) -> None:
    """Two customers came since Solteq was read: one is the account's, the other has its ExternalID and is another."""
    ours = shop.account("aino1@example.com", first_name="Aino", last_name="Esimerkki")
    theirs = shop.account("eero@example.com", first_name="Eero", last_name="Toinen")
    up_to_delta = keys("solteq_customers", "woo_customer_accounts", "solteq_customer_delta")
    assert shop.run("customers_to_solteq", asset_selection=up_to_delta).success
    put_customer(shop, 1, ours, firstName="Aini")
    put_customer(shop, 2, theirs)
    assert shop.run("customers_to_solteq", asset_selection=keys("solteq_customer_updates")).success
    assert states(shop) == {}
    shop.sync_customers()
    assert shop.rows("SELECT solteq_id, woo_id, state FROM sync.customers") == [("C-1", ours, "linked")]
    assert held(shop) == dict.fromkeys(["C-2", str(theirs)], "id-contradicts-email")
    assert shop.accounts()[theirs].first_name == "Eero"
    assert shop.customer_in_solteq("C-2")["firstName"] == "Aino"
    assert shop.solteq.get("customers")["count"] == 2
    quiet(shop)


def test_a_guest_s_order_number_that_is_another_customer_s_is_held_back(shop: Shop) -> None:
    shop.with_settings(guest_customers=True)
    shop.sync_customers()
    shop.woo.put(
        "orders", {"orders": [{"customer_id": 0, "status": "completed", "billing": {"email": "siiri@example.com"}}]}
    )
    up_to_delta = keys("solteq_customers", "woo_customer_accounts", "solteq_customer_delta")
    assert shop.run("customers_to_solteq", asset_selection=up_to_delta).success
    ((order,),) = shop.rows("SELECT order_id FROM snapshot.woo_guests")
    shop.customer(1, identifiers=[{"type": "ExternalID", "value": f"woo:shop:guest:{order}"}])
    assert shop.run("customers_to_solteq", asset_selection=keys("solteq_customer_updates")).success
    assert held(shop) == {f"order {order}": "id-contradicts-email"}
    quiet(shop)


@pytest.mark.parametrize("changed", [False, True])
def test_a_customer_deleted_by_mistake_and_put_back(shop: Shop, changed: bool) -> None:
    shop.customer(1)
    account = shop.account("aino1@example.com", first_name="Aino", last_name="Esimerkki")
    shop.sync_customers()
    shop.edit_customer(1, deleted=True)
    shop.sync_customers()
    assert states(shop) == {"C-1": "unlinked"}
    if changed:
        shop.edit_account(account, billing={"city": "Tampere"})
    shop.customer(1)
    shop.sync_customers()
    assert states(shop) == {"C-1": "unlinked" if changed else "linked"}
    assert held(shop) == (dict.fromkeys(["C-1", str(account)], "linked-before") if changed else {})
    quiet(shop)
    shop.edit_account(account, billing={"city": "Helsinki"})
    shop.sync_customers()
    assert (states(shop), held(shop)) == ({"C-1": "linked"}, {})
    shop.edit_customer(1, phone="050 7654321")
    shop.sync_customers()
    assert shop.accounts()[account].billing.phone == "+358507654321"
    quiet(shop)


@pytest.mark.slow
@pytest.mark.parametrize("job", ["customers_to_woo", "customers_to_solteq"])
@pytest.mark.parametrize("gone", ["customers", "accounts"])
def test_a_wave_of_partings_is_stopped_and_stays_stopped(many: tuple[Shop, list[int]], job: str, gone: str) -> None:
    """Whichever run finds it. In the meantime nothing is written of these people, and nothing is forgotten."""
    shop, accounts = many
    shop.with_settings(deleted_customers="remove", customer_accounts="all")
    if gone == "customers":
        for number in range(MANY):
            shop.edit_customer(number, deleted=True)
    else:
        for account in accounts:
            delete_account(shop, account)
    before = shop.rows("SELECT COLUMNS(* EXCLUDE since) FROM sync.customers ORDER BY ALL")
    for each in (job, "customers_to_woo", "customers_to_solteq", job):
        shop.sync_job(each, full=True)
        assert shop.rows("SELECT COLUMNS(* EXCLUDE since) FROM sync.customers ORDER BY ALL") == before
        stopped = shop.rows("SELECT action, kind, count(*) FROM delta.woo_customer_delta GROUP BY ALL")
        assert stopped == [("stopped", "link", MANY)]
    assert len(shop.accounts()) == (MANY if gone == "customers" else 0)
    if gone == "customers":
        for number in range(MANY):
            shop.edit_customer(number, deleted=False)
        shop.sync_customers()
        assert shop.rows("SELECT COLUMNS(* EXCLUDE since) FROM sync.customers ORDER BY ALL") == before
        assert shop.rows("FROM delta.woo_customer_delta") == []


def test_a_wave_that_is_let_pass_parts(many: tuple[Shop, list[int]]) -> None:
    shop, _ = many
    for number in range(MANY):
        shop.edit_customer(number, deleted=True)
    run = shop.run("customers_to_woo")
    (check,) = [each for each in run.get_asset_check_evaluations() if each.check_name == "partings"]
    assert not check.passed
    assert "let_pass: [partings]" in (check.description or "")
    config: dict[str, Any] = {"ops": {"woo_customer_delta": {"config": {"let_pass": ["partings"]}}}}
    assert shop.run("customers_to_woo", run_config=config).success
    assert set(states(shop).values()) == {"unlinked"}
    quiet(shop)


def test_a_wave_in_portions_is_stopped_too(many: tuple[Shop, list[int]]) -> None:
    shop, _ = many
    for number in range(MANY):
        shop.edit_customer(number, deleted=True)
        shop.sync_job("customers_to_woo")
    assert sorted(states(shop).values()) == ["linked"] + ["unlinked"] * 10


def test_a_check_and_the_reconciliation_part_nobody(shop: Shop) -> None:
    shop.customer(1)
    shop.account("aino1@example.com", first_name="Aino")
    shop.sync_customers()
    shop.edit_customer(1, deleted=True)
    before = shop.rows("FROM sync.customers")
    assert shop.run("customers_to_woo", asset_selection=keys("solteq_customers")).success
    for job, asset in (
        ("customers_to_woo", "woo_customers"),  # with its check accounts_agree
        ("customers_to_solteq", "solteq_customer_updates"),  # with its check customers_agree
        ("reconcile_all", "reconciliation"),
    ):
        assert shop.run(job, asset_selection=keys(asset)).success
        assert shop.rows("FROM sync.customers") == before


@pytest.mark.parametrize("first", ["solteq", "woo"])
def test_what_was_delivered_is_agreed_before_anything_is_read_again(shop: Shop, first: str) -> None:
    """A change that comes after it, and before the next comparison, is the only one."""
    shop.customer(1)
    account = shop.account("aino1@example.com", billing={"city": "Helsinki"})
    run_flows(shop.settings, "run 1", "customers_to_woo", "customers_to_solteq", full=True)
    if first == "solteq":
        shop.edit_customer(1, phone="050 2222222")
        run_flows(shop.settings, "run 2", "customers_to_woo", full=True)
        shop.edit_account(account, billing={"phone": "+358413333333"})
    else:
        shop.with_settings(customer_conflicts="woocommerce")
        shop.edit_account(account, billing={"phone": "050 2222222"})
        run_flows(shop.settings, "run 2", "customers_to_solteq", full=True)
        shop.edit_customer(1, phone="+358413333333")
    run_flows(shop.settings, "run 3", "customers_to_woo", "customers_to_solteq", full=True)
    assert shop.customer_in_solteq("C-1")["phone"] == "+358413333333"
    assert shop.accounts()[account].billing.phone == "+358413333333"
    assert shop.rows("FROM sync.customer_conflicts") == []
