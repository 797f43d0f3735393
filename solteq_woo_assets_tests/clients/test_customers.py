"""Customers over the wire, against both stand-ins over HTTP: what is read, written, looked up and refused."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import simplejson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from solteq_woo_assets.clients.connections import solteq_client, woo_client
from solteq_woo_assets.clients.solteq import CustomerDocument, Gone, Refused, SolteqClient, Stale, Taken
from solteq_woo_assets.clients.woo import CustomerBatch, CustomerWrite, ItemRefused, StoreCustomer, WooClient
from solteq_woo_assets.errors import OutcomeUnknownError, RemoteError, SolteqError
from solteq_woo_assets_tests.clients.feeds import CUSTOMERS
from solteq_woo_assets_tests.conftest import Shop, customer_document


@pytest.fixture
def solteq(shop: Shop) -> Iterator[SolteqClient]:
    client = solteq_client(shop.settings)
    yield client
    client.close()


@pytest.fixture
def woo(shop: Shop) -> Iterator[WooClient]:
    client = woo_client(shop.settings)
    yield client
    client.close()


def person(**fields: Any) -> dict[str, Any]:
    document = {name: value for name, value in customer_document(1).items() if name not in ("id", "customerNumber")}
    identifiers = [{"type": "ExternalID", "value": "woo:shop:customer:7"}]
    return document | {"identifiers": identifiers, "email": "eero@example.com"} | fields


class TestSolteq:
    def test_a_customer_is_made_found_and_replaced(self, solteq: SolteqClient) -> None:
        made = solteq.customers.create(person())
        assert isinstance(made, CustomerDocument)
        assert solteq.customers.by_external_id("woo:shop:customer:7") == made
        assert solteq.customers.by_email(" EERO@example.com") == made
        assert solteq.customers.by_email("nobody@example.com") is None
        document = simplejson.loads(made.raw, use_decimal=True)
        changed = solteq.customers.replace(made.id, document | {"firstName": "Eero"}, document["modifiedAt"])
        assert isinstance(changed, CustomerDocument)
        assert (changed.first_name, changed.modified_at > made.modified_at) == ("Eero", True)

    def test_what_we_do_not_know_survives_a_replacement(self, shop: Shop, solteq: SolteqClient) -> None:
        shop.customer(1, loyaltyLevel={"points": 12.5}, marketingPermission={"email": True, "mobile": True})
        held = next(solteq.read(CUSTOMERS)).documents[0]
        document = simplejson.loads(held.raw, use_decimal=True)
        again = solteq.customers.replace("C-1", document, document["modifiedAt"])
        assert isinstance(again, CustomerDocument)
        after = simplejson.loads(again.raw, use_decimal=True)
        assert {name for name in document if document[name] != after[name]} == {"modifiedAt"}

    @pytest.mark.parametrize("field", ["email", "identifiers"])
    def test_who_has_it_already_is_named(self, shop: Shop, solteq: SolteqClient, field: str) -> None:
        shop.customer(1, **{field: person()[field]})
        other = {"email": "x@example.com"} if field == "identifiers" else {"identifiers": []}
        assert solteq.customers.create(person(**other)) == Taken("C-1")

    def test_a_version_that_is_not_the_last_is_not_replaced(self, shop: Shop, solteq: SolteqClient) -> None:
        shop.customer(1)
        before = shop.customer_in_solteq("C-1")
        shop.edit_customer(1, phone="1")
        assert isinstance(solteq.customers.replace("C-1", before, before["modifiedAt"]), Stale)
        assert shop.customer_in_solteq("C-1")["phone"] == "1"

    def test_who_is_gone_is_gone(self, shop: Shop, solteq: SolteqClient) -> None:
        shop.customer(1, deleted=True)
        assert isinstance(solteq.customers.replace("C-1", person(), "x"), Gone)
        assert isinstance(solteq.customers.replace("a/b ?", person(), "x"), Gone)
        assert solteq.customers.by_email("aino1@example.com") is None

    @pytest.mark.parametrize(
        ("fields", "path"),
        [
            ({"type": "Company", "companyName": "Oy"}, "taxCode"),
            ({"type": "Company", "taxCode": "FI04904840"}, "companyName"),
            ({"type": "Somebody"}, "type"),
            ({"email": "kurpitsa"}, "email"),
        ],
    )
    def test_a_refusal_names_the_field_and_no_value(self, solteq: SolteqClient, fields: Any, path: str) -> None:
        refused = solteq.customers.create(person(**fields))
        assert isinstance(refused, Refused)
        assert refused.reason.startswith(f"{path}: ")
        assert "kurpitsa" not in refused.reason

    @pytest.mark.parametrize("drop", ["before", "after"])
    def test_a_broken_connection_leaves_it_open(self, shop: Shop, solteq: SolteqClient, drop: str) -> None:
        shop.solteq.fault(method="POST", path="/customer/v1-ext/customers", times=1, drop=drop)
        with pytest.raises(OutcomeUnknownError) as caught:
            solteq.customers.create(person())
        assert "eero" not in str(caught.value)
        assert (solteq.customers.by_external_id("woo:shop:customer:7") is not None) == (drop == "after")

    def test_a_revoked_token_is_renewed_for_a_write(self, shop: Shop, solteq: SolteqClient) -> None:
        assert solteq.customers.by_email("x@example.com") is None
        shop.solteq.post("tokens/revoke", {})
        assert isinstance(solteq.customers.create(person()), CustomerDocument)

    def test_no_value_is_in_an_error_or_a_picture(self, shop: Shop, solteq: SolteqClient) -> None:
        body = json.dumps({"error": "eero@example.com is bad", "message": "eero@example.com"})
        shop.solteq.fault(path="/customers", times=None, status=403, body=body)
        with pytest.raises(SolteqError) as caught:
            solteq.customers.by_email("eero@example.com")
        assert "eero@" not in f"{caught.value!s}{caught.value!r}"
        shop.solteq.heal()
        made = solteq.customers.create(person())
        assert not any(word in repr(made) for word in ("Aino", "eero@", "40123", "Mallitie"))

    def test_what_is_missing_is_not_what_is_null(self) -> None:
        wire = {"id": "1", "type": "Private", "email": None, "deleted": False, "modifiedAt": "2026-01-01T00:00:00Z"}
        document = CustomerDocument.model_validate(wire)
        assert {"email", "phone"} & document.model_fields_set == {"email"}


class TestWoo:
    def test_an_account_is_made_read_and_removed(self, woo: WooClient) -> None:
        write = CustomerWrite(
            email="eero@example.com",
            first_name="Eero",
            billing={"city": "Turku"},
            meta={"solteq_customer_id": "C-1", "_hidden": "x"},
        )
        (made,) = woo.customers.write(CustomerBatch(creates=[write]))
        assert isinstance(made, StoreCustomer)
        assert (made.email, made.billing.city, made.role) == ("eero@example.com", "Turku", "customer")
        assert made.meta == {"default_password_nag": "1", "solteq_customer_id": "C-1"}, "hidden keys are dropped"
        assert woo.customers.newest(5).customers == woo.customers.by_id([made.id, 999]).customers == [made]
        assert (woo.customers.delete(made.id), woo.customers.delete(made.id)) == (True, False)

    def test_a_part_of_an_address_leaves_the_rest(self, shop: Shop, woo: WooClient) -> None:
        account = shop.account("eero@example.com", billing={"city": "Turku", "phone": "1"})
        (changed,) = woo.customers.write(CustomerBatch(updates=[CustomerWrite(id=account, billing={"phone": ""})]))
        assert isinstance(changed, StoreCustomer)
        assert (changed.billing.city, changed.billing.phone) == ("Turku", "")

    def test_bad_items_do_not_stop_the_others_and_show_no_address(self, shop: Shop, woo: WooClient) -> None:
        shop.account("taken@example.com")
        creates = [CustomerWrite(email=f"{name}@example.com") for name in ("taken", "free")]
        taken, made, gone = woo.customers.write(CustomerBatch(creates, [CustomerWrite(id=999, first_name="X")]))
        assert isinstance(taken, ItemRefused)
        assert (taken.code, "taken@" in taken.message) == ("registration-error-email-exists", False)
        assert isinstance(made, StoreCustomer)
        assert isinstance(gone, ItemRefused)
        assert gone.code == "woocommerce_rest_invalid_id"

    @pytest.mark.parametrize("email", ["", "kurpitsa", "a b@example.com", "a@localhost", "@example.com"])
    def test_what_is_no_address_never_leaves(self, email: str) -> None:
        with pytest.raises(ValidationError) as caught:
            CustomerWrite(email=email)
        assert "kurpitsa" not in str(caught.value)

    def test_every_role_is_read_and_all_pages(self, shop: Shop, woo: WooClient) -> None:
        people = [{"email": f"p{number}@example.com"} for number in range(250)]
        people[3]["role"] = "administrator"
        shop.woo.put("customers", {"customers": people})
        read = [account for page in woo.customers.read() for account in page.customers]
        assert [account.email for account in read] == [each["email"] for each in people]
        assert len(woo.customers.by_id([account.id for account in read]).customers) == 250

    def test_an_error_shows_no_address(self, shop: Shop, woo: WooClient) -> None:
        shop.woo.fault(path="/customers", times=None, status=403, body='{"code":"x","message":"eero@example.com"}')
        with pytest.raises(RemoteError) as caught:
            woo.customers.write(CustomerBatch(creates=[CustomerWrite(email="eero@example.com")]))
        assert "eero@" not in str(caught.value)

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(name=st.text(alphabet=st.characters(exclude_categories=["C", "Z"], exclude_characters="<>"), max_size=20))
    def test_any_name_comes_back(self, shop: Shop, woo: WooClient, name: str) -> None:
        account = woo.customers.newest(1).customers or [shop.account("eero@example.com")]
        identifier = account[0] if isinstance(account[0], int) else account[0].id
        (changed,) = woo.customers.write(CustomerBatch(updates=[CustomerWrite(id=identifier, first_name=name)]))
        assert isinstance(changed, StoreCustomer)
        assert changed.first_name == name
