"""The lowest price of the 30 days before a reduction (directive 98/6/EC, article 6a): from what shoppers were shown."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from solteq_woo_assets.flows.campaigns.pricing import LOWEST_PRICE_META
from solteq_woo_assets.flows.tables import state_database
from solteq_woo_assets_tests.flows.conftest import NOW, Sides, rows

MIDNIGHT = NOW.replace(hour=0)
LOCAL = timedelta(hours=2)  # Helsinki in November


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def lowest(sides: Sides, key: str = "A", now: datetime = NOW) -> str | None:
    """The value that the delta writes."""
    old, new = rows(sides.campaign_price_delta(now=now).changes)[key]["changes"].get(LOWEST_PRICE_META, (None, None))
    assert old is None
    return new


def show_now(sides: Sides, price: str) -> None:
    """Another price takes the place of the one that is shown."""
    sides.connection.execute("UPDATE sync.price_history SET valid_to = ? WHERE valid_to IS NULL", [NOW])
    sides.shown("a", price, NOW, None)


@pytest.fixture
def product(sides: Sides) -> Sides:
    """Product A at 10.00 in both systems, 20 % off from now on."""
    sides.product("A")
    sides.held(1, "A")
    sides.campaign(1, "A")
    return sides


def test_it_goes_with_the_reduction(product: Sides) -> None:
    product.shown("a", "10", ago(40), None)
    delta = product.campaign_price_delta()
    assert rows(delta.changes)["A"]["changes"] == {"sale_price": ("", "8.00"), LOWEST_PRICE_META: (None, "10.00")}
    assert (delta.numbers["reductions"], delta.numbers["without_30_days_of_history"]) == (1, 0)


@pytest.mark.parametrize(
    ("since", "until", "value", "why"),
    [
        (29, 28, "7.00", "within the 30 days"),
        (40, 29, "7.00", "reaches into them"),
        (33, 31, "10.00", "over before them"),
        (33, 30, "10.00", "over when they begin"),
        (33, 30 - 1e-5, "7.00", "its last second is in them"),
    ],
)
def test_a_price_counts_that_was_shown_in_the_30_days(
    product: Sides, since: float, until: float, value: str, why: str
) -> None:
    product.shown("a", "10", ago(60), ago(since))
    product.shown("a", "7", ago(since), ago(until))
    product.shown("a", "10", ago(until), None)
    assert lowest(product) == value, why


def test_a_regular_price_that_was_raised_counts_too(product: Sides) -> None:
    """The trick that the directive is against: up before the sale."""
    product.shown("a", "9", ago(60), ago(3), regular="9")
    product.shown("a", "10", ago(3), None)
    assert lowest(product) == "9.00"


@pytest.mark.parametrize(("days", "value"), [(29, None), (30, "10.00")])
def test_with_less_than_30_days_of_history_nothing_is_told(product: Sides, days: int, value: str | None) -> None:
    product.shown("a", "10", ago(days), None)
    assert lowest(product) == value
    assert product.campaign_price_delta().numbers["without_30_days_of_history"] == (value is None)


def test_what_was_not_on_sale_for_30_days_has_no_lowest_price(product: Sides) -> None:
    product.shown("a", "10", ago(60), ago(31))
    assert lowest(product) is None


@pytest.mark.parametrize(("since", "until", "value"), [(13, 12, "7.00"), (20, 15, "10.00")])
def test_the_30_days_of_an_upcoming_sale_are_those_before_it(
    sides: Sides, since: float, until: float, value: str
) -> None:
    """It begins in 16 days: what is 15 days old by now will be too old by then, and the history will be long enough."""
    sides.product("A")
    sides.held(1, "A")
    sides.campaign(1, "A", valid_from=NOW + timedelta(days=16) + LOCAL)
    sides.shown("a", "7", ago(since), ago(until))
    sides.shown("a", "10", ago(until), None)
    sides.shown("a", "10", ago(40), ago(since))
    assert lowest(sides) == value


def test_a_sale_that_is_planned_but_has_not_begun_does_not_count(sides: Sides) -> None:
    """Nobody has seen its price, and what begins after it may replace it."""
    sides.product("A")
    sides.held(1, "A")
    sides.campaign(1, "A", valid_from=NOW + timedelta(days=16) + LOCAL)
    sides.shown("a", "10", ago(40), ago(-1))
    sides.shown("a", "7", ago(-1), ago(-9))
    sides.shown("a", "10", ago(-9), None)
    assert lowest(sides) == "10.00"


@pytest.mark.parametrize("days", [0, 0.5, 5, 29, 31, 400])
def test_a_running_reduction_keeps_its_value_however_long_it_lasts(product: Sides, days: float) -> None:
    """Otherwise it would be its own lowest price, from its second day on."""
    product.shown("a", "9", ago(days + 60), ago(days + 20), regular="9")
    product.shown("a", "10", ago(days + 20), ago(days))
    product.shown("a", "8", ago(days), None)
    assert lowest(product) == "9.00"


def test_a_reduction_that_grows_keeps_the_price_before_its_first_step(product: Sides) -> None:
    """Paragraph 5; and the value does not depend on whether the last step has been delivered."""
    product.shown("a", "10", ago(60), ago(20))
    product.shown("a", "9.5", ago(20), ago(10))
    product.shown("a", "9", ago(10), None)
    assert lowest(product) == "10.00"
    show_now(product, "8")
    assert lowest(product) == "10.00"


@pytest.mark.parametrize(("days", "value"), [(1, "10.00"), (35, "10.00"), (59, "10.00"), (60, "9.00"), (200, "9.00")])
def test_second_step_within_60_days_tells_the_price_before_the_first(product: Sides, days: int, value: str) -> None:
    """A later step is a reduction of its own: what was shown in the 30 days before it counts."""
    product.shown("a", "10", ago(days + 40), ago(days))
    product.shown("a", "9", ago(days), None)
    assert lowest(product) == value
    show_now(product, "8")
    assert lowest(product) == value


def test_a_campaign_longer_than_60_days_loses_that(product: Sides) -> None:
    """On its sixtieth day the running step tells the lowest price of the 30 days before itself, and a run is due."""
    product.shown("a", "10", ago(90), ago(50))
    product.shown("a", "9", ago(50), ago(20))
    product.shown("a", "8", ago(20), None)
    assert (lowest(product), product.campaign_price_delta().next_edge) == ("10.00", ago(-10))
    last = ago(-10) - timedelta(seconds=1)
    assert lowest(product, now=last) == "10.00"
    assert lowest(product, now=ago(-10)) == "9.00"
    assert product.campaign_price_delta(now=ago(-10)).next_edge is None


@pytest.mark.parametrize(("more", "value"), [(40, "10.00"), (41, "9.00")])
def test_a_campaign_that_is_known_to_last_longer_never_had_that(sides: Sides, more: int, value: str) -> None:
    sides.product("A")
    sides.held(1, "A")
    sides.campaign(1, "A", valid_to=NOW + timedelta(days=more) + LOCAL)
    sides.shown("a", "10", ago(60), ago(20))
    sides.shown("a", "9", ago(20), None)
    assert lowest(sides) == value


def test_each_step_after_60_days_tells_the_price_before_itself(product: Sides) -> None:
    """They begin no new campaign among themselves: there was no pause."""
    product.shown("a", "10", ago(120), ago(80))
    product.shown("a", "9.5", ago(80), ago(15))
    product.shown("a", "9", ago(15), None)
    assert lowest(product) == "9.00"


@pytest.mark.parametrize(("pause", "value"), [(29, "9.00"), (30, "10.00"), (90, "10.00")])
def test_after_a_pause_the_reduction_before_it_counts_for_30_days(product: Sides, pause: int, value: str) -> None:
    product.shown("a", "10", ago(pause + 60), ago(pause + 10))
    product.shown("a", "9", ago(pause + 10), ago(pause))
    product.shown("a", "10", ago(pause), None)
    assert lowest(product) == value


def test_price_decreases_without_an_announced_reduction_are_prices_like_others(product: Sides) -> None:
    """They begin no campaign: the lowest of them is what the first announced reduction tells."""
    product.shown("a", "10", ago(60), ago(25), regular="10")
    product.shown("a", "9.5", ago(25), ago(15), regular="9.5")
    product.shown("a", "9", ago(15), ago(5), regular="9")
    product.shown("a", "10", ago(5), None)
    assert lowest(product) == "9.00"


def test_from_its_second_day_a_campaign_of_certain_hours_tells_its_own_price(sides: Sides) -> None:
    """Each day it is announced anew, and the price of yesterday's lunch was shown within 30 days."""
    sides.product("A")
    sides.held(1, "A")
    sides.campaign(1, "A", valid_hours_from=time(12), valid_hours_to=time(14))
    sides.shown("a", "10", ago(40), ago(1))
    sides.shown("a", "8", ago(1), ago(1) + timedelta(hours=2))
    sides.shown("a", "10", ago(1) + timedelta(hours=2), None)
    assert lowest(sides, now=ago(1)) == "10.00", "the first lunch"
    assert lowest(sides, now=ago(1) + timedelta(hours=3)) == "8.00", "the next one, ahead"
    assert lowest(sides) == "8.00", "and while it runs"


