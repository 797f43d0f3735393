"""Guard rails: a slip in the back office should not reach the shoppers.

They judge a delta in the transaction that stores it, so that no delivery meets a row that was not judged. What goes
too far is stopped, with what hangs on it; all other rows go on. The check of the rail says so.

A rail counts over a window, ``SOLTEQ_WOO_GUARD_RAIL_HOURS``: what is to be sent, and what was sent within it and is
still so, by whichever flow. In how many runs it comes makes no difference. What somebody let pass does not count.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import duckdb
import polars as pl

from solteq_woo_assets.engine import stopped
from solteq_woo_assets.engine.database import utc_now
from solteq_woo_assets.engine.ledger import SENT_ACTIONS
from solteq_woo_assets.engine.skus import sku_key
from solteq_woo_assets.flows.campaigns.pricing import public_price
from solteq_woo_assets.settings import Settings

LET_PASS_TAG = "solteq_woo/let_pass"  # noqa: S105  no password
KEYS_SHOWN = 20
FEW = 10
"""So many products are never too many to leave the shelf, nor so many customers to part: in a small shop each is a
large share."""
FEW_CUTS = 1
"""So many products may always be cut deeply. A wrong price sells at once, so it is the fewest that there can be."""
FEW_REMOVALS = 3
"""So many accounts may always be removed: people ask for it one by one, and what is removed is gone for good."""
_FLOWS = {
    "product_delta": "products",
    "campaign_price_delta": "campaigns",
    "balance_delta": "balances",
    "woo_customer_delta": "customers_to_woo",
    "sales_delta": "sales",
}


@dataclass(frozen=True)
class Verdict:
    """What a guard rail says of a delta.

    :param problems: in what the delta goes too far, in words; none: in nothing
    :param keys: the rows that do
    :param may_pass: whether somebody can mean it
    :param let_pass: rows that somebody let pass; they are not among ``keys``
    """

    rail: str
    problems: Sequence[str]
    keys: Sequence[str]
    metadata: Mapping[str, Any]
    may_pass: bool = True
    let_pass: Sequence[str] = ()


Rail = Callable[[duckdb.DuckDBPyConnection, Settings, datetime, str], Verdict]


@dataclass(frozen=True)
class Share:
    """How much goes through within the window.

    :param count: in this delta
    :param earlier: sent before within the window, and still so; not counted in ``count``
    :param of: how many there are
    :param may: how many may
    """

    count: int
    earlier: int
    of: int
    may: int

    @property
    def is_too_large(self) -> bool:
        """Whether this delta goes too far."""
        return self.count > 0 and self.count + self.earlier > self.may

    def earlier_words(self, settings: Settings) -> str:
        """What went through earlier, to be told after the count."""
        if not self.earlier:
            return ""
        return f", and {self.earlier} more went so within the last {settings.guard_rail_hours} hours"

    def metadata(self, settings: Settings) -> dict[str, int]:
        """For the check."""
        return {
            "due": self.count,
            "earlier_in_the_window": self.earlier,
            "of": self.of,
            "may": self.may,
            "window_hours": settings.guard_rail_hours,
        }


def share(count: int, earlier: int, of: int, *, percent: int, few: int) -> Share:
    """A share of which so many percent may go, and at least a few."""
    return Share(count, earlier, of, max(few, of * percent // 100))


def window_begin(settings: Settings, now: datetime) -> datetime:
    """Since when the ledger counts. Nothing ends the window: a clock that was set back hides nothing."""
    return min(now, utc_now()) - timedelta(hours=settings.guard_rail_hours)


PRICE_FIELDS = ["regular_price", "sale_price", "date_on_sale_from_gmt", "date_on_sale_to_gmt"]
_PRICE_FLOWS = {"product_delta": "campaign_price_delta", "campaign_price_delta": "product_delta"}
"""Both flows write prices, and may run side by side: each one's rail counts the other's rows, too."""


def _field(entries: str, field: str, otherwise: str, kind: str) -> str:
    """SQL: a field's value in a map of texts, where an empty one means none; or what is held."""
    return (
        f"CASE WHEN map_contains({entries}, '{field}') THEN nullif({entries}['{field}'], '')::{kind} "
        f"ELSE {otherwise}.{field} END AS {field}"
    )


