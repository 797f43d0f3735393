"""The campaign price delta: which campaign makes which sale price, its window, and whose the store's price was."""

import re
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from solteq_woo_assets.engine.problems import PROBLEMS
from solteq_woo_assets.flows.campaigns.explanation import explain_prices
from solteq_woo_assets.flows.campaigns.pricing import PricingRules
from solteq_woo_assets_tests.flows.conftest import NOW, PRICING, Sides, rows

BY_PRIORITY = PricingRules(campaign_choice="priority")
DAY = timedelta(days=1)


def local(day: int, hour: int = 0) -> datetime:
    """A time of November 2026 in Helsinki, two hours ahead of UTC."""
    return datetime(2026, 11, day, hour)  # noqa: DTZ001


def at(hour: int) -> datetime:
    """An instant of the Monday that ``NOW`` is on."""
    return NOW.replace(hour=hour)


def changes(sides: Sides, key: str = "A", rules: PricingRules = PRICING, now: datetime = NOW) -> dict[str, Any] | None:
    """What would be written of a product, new values alone; ``None`` when nothing would."""
    row = rows(sides.campaign_price_delta(rules, now).changes).get(key)
    return None if row is None else {field: new for field, (_, new) in row["changes"].items()}


def reason(sides: Sides, key: str = "A") -> str:
    return rows(sides.campaign_price_delta().changes)[key]["reason"]


@pytest.fixture
def product(sides: Sides) -> Sides:
    """Product A at 10.00, in both systems."""
    sides.product("A", product_group="Kahvi ja tee", supplier="Lumikon Oy", model_number="M")
    sides.held(1, "A")
    return sides


@pytest.mark.parametrize(
    ("level", "target"),
    [
        ("Product", "A"),
        ("Product", " a "),
        ("Product", "M"),
        ("ProductGroup", "Kahvi ja tee"),
        ("ProductGroup", "kahvi ja TEE "),
        ("Supplier", "Lumikon Oy"),
    ],
)
def test_a_campaign_covers_products_models_groups_and_suppliers(product: Sides, level: str, target: str) -> None:
    product.campaign(1, "other", target, level=level)
    assert changes(product) == {"sale_price": "8.00"}


@pytest.mark.parametrize(
    ("level", "target"), [("Product", "B"), ("Product", "Kahvi ja tee"), ("ProductGroup", "A"), ("Supplier", "M")]
)
def test_a_campaign_covers_no_other_product(product: Sides, level: str, target: str) -> None:
    product.campaign(1, target, level=level)
    assert changes(product) is None


def test_what_a_product_does_not_have_matches_no_empty_target(sides: Sides) -> None:
    sides.product("A", model_number="", product_group="", supplier=None)
    sides.held(1, "A")
    for number, level in enumerate(("Product", "ProductGroup", "Supplier")):
        sides.campaign(number, "", "B", level=level)
    assert changes(sides) is None


@pytest.mark.parametrize(
    ("discount_type", "value", "price"),
    [
        ("Percentage", "20", "8.00"),
        ("Percentage", "33.33", "6.67"),
        ("Percentage", "12.25", "8.78"),
        ("Amount", "2.5", "7.50"),
        ("FixedPrice", "9.995", None),
        ("FixedPrice", "9.994", "9.99"),
        ("FixedPrice", "10", None),
        ("FixedPrice", "12", None),
        ("Amount", "10", None),
        ("Amount", "12", None),
        ("Percentage", "100", None),
        ("Percentage", "0.01", None),
    ],
)
def test_the_price_is_rounded_half_up_and_a_discount_or_none(
    product: Sides, discount_type: str, value: str, price: str | None
) -> None:
    product.campaign(1, "A", discount_type=discount_type, value=Decimal(value))
    assert changes(product) == (price and {"sale_price": price})


