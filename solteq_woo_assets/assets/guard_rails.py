"""Guard rails: a slip in the back office should not reach the shoppers.

They judge a delta in the transaction that stores it, so that no delivery meets a row that was not judged. What goes
too far is stopped, with what hangs on it; all other rows go on. The check of the rail says so.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import dagster as dg
import duckdb
import polars as pl

from solteq_woo_assets.rules.pricing import public_price
from solteq_woo_assets.rules.skus import sku_key
from solteq_woo_assets.settings import Settings
from solteq_woo_assets.sync.ledger import SENT_ACTIONS

LET_PASS_TAG = "solteq_woo/let_pass"  # noqa: S105  no password
KEYS_SHOWN = 20
FEW = 10
"""So many products are never too many to leave the shelf at once."""


@dataclass(frozen=True)
class Verdict:
    """What a guard rail says of a delta.

    :param problems: in what the delta goes too far, in words; none: in nothing
    :param keys: the rows that do
    :param may_pass: whether somebody can mean it
    """

    rail: str
    problems: Sequence[str]
    keys: Sequence[str]
    metadata: Mapping[str, Any]
    may_pass: bool = True


Rail = Callable[[duckdb.DuckDBPyConnection, Settings, datetime, str], Verdict]

# What a shopper pays now, and the lowest price that the delta brings, now or in a window to come.
_PRICES = f"""
WITH changed AS (
    SELECT key, woo_id, map_from_entries(list_transform(changes, lambda c: (c.field, c.new))) AS new
    FROM delta.{{delta}} WHERE list_contains($sent, action)
), prices AS (
    SELECT
        changed.key, {public_price("held", "$now")} AS old_price,
        coalesce(new['regular_price']::DECIMAL(18,4), held.regular_price) AS regular_price,
        CASE WHEN map_contains(new, 'sale_price') THEN nullif(new['sale_price'], '')::DECIMAL(18,4)
            ELSE held.sale_price END AS sale_price
    FROM changed LEFT JOIN snapshot.woo_catalogue AS held ON held.id = changed.woo_id
    WHERE len(list_intersect(map_keys(new),
        ['regular_price', 'sale_price', 'date_on_sale_from_gmt', 'date_on_sale_to_gmt'])) > 0
), lowest AS (
    SELECT key, old_price, least(regular_price, coalesce(sale_price, regular_price)) AS new_price FROM prices
), purchases AS (
    SELECT {sku_key("code")} AS sku, min(purchase_price) AS purchase_price
    FROM snapshot.solteq_products WHERE active AND NOT deleted GROUP BY ALL
)
SELECT
    list(key ORDER BY key) FILTER (new_price < old_price * (100 - $percent) * 0.01) AS cut,
    list(key ORDER BY key) FILTER (new_price < purchase_price) AS below_purchase_price,
    (SELECT count(*) FROM snapshot.woo_catalogue WHERE regular_price > 0 AND status <> 'trash') AS products
FROM lowest LEFT JOIN purchases ON purchases.sku = {sku_key("key")}
"""


def price_cuts(connection: duckdb.DuckDBPyConnection, settings: Settings, now: datetime, delta: str) -> Verdict:
    """Not too many prices fall by too much at once, and none below its purchase price when that is minded."""
    cut, below, products = connection.execute(
        _PRICES.format(delta=delta),
        {"sent": list(SENT_ACTIONS), "now": now, "percent": settings.price_cut_percent},
    ).fetchall()[0]
    cut, below = cut or [], below or []
    problems: list[str] = []
    keys = _stopped_in_products(connection, delta)
    if keys:
        problems.append(f"{len(keys)} of its prices are of products that product_delta may not write (price_cuts)")
    if len(cut) * 100 > settings.price_cut_products_percent * products:
        keys += cut
        problems.append(
            f"it cuts the price of {len(cut)} of the store's {products} products by more than "
            f"{settings.price_cut_percent} % (SOLTEQ_WOO_PRICE_CUT_PRODUCTS_PERCENT allows "
            f"{settings.price_cut_products_percent} %)"
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
    }
    return Verdict("price_cuts", problems, keys, metadata)


def _stopped_in_products(connection: duckdb.DuckDBPyConnection, delta: str) -> list[str]:
    """Rows of campaigns whose product's own price is stopped: they would bring it to the store all the same."""
    if delta == "product_delta":
        return []
    return _keys(
        connection,
        f"SELECT key FROM delta.{delta} WHERE list_contains($sent, action) AND {sku_key('key')} IN (SELECT "
        f"{sku_key('key')} FROM delta.product_delta WHERE action = 'stopped' AND reason LIKE 'stopped by price_cuts%') "
        "ORDER BY key",
    )


# Of what the store does not count, it says itself whether there is any. A family is in stock by its variations.
_IN_STOCK = (
    "(held.stock_quantity > 0 OR held.manage_stock IS NOT TRUE AND held.stock_status = 'instock' "
    "AND held.type NOT IN ('variable', 'grouped'))"
)


