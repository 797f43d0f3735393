"""The store's customers over the wire: nothing lost, nothing taken for another's, nothing personal shown."""

import logging
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from solteq_woo_assets.clients import woo_pages
from solteq_woo_assets.clients.connections import woo_client
from solteq_woo_assets.clients.http import JsonResponse
from solteq_woo_assets.clients.woo import WooClient
from solteq_woo_assets.clients.woo_batches import ItemRefused
from solteq_woo_assets.clients.woo_customers import CustomerBatch, CustomerWrite, StoreCustomer, WooCustomers
from solteq_woo_assets.clients.woo_pages import Unreadable
from solteq_woo_assets.errors import OutcomeUnknownError, RemoteError, WooError
from solteq_woo_assets_tests.clients.wire import Answer, json_answer, serving
from solteq_woo_assets_tests.conftest import Shop
from solteq_woo_sandbox.woo_fields import is_email, sanitize_email

PAGE = 4
AINO = "aino@example.com"
LONG = "virtanen" * 10


@pytest.fixture
def woo(shop: Shop) -> Iterator[WooClient]:
    client = woo_client(shop.settings)
    yield client
    client.close()


def client(url: str) -> WooClient:
    return WooClient(url, "ck", SecretStr("cs_not_shown"), attempts=1)


def raw(identifier: Any, **fields: Any) -> dict[str, Any]:
    dates = dict.fromkeys(("date_created_gmt", "date_modified_gmt"), "2026-11-23T03:20:38")
    return {"id": identifier, "email": f"p{identifier}@example.com", "role": "customer", **dates} | fields


class List:
    """A list of accounts that changes before each look at it, with rows that cannot be read among them."""

    def __init__(self, ids: set[int], changes: list[tuple[set[int], set[int]]], unreadable: set[int]) -> None:
        self.ids, self.changes, self.unreadable = set(ids), list(changes), unreadable
        self.ever, self.always = set(ids), set(ids)

    def get(self, path: str, params: dict[str, Any]) -> JsonResponse:
        if self.changes:
            removed, added = self.changes.pop(0)
            self.ids = (self.ids - removed) | added
        self.ever |= self.ids
        self.always &= self.ids
        shown = sorted(self.ids)[params["offset"] :][:PAGE]
        rows = [raw(each, email=["no text"] if each in self.unreadable else "") for each in shown]
        return JsonResponse(200, {"X-WP-Total": str(len(self.ids))}, rows)


SOME = st.sets(st.integers(1, 60), max_size=40)
CHANGES = st.lists(st.tuples(SOME, st.sets(st.integers(1, 120), max_size=8)), max_size=12)