@pytest.mark.parametrize(("days", "value"), [(40, "10.00"), (60, "8.00")])
def test_half_an_hour_a_day_at_full_price_makes_no_campaign_for_ever(product: Sides, days: int, value: str) -> None:
    product.shown("a", "10", ago(days + 40), ago(days))
    for day in range(days, 0, -1):
        product.shown("a", "8", ago(day), ago(day - 1) - timedelta(minutes=30))
        product.shown("a", "10", ago(day - 1) - timedelta(minutes=30), ago(day - 1))
    product.shown("a", "8", NOW, None)
    assert lowest(product) == value


def test_a_regular_price_that_changes_beside_a_running_sale_begins_no_new_one(product: Sides) -> None:
    product.shown("a", "12", ago(60), ago(20), regular="12")
    product.shown("a", "8", ago(20), ago(10), regular="12")
    product.shown("a", "8", ago(10), None)
    assert lowest(product) == "12.00"


def test_a_reduction_that_shrinks_is_announced_anew(product: Sides) -> None:
    """So the lower price of before is the lowest, and stays it once the new price is shown."""
    product.shown("a", "10", ago(60), ago(20))
    product.shown("a", "7", ago(20), None)
    assert lowest(product) == "7.00"
    show_now(product, "8")
    assert lowest(product) == "7.00"
    assert product.campaign_price_delta().numbers["reductions"] == 1
    assert lowest(product, now=ago(-40)) == "7.00"


