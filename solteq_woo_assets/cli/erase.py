"""Erase a customer."""

import click

from solteq_woo_assets.cli.jobs import existing_database, load_settings
from solteq_woo_assets.cli.terminal import console
from solteq_woo_assets.engine.lease import FlowLeases
from solteq_woo_assets.flows.customers import assets as customers
from solteq_woo_assets.flows.customers import erasure
from solteq_woo_assets.flows.sales import assets as sales


@click.command()
@click.option(
    "--customer",
    required=True,
    metavar="ID|EMAIL",
    help="Solteq's id, woo:ID of an account, order:ID of a guest's order, or an e-mail address.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(customer: str, yes: bool) -> None:
    """Erase everything personal of one customer from this integration's database.

    Lists the people by id, and asks. Solteq and the store stay as they are: erase there first, or the person stays a
    customer there. The ids stay here, so that no later run brings the person back. An erasure that was cut short is
    carried on.
    """
    if not customer.strip():
        raise click.ClickException("Nobody was erased: --customer is empty.")
    database = existing_database(load_settings())
    found = erasure.find(database, customer)
    for line in (*found.words(), *(f"Stays: {other}" for other in found.others)):
        console.print(line, highlight=False, markup=False)
    if found and not yes:
        click.confirm("Erase all their personal data here for good?", abort=True)
    with FlowLeases(database) as leases:
        for flow in (customers.FLOW, sales.FLOW):
            leases.take(flow, "erase")
        since = leases.finish_erasure()
        if since:
            console.print(f"Finished the erasure that was cut short at {since:%Y-%m-%d %H:%M} UTC.", highlight=False)
        if found:
            found = erasure.erase(database, customer)
    for person in found.people:
        console.print(f"Erased: {person}.", highlight=False)
    if found.orders:
        console.print(f"Erased: the buyers of {len(found.orders)} orders.", highlight=False)
    if not found and not since:
        raise click.ClickException("The database knows nobody by that.")
