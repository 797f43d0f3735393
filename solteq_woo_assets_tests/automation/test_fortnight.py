"""A fortnight with Black Friday in it: at every minute that is looked at, a shopper pays what the campaigns say.

The clock is the test's, for us and for the store. The store's own cron never runs, so that the price is only as fresh
as our writes make it. Two sensors drive the flows, as in a shop.
"""

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
from requests_oauthlib import OAuth1

from solteq_woo_assets.flows.campaigns.pricing import HELSINKI
from solteq_woo_assets.flows.campaigns.windows import instant_of
from solteq_woo_assets_tests.conftest import Shop
from solteq_woo_assets_tests.flows.campaigns.test_calendar import Campaign, Product, plain_price
from solteq_woo_sandbox import woo as woo_sandbox

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_settings")]

MINUTE = timedelta(minutes=1)
PERCENT = "Percentage"


def local(text: str) -> datetime:
    """``20 08:00`` is the time in November, ``+1`` in December; of a year with the days of 2026 that is yet to come."""
    day, time = text.split()
    month = "12" if day.startswith("+") else "11"
    return datetime.fromisoformat(f"2037-{month}-{int(day):02}T{time}")


CAMPAIGNS: dict[str, Campaign] = {
    "weeks": Campaign("ProductGroup", ["Kahvi"], PERCENT, Decimal(15), None, local("26 18:00"), 0),
    "friday": Campaign(
        "ProductGroup", ["Kahvi", "Tekstiilit"], PERCENT, Decimal(30), local("27 00:00"), local("28 00:00"), 0
    ),
    "hours": Campaign("Product", ["KAHVI", "PAITA"], PERCENT, Decimal(45), local("27 20:00"), local("27 22:00"), 0),
    "weekend": Campaign("ProductGroup", ["Tekstiilit"], PERCENT, Decimal(30), local("28 00:00"), local("30 00:00"), 0),
    "makers": Campaign("Supplier", ["Lumikon Oy"], "Amount", Decimal("1.50"), local("22 12:30"), local("+3 12:30"), 0),
    "finds": Campaign("Product", ["SUKKA"], "FixedPrice", Decimal("7.77"), local("24 06:00"), local("29 21:00"), 0),
    "lunch": Campaign(
        "Product", ["SUKKA"], PERCENT, Decimal(39), local("22 00:00"), local("+1 00:00"), 0, {}, ("Mon", "Wed"),
        (time(11), time(13)),
    ),
    "night": Campaign(
        "Product", ["TEE"], PERCENT, Decimal(40), None, None, 0, {}, ("Sat",), (time(22, 30), time(1)),
    ),
    "members": Campaign("Supplier", ["Lumikon Oy"], PERCENT, Decimal(49), None, None, 0, {"customer_groups": ["K"]}),
}  # fmt: skip
DAYS_AND_HOURS = [
    "21 22:30", "22 01:00", "23 11:00", "23 13:00", "25 11:00", "25 13:00", "28 22:30", "29 01:00", "30 11:00",
    "30 13:00",
]  # fmt: skip
"""The edges of the campaigns that hold on certain days and hours."""
PRODUCTS: dict[str, Product] = {
    "KAHVI": Product(Decimal("9.90"), None, None, None, "Kahvi", None),
    "TEE": Product(Decimal("5.55"), Decimal("4.95"), None, None, "Kahvi", "Lumikon Oy"),
    "VIINI": Product(Decimal("12.00"), None, Decimal(0), None, "Kahvi", "Lumikon Oy"),
    "SUKKA": Product(Decimal("11.95"), None, Decimal(40), None, "Tekstiilit", "Lumikon Oy"),
    "PAITA-S": Product(Decimal("29.90"), None, None, "PAITA", "Tekstiilit", None),
    "PAITA-L": Product(Decimal("32.45"), None, None, "PAITA", "Tekstiilit", None),
}