def _fields(entries: str, otherwise: str) -> str:
    kinds = ["DECIMAL(18,4)", "DECIMAL(18,4)", "TIMESTAMP", "TIMESTAMP"]
    return ", ".join(_field(entries, field, otherwise, kind) for field, kind in zip(PRICE_FIELDS, kinds, strict=True))


def _has_prices(changes: str) -> str:
    return f"list_has_any(list_transform({changes}, lambda c: c.field), $fields)"


# The lowest price that a row has from now on, in a window to come too.
_LOWEST = (
    "CASE WHEN sale_price < regular_price AND coalesce(date_on_sale_to_gmt + INTERVAL 1 SECOND > $now, TRUE) "
    "THEN sale_price ELSE regular_price END"
)
# What the other flow's last comparison is about to write, or would if it were not stopped.
_OTHERS = """
SELECT key, woo_id, changes FROM delta.{other} AS row
WHERE (list_contains($sent, action) AND key NOT IN {others_passes}
        OR action = 'stopped' AND reason LIKE 'stopped by price_cuts%')
    AND NOT EXISTS (
        FROM sync.deliveries AS sent JOIN sync.comparisons AS made USING (flow)
        WHERE flow = $other_flow AND sent.key = row.key AND state <> 'pending' AND created_at >= computed_at
    )
"""
# What a shopper would pay now if nothing had been sent within the window, by what each field was before its first write
# in it. After a write that somebody let pass, the most since then: it was let pass once, and not once more.
_BEFORE = """
SELECT woo_id, map_from_entries(list((field, was))) AS was FROM (
    SELECT woo_id, field, arg_max(old, CASE
            WHEN passed_at IS NULL OR field LIKE 'date%' THEN -epoch(created_at)
            WHEN field = 'sale_price' THEN coalesce(nullif(old, '')::DOUBLE, 'inf'::DOUBLE)
            ELSE coalesce(nullif(old, '')::DOUBLE, 0)
        END) AS was
    FROM (
        SELECT woo_id, created_at, passed_at, change.field AS field, coalesce(change.old, '') AS old
        FROM (SELECT *, unnest(changes) AS change FROM writes LEFT JOIN passed USING (woo_id))
        WHERE created_at > passed_at OR passed_at IS NULL
    )
    WHERE list_contains($fields, field) GROUP BY ALL
) GROUP BY woo_id
"""
_PRICES = f"""
WITH changed AS (
    SELECT key, woo_id, is_own, map_from_entries(list_transform(changes, lambda c: (c.field, c.new))) AS new
    FROM (SELECT key, woo_id, changes, TRUE AS is_own FROM {{own}} UNION ALL SELECT *, FALSE FROM ({_OTHERS}))
    WHERE {_has_prices("changes")}
), writes AS MATERIALIZED (
    SELECT woo_id, created_at, delivery_id, changes FROM sync.deliveries
    WHERE created_at >= $begin AND flow IN ('products', 'campaigns') AND action <> 'create' AND woo_id IS NOT NULL
        AND {_has_prices("changes")}
), passed AS (
    SELECT woo_id, max(created_at) AS passed_at FROM writes WHERE delivery_id IN {{passed}} GROUP BY woo_id
), before AS ({_BEFORE}), held AS (
    SELECT item.*, before.woo_id IS NOT NULL AS is_sent, before.was
    FROM snapshot.woo_catalogue AS item LEFT JOIN before ON before.woo_id = item.id
    WHERE before.woo_id IS NOT NULL OR id IN (SELECT woo_id FROM changed)
), once AS (
    SELECT id, {_fields("was", "held")} FROM held
), paid AS (
    SELECT id, CASE WHEN id IN (SELECT woo_id FROM passed)
            THEN greatest({public_price("once", "$now")}, {public_price("held", "$now")})
            ELSE {public_price("once", "$now")} END AS price
    FROM once JOIN held USING (id)
), becomes AS (
    SELECT key, woo_id, is_own, {_fields("new", "held")} FROM changed LEFT JOIN held ON held.id = changed.woo_id
    UNION ALL
    SELECT NULL, id, FALSE, {", ".join(PRICE_FIELDS)} FROM held
    WHERE is_sent AND id NOT IN (SELECT woo_id FROM changed WHERE is_own AND woo_id IS NOT NULL)
), judged AS (
    SELECT key, woo_id, is_own, {_LOWEST} AS new_price, new_price < paid.price * (100 - $percent) * 0.01 AS is_cut
    FROM becomes LEFT JOIN paid ON paid.id = becomes.woo_id
), purchases AS (
    SELECT {sku_key("code")} AS sku, min(purchase_price) AS purchase_price
    FROM snapshot.solteq_products WHERE active AND NOT deleted GROUP BY ALL
)
SELECT
    list(key ORDER BY key) FILTER (is_own AND is_cut) AS cut,
    count(DISTINCT woo_id) FILTER (is_cut) AS cut_in_all,
    count(DISTINCT woo_id) FILTER (is_own AND is_cut) AS cut_here,
    list(key ORDER BY key) FILTER (is_own AND new_price < purchase_price) AS below_purchase_price,
    (SELECT count(*) FROM snapshot.woo_catalogue WHERE regular_price > 0 AND status <> 'trash') AS products
FROM judged LEFT JOIN purchases ON purchases.sku = {sku_key("key")}
"""


