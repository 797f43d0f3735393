"""The calendar of campaign prices: at every instant the price is the one that plain reading of the campaigns gives."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from solteq_woo_assets.engine import sql
from solteq_woo_assets.flows.campaigns import pricing
from solteq_woo_assets.flows.campaigns.explanation import explain_prices
from solteq_woo_assets.flows.campaigns.pricing import HELSINKI, PricingRules, lay_out_calendar, next_edge
from solteq_woo_assets.flows.campaigns.windows import AHEAD, WEEKDAYS, instant_of
from solteq_woo_assets.flows.tables import state_database
from solteq_woo_assets_tests.flows.conftest import Sides, rows

CENT = Decimal("0.01")
FIRST = datetime(2026, 11, 20)  # noqa: DTZ001  local, as campaigns have it
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Product:
    sales_price: Decimal
    discounted_price: Decimal | None
    max_discount_percent: Decimal | None
    model_number: str | None
    product_group: str | None
    supplier: str | None
    code: str = ""


@dataclass(frozen=True)
class Campaign:
    level: str
    targets: list[str]
    discount_type: str
    value: Decimal
    valid_from: datetime | None
    valid_to: datetime | None
    priority: int
    restricted: dict[str, Any] = field(default_factory=dict)
    valid_days: tuple[str, ...] = ()
    valid_hours: tuple[time, time] | None = None

    def is_valid(self, instant: datetime) -> bool:
        """Whether its time, days and hours hold."""
        begins, ends = (edge and instant_of(edge, HELSINKI) for edge in (self.valid_from, self.valid_to))
        if (begins and instant < begins) or (ends and instant >= ends):
            return False
        return is_allowed(self.valid_days, self.valid_hours or (time(), time()), on_the_wall(instant))


def is_allowed(days: Sequence[str], hours: tuple[time, time], local: datetime) -> bool:
    """Days and hours, by what the clock on the wall shows; what goes on over midnight is of the day before."""

    def holds(day: datetime) -> bool:
        return not days or f"{day:%a}" in days

    start, end = hours
    if start < end:
        return holds(local) and start <= local.time() < end
    return (holds(local) and start <= local.time()) or (holds(local - timedelta(days=1)) and local.time() < end)


def plain_price(product: Product, campaigns: Sequence[Campaign], instant: datetime, choice: str) -> Decimal | None:
    """The rule, read aloud: of one product at one instant, by looking at every campaign."""
    offers: list[tuple[int, Decimal]] = []
    if product.discounted_price is not None:
        offers += [(0, product.discounted_price)]
    for campaign in campaigns:
        names = {
            "Product": {product.code, product.model_number},
            "ProductGroup": {product.product_group},
            "Supplier": {product.supplier},
        }[campaign.level]
        if campaign.restricted or not names & set(campaign.targets):
            continue
        if not campaign.is_valid(instant):
            continue
        price = {
            "Percentage": product.sales_price * (100 - campaign.value) / 100,
            "Amount": product.sales_price - campaign.value,
            "FixedPrice": campaign.value,
        }[campaign.discount_type]
        offers.append((campaign.priority, price))
    percent = Decimal(100) if product.max_discount_percent is None else product.max_discount_percent
    floor_price = product.sales_price * (100 - percent) / 100
    capped = [(rank, max(price, floor_price).quantize(CENT, ROUND_HALF_UP)) for rank, price in offers]
    regular = product.sales_price.quantize(CENT, ROUND_HALF_UP)
    real = [(rank, price) for rank, price in capped if 0 < price < regular]
    if choice == "priority":
        real = [(rank, price) for rank, price in real if rank == max(rank for rank, _ in real)]
    return min((price for _, price in real), default=None)


def often(usual: st.SearchStrategy[Any], *seldom: Any) -> st.SearchStrategy[Any]:
    """Mostly the usual, now and then one of the others."""
    return st.integers(0, 9).flatmap(lambda chance: st.sampled_from(seldom) if chance == 0 else usual)


hours = st.integers(0, 14 * 24).map(lambda number: FIRST + timedelta(hours=number))
durations = st.integers(1, 120).map(lambda number: timedelta(hours=number))
products = st.builds(
    Product,
    sales_price=often(st.decimals(12, 60, places=4), Decimal("0.01"), Decimal("0.02"), Decimal("4.995")),
    discounted_price=st.none() | st.decimals(8, 40, places=2),
    max_discount_percent=often(st.none(), Decimal(0), Decimal(15), Decimal("33.3")),
    model_number=st.sampled_from([None, "M1", "M2"]),
    product_group=st.sampled_from(["G1", "G2"]),
    supplier=st.sampled_from([None, "S1"]),
)
targets = {
    "Product": st.lists(st.sampled_from(["P0", "P1", "P2", "P3", "M1", "M2", "?"]), min_size=2, max_size=4),
    "ProductGroup": st.lists(st.sampled_from(["G1", "G2"]), min_size=1, max_size=2),
    "Supplier": st.just(["S1"]),
}
SEASONS = [timedelta(days=days) for days in (0, 0, -35, -245)]
"""From the first day to one before the clocks go back or forth, the same weekday."""
weekdays = st.sets(st.sampled_from(WEEKDAYS), min_size=1, max_size=6).map(lambda days: tuple(sorted(days)))
hours_of_day = st.sampled_from(
    [
        (time(11), time(13)),
        (time(22), time(2)),
        (time(2, 30), time(3, 30)),
        (time(3), time(4)),
        (time(3, 30), time()),
        (time(), time(6)),
        (time(23), time(22, 30)),
    ]
)
values = {
    "Percentage": st.sampled_from([Decimal(value) for value in ("5", "10", "12.5", "25", "50", "100")]),
    "Amount": st.sampled_from([Decimal(value) for value in ("0.5", "1", "5", "10", "50")]),
    "FixedPrice": st.sampled_from([Decimal(value) for value in ("9.9", "10", "12", "20", "70")]),
}


@st.composite
def campaigns(draw: st.DrawFn) -> Campaign:
    level = draw(st.sampled_from(list(targets)))
    discount_type = draw(st.sampled_from(list(values)))
    valid_from = draw(hours)
    valid_to = valid_from + draw(durations)
    restrictions = ({"active": False}, {"deleted": True}, {"customer_groups": ["K"]}, {"store_ids": ["oulu"]})
    return Campaign(
        level=level,
        targets=draw(targets[level]),
        discount_type=discount_type,
        value=draw(values[discount_type]),
        valid_from=draw(often(st.just(valid_from), None)),
        valid_to=draw(often(st.just(valid_to), None)),
        priority=draw(st.integers(-1, 2)),
        restricted=draw(often(st.just({}), *restrictions, {"type": "Bundle"})),
        valid_days=draw(st.one_of(st.just(()), st.just(()), weekdays)),
        valid_hours=draw(st.one_of(st.none(), st.none(), hours_of_day)),
    )


def moved(campaign: Campaign, season: timedelta) -> Campaign:
    """The same campaign at another time of the year."""
    begins, ends = (edge and edge + season for edge in (campaign.valid_from, campaign.valid_to))
    return replace(campaign, valid_from=begins, valid_to=ends)


@pytest.fixture(scope="module")
def calendar_sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    folder: Path = tmp_path_factory.mktemp("calendar")
    with state_database(folder / "state.duckdb").transaction() as connection:
        yield Sides(connection)


def fill(sides: Sides, catalogue: list[Product], calendar: list[Campaign]) -> list[Product]:
    """Put them there; the products with their codes."""
    sides.clear()
    coded = [Product(**{**vars(product), "code": f"P{number}"}) for number, product in enumerate(catalogue)]
    for product in coded:
        sides.product(**vars(product))
    for number, campaign in enumerate(calendar):
        fields = {**vars(campaign), **campaign.restricted, "valid_days": list(campaign.valid_days)}
        fields["valid_hours_from"], fields["valid_hours_to"] = campaign.valid_hours or (None, None)
        for name in ("targets", "restricted", "valid_hours"):
            del fields[name]
        sides.campaign(number, *campaign.targets, **fields)
    return coded


R = TypeVar("R")


def inputs(sides: Sides) -> dict[str, duckdb.DuckDBPyRelation]:
    """What prices are made of."""
    tables = {
        "products": "snapshot.solteq_products",
        "campaigns": "snapshot.solteq_campaigns",
        "history": "sync.price_history",
        "links": "sync.links",
    }
    return {name: sides.connection.table(table) for name, table in tables.items()}


def priced(
    sides: Sides,
    now: datetime,
    read: Callable[[sql.Steps], R],
    rules: PricingRules = PricingRules(),  # noqa: B008  it is frozen
    ahead: timedelta = AHEAD,
) -> R:
    """What is found in the tables of prices, which are there for that long."""
    with sql.steps(sides.connection, pricing.__name__, **inputs(sides)) as steps:
        pricing.price_products(steps, rules, now, ahead=ahead)
        return read(steps)


def on_the_wall(instant: datetime) -> datetime:
    """What the shop's clock shows."""
    return instant.replace(tzinfo=UTC).astimezone(HELSINKI).replace(tzinfo=None)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    catalogue=st.lists(products, min_size=5, max_size=5),
    calendar=st.lists(campaigns(), min_size=6, max_size=12),
    start=st.integers(-12, 5 * 24).map(lambda number: FIRST + timedelta(hours=number)),
    moments=st.lists(st.integers(0, 15 * 24 * 60), min_size=20, max_size=20),
    choice=st.sampled_from(["lowest", "priority"]),
    season=st.sampled_from(SEASONS),
)
def test_the_calendar_gives_the_price_of_every_instant(
    calendar_sides: Sides,
    catalogue: list[Product],
    calendar: list[Campaign],
    start: datetime,
    moments: list[int],
    choice: Any,
    season: timedelta,
) -> None:
    """100 calendars x 5 products x 20 instants and all edges that are to come: well over 10,000 cases."""
    calendar = [moved(campaign, season) for campaign in calendar]
    coded = fill(calendar_sides, catalogue, calendar)
    now = instant_of(start + season, HELSINKI)
    until = now + timedelta(days=16)

    def read(steps: sql.Steps) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        lay_out_calendar(steps, now, until=until)
        connection = steps.connection
        return connection.table("calendar").pl().to_dicts(), connection.sql(
            "SELECT id, sale_price FROM offers"
        ).pl().to_dicts()

    segments, offers = priced(calendar_sides, now, read, PricingRules(campaign_choice=choice), until - now)

    edges = [time for campaign in calendar for time in (campaign.valid_from, campaign.valid_to) if time]
    instants = [now + timedelta(minutes=minute) for minute in moments]
    instants += [instant_of(edge, HELSINKI) - offset for edge in edges for offset in (SECOND, timedelta(0))]
    instants += [at - offset for at in half_hours(FIRST + season) for offset in (SECOND, timedelta(0))]
    for product in coded:
        own = [segment for segment in segments if segment["id"] == f"p-{product.code}"]
        for instant in (instant for instant in instants if now <= instant < until):
            running = [
                segment["price"]
                for segment in own
                if segment["opens"] <= instant and (segment["closes"] is None or instant < segment["closes"])
            ]
            wanted = plain_price(product, calendar, instant, choice)
            assert running == ([] if wanted is None else [wanted]), (product, instant)
        # What is sent is the calendar's first segment.
        sent = [offer for offer in offers if offer["id"] == f"p-{product.code}"]
        assert [offer["sale_price"] for offer in sent] == [segment["price"] for segment in own[:1]] or not own


