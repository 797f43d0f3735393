"""Customers through Dagster against both systems: once, everywhere, and nobody undoes anybody."""

import json
from typing import Any

import dagster as dg
import pytest

from solteq_woo_assets_tests.conftest import Shop
from solteq_woo_assets_tests.engine.flows import run_flows

PERSON = {"first_name": "Aino", "last_name": "Esimerkki"}
BILLING = {"address_1": "Mallitie 1", "postcode": "00100", "city": "Helsinki", "country": "FI"}


@pytest.fixture
def pair(shop: Shop) -> tuple[Shop, int]:
    """Aino, in Solteq and in the store, in step."""
    shop.customer(1)
    account = shop.account("aino1@example.com", **PERSON, billing={**BILLING, "phone": "040 1234567"})
    shop.sync_customers()
    shop.woo.asked()
    shop.solteq.asked()
    return shop, account


def keys(*names: str) -> list[dg.AssetKey]:
    return [dg.AssetKey(name) for name in names]


def quiet(shop: Shop) -> None:
    """Nothing is written by another run of everything."""
    shop.woo.asked()
    shop.solteq.asked()
    run_flows(shop.settings, "quiet", "customers_to_woo", "customers_to_solteq", full=True)
    assert shop.woo.writes() == []
    assert [request for request in shop.solteq.writes() if "token" not in request["path"]] == []


def test_an_address_changed_in_the_store_reaches_solteq(pair: tuple[Shop, int]) -> None:
    shop, account = pair
    shop.edit_account(account, billing={"address_1": "Uusikuja 2", "city": "Tampere", "postcode": "33100"})
    shop.sync_customers()
    held = shop.customer_in_solteq("C-1")
    (address,) = held["addresses"]
    assert (address["street"], address["postalCode"], address["city"]) == ("Uusikuja 2", "33100", "Tampere")
    assert held["identifiers"] == [{"type": "CustomerCard", "value": "701"}], "what is not ours stays"
    assert held["marketingPermission"] == {"email": True, "mobile": False}
    assert held["phone"] == "+358401234567"
    quiet(shop)


def test_a_phone_number_corrected_at_the_till_reaches_the_store(pair: tuple[Shop, int]) -> None:
    shop, account = pair
    shop.edit_customer(1, phone="050 7654321")
    shop.sync_job("customers_to_woo")
    assert shop.accounts()[account].billing.phone == "+358507654321"
    (write,) = shop.woo.writes()
    assert write["path"].endswith("customers/batch")
    quiet(shop)


def test_both_changes_of_different_fields_survive(pair: tuple[Shop, int]) -> None:
    shop, account = pair
    shop.edit_customer(1, phone="050 7654321")
    shop.edit_account(account, billing={"city": "Tampere"})
    shop.sync_customers()
    assert shop.accounts()[account].billing.phone == "+358507654321"
    assert shop.customer_in_solteq("C-1")["addresses"][0]["city"] == "Tampere"
    quiet(shop)


def test_an_edit_in_the_store_a_moment_before_the_write_is_seen(pair: tuple[Shop, int]) -> None:
    """The store cannot tell which accounts changed, so those that are to be written are read again."""
    shop, account = pair
    shop.woo.put("customers", {"customers": [{"email": f"later{number}@example.com"} for number in range(100)]})
    shop.sync_customers()
    shop.edit_account(account, billing={"phone": "041 1111111"})
    shop.edit_customer(1, firstName="Eino")
    shop.sync_job("customers_to_woo")
    assert shop.accounts()[account].billing.phone == "041 1111111"
    assert shop.accounts()[account].first_name == "Eino"
    assert shop.tick("customers_to_solteq") == (True, "1 writes of the last delta were only previewed")
    shop.sync_job("customers_to_solteq")
    assert shop.customer_in_solteq("C-1")["phone"] == "+358411111111"
    quiet(shop)