@pytest.mark.parametrize(
    ("cap", "price"), [("0", None), ("10", "9.00"), ("20", "8.00"), ("90", "8.00"), (None, "8.00")]
)
def test_the_maximum_discount_caps_the_reduction(sides: Sides, cap: str | None, price: str | None) -> None:
    """Alcohol, with 0, is never discounted."""
    sides.product("A", max_discount_percent=cap and Decimal(cap))
    sides.held(1, "A")
    sides.campaign(1, "A")
    assert changes(sides) == (price and {"sale_price": price})


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"customer_groups": ["Kanta-asiakkaat"]}, "for certain customers only, not public"),
        ({"customers": ["c-17"]}, "for certain customers only, not public"),
        ({"store_ids": ["oulu", "turku"]}, r"for other stores \(oulu, turku\)"),
        ({"type": "BuyXGetY", "discount_type": None, "value": None}, r"cannot be expressed as a discount price \(BuyX"),
    ],
)
def test_what_is_not_for_everybody_or_no_single_price_is_never_sent_but_shown(
    product: Sides, fields: dict[str, Any], why: str
) -> None:
    product.campaign(1, "A", name="Osta 3", **fields)
    row = rows(product.campaign_price_delta().changes)["c-1"]
    assert (row["action"], row["kind"], row["changes"]) == ("skip", "campaign", {})
    assert row["reason"].startswith("campaign Osta 3: it ")
    assert re.search(why, row["reason"])
    assert changes(product) is None


def test_a_restriction_that_is_not_known_is_a_restriction_and_is_named(product: Sides) -> None:
    product.campaign(1, "A", name="Klubi", unknown_fields=["minimumQuantity", "description", "channels"])
    harmless = PricingRules(harmless_fields=["Description", "createdAt"])
    row = rows(product.campaign_price_delta(harmless).changes)["c-1"]
    assert (row["action"], row["changes"]) == ("skip", {})
    assert row["reason"] == (
        "campaign Klubi: it is restricted in a way that cannot be expressed: minimumQuantity, channels"
    )
    assert changes(product, rules=harmless) is None


def test_fields_that_restrict_nothing_keep_no_campaign_back(product: Sides) -> None:
    product.campaign(1, "A", unknown_fields=["description", "createdAt"])
    assert changes(product, rules=PricingRules(harmless_fields=["DESCRIPTION", "createdAt"])) == {"sale_price": "8.00"}


def test_a_campaign_without_a_name_goes_by_its_id(product: Sides) -> None:
    product.campaign(1, "A", name=None)
    product.campaign(2, "A", name=" ", value=Decimal(10))
    product.campaign(3, "A", name=None, type="Bundle")
    delta = rows(product.campaign_price_delta().changes)
    assert (delta["A"]["campaign"], delta["A"]["beaten"]) == ("campaign c-1 (c-1)", ["c-2 9.00"])
    assert delta["c-3"]["reason"].startswith("campaign c-3: it cannot be expressed")


def test_days_and_hours_are_sent_one_window_after_the_other(product: Sides) -> None:
    """NOW is a Monday noon: of the lunches of Monday and Wednesday the first runs, until 13."""
    days = ["Mon", "Wed"]
    product.campaign(1, "A", valid_days=days, valid_hours_from=time(11), valid_hours_to=time(13))
    assert changes(product) == {"sale_price": "8.00", "date_on_sale_to_gmt": "2026-11-23T10:59:59"}
    assert product.campaign_price_delta().next_edge == at(11)
    assert changes(product, now=at(11)) == {
        "sale_price": "8.00",
        "date_on_sale_from_gmt": "2026-11-25T09:00:00",
        "date_on_sale_to_gmt": "2026-11-25T10:59:59",
    }


def verdict(sides: Sides, now: datetime) -> tuple[str, str, list[str]]:
    """Of the only campaign of product A: its window, what becomes of it, and when the calendar has it."""
    tables = {name: sides.connection.table(f"snapshot.solteq_{name}") for name in ("products", "campaigns")}
    history = sides.connection.table("sync.price_history")
    links = sides.connection.table("sync.links")
    explained = explain_prices(sides.connection, **tables, history=history, links=links, rules=PRICING, now=now)
    (row,) = explained.verdicts.to_dicts()
    return row["window"], row["verdict"], explained.calendar["opens"].to_list()


