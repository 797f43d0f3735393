"""Give a database to other systems than those that it was made with."""

from contextlib import closing

import click

from solteq_woo_assets.cli.jobs import existing_database, load_settings
from solteq_woo_assets.cli.sandbox import standing_in
from solteq_woo_assets.cli.terminal import console, print_table
from solteq_woo_assets.clients.connections import solteq_client, woo_client
from solteq_woo_assets.engine import identity
from solteq_woo_assets.engine.database import StateDatabase
from solteq_woo_assets.flows import rebinding


@click.command()
@click.option("--keep", is_flag=True, help="Forget nothing: these are the same systems under another name or address.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def rebind(keep: bool, yes: bool) -> None:
    """Let the database belong to the systems and the shop of the settings, and forget the data of others.

    Says what it will forget, and asks. Both systems stay as they are.
    """
    settings = load_settings()
    database = existing_database(settings)
    with standing_in(settings), closing(solteq_client(settings)) as solteq, closing(woo_client(settings)) as woo:
        met = identity.Identity(database, identity.sides(settings, solteq, woo)).meet(ask_all=True)
    strangers = [each for each in met if each.is_stranger]
    if not strangers:
        console.print("The database belongs to these systems already.")
        return
    for stranger in strangers:
        console.print(f"{settings.database}: {stranger.words()}.", highlight=False, markup=False)
    names = {stranger.side.name for stranger in strangers}
    if not keep:
        _print_loss(database, names)
    if not yes:
        click.confirm("Forget nothing, and go on with it?" if keep else "Forget all of that for good?", abort=True)
    with database.transaction() as connection:
        if not keep:
            rebinding.forget(connection, database.tables, names)
        for stranger in strangers:
            identity.remember(connection, stranger)
    console.print("The database belongs to the systems of the settings now. The next run reads them in full.")


def _print_loss(database: StateDatabase, names: set[str]) -> None:
    with database.transaction() as connection:
        rows = [
            (table, str(connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]))
            for table in rebinding.forgotten(database.tables, names)
        ]
    print_table(["table that will be empty", "rows"], [row for row in rows if row[1] != "0"])