@pytest.mark.parametrize(("setting", "kept"), [("solteq", "+358502222222"), ("woocommerce", "+358413333333")])
def test_a_true_conflict_is_decided_by_a_setting_and_the_losing_value_is_kept(
    pair: tuple[Shop, int], setting: str, kept: str
) -> None:
    shop, account = pair
    shop.with_settings(customer_conflicts=setting)
    shop.edit_customer(1, phone="050 2222222")
    shop.edit_account(account, billing={"phone": "041 3333333"})
    shop.sync_job("customers_to_solteq", full=True)
    shop.sync_job("customers_to_woo")
    assert shop.customer_in_solteq("C-1")["phone"] in (kept, "050 2222222")
    lost = {"+358502222222", "+358413333333"} - {kept}
    assert shop.rows("SELECT field, kept, lost FROM sync.customer_conflicts") == [("phone", kept, *lost)]
    quiet(shop)
    assert shop.accounts()[account].billing.phone in (kept, "041 3333333")


def test_an_address_given_with_an_order_is_found_without_a_full_read(pair: tuple[Shop, int]) -> None:
    """Of a customer who registered long ago; guests have no account, and their order changes nobody."""
    shop, account = pair
    shop.woo.put("customers", {"customers": [{"email": f"later{number}@example.com"} for number in range(100)]})
    shop.sync_customers()
    shop.edit_account(account, billing={"city": "Tampere"})
    shop.sync_job("customers_to_solteq")
    assert shop.customer_in_solteq("C-1")["addresses"][0]["city"] == "Helsinki", "nothing tells that it changed"
    shop.woo.put("orders", {"orders": [{"customer_id": account}, {"customer_id": 0}]})
    shop.woo.asked()
    shop.sync_job("customers_to_solteq")
    assert shop.customer_in_solteq("C-1")["addresses"][0]["city"] == "Tampere"
    asked = [request for request in shop.woo.asked() if "_fields=id&" not in f"{request['query']}&"]
    assert len(asked) == 3, "the newest accounts, the orders, and the customers of those, beside the roles of staff"


@pytest.mark.parametrize("guests", [False, True])
def test_guests_become_customers_where_that_is_set_once(shop: Shop, guests: bool) -> None:
    shop.with_settings(guest_customers=guests)
    shop.customer(1)
    shop.sync_customers()
    billing = {"email": "Guest@example.com", "first_name": "Siiri", "phone": "040 7654321"}
    billing |= {"city": "Oulu", "country": "FI"}
    orders = [
        {"customer_id": 0, "status": "completed", "billing": billing},
        {"customer_id": 0, "status": "processing", "billing": billing},
        {"customer_id": 0, "status": "pending", "billing": {"email": "unpaid@example.com"}},
        {"customer_id": 0, "status": "completed", "billing": {"email": "aino1@example.com", "first_name": "X"}},
    ]
    shop.woo.put("orders", {"orders": orders})
    run = shop.sync_job("customers_to_solteq")
    assert run["solteq_customer_updates"]["created"] == (1 if guests else 0)
    (held,) = shop.solteq_customers("guest@example.com") or [None]
    assert (held is not None) == guests
    if held:
        assert (held["type"], held["firstName"], held["phone"]) == ("Private", "Siiri", "+358407654321")
        assert held["addresses"] == [{"type": "Billing", "city": "Oulu", "country": "FI"}]
        shop.solteq.put("customers", {"documents": [{"id": held["id"], "deleted": True}]})
        shop.sync_customers()
        assert shop.solteq_customers("guest@example.com") == [], "who was deleted does not come back by himself"
    assert shop.customer_in_solteq("C-1")["firstName"] == "Aino"
    assert shop.rows("FROM snapshot.woo_guests") == []
    quiet(shop)


def test_a_new_account_becomes_a_customer_once(shop: Shop) -> None:
    account = shop.account("eero@example.com", first_name="Eero", billing=BILLING)
    assert shop.tick("customers_to_solteq")[0]
    run = shop.sync_job("customers_to_solteq")
    assert run["solteq_customer_updates"]["created"] == 1
    ((document, linked),) = shop.rows(
        "SELECT document, state FROM snapshot.solteq_customers JOIN sync.customers ON solteq_id = id"
    )
    assert f"woo:shop:customer:{account}" in document
    assert linked == "linked"
    assert '"marketingPermission": {"email": false, "mobile": false}' in document
    quiet(shop)
    assert shop.tick("customers_to_solteq") == (False, "Nothing new: asked the store for new accounts.")


