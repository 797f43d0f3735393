"""A shop's week in bad weather, short enough for every day; ``make week`` plays it at full length."""

from pathlib import Path

import pytest

from solteq_woo_assets_tests.flows.sales.week import play

pytestmark = pytest.mark.slow


def test_whatever_fails_every_order_and_refund_is_booked_once_and_nothing_is_oversold(tmp_path: Path) -> None:
    """5 % of calls fail, before or after the work was done; runs are killed in the middle."""
    week = play(tmp_path, orders=60, steps=5, kills=4)
    assert len(week.orders) == 60
    assert week.refunds > 0
    assert week.killed > 0