_COUNTED = """
SELECT DISTINCT trim(code), coalesce(name || ' (' || campaigns_judged.id || ')', 'its discounted price')
FROM candidates JOIN sold USING (product) LEFT JOIN campaigns_judged USING (position) WHERE price IS NOT NULL
"""


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    catalogue=st.lists(products, min_size=5, max_size=5),
    calendar=st.lists(campaigns(), min_size=4, max_size=10),
    start=st.integers(-12, 15 * 24).map(lambda number: FIRST + timedelta(hours=number)),
    choice=st.sampled_from(["lowest", "priority"]),
)
def test_the_campaigns_that_are_said_to_count_are_those_that_make_the_price(
    calendar_sides: Sides, catalogue: list[Product], calendar: list[Campaign], start: datetime, choice: Any
) -> None:
    fill(calendar_sides, catalogue, calendar)
    now, rules = instant_of(start, HELSINKI), PricingRules(campaign_choice=choice)
    verdicts = explain_prices(calendar_sides.connection, **inputs(calendar_sides), rules=rules, now=now).verdicts
    said = {
        (row["code"], row["campaign"])
        for row in verdicts.to_dicts()
        if row["verdict"] in ("sets the price", "is to come") or row["verdict"].startswith("is beaten by")
    }
    counted = priced(calendar_sides, now, lambda steps: steps.connection.execute(_COUNTED).fetchall(), rules)
    assert said == set(counted)