@pytest.mark.parametrize("price", ["10", None])
def test_a_gap_makes_a_new_reduction(product: Sides, price: str | None) -> None:
    """A day at full price, or a day off sale."""
    product.shown("a", "10", ago(60), ago(20))
    product.shown("a", "9", ago(20), ago(10))
    if price:
        product.shown("a", price, ago(10), ago(9))
    product.shown("a", "8", ago(9), None)
    assert lowest(product) == "9.00"


@pytest.mark.parametrize(("minutes", "value"), [(0, "10.00"), (0.5, "10.00"), (59, "10.00"), (60, "9.00")])
def test_the_full_price_between_two_windows_until_our_write_is_no_gap(
    product: Sides, minutes: float, value: str
) -> None:
    """The store ends its window by itself, and a moment later the next step is written: one reduction that grows."""
    product.shown("a", "10", ago(60), ago(20))
    product.shown("a", "9", ago(20), NOW - timedelta(minutes=minutes))
    product.shown("a", "10", NOW - timedelta(minutes=minutes), None)
    assert lowest(product) == value, "while it is due"
    assert product.campaign_price_delta().numbers["reductions"] == 1
    if minutes:
        show_now(product, "8")
        assert lowest(product, now=ago(-3)) == value, "and once it is shown"


def test_a_window_that_begins_soon_after_another_is_a_step(sides: Sides) -> None:
    sides.product("A")
    sides.held(1, "A")
    sides.campaign(1, "A", valid_from=NOW + timedelta(minutes=20) + LOCAL)
    sides.shown("a", "10", ago(60), ago(20))
    sides.shown("a", "9", ago(20), NOW - timedelta(minutes=10))
    sides.shown("a", "10", NOW - timedelta(minutes=10), None)
    assert lowest(sides) == "10.00"


def test_without_a_reduction_the_value_goes(sides: Sides) -> None:
    sides.product("A")
    sides.held(1, "A", lowest_price_30d="10.00")
    sides.shown("a", "10", ago(60), None)
    assert rows(sides.campaign_price_delta().changes)["A"]["changes"] == {LOWEST_PRICE_META: ("10.00", None)}


def test_a_variation_has_a_history_of_its_own(sides: Sides) -> None:
    """By its SKU, whatever its case."""
    sides.held(1, "M", type="variable", regular_price=None)
    for number, (size, price) in enumerate({"S": "9", "L": "7"}.items(), start=2):
        sides.variant(f"M-{size}", "M", size)
        sides.held(number, f"M-{size}", type="variation", parent_id=1)
        sides.shown(f"m-{size.lower()}", price, ago(40), ago(20), regular=price)
        sides.shown(f"m-{size.lower()}", "10", ago(20), None)
    sides.campaign(1, "M")
    assert (lowest(sides, "M-S"), lowest(sides, "M-L")) == ("9.00", "7.00")


Tag = tuple[str, str] | None
"""What a shopper sees on a day, price and regular price; ``None`` while it is not on sale."""
FULL: list[Tag] = [("10", "10"), ("10", "10"), ("9", "9"), ("12", "12")]
REDUCED: list[Tag] = [("9", "10"), ("8", "10"), ("7", "10"), ("9", "12")]