def test_a_customer_gets_an_account_where_that_is_set(shop: Shop) -> None:
    shop.with_settings(customer_accounts="groups", customer_account_groups=["Kanta"])
    shop.customer(1, customerGroups=["Kanta"])
    shop.customer(2)
    shop.sync_customers()
    ((identifier, account),) = shop.accounts().items()
    assert (account.email, account.first_name, account.role) == ("aino1@example.com", "Aino", "customer")
    assert (account.billing.first_name, account.billing.address_1) == ("Aino", "Mallitie 1")
    assert account.meta["solteq_customer_id"] == "C-1"
    assert shop.rows("SELECT solteq_id, woo_id FROM sync.customers") == [("C-1", identifier)]
    quiet(shop)


def test_somebody_changed_it_in_solteq_meanwhile(pair: tuple[Shop, int]) -> None:
    """Solteq answers 412; it is read and merged again, and both changes survive."""
    shop, account = pair
    shop.edit_account(account, billing={"city": "Tampere"})
    up_to_delta = keys("solteq_customers", "woo_customer_accounts", "solteq_customer_delta")
    config = {"ops": {"woo_customer_accounts": {"config": {"full": True}}}}
    assert shop.run("customers_to_solteq", asset_selection=up_to_delta, run_config=config).success
    shop.edit_customer(1, phone="050 7654321")
    result = shop.run("customers_to_solteq", asset_selection=keys("solteq_customer_updates"))
    assert result.success
    held = shop.customer_in_solteq("C-1")
    assert (held["addresses"][0]["city"], held["phone"]) == ("Tampere", "050 7654321")
    shop.sync_customers()
    assert shop.accounts()[account].billing.phone == "+358507654321"
    quiet(shop)


def test_what_is_known_of_the_others_stays_when_one_is_merged_again(pair: tuple[Shop, int]) -> None:
    """Eero is refused and Siiri's write fails, in the run in which Solteq answers 412 for Aino."""
    shop, account = pair
    shop.with_settings(requests_in_flight=1)
    shop.edit_account(account, billing={"city": "Tampere"})
    eero = shop.account("eero@example.com", first_name="Eero")
    siiri = shop.account("siiri@example.com", first_name="Siiri")
    up_to_delta = keys("solteq_customers", "woo_customer_accounts", "solteq_customer_delta")
    config = {"ops": {"woo_customer_accounts": {"config": {"full": True}}}}
    assert shop.run("customers_to_solteq", asset_selection=up_to_delta, run_config=config).success
    shop.edit_customer(1, phone="050 7654321")
    refusal = {"path": "/customer/v1-ext/customers", "method": "POST", "times": 1}
    shop.solteq.fault(**refusal, status=400, body='{"title": "no"}')
    shop.solteq.fault(**refusal, status=500)
    assert shop.run("customers_to_solteq", asset_selection=keys("solteq_customer_updates")).success
    assert shop.customer_in_solteq("C-1")["addresses"][0]["city"] == "Tampere"
    delta = shop.rows("SELECT key FROM delta.solteq_customer_delta WHERE action = 'create' ORDER BY key")
    assert delta == [(str(eero),), (str(siiri),)]
    assert shop.rows("SELECT key, code FROM sync.quarantine") == [(str(eero), "write-refused")]
    assert len(shop.rows("FROM sync.deliveries WHERE action = 'create'")) == 2, "none is sent again"


def test_an_answer_that_never_came_makes_nobody_twice(shop: Shop) -> None:
    """Solteq stored the customer and the connection broke: sent once more, it is found by its ExternalID."""
    shop.account("eero@example.com", first_name="Eero")
    shop.account("siiri@example.com", first_name="Siiri")
    shop.with_settings(requests_in_flight=1)
    shop.solteq.fault(method="POST", path="/customer/v1-ext/customers", times=1, drop="after")
    counts = shop.sync_job("customers_to_solteq")["solteq_customer_updates"]
    assert (counts["created"], counts["retried_next_run"]) == (2, 0)
    assert shop.solteq.get("customers")["count"] == 2
    assert shop.rows("SELECT state, count(*) FROM sync.customers GROUP BY ALL") == [("linked", 2)]
    quiet(shop)


