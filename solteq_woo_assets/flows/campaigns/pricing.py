"""Which price the store should show: the regular price, and the campaign that lowers it, with its window.

Money is ``DECIMAL(18,4)``. DuckDB rounds decimals half away from zero, which for prices (never negative here) is half
up. Instants are UTC without a zone, windows begin at their first instant and end before their last.

``campaigns_judged``  what each campaign means: when it is valid, or why it sets no price
``windows``           when it runs: all that time, or its days and hours of the coming weeks
``candidates``        every price that a campaign, or the product's own discounted price, would give a product
``offers``            of these, the one that the store should hold: what runs now, or what comes next

There is no clock and no I/O: the instant is given.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo

import duckdb
import polars as pl

from solteq_woo_assets.engine.temporary import leaves_nothing
from solteq_woo_assets.flows.campaigns.lowest_price import LOWEST_PRICES
from solteq_woo_assets.flows.campaigns.windows import (
    AHEAD,
    Window,
    clipped,
    first_and_last_day,
    instant_of,
    weekly_windows,
)

Relation = duckdb.DuckDBPyRelation

LOWEST_PRICE_META = "_solteq_lowest_price_30d"
HELSINKI = ZoneInfo("Europe/Helsinki")
OFFER_FIELDS = ("sale_price", "date_on_sale_from_gmt", "date_on_sale_to_gmt", "lowest_price_30d")
"""What the store holds of an offer; columns of ``offers`` as of ``snapshot.woo_catalogue``."""


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


def campaign_price(sales_price: str, discount_type: str, value: str, max_discount_percent: str) -> str:
    """The price under a campaign at the cent while it is a discount, else NULL.

    A product's maximum discount caps the reduction (Solteq manual, Categories): with 0 there is none. A price at or
    above the sales price is no discount; WooCommerce would drop it without a word (recorded). Nothing is free.
    """
    # In 28 digits: DuckDB would multiply two DECIMAL(18,4) in 18 and stop at a price of a hundred million.
    whole = f"{sales_price}::DECIMAL(28,4)"
    reduced = (
        f"CASE {discount_type} WHEN 'percentage' THEN {_share(whole, value)} "
        f"WHEN 'amount' THEN {whole} - {value} ELSE {value} END"
    )
    price = f"round(greatest({reduced}, {_share(whole, f'coalesce({max_discount_percent}, 100)')}), 2)"
    return f"CASE WHEN {price} > 0 AND {price} < round({sales_price}, 2) THEN {price}::DECIMAL(18,4) END"


def _share(price: str, percent_off: str) -> str:
    return f"{price} * ((100 - {percent_off})::DECIMAL(7,4) * 0.01)"


# The verdict says why a campaign sets no price in the store: it is held back until it is mended, or skipped.
_JUDGED = """
CREATE TEMP TABLE campaigns_judged AS
WITH plain AS (
    SELECT
        campaigns.* REPLACE (coalesce(nullif(trim(name), ''), id) AS name),
        coalesce(opening.utc, '-infinity'::TIMESTAMP) AS starts,
        coalesce(closing.utc, 'infinity'::TIMESTAMP) AS ends,
        regexp_replace(lower(type), '[ _-]', '', 'g') AS plain_type,
        regexp_replace(lower(level), '[ _-]', '', 'g') AS plain_level,
        regexp_replace(lower(discount_type), '[ _-]', '', 'g') AS plain_discount_type,
        coalesce(len(valid_days), 0) > 0 OR valid_hours_from IS NOT NULL AS recurs,
        list_filter(unknown_fields, lambda f: NOT list_contains($harmless_fields, lower(f))) AS restrictions
    FROM campaigns
    LEFT JOIN instants AS opening ON opening.local = valid_from
    LEFT JOIN instants AS closing ON closing.local = valid_to
)
SELECT
    row_number() OVER (ORDER BY priority DESC, id) AS position,  -- of two equal prices the first one's is named
    id, name, plain_level AS level, targets, plain_discount_type AS discount_type, value, priority,
    CASE $campaign_choice WHEN 'priority' THEN priority ELSE 0 END AS rank, starts, ends, recurs,
    concat_ws(' ', CASE WHEN len(valid_days) > 0 THEN array_to_string(valid_days, ', ') END,
        left(valid_hours_from::VARCHAR, 5) || '–' || left(valid_hours_to::VARCHAR, 5)) AS days_and_hours, verdict.*