@dataclass(frozen=True)
class Story:
    """A product's prices, day by day."""

    began: int
    """How many days ago the first of them was shown."""
    runs: list[tuple[int, Tag]]
    """How many days each was shown; what reaches beyond today is a plan."""
    is_open: bool
    """Whether the last one has no end."""
    sale_price: str
    opens: int
    """In how many days the reduction begins; 0 is now."""

    def days(self) -> dict[int, Tag]:
        """Of each day from today; those that no one has told are left out."""
        tags = [tag for length, tag in self.runs for _ in range(length)]
        if self.is_open:
            tags += [tags[-1]] * (self.began + 60)
        return dict(enumerate(tags, start=-self.began))


def plain_lowest(story: Story) -> str | None:
    """The rule, read aloud: by looking at every day."""
    days = story.days()
    today = days.get(0)
    # Of the days to come only the price of today is known, while it lasts.
    planned = next((day for day in range(1, 60) if days.get(day) != today), 60)
    shown = {day: (Decimal(tag[0]), Decimal(tag[1])) for day, tag in days.items() if tag and day < planned}

    def is_reduced(day: int) -> bool:
        return day in shown and shown[day][0] < shown[day][1]

    since = story.opens
    last = 0 if is_reduced(0) else -1  # what ends this very moment is no gap
    sale = Decimal(story.sale_price)
    if since == 0 and is_reduced(last) and sale <= shown[last][0]:
        first = step = last
        while is_reduced(first - 1) and shown[first - 1][0] >= shown[first][0]:
            first -= 1
        while is_reduced(step - 1) and shown[step - 1][0] == shown[step][0]:
            step -= 1
        event("a campaign of 60 days" if first <= -60 else "a shorter campaign")
        since = first if first > -60 else step if sale == shown[last][0] else 0
    event("to come" if since > 0 else "now" if since == 0 else "running")
    if not shown or min(shown) > since - 30:
        return None
    prices = [shown[day][0] for day in range(since - 30, since) if day in shown]
    return f"{min(prices):.2f}" if prices else None


lengths = st.sampled_from([1, 5, 5, 10, 10, 15, 20, 30])  # round, so that edges fall on today and 30 days before
runs = st.tuples(lengths, st.sampled_from([*FULL, *REDUCED, *REDUCED, None]))
stories = st.builds(
    Story,
    began=st.sampled_from([25, 30, 40, 60, 60, 80, 80]),
    runs=st.tuples(runs, runs, runs, runs, runs, runs).map(list),
    is_open=st.sampled_from([True, True, True, False]),
    sale_price=st.sampled_from(["9", "8", "7", "6"]),
    opens=st.sampled_from([0, 0, 0, 0, 1, 10, 30, 40]),
)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    folder: Path = tmp_path_factory.mktemp("market")
    with state_database(folder / "state.duckdb").transaction() as connection:
        yield Sides(connection)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(told=st.tuples(*[stories] * 12))
def test_it_is_what_a_look_at_every_day_gives(market: Sides, told: tuple[Story, ...]) -> None:
    """60 times 12 histories, with gaps and plans, at full price and reduced, for sales that run or are to come."""
    market.clear()
    for number, story in enumerate(told):
        market.product(f"A{number}")
        market.held(number + 1, f"A{number}")
        opens = MIDNIGHT + timedelta(days=story.opens) + LOCAL if story.opens else None
        value = Decimal(story.sale_price)
        market.campaign(number, f"A{number}", discount_type="FixedPrice", value=value, valid_from=opens)
        days = story.days()
        edges = [day for day in days if day - 1 not in days or days[day - 1] != days[day]]
        for first, following in zip(edges, [*edges[1:], None], strict=True):
            end = following if following is not None or story.is_open else max(days) + 1
            until = None if end is None else MIDNIGHT + timedelta(days=end)
            if tag := days[first]:
                market.shown(f"a{number}", tag[0], MIDNIGHT + timedelta(days=first), until, regular=tag[1])
    delta = market.campaign_price_delta(now=MIDNIGHT)
    changes = rows(delta.changes)
    wanted = [plain_lowest(story) for story in told]
    for number, value in enumerate(wanted):
        event(f"{value}")
        given_value = changes[f"A{number}"]["changes"].get(LOWEST_PRICE_META, (None, None))
        assert given_value == (None, value), told[number]
    assert (len(changes), delta.changes.height) == (len(told), len(told)), "each product once"
    assert (delta.numbers["reductions"], delta.numbers["without_30_days_of_history"]) == (len(told), wanted.count(None))