class TestReading:
    @given(ids=SOME, changes=CHANGES, unreadable=SOME)
    def test_nothing_that_stays_is_lost_and_nothing_comes_twice(
        self, ids: set[int], changes: list[tuple[set[int], set[int]]], unreadable: set[int]
    ) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(woo_pages, "PAGE_ROWS", PAGE)
            rows: Any = List(ids, changes, unreadable)
            pages = list(WooCustomers(rows).read())
        read = [account.id for page in pages for account in page.rows]
        failed = [row.id for page in pages for row in page.unreadable]
        assert len(read + failed) == len({*read, *failed})
        assert rows.always <= {*read, *failed} <= rows.ever
        assert set(failed) <= unreadable
        assert not unreadable & set(read)

    def test_what_cannot_be_read_does_not_stop_the_rest_and_tells_no_value(self) -> None:
        rows = [
            raw(1),
            {"email": "aino@example.com"},
            raw(2, first_name=["Aino"]),
            raw(3, date_modified_gmt="Aino"),
            raw("Aino"),
            "Aino",
            raw(4),
        ]
        with serving(json_answer(rows)) as wire:
            (page,) = client(wire.url).customers.read()
        assert [account.id for account in page.rows] == [1, 4]
        where = [(row.id, row.field) for row in page.unreadable]
        assert where == [(0, "id"), (2, "first_name"), (3, "date_modified_gmt"), (0, "id"), (0, "id")]
        assert "aino" not in str(page.unreadable).lower()

    def test_rows_without_an_id_are_told_on_every_page(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(woo_pages, "PAGE_ROWS", 2)
        lists = [raw(1), {}], [{}, {}], [{}, raw(4)]
        with serving(*(json_answer(rows, X_WP_Total="4") for rows in lists)) as wire:
            pages = list(client(wire.url).customers.read())
        assert [account.id for page in pages for account in page.rows] == [1, 4]
        assert [len(page.unreadable) for page in pages] == [1, 2, 1]

    @pytest.mark.parametrize("date", [None, "", "-0001-11-30T00:00:00", "0000-00-00T00:00:00"])
    def test_an_account_without_dates_is_as_old_as_can_be(self, date: str | None) -> None:
        account = StoreCustomer.from_wire(raw(1, date_created_gmt=date, date_modified_gmt=date))
        assert (account.date_created_gmt.year, account.date_modified_gmt.year) == (1970, 1970)

    def test_what_the_store_leaves_out_is_empty(self) -> None:
        account = StoreCustomer.from_wire(raw(1, first_name=None, billing=[], shipping={"city": None, "postcode": 100}))
        assert (account.first_name, account.billing.state, account.shipping.city) == ("", "", "")
        assert account.shipping.postcode == "100"

    @pytest.mark.parametrize("look", ["newest", "by_id"])
    def test_a_single_look_says_which_row_it_is(self, look: str) -> None:
        """One unreadable account among the newest hides none of the others."""
        with serving(json_answer([raw(8), raw(7, email={"Aino": 1}), raw(6)])) as wire:
            customers = client(wire.url).customers
            page = customers.newest(100) if look == "newest" else customers.by_id([6, 7, 8])
        assert [account.id for account in page.rows] == [8, 6]
        assert page.unreadable == [Unreadable(7, "email", "Input should be a valid string")]
        assert page.ids == {6, 7, 8}

    def test_an_asterisk_finds_nobody_else(self, shop: Shop, woo: WooClient) -> None:
        with serving(json_answer([raw(1, email="aino@example.com")])) as wire:  # as WordPress finds it
            assert client(wire.url).customers.by_email("*@example.com") == []
        shop.account("Aino@example.com")
        assert [account.email for account in woo.customers.by_email("aino@Example.com")] == ["Aino@example.com"]


class TestWriting:
    @pytest.mark.parametrize("email", ["äiti@example.com", "a,b@example.com", "a@exämple.com", "a@b..fi", "a@-b.fi"])
    @pytest.mark.parametrize("billed", [False, True])
    def test_what_the_store_would_mend_never_leaves(self, email: str, billed: bool) -> None:
        with pytest.raises(ValidationError) as caught:
            CustomerWrite.model_validate({"id": 1, **({"billing": {"email": email}} if billed else {"email": email})})
        assert email not in str(caught.value)

    @given(st.text(max_size=12), st.text(max_size=12))
    def test_what_leaves_is_what_the_store_holds(self, mailbox: str, domain: str) -> None:
        try:
            email = CustomerWrite(id=1, email=f"{mailbox}@{domain}.fi").email
        except ValidationError:
            return
        assert email is not None
        assert is_email(email)
        assert sanitize_email(email) == email

    def test_a_billing_address_can_lose_its_mail(self) -> None:
        assert CustomerWrite(id=1, billing={"email": ""}).to_wire() == {"id": 1, "billing": {"email": ""}}

    def test_only_what_is_set_is_sent(self) -> None:
        write = CustomerWrite(id=1, first_name="", meta={"solteq_customer_id": None})
        removed = {"key": "solteq_customer_id", "value": None}
        assert write.to_wire() == {"id": 1, "first_name": "", "meta_data": [removed]}

    @pytest.mark.parametrize(
        "body",
        [{}, {"create": []}, {"create": "x"}, {"create": ["x"]}, {"create": [{"email": "aino@example.com"}]}],
    )
    def test_an_unusable_answer_leaves_it_open(self, body: Any) -> None:
        batch = CustomerBatch(creates=[CustomerWrite(email="aino@example.com")])
        with serving(json_answer(body)) as wire, pytest.raises(OutcomeUnknownError) as caught:
            client(wire.url).customers.write(batch)
        assert "aino" not in str(caught.value)

    @settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(city=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20))
    def test_any_text_of_an_address_comes_back(self, shop: Shop, woo: WooClient, city: str) -> None:
        known = woo.customers.newest(1).rows
        identifier = known[0].id if known else shop.account("eero@example.com")
        write = CustomerWrite(id=identifier, billing={"city": city})
        (changed,) = woo.customers.write(CustomerBatch(updates=[write]))
        assert isinstance(changed, StoreCustomer)
        assert changed.billing.city == city