def out_of_stock(connection: duckdb.DuckDBPyConnection, settings: Settings, now: datetime, delta: str) -> Verdict:
    """Not too many of the products that are in stock go out of it at once."""
    del now
    sold_out, in_stock = connection.execute(
        "WITH changed AS (SELECT key, woo_id, "
        "map_from_entries(list_transform(changes, lambda c: (c.field, c.new)))['stock_quantity'] AS quantity "
        f"FROM delta.{delta} WHERE list_contains($sent, action)) "
        f"SELECT list(key ORDER BY key) FILTER ({_IN_STOCK} AND quantity::BIGINT <= 0), "
        f"(SELECT count(*) FROM snapshot.woo_catalogue AS held WHERE {_IN_STOCK} AND status <> 'trash') "
        "FROM changed JOIN snapshot.woo_catalogue AS held ON held.id = changed.woo_id",
        {"sent": list(SENT_ACTIONS)},
    ).fetchall()[0]
    sold_out = sold_out or []
    problem = (
        f"it takes {len(sold_out)} of the {in_stock} products that are in stock out of it "
        f"(SOLTEQ_WOO_OUT_OF_STOCK_PRODUCTS_PERCENT allows {settings.out_of_stock_products_percent} %)"
    )
    return Verdict(
        "out_of_stock",
        [problem] if _are_too_many(sold_out, in_stock, settings.out_of_stock_products_percent) else [],
        sold_out,
        {"out_of_stock": len(sold_out), "in_stock": in_stock, "keys": sold_out[:KEYS_SHOWN]},
    )


def unpublished(connection: duckdb.DuckDBPyConnection, settings: Settings, now: datetime, delta: str) -> Verdict:
    """Not too many products leave the shelf at once: inactive or deleted in Solteq, or gone from its feed."""
    del now
    withdrawn, on_sale = connection.execute(
        f"SELECT (SELECT list(key ORDER BY key) FROM delta.{delta} WHERE action = 'withdraw'), "
        "(SELECT count(*) FROM snapshot.woo_catalogue WHERE status = 'publish')"
    ).fetchall()[0]
    withdrawn = withdrawn or []
    problem = (
        f"it takes {len(withdrawn)} of the store's {on_sale} published products off sale "
        f"(SOLTEQ_WOO_UNPUBLISHED_PRODUCTS_PERCENT allows {settings.unpublished_products_percent} %)"
    )
    return Verdict(
        "unpublished",
        [problem] if _are_too_many(withdrawn, on_sale, settings.unpublished_products_percent) else [],
        withdrawn,
        {"off_sale": len(withdrawn), "published": on_sale, "keys": withdrawn[:KEYS_SHOWN]},
    )


def _are_too_many(keys: Sequence[str], of: int, percent: int) -> bool:
    """A few products never are: in a small shop each is a large share."""
    return len(keys) > FEW and len(keys) * 100 > percent * of


def reversals(connection: duckdb.DuckDBPyConnection, settings: Settings, now: datetime, delta: str) -> Verdict:
    """Not too many booked sales are reversed at once: a restored backup lacks orders, a plugin cancels them all.

    What an earlier run sent without an answer was judged then.
    """
    del now
    rows = connection.execute(
        f"SELECT key, coalesce(gone, status) FROM delta.{delta} JOIN snapshot.woo_sales AS sold ON sold.id = woo_id "
        "WHERE kind = 'refund' AND refund_id IS NULL AND list_contains($sent, action) "
        "AND key NOT IN (SELECT external_id FROM sync.sales) ORDER BY key",
        {"sent": list(SENT_ACTIONS)},
    ).fetchall()
    keys = [key for key, _ in rows]
    gone = sum(why in ("binned", "deleted") for _, why in rows)
    problem = (
        f"it reverses {len(keys)} booked sales, {gone} of them because their orders are gone from the store "
        f"(SOLTEQ_WOO_REVERSALS_AT_ONCE allows {settings.reversals_at_once})"
    )
    return Verdict(
        "reversals",
        [problem] if len(keys) > settings.reversals_at_once else [],
        keys,
        {"reversals": len(keys), "of_orders_that_are_gone": gone, "keys": keys[:KEYS_SHOWN]},
    )


