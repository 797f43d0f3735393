"""Findings about products, SKUs and campaigns by the last reads: a whole read of a large store would take minutes."""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import duckdb

from solteq_woo_assets.doctor.findings import Finding, green, red, yellow
from solteq_woo_assets.engine import sql
from solteq_woo_assets.engine.database import StateDatabase, rewrite_due
from solteq_woo_assets.flows.campaigns import pricing
from solteq_woo_assets.flows.campaigns.source import pricing_rules
from solteq_woo_assets.settings import Settings

_EXAMPLES = 3
_ONLINE = "active AND NOT deleted AND trim(code) <> '' AND NOT is_never_sold_online(product_type)"

# A variation without a SKU shows its parent's: WooCommerce lets it inherit that (WC_Product_Variation, get_sku).
_LIVE = """
CREATE TEMP TABLE live AS
SELECT item.id, item.type, item.name, sku_key(item.sku) AS sku,
    item.type = 'variation' AND coalesce(sku_key(item.sku), '') IN ('', coalesce(sku_key(parent.sku), ''))
        AS has_none_of_its_own
FROM snapshot.woo_catalogue AS item LEFT JOIN snapshot.woo_catalogue AS parent ON parent.id = item.parent_id
WHERE item.status <> 'trash' AND parent.status IS DISTINCT FROM 'trash'
"""
_TWICE = """SELECT sku FROM live WHERE sku <> '' AND NOT has_none_of_its_own
GROUP BY sku HAVING count(*) > 1 ORDER BY sku"""
_WITHOUT = "SELECT 'number ' || id FROM live WHERE coalesce(sku, '') = '' AND type = 'simple' ORDER BY id"
_VARIATIONS_WITHOUT = "SELECT 'number ' || id FROM live WHERE has_none_of_its_own ORDER BY id"
_SOLD = f"SELECT sku_key(code) AS sku FROM snapshot.solteq_products WHERE {_ONLINE}"
_BINNED = f"""SELECT DISTINCT sku_key(sku) AS sku FROM snapshot.woo_catalogue
WHERE sku_key(sku) IN ({_SOLD}) AND sku_key(sku) NOT IN (SELECT sku FROM live WHERE sku IS NOT NULL)
ORDER BY sku"""
_MISSING = f"""SELECT DISTINCT sku FROM ({_SOLD})
WHERE sku NOT IN (SELECT sku_key(sku) FROM snapshot.woo_catalogue WHERE sku IS NOT NULL) ORDER BY sku"""
_CODES_TWICE = f"SELECT sku FROM ({_SOLD}) GROUP BY sku HAVING count(*) > 1 ORDER BY sku"

# Campaigns for other stores are left out.
_CAMPAIGNS = """SELECT name || ': ' || reason FROM campaigns_judged
WHERE ends > $now AND held <> 'off' AND field <> 'storeIds' ORDER BY id"""


def vat_rates_in_use(database: StateDatabase, settings: Settings) -> Collection[Decimal]:
    """Those of the active products; those of the settings where no product has been read."""
    with database.transaction() as connection:
        query = f"SELECT DISTINCT vat_rate FROM snapshot.solteq_products WHERE vat_rate IS NOT NULL AND {_ONLINE}"
        rates = [row[0] for row in connection.execute(query).fetchall()]
    return rates or list(settings.tax_classes)


def examine_records(database: StateDatabase, settings: Settings, now: datetime) -> Iterator[Finding]:
    """Lines about both catalogues and the campaigns, by what was last read.

    :param now: naive UTC
    """
    with database.transaction() as connection:
        found = list(_findings(connection, settings, now))
    yield from found


def nothing_read() -> Iterator[Finding]:
    """The lines while there is no database."""
    yield _unread("records", "products")


def _unread(check: str, flow: str) -> Finding:
    return yellow(check, "nothing has been read yet", f"Run solteq-woo sync {flow} (with --dry-run nothing is sent).")


def _findings(connection: duckdb.DuckDBPyConnection, settings: Settings, now: datetime) -> Iterator[Finding]:
    rows = connection.execute("SELECT feed, coalesce(read_at, full_read_at, position) FROM sync.watermarks").fetchall()
    read_at = {feed.removeprefix("snapshot."): at for feed, at in rows}
    if "woo_catalogue" in read_at and "solteq_products" in read_at:
        at = min(read_at["woo_catalogue"], read_at["solteq_products"])
        yield green("records", f"the lines on SKUs go by the read of {_local(at, settings)}")
        connection.execute(_LIVE)
        yield from _skus(connection, settings)
        connection.execute("DROP TABLE live")
    else:
        yield _unread("records", "products")
    if settings.stock_stores and "solteq_balances" in read_at:
        yield _stock_stores(connection, settings)
    if "solteq_campaigns" in read_at:
        yield _campaigns(connection, settings, now)
    else:
        yield _unread("campaigns", "campaigns")
    yield _conflicts(connection)
    yield _erasure(connection)