@pytest.mark.parametrize("side", ["solteq", "woo"])
def test_a_system_that_answers_nothing_is_to_blame_not_the_customers(shop: Shop, side: str) -> None:
    """The run fails in words, nobody is put into quarantine, and the next one carries on."""
    shop.with_settings(customer_accounts="all", requests_in_flight=1)
    job = "customers_to_solteq" if side == "solteq" else "customers_to_woo"
    for number in range(7):
        if side == "solteq":
            shop.account(f"eero{number}@example.com")
        else:
            shop.customer(number)
    control = shop.solteq if side == "solteq" else shop.woo
    control.fault(method="POST", path="/customers", times=None, drop="before")
    assert not shop.run(job).success
    assert shop.rows("FROM sync.quarantine") == []
    assert {state for (state,) in shop.rows("SELECT DISTINCT state FROM sync.deliveries")} <= {
        *("pending", "retry", "unsent"),
    }
    control.heal()
    shop.sync_job(job)
    assert len(shop.accounts()) == 7
    assert shop.solteq.get("customers")["count"] == 7
    quiet(shop)


def test_a_single_customer_and_a_broken_connection(pair: tuple[Shop, int]) -> None:
    """What is sent alone and not answered is not to blame for it: not even a batch of nothing passes."""
    shop, account = pair
    shop.edit_customer(1, phone="050 7654321")
    shop.woo.fault(method="POST", path="customers/batch", times=None, drop="before")
    assert not shop.run("customers_to_woo").success
    assert shop.rows("FROM sync.quarantine") == []
    shop.woo.heal()
    shop.sync_job("customers_to_woo")
    assert shop.accounts()[account].billing.phone == "+358507654321"
    quiet(shop)


def test_an_account_that_was_made_without_an_answer_is_linked_by_the_next_run(shop: Shop) -> None:
    """The batch is sent again in halves, and then the store has the e-mail address already: our own account."""
    shop.with_settings(customer_accounts="all")
    shop.customer(1)
    shop.customer(2)
    shop.woo.fault(method="POST", path="customers/batch", times=1, drop="after")
    run = shop.sync_job("customers_to_woo")
    assert run["woo_customers"]["retried_next_run"] == 2
    shop.sync_job("customers_to_woo")
    assert shop.rows("SELECT solteq_id, state FROM sync.customers ORDER BY ALL") == [
        ("C-1", "linked"),
        ("C-2", "linked"),
    ]
    assert shop.rows("FROM sync.quarantine") == []
    assert len(shop.accounts()) == 2
    quiet(shop)


def test_what_cannot_be_parsed_is_passed_on_and_reported(shop: Shop) -> None:
    shop.customer(1, phone="kysy vaimolta", addresses=[{"type": "Billing", "postalCode": "1", "country": "FI"}])
    account = shop.account("aino1@example.com")
    run = shop.sync_job("customers_to_woo", full=True)
    billing = shop.accounts()[account].billing
    assert (billing.phone, billing.postcode) == ("kysy vaimolta", "1")
    told = run["solteq_customers"]
    assert told["unparsed_values"] == 2
    assert "C-1 | phone is no number" in told["unparsed"]
    assert "vaimolta" not in str(run)
    quiet(shop)


def test_what_solteq_refuses_is_held_back_with_its_words_and_the_rest_goes_on(pair: tuple[Shop, int]) -> None:
    shop, account = pair
    shop.account("eero@example.com", first_name="Eero")
    details = [{"path": "addresses[0].city", "message": "'Tampere' is not known"}]
    body = {"error": "validation", "details": details}
    shop.solteq.fault(method="PUT", path="/customers/C-1", times=None, status=400, body=json.dumps(body))
    shop.edit_account(account, billing={"city": "Tampere"})
    run = shop.sync_job("customers_to_solteq", full=True)
    counts = run["solteq_customer_updates"]
    assert (counts["created"], counts["refused"], counts["quarantined"]) == (1, 1, 1)
    ((key, reason),) = shop.rows("SELECT key, reason FROM sync.quarantine")
    assert key == str(account)
    assert "Tampere" not in reason


