"""Which price the store should show: the regular price, and the campaign that lowers it, with its window.

Money is ``DECIMAL(18,4)``. DuckDB rounds decimals half away from zero, which for prices (never negative here) is half
up. Instants are UTC without a zone, windows begin at their first instant and end before their last.

These are set operations, so they are SQL, in the folder ``sql``. Each step makes a temporary table that the next ones
read:

``campaigns_judged``  what each campaign means: when it is valid, or why it sets no price
``windows``           when it runs: all that time, or its days and hours of the coming weeks
``sold``              the products that are sold in Solteq
``covered``           which of them each campaign covers
``candidates``        every price that a campaign, or the product's own discounted price, would give a product
``segments``          of these, the one that runs now or comes next
``offers_now``        the same, with what the history of prices calls the product
``lowest_prices``     the lowest price of the 30 days before each of these reductions
``offers``            of each product the sale that the store should hold

There is no clock and no I/O: the instant is given.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo

import polars as pl

from solteq_woo_assets.engine import sql
from solteq_woo_assets.flows.campaigns.windows import (
    AHEAD,
    Window,
    clipped,
    first_and_last_day,
    instant_of,
    weekly_windows,
)

LOWEST_PRICE_META = "_solteq_lowest_price_30d"
HELSINKI = ZoneInfo("Europe/Helsinki")


@dataclass(frozen=True)
class PricingRules:
    """The settings that the rules depend on; ``settings.py`` explains them."""

    zone: ZoneInfo = HELSINKI
    web_store: str = "verkko"
    campaign_choice: Literal["lowest", "priority"] = "lowest"
    harmless_fields: Sequence[str] = ()
    """Names of fields that we do not know and that restrict no campaign."""
    campaigns_are_known: bool = True
    """Whether the campaign feed has been read; until then a sale that the store holds is not emptied."""


def judge_campaigns(steps: sql.Steps, rules: PricingRules, now: datetime, *, ahead: timedelta = AHEAD) -> None:
    """Make the tables ``campaigns_judged`` and ``windows``.

    Input: ``campaigns``, rows of ``snapshot.solteq_campaigns``.

    :param ahead: how far windows of days and hours are made, at least
    """
    steps = steps.beside(__name__)
    times = steps.connection.sql("SELECT DISTINCT unnest([valid_from, valid_to]) AS local FROM campaigns").fetchall()
    steps.add(
        instants=pl.DataFrame(
            [(local, instant_of(local, rules.zone)) for (local,) in times if local],
            schema={"local": pl.Datetime("us"), "utc": pl.Datetime("us")},
            orient="row",
        ),
        recurring=pl.DataFrame(
            list(_recurring(steps.frame("recurrences").iter_rows(), rules.zone, now, ahead)),
            schema={"id": pl.String, "starts": pl.Datetime("us"), "ends": pl.Datetime("us")},
            orient="row",
        ),
    )
    steps.table(
        "campaigns_judged",
        campaign_choice=rules.campaign_choice,
        web_store=rules.web_store.strip(),
        harmless_fields=[name.lower() for name in rules.harmless_fields],
    )
    steps.table("windows")


def _recurring(
    recurrences: Iterable[tuple[str, list[str], time, time, datetime | None, datetime | None]],
    zone: ZoneInfo,
    now: datetime,
    ahead: timedelta,
) -> Iterator[tuple[str, datetime, datetime]]:
    """The windows of the campaigns that hold on certain days or hours: id, begin and end."""
    local_now = now.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)

    @cache
    def windows(days: tuple[str, ...], start: time, end: time, since: date, until: date) -> list[Window]:
        return weekly_windows(days, start, end, zone, since=since, until=until)

    for key, days, start, end, valid_from, valid_to in recurrences:
        since, until = first_and_last_day(valid_from, valid_to, local_now, ahead)
        starts = instant_of(valid_from, zone) if valid_from else datetime.min  # noqa: DTZ901  UTC without a zone
        ends = instant_of(valid_to, zone) if valid_to else datetime.max  # noqa: DTZ901
        for window in clipped(windows(tuple(days), start, end, since, until), starts, ends):
            yield key, *window


def price_products(
    steps: sql.Steps, rules: PricingRules, now: datetime, *, ahead: timedelta = AHEAD, by_all: bool = False
) -> None:
    """Make the tables that the module begins with.

    Inputs: ``products``, rows of ``snapshot.solteq_products``; ``campaigns``, rows of ``snapshot.solteq_campaigns``;
    ``history``, rows of ``sync.price_history``; ``links``, rows of ``sync.links`` with kind ``product``.

    :param now: what is over by then is left out
    :param ahead: how far windows of days and hours are made, at least
    :param by_all: let ``covered`` have campaigns that are over or set no price, too
    """
    judge_campaigns(steps, rules, now, ahead=ahead)
    steps = steps.beside(__name__)
    steps.table("sold")
    steps.table("covered", now=now, by_all=by_all)
    for step in ("candidates", "segments"):
        steps.table(step, now=now)
    steps.table("offers_now")
    for step in ("lowest_prices", "offers"):
        steps.table(step, now=now)


def next_edge(steps: sql.Steps) -> datetime | None:
    """When the first of the offers begins or ends, or tells another lowest price: until then all stays as it is."""
    return steps.connection.execute("SELECT min(next_edge) FROM offers").fetchall()[0][0]


def lay_out_calendar(steps: sql.Steps, now: datetime, *, until: datetime) -> None:
    """Make the table ``calendar``, by taking the segments of each product one by one, as the store gets them.

    It uses up ``candidates``.
    """
    steps = steps.beside(__name__)
    steps.run("cut_candidates")
    while steps.insert("segments", now=now):
        steps.run("cut_candidates")
    steps.table("calendar", until=until)