def price_cuts(connection: duckdb.DuckDBPyConnection, settings: Settings, now: datetime, delta: str) -> Verdict:
    """Not too many prices fall by too much within the window, and none below its purchase price when that is minded."""
    flow, other = _FLOWS[delta], _PRICE_FLOWS[delta]
    query = _PRICES.format(
        own=stopped.without_passes(delta, flow, "price_cuts"),
        other=other,
        others_passes=stopped.passes_of(_FLOWS[other], "price_cuts"),
        passed=stopped.passed_deliveries("price_cuts"),
    )
    given = {"sent": list(SENT_ACTIONS), "now": now, "begin": window_begin(settings, now), "fields": PRICE_FIELDS}
    cut, in_all, here, below, products = connection.execute(
        query, {**given, "percent": settings.price_cut_percent, "other_flow": _FLOWS[other]}
    ).fetchall()[0]
    cut, below = cut or [], below or []
    counted = share(here, in_all - here, products, percent=settings.price_cut_products_percent, few=FEW_CUTS)
    problems: list[str] = []
    keys = _stopped_in_products(connection, delta)
    if keys:
        problems.append(f"{len(keys)} of its prices are of products that product_delta may not write (price_cuts)")
    if counted.is_too_large:
        keys += cut
        problems.append(
            f"it cuts the price of {here} of the store's {products} products by more than "
            f"{settings.price_cut_percent} %{counted.earlier_words(settings)} "
            f"(SOLTEQ_WOO_PRICE_CUT_PRODUCTS_PERCENT allows {settings.price_cut_products_percent} %, {counted.may})"
        )
    if below and settings.mind_purchase_price:
        keys += below
        problems.append(f"it sells {len(below)} products below their purchase price (SOLTEQ_WOO_MIND_PURCHASE_PRICE)")
    metadata = {
        "cut": len(cut),
        "cut_keys": cut[:KEYS_SHOWN],
        "below_purchase_price": len(below),
        "below_purchase_price_keys": below[:KEYS_SHOWN],
        "products": products,
        **counted.metadata(settings),
    }
    return Verdict("price_cuts", problems, keys, metadata)


def _stopped_in_products(connection: duckdb.DuckDBPyConnection, delta: str) -> list[str]:
    """Rows of campaigns whose product's own price is stopped: they would bring it to the store all the same."""
    if delta == "product_delta":
        return []
    rows = stopped.without_passes(delta, _FLOWS[delta], "price_cuts")
    return _keys(
        connection,
        f"SELECT key FROM {rows} WHERE {sku_key('key')} IN (SELECT "
        f"{sku_key('key')} FROM delta.product_delta WHERE action = 'stopped' AND reason LIKE 'stopped by price_cuts%') "
        "ORDER BY key",
    )