class Fortnight:
    """What the back office has at the moment, in both forms: as documents, and as the plain rule reads it."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.products = dict(PRODUCTS)
        self.campaigns = dict(CAMPAIGNS)
        for code in PRODUCTS:
            self.put_product(code)
        for name in CAMPAIGNS:
            self.put_campaign(name)

    def put_product(self, code: str, **changes: Any) -> None:
        product = self.products[code] = Product(**{**vars(self.products[code]), "code": code, **changes})
        self.shop.product(
            code,
            salesPrice=product.sales_price,
            discountedPrice=product.discounted_price,
            maxDiscountPercent=product.max_discount_percent,
            modelNumber=product.model_number,
            productGroup=product.product_group,
            supplier=product.supplier,
            attributes={"Koko": code[-1]} if product.model_number else {},
        )

    def put_campaign(self, name: str, **changes: Any) -> None:
        campaign = self.campaigns[name] = Campaign(**{**vars(self.campaigns[name]), **changes})
        self.shop.campaign(
            name,
            *campaign.targets,
            level=campaign.level,
            discountType=campaign.discount_type,
            value=campaign.value,
            validFrom=campaign.valid_from and campaign.valid_from.isoformat(),
            validTo=campaign.valid_to and campaign.valid_to.isoformat(),
            customerGroups=campaign.restricted.get("customer_groups", []),
            active=campaign.restricted.get("active", True),
            deleted=campaign.restricted.get("deleted", False),
            validDays=list(campaign.valid_days),
            validHours=dict(zip(("from", "to"), map(str, campaign.valid_hours), strict=True))
            if campaign.valid_hours
            else None,
        )

    def edge_minutes(self) -> Iterator[datetime]:
        """The minute before, at and after each beginning and end."""
        for campaign in CAMPAIGNS.values():
            for edge in (campaign.valid_from, campaign.valid_to):
                if edge is not None:
                    yield from (edge - MINUTE, edge, edge + MINUTE)
        for edge in DAYS_AND_HOURS:
            yield from (local(edge) - MINUTE, local(edge), local(edge) + MINUTE)

    def wanted(self, now: datetime) -> dict[str, Decimal]:
        """What the campaigns say."""
        campaigns = list(self.campaigns.values())
        return {
            code: plain_price(product, campaigns, now, "lowest") or product.sales_price
            for code, product in self.products.items()
        }

    def paid(self) -> dict[str, Decimal]:
        """What a shopper pays: the store's ``price``."""
        secret = OAuth1(woo_sandbox.CONSUMER_KEY, woo_sandbox.CONSUMER_SECRET, signature_method="HMAC-SHA256")
        rows: list[dict[str, Any]] = []
        for path in ("products?per_page=100", "variations?per_page=100"):
            answer = requests.get(f"{self.shop.woo.url}/wp-json/wc/v3/{path}", auth=secret, timeout=60)
            answer.raise_for_status()
            rows += answer.json()
        return {row["sku"]: Decimal(row["price"]) for row in rows if row["sku"] in self.products}

    def shown(self, now: datetime) -> dict[str, Decimal]:
        """What the history says that shoppers were shown."""
        rows = self.shop.rows(
            "SELECT upper(sku), price FROM sync.price_history WHERE valid_from <= $1 AND coalesce(valid_to > $1, TRUE)",
            now,
        )
        return dict(rows)

    def sensors(self) -> list[str]:
        """Let the sensors drive the flows until they skip; why each run was."""
        why: list[str] = []
        for flow in ("products", "campaigns", "products", "campaigns"):
            requested, reason = self.shop.tick(flow)
            if requested:
                why.append(f"{flow}: {reason}")
                self.shop.sync(f"{flow}_to_woo")
        assert [self.shop.tick(flow)[0] for flow in ("products", "campaigns")] == [False, False], why
        return why


def test_at_every_minute_a_shopper_pays_what_the_campaigns_say(shop: Shop) -> None:
    shop.with_settings(new_product_status="publish", price_cut_products_percent=100)
    shop.woo.put("settings", {"cron": False})
    shop.set_clock(instant_of(local("20 08:00"), HELSINKI))
    fortnight = Fortnight(shop)
    happenings = {
        local("23 10:15"): lambda: fortnight.put_product("TEE", sales_price=Decimal("6.20")),
        local("25 09:30"): lambda: fortnight.put_campaign("makers", value=Decimal(2)),
        local("27 12:00"): lambda: fortnight.put_product("PAITA-L", sales_price=Decimal("39.90")),
        local("27 21:15"): lambda: fortnight.put_campaign("hours", valid_to=local("27 21:00")),
        local("28 15:00"): lambda: fortnight.put_campaign("finds", restricted={"deleted": True}),
        local("29 09:00"): lambda: shop.woo.patch(f"products/{shop.store()['KAHVI'].id}", {"sale_price": "0.99"}),
        local("29 12:00"): lambda: fortnight.put_campaign("weekend", restricted={"active": False}),
        local("+1 12:00"): lambda: fortnight.put_product("KAHVI", discounted_price=Decimal("8.88")),
    }
    minutes = {*happenings, *fortnight.edge_minutes(), *(local(f"{day} 03:33") for day in range(21, 31))}
    minutes |= {time + MINUTE for time in happenings} | {local("+4 23:59")}
    why: list[str] = []
    for minute in sorted(minute for minute in minutes if minute > local("20 08:00")):
        now = instant_of(minute, HELSINKI)
        shop.set_clock(now)
        if minute in happenings:
            happenings[minute]()
            if minute == local("29 09:00"):  # no message tells of a hand edit: the schedule finds it
                shop.sync("campaigns_to_woo")
        why += fortnight.sensors()
        assert fortnight.paid() == fortnight.wanted(now), minute
        assert fortnight.shown(now) == fortnight.wanted(now), minute
    edges = [reason for reason in why if "begins or ends" in reason]
    assert (len(edges), len(why)) == (17, 26), f"a run at each edge and each change, and no other: {why}"
    assert {row.meta.get("_solteq_lowest_price_30d") for row in shop.store().values()} == {None}, "14 days of history"


def test_on_the_31st_day_the_lowest_price_of_30_days_goes_with_a_reduction(shop: Shop) -> None:
    shop.with_settings(new_product_status="publish", price_cut_products_percent=100)
    start = instant_of(local("1 08:00"), HELSINKI)
    shop.set_clock(start)
    shop.product("A", salesPrice=10)
    shop.sync()
    shop.set_clock(start + timedelta(days=10))
    shop.product("A", salesPrice=9)
    shop.sync("products_to_woo")
    shop.set_clock(start + timedelta(days=12))
    shop.product("A", salesPrice=12)
    shop.sync("products_to_woo")
    shop.set_clock(start + timedelta(days=31))
    shop.campaign("c", "A", value=10)
    (told,) = shop.sync("campaigns_to_woo")
    assert told["campaign_price_delta"]["without_30_days_of_history"] == 0
    assert shop.store()["A"].meta["_solteq_lowest_price_30d"] == "9.00"
    shop.set_clock(start + timedelta(days=70))
    shop.campaign("c", "A", value=20)  # the discount grows: the price before its first step stays
    shop.sync("campaigns_to_woo")
    assert shop.store()["A"].sale_price == Decimal("9.60")
    assert shop.store()["A"].meta["_solteq_lowest_price_30d"] == "9.00"
    shop.campaign("c", "A", active=False)
    shop.set_clock(start + timedelta(days=71))
    shop.sync("campaigns_to_woo")
    assert shop.store()["A"].meta.get("_solteq_lowest_price_30d") is None