FROM (
    SELECT *, CASE
        WHEN deleted THEN {'held': 'off', 'field': 'deleted', 'reason': 'it is deleted', 'problem': ''}
        WHEN NOT active THEN {'held': 'off', 'field': 'active', 'reason': 'it is not active', 'problem': ''}
        WHEN plain_type <> 'simple' THEN {'held': 'skip', 'field': 'type',
            'reason': 'it cannot be expressed as a discount price (' || type || ')', 'problem': ''}
        WHEN len(customer_groups) + len(customers) > 0 THEN {'held': 'skip', 'field': 'customerGroups',
            'reason': 'it is for certain customers only, not public', 'problem': ''}
        WHEN len(store_ids) > 0 AND NOT list_contains(list_transform(store_ids, lambda s: trim(s)), $web_store)
            THEN {'held': 'skip', 'field': 'storeIds',
                'reason': 'it is for other stores (' || array_to_string(store_ids, ', ') || ')', 'problem': ''}
        WHEN len(restrictions) > 0 THEN {'held': 'skip', 'field': restrictions[1],
            'reason': 'it is restricted in a way that cannot be expressed: ' || array_to_string(restrictions, ', '),
            'problem': ''}
        WHEN plain_level NOT IN ('product', 'productgroup', 'supplier') THEN {'held': 'quarantine', 'field': 'level',
            'reason': 'the level is not known', 'problem': 'campaign-level-unknown'}
        WHEN coalesce(plain_discount_type, '') NOT IN ('percentage', 'amount', 'fixedprice') THEN
            {'held': 'quarantine', 'field': 'discountType', 'reason': 'the kind of discount is not known',
                'problem': 'campaign-discount-unknown'}
        WHEN coalesce(value, 0) <= 0 THEN {'held': 'quarantine', 'field': 'value',
            'reason': 'the discount is not above 0', 'problem': 'campaign-without-value'}
        WHEN plain_discount_type = 'percentage' AND value > 100 THEN {'held': 'quarantine', 'field': 'value',
            'reason': 'more than 100 % cannot be taken off', 'problem': 'campaign-over-100-percent'}
        WHEN valid_to <= valid_from THEN {'held': 'quarantine', 'field': 'validTo',
            'reason': 'it ends before it begins', 'problem': 'campaign-ends-before-it-begins'}
        WHEN len(list_filter(targets, lambda t: trim(t) <> '')) = 0 THEN {'held': 'quarantine', 'field': 'targets',
            'reason': 'it says for nothing what it is for', 'problem': 'campaign-without-targets'}
        WHEN ends <= starts OR recurs AND id NOT IN (SELECT id FROM recurring) THEN
            {'held': 'quarantine', 'field': CASE WHEN recurs THEN 'validDays' ELSE 'validTo' END,
                'reason': 'none of its days and hours is between its beginning and its end',
                'problem': 'campaign-never-valid'}
    END AS verdict
    FROM plain
)
"""

_WINDOWS = """
CREATE TEMP TABLE windows AS
SELECT position, starts, ends FROM campaigns_judged WHERE held IS NULL AND NOT recurs
UNION ALL
SELECT position, recurring.starts, recurring.ends FROM campaigns_judged JOIN recurring USING (id)
WHERE held IS NULL AND recurs
"""

_SOLD = """
CREATE TEMP TABLE sold AS
SELECT
    row_number() OVER ()::INTEGER AS product, id, code, model_number, product_group, supplier,
    sales_price, max_discount_percent, discounted_price
FROM products WHERE active AND NOT deleted
"""

# A product that a campaign names by its code and by its model number counts once.
_COVERED = """
CREATE TEMP TABLE covered AS
WITH targets AS (
    SELECT DISTINCT position, level, unnest(list_filter(targets, lambda t: trim(t) <> '').list_transform(
        lambda t: sku_key(t)
    )) AS target
    FROM campaigns_judged WHERE held IS NULL AND ends > $now
)
SELECT product, position FROM sold JOIN targets ON level = 'product' AND target = sku_key(code)
UNION
SELECT product, position FROM sold JOIN targets ON level = 'product' AND target = sku_key(model_number)
UNION ALL
SELECT product, position FROM sold JOIN targets ON level = 'productgroup' AND target = sku_key(product_group)
UNION ALL
SELECT product, position FROM sold JOIN targets ON level = 'supplier' AND target = sku_key(supplier)
"""

# The price is NULL where it is no discount: to leave those out here takes longer than to pass them over later.
_CANDIDATES = f"""
CREATE TEMP TABLE candidates AS
SELECT
    product, position, rank, windows.starts, windows.ends,
    {campaign_price("sales_price", "discount_type", "value", "max_discount_percent")} AS price
FROM covered JOIN sold USING (product) JOIN campaigns_judged USING (position) JOIN windows USING (position)
WHERE windows.ends > $now
UNION ALL
SELECT
    product, NULL, 0, '-infinity'::TIMESTAMP, 'infinity'::TIMESTAMP,
    {campaign_price("sales_price", "'fixedprice'", "discounted_price", "max_discount_percent")}