# Of what the store does not count, it says itself whether there is any. A family is in stock by its variations.
_IN_STOCK = (
    "(held.stock_quantity > 0 OR held.manage_stock IS NOT TRUE AND held.stock_status = 'instock' "
    "AND held.type NOT IN ('variable', 'grouped'))"
)
# Writes of ours alone: what shoppers bought, the store has counted down itself.
_OUT_OF_STOCK = f"""
WITH earlier AS (
    SELECT DISTINCT woo_id FROM (
        SELECT
            woo_id, state, list_filter(changes, lambda c: c.field = 'stock_quantity')[1] AS quantity,
            list_contains(list_transform(changes, lambda c: c.field), 'manage_stock') AS was_not_counted
        FROM sync.deliveries
        WHERE created_at >= $begin AND flow = 'balances' AND delivery_id NOT IN {{passed}}
    ) LEFT JOIN snapshot.woo_catalogue AS held ON held.id = woo_id
    WHERE quantity.new::BIGINT <= 0 AND (quantity.old::BIGINT > 0 OR was_not_counted)
        AND (state = 'pending' OR NOT {_IN_STOCK})
), changed AS (
    SELECT key, woo_id, list_filter(changes, lambda c: c.field = 'stock_quantity')[1].new::BIGINT AS quantity
    FROM {{own}}
), sold_out AS (
    SELECT key, woo_id FROM changed JOIN snapshot.woo_catalogue AS held ON held.id = woo_id
    WHERE {_IN_STOCK} AND quantity <= 0
)
SELECT
    (SELECT list(key ORDER BY key) FROM sold_out),
    (SELECT count(*) FROM earlier WHERE woo_id NOT IN (SELECT woo_id FROM sold_out)),
    (SELECT count(*) FROM snapshot.woo_catalogue AS held
        WHERE status <> 'trash' AND ({_IN_STOCK} OR id IN (SELECT woo_id FROM earlier)))
"""


def out_of_stock(connection: duckdb.DuckDBPyConnection, settings: Settings, now: datetime, delta: str) -> Verdict:
    """Not too many of the products that are in stock go out of it within the window."""
    sold_out, earlier, in_stock = connection.execute(
        _OUT_OF_STOCK.format(
            own=stopped.without_passes(delta, _FLOWS[delta], "out_of_stock"),
            passed=stopped.passed_deliveries("out_of_stock"),
        ),
        {"sent": list(SENT_ACTIONS), "begin": window_begin(settings, now)},
    ).fetchall()[0]
    sold_out = sold_out or []
    percent = settings.out_of_stock_products_percent
    counted = share(len(sold_out), earlier, in_stock, percent=percent, few=FEW)
    problem = (
        f"it takes {counted.count} of the {in_stock} products that are in stock out of it"
        f"{counted.earlier_words(settings)} "
        f"(SOLTEQ_WOO_OUT_OF_STOCK_PRODUCTS_PERCENT allows {percent} %, {counted.may})"
    )
    metadata = {
        **{"out_of_stock": counted.count, "in_stock": in_stock, "keys": sold_out[:KEYS_SHOWN]},
        **counted.metadata(settings),
    }
    return Verdict("out_of_stock", [problem] if counted.is_too_large else [], sold_out, metadata)


_UNPUBLISHED = """
WITH earlier AS (
    SELECT DISTINCT woo_id FROM sync.deliveries AS sent LEFT JOIN snapshot.woo_catalogue AS held ON held.id = woo_id
    WHERE created_at >= $begin AND flow = 'products' AND action = 'withdraw' AND delivery_id NOT IN {passed}
        AND (state = 'pending' OR held.status <> 'publish')
), withdrawn AS (SELECT key, woo_id FROM {own} WHERE action = 'withdraw')
SELECT
    (SELECT list(key ORDER BY key) FROM withdrawn),
    (SELECT count(*) FROM earlier WHERE woo_id NOT IN (SELECT woo_id FROM withdrawn WHERE woo_id IS NOT NULL)),
    (SELECT count(*) FROM snapshot.woo_catalogue WHERE status = 'publish' OR id IN (SELECT woo_id FROM earlier))
"""


def unpublished(connection: duckdb.DuckDBPyConnection, settings: Settings, now: datetime, delta: str) -> Verdict:
    """Not too many products leave the shelf within the window: inactive or deleted in Solteq, or gone from its feed."""
    withdrawn, earlier, on_sale = connection.execute(
        _UNPUBLISHED.format(
            own=stopped.without_passes(delta, _FLOWS[delta], "unpublished"),
            passed=stopped.passed_deliveries("unpublished"),
        ),
        {"sent": list(SENT_ACTIONS), "begin": window_begin(settings, now)},
    ).fetchall()[0]
    withdrawn = withdrawn or []
    percent = settings.unpublished_products_percent
    counted = share(len(withdrawn), earlier, on_sale, percent=percent, few=FEW)
    problem = (
        f"it takes {counted.count} of the store's {on_sale} published products off sale"
        f"{counted.earlier_words(settings)} (SOLTEQ_WOO_UNPUBLISHED_PRODUCTS_PERCENT allows {percent} %, {counted.may})"
    )
    metadata = {
        **{"off_sale": counted.count, "published": on_sale, "keys": withdrawn[:KEYS_SHOWN]},
        **counted.metadata(settings),
    }
    return Verdict("unpublished", [problem] if counted.is_too_large else [], withdrawn, metadata)