def _erasure(connection: duckdb.DuckDBPyConnection) -> Finding:
    check = "erasure"
    since = rewrite_due(connection)
    if since is None:
        return green(check, "no erased data is left in the bytes of the database")
    words = f"bytes of erased data have been in the database since {since:%Y-%m-%d %H:%M} UTC"
    return red(check, words, "Free as much disk as the database takes, then run any flow, or solteq-woo erase again.")


def _conflicts(connection: duckdb.DuckDBPyConnection) -> Finding:
    check = "sales conflicts"
    rows = connection.execute(
        "SELECT 'order ' || order_id || ': ' || reason FROM sync.sales_conflicts ORDER BY since"
    ).fetchall()
    if not rows:
        return green(check, "none")
    shown = _counted(check, rows, "orders are held back, since other orders are in their place", "")
    return red(check, shown.words, "solteq-woo quarantine show says what to do about each.")


def _stock_stores(connection: duckdb.DuckDBPyConnection, settings: Settings) -> Finding:
    """Whether each store whose balances are sold online has balances: a misspelled id would sell nothing of it."""
    query = "SELECT DISTINCT store_id FROM snapshot.solteq_balances WHERE NOT deleted ORDER BY 1"
    stores = [row[0] for row in connection.execute(query).fetchall()]
    wrong = set(settings.stock_stores).difference(stores)
    if not wrong:
        return green("stock stores", "each of SOLTEQ_WOO_STOCK_STORES has balances")
    words = f"{len(wrong)} of {len(set(settings.stock_stores))} ids in SOLTEQ_WOO_STOCK_STORES have no balance"
    mend = f"Write them as Solteq does. Balances are of {', '.join(stores[:20]) or 'no store'}."
    return red("stock stores", words, mend)


def _skus(connection: duckdb.DuckDBPyConnection, settings: Settings) -> Iterator[Finding]:
    by_itself = "the next products run brings them back" if settings.binned_products == "restore" else "they stay there"
    lines = (
        ("duplicate SKUs", _TWICE, "are on several products of the store; one of them gets its prices and stock",
            "Keep each SKU on one product in the store."),
        ("products without SKU", _WITHOUT, "products of the store without a SKU, which nothing reaches",
            "Give them Solteq's code as their SKU, if Solteq sells them."),
        ("variations without SKU", _VARIATIONS_WITHOUT, "variations without a SKU of their own, which nothing reaches",
            "Give each variation Solteq's code as its SKU."),
        ("binned SKUs", _BINNED, f"are in the store's bin, though Solteq sells them; {by_itself}",
            "Restore or delete them in the store; SOLTEQ_WOO_BINNED_PRODUCTS decides what we do."),
        ("missing SKUs", _MISSING, "are sold in Solteq and not in the store",
            "Run solteq-woo sync products; what is left is in its quarantine, with the reason."),
        ("duplicate codes", _CODES_TWICE, "codes on several active products in Solteq, which are held back",
            "Keep each code on one product in Solteq."),
    )  # fmt: skip
    for check, query, words, mend in lines:
        yield _counted(check, connection.execute(query).fetchall(), words, mend)


def _campaigns(connection: duckdb.DuckDBPyConnection, settings: Settings, now: datetime) -> Finding:
    rules = pricing_rules(connection, settings)
    with sql.steps(connection, pricing.__name__, campaigns=connection.table("snapshot.solteq_campaigns")) as steps:
        pricing.judge_campaigns(steps, rules, now)
        rows = connection.execute(_CAMPAIGNS, {"now": now}).fetchall()
    words = "running or to come that the store cannot express as a discount price"
    mend = "Make them simple public discounts in Solteq, or repeat them in the store by hand (docs/campaigns.md)."
    return _counted("campaigns", rows, words, mend) if rows else green("campaigns", "all that apply can be expressed")


def _counted(check: str, rows: list[tuple[str]], words: str, mend: str) -> Finding:
    if not rows:
        return green(check, "none")
    examples = ", ".join(str(row[0])[:80] for row in rows[:_EXAMPLES])
    more = ", …" if len(rows) > _EXAMPLES else ""
    return yellow(check, f"{len(rows)} {words} ({examples}{more})", mend)


def _local(instant: datetime, settings: Settings) -> str:
    return f"{instant.replace(tzinfo=UTC).astimezone(ZoneInfo(settings.timezone)):%-d.%-m.%Y %H:%M}"
