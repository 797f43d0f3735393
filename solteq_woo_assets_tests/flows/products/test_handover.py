"""E-mail addresses and GTINs that are swapped or handed on, through Dagster: they arrive in the same run."""

from typing import Any

import pytest

from solteq_woo_assets_tests.conftest import Shop
from solteq_woo_assets_tests.flows.customers.test_assets import quiet

UNUSED = "aino9@example.com"


def mail(number: int) -> str:
    return f"aino{number}@example.com"


@pytest.fixture
def people(shop: Shop) -> tuple[Shop, list[int]]:
    """Three people in both systems, in step; their accounts."""
    accounts = []
    for number in range(3):
        shop.customer(number)
        accounts.append(shop.account(mail(number), first_name="Aino", last_name="Esimerkki"))
    shop.sync_customers()
    return shop, accounts


WISHES = {
    "swap": [mail(1), mail(0), mail(2)],
    "circle": [mail(1), mail(2), mail(0)],
    "handed on": [mail(1), mail(2), UNUSED],
    "handed on the other way": [UNUSED, mail(0), mail(1)],
}


@pytest.mark.parametrize("wishes", WISHES.values(), ids=WISHES.keys())
def test_addresses_moved_in_solteq_are_right_in_the_store_after_one_run(
    people: tuple[Shop, list[int]], wishes: list[str]
) -> None:
    shop, accounts = people
    shop.solteq.put("customers", {"documents": [{"id": f"C-{n}", "email": email} for n, email in enumerate(wishes)]})
    shop.woo.asked()
    run = shop.sync_job("customers_to_woo")
    assert [shop.accounts()[account].email for account in accounts] == wishes
    assert run["woo_customers"]["refused"] == 0
    (write,) = shop.woo.writes()
    assert write["items"] == sum(email != mail(n) for n, email in enumerate(wishes)) + (UNUSED not in wishes)
    quiet(shop)


@pytest.mark.parametrize("wishes", WISHES.values(), ids=WISHES.keys())
def test_addresses_moved_in_the_store_are_right_in_solteq_after_one_run(
    people: tuple[Shop, list[int]], wishes: list[str]
) -> None:
    shop, accounts = people
    move_in_store(shop, accounts, wishes)
    run = shop.sync_job("customers_to_solteq", full=True)
    assert in_solteq(shop) == wishes
    assert run["solteq_customer_updates"]["refused"] == 0
    quiet(shop)


def move_in_store(shop: Shop, accounts: list[int], wishes: list[str]) -> None:
    for account in accounts:
        shop.edit_account(account, email=f"between{account}@example.com")
    for account, email in zip(accounts, wishes, strict=True):
        shop.edit_account(account, email=email)


def in_solteq(shop: Shop) -> list[Any]:
    return [shop.customer_in_solteq(f"C-{number}")["email"] for number in range(3)]


def test_a_swap_in_solteq_that_is_cut_short_is_carried_on(people: tuple[Shop, list[int]]) -> None:
    """Killed when one has no address for the other's sake."""
    shop, accounts = people
    wishes = WISHES["swap"]
    move_in_store(shop, accounts, wishes)
    shop.solteq.fault(method="PUT", path="v1-ext/customers", skip=1, times=None, status=503)
    config = {"ops": {"woo_customer_accounts": {"config": {"full": True}}}}
    shop.run("customers_to_solteq", run_config=config)
    held = in_solteq(shop)
    assert held.count(None) == 1, held
    shop.solteq.heal()
    shop.sync_job("customers_to_solteq", full=True)
    assert in_solteq(shop) == wishes
    quiet(shop)