# A document in sync.sales has left, or may have; what was adopted from Solteq was not sent from here.
_REVERSALS = """
WITH sent AS (
    SELECT key, kind, state, delivery_id FROM sync.deliveries WHERE created_at >= $begin AND flow = 'sales'
), due AS (
    SELECT key, woo_id, coalesce(gone, status) AS why
    FROM {own} JOIN snapshot.woo_sales AS sold ON sold.id = woo_id
    WHERE kind = 'refund' AND refund_id IS NULL AND key NOT IN (SELECT external_id FROM sync.sales)
), earlier AS (
    SELECT DISTINCT order_id FROM sync.sales JOIN sent ON sent.key = external_id
    WHERE type = 'Refund' AND refund_id IS NULL AND delivery_id NOT IN {passed}
)
SELECT
    (SELECT list(key ORDER BY key) FROM due), (SELECT count(DISTINCT woo_id) FROM due),
    (SELECT count(DISTINCT woo_id) FROM due WHERE why IN ('binned', 'deleted')),
    (SELECT count(*) FROM earlier WHERE order_id NOT IN (SELECT woo_id FROM due)),
    (SELECT count(DISTINCT key) FROM sent WHERE kind = 'sale' AND state = 'delivered')
"""


def reversals(connection: duckdb.DuckDBPyConnection, settings: Settings, now: datetime, delta: str) -> Verdict:
    """Not too many booked sales are reversed within the window: a restored backup lacks orders, a plugin cancels them
    all.

    By orders. What an earlier run sent without an answer was judged then.
    """
    keys, count, gone, earlier, booked = connection.execute(
        _REVERSALS.format(
            own=stopped.without_passes(delta, _FLOWS[delta], "reversals"),
            passed=stopped.passed_deliveries("reversals"),
        ),
        {"sent": list(SENT_ACTIONS), "begin": window_begin(settings, now)},
    ).fetchall()[0]
    keys = keys or []
    counted = share(count, earlier, booked, percent=settings.reversals_percent, few=settings.reversals_at_once)
    problem = (
        f"it reverses {count} booked sales, {gone} of them because their orders are gone from the store"
        f"{counted.earlier_words(settings)} (SOLTEQ_WOO_REVERSALS_AT_ONCE allows {settings.reversals_at_once}, "
        f"SOLTEQ_WOO_REVERSALS_PERCENT {settings.reversals_percent} % of the {booked} sales booked meanwhile)"
    )
    metadata = {
        **{"reversals": count, "of_orders_that_are_gone": gone, "keys": keys[:KEYS_SHOWN]},
        **counted.metadata(settings),
    }
    return Verdict("reversals", [problem] if counted.is_too_large else [], keys, metadata)


_REMOVALS = """
WITH earlier AS (
    SELECT DISTINCT woo_id FROM sync.deliveries LEFT JOIN snapshot.woo_customer_accounts AS held ON held.id = woo_id
    WHERE created_at >= $begin AND flow = 'customers_to_woo' AND action = 'remove' AND delivery_id NOT IN {passed}
        AND (state = 'pending' OR held.id IS NULL)
), removed AS (SELECT key, woo_id FROM {own} WHERE action = 'remove')
SELECT
    (SELECT list(key ORDER BY key) FROM removed),
    (SELECT count(*) FROM earlier WHERE woo_id NOT IN (SELECT woo_id FROM removed)),
    (SELECT count(*) FROM (SELECT id FROM snapshot.woo_customer_accounts UNION SELECT woo_id FROM earlier))
"""


