"""Say that a product that was made anew in Solteq is the store's product with its code."""

import click

from solteq_woo_assets.cli.jobs import existing_database, load_settings
from solteq_woo_assets.cli.terminal import console
from solteq_woo_assets.engine.lease import FlowLeases
from solteq_woo_assets.engine.snapshot import outdate
from solteq_woo_assets.flows.products import assets as products
from solteq_woo_assets.flows.products import links


@click.command("same-product")
@click.argument("codes", nargs=-1, metavar="[CODE]...")
@click.option("--all", "for_all", is_flag=True, help="All codes that are on a new document, as after a re-import.")
def same_product(codes: tuple[str, ...], for_all: bool) -> None:
    """Let the store's products be the new documents of Solteq with these codes.

    A code that comes back on another document is a new product, and the page of the old one leaves the shelf. If it is
    the same product, say so here before the new one is in the store: its page goes on. The next run writes the
    differences.
    """
    if bool(codes) == for_all:
        raise click.UsageError("Give codes, or --all.")
    database = existing_database(load_settings())
    with FlowLeases(database) as leases:
        leases.take(products.FLOW, "same-product")
        with database.transaction() as connection:
            done = links.same_product(connection, None if for_all else codes)
            outdate(connection, products.FLOW, len(done))
    if not done:
        raise click.ClickException(
            "None of these codes is on a new document whose product is yet to be made. See docs/products.md."
        )
    for code in done:
        console.print(f"{code} is the store's product with this SKU.", highlight=False, markup=False)
