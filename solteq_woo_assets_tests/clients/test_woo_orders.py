"""The store's orders over the wire: none is missed while the list moves, none that is odd stops the others."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest
from pydantic import SecretStr

from solteq_woo_assets.clients.http import JsonResponse
from solteq_woo_assets.clients.solteq import SolteqClient
from solteq_woo_assets.clients.solteq_access import ScopedApi
from solteq_woo_assets.clients.solteq_sales import HeldSale, SolteqSales
from solteq_woo_assets.clients.woo import WooClient
from solteq_woo_assets.clients.woo_orders import created_between
from solteq_woo_assets.errors import OutcomeUnknownError, SolteqError, WooError
from solteq_woo_assets_tests.clients.wire import Answer, json_answer, serving

DAY = datetime(2026, 11, 22, 22)  # noqa: DTZ001  naive UTC: midnight in Helsinki
NEXT_DAY = datetime(2026, 11, 23, 22)  # noqa: DTZ001


def order(number: int, **fields: Any) -> dict[str, Any]:
    """An order as the store lists it."""
    dates = {"date_created_gmt": "2026-11-23T10:00:00", "date_modified_gmt": "2026-11-23T10:00:00"}
    return {
        "id": number,
        "status": "processing",
        "currency": "EUR",
        "total": "1.00",
        "total_tax": "0",
        **dates,
        **fields,
    }


def listed(numbers: range, total: int) -> Answer:
    return json_answer([order(number) for number in numbers], X_WP_Total=str(total))


def client(url: str) -> WooClient:
    return WooClient(url, "ck", SecretStr("cs"))


def test_a_window_is_inclusive_at_its_start_and_naive() -> None:
    """The store's bounds are both exclusive, and a Z would lose rows (contract, 1)."""
    assert created_between(DAY, NEXT_DAY) == {
        "after": "2026-11-22T21:59:59",
        "before": "2026-11-23T22:00:00",
        "dates_are_gmt": "true",
    }


def test_whole_days_are_read_a_page_per_hundred_orders() -> None:
    with serving(listed(range(1, 101), 250), listed(range(101, 201), 250), listed(range(201, 251), 250)) as wire:
        pages = list(client(wire.url).orders.created(DAY, NEXT_DAY, in_flight=1))
    assert [each.id for page in pages for each in page.rows] == list(range(1, 251))
    assert [each.query["offset"] for each in wire.asked] == [["0"], ["100"], ["200"]]
    assert {each.query["dp"][0] for each in wire.asked} == {"2"}, "whatever decimals the store shows"


def test_an_order_that_leaves_the_list_meanwhile_hides_none() -> None:
    """Those behind it move forward, past a page by number: all is read again, page by page."""
    moved = [listed(range(1, 101), 200), listed(range(102, 201), 199)]
    again = [listed(range(2, 102), 199), listed(range(101, 201), 199)]
    with serving(*moved, *again) as wire:
        pages = list(client(wire.url).orders.created(DAY, NEXT_DAY, in_flight=1))
    assert {each.id for page in pages for each in page.rows} == set(range(1, 201))


def test_a_list_that_does_not_say_how_long_it_is_is_not_believed() -> None:
    with serving(json_answer([order(1)])) as wire, pytest.raises(WooError, match="X-WP-Total"):
        list(client(wire.url).orders.created(DAY, NEXT_DAY, in_flight=1))


def test_an_odd_order_is_named_without_what_it_holds() -> None:
    rows = [order(1), order(2, total="zyx@example.com"), {"id": 3}, "nonsense"]
    with serving(json_answer(rows, X_WP_Total="4")) as wire:
        (page,) = client(wire.url).orders.created(DAY, NEXT_DAY, in_flight=1)
    assert [each.id for each in page.rows] == [1]
    assert [each.id for each in page.unreadable] == [2, 3, 0]
    assert "zyx" not in str(page.unreadable)


def test_a_refund_of_nothing_leaves_its_order_readable() -> None:
    """The store takes a refund without amount and lines, and shows it as a dash (step 221 of orders_lifecycle)."""
    row = order(1, refunds=[{"id": 7, "reason": "", "total": "-"}])
    with serving(json_answer([row], X_WP_Total="1")) as wire:
        (page,) = client(wire.url).orders.created(DAY, NEXT_DAY, in_flight=1)
    assert (page.rows[0].refunds[0].total, page.unreadable) == (0, [])


def test_nothing_personal_is_in_an_orders_text() -> None:
    row = order(1, billing={"first_name": "Zyxaino", "email": "zyx@example.com"})
    with serving(json_answer([row], X_WP_Total="1")) as wire:
        (page,) = client(wire.url).orders.created(DAY, NEXT_DAY, in_flight=1)
    assert page.rows[0].billing.name == "Zyxaino"
    assert "zyx" not in repr(page.rows).lower()


def solteq_client(url: str) -> SolteqClient:
    return SolteqClient(url, url, "id", SecretStr("secret"))


TOKEN = json_answer({"access_token": "t", "expires_in": 600})


@pytest.mark.parametrize("body", ["[]", "{}", '{"documents": [{"externalId": "another", "id": "1"}]}'])
def test_a_look_up_that_answers_something_else_is_not_believed(body: str) -> None:
    """Or a sale would be taken for booked that is not."""
    with serving(TOKEN, Answer(body=body)) as wire, pytest.raises(SolteqError):
        solteq_client(wire.url).sales.find("woo:shop:order:1")


def test_an_answer_without_an_id_is_no_booking() -> None:
    with serving(TOKEN, Answer(201, "{}")) as wire, pytest.raises(OutcomeUnknownError):
        solteq_client(wire.url).sales.book({"externalId": "woo:shop:order:1"})


def test_the_time_of_a_booking_is_solteqs() -> None:
    """Its balances go by its clock, and ours may differ."""
    answer = JsonResponse(201, {"Date": "Mon, 23 Nov 2026 10:00:00 GMT"}, {"id": "s-1"})

    class Dated(ScopedApi):
        """A server here adds a Date of its own."""

        def __init__(self) -> None: ...

        def send(
            self, method: str, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
        ) -> JsonResponse:
            return answer

    held = SolteqSales("sales", Dated()).book({"externalId": "woo:shop:order:1"})
    assert isinstance(held, HeldSale)
    assert held.at == datetime(2026, 11, 23, 10)  # noqa: DTZ001