def removals(connection: duckdb.DuckDBPyConnection, settings: Settings, now: datetime, delta: str) -> Verdict:
    """Not too many accounts are removed within the window: the store keeps nothing of a removed account."""
    removed, earlier, accounts = connection.execute(
        _REMOVALS.format(
            own=stopped.without_passes(delta, _FLOWS[delta], "removals"), passed=stopped.passed_deliveries("removals")
        ),
        {"sent": list(SENT_ACTIONS), "begin": window_begin(settings, now)},
    ).fetchall()[0]
    removed = removed or []
    percent = settings.customer_removals_percent
    counted = share(len(removed), earlier, accounts, percent=percent, few=FEW_REMOVALS)
    problem = (
        f"it removes {counted.count} of the store's {accounts} accounts{counted.earlier_words(settings)} "
        f"(SOLTEQ_WOO_CUSTOMER_REMOVALS_PERCENT allows {percent} %, {counted.may})"
    )
    metadata = {"removed": counted.count, "accounts": accounts, **counted.metadata(settings)}
    return Verdict("removals", [problem] if counted.is_too_large else [], removed, metadata)


_PARTINGS = """
WITH earlier AS (
    SELECT solteq_id FROM sync.customers WHERE state = 'unlinked' AND since >= $begin AND 'link ' || solteq_id NOT IN (
        SELECT key FROM sync.stopped WHERE rail = 'partings' AND let_pass_at IS NOT NULL)
)
SELECT
    (SELECT list(key ORDER BY key) FROM {own} WHERE action = 'part'),
    (SELECT count(*) FROM earlier),
    (SELECT count(*) FROM sync.customers WHERE state = 'linked')
"""


def partings(connection: duckdb.DuckDBPyConnection, settings: Settings, now: datetime, delta: str) -> Verdict:
    """Not too many customers and accounts part within the window: what both sides agreed on is forgotten then.

    A feed that shows everybody as deleted, or a store without its accounts, is no reason to.
    """
    parted, earlier, linked = connection.execute(
        _PARTINGS.format(own=stopped.without_passes(delta, _FLOWS[delta], "partings")),
        {"sent": list(stopped.STOPPABLE), "begin": window_begin(settings, now)},
    ).fetchall()[0]
    parted = parted or []
    percent = settings.customer_removals_percent
    counted = share(len(parted), earlier, linked + earlier, percent=percent, few=FEW)
    problem = (
        f"it parts {counted.count} of {linked} customers from their accounts{counted.earlier_words(settings)} "
        f"(SOLTEQ_WOO_CUSTOMER_REMOVALS_PERCENT allows {percent} %, {counted.may})"
    )
    metadata = {"parted": counted.count, "linked": linked, "keys": parted[:KEYS_SHOWN], **counted.metadata(settings)}
    return Verdict("partings", [problem] if counted.is_too_large else [], parted, metadata)


def no_sku_twice(connection: duckdb.DuckDBPyConnection, settings: Settings, now: datetime, delta: str) -> Verdict:
    """No SKU is written twice in one delivery: one product would get another's price."""
    del settings, now
    keys = _keys(
        connection,
        f"SELECT key FROM delta.{delta} WHERE list_contains($sent, action) "
        f"QUALIFY count(*) OVER (PARTITION BY {sku_key('key')}) > 1 ORDER BY key",
    )
    return _wrong("no_sku_twice", keys, "have a SKU that others in it have, too")


def prices_are_positive(
    connection: duckdb.DuckDBPyConnection, settings: Settings, now: datetime, delta: str
) -> Verdict:
    """Every sales price to be written is above zero, and every sale price above zero and below it."""
    del settings, now
    keys = _keys(
        connection,
        "WITH prices AS (SELECT key, map_from_entries(list_transform(changes, lambda c: (c.field, c.new))) AS new "
        f"FROM delta.{delta} WHERE list_contains($sent, action)) "
        "SELECT key FROM prices WHERE new['regular_price']::DECIMAL(18,4) <= 0 "
        "OR nullif(new['sale_price'], '')::DECIMAL(18,4) <= 0 "
        "OR nullif(new['sale_price'], '')::DECIMAL(18,4) >= new['regular_price']::DECIMAL(18,4) ORDER BY key",
    )
    return _wrong("prices_are_positive", keys, "have a price of nothing, or a sale price that is no reduction")


