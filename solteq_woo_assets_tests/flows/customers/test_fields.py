"""One field of a person that cannot be sent is held back alone, through Dagster against both systems."""

import json
from typing import Any

import pytest

from solteq_woo_assets_tests.conftest import Shop
from solteq_woo_assets_tests.flows.customers.test_assets import BILLING, PERSON, keys, pair, quiet

__all__ = ["pair"]
HELD = "SELECT key, field, code FROM sync.quarantine ORDER BY ALL"


def checks_pass(shop: Shop, job: str) -> dict[str, Any]:
    """A run that succeeds, its checks too; what it counted."""
    config = {"ops": {"woo_customer_accounts": {"config": {"full": True}}}}
    result = shop.run(job, run_config=config)
    assert result.success
    assert all(each.passed for each in result.get_asset_check_evaluations()), result.get_asset_check_evaluations()
    name = "woo_customers" if job == "customers_to_woo" else "solteq_customer_updates"
    (counts,) = (each.metadata for each in result.asset_materializations_for_node(name))
    return {key: value.value for key, value in counts.items()}


def test_an_e_mail_address_with_a_typo_is_held_alone_until_it_is_mended(pair: tuple[Shop, int]) -> None:
    shop, account = pair
    shop.edit_customer(1, email="aino@exmaple", phone="050 7654321", firstName="Eino")
    checks_pass(shop, "customers_to_woo")
    held = shop.accounts()[account]
    assert (held.email, held.billing.phone, held.first_name) == ("aino1@example.com", "+358507654321", "Eino")
    assert shop.rows(HELD) == [("C-1", "email", "email-invalid")]
    quiet(shop)
    assert shop.customer_in_solteq("C-1")["email"] == "aino@exmaple", "what is agreed is no change of the store's"
    shop.edit_customer(1, email="eino@example.com")
    checks_pass(shop, "customers_to_woo")
    assert (shop.accounts()[account].email, shop.rows(HELD)) == ("eino@example.com", [])
    quiet(shop)


def test_a_field_that_solteq_refuses_is_left_out_and_the_rest_goes_once_more(pair: tuple[Shop, int]) -> None:
    shop, account = pair
    details = [{"path": "addresses[0].city", "message": "'Tampere' is too long"}]
    body = json.dumps({"error": "validation", "details": details})
    shop.solteq.fault(method="PUT", path="/customers/C-1", times=1, status=400, body=body)
    shop.edit_account(account, billing={"city": "Tampere", "phone": "050 7654321"}, first_name="Eino")
    counts = checks_pass(shop, "customers_to_solteq")
    assert (counts["updated"], counts["refused"]) == (1, 0)
    held = shop.customer_in_solteq("C-1")
    assert (held["firstName"], held["phone"]) == ("Eino", "+358507654321")
    assert held["addresses"][0]["city"] == "Helsinki"
    assert shop.rows(HELD) == [(str(account), "billing_city", "write-refused")]
    ((reason,),) = shop.rows("SELECT reason FROM sync.quarantine")
    assert "is too long" in reason
    assert "Tampere" not in reason
    quiet(shop)
    assert shop.accounts()[account].billing.city == "Tampere", "what was not delivered is not agreed"
    shop.edit_account(account, last_name="Toinen")
    checks_pass(shop, "customers_to_solteq")
    assert shop.customer_in_solteq("C-1")["lastName"] == "Toinen"
    assert shop.rows(HELD) == [(str(account), "billing_city", "write-refused")], "it was not sent, so it is held on"
    shop.edit_account(account, billing={"city": "Oulu"})
    checks_pass(shop, "customers_to_solteq")
    assert (shop.customer_in_solteq("C-1")["addresses"][0]["city"], shop.rows(HELD)) == ("Oulu", [])
    quiet(shop)


def test_a_held_field_that_is_put_back_leaves_the_quarantine(pair: tuple[Shop, int]) -> None:
    shop, account = pair
    body = json.dumps({"error": "validation", "details": [{"path": "addresses[0].city", "message": "unknown"}]})
    shop.solteq.fault(method="PUT", path="/customers/C-1", times=1, status=400, body=body)
    shop.edit_account(account, billing={"city": "Tampere"})
    assert checks_pass(shop, "customers_to_solteq")["refused"] == 1
    quiet(shop)
    shop.edit_account(account, billing={"city": "Helsinki"}, first_name="Eino")
    checks_pass(shop, "customers_to_solteq")
    assert shop.rows(HELD) == []


def test_a_new_company_whose_tax_code_solteq_refuses_is_made_private(shop: Shop) -> None:
    body = json.dumps({"error": "validation", "details": [{"path": "taxCode", "message": "not in the register"}]})
    shop.solteq.fault(method="POST", path="/customer/v1-ext/customers", times=1, status=400, body=body)
    account = shop.account(
        "eero@example.com",
        billing={**BILLING, "company": "Yritys Oy"},
        meta_data=[{"key": "vat_number", "value": "FI04904840"}],
    )
    assert checks_pass(shop, "customers_to_solteq")["created"] == 1
    (held,) = shop.solteq_customers("eero@example.com")
    assert (held["type"], held["companyName"], held.get("taxCode")) == ("Private", "Yritys Oy", None)
    assert shop.rows(HELD) == [(str(account), "tax_code", "write-refused")]
    quiet(shop)