FROM sold WHERE discounted_price > 0
"""


def _segments(source: str, instant: str) -> str:
    """SQL: of each product the segment of its calendar that runs at an instant, or else the next one to come.

    A segment lasts as long as its price is the best: until a better one starts, or until the last of the campaigns
    that give this very price, one after the other without a gap, has ended.

    :param source: where candidates come from: ``candidates``, or a join with it
    :param instant: of each row
    :return: a query of product, opens, closes, price, position of the campaign (NULL for the product's own price)
    """
    return f"""
WITH ahead AS (
    SELECT *, {instant} AS instant FROM {source} WHERE ends > {instant} AND price IS NOT NULL
), opening AS (
    SELECT product, greatest(min(starts), any_value(instant)) AS opens FROM ahead GROUP BY product
), best AS (
    SELECT product, any_value(opens) AS opens, min(row(-rank, price, coalesce(position, 0))) AS best
    FROM ahead JOIN opening USING (product) WHERE starts <= opens GROUP BY product
), chosen AS (
    SELECT product, opens, -best[1] AS rank, best[2] AS price, nullif(best[3], 0) AS position FROM best
), beaten AS (
    SELECT ahead.product, min(ahead.starts) AS at FROM ahead JOIN chosen USING (product)
    WHERE ahead.starts > opens AND (ahead.rank > chosen.rank OR ahead.rank = chosen.rank AND ahead.price < chosen.price)
    GROUP BY ahead.product
), alike AS (
    SELECT product, starts, ends, max(ends) OVER (
        PARTITION BY product ORDER BY starts, ends ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS reached
    FROM ahead JOIN chosen USING (product, rank, price)
), lasting AS (
    SELECT product, coalesce(min(reached) FILTER (starts > reached), max(ends)) AS until FROM alike GROUP BY product
)
SELECT chosen.product, opens, least(until, coalesce(beaten.at, 'infinity'::TIMESTAMP)) AS closes, price, chosen.position
FROM chosen JOIN lasting USING (product) LEFT JOIN beaten USING (product)
"""


# ``sku``: what the history of prices calls the product. A code that was another document's has no history yet.
_OFFERS_NOW = f"""
CREATE TEMP TABLE offers_now AS
WITH chosen AS (
    SELECT product, id, sku_key(code) AS sku, price AS sale_price, opens, closes, position
    FROM ({_segments("candidates", "$now::TIMESTAMP")}) JOIN sold USING (product)
), own AS (
    SELECT solteq_id AS id, min(key) AS key FROM links WHERE solteq_id IN (SELECT id FROM chosen) GROUP BY ALL
), others AS (
    SELECT DISTINCT chosen.id FROM links JOIN chosen ON chosen.sku = links.key WHERE links.solteq_id <> chosen.id
)
SELECT chosen.* REPLACE (coalesce(own.key, CASE WHEN others.id IS NULL THEN sku END) AS sku)
FROM chosen LEFT JOIN own USING (id) LEFT JOIN others USING (id)
"""

# What runs has no beginning: that is how WooCommerce's own cron leaves it, and to take the beginning away is the write
# that makes the store renew the price on the minute (contract, 17), whatever its cron does. It ends a second early,
# because for WooCommerce a window's last second belongs to it.
_OFFERS = """
CREATE TEMP TABLE offers AS
SELECT
    product, id, sale_price, opens, closes, position,
    CASE WHEN opens > $now THEN opens END AS date_on_sale_from_gmt,
    CASE WHEN isfinite(closes) THEN closes - INTERVAL 1 SECOND END AS date_on_sale_to_gmt,
    price_text(round(lowest_prices.price, 2)) AS lowest_price_30d, holds_until
FROM offers_now LEFT JOIN lowest_prices USING (id)
"""


@leaves_nothing
def timeline(connection: duckdb.DuckDBPyConnection, *, since: datetime, until: datetime) -> pl.DataFrame:
    """The calendar of the products in ``candidates``: their discount prices, one after the other; none in the gaps.

    Made by taking the segments one by one, as the store gets them.

    :return: a frame of id, opens, closes (NULL: without an end), price, position
    """
    connection.execute(
        "CREATE TEMP TABLE calendar (product INTEGER, opens TIMESTAMP, closes TIMESTAMP, price DECIMAL(18,4), "
        "position BIGINT)"
    )
    connection.execute(
        "CREATE TEMP TABLE reached AS SELECT DISTINCT product, $since::TIMESTAMP AS instant FROM candidates",
        {"since": since},
    )
    source = "(SELECT * FROM candidates JOIN reached USING (product))"
    following = (
        f"INSERT INTO calendar FROM ({_segments(source, 'instant')}) WHERE opens < $until RETURNING product, closes"
    )
    while connection.execute("SELECT count(*) FROM reached").fetchall()[0][0]:
        segments = connection.execute(following, {"until": until}).fetchall()
        connection.execute("DELETE FROM reached")
        if segments:
            connection.executemany("INSERT INTO reached SELECT $1, $2 WHERE isfinite($2)", segments)
    return connection.sql(
        "SELECT id, opens, CASE WHEN isfinite(closes) THEN closes END AS closes, price, position "
        "FROM calendar JOIN sold USING (product) ORDER BY id, opens"
    ).pl()


def judge_campaigns(
    connection: duckdb.DuckDBPyConnection,
    campaigns: Relation,
    rules: PricingRules,
    now: datetime,
    *,
    ahead: timedelta = AHEAD,
) -> None:
    """Make the temporary tables ``campaigns_judged`` and ``windows``.

    :param campaigns: rows of ``snapshot.solteq_campaigns``
    :param ahead: how far windows of days and hours are made, at least
    """
    times = connection.sql("SELECT DISTINCT unnest([valid_from, valid_to]) AS local FROM campaigns").fetchall()
    _register_instants(connection, (row[0] for row in times if row[0]), rules.zone)
    _register_recurring(connection, campaigns, rules.zone, now, ahead)
    harmless = [name.lower() for name in rules.harmless_fields]
    choices = {"campaign_choice": rules.campaign_choice, "web_store": rules.web_store.strip()}
    connection.execute(_JUDGED, {**choices, "harmless_fields": harmless})
    connection.execute(_WINDOWS)


def _register_instants(connection: duckdb.DuckDBPyConnection, locals_: Iterable[datetime], zone: ZoneInfo) -> None:
    rows = [(local, instant_of(local, zone)) for local in locals_]
    schema = {"local": pl.Datetime("us"), "utc": pl.Datetime("us")}
    connection.register("instants", pl.DataFrame(rows, schema=schema, orient="row"))


_RECURRING = """
SELECT id, valid_days, coalesce(valid_hours_from, TIME '00:00'), coalesce(valid_hours_to, TIME '00:00'),
    valid_from, valid_to
FROM campaigns WHERE len(valid_days) > 0 OR valid_hours_from IS NOT NULL
"""


def _register_recurring(
    connection: duckdb.DuckDBPyConnection, campaigns: Relation, zone: ZoneInfo, now: datetime, ahead: timedelta
) -> None:
    """The windows of the campaigns that hold on certain days or hours."""
    local_now = now.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)

    @cache
    def windows(days: tuple[str, ...], start: time, end: time, since: date, until: date) -> list[Window]:
        return weekly_windows(days, start, end, zone, since=since, until=until)

    rows: list[tuple[str, datetime, datetime]] = []
    for key, days, start, end, valid_from, valid_to in connection.sql(_RECURRING).fetchall():
        since, until = first_and_last_day(valid_from, valid_to, local_now, ahead)
        starts = instant_of(valid_from, zone) if valid_from else datetime.min  # noqa: DTZ901  UTC without a zone
        ends = instant_of(valid_to, zone) if valid_to else datetime.max  # noqa: DTZ901
        found = windows(tuple(days or ()), start, end, since, until)
        rows += [(key, *window) for window in clipped(found, starts, ends)]
    schema = {"id": pl.String, "starts": pl.Datetime("us"), "ends": pl.Datetime("us")}
    connection.register("recurring", pl.DataFrame(rows, schema=schema, orient="row"))


def price_products(
    connection: duckdb.DuckDBPyConnection,
    *,
    products: Relation,
    campaigns: Relation,
    history: Relation,
    links: Relation,
    rules: PricingRules,
    now: datetime,
    ahead: timedelta = AHEAD,
) -> None:
    """Make the temporary tables that the module begins with.

    :param products: rows of ``snapshot.solteq_products``
    :param campaigns: rows of ``snapshot.solteq_campaigns``
    :param history: rows of ``sync.price_history``
    :param links: rows of ``sync.links`` with kind ``product``
    :param now: what is over by then is left out
    :param ahead: how far windows of days and hours are made, at least
    """
    judge_campaigns(connection, campaigns, rules, now, ahead=ahead)
    connection.execute(_SOLD)
    connection.execute(_COVERED, {"now": now})
    connection.execute(_CANDIDATES, {"now": now})
    connection.execute(_OFFERS_NOW, {"now": now})
    connection.execute(LOWEST_PRICES, {"now": now})
    connection.execute(_OFFERS, {"now": now})


def next_edge(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    """When the first of the offers begins or ends, or tells another lowest price: until then all stays as it is."""
    edge = """CASE WHEN date_on_sale_from_gmt IS NOT NULL THEN opens
        ELSE least(CASE WHEN isfinite(closes) THEN closes END, CASE WHEN lowest_price_30d <> '' THEN holds_until END)
    END"""
    return connection.execute(f"SELECT min({edge}) FROM offers").fetchall()[0][0]