def no_stock_twice(connection: duckdb.DuckDBPyConnection, settings: Settings, now: datetime, delta: str) -> Verdict:
    """No store product gets two quantities in one delivery."""
    del settings, now
    keys = _keys(
        connection,
        f"SELECT key FROM delta.{delta} WHERE list_contains($sent, action) AND woo_id IS NOT NULL "
        "QUALIFY count(*) OVER (PARTITION BY woo_id) > 1 ORDER BY key",
    )
    return _wrong("no_stock_twice", keys, "are of a store product that others in it are of, too")


def _keys(connection: duckdb.DuckDBPyConnection, query: str) -> list[str]:
    return [row[0] for row in connection.execute(query, {"sent": list(SENT_ACTIONS)}).fetchall()]


def _wrong(rail: str, keys: Sequence[str], what: str) -> Verdict:
    """Of rows that nobody can mean."""
    problems = [f"{len(keys)} of its rows {what} ({', '.join(keys[:KEYS_SHOWN])})"] if keys else []
    return Verdict(rail, problems, keys, {"count": len(keys), "keys": list(keys[:KEYS_SHOWN])}, may_pass=False)


RAILS: Mapping[str, Sequence[Rail]] = {
    "product_delta": [no_sku_twice, prices_are_positive, price_cuts, unpublished],
    "campaign_price_delta": [price_cuts],
    "balance_delta": [no_stock_twice, out_of_stock],
    "woo_customer_delta": [partings, removals],
    "sales_delta": [reversals],
}
"""The rails of each delta; a rail is called by its function's name."""


def check_specs(delta: str) -> list[dg.AssetCheckSpec]:
    """The checks by which the rails of a delta say what they stopped. They do not block: the other rows go on."""
    return [
        dg.AssetCheckSpec(rail.__name__, asset=delta, description=(rail.__doc__ or "").partition("\n\n")[0])
        for rail in RAILS[delta]
    ]


def guard(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    now: datetime,
    delta: str,
    *,
    let_pass: Sequence[str] | None = None,
    judged: Collection[str] = (),
) -> tuple[pl.DataFrame, list[Verdict]]:
    """Judge a delta that was just stored, and stop the rows that go too far with what hangs on them.

    :param let_pass: names of rails: what they had stopped before, and still is as it was, may go. ``None``: this is not
        the run of the delta's own flow; it lets nothing pass, and what is stopped stays so
    :param judged: keys that were judged a moment ago and may go
    :return: the delta as it is now, and what each rail says
    """
    flow = _FLOWS[delta]
    stopped.forget(connection, flow, delta, utc_now(), window_begin(settings, now))
    if let_pass:
        stopped.let_pass(connection, flow, let_pass, utc_now())
    passes = stopped.passes(connection, flow, delta)
    verdicts = [
        replace(verdict, let_pass=passes.get(verdict.rail, []))
        for verdict in (rail(connection, settings, now, delta) for rail in RAILS[delta])
    ]
    stays = stopped.held(connection, flow) if let_pass is None else {}
    stops = {
        verdict.rail: _stops(connection, delta, verdict, stays.get(verdict.rail, [])) - set(judged)
        for verdict in verdicts
    }
    lasting = {verdict.rail: list(stops[verdict.rail]) for verdict in verdicts if verdict.may_pass}
    stopped.remember(connection, flow, delta, lasting, utc_now())
    for rail, keys in stops.items():
        _stop(connection, delta, keys, rail)
    return connection.table(f"delta.{delta}").pl(), verdicts


def _stops(connection: duckdb.DuckDBPyConnection, delta: str, verdict: Verdict, stays: Collection[str]) -> set[str]:
    keys = verdict.keys if verdict.problems else []
    return _with_dependents(connection, delta, keys) | set(stays) if keys or stays else set()


def _stop(connection: duckdb.DuckDBPyConnection, delta: str, keys: Collection[str], rail: str) -> None:
    meant = stopped.frame(keys)  # noqa: F841  DuckDB reads it
    connection.execute(
        f"UPDATE delta.{delta} SET action = 'stopped', reason = $why || reason "
        "WHERE list_contains($sent, action) AND key IN (SELECT key FROM meant)",
        {"sent": list(stopped.STOPPABLE), "why": f"stopped by {rail}: "},
    )