def test_what_solteq_minds_of_its_own_holds_the_whole(pair: tuple[Shop, int]) -> None:
    shop, account = pair
    body = json.dumps({"error": "validation", "details": [{"path": "customerGroups[0]", "message": "unknown"}]})
    shop.solteq.fault(method="PUT", path="/customers/C-1", times=None, status=400, body=body)
    shop.edit_account(account, billing={"city": "Tampere"}, first_name="Eino")
    assert checks_pass(shop, "customers_to_solteq")["refused"] == 1
    assert shop.rows(HELD) == [(str(account), "(the customer)", "write-refused")]
    quiet(shop)


def test_an_e_mail_address_that_only_the_store_refuses_is_held_alone(pair: tuple[Shop, int]) -> None:
    """It is that of an account that was registered a moment ago."""
    shop, account = pair
    shop.edit_customer(1, email="eino@example.com", firstName="Eino")
    up_to_delta = ["solteq_customers", "woo_customer_accounts", "woo_customer_delta"]
    assert shop.run("customers_to_woo", asset_selection=keys(*up_to_delta)).success
    shop.account("eino@example.com", role="administrator")
    shop.woo.asked()
    assert shop.run("customers_to_woo", asset_selection=keys("woo_customers")).success
    held = shop.accounts()[account]
    assert (held.first_name, held.email) == ("Eino", "aino1@example.com")
    assert len(shop.woo.writes()) == 2, "the batch, and what of it went without the e-mail address"
    assert shop.rows(HELD) == [("C-1", "email", "write-refused")]
    quiet(shop)


def test_a_country_by_its_name_reaches_the_store_as_a_code(shop: Shop) -> None:
    """Orders of an account whose country is Suomi have no VAT."""
    shop.customer(1, addresses=[{"type": "Billing", "city": "Helsinki", "country": "SUOMI "}])
    shop.customer(2, addresses=[{"type": "Billing", "city": "Maarianhamina", "country": "Åland"}])
    shop.customer(3, addresses=[{"type": "Billing", "city": "Turku", "country": "Suomiland"}])
    accounts = [
        shop.account("aino1@example.com", **PERSON, billing={"country": "FI"}),
        shop.account("aino2@example.com", **PERSON),
        shop.account("aino3@example.com", **PERSON, billing={"country": "FI"}),
    ]
    shop.sync_customers()
    assert [shop.accounts()[each].billing.country for each in accounts] == ["FI", "AX", "FI"]
    assert [shop.accounts()[each].billing.city for each in accounts] == ["Helsinki", "Maarianhamina", "Turku"]
    assert shop.customer_in_solteq("C-3")["addresses"][0]["country"] == "FI", "what is known mends what is not"
    quiet(shop)
    shop.sync_customers()
    assert shop.rows(HELD) == []


def test_a_country_that_the_store_has_by_its_name_becomes_a_code(shop: Shop) -> None:
    shop.customer(1, addresses=[{"type": "Billing", "city": "Helsinki", "country": "Suomi"}])
    account = shop.account("aino1@example.com", **PERSON, billing={"city": "Helsinki", "country": "Suomi"})
    shop.sync_customers()
    assert shop.accounts()[account].billing.country == "FI"
    quiet(shop)


def test_a_second_address_of_a_type_is_never_taken_for_the_first(shop: Shop) -> None:
    second = {"type": "Billing", "street": "Toinen 2", "city": "Turku", "country": "FI", "floor": 3}
    pickup = {"type": "Pickup", "street": "Noutopiste 9", "city": "Oulu", "country": "FI"}
    first = {"type": "Billing", "street": "Mallitie 1", "postalCode": "00100", "city": "Helsinki", "country": "FI"}
    shop.customer(1, addresses=[first, second, pickup])
    account = shop.account("aino1@example.com", **PERSON)
    shop.sync_customers()
    assert shop.accounts()[account].billing.city == "Helsinki"
    shop.edit_account(account, billing={"city": "Tampere"})
    shop.sync_customers()
    held = shop.customer_in_solteq("C-1")["addresses"]
    assert (held[0]["city"], held[1:]) == ("Tampere", [second, pickup])
    shop.edit_account(account, billing=dict.fromkeys(("address_1", "postcode", "city", "country"), ""))
    shop.sync_customers()
    quiet(shop)
    assert shop.accounts()[account].billing.city == "", "it stays empty"
    assert shop.customer_in_solteq("C-1")["addresses"][1:] == [second, pickup]
    shop.edit_account(account, billing={"city": "Vaasa"})
    shop.sync_customers()
    held = shop.customer_in_solteq("C-1")["addresses"]
    assert (held[0]["city"], held[1:]) == ("Vaasa", [second, pickup])
    quiet(shop)


@pytest.mark.parametrize("job", ["customers_to_woo", "customers_to_solteq"])
def test_a_phone_without_a_country_is_held_as_it_was_sent(shop: Shop, job: str) -> None:
    """Who gets it reads it by the country of an address that the other side does not have."""
    to_woo = job == "customers_to_woo"
    address = {"city": "Helsinki", "country": "FI"}
    shop.customer(
        1, phone="040 1234567" if to_woo else None, addresses=[] if to_woo else [{"type": "Billing", **address}]
    )
    billing = address if to_woo else {"phone": "040 1234567"}
    account = shop.account("aino1@example.com", **PERSON, billing=billing)
    assert checks_pass(shop, job)["refused"] == 0
    assert shop.rows(HELD) == []
    shop.sync_customers()
    shop.sync_customers()
    assert shop.accounts()[account].billing.phone in ("+358401234567", "040 1234567")
    assert shop.rows(HELD) == []
    quiet(shop)
