"""The judge's own history of prices: what a page may tell as the lowest price of the 30 days before its reduction."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from solteq_woo_assets_tests.simulation.lowest_price import PriceHistory

START = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)
PAGE = 7


def shown(*states: tuple[float, str, str]) -> PriceHistory:
    """A page with these regular and sale prices, each since so many days."""
    history = PriceHistory()
    for days, regular, sale in states:
        page = {
            "status": "publish",
            "regular_price": regular,
            "sale_price": sale,
            "date_on_sale_from_gmt": None,
            "date_on_sale_to_gmt": None,
        }
        history.look({PAGE: page}, START + timedelta(days=days))
    return history


def lowest(history: PriceHistory, days: float) -> set[Decimal] | None:
    return history.lowest(PAGE, START + timedelta(days=days))


def test_without_a_reduction_there_is_none() -> None:
    assert lowest(shown((0, "20", "")), 50) is None


def test_without_30_days_nothing_may_be_told() -> None:
    assert lowest(shown((0, "20", ""), (29, "20", "15")), 40) == set()


def test_it_is_the_lowest_before_the_reduction_began() -> None:
    assert lowest(shown((0, "18", ""), (20, "22", ""), (40, "22", "15")), 60) == {Decimal(18)}


def test_what_was_shown_longer_ago_does_not_count() -> None:
    assert lowest(shown((0, "10", ""), (5, "22", ""), (40, "22", "15")), 60) == {Decimal(22)}


def test_after_a_pause_it_may_be_the_reduced_price_itself() -> None:
    assert lowest(shown((0, "20", ""), (40, "20", "15"), (45, "20", ""), (46, "20", "15")), 47) == {Decimal(15)}


def test_a_step_that_follows_without_a_gap_may_tell_either() -> None:
    assert lowest(shown((0, "20", ""), (40, "20", "15"), (45, "20", "12")), 47) == {Decimal(20), Decimal(15)}
