"""Prices have one writer: products and campaigns both write them, and one lease keeps their runs apart.

A run takes it before it compares, and holds it until its writes have arrived, so that no older comparison is sent after
a newer one. Both flows still read side by side. A delivery of products gives way between two lots to a run of campaigns
that waits: the edge of a campaign is kept to the minute while a first sync takes an hour.
"""

import dagster as dg

from solteq_woo_assets.engine import sql
from solteq_woo_assets.engine.ledger import SENT_ACTIONS
from solteq_woo_assets.engine.shop import Shop
from solteq_woo_assets.errors import StateError

PRICES = "prices"
"""The lease."""


def refuse_older(_context: dg.AssetExecutionContext, shop: Shop, *, flow: str, delta: str, other: str) -> None:
    """Refuse to send a delta that was made before the other flow wrote prices of its products.

    Such a delta was made in an earlier run, to be looked at.

    :param other: the flow that writes prices, too
    :raises StateError: it is to be made again
    """
    with shop.database.transaction() as connection:
        due = connection.table(f"delta.{delta}")
        with sql.steps(connection, __name__, due=due) as steps:
            older = steps.frame("older_prices", flow=flow, other=other, sent=list(SENT_ACTIONS)).item()
    if older:
        raise StateError(
            f"{older} prices of {delta} are older than what {other} wrote since. Nothing is sent. Materialize {delta} "
            f"again, or run {flow}_to_woo."
        )