def test_days_and_hours_are_explained(product: Sides) -> None:
    hours = {"valid_hours_from": time(11), "valid_hours_to": time(13)}
    product.campaign(1, "A", valid_days=["Mon", "Wed"], valid_to=local(30), **hours)
    window = "Mon, Wed 11:00–13:00, since ever – 30.11.2026 00:00"
    assert verdict(product, NOW) == (window, "sets the price", ["23.11.2026 12:00", "25.11.2026 11:00"])
    assert verdict(product, at(11)) == (window, "is to come", ["25.11.2026 11:00"])
    assert verdict(product, local(25, 11)) == (window, "is over", [])


def test_hours_over_midnight_are_of_the_day_on_which_they_begin(product: Sides) -> None:
    product.campaign(1, "A", valid_days=["Fri"], valid_hours_from=time(22), valid_hours_to=time(2))
    assert changes(product) == {
        "sale_price": "8.00",
        "date_on_sale_from_gmt": "2026-11-27T20:00:00",
        "date_on_sale_to_gmt": "2026-11-27T23:59:59",
    }


def test_days_without_hours_are_whole_days_and_neighbours_are_one_window(product: Sides) -> None:
    product.campaign(1, "A", valid_days=["Sat", "Sun"])
    assert changes(product) == {
        "sale_price": "8.00",
        "date_on_sale_from_gmt": "2026-11-27T22:00:00",
        "date_on_sale_to_gmt": "2026-11-29T21:59:59",
    }


def test_its_time_cuts_its_days_and_hours(product: Sides) -> None:
    hours = {"valid_hours_from": time(11), "valid_hours_to": time(15)}
    product.campaign(1, "A", valid_from=local(23, 13), valid_to=local(24, 12), **hours)
    assert changes(product) == {
        "sale_price": "8.00",
        "date_on_sale_from_gmt": "2026-11-23T11:00:00",
        "date_on_sale_to_gmt": "2026-11-23T12:59:59",
    }
    assert changes(product, now=at(13)) == {
        "sale_price": "8.00",
        "date_on_sale_from_gmt": "2026-11-24T09:00:00",
        "date_on_sale_to_gmt": "2026-11-24T09:59:59",
    }
    assert changes(product, now=local(24, 10)) is None


@pytest.mark.parametrize("fields", [{"valid_from": local(27)}, {"valid_from": None}])
def test_a_campaign_of_days_that_is_over_is_not_worth_a_word(product: Sides, fields: dict[str, Any]) -> None:
    product.campaign(1, "A", valid_days=["Sat"], valid_to=local(30), **fields)
    assert changes(product, now=local(27)) is not None
    assert product.campaign_price_delta(now=local(30)).changes.is_empty()
    assert product.campaign_price_delta(now=local(30)).held.is_empty()


CLOCK_CHANGE = {"valid_from": datetime(2027, 3, 28, 3, 10), "valid_to": datetime(2027, 3, 28, 3, 40)}  # noqa: DTZ001


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"valid_from": local(24), "valid_to": local(26), "valid_days": ["Sat"]}, "validDays"),
        (CLOCK_CHANGE, "validTo"),
        ({**CLOCK_CHANGE, "valid_hours_from": time(3), "valid_hours_to": time(4)}, "validDays"),
    ],
)
def test_a_campaign_that_is_never_valid_is_held_back(product: Sides, fields: dict[str, Any], field: str) -> None:
    """Its window would be empty, and its end before its beginning where the store has it."""
    product.campaign(1, "A", **fields)
    delta = product.campaign_price_delta()
    assert delta.held.select("key", "field", "code").rows() == [("c-1", field, "campaign-never-valid")]
    assert (changes(product), delta.next_edge) == (None, None)


def test_a_campaign_of_the_web_store_among_others_counts(product: Sides) -> None:
    product.campaign(1, "A", store_ids=["oulu", "verkko"])
    assert changes(product) == {"sale_price": "8.00"}