@pytest.mark.parametrize("setting", ["solteq", "woocommerce", "newest"])
def test_a_swap_in_the_store_that_was_cut_short_is_carried_on(people: tuple[Shop, list[int]], setting: str) -> None:
    """Whoever wins a conflict: an address that we made up is nobody's change."""
    shop, accounts = people
    shop.with_settings(customer_conflicts=setting)
    wishes = WISHES["swap"]
    shop.edit_account(accounts[0], email=f"moving-{accounts[0]}@solteq-woo.invalid")
    shop.solteq.put("customers", {"documents": [{"id": f"C-{n}", "email": email} for n, email in enumerate(wishes)]})
    shop.sync_job("customers_to_solteq", full=True)
    assert in_solteq(shop) == wishes
    shop.sync_job("customers_to_woo", full=True)
    assert [shop.accounts()[account].email for account in accounts] == wishes
    assert shop.rows("FROM sync.customer_conflicts") == []
    quiet(shop)


def test_who_is_refused_costs_nobody_an_address(people: tuple[Shop, list[int]]) -> None:
    """The store refuses one of a swap for another field: both keep what they had, and swap when it is mended."""
    shop, accounts = people
    long = "x" * 90 + "@example.com"  # more than WordPress keeps
    shop.solteq.put("customers", {"documents": [{"id": "C-0", "email": mail(1)}, {"id": "C-1", "email": long}]})
    shop.sync_job("customers_to_woo")
    assert [shop.accounts()[account].email for account in accounts] == [mail(0), mail(1), mail(2)]
    shop.edit_customer(1, email=mail(0))
    shop.sync_job("customers_to_woo")
    assert [shop.accounts()[account].email for account in accounts] == WISHES["swap"]
    assert shop.rows("FROM sync.quarantine") == []
    quiet(shop)


GTINS = ["6412345678907", "6412345678914", "6412345678921", "6412345678938"]


@pytest.mark.parametrize(
    "wishes",
    [[1, 0, 2], [1, 2, 0], [1, 2, 3], [3, 0, 1]],
    ids=["swap", "circle", "handed on", "handed on the other way"],
)
@pytest.mark.parametrize("family", [False, True], ids=["simple", "in a family"])
def test_gtins_moved_in_solteq_are_right_in_the_store_after_one_run(
    shop: Shop, wishes: list[int], *, family: bool
) -> None:
    """Two of a family and one that is alone, or three that are alone."""
    of_family: dict[str, Any] = {"modelNumber": "T"}

    def put(gtins: list[int]) -> None:
        for number, gtin in enumerate(gtins):
            fields = {**of_family, "attributes": {"Koko": str(number)}} if family and number < 2 else {}
            shop.product(f"A{number}", gtin=GTINS[gtin], **fields)

    put([0, 1, 2])
    shop.sync("products_to_woo")
    put(wishes)
    (run,) = shop.sync("products_to_woo")
    held = shop.store()
    assert [held[f"A{number}"].global_unique_id for number in range(3)] == [GTINS[gtin] for gtin in wishes]
    assert run["product_delta"]["quarantined"] == 0
    shop.woo.asked()
    shop.sync("products_to_woo")
    assert shop.woo.writes() == []


def test_a_gtin_that_its_holder_keeps_is_not_waited_for(shop: Shop) -> None:
    """A product of the store's own has it: who wants it goes without, and so does who waits for that one."""
    for number in range(2):
        shop.product(f"A{number}", gtin=GTINS[number])
    shop.make(name="Other", type="simple", sku="OTHER", global_unique_id=GTINS[2], regular_price="5.00")
    shop.sync("products_to_woo")
    shop.product("A0", gtin=GTINS[1], salesPrice=33)
    shop.product("A1", gtin=GTINS[2], salesPrice=44)
    shop.sync("products_to_woo")
    held = shop.store()
    assert [(held[f"A{n}"].global_unique_id, int(held[f"A{n}"].regular_price or 0)) for n in range(2)] == [
        (GTINS[0], 33),
        (GTINS[1], 44),
    ]
    codes = shop.rows("SELECT key, code FROM sync.quarantine ORDER BY key")
    assert codes == [("A0", "gtin-duplicate"), ("A1", "gtin-duplicate")]