def removals(connection: duckdb.DuckDBPyConnection, settings: Settings, now: datetime, delta: str) -> Verdict:
    """Not too many accounts are removed at once: the store keeps nothing of a removed account."""
    del now
    removed, accounts = connection.execute(
        f"SELECT (SELECT list(key ORDER BY key) FROM delta.{delta} WHERE action = 'remove'), "
        "(SELECT count(*) FROM snapshot.woo_customer_accounts)"
    ).fetchall()[0]
    removed = removed or []
    problem = (
        f"it removes {len(removed)} of the store's {accounts} accounts (SOLTEQ_WOO_CUSTOMER_REMOVALS_PERCENT allows "
        f"{settings.customer_removals_percent} %)"
    )
    is_problem = len(removed) * 100 > settings.customer_removals_percent * accounts
    metadata = {"removed": len(removed), "accounts": accounts}
    return Verdict("removals", [problem] if is_problem else [], removed, metadata)


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
    "woo_customer_delta": [removals],
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
    let_pass: Sequence[str] = (),
    judged: Collection[str] = (),
) -> tuple[pl.DataFrame, list[Verdict]]:
    """Judge a delta that was just stored, and stop the rows that go too far with what hangs on them.

    :param let_pass: names of rails that stop nothing this time
    :param judged: keys that were judged a moment ago and may go
    :return: the delta as it is now, and what each rail says
    """
    verdicts = [rail(connection, settings, now, delta) for rail in RAILS[delta]]
    for verdict in verdicts:
        if verdict.problems and not (verdict.may_pass and verdict.rail in let_pass):
            keys = set(verdict.keys).difference(judged)
            _stop(connection, delta, _with_dependents(connection, delta, keys) - set(judged), verdict.rail)
    return connection.table(f"delta.{delta}").pl(), verdicts


def _stop(connection: duckdb.DuckDBPyConnection, delta: str, keys: Collection[str], rail: str) -> None:
    connection.execute(
        f"UPDATE delta.{delta} SET action = 'stopped', reason = $why || reason "
        "WHERE list_contains($sent, action) AND list_contains($keys, key)",
        {"sent": list(SENT_ACTIONS), "keys": list(keys), "why": f"stopped by {rail}: "},
    )


_SKUS = f"""
SELECT key, {sku_key("change.new")} AS wanted, nullif({sku_key("change.old")}, '') AS given
FROM (SELECT key, unnest(changes) AS change FROM delta.{{delta}}) WHERE change.field = 'sku'
"""
"""The SKU that a row takes, and the one that it gives away."""


def _with_dependents(connection: duckdb.DuckDBPyConnection, delta: str, keys: Collection[str]) -> set[str]:
    """The rows, and those that would be wrong without them."""
    if delta == "sales_delta":  # of an order what comes after its reversal: the sale that takes its place, its refunds
        query = (
            "SELECT later.key FROM delta.sales_delta AS later JOIN delta.sales_delta AS stopped USING (woo_id) "
            "WHERE list_contains($keys, stopped.key) AND later.version > stopped.version"
        )
    else:  # the family of a parent, a parent that is converted for a variation, and who waits for the SKU of another
        parents = (
            f"SELECT lower(trim(key)) FROM delta.{delta} WHERE list_contains($keys, key) UNION "
            f"SELECT lower(trim(parent.key)) FROM delta.{delta} AS parent JOIN delta.{delta} AS child "
            "ON lower(trim(child.parent_key)) = lower(trim(parent.key)) "
            "WHERE parent.action = 'convert' AND list_contains($keys, child.key)"
        )
        query = (
            f"WITH RECURSIVE parents AS ({parents}), skus AS ({_SKUS.format(delta=delta)}), waiting AS ("
            "SELECT later.key, later.given FROM skus JOIN skus AS later ON later.wanted = skus.given "
            "WHERE list_contains($keys, skus.key) "
            "UNION SELECT later.key, later.given FROM waiting JOIN skus AS later ON later.wanted = waiting.given) "
            f"SELECT key FROM delta.{delta} WHERE lower(trim(parent_key)) IN (FROM parents) "
            "OR kind <> 'variation' AND lower(trim(key)) IN (FROM parents) OR key IN (SELECT key FROM waiting)"
        )
    return {*keys, *(row[0] for row in connection.execute(query, {"keys": list(keys)}).fetchall())}


def report(
    context: dg.AssetExecutionContext, delta: str, verdicts: Iterable[Verdict], let_pass: Sequence[str]
) -> list[dg.AssetCheckResult]:
    """The results of the rails' checks; what was let pass is in the run's tags."""
    return [
        _result(context, delta, verdict, is_let_pass=verdict.rail in let_pass)
        if verdict.may_pass
        else _wrong_result(context, verdict)
        for verdict in verdicts
    ]


def _result(
    context: dg.AssetExecutionContext, delta: str, verdict: Verdict, *, is_let_pass: bool
) -> dg.AssetCheckResult:
    problems = "; ".join(verdict.problems)
    if problems and is_let_pass:
        _tag(context, f"{delta}: {verdict.rail}")
        context.log.warning(f"Let pass: {problems}.")
    words = (
        f"These writes are stopped, the others are sent: {problems}. If that is meant, run the job from the launchpad "
        f"with ops: {{{delta}: {{config: {{let_pass: [{verdict.rail}]}}}}}}, or solteq-woo sync with --let-pass."
    )
    if problems and not is_let_pass:
        context.log.warning(words)
    return dg.AssetCheckResult(
        check_name=verdict.rail,
        passed=not problems or is_let_pass,
        metadata=dict(verdict.metadata),
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