@pytest.mark.parametrize("fields", [{"active": False}, {"deleted": True}, {"valid_to": local(23, 12)}])
def test_what_is_off_or_over_sets_no_price_and_is_not_worth_a_word(product: Sides, fields: dict[str, Any]) -> None:
    product.campaign(1, "A", **fields)
    assert product.campaign_price_delta().changes.is_empty()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"level": "Brand"}, "level"),
        ({"discount_type": "Points"}, "discountType"),
        ({"discount_type": None}, "discountType"),
        ({"value": Decimal(0)}, "value"),
        ({"value": None}, "value"),
        ({"value": Decimal(101)}, "value"),
        ({"valid_from": local(28), "valid_to": local(28)}, "validTo"),
        ({"targets": []}, "targets"),
    ],
)
def test_a_campaign_that_makes_no_sense_is_held_back_and_the_rest_goes_on(
    product: Sides, fields: dict[str, Any], field: str
) -> None:
    product.campaign(1, "A", **{**fields})
    product.campaign(2, "A", value=Decimal(10))
    delta = product.campaign_price_delta()
    assert delta.held.select("key", "field").rows() == [("c-1", field)]
    assert delta.held["code"].item() in PROBLEMS
    assert changes(product) == {"sale_price": "9.00"}


def test_a_campaign_for_products_that_are_not_there_is_said(product: Sides) -> None:
    product.campaign(1, "TYPO")
    row = rows(product.campaign_price_delta().changes)["c-1"]
    assert row["action"] == "skip"
    assert "none of its targets" in row["reason"]


@pytest.mark.parametrize(
    ("discount_type", "value", "cap"),
    [
        ("Percentage", "100", None),
        ("Amount", "10", None),
        ("Amount", "12", None),
        ("FixedPrice", "10", None),
        ("FixedPrice", "12", None),
        ("Percentage", "20", "0"),
    ],
)
def test_a_campaign_that_is_no_discount_is_said(sides: Sides, discount_type: str, value: str, cap: str | None) -> None:
    """Also while another campaign gives the product a price."""
    sides.product("A", max_discount_percent=cap and Decimal(cap))
    sides.product("B")
    sides.held(1, "A")
    sides.held(2, "B")
    sides.campaign(1, "A", discount_type=discount_type, value=Decimal(value))
    sides.campaign(2, "A", "B", value=Decimal(10))
    told = rows(sides.campaign_price_delta().changes)
    assert told["c-1"]["action"] == "skip"
    assert "it is a discount for none of its products" in told["c-1"]["reason"]
    assert "c-2" not in told


def test_of_several_the_lowest_price_wins_and_the_others_are_listed(product: Sides) -> None:
    product.campaign(1, "A", value=Decimal(10))
    product.campaign(2, "M", value=Decimal(30), name="Malli")
    product.campaign(3, "Lumikon Oy", level="Supplier", discount_type="Amount", value=Decimal(1))
    row = rows(product.campaign_price_delta().changes)["A"]
    assert row["changes"] == {"sale_price": ("", "7.00")}
    assert row["campaign"] == "campaign Malli (c-2)"
    assert row["beaten"] == ["Kampanja 1 9.00", "Kampanja 3 9.00"]
    assert row["reason"] == "campaign Malli (c-2); beats Kampanja 1 9.00, Kampanja 3 9.00"


def test_the_products_own_discounted_price_competes_like_a_campaign_without_an_end(sides: Sides) -> None:
    sides.product("A", discounted_price=Decimal("8.5"))
    sides.held(1, "A")
    assert changes(sides) == {"sale_price": "8.50"}
    sides.campaign(1, "A", valid_to=local(30))
    assert changes(sides) == {"sale_price": "8.00", "date_on_sale_to_gmt": "2026-11-29T21:59:59"}
    assert changes(sides, now=local(30)) == {"sale_price": "8.50"}


def test_by_priority_the_highest_wins_where_it_is_a_discount(product: Sides) -> None:
    product.campaign(1, "A", value=Decimal(10), priority=5)
    product.campaign(2, "A", value=Decimal(30), priority=1)
    product.campaign(3, "A", discount_type="FixedPrice", value=Decimal(20), priority=9)
    assert changes(product) == {"sale_price": "7.00"}
    assert changes(product, rules=BY_PRIORITY) == {"sale_price": "9.00"}


def test_what_runs_is_sent_without_a_beginning_and_ends_a_second_early(product: Sides) -> None:
    """For WooCommerce a window's last second belongs to it (recorded); ``validTo`` does not."""
    product.campaign(1, "A", valid_from=local(20), valid_to=local(30))
    assert changes(product) == {"sale_price": "8.00", "date_on_sale_to_gmt": "2026-11-29T21:59:59"}