class TestRemoving:
    def test_a_store_without_woocommerce_is_not_taken_for_a_removal(self) -> None:
        absent = json_answer({"code": "rest_no_route", "message": "No route", "data": {"status": 404}}, 404)
        for answer in (absent, Answer(404, "<html>not here</html>", {"content-type": "text/html"})):
            with serving(answer) as wire, pytest.raises(WooError):
                client(wire.url).customers.delete(7)

    def test_those_who_run_the_store_stay(self, shop: Shop, woo: WooClient) -> None:
        (boss,) = shop.woo.put("customers", {"customers": [{"email": "b@example.com", "role": "administrator"}]})["ids"]
        with pytest.raises(WooError) as caught:
            woo.customers.delete(boss)
        assert caught.value.status == 403
        assert woo.customers.by_id([boss]).ids


class TestPrivacy:
    @pytest.mark.parametrize("email", [AINO, "mary.o'brien@example.com", f"{LONG}@example.com"])
    def test_a_refusal_masks_the_address(self, shop: Shop, woo: WooClient, email: str) -> None:
        shop.account(email)
        (refused,) = woo.customers.write(CustomerBatch(creates=[CustomerWrite(email=email)]))
        assert isinstance(refused, ItemRefused)
        assert not any(part in refused.message for part in ("aino", "mary", "brien", "virtanen", "example"))

    @pytest.mark.parametrize("scheme", ["http", "https"])
    @pytest.mark.parametrize("drop", [False, True])
    def test_no_address_is_in_an_error_or_a_log(
        self, caplog: pytest.LogCaptureFixture, scheme: str, drop: bool
    ) -> None:
        answer = Answer(drop=True) if drop else json_answer({"code": "x", "message": AINO}, 403)
        with caplog.at_level(logging.DEBUG), serving(answer) as wire:
            customers = client(wire.url.replace("http:", f"{scheme}:")).customers
            batch = CustomerBatch(creates=[CustomerWrite(email=AINO)])
            for call in (lambda: customers.by_email(AINO), lambda: customers.write(batch)):
                with pytest.raises((WooError, OutcomeUnknownError)) as caught:
                    call()
                assert "aino" not in "".join(traceback.format_exception(caught.value))
        assert "aino" not in caplog.text


class TestStandIn:
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
        assert woo.customers.newest(5).rows == woo.customers.by_id([made.id, 999]).rows == [made]
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
        read = [account for page in woo.customers.read() for account in page.rows]
        assert [account.email for account in read] == [each["email"] for each in people]
        assert len(woo.customers.by_id([account.id for account in read]).rows) == 250

    def test_an_error_shows_no_address(self, shop: Shop, woo: WooClient) -> None:
        shop.woo.fault(path="/customers", times=None, status=403, body='{"code":"x","message":"eero@example.com"}')
        with pytest.raises(RemoteError) as caught:
            woo.customers.write(CustomerBatch(creates=[CustomerWrite(email="eero@example.com")]))
        assert "eero@" not in str(caught.value)

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(name=st.text(alphabet=st.characters(exclude_categories=["C", "Z"], exclude_characters="<>"), max_size=20))
    def test_any_name_comes_back(self, shop: Shop, woo: WooClient, name: str) -> None:
        account = woo.customers.newest(1).rows or [shop.account("eero@example.com")]
        identifier = account[0] if isinstance(account[0], int) else account[0].id
        (changed,) = woo.customers.write(CustomerBatch(updates=[CustomerWrite(id=identifier, first_name=name)]))
        assert isinstance(changed, StoreCustomer)
        assert changed.first_name == name