@pytest.mark.parametrize("deleted", ["keep", "remove"])
def test_a_customer_deleted_in_solteq(pair: tuple[Shop, int], deleted: str) -> None:
    shop, account = pair
    for number in range(20):
        shop.account(f"other{number}@example.com")
    shop.sync_customers()
    shop.with_settings(deleted_customers=deleted)
    shop.edit_customer(1, deleted=True)
    shop.sync_customers()
    assert (account in shop.accounts()) == (deleted == "keep")
    assert shop.rows("SELECT state FROM sync.customers WHERE solteq_id = 'C-1'") == [("unlinked",)]
    assert shop.rows("SELECT email, document FROM snapshot.solteq_customers WHERE id = 'C-1'") == [(None, None)]
    quiet(shop)
    assert shop.solteq.get("customers")["count"] == 21, "it did not come back"


def test_an_account_removed_from_the_store_does_not_come_back(pair: tuple[Shop, int]) -> None:
    shop, account = pair
    shop.with_settings(customer_accounts="all")
    shop._ask_store("DELETE", f"customers/{account}", params={"force": "true"})
    shop.sync_customers()
    assert shop.accounts() == {}
    assert not shop.customer_in_solteq("C-1")["deleted"]
    quiet(shop)


def test_too_many_removals_are_stopped_until_they_are_let_pass(pair: tuple[Shop, int]) -> None:
    shop, account = pair
    for number in range(2, 5):
        shop.customer(number)
        shop.account(f"aino{number}@example.com")
    shop.sync_customers()
    shop.with_settings(deleted_customers="remove")
    for number in range(1, 5):
        shop.edit_customer(number, deleted=True)
    for job in ("customers_to_woo", "customers_to_solteq"):  # either makes both deltas
        assert shop.run(job).success
        assert shop.run("customers_to_woo", asset_selection=keys("woo_customers")).success
        assert account in shop.accounts()
    let_pass: dict[str, Any] = {"ops": {"woo_customer_delta": {"config": {"let_pass": ["removals"]}}}}
    assert shop.run("customers_to_woo", run_config=let_pass).success
    assert shop.accounts() == {}


def test_accounts_of_the_people_who_run_the_store_are_never_written(shop: Shop) -> None:
    shop.with_settings(customer_accounts="all")
    shop.customer(1)
    boss = shop.account("aino1@example.com", role="administrator", first_name="Pomo")
    shop.sync_customers()
    assert shop.accounts()[boss].first_name == "Pomo"
    ((key, reason),) = shop.rows("SELECT key, reason FROM sync.quarantine")
    assert (key, f"account {boss}" in reason) == ("C-1", True)


@pytest.mark.slow
def test_twenty_runs_on_quiet_systems_write_nothing(pair: tuple[Shop, int]) -> None:
    """Echo: what we wrote is not a change, although it moved both systems' modification times."""
    shop, account = pair
    shop.edit_customer(1, phone="050 7654321", email="Uusi@Example.com")
    shop.edit_account(account, shipping={"address_1": "Toinen 3", "postcode": "20100", "city": "Turku"})
    shop.account("new@example.com")
    shop.sync_customers()
    for _ in range(10):
        quiet(shop)


def test_nothing_personal_is_in_metadata_logs_or_the_ledger(shop: Shop, capfd: pytest.CaptureFixture[str]) -> None:
    shop.customer(1, firstName="Sipuliina", phone="ei numero", email="sipuliina@example.com")
    shop.customer(2, firstName="Sipuliina", email="sipuliina@example.com")
    shop.account("sipuliina@example.com", billing={"city": "Kontiolahti", "postcode": "1"})
    shop.account("kurpitsa@example.com", first_name="Kurpitsa", billing={"phone": "+358409998887"})
    shop.solteq.fault(method="POST", path="/customer/v1-ext/customers", times=1, status=503)
    results = [shop.run(job) for job in ("customers_to_woo", "customers_to_solteq", "customers_to_solteq")]
    said = capfd.readouterr()
    text = "".join([said.out, said.err, *(str(event) for result in results for event in result.all_events)])
    text += str(shop.rows("FROM sync.deliveries")) + str(shop.rows("FROM sync.quarantine"))
    for word in ("Sipuliina", "sipuliina@", "Kurpitsa", "kurpitsa@", "9998887", "Kontiolahti", "ei numero"):
        assert word not in text, word
    assert "k•••@example.com" in text, "that there is a preview"