def test_when_nothing_runs_what_comes_next_is_sent_with_its_dates(product: Sides) -> None:
    product.campaign(1, "A", valid_from=local(27), valid_to=local(28))
    product.campaign(2, "A", valid_from=local(29), valid_to=local(30), value=Decimal(50))
    assert changes(product) == {
        "sale_price": "8.00",
        "date_on_sale_from_gmt": "2026-11-26T22:00:00",
        "date_on_sale_to_gmt": "2026-11-27T21:59:59",
    }
    assert product.campaign_price_delta().next_edge == datetime(2026, 11, 26, 22)  # noqa: DTZ001


def test_at_each_edge_the_next_segment_goes_out(product: Sides) -> None:
    product.campaign(1, "A", valid_from=local(24), valid_to=local(30))
    product.campaign(2, "A", valid_from=local(27), valid_to=local(28), value=Decimal(50))
    sent = []
    now: datetime | None = NOW
    while now is not None:
        sent.append((now, (changes(product, now=now) or {}).get("sale_price")))
        now = product.campaign_price_delta(now=now).next_edge
    midnight = datetime(2026, 11, 22, 22)  # noqa: DTZ001
    assert sent == [
        (NOW, "8.00"),
        (midnight + DAY, "8.00"),
        (midnight + 4 * DAY, "5.00"),
        (midnight + 5 * DAY, "8.00"),
        (midnight + 7 * DAY, None),
    ]


def test_campaigns_of_one_price_without_a_gap_are_one_window(product: Sides) -> None:
    """The store must not fall back to the full price for a moment."""
    product.campaign(1, "A", valid_to=local(27))
    product.campaign(2, "A", valid_from=local(27), valid_to=local(28))
    product.campaign(3, "A", valid_from=local(28, 1), valid_to=local(30))
    assert changes(product) == {"sale_price": "8.00", "date_on_sale_to_gmt": "2026-11-27T21:59:59"}


def test_what_the_store_holds_already_is_not_sent(product: Sides) -> None:
    product.campaign(1, "A", valid_to=local(30))
    product.connection.execute(
        "UPDATE snapshot.woo_catalogue SET sale_price = 8, date_on_sale_to_gmt = TIMESTAMP '2026-11-29 21:59:59'"
    )
    assert product.campaign_price_delta().changes.is_empty()


def test_a_withdrawn_campaign_empties_the_sale_with_its_dates_and_its_lowest_price(sides: Sides) -> None:
    sides.product("A")
    sides.held(1, "A", sale_price=Decimal(8), date_on_sale_to_gmt=local(30), lowest_price_30d="10.00")
    sides.campaign(1, "A", deleted=True)
    assert changes(sides) == {"sale_price": "", "date_on_sale_to_gmt": "", "_solteq_lowest_price_30d": None}
    assert reason(sides).startswith("no campaign now or to come")


def test_a_changed_sales_price_goes_with_its_sale_price(product: Sides) -> None:
    """Beside the old sales price the new sale price would be another discount, or none at all."""
    product.campaign(1, "A")
    product.connection.execute("UPDATE snapshot.solteq_products SET sales_price = 20")
    assert changes(product) == {"regular_price": "20.00", "sale_price": "16.00"}


def test_variations_have_the_sale_and_their_parent_has_none(sides: Sides) -> None:
    sides.variant("A-S", "M", "S")
    sides.variant("A-L", "M", "L", sales_price=Decimal(12))
    sides.held(1, "M", type="variable", regular_price=None)
    sides.held(2, "A-S", type="variation", parent_id=1)
    sides.held(3, "A-L", type="variation", parent_id=1, regular_price=Decimal(12))
    sides.campaign(1, "M")
    delta = rows(sides.campaign_price_delta().changes)
    assert {key: (row["kind"], row["parent_id"], row["changes"]) for key, row in delta.items()} == {
        "A-S": ("variation", 1, {"sale_price": ("", "8.00")}),
        "A-L": ("variation", 1, {"sale_price": ("", "9.60")}),
    }