# Who waits for the SKU of another, the family of a parent, and a parent that is converted for a variation.
_DEPENDENTS = f"""
WITH RECURSIVE skus AS (
    SELECT key, {sku_key("change.new")} AS taken, nullif({sku_key("change.old")}, '') AS given
    FROM (SELECT key, unnest(changes) AS change FROM delta.{{delta}}) WHERE change.field = 'sku'
), stopped AS (
    SELECT key FROM meant
    UNION
    SELECT later.key FROM stopped JOIN skus USING (key) JOIN skus AS later ON later.taken = skus.given
), parents AS (
    SELECT {sku_key("key")} AS key FROM stopped
    UNION
    SELECT {sku_key("parent.key")} FROM delta.{{delta}} AS parent JOIN delta.{{delta}} AS child
        ON {sku_key("child.parent_key")} = {sku_key("parent.key")}
    WHERE parent.action = 'convert' AND child.key IN (SELECT key FROM stopped)
)
SELECT key FROM delta.{{delta}} WHERE key IN (SELECT key FROM stopped) OR {sku_key("parent_key")} IN (FROM parents)
    OR kind <> 'variation' AND {sku_key("key")} IN (FROM parents)
"""


def _with_dependents(connection: duckdb.DuckDBPyConnection, delta: str, keys: Collection[str]) -> set[str]:
    """The rows, and those that would be wrong without them."""
    meant = stopped.frame(keys)  # noqa: F841  DuckDB reads it
    if delta == "sales_delta":  # of an order what comes after its reversal: the sale that takes its place, its refunds
        query = (
            "SELECT later.key FROM delta.sales_delta AS later JOIN delta.sales_delta AS stopped USING (woo_id) "
            "WHERE stopped.key IN (SELECT key FROM meant) AND later.version > stopped.version"
        )
    else:
        query = _DEPENDENTS.format(delta=delta)
    return {*keys, *(row[0] for row in connection.execute(query).fetchall())}


def report(
    context: dg.AssetExecutionContext, delta: str, verdicts: Iterable[Verdict], let_pass: Sequence[str]
) -> list[dg.AssetCheckResult]:
    """The results of the rails' checks; what was let pass is in the run's tags.

    :param let_pass: the rails that were to let pass what they had stopped
    """
    return [
        _result(context, delta, verdict, is_asked=verdict.rail in let_pass)
        if verdict.may_pass
        else _wrong_result(context, verdict)
        for verdict in verdicts
    ]


def _result(context: dg.AssetExecutionContext, delta: str, verdict: Verdict, *, is_asked: bool) -> dg.AssetCheckResult:
    if verdict.let_pass:
        _tag(context, f"{delta}: {verdict.rail}")
        context.log.warning(f"Let pass by {verdict.rail}: {len(verdict.let_pass)} rows of {delta}.")
    problems = "; ".join(verdict.problems)
    unseen = "What was stopped before, and is as it was, passes; these are new or have changed. " if is_asked else ""
    words = (
        f"These writes are stopped, the others are sent: {problems}. {unseen}If that is meant, run the job from the "
        f"launchpad with ops: {{{delta}: {{config: {{let_pass: [{verdict.rail}]}}}}}}, or solteq-woo sync with "
        "--let-pass."
    )
    if problems:
        context.log.warning(words)
    return dg.AssetCheckResult(
        check_name=verdict.rail,
        passed=not problems,
        metadata={**verdict.metadata, "let_pass": len(verdict.let_pass)},
        description=words if problems else None,
    )


def _wrong_result(context: dg.AssetExecutionContext, verdict: Verdict) -> dg.AssetCheckResult:
    problems = "; ".join(verdict.problems)
    words = f"These rows are wrong and are not sent, the others are: {problems}. Correct the records in Solteq."
    if problems:
        context.log.warning(words)
    return dg.AssetCheckResult(
        check_name=verdict.rail,
        passed=not problems,
        metadata=dict(verdict.metadata),
        description=words if problems else None,
    )


def _tag(context: dg.AssetExecutionContext, what: str) -> None:
    """Say in the run's tags what was let pass; one run may let several pass."""
    run = context.instance.get_run_by_id(context.run.run_id)
    before = run.tags.get(LET_PASS_TAG) if run else None
    context.instance.add_run_tags(context.run.run_id, {LET_PASS_TAG: ", ".join(filter(None, (before, what)))})