def half_hours(first: datetime) -> list[datetime]:
    """Of the tenth day, a Sunday, on which the clocks may change."""
    midnight = instant_of(first + timedelta(days=9), HELSINKI)
    return [midnight + timedelta(minutes=30 * number) for number in range(-4, 50)]


def lunch(value: str, *days: str, hours: tuple[time, time] | None = None) -> Campaign:
    """A percentage off product P0, with neither beginning nor end."""
    return Campaign("Product", ["P0"], "Percentage", Decimal(value), None, None, 0, {}, days, hours)


MUG = Product(Decimal(10), None, None, None, "G1", None)


_OFFERED = "SELECT sale_price, opens, CASE WHEN isfinite(closes) THEN closes END FROM offers"


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    calendar=st.lists(campaigns(), min_size=2, max_size=5),
    start=st.integers(0, 6 * 24).map(lambda number: FIRST + timedelta(hours=number)),
    season=st.sampled_from(SEASONS),
)
@example(
    [lunch("20", "Sun", hours=(time(2, 30), time(3, 30))), lunch("30", "Sat", hours=(time(22), time(4)))],
    FIRST,
    SEASONS[2],
)
@example(
    [lunch("20", "Sun", hours=(time(3), time(4))), lunch("30", "Sun", hours=(time(1), time(3)))], FIRST, SEASONS[3]
)
@example([lunch("20", "Mon", "Wed"), lunch("20", "Tue"), lunch("10", hours=(time(11), time(13)))], FIRST, SEASONS[0])
def test_a_store_that_gets_each_offer_at_its_edge_is_right_at_every_minute(
    calendar_sides: Sides, calendar: list[Campaign], start: datetime, season: timedelta
) -> None:
    calendar = [replace(moved(each, season), level="Product", targets=["P0"]) for each in calendar]
    (mug,) = fill(calendar_sides, [MUG], calendar)
    now: datetime | None = instant_of(start + season, HELSINKI)
    for _ in range(20):
        if now is None:
            break
        offers, following = priced(
            calendar_sides, now, lambda steps: (steps.connection.execute(_OFFERED).fetchall(), next_edge(steps))
        )
        assert following is None or following > now
        until = min(following or now + timedelta(days=20), now + timedelta(days=20))
        step = max((until - now) / 40, SECOND)
        instants = [now + number * step for number in range(40)] + [until - SECOND]
        for instant in [at.replace(microsecond=0) for at in instants if at < until]:
            shown = [paid for paid, opens, closes in offers if opens <= instant and (not closes or instant < closes)]
            wanted = plain_price(mug, calendar, instant, "lowest")
            assert shown == ([] if wanted is None else [wanted]), instant
        now = following