@pytest.mark.parametrize(
    "fields", [{"status": "trash"}, {"type": "grouped"}, {"sku": "B"}], ids=["bin", "grouped", "another SKU"]
)
def test_products_that_cannot_have_it_are_left_alone(sides: Sides, fields: dict[str, Any]) -> None:
    sides.product("A")
    sides.held(1, fields.pop("sku", "A"), **fields)
    sides.campaign(1, "A")
    assert changes(sides) is None


@pytest.mark.parametrize("other", [{"active": False}, {"product_type": "GiftCard"}])
def test_products_that_are_not_sold_online_are_left_alone(sides: Sides, other: dict[str, Any]) -> None:
    sides.product("A", **other)
    sides.held(1, "A", sale_price=Decimal(5))
    sides.campaign(1, "A")
    assert changes(sides) is None


def test_a_code_on_two_active_products_is_left_alone(product: Sides) -> None:
    product.product("a", id="p-2", sales_price=Decimal(7))
    product.campaign(1, "A")
    assert changes(product) is None


def sent_sale(sides: Sides, sale_price: str, until: str = "") -> None:
    """What the ledger knows of product A."""
    sides.connection.execute(
        "INSERT INTO sync.deliveries VALUES ('d', 'r', 'products', 'A', 'update', 'simple', 1, "
        "[{'field': 'sale_price', 'old': '', 'new': $1}, {'field': 'date_on_sale_to_gmt', 'old': '', 'new': $2}], "
        "'delivered', NULL, $3, $3)",
        [sale_price, until, NOW],
    )


@pytest.mark.parametrize("gone", [{"active": False}, {"deleted": True}])
@pytest.mark.parametrize(("sent", "wanted"), [("8.00", {"sale_price": ""}), ("7.00", None), (None, None)])
def test_our_sale_leaves_a_product_that_is_not_active_any_more(
    sides: Sides, gone: dict[str, bool], sent: str | None, wanted: dict[str, str] | None
) -> None:
    """The store may go on selling it (SOLTEQ_WOO_INACTIVE_PRODUCTS=leave). A hand's own sale is left alone."""
    sides.product("A", **gone)
    sides.held(1, "A", sale_price=Decimal(8))
    sides.campaign(1, "A")
    if sent:
        sent_sale(sides, sent)
    assert changes(sides) == wanted
    if wanted:
        assert reason(sides) == "it is not active in Solteq"
    sides.product("a", id="p-2")
    assert changes(sides) is None, "an active product has the code, and the campaign"


def test_a_sale_that_the_store_ended_itself_was_not_emptied_by_hand(sides: Sides) -> None:
    sides.product("A")
    sides.held(1, "A")
    sides.campaign(1, "A")
    sent_sale(sides, "8.00", until=f"{NOW - DAY:%Y-%m-%dT%H:%M:%S}")
    assert changes(sides) == {"sale_price": "8.00"}
    assert "by hand" not in reason(sides)


@pytest.mark.parametrize(
    ("held", "sent", "words"),
    [
        ("7.90", "8.00", "7.90 was set by hand"),
        ("7.90", None, "7.90 was set by hand"),
        ("7.90", "7.90", None),
        (None, "8.00", "emptied by hand"),
        (None, "7.00", None),
    ],
)
def test_the_delta_says_whose_the_stores_sale_price_was(
    sides: Sides, held: str | None, sent: str | None, words: str | None
) -> None:
    sides.product("A")
    sides.held(1, "A", sale_price=held and Decimal(held))
    sides.campaign(1, "A")
    if sent:
        sent_sale(sides, sent)
    assert changes(sides) == {"sale_price": "8.00"}
    assert ("by hand" in reason(sides)) == (words is not None)
    assert (words or "") in reason(sides)


def test_both_flows_make_the_same_sale_price(product: Sides) -> None:
    """One rule decides it, whichever runs."""
    product.campaign(1, "A", valid_from=local(27), valid_to=local(28))
    product.shown("a", "9", NOW - 60 * DAY, NOW - 10 * DAY)
    product.shown("a", "10", NOW - 10 * DAY, None)
    of_products = rows(product.product_delta().changes)["A"]["changes"]
    of_campaigns = rows(product.campaign_price_delta().changes)["A"]["changes"]
    assert of_products == of_campaigns
    assert of_products["_solteq_lowest_price_30d"] == (None, "9.00")


