"""Erase a customer."""

import click

from solteq_woo_assets.assets import customers
from solteq_woo_assets.cli.jobs import existing_database, load_settings
from solteq_woo_assets.cli.terminal import console
from solteq_woo_assets.sync import erasure
from solteq_woo_assets.sync.lease import FlowLeases


@click.command()
@click.option("--customer", required=True, metavar="ID|EMAIL", help="Solteq's id, woo:ID of an account, or an e-mail.")
@click.confirmation_option(prompt="Everything personal of this customer is erased from the database for good. Go on?")
def erase(customer: str) -> None:
    """Erase everything personal of one customer from this integration's database.

    Solteq and the store are not touched: erase there first, or the person goes on being a customer there. The ids
    stay here, so that no later run brings the person back.
    """
    database = existing_database(load_settings())
    with FlowLeases(database) as leases:
        leases.take(customers.FLOW, "erase")
        people = erasure.erase(database, customer)
    if not people:
        raise click.ClickException("Nobody is known by that.")
    for person in people:
        console.print(f"Erased: {person}.", highlight=False)