def test_campaigns_that_together_never_pause_are_written_once_a_week(calendar_sides: Sides) -> None:
    """Weekdays and the weekend at one price: the end that the store holds does not move with each look."""
    fill(calendar_sides, [MUG], [lunch("20", *WEEKDAYS[:5]), lunch("20", *WEEKDAYS[5:])])
    ends = set()
    for day in range(14):
        now = instant_of(FIRST + timedelta(days=day, hours=9), HELSINKI)
        ((opens, closes),) = priced(
            calendar_sides, now, lambda steps: steps.connection.execute("SELECT opens, closes FROM offers").fetchall()
        )
        assert (opens, closes > now + timedelta(days=13)) == (now, True)
        ends.add(closes)
    assert len(ends) == 3


@pytest.mark.parametrize(
    ("local", "utc", "why"),
    [
        ("2026-11-27T00:00", "2026-11-26T22:00", "winter"),
        ("2026-07-01T00:00", "2026-06-30T21:00", "summer"),
        ("2026-10-25T03:30", "2026-10-25T00:30", "repeated: the first time that the clock shows it"),
        ("2026-10-25T04:00", "2026-10-25T02:00", "after the repeated hour"),
        ("2026-03-29T02:59:59", "2026-03-29T00:59:59", "before the skipped hour"),
        ("2026-03-29T03:00", "2026-03-29T01:00", "skipped: the change itself"),
        ("2026-03-29T03:30", "2026-03-29T01:00", "skipped: the change itself"),
        ("2026-03-29T04:00", "2026-03-29T01:00", "the clock jumps to it"),
    ],
)
def test_a_time_that_a_clock_change_repeats_or_skips_is_one_instant(local: str, utc: str, why: str) -> None:
    assert instant_of(datetime.fromisoformat(local), HELSINKI) == datetime.fromisoformat(utc), why