def test_before_campaigns_have_been_read_no_sale_in_the_store_is_emptied(sides: Sides) -> None:
    """On the first day a shop's sale prices are another connector's, and Solteq's campaigns may well say the same."""
    sides.product("A")
    sides.held(1, "A", sale_price=Decimal(8), date_on_sale_to_gmt=local(30))
    unknown = PricingRules(campaigns_are_known=False)
    assert rows(sides.product_delta(pricing=unknown).changes) == {}
    sides.connection.execute("UPDATE snapshot.solteq_products SET discounted_price = 9")
    assert rows(sides.product_delta(pricing=unknown).changes)["A"]["changes"]["sale_price"] == ("8.00", "9.00")


def test_a_new_product_begins_with_the_sale_that_is_to_come(sides: Sides) -> None:
    sides.product("A")
    sides.campaign(1, "A", valid_from=local(27), valid_to=local(28))
    created = rows(sides.product_delta().changes)["A"]["changes"]
    assert {field: created[field][1] for field in created if "sale" in field} == {
        "sale_price": "8.00",
        "date_on_sale_from_gmt": "2026-11-26T22:00:00",
        "date_on_sale_to_gmt": "2026-11-27T21:59:59",
    }


def test_prices_as_large_as_a_column_holds_are_discounted(sides: Sides) -> None:
    sides.product("A", sales_price=Decimal("99999999999999"))
    sides.held(1, "A", regular_price=Decimal("99999999999999"))
    sides.campaign(1, "A", value=Decimal(50))
    assert changes(sides) == {"sale_price": "49999999999999.50"}


def test_of_store_products_with_one_sku_the_older_is_the_one(product: Sides) -> None:
    """Also when it has its sale already, as in the products flow."""
    product.held(2, "A")
    product.campaign(1, "A")
    assert rows(product.campaign_price_delta().changes)["A"]["woo_id"] == 1
    product.connection.execute("UPDATE snapshot.woo_catalogue SET sale_price = 8 WHERE id = 1")
    assert changes(product) is None


def test_a_family_of_the_stores_own_is_left_alone(sides: Sides) -> None:
    """A variation without an SKU shows its parent's, which is the code of a product of Solteq."""
    sides.product("M", discounted_price=Decimal(8))
    sides.held(10, "M", type="variable", regular_price=None)
    sides.held(11, "M", type="variation", parent_id=10)
    assert sides.campaign_price_delta().changes.is_empty()


def test_prices_go_to_nobody_elses_page(sides: Sides) -> None:
    """What the products' flow will not write to, campaigns do not, either."""
    for code in ("A1", "B1", "C1", "D1"):
        sides.product(code, id=f"new-{code}", discounted_price=Decimal(8))
        sides.held(ord(code[0]), code)
    sides.product("A1", id="old", deleted=True)  # a code used again
    sides.link("a1", ord("A"), solteq_id="old")
    sides.product("X1", id="moved")  # the page of a document whose code changed
    sides.link("b1", ord("B"), solteq_id="moved")
    sides.connection.execute(
        "UPDATE snapshot.solteq_products SET gtin = '6412345678907' WHERE code = 'C1';"
        "UPDATE snapshot.woo_catalogue SET global_unique_id = '6438012345675' WHERE sku = 'C1'"
    )
    assert sides.campaign_price_delta().changes["key"].to_list() == ["D1"]


def test_the_lowest_price_is_the_documents_whose_code_was_swapped(sides: Sides) -> None:
    """The history goes by the code that each had when the store was last compared."""
    for code, price, woo_id in (("A1", "10", 10), ("B1", "7", 11)):
        sides.product("B1" if code == "A1" else "A1", id=f"p-{code}", discounted_price=Decimal(5))
        sides.held(woo_id, code)
        sides.link(code.lower(), woo_id)
        sides.shown(code.lower(), price, NOW - timedelta(days=60), None)
    changes = rows(sides.product_delta().changes)
    assert {key: row["changes"]["_solteq_lowest_price_30d"][1] for key, row in changes.items()} == {
        "A1": "7.00",
        "B1": "10.00",
    }
