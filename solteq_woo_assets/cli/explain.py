"""Why a price is what it is, and what became of an order."""

from contextlib import closing

import click

from solteq_woo_assets.cli.jobs import existing_database, load_settings
from solteq_woo_assets.cli.sandbox import standing_in
from solteq_woo_assets.cli.terminal import console, print_table
from solteq_woo_assets.cli.times import instant, local
from solteq_woo_assets.clients.connections import woo_client
from solteq_woo_assets.clients.woo_documents import StoreProduct, sku_key
from solteq_woo_assets.flows.campaigns import assets as campaigns
from solteq_woo_assets.flows.campaigns.pricing import LOWEST_PRICE_META
from solteq_woo_assets.flows.sales import history as sales_history


@click.command()
@click.argument("what", nargs=-1, required=True, metavar="SKU | order NUMBER")
@click.option("--at", metavar="TIME", help="Time of the price: local time such as 2026-11-27T00:00. Default: now.")
def explain(what: tuple[str, ...], at: str | None) -> None:
    """Say why a price is what it is, or what became of an order.

    For a product, by the last read of Solteq: campaigns, the calendar of 60 days, prices shown to shoppers, writes with
    their runs, and the store's values now. For an order: the store's data by the last read, each write and Solteq's
    answers.
    """
    match what:
        case ("order", number):
            _explain_order(number)
        case (sku,):
            _explain_price(sku, at)
        case _:
            raise click.UsageError("Name a SKU, or write: explain order NUMBER")


def _explain_order(number: str) -> None:
    settings = load_settings()
    with existing_database(settings).transaction() as connection:
        history = sales_history.history_of(connection, number, settings.timezone)
    if history is None:
        raise click.ClickException(f"Order {number} has not been read from the store.")
    console.print(f"[bold]Order {history.order_id} in the store[/bold], as it was read {history.read_at}")
    for title, (columns, rows) in history.tables.items():
        console.print(f"\n[bold]{title}[/bold]")
        print_table(columns, rows) if rows else console.print("Nothing.")


def _explain_price(sku: str, at: str | None) -> None:
    settings = load_settings()
    now = instant(at, settings)
    key = sku_key(sku)
    with existing_database(settings).transaction() as connection:
        explanation = campaigns.explain(connection, settings, [sku], now)
        parameters = {"key": key, "zone": settings.timezone}
        shown = connection.sql(_SHOWN, params=parameters).fetchall()
        sent = connection.sql(_SENT, params=parameters).fetchall()
    if explanation.prices.is_empty():
        raise click.ClickException(f"{sku} is not on sale in Solteq, by the last read.")
    console.print(f"[bold]The price at {local(now, settings)}[/bold]")
    columns = ["code", "sales price", "sale price", "set by", "lowest price of 30 days"]
    print_table(columns, explanation.prices.rows())
    verdicts, calendar = (frame.drop("code").rows() for frame in (explanation.verdicts, explanation.calendar))
    for title, columns, rows in (
        ("Campaigns", ["campaign", "for", "when", "price", "what becomes of it"], verdicts),
        ("The coming 60 days", ["from", "until", "price", "set by"], calendar),
        ("Shown to shoppers", ["price", "regular price", "from", "until"], shown),
        ("Sent to the store", ["when", "run", "flow", "field: old → new", "state"], sent),
    ):
        console.print(f"\n[bold]{title}[/bold]")
        print_table(columns, rows) if rows else console.print("Nothing.")
    with standing_in(settings), closing(woo_client(settings)) as woo:
        held = woo.find_by_sku([sku])
    console.print("\n[bold]The store now[/bold]")
    columns = ["id", "status", "regular price", "sale price", "from (UTC)", "until (UTC)", "lowest price of 30 days"]
    print_table(columns, [_store_row(product) for product in held]) if held else console.print("It is not there.")


_SHOWN = """
SELECT price::DECIMAL(18,2)::VARCHAR, regular_price::DECIMAL(18,2)::VARCHAR,
    strftime(valid_from AT TIME ZONE 'UTC' AT TIME ZONE $zone, '%-d.%-m.%Y %H:%M:%S'),
    coalesce(strftime(valid_to AT TIME ZONE 'UTC' AT TIME ZONE $zone, '%-d.%-m.%Y %H:%M:%S'), '')
FROM sync.price_history WHERE sku = $key ORDER BY valid_from DESC LIMIT 20
"""
_SENT = """
SELECT strftime(created_at AT TIME ZONE 'UTC' AT TIME ZONE $zone, '%-d.%-m.%Y %H:%M:%S'), run_id, flow,
    array_to_string(list_transform(prices, lambda c:
        c.field || ': ' || coalesce(nullif(c.old, ''), '–') || ' → ' || coalesce(nullif(c.new, ''), '–')), ', '), state
FROM (
    SELECT *, list_filter(changes, lambda c: c.field LIKE '%price%' OR c.field LIKE 'date_on_sale%') AS prices
    FROM sync.deliveries WHERE sku_key(key) = $key
) WHERE len(prices) > 0 ORDER BY created_at DESC LIMIT 20
"""


def _store_row(product: StoreProduct) -> tuple[str, ...]:
    prices = (product.regular_price, product.sale_price)
    times = (product.date_on_sale_from_gmt, product.date_on_sale_to_gmt)
    return (
        str(product.id),
        product.status,
        *("" if price is None else f"{price:.2f}" for price in prices),
        *("" if time is None else time.isoformat() for time in times),
        product.meta.get(LOWEST_PRICE_META, ""),
    )