@given(
    first=st.datetimes(datetime(1971, 1, 1), datetime(2998, 1, 1)),  # noqa: DTZ001
    apart=st.integers(0, 200_000),
    zone=st.sampled_from(["Europe/Helsinki", "Europe/Stockholm", "Australia/Lord_Howe", "America/Sao_Paulo"]),
)
def test_a_later_local_time_is_never_an_earlier_instant(first: datetime, apart: int, zone: str) -> None:
    """Else a campaign could end before it begins."""
    first = first.replace(microsecond=0)
    assert instant_of(first, ZoneInfo(zone)) <= instant_of(first + timedelta(seconds=apart), ZoneInfo(zone))


SALE_FIELDS = ("sale_price", "date_on_sale_from_gmt", "date_on_sale_to_gmt", "_solteq_lowest_price_30d")
held_sales = st.fixed_dictionaries(
    {
        "sale_price": st.none() | st.sampled_from([Decimal(8), Decimal("9.9"), Decimal("11.5")]),
        "date_on_sale_from_gmt": st.none() | hours,
        "date_on_sale_to_gmt": st.none() | hours.map(lambda time: time - SECOND),
        "lowest_price_30d": st.sampled_from([None, "9.90"]),
        "regular_price": st.sampled_from([Decimal(10), Decimal(20), None]),
    }
)


def sale_changes_of(changes: Any) -> dict[str, dict[str, tuple[Any, Any]]]:
    """The sale fields of a delta by key."""
    return {
        key: sale
        for key, row in rows(changes).items()
        if (sale := {field: pair for field, pair in row["changes"].items() if field in SALE_FIELDS})
    }


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    catalogue=st.lists(products, min_size=5, max_size=5),
    calendar=st.lists(campaigns(), min_size=3, max_size=10),
    held=st.lists(held_sales, min_size=5, max_size=5),
    start=st.integers(-12, 15 * 24).map(lambda number: FIRST + timedelta(hours=number)),
    shown_for=st.integers(0, 60),
)
def test_both_flows_send_the_same_sale_and_come_to_rest(
    calendar_sides: Sides,
    catalogue: list[Product],
    calendar: list[Campaign],
    held: list[dict[str, Any]],
    start: datetime,
    shown_for: int,
) -> None:
    """Whatever the store holds: what one flow has sent the other has nothing to add to."""
    sides = calendar_sides
    now = instant_of(start, HELSINKI)
    for product, store in zip(fill(sides, catalogue, calendar), held, strict=True):
        number = int(product.code[1:]) + 1
        sides.held(number, product.code, **store)
        sides.shown(product.code.lower(), "9", now - timedelta(days=shown_for), None)
    sent = sale_changes_of(sides.campaign_price_delta(now=now).changes)
    of_products = sale_changes_of(sides.product_delta(now=now).changes)
    simple = {code: sale for code, sale in of_products.items() if code in sent}
    assert simple == {code: sale for code, sale in sent.items() if code in of_products}
    for code, sale in sent.items():
        for name, (_, new) in sale.items():
            column = "lowest_price_30d" if name.startswith("_") else name
            sides.connection.execute(
                f"UPDATE snapshot.woo_catalogue SET {column} = nullif(?, '') WHERE sku = ?", [new, code]
            )
    sides.connection.execute(
        "UPDATE snapshot.woo_catalogue AS held SET regular_price = round(product.sales_price, 2) "
        "FROM snapshot.solteq_products AS product WHERE product.code = held.sku"
    )
    assert sale_changes_of(sides.campaign_price_delta(now=now).changes) == {}
    assert {code for code in sale_changes_of(sides.product_delta(now=now).changes) if code.startswith("P")} == set()
